//! What background work needs: what is due, what waits to be sent, which boots live, how exposed we are.

use std::{collections::BTreeMap, fs::File};

use interline_domain::{AttemptId, Micros, RefillId, Timestamp, UpstreamId};

use crate::{
    Store,
    db::{Db, q},
    error::StoreError,
    rows::{DueKind, DueRow, time, time_opt},
    sets::put_off_sql,
};

/// Kept for as long as `serve` runs on a SQLite file; the operating system gives it up when the process dies.
#[derive(Debug)]
pub struct BootLock {
    _file: Option<File>,
}

/// Open unknown submissions at an upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpstreamExposure {
    /// How many.
    pub count: i64,
    /// Their reserves, in the upstream's currency.
    pub money: Micros,
    /// The last balance reading.
    pub reading: Option<Micros>,
    /// When it was answered.
    pub reading_at: Option<Timestamp>,
    /// What the books said of this balance when the last reading was asked for, after what that reading proved.
    pub reading_book: Option<Micros>,
}

impl Store {
    /// Takes the lock that lets only one `serve` run on a SQLite file, which may then answer from memory. Postgres nodes share
    /// by leases and need none.
    pub fn lock_for_serving(&self) -> Result<BootLock, StoreError> {
        let Db::Sqlite { file, .. } = &*self.db else { return Ok(BootLock { _file: None }) };
        let mut name = file.clone().into_os_string();
        name.push(".serve");
        let failed =
            |error: std::io::Error| StoreError::File(format!("{}: {error}", std::path::Path::new(&name).display()));
        let lock = File::options().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {
                self.memory.serve_alone();
                Ok(BootLock { _file: Some(lock) })
            }
            Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Locked),
            Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Notes that the boot `boot` lives at `now`.
    pub async fn heartbeat(&self, boot: &str, now: Timestamp) -> Result<(), StoreError> {
        let text = "INSERT INTO boots (boot, started_at, last_seen) VALUES ($1, $2, $2)
                    ON CONFLICT (boot) DO UPDATE SET last_seen = excluded.last_seen";
        q(text).bind(boot).bind(now.millis()).run(&*self.db).await.map(drop)
    }

    /// Attempts that were being sent by nobody who can still answer for them, with the number they were sent under: those
    /// whose lease is over and, on SQLite, where only one `serve` runs, those of every other boot.
    pub async fn orphaned_sends(&self, boot: &str, now: Timestamp) -> Result<Vec<(AttemptId, i64)>, StoreError> {
        let other_boots = matches!(&*self.db, Db::Sqlite { .. });
        let text = "SELECT id, send_number FROM attempts
                    WHERE state = 'sending' AND (($2 AND owner <> $1) OR lease_until < $3) ORDER BY id LIMIT 500";
        let rows = q(text).bind(boot).bind(other_boots).bind(now.millis()).all(&*self.db).await?;
        rows.iter().map(|row| Ok((AttemptId(row.get("id")?), row.get("send_number")?))).collect()
    }

    /// Refills that were being sent by nobody who can still answer for them, as [`Self::orphaned_sends`].
    pub async fn orphaned_refills(&self, boot: &str, now: Timestamp) -> Result<Vec<RefillId>, StoreError> {
        let other_boots = matches!(&*self.db, Db::Sqlite { .. });
        let text = "SELECT id FROM refills
                    WHERE state = 'sending' AND (($2 AND owner <> $1) OR lease_until < $3) ORDER BY id LIMIT 500";
        let rows = q(text).bind(boot).bind(other_boots).bind(now.millis()).all(&*self.db).await?;
        rows.iter().map(|row| row.get("id").map(RefillId)).collect()
    }

