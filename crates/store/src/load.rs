//! Loading and locking what a group needs, in the one order that all writers keep: orders and attempts by id, then
//! balances by name. Two nodes on one Postgres then never wait for each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{AccountId, AttemptId, Micros, OrderId, Timestamp, UpstreamId};
use interline_ledger::{Account, LedgerAccount};
use serde_json::{Value, json};

use crate::{
    batch::Batch,
    db::{Row, Tx, q},
    error::StoreError,
    needs::{Booked, Move, Needs, UpstreamBooks},
    rows::{AttemptRow, BalanceRow, CaseRow, OrderRow, RefillRow, time, time_opt},
    sets::held_sql,
    tables,
    work::Work,
};

/// Most claims that one reading settles; the next reading goes on.
const CLAIMS_MAX: i64 = 100;

impl Work {
    /// Everything but balances, which depend on what is found here.
    pub(crate) async fn load(&mut self, tx: &mut Tx, needs: &Needs) -> Result<(), StoreError> {
        let mut orders = needs.orders.clone();
        if !needs.cases.is_empty() {
            let ids = json!(needs.cases);
            for row in q("SELECT * FROM cases WHERE id IN {ids}").bind(ids).all(&mut *tx).await? {
                let case = CaseRow::read(&row)?;
                orders.extend(case.order_id);
                self.cases.insert(case.id, case);
            }
        }
        if !needs.refills.is_empty() {
            let text = "SELECT DISTINCT order_id FROM refills WHERE id IN {ids}";
            for row in q(text).bind(json!(needs.refills)).all(&mut *tx).await? {
                orders.insert(OrderId(row.get("order_id")?));
            }
        }
        let named: Vec<AttemptId> = needs.attempts.iter().copied().collect();
        orders.extend(self.orders_of(tx, &named).await?);
        orders.retain(|id| !self.orders.contains_key(id));
        self.load_orders(tx, &orders, &needs.upstream_orders).await?;
        self.load_booked(tx, &needs.keys).await?;
        for upstream in needs.upstreams.keys() {
            let mut books = load_upstream(tx, upstream).await?;
            self.load_upstream_cases(tx, upstream).await?;
            let about = |case: &CaseRow| case.upstream.as_ref() == Some(upstream) && case.kind == "shortfall";
            books.shortfall_asked = self.cases.values().any(about);
            // Claims are settled by a reading, so their attempts are worked on too.
            let claimed = self.orders_of(tx, &books.claims).await?;
            self.load_orders(tx, &claimed, &BTreeSet::new()).await?;
            self.upstreams.insert(upstream.clone(), books);
        }
        self.load_recent(tx, &needs.recent).await
    }

    /// Orders with their attempts, refills and open cases, and who holds these orders of upstreams.
    async fn load_orders(
        &mut self,
        tx: &mut Tx,
        orders: &BTreeSet<OrderId>,
        held: &BTreeSet<(UpstreamId, String)>,
    ) -> Result<(), StoreError> {
        let (ids, mut batch) = (json!(orders), Batch::default());
        if !orders.is_empty() {
            for text in [
                "SELECT * FROM orders WHERE id IN {ids} ORDER BY id {lock}",
                "SELECT * FROM attempts WHERE order_id IN {ids} ORDER BY id {lock}",
                // Most orders have neither.
                "SELECT order_id FROM refills WHERE order_id IN {ids}
                 UNION SELECT order_id FROM cases WHERE resolved_at IS NULL AND order_id IN {ids}",
            ] {
                batch.add(q(text).bind(ids.clone()));
            }
        }
        let mut ids_of: BTreeMap<&UpstreamId, Vec<&str>> = BTreeMap::new();
        for (upstream, order) in held {
            ids_of.entry(upstream).or_default().push(order);
        }
        for (upstream, orders) in &ids_of {
            let text = held_sql(tx.engine());
            batch.add(q(text).bind(json!(orders)).bind(upstream.as_str()));
        }
        let mut found = batch.run(tx).await?.into_iter();
        if !orders.is_empty() {
            for row in found.next().into_iter().flatten() {
                let order = OrderRow::read(&row)?;
                self.orders.insert(order.id, order);
            }
            for row in found.next().into_iter().flatten() {
                let attempt = AttemptRow::read(&row)?;
                self.attempts.insert(attempt.id, attempt);
            }
            if found.next().is_some_and(|rows| !rows.is_empty()) {
                self.load_refills_and_cases(tx, &ids).await?;
            }
        }
        for row in found.flatten() {
            let order = (row.parse("upstream")?, row.get("upstream_order")?);
            self.upstream_orders.insert(order, AttemptId(row.get("id")?));
        }
        Ok(())
    }

