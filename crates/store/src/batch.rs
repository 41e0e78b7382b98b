//! Several statements in one go.
//!
//! On SQLite every call costs a hop to the thread of its connection, more than most statements take by themselves, so a
//! batch is one text there. Postgres takes one statement at a time.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use sqlx::{Either, Executor as _};

use crate::{
    arg::Arg,
    db::{Engine, Q, Row, Tx},
    error::StoreError,
};

/// Statements in the order in which they are to be run.
#[derive(Default)]
pub(crate) struct Batch {
    statements: Vec<(String, Vec<Arg>)>,
}

impl Batch {
    /// Adds a statement.
    pub(crate) fn add(&mut self, statement: Q<'_>) {
        self.statements.push((statement.sql.to_owned(), statement.args));
    }

    /// Runs statements that only write, each of which would do the same beside the others as after them.
    pub(crate) async fn write(self, tx: &mut Tx) -> Result<(), StoreError> {
        if !matches!(tx, Tx::Postgres(_)) || self.statements.len() < 2 {
            return self.run(tx).await.map(drop);
        }
        // One statement, for each costs a way to the server and back. Foreign keys are looked at when all of it is done.
        let last = self.statements.len() - 1;
        let (sql, args) = self.joined(Engine::Postgres, |place, text| match place {
            0 => format!("WITH written_0 AS ({text})"),
            _ if place < last => format!(", written_{place} AS ({text})"),
            _ => format!(" {text}"),
        });
        Q { sql: &sql, args }.run(tx).await.map(drop)
    }

    /// Runs the statements; the rows of each, in their order.
    pub(crate) async fn run(self, tx: &mut Tx) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut all = Vec::with_capacity(self.statements.len());
        if self.statements.is_empty() {
            return Ok(all);
        }
        match tx {
            Tx::Postgres(_) | Tx::SqliteSnapshot(_) => {
                for (sql, args) in self.statements {
                    all.push(Q { sql: &sql, args }.all(&mut *tx).await?);
                }
            }
            Tx::Sqlite(turn) => {
                let (sql, args) = self.joined(Engine::Sqlite, |_, text| format!("{text};\n"));
                let mut rows = Vec::new();
                let mut results = turn.connection()?.fetch_many(Q { sql: &sql, args }.sqlite()?);
                while let Some(result) = results.try_next().await? {
                    match result {
                        Either::Right(row) => rows.push(Row::Sqlite(row)),
                        // The end of a statement.
                        Either::Left(_) => all.push(std::mem::take(&mut rows)),
                    }
                }
            }
        }
        Ok(all)
    }

    /// One text, each statement of it dressed by its place, with one list of arguments, whose numbers go on from statement
    /// to statement.
    fn joined(self, engine: Engine, dress: impl Fn(usize, &str) -> String) -> (String, Vec<Arg>) {
        let (mut all, mut args) = (String::new(), Vec::new());
        for (place, (sql, more)) in self.statements.into_iter().enumerate() {
            let sql = engine.text(&sql);
            let mut parts = sql.split('$');
            let mut text = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (number, rest) = part.split_at(part.bytes().take_while(u8::is_ascii_digit).count());
                match number.parse::<usize>() {
                    // Writing to a text cannot fail.
                    Ok(number) => drop(write!(text, "${}{rest}", number + args.len())),
                    // A path inside JSON.
                    Err(_) => drop(write!(text, "${rest}")),
                }
            }
            all.push_str(&dress(place, &text));
            args.extend(more);
        }
        (all, args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::q;

    #[test]
    fn arguments_are_numbered_on_and_json_paths_are_left_alone() {
        let mut batch = Batch::default();
        // Not SQL, so that nobody takes it for a statement of ours.
        batch.add(q("a = $2, b = $1").bind(1).bind(2));
        batch.add(q("c('$.c', $1)").bind("[]"));
        let (text, args) = batch.joined(Engine::Sqlite, |_, text| format!("{text};\n"));
        assert_eq!(text, "a = $2, b = $1;\nc('$.c', $3);\n");
        assert_eq!(args.len(), 3);
    }
}