    /// Attempts that wait to be sent at an upstream, oldest first. With `one_per_target`, those whose target has another
    /// attempt there that may be alive are left out.
    pub async fn queued_at(
        &self,
        upstream: &UpstreamId,
        one_per_target: bool,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<AttemptId>, StoreError> {
        let text = "SELECT a.id FROM attempts a JOIN orders o ON o.id = a.order_id
                    WHERE a.state = 'queued' AND a.upstream = $1 AND a.not_before <= $2
                    AND NOT ($3 AND EXISTS (
                        SELECT 1 FROM attempts b JOIN orders p ON p.id = b.order_id
                        WHERE b.upstream = a.upstream AND p.target_key = o.target_key AND b.id <> a.id
                        AND (b.state IN ('sending', 'unknown', 'accepted') OR (b.state = 'queued' AND b.id < a.id))))
                    ORDER BY a.id LIMIT $4";
        let rows =
            q(text).bind(upstream.as_str()).bind(now.millis()).bind(one_per_target).bind(limit).all(&*self.db).await?;
        rows.iter().map(|row| row.get("id").map(AttemptId)).collect()
    }

    /// When the next attempt that waits at any upstream may be sent.
    pub async fn next_queued(&self) -> Result<Vec<(UpstreamId, Timestamp)>, StoreError> {
        let text = "SELECT upstream, MIN(not_before) AS first FROM attempts WHERE state = 'queued' GROUP BY upstream";
        let rows = q(text).all(&*self.db).await?;
        rows.iter().map(|row| Ok((row.parse("upstream")?, time(row, "first")?))).collect()
    }

    /// Attempts that were queued before `before` and still are.
    pub async fn queued_since(&self, before: Timestamp) -> Result<Vec<AttemptId>, StoreError> {
        let text = "SELECT id FROM attempts WHERE state = 'queued' AND queued_at < $1 ORDER BY id LIMIT 500";
        q(text).bind(before.millis()).all(&*self.db).await?.iter().map(|row| row.get("id").map(AttemptId)).collect()
    }

    /// Attempts that became unknown before `before` and still are.
    pub async fn unknown_since(&self, before: Timestamp) -> Result<Vec<AttemptId>, StoreError> {
        let text = "SELECT id FROM attempts WHERE state = 'unknown' AND decided_at < $1 ORDER BY id LIMIT 500";
        q(text).bind(before.millis()).all(&*self.db).await?.iter().map(|row| row.get("id").map(AttemptId)).collect()
    }

    /// Unknown attempts on a target at an upstream.
    pub async fn unknown_on(&self, upstream: &UpstreamId, target_key: &str) -> Result<Vec<AttemptId>, StoreError> {
        let text = "SELECT a.id FROM attempts a JOIN orders o ON o.id = a.order_id
                    WHERE a.state = 'unknown' AND a.upstream = $1 AND o.target_key = $2 ORDER BY a.id";
        let rows = q(text).bind(upstream.as_str()).bind(target_key).all(&*self.db).await?;
        rows.iter().map(|row| row.get("id").map(AttemptId)).collect()
    }

    /// Takes what is due of `kind` at one upstream until `lease_until`, the longest overdue first.
    pub async fn take_due(
        &self,
        kind: DueKind,
        upstream: &UpstreamId,
        now: Timestamp,
        lease_until: Timestamp,
        limit: i64,
    ) -> Result<Vec<DueRow>, StoreError> {
        // Picked once and for all: a planner that looks again for every row would take more than the limit.
        let text = "WITH picked AS MATERIALIZED (
                        SELECT subject FROM due WHERE kind = $2 AND upstream = $3 AND due_at <= $4
                        ORDER BY due_at LIMIT $5 {skip})
                    UPDATE due SET due_at = $1, lease_until = $1 WHERE kind = $2 AND subject IN (SELECT subject FROM picked)
                    RETURNING subject, due_at, interval_ms";
        let rows = q(text)
            .bind(lease_until.millis())
            .bind(kind.name())
            .bind(upstream.as_str())
            .bind(now.millis())
            .bind(limit)
            .all_writing(&self.db)
            .await?;
        let read = |row: &crate::db::Row| {
            Ok(DueRow {
                kind,
                subject: row.get("subject")?,
                upstream: upstream.clone(),
                due_at: time(row, "due_at")?,
                interval_ms: row.get("interval_ms")?,
                lease_until,
            })
        };
        rows.iter().map(read).collect()
    }

