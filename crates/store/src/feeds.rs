//! What push feeds need: the right to hold one, and due times that are moved to now. Nothing here passes through the
//! writer, and a row that somebody is working on is left to them.

use std::time::Instant;

use interline_domain::{Timestamp, UpstreamId};
use serde_json::json;

use crate::{
    Engine, Store,
    db::q,
    error::StoreError,
    rows::{DueKind, time_opt},
    staging::give_way,
};

/// When an order is looked at next that an upstream has news of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextLook {
    /// The upstream's id of it.
    pub upstream_order: String,
    /// Its attempt, as what is due names it.
    pub subject: String,
    /// When it is looked at; `None` if it is not any more.
    pub due_at: Option<Timestamp>,
    /// Who looks at it now has it until then.
    pub lease_until: Option<Timestamp>,
}

impl Store {
    /// Takes the lease `name` until `until`, or keeps it; `false` while it is another process's. On SQLite, where only
    /// one `serve` runs, it is anybody's.
    pub async fn hold_lease(
        &self,
        name: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let alone = self.db.engine() == Engine::Sqlite;
        let text = "INSERT INTO leases (name, owner, lease_until) VALUES ($1, $2, $3)
                    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until
                    WHERE $5 OR leases.owner = excluded.owner OR leases.lease_until <= $4";
        let lease = q(text).bind(name).bind(owner).bind(until.millis()).bind(now.millis()).bind(alone);
        Ok(lease.run(&*self.db).await? == 1)
    }

    /// Gives up every lease of a process that ends, so that the next need not wait for them to run out.
    pub async fn give_up_leases(&self, owner: &str) -> Result<(), StoreError> {
        q("DELETE FROM leases WHERE owner = $1").bind(owner).run(&*self.db).await.map(drop)
    }

    /// When the orders are looked at next that an upstream calls `orders`. Those that are not ours are left out.
    pub async fn next_looks(&self, upstream: &UpstreamId, orders: &[String]) -> Result<Vec<NextLook>, StoreError> {
        let text = "SELECT a.upstream_order, CAST(a.id AS TEXT) AS subject, d.due_at, d.lease_until
                    FROM attempts a LEFT JOIN due d ON d.kind = $3 AND d.subject = CAST(a.id AS TEXT)
                    WHERE a.upstream = $2 AND a.upstream_order IS NOT NULL AND a.upstream_order IN {texts}";
        let looks = q(text).bind(json!(orders)).bind(upstream.as_str()).bind(DueKind::Status.name());
        let read = |row: &crate::db::Row| {
            Ok(NextLook {
                upstream_order: row.get("upstream_order")?,
                subject: row.get("subject")?,
                due_at: time_opt(row, "due_at")?,
                lease_until: time_opt(row, "lease_until")?,
            })
        };
        looks.all(&*self.db).await?.iter().map(read).collect()
    }

    /// Makes the looks at these attempts due at `now` that were due later and that nobody has; returns how many.
    pub async fn look_now(&self, subjects: &[&str], now: Timestamp) -> Result<u64, StoreError> {
        if subjects.is_empty() {
            return Ok(0);
        }
        // Rows that a group has locked are left out, so that neither waits for the other.
        let text = "WITH picked AS MATERIALIZED (
                        SELECT subject FROM due
                        WHERE kind = $2 AND due_at > $3 AND lease_until <= $3 AND subject IN {texts} {skip})
                    UPDATE due SET due_at = $3 WHERE kind = $2 AND subject IN (SELECT subject FROM picked)";
        let moved = q(text).bind(json!(subjects)).bind(DueKind::Status.name()).bind(now.millis());
        moved.run(&*self.db).await
    }

    /// Makes a look due at every order that runs at an upstream and was not looked at since `now`: `at_once` of them
    /// now, as many again `pause_ms` later, and so on, those first that would have been first. Returns how many were
    /// moved.
    pub async fn look_at_all(
        &self,
        upstream: &UpstreamId,
        now: Timestamp,
        at_once: i64,
        pause_ms: i64,
    ) -> Result<u64, StoreError> {
        // Each piece is a transaction of its own, so that on SQLite no order waits for a long list. What was looked at
        // since is not moved again: its interval began later.
        let text = "WITH picked AS MATERIALIZED (
                        SELECT subject FROM due
                        WHERE kind = $1 AND upstream = $2 AND due_at > $3 AND lease_until <= $4
                        AND due_at - interval_ms <= $4 ORDER BY due_at LIMIT $5 {skip})
                    UPDATE due SET due_at = $3 WHERE kind = $1 AND subject IN (SELECT subject FROM picked)";
        let (mut moved, mut due_at) = (0, now);
        loop {
            let began = Instant::now();
            let piece = q(text).bind(DueKind::Status.name()).bind(upstream.as_str()).bind(due_at.millis());
            let piece = piece.bind(now.millis()).bind(at_once.max(1)).run(&*self.db).await?;
            if piece == 0 {
                return Ok(moved);
            }
            moved += piece;
            due_at = due_at.plus_ms(pause_ms.max(0));
            give_way(&self.db, began.elapsed()).await;
        }
    }
}
