//! What customers ask for most, in memory: how their orders stand, and what is in their wallets.
//!
//! An order that has ended never changes again, and is kept wherever it was read. Orders that are open, and wallets, are kept
//! only in the process that serves a SQLite file, of which there is one ([`Store::lock_for_serving`]): with Postgres other
//! nodes write too, and each answer is read from the database. Nothing is decided by what stands here.
//!
//! The writer puts down what a group changed as soon as it knows that the group is durable, and before it answers anybody;
//! so whoever was told of a change finds it here. [`kept`](crate::kept) says why nobody is told an older value after a newer
//! one. Two things bring the whole of it into question:
//!
//! - *Somebody else wrote the file*: a person at the command line, mostly. SQLite tells so on the connection that all of
//!   this process' writes go through, see [`Db::written_by_others`](crate::db::Db::written_by_others). It is asked a few
//!   times a second ([`Store::notice_others`]), and then everything is forgotten.
//! - *A commit whose outcome is not known*. It may still happen, at any moment. Everything is forgotten and nothing is kept,
//!   until a later commit is acknowledged: it had to wait for the write lock, which the one in doubt held until it had
//!   happened or failed. Then everything is forgotten once more, for it may have been read in between.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hash,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use interline_domain::{AccountId, Currency, Micros, OrderId, OrderStatus};
use interline_ledger::Account;
use serde_json::json;

use crate::{
    Store,
    accounts::AccountRecord,
    db::{Db, Row, q},
    error::StoreError,
    kept::{Kept, Mark},
    rows::OrderRow,
    work::Work,
};

/// Orders whose status is kept, if they are those asked for last; at times twice as many. Each takes some 100 bytes.
const STATUSES_MAX: usize = STATUS_PARTS * 1_792;
/// Each has tables of 2,048 slots, which 1,792 entries fill.
const STATUS_PARTS: usize = 64;
/// Orders with ids in a row are often asked for together, and share a part.
const NEIGHBOURS: i64 = 64;
/// The same for wallets; a gateway has that many customers at most.
const WALLETS_MAX: usize = 10_000;
/// How long the database may take to say whether somebody else wrote it, before that is taken for granted.
const NOTICE_WITHIN: Duration = Duration::from_millis(500);

/// How an order stands, as its customer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusView {
    /// What was charged less what was given back; 0 when canceled.
    pub charge: Micros,
    /// The customer's currency.
    pub currency: Currency,
    /// The counter at the start, if an upstream told.
    pub start_count: Option<i64>,
    /// The status.
    pub status: OrderStatus,
    /// Units not delivered: the quantity when canceled, 0 when completed.
    pub remains: u64,
}

impl Store {
    /// How those of these orders stand that are the account's own, from memory alone, in the order of the question; and
    /// those that have to be read, because memory does not know them.
    pub fn remembered_statuses(
        &self,
        account: &AccountId,
        orders: &[Option<OrderId>],
    ) -> (Vec<Option<StatusView>>, BTreeSet<OrderId>) {
        let (mut known, mut unknown) = (0, BTreeSet::new());
        let mut lookup = self.memory.statuses.lookup();
        let mut find = |order: OrderId| {
            let found = lookup.get(&order, |standing| standing.told_to(account));
            if found.is_some() {
                known += 1;
            } else {
                unknown.insert(order);
            }
            found.flatten()
        };
        let statuses = orders.iter().map(|order| order.and_then(&mut find)).collect();
        self.statuses_counted.count_many(known, unknown.len());
        (statuses, unknown)
    }

    /// How those of these orders stand that are the account's own, from the database; memory knows them from then on.
    pub async fn read_statuses(
        &self,
        account: &AccountId,
        orders: BTreeSet<OrderId>,
    ) -> Result<BTreeMap<OrderId, StatusView>, StoreError> {
        let (mut own, mut asked) = (BTreeMap::new(), orders);
        while !asked.is_empty() {
            let marks: Vec<_> = asked.iter().map(|order| self.memory.look_at(&self.memory.statuses, order)).collect();
            let mut read = self.standings(&asked).await?;
            let mut again = BTreeSet::new();
            for (order, mark) in asked.into_iter().zip(marks) {
                let Some(standing) = read.remove(&order) else {
                    self.memory.clear(order, mark);
                    continue;
                };
                if let Some(standing) = self.memory.keep_standing(order, mark, standing) {
                    own.extend(standing.told_to(account).map(|view| (order, view)));
                } else {
                    again.insert(order);
                }
            }
            asked = again;
        }
        Ok(own)
    }