    /// When the next thing of each kind is due at each upstream; what is being done is due when its lease ends.
    pub async fn next_due(&self) -> Result<Vec<(DueKind, UpstreamId, Timestamp)>, StoreError> {
        // Each looked up by itself: the list may be long, and this is asked often.
        let text = "SELECT kind, upstream, first FROM (
                        SELECT k.kind, u.id AS upstream,
                            (SELECT MIN(d.due_at) FROM due d WHERE d.kind = k.kind AND d.upstream = u.id) AS first
                        FROM upstreams u CROSS JOIN (SELECT value ->> 0 AS kind FROM {list}) k) found
                    WHERE first IS NOT NULL";
        let kinds: Vec<[&str; 1]> = DueKind::ALL.iter().map(|kind| [kind.name()]).collect();
        let rows = q(text).bind(serde_json::json!(kinds)).all(&*self.db).await?;
        rows.iter().map(|row| Ok((row.parse("kind")?, row.parse("upstream")?, time(row, "first")?))).collect()
    }

    /// Puts a piece of work that is on the list to another time, whoever does it now.
    pub async fn reschedule(
        &self,
        kind: DueKind,
        subject: &str,
        due_at: Timestamp,
        interval_ms: i64,
    ) -> Result<(), StoreError> {
        let text = "UPDATE due SET due_at = $1, interval_ms = $2, lease_until = 0 WHERE kind = $3 AND subject = $4";
        let update = q(text).bind(due_at.millis()).bind(interval_ms).bind(kind.name()).bind(subject);
        update.run(&*self.db).await.map(drop)
    }

    /// Puts off work that was taken under the lease that the rows carry. What was taken off the list meanwhile, or put to
    /// another time by somebody else, stays so.
    pub async fn put_off(&self, kind: DueKind, rows: &[DueRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let text = put_off_sql(self.db.engine());
        q(text).bind(serde_json::json!(rows)).bind(kind.name()).run(&*self.db).await.map(drop)
    }

    /// Takes work off the list that was taken under the lease that the row carries.
    pub async fn drop_due(&self, row: &DueRow) -> Result<(), StoreError> {
        let text = "DELETE FROM due WHERE kind = $1 AND subject = $2 AND lease_until = $3";
        let delete = q(text).bind(row.kind.name()).bind(row.subject.as_str()).bind(row.lease_until.millis());
        delete.run(&*self.db).await.map(drop)
    }

    /// Forgets the duplicate windows that are over.
    pub async fn forget_recent(&self, now: Timestamp) -> Result<(), StoreError> {
        q("DELETE FROM recent_orders WHERE until < $1").bind(now.millis()).run(&*self.db).await.map(drop)
    }

    /// How exposed we are at each upstream.
    pub async fn exposure(&self) -> Result<BTreeMap<UpstreamId, UpstreamExposure>, StoreError> {
        let mut exposure: BTreeMap<UpstreamId, UpstreamExposure> = BTreeMap::new();
        let text = "SELECT upstream, COUNT(*) AS count, CAST(SUM(reserve) AS BIGINT) AS money FROM attempts
                    WHERE state = 'unknown' GROUP BY upstream";
        for row in q(text).all(&*self.db).await? {
            let line = exposure.entry(row.parse("upstream")?).or_default();
            (line.count, line.money) = (row.get("count")?, Micros::new(row.get("money")?));
        }
        let text = "SELECT upstream, reading, reading_at, reading_book FROM upstream_state";
        for row in q(text).all(&*self.db).await? {
            let line = exposure.entry(row.parse("upstream")?).or_default();
            line.reading = row.get::<Option<i64>>("reading")?.map(Micros::new);
            line.reading_at = time_opt(&row, "reading_at")?;
            line.reading_book = row.get::<Option<i64>>("reading_book")?.map(Micros::new);
        }
        Ok(exposure)
    }
}
