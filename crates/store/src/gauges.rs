//! What `/metrics` and `doctor` ask about the whole database, while orders come in: over what is open, or from indexes
//! alone, however many rows there are.

use std::collections::BTreeMap;

use interline_domain::{Currency, Micros, OrderStatus, Timestamp, UpstreamId};
use interline_ledger::LedgerAccount;

use crate::{
    Store,
    db::q,
    error::StoreError,
    rows::{DueKind, time, time_opt},
};

pub(crate) const ORDERS: &str = "SELECT COUNT(*) AS count FROM orders WHERE status = $1";
/// Income and expenses alone have names within these bounds; the index of that name holds no others.
pub(crate) const EARNED: &str = "SELECT account, CAST(SUM(amount) AS BIGINT) AS amount FROM entries
    WHERE account >= 'expenses:' AND account < 'liabilities:' GROUP BY account, currency";
/// Upstream by upstream, so that what is not due yet is not looked at. A disabled one is asked for nothing of its own.
pub(crate) const DUE: &str = "SELECT COUNT(*) AS count, MIN(d.due_at) AS first FROM upstreams u CROSS JOIN due d
    WHERE d.upstream = u.id AND d.kind = $1 AND d.due_at <= $2 AND (u.enabled OR $1 NOT IN ('catalogue', 'balance'))";
pub(crate) const VERDICTS: &str = "SELECT decided_at - sent_at AS took FROM attempts
    WHERE upstream = $1 AND queued_at >= $2 AND sent_at IS NOT NULL AND decided_at IS NOT NULL
    ORDER BY queued_at DESC LIMIT $3";

/// Attempts that wait to be sent at one upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// How many.
    pub count: i64,
    /// From when on the first of them could have been sent.
    pub since: Timestamp,
}

/// Work of one kind whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// How much of it.
    pub count: i64,
    /// When the oldest of it was due.
    pub first: Option<Timestamp>,
}

/// Open cases of one kind about money of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCases {
    /// Their kind.
    pub kind: String,
    /// The currency; `None` for cases about no money.
    pub currency: Option<Currency>,
    /// How many.
    pub count: i64,
    /// The money in them.
    pub amount: Micros,
}

impl Store {
    /// How many orders are in `status`.
    pub async fn count_orders(&self, status: OrderStatus) -> Result<i64, StoreError> {
        q(ORDERS).bind(status.name()).one(&*self.db).await?.get("count")
    }

    /// What the accounts of income and expenses hold, debit positive.
    pub async fn earned(&self) -> Result<Vec<(LedgerAccount, Micros)>, StoreError> {
        let rows = q(EARNED).all(&*self.db).await?;
        rows.iter().map(|row| Ok((row.parse("account")?, Micros::new(row.get("amount")?)))).collect()
    }

    /// What waits to be sent, by upstream.
    pub async fn queued(&self) -> Result<BTreeMap<UpstreamId, Queued>, StoreError> {
        let text = "SELECT upstream, COUNT(*) AS count,
                    MIN(CASE WHEN not_before > queued_at THEN not_before ELSE queued_at END) AS since
                    FROM attempts WHERE state = 'queued' GROUP BY upstream";
        let rows = q(text).all(&*self.db).await?;
        rows.iter()
            .map(|row| Ok((row.parse("upstream")?, Queued { count: row.get("count")?, since: time(row, "since")? })))
            .collect()
    }

    /// What of `kind` is due at `now`, what is being done right now included.
    pub async fn due(&self, kind: DueKind, now: Timestamp) -> Result<Due, StoreError> {
        let row = q(DUE).bind(kind.name()).bind(now.millis()).one(&*self.db).await?;
        Ok(Due { count: row.get("count")?, first: time_opt(&row, "first")? })
    }

    /// The open cases, by kind and currency.
    pub async fn open_cases(&self) -> Result<Vec<OpenCases>, StoreError> {
        let text = "SELECT kind, currency, COUNT(*) AS count, CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS amount
                    FROM cases WHERE resolved_at IS NULL GROUP BY kind, currency";
        let rows = q(text).all(&*self.db).await?;
        let read = |row: &crate::db::Row| {
            Ok(OpenCases {
                kind: row.get("kind")?,
                currency: row.parse_opt("currency")?,
                count: row.get("count")?,
                amount: Micros::new(row.get("amount")?),
            })
        };
        rows.iter().map(read).collect()
    }

    /// How long an upstream's last `limit` verdicts took, in milliseconds, on attempts that were queued since `since`.
    pub async fn verdict_times(
        &self,
        upstream: &UpstreamId,
        since: Timestamp,
        limit: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let rows = q(VERDICTS).bind(upstream.as_str()).bind(since.millis()).bind(limit).all(&*self.db).await?;
        rows.iter().map(|row| row.get("took")).collect()
    }
}