    /// What the customer can spend, in its currency, from memory alone; `None` if memory does not know.
    pub fn remembered_wallet(&self, account: &AccountRecord) -> Option<Micros> {
        let found = self.memory.wallets.lookup().get(&(account.id.clone(), account.currency), |balance| *balance);
        self.wallets_counted.count(found.is_some());
        found
    }

    /// What the customer can spend, in its currency, from the database; memory knows it from then on.
    pub async fn wallet(&self, account: &AccountRecord) -> Result<Micros, StoreError> {
        let wallet = (account.id.clone(), account.currency);
        loop {
            let mark = self.memory.look_at(&self.memory.wallets, &wallet);
            let name = format!("liabilities:wallet:{}:{}", account.id, account.currency);
            let row = q("SELECT balance FROM balances WHERE account = $1").bind(name).opt(&*self.db).await?;
            // A wallet is a liability: what the customer has is the credit side.
            let read = row.map_or(Ok(Micros::ZERO), |r| r.get("balance").map(|balance| -Micros::new(balance)))?;
            if let Some(balance) = self.memory.keep(&self.memory.wallets, &wallet, mark, read) {
                return Ok(balance);
            }
        }
    }

    /// Forgets what is in memory if somebody else has written the database since this was last asked, or if it does not
    /// say. How often it is asked bounds how long a change by another process stays unseen.
    pub async fn notice_others(&self) {
        if self.memory.is_alone() {
            let asked = tokio::time::timeout(NOTICE_WITHIN, self.db.written_by_others()).await;
            self.memory.noticed(asked.ok().and_then(Result::ok).flatten());
        }
    }

    async fn standings(&self, orders: &BTreeSet<OrderId>) -> Result<BTreeMap<OrderId, Standing>, StoreError> {
        let text = "SELECT id, account, quantity, currency, charge, refund, status, start_count, remains FROM orders
                    WHERE id IN {ids}";
        let rows = q(text).bind(json!(orders)).all(&*self.db).await?;
        rows.iter().map(|row| Ok((OrderId(row.get("id")?), Standing::read(row)?))).collect()
    }
}

/// What is in memory, shared by the store and its writer.
pub(crate) struct Memory {
    statuses: Kept<OrderId, Standing>,
    wallets: Kept<Wallet, Micros>,
    /// Whether nobody else writes but people now and then.
    alone: AtomicBool,
    /// Whether a commit may have happened or not, or may still happen.
    in_doubt: AtomicBool,
    /// What the database last said of others.
    others: Mutex<Option<(u64, i64)>>,
}

type Wallet = (AccountId, Currency);