    async fn load_refills_and_cases(&mut self, tx: &mut Tx, orders: &Value) -> Result<(), StoreError> {
        let text = "SELECT * FROM refills WHERE order_id IN {ids} ORDER BY id {lock}";
        for row in q(text).bind(orders.clone()).all(&mut *tx).await? {
            let refill = RefillRow::read(&row)?;
            self.refills.insert(refill.id, refill);
        }
        let text = "SELECT * FROM cases WHERE resolved_at IS NULL AND order_id IN {ids} ORDER BY id";
        for row in q(text).bind(orders.clone()).all(&mut *tx).await? {
            let case = CaseRow::read(&row)?;
            self.cases.insert(case.id, case);
        }
        Ok(())
    }

    /// The open cases about an upstream's money, which belong to no order.
    async fn load_upstream_cases(&mut self, tx: &mut Tx, upstream: &UpstreamId) -> Result<(), StoreError> {
        let text = "SELECT * FROM cases WHERE resolved_at IS NULL AND order_id IS NULL AND upstream = $1 ORDER BY id";
        for row in q(text).bind(upstream.as_str()).all(tx).await? {
            let case = CaseRow::read(&row)?;
            self.cases.insert(case.id, case);
        }
        Ok(())
    }

    async fn orders_of(&self, tx: &mut Tx, attempts: &[AttemptId]) -> Result<BTreeSet<OrderId>, StoreError> {
        let missing: Vec<_> = attempts.iter().filter(|id| !self.attempts.contains_key(id)).collect();
        if missing.is_empty() {
            return Ok(BTreeSet::new());
        }
        let rows = q("SELECT DISTINCT order_id FROM attempts WHERE id IN {ids}").bind(json!(missing)).all(tx).await?;
        rows.iter().map(|row| row.get("order_id").map(OrderId)).collect()
    }

    async fn load_booked(&mut self, tx: &mut Tx, keys: &BTreeSet<String>) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let text = "SELECT t.key, e.account, e.amount FROM transactions t JOIN entries e ON e.transaction_id = t.id
                    WHERE t.key IN {texts} ORDER BY e.id";
        for row in q(text).bind(json!(keys)).all(tx).await? {
            let entry = (row.parse("account")?, Micros::new(row.get("amount")?));
            let booked = self.booked.entry(row.get("key")?).or_insert_with(|| Booked { entries: Vec::new() });
            booked.entries.push(entry);
        }
        Ok(())
    }

    async fn load_recent(&mut self, tx: &mut Tx, recent: &BTreeSet<(AccountId, String)>) -> Result<(), StoreError> {
        for (account, fingerprint) in recent {
            let text = "SELECT order_id, until FROM recent_orders WHERE account = $1 AND fingerprint = $2 {lock}";
            if let Some(row) = q(text).bind(account.as_str()).bind(fingerprint.as_str()).opt(&mut *tx).await? {
                let found = (OrderId(row.get("order_id")?), time(&row, "until")?);
                self.recent.insert((account.clone(), fingerprint.clone()), found);
            }
        }
        Ok(())
    }

    /// The stored balances, locked; those that do not exist yet are made first, so that two writers never both begin one.
    pub(crate) async fn load_balances(
        &mut self,
        tx: &mut Tx,
        accounts: &BTreeSet<LedgerAccount>,
    ) -> Result<(), StoreError> {
        let stored: Vec<&LedgerAccount> = accounts.iter().filter(|a| a.has_stored_balance()).collect();
        if stored.is_empty() {
            return Ok(());
        }
        let names: BTreeSet<String> =
            stored.iter().map(ToString::to_string).filter(|name| !self.balances.contains_key(name)).collect();
        if names.is_empty() {
            return Ok(());
        }
        self.read_balances(tx, &names).await?;
        let missing: Vec<BalanceRow> =
            stored.into_iter().filter(|a| !self.balances.contains_key(&a.to_string())).map(new_balance).collect();
        if !missing.is_empty() {
            tables::NEW_BALANCES.write(tx, &missing).await?;
            self.read_balances(tx, &names).await?;
        }
        Ok(())
    }

    async fn read_balances(&mut self, tx: &mut Tx, names: &BTreeSet<String>) -> Result<(), StoreError> {
        let text = "SELECT * FROM balances WHERE account IN {texts} ORDER BY account {lock}";
        for row in q(text).bind(json!(names)).all(tx).await? {
            let balance = BalanceRow::read(&row)?;
            self.balances.insert(balance.account.to_string(), balance);
        }
        Ok(())
    }
}

