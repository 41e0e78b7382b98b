//! Writing in sets: one statement per table for a whole group, whatever its size. This is the one place where the two
//! engines' SQL stands side by side.
//!
//! Rows go in as one JSON array. A statement costs about as much for a hundred rows as for one, which is what makes
//! grouped commits fast.

use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::{
    batch::Batch,
    db::{Engine, Tx, q},
    error::StoreError,
};

/// A column's type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Int,
    Text,
    Bool,
    Json,
}

/// A table as sets are written to it.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// The columns that identify a row.
    pub(crate) key: &'static [&'static str],
    pub(crate) present: Present,
}

/// What happens to a row that is there already.
pub(crate) enum Present {
    /// It may not be there: the statement fails.
    Fails,
    /// It stays as it is.
    Stays,
    /// These columns are overwritten.
    Takes(&'static [&'static str]),
}

impl Table {
    /// Writes `rows`, whose fields bear the columns' names, in their order.
    pub(crate) async fn write<T: Serialize>(&self, tx: &mut Tx, rows: &[T]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        self.add(tx, &mut batch, rows)?;
        batch.run(tx).await.map(drop)
    }

    /// Puts the writing of `rows` into a batch.
    pub(crate) fn add<T: Serialize>(&self, tx: &Tx, batch: &mut Batch, rows: &[T]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let engine = tx.engine();
        let json = to_raw_value(rows).map_err(|e| StoreError::corrupt(self.name, &e.to_string()))?;
        batch.add(q(&self.sql(engine)).bind(json));
        Ok(())
    }

    /// The statement that writes the JSON array `$1`.
    pub(crate) fn sql(&self, engine: Engine) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let source = match engine {
            Engine::Sqlite => {
                let fields: Vec<String> = names.iter().map(|n| format!("json_extract(value, '$.{n}')")).collect();
                // Without WHERE SQLite takes ON for a join.
                format!("SELECT {} FROM jsonb_each($1) WHERE TRUE", fields.join(", "))
            }
            Engine::Postgres => {
                let typed: Vec<String> =
                    self.columns.iter().map(|(n, kind)| format!("{n} {}", postgres_type(*kind))).collect();
                format!("SELECT {} FROM jsonb_to_recordset($1) AS given({})", names.join(", "), typed.join(", "))
            }
        };
        let conflict = match &self.present {
            Present::Fails => String::new(),
            Present::Stays => format!(" ON CONFLICT ({}) DO NOTHING", self.key.join(", ")),
            Present::Takes(columns) => {
                let set: Vec<String> = columns.iter().map(|c| format!("{c} = excluded.{c}")).collect();
                format!(" ON CONFLICT ({}) DO UPDATE SET {}", self.key.join(", "), set.join(", "))
            }
        };
        format!("INSERT INTO {} ({}) {source}{conflict}", self.name, names.join(", "))
    }
}

fn postgres_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "BIGINT",
        Kind::Text => "TEXT",
        Kind::Bool => "BOOLEAN",
        Kind::Json => "JSONB",
    }
}

/// The statement that looks up who holds the orders of the JSON array `$1` at upstream `$2`.
pub(crate) const fn held_sql(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "SELECT id, upstream, upstream_order FROM attempts
             WHERE upstream = $2 AND upstream_order IN (SELECT value FROM json_each($1))"
        }
        // One by one: for a list the planner may go through everything that the upstream was ever sent.
        Engine::Postgres => {
            "SELECT a.id, a.upstream, a.upstream_order FROM jsonb_array_elements_text($1) AS given(id) CROSS JOIN LATERAL
             (SELECT id, upstream, upstream_order FROM attempts
              WHERE upstream = $2 AND upstream_order = given.id LIMIT 1) a"
        }
    }
}

/// The statement that puts the due rows of the JSON array `$1`, of kind `$2`, to another time: those that are still held
/// under the lease they carry.
pub(crate) const fn put_off_sql(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            // An UPDATE would go through everything that is due and look for each in the array.
            "INSERT INTO due (kind, subject, upstream, due_at, interval_ms, lease_until)
             SELECT d.kind, d.subject, d.upstream, json_extract(given.value, '$.due_at'),
                 json_extract(given.value, '$.interval_ms'), 0
             FROM json_each($1) AS given CROSS JOIN due d
             WHERE d.kind = $2 AND d.subject = json_extract(given.value, '$.subject')
             AND d.lease_until = json_extract(given.value, '$.lease_until')
             ON CONFLICT (kind, subject) DO UPDATE
             SET due_at = excluded.due_at, interval_ms = excluded.interval_ms, lease_until = 0"
        }
        Engine::Postgres => {
            "UPDATE due SET due_at = given.due_at, interval_ms = given.interval_ms, lease_until = 0
             FROM jsonb_to_recordset($1) AS given(subject TEXT, due_at BIGINT, interval_ms BIGINT, lease_until BIGINT)
             WHERE due.kind = $2 AND due.subject = given.subject AND due.lease_until = given.lease_until"
        }
    }
}