/// What a group changes, with the places it goes to as they were just before its commit.
#[derive(Default)]
pub(crate) struct Changes {
    statuses: Vec<(OrderId, Mark, Standing)>,
    wallets: Vec<(Wallet, Mark, Micros)>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        let part_of = |order: &OrderId| usize::try_from(order.0 / NEIGHBOURS).unwrap_or(0);
        Self {
            statuses: Kept::new(STATUS_PARTS, STATUSES_MAX, part_of),
            wallets: Kept::new(1, WALLETS_MAX, |_| 0),
            alone: AtomicBool::new(false),
            in_doubt: AtomicBool::new(false),
            others: Mutex::new(None),
        }
    }

    /// This process serves the file from now on, and no other one does.
    pub(crate) fn serve_alone(&self) {
        self.alone.store(true, Ordering::SeqCst);
    }

    /// Takes down what a group is about to commit. The group must hold the database's write lock.
    pub(crate) fn look(&self, work: &Work) -> Changes {
        let mut changes = Changes::default();
        if !self.is_alone() {
            return changes;
        }
        for order in work.writes.orders.iter().filter_map(|id| work.orders.get(id)) {
            changes.statuses.push((order.id, self.statuses.look(&order.id), Standing::from(order)));
        }
        for row in work.writes.balances.iter().filter_map(|name| work.balances.get(name)) {
            if let Account::Wallet(account) = &row.account.account {
                let wallet = (account.clone(), row.currency);
                let mark = self.wallets.look(&wallet);
                // A wallet is a liability, as above.
                changes.wallets.push((wallet, mark, -row.balance));
            }
        }
        changes
    }

    /// A group's commit is durable, and nobody was told of it yet.
    pub(crate) fn committed(&self, changes: Changes) {
        if self.in_doubt.load(Ordering::SeqCst) {
            self.forget();
            self.in_doubt.store(false, Ordering::SeqCst);
        }
        // Whoever is told that an order has ended finds its refund.
        for (wallet, mark, balance) in changes.wallets {
            self.wallets.settle(&wallet, mark, balance);
        }
        for (order, mark, standing) in changes.statuses {
            self.statuses.settle(&order, mark, standing);
        }
    }

    /// A commit was not acknowledged.
    pub(crate) fn doubts(&self) {
        self.in_doubt.store(true, Ordering::SeqCst);
        self.forget();
    }

    fn is_alone(&self) -> bool {
        self.alone.load(Ordering::SeqCst)
    }

    /// Whether what may change is kept now.
    fn keeps_open(&self) -> bool {
        self.is_alone() && !self.in_doubt.load(Ordering::SeqCst)
    }

    fn forget(&self) {
        self.wallets.forget();
        self.statuses.forget();
    }

    /// Takes down what the database says of others; `None` if it does not say.
    fn noticed(&self, said: Option<(u64, i64)>) {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none() || said != *others {
            self.forget();
        }
        *others = said;
    }

    /// Looks at a place before the database is read, where it is to be kept.
    fn look_at<K: Eq + Hash + Clone, V: Clone>(&self, kept: &Kept<K, V>, key: &K) -> Option<Mark> {
        self.keeps_open().then(|| kept.look(key))
    }

    /// Keeps what was read since `mark` was seen; returns what is to be told, or `None` if it has to be read again.
    fn keep<K, V>(&self, kept: &Kept<K, V>, key: &K, mark: Option<Mark>, value: V) -> Option<V>
    where
        K: Eq + Hash + Clone,
        V: Clone,
    {
        if !self.keeps_open() {
            return Some(value);
        }
        // Without a mark it was read while nothing was kept, and somebody may have been told something newer since.
        kept.fill(key, mark?, value)
    }

    /// There is no such order: its place is not needed.
    fn clear(&self, order: OrderId, mark: Option<Mark>) {
        if let Some(mark) = mark {
            self.statuses.clear(&order, mark);
        }
    }

    /// The same as [`Self::keep`] for an order; one that has ended is kept in any case.
    fn keep_standing(&self, order: OrderId, mark: Option<Mark>, standing: Standing) -> Option<Standing> {
        if standing.view.status.is_terminal() && !self.keeps_open() {
            let mark = self.statuses.look(&order);
            return self.statuses.fill(&order, mark, standing.clone()).or(Some(standing));
        }
        self.keep(&self.statuses, &order, mark, standing)
    }
}

impl Db {
    /// A pair that is another one when somebody else has written the file since it was last asked for; `None` on Postgres.
    ///
    /// To each connection SQLite counts the commits of all others, and what we write goes through one connection. A new
    /// one in its place begins to count anew, so that the first number says which one was asked.
    pub(crate) async fn written_by_others(&self) -> Result<Option<(u64, i64)>, StoreError> {
        let Self::Sqlite { writer, .. } = self else { return Ok(None) };
        // Taken first: if it changes before the question is answered, the next answer is another one.
        let opened = writer.opened();
        let rows = q("PRAGMA data_version").all_writing(self).await?;
        rows.first().map(|row| Ok((opened, row.get("data_version")?))).transpose()
    }
}

/// How an order stands, and whose it is.
#[derive(Debug, Clone)]
struct Standing {
    account: AccountId,
    view: StatusView,
}

impl Standing {
    /// Somebody else's order looks like none at all.
    fn told_to(&self, account: &AccountId) -> Option<StatusView> {
        (self.account == *account).then_some(self.view)
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        let (status, quantity): (String, u64) = (row.get("status")?, row.count("quantity")?);
        let (charge, refund) = (Micros::new(row.get("charge")?), Micros::new(row.get("refund")?));
        let remains = row.get::<Option<i64>>("remains")?.and_then(|n| u64::try_from(n).ok());
        let view = StatusView {
            charge: charge - refund,
            currency: row.parse("currency")?,
            start_count: row.get("start_count")?,
            status: OrderStatus::from_name(&status).ok_or_else(|| StoreError::corrupt("status", &status))?,
            remains: not_delivered(remains, quantity),
        };
        Ok(Self { account: row.parse("account")?, view })
    }
}

impl From<&OrderRow> for Standing {
    fn from(order: &OrderRow) -> Self {
        let view = StatusView {
            charge: order.charge - order.refund,
            currency: order.currency,
            start_count: order.start_count,
            status: order.status,
            remains: not_delivered(order.remains, order.quantity),
        };
        Self { account: order.account.clone(), view }
    }
}

/// Until an upstream tells, that is everything.
fn not_delivered(remains: Option<u64>, quantity: u64) -> u64 {
    remains.unwrap_or(quantity).min(quantity)
}
