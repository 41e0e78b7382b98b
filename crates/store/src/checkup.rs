//! What `doctor` asks the database about itself. All that is written is a counter, to see how long a commit takes.

use std::time::{Duration, Instant};

use interline_domain::{Micros, Timestamp, UpstreamId};

use crate::{
    Engine, Store,
    db::{Db, q},
    error::StoreError,
    rows::time_opt,
};

/// What a database says about itself.
#[derive(Debug, Clone)]
pub struct Checkup {
    /// The settings that make a commit last, by name, as they are in force on our connections.
    pub durability: Vec<(&'static str, String)>,
    /// The newest migration that it has.
    pub schema_version: i64,
    /// Its own time; on SQLite that is ours.
    pub clock: Timestamp,
    /// When a server last said that it lives.
    pub last_seen: Option<Timestamp>,
    /// When the last event was written.
    pub last_event_at: Option<Timestamp>,
}

impl Store {
    /// Asks the database about itself.
    pub async fn checkup(&self) -> Result<Checkup, StoreError> {
        let db = &*self.db;
        let row = q("SELECT MAX(version) AS version, {clock} AS clock FROM _sqlx_migrations").one(db).await?;
        let seen = q("SELECT MAX(last_seen) AS at FROM boots").one(db).await?;
        let event = q("SELECT at FROM events ORDER BY id DESC LIMIT 1").opt(db).await?;
        Ok(Checkup {
            durability: durability(db).await?,
            schema_version: row.get("version")?,
            clock: Timestamp::from_millis(row.get("clock")?),
            last_seen: time_opt(&seen, "at")?,
            last_event_at: event.as_ref().map(|row| time_opt(row, "at")).transpose()?.flatten(),
        })
    }

    /// The reserves of what runs at an upstream and whose charge was not read yet: its balance may lie lower by more.
    pub async fn unread_reserves(&self, upstream: &UpstreamId) -> Result<Micros, StoreError> {
        let text = "SELECT CAST(COALESCE(SUM(reserve), 0) AS BIGINT) AS unread FROM attempts
                    WHERE upstream = $1 AND state = 'accepted' AND NOT charge_read";
        Ok(Micros::new(q(text).bind(upstream.as_str()).one(&*self.db).await?.get("unread")?))
    }

    /// How long `count` commits take, one after the other, each as durable as that of an order. They raise the counter that
    /// ids of rows are taken from: gaps mean nothing there.
    pub async fn time_commits(&self, count: usize) -> Result<Vec<Duration>, StoreError> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let mut tx = self.db.begin().await?;
            q("UPDATE counters SET value = value + 1 WHERE name = 'rows'").run(&mut tx).await?;
            let began = Instant::now();
            tx.commit().await?;
            times.push(began.elapsed());
        }
        Ok(times)
    }
}

async fn durability(db: &Db) -> Result<Vec<(&'static str, String)>, StoreError> {
    if db.engine() == Engine::Postgres {
        let mut settings = Vec::new();
        for (name, question) in [
            ("synchronous_commit", "SHOW synchronous_commit"),
            ("fsync", "SHOW fsync"),
            ("full_page_writes", "SHOW full_page_writes"),
        ] {
            settings.push((name, q(question).one(db).await?.get(name)?));
        }
        return Ok(settings);
    }
    let mode: String = q("PRAGMA journal_mode").one(db).await?.get("journal_mode")?;
    let level: i64 = q("PRAGMA synchronous").one(db).await?.get("synchronous")?;
    let level = if level >= 2 { "full".to_owned() } else { level.to_string() };
    Ok(vec![("journal_mode", mode), ("synchronous", level)])
}
