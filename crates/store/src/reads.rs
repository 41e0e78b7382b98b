//! What is read for answers and pages; nothing here writes.

use std::collections::BTreeMap;

use interline_domain::{AccountId, AttemptId, CaseId, Micros, OrderId, OrderStatus, RefillId, Timestamp, UpstreamId};
use interline_ledger::LedgerAccount;
use serde_json::{Value, json};

use crate::{
    Store,
    db::q,
    error::StoreError,
    rows::{AttemptRow, CaseRow, OrderRow, RefillRow, time},
};

/// Which orders to list.
#[derive(Debug, Clone, Default)]
pub struct OrderFilter {
    /// Only this status.
    pub status: Option<OrderStatus>,
    /// Only this customer's.
    pub account: Option<AccountId>,
    /// Only orders after this one.
    pub after: Option<OrderId>,
    /// At most so many.
    pub limit: Option<i64>,
}

/// A line of a timeline.
#[derive(Debug, Clone)]
pub struct EventLine {
    /// When.
    pub at: Timestamp,
    /// What kind.
    pub kind: String,
    /// What happened.
    pub text: String,
    /// The same for machines.
    pub data: Option<Value>,
}

/// An upstream's stored balances, all debit positive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpstreamBookLine {
    /// Prepaid, the proven part.
    pub book: Micros,
    /// Reserved.
    pub committed: Micros,
    /// Owed to us and not shown yet.
    pub claims: Micros,
    /// In dispute.
    pub disputed: Micros,
}

impl UpstreamBookLine {
    /// What a reading may show at most.
    pub fn total(&self) -> Micros {
        self.book + self.committed + self.claims + self.disputed
    }
}

impl Store {
    /// One order.
    pub async fn order(&self, id: OrderId) -> Result<Option<OrderRow>, StoreError> {
        Ok(self.orders_of(&[id]).await?.remove(&id))
    }

    /// Those of these orders that exist.
    pub async fn orders_of(&self, ids: &[OrderId]) -> Result<BTreeMap<OrderId, OrderRow>, StoreError> {
        let rows = q("SELECT * FROM orders WHERE id IN {ids}").bind(json!(ids)).all(&*self.db).await?;
        rows.iter().map(|row| OrderRow::read(row).map(|order| (order.id, order))).collect()
    }

    /// Orders by id.
    pub async fn list_orders(&self, filter: &OrderFilter) -> Result<Vec<OrderRow>, StoreError> {
        let text = "SELECT * FROM orders WHERE id > $1 AND ($2 = '' OR account = $2) AND ($3 = '' OR status = $3)
                    ORDER BY id LIMIT $4";
        let rows = q(text)
            .bind(filter.after.map_or(0, |o| o.0))
            .bind(filter.account.as_ref().map_or("", AccountId::as_str))
            .bind(filter.status.map_or("", OrderStatus::name))
            .bind(filter.limit.unwrap_or(i64::MAX))
            .all(&*self.db)
            .await?;
        rows.iter().map(OrderRow::read).collect()
    }

    /// The attempts of these orders, oldest first.
    pub async fn attempts_of(&self, orders: &[OrderId]) -> Result<Vec<AttemptRow>, StoreError> {
        let text = "SELECT * FROM attempts WHERE order_id IN {ids} ORDER BY id";
        q(text).bind(json!(orders)).all(&*self.db).await?.iter().map(AttemptRow::read).collect()
    }

    /// Those of these refills that exist, with the customer of their order.
    pub async fn refills(&self, ids: &[RefillId]) -> Result<Vec<(RefillRow, AccountId)>, StoreError> {
        let text =
            "SELECT r.*, o.account FROM refills r JOIN orders o ON o.id = r.order_id WHERE r.id IN {ids} ORDER BY r.id";
        let rows = q(text).bind(json!(ids)).all(&*self.db).await?;
        rows.iter().map(|row| Ok((RefillRow::read(row)?, row.parse("account")?))).collect()
    }

    /// Those of these attempts that exist.
    pub async fn attempts(&self, ids: &[AttemptId]) -> Result<Vec<AttemptRow>, StoreError> {
        let text = "SELECT * FROM attempts WHERE id IN {ids} ORDER BY id";
        q(text).bind(json!(ids)).all(&*self.db).await?.iter().map(AttemptRow::read).collect()
    }

    /// An order's timeline, with what was found about it and agrees with no rule.
    pub async fn timeline(&self, order: OrderId) -> Result<Vec<EventLine>, StoreError> {
        let text = "SELECT id, at, kind, text, data FROM events WHERE order_id = $1
                    UNION ALL SELECT id, at, 'finding', text, NULL FROM findings WHERE order_id = $1 ORDER BY at, id";
        let rows = q(text).bind(order.0).all(&*self.db).await?;
        let read = |row: &crate::db::Row| {
            Ok(EventLine {
                at: time(row, "at")?,
                kind: row.get("kind")?,
                text: row.get("text")?,
                data: row.json_opt("data")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Cases, oldest first; only the open ones unless `all`.
    pub async fn cases(&self, all: bool) -> Result<Vec<CaseRow>, StoreError> {
        let text = "SELECT * FROM cases WHERE resolved_at IS NULL OR $1 ORDER BY id";
        q(text).bind(all).all(&*self.db).await?.iter().map(CaseRow::read).collect()
    }

    /// One case.
    pub async fn case(&self, id: CaseId) -> Result<Option<CaseRow>, StoreError> {
        let row = q("SELECT * FROM cases WHERE id = $1").bind(id.0).opt(&*self.db).await?;
        row.as_ref().map(CaseRow::read).transpose()
    }

    /// The stored balances of every upstream that has any.
    pub async fn upstream_books(&self) -> Result<BTreeMap<UpstreamId, UpstreamBookLine>, StoreError> {
        use interline_ledger::Account;
        let mut books: BTreeMap<UpstreamId, UpstreamBookLine> = BTreeMap::new();
        for row in q("SELECT account, balance FROM balances WHERE account LIKE 'assets:%'").all(&*self.db).await? {
            let account: interline_ledger::LedgerAccount = row.parse("account")?;
            let balance = Micros::new(row.get("balance")?);
            match account.account {
                Account::Upstream(id) => books.entry(id).or_default().book = balance,
                Account::Committed(id) => books.entry(id).or_default().committed = balance,
                Account::Claims(id) => books.entry(id).or_default().claims = balance,
                Account::Disputed(id) => books.entry(id).or_default().disputed = balance,
                _ => {}
            }
        }
        Ok(books)
    }

    /// The versions of these stored balances now; those that do not exist yet have version 0.
    pub async fn balance_versions(&self, accounts: &[LedgerAccount]) -> Result<BTreeMap<String, i64>, StoreError> {
        let mut versions: BTreeMap<String, i64> = accounts.iter().map(|account| (account.to_string(), 0)).collect();
        let names: Vec<&String> = versions.keys().collect();
        let text = "SELECT account, version FROM balances WHERE account IN {texts}";
        for row in q(text).bind(json!(names)).all(&*self.db).await? {
            versions.insert(row.get("account")?, row.get("version")?);
        }
        Ok(versions)
    }
}
