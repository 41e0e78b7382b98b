//! Several statements in one go.
//!
//! On SQLite every call costs a hop to the thread of its connection, more than most statements take by themselves, so a
//! batch is one text there. Postgres takes one statement at a time.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use sqlx::{Either, Executor as _};

use crate::{
    db::{Arg, Engine, Q, Row, Tx},
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

    /// Runs the statements; the rows of each, in their order.
    pub(crate) async fn run(self, tx: &mut Tx) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut all = Vec::with_capacity(self.statements.len());
        if self.statements.is_empty() {
            return Ok(all);
        }
        match tx {
            Tx::Postgres(_) => {
                for (sql, args) in self.statements {
                    all.push(Q { sql: &sql, args }.all(&mut *tx).await?);
                }
            }
            Tx::Sqlite(tx) => {
                let (sql, args) = self.joined();
                let mut rows = Vec::new();
                let mut results = tx.fetch_many(Q { sql: &sql, args }.sqlite()?);
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

    /// One text with one list of arguments, whose numbers go on from statement to statement.
    fn joined(self) -> (String, Vec<Arg>) {
        let (mut text, mut args) = (String::new(), Vec::new());
        for (sql, more) in self.statements {
            let sql = Engine::Sqlite.text(&sql);
            let mut parts = sql.split('$');
            text.push_str(parts.next().unwrap_or_default());
            for part in parts {
                let (number, rest) = part.split_at(part.bytes().take_while(u8::is_ascii_digit).count());
                match number.parse::<usize>() {
                    // Writing to a text cannot fail.
                    Ok(number) => drop(write!(text, "${}{rest}", number + args.len())),
                    // A path inside JSON.
                    Err(_) => drop(write!(text, "${rest}")),
                }
            }
            text.push_str(";\n");
            args.extend(more);
        }
        (text, args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::q;

    #[test]
    fn arguments_are_numbered_on_and_json_paths_are_left_alone() {
        let mut batch = Batch::default();
        batch.add(q("UPDATE t SET a = $2 WHERE b = $1").bind(1).bind(2));
        batch.add(q("SELECT json_extract(value, '$.c') FROM json_each($1)").bind("[]"));
        let (text, args) = batch.joined();
        assert_eq!(text, "UPDATE t SET a = $2 WHERE b = $1;\nSELECT json_extract(value, '$.c') FROM json_each($3);\n");
        assert_eq!(args.len(), 3);
    }
}