fn new_balance(account: &LedgerAccount) -> BalanceRow {
    // Only wallets have a floor that refuses.
    let floor = matches!(account.account, Account::Wallet(_)).then_some(Micros::ZERO);
    BalanceRow { account: account.clone(), currency: account.currency, balance: Micros::ZERO, version: 0, floor }
}

async fn load_upstream(tx: &mut Tx, upstream: &UpstreamId) -> Result<UpstreamBooks, StoreError> {
    let mut books = UpstreamBooks::default();
    // A row to lock, even before the first reading.
    let text = "INSERT INTO upstream_state (upstream) VALUES ($1) ON CONFLICT (upstream) DO NOTHING";
    q(text).bind(upstream.as_str()).run(&mut *tx).await?;
    let text = "SELECT * FROM upstream_state WHERE upstream = $1 {lock}";
    if let Some(row) = q(text).bind(upstream.as_str()).opt(&mut *tx).await? {
        let pair = |amount: &str, at: &str| -> Result<Option<(Micros, Timestamp)>, StoreError> {
            Ok(row.get::<Option<i64>>(amount)?.map(Micros::new).zip(time_opt(&row, at)?))
        };
        books.reading = pair("reading", "reading_asked_at")?;
        books.reading_book = row.get::<Option<i64>>("reading_book")?.map(Micros::new);
        books.reading_at = time_opt(&row, "reading_at")?;
        books.excess = pair("excess", "excess_since")?;
    }
    let text = "SELECT id FROM attempts WHERE upstream = $1 AND claim > 0 ORDER BY id LIMIT $2";
    for row in q(text).bind(upstream.as_str()).bind(CLAIMS_MAX).all(&mut *tx).await? {
        books.claims.push(AttemptId(row.get("id")?));
    }
    let text = "SELECT CAST(COALESCE(SUM(reserve), 0) AS BIGINT) AS unread FROM attempts
                WHERE upstream = $1 AND state = 'accepted' AND NOT charge_read";
    books.unread_reserves = Micros::new(q(text).bind(upstream.as_str()).one(&mut *tx).await?.get("unread")?);
    books.suspense = (suspense(tx, upstream, "opening").await?, suspense(tx, upstream, "excess").await?);
    Ok(books)
}

/// What of this upstream's money stands in suspense of that kind, as a positive amount.
async fn suspense(tx: &mut Tx, upstream: &UpstreamId, kind: &str) -> Result<Micros, StoreError> {
    let text = "SELECT CAST(COALESCE(SUM(e.amount), 0) AS BIGINT) AS total FROM upstreams u
                JOIN entries e ON e.account = 'liabilities:suspense:' || $2 || ':' || u.currency AND e.upstream = u.id
                WHERE u.id = $1";
    let row = q(text).bind(upstream.as_str()).bind(kind).one(tx).await?;
    Ok(-Micros::new(row.get("total")?))
}

impl Work {
    /// How the balances of the upstreams moved since the versions that were named.
    pub(crate) async fn load_moves(&mut self, tx: &mut Tx, needs: &Needs) -> Result<(), StoreError> {
        for (upstream, versions) in &needs.upstreams {
            for (account, version) in versions {
                let text = "SELECT transaction_id, amount FROM entries WHERE account = $1 AND account_version > $2
                            ORDER BY account_version";
                let rows = q(text).bind(account.as_str()).bind(*version).all(&mut *tx).await?;
                let name: LedgerAccount = account.parse().map_err(|_| StoreError::corrupt("account", account))?;
                let read = |row: &Row| {
                    Ok(Move { transaction: row.get("transaction_id")?, amount: Micros::new(row.get("amount")?) })
                };
                let moves = rows.iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
                if let Some(books) = self.upstreams.get_mut(upstream).filter(|_| !moves.is_empty()) {
                    books.moves.insert(name, moves);
                }
            }
        }
        Ok(())
    }
}
