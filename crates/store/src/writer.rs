//! The writer: one task per process that commits what is waiting in groups, and only then answers.
//!
//! It takes at once whatever waits (at most [`GROUP_MAX`] operations, no timer); the next group gathers while a commit runs.
//! A group that fails is rolled back and done again in halves, so that one bad operation fails alone. A commit that is not
//! acknowledged is read back before anything is answered.

use std::{
    collections::BTreeSet,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(test)]
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use interline_ledger::LedgerAccount;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tracing::{Span, field::Empty};

use crate::{
    batch::Batch,
    db::{Db, Tx, q},
    error::StoreError,
    memory::{Changes, Memory},
    meters::WriterMeters,
    needs::Needs,
    queue::{BACKGROUND_MAX, CUSTOMERS_MAX, Item, PATIENCE, Pulse, Ticket, Waiting},
    rows::DueKind,
    tables,
    warm::Warm,
    work::{IdBlock, Ids, Work, Writes},
};

/// Most operations in one commit.
pub const GROUP_MAX: usize = 256;
/// Order ids set aside at a time; panels see them, so the gaps that a restart leaves are kept small.
const ORDER_IDS: i64 = 64;
/// Ids of attempts, postings and events set aside at a time.
const ROW_IDS: i64 = 8_192;
/// Most ids of each kind that one operation may use, unless it names more in its needs.
const ROW_IDS_PER_OPERATION: i64 = 64;
const CASE_IDS_PER_OPERATION: i64 = 4;
/// How often a whole group is tried again when somebody else was quicker.
const CONFLICTS_MAX: u32 = 5;
/// How long the statements of a group, and its commit, may take each.
const GROUP_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a commit without an acknowledgement is asked after.
const READ_BACK_MAX: Duration = Duration::from_mins(1);

/// One change of state, decided in memory between the reads and the writes of its group.
pub trait Operation: Send + Sync + 'static {
    /// What it answers once it is durable.
    type Reply: Send + 'static;

    /// Names the rows it reads or changes.
    fn needs(&self, needs: &mut Needs);

    /// Names the accounts with a stored balance that it reads or posts to, now that its rows are known.
    fn accounts(&self, work: &Work, accounts: &mut BTreeSet<LedgerAccount>);

    /// Decides. It may be called again on fresh rows when the group is done again. An operation that refuses must not have
    /// changed anything.
    fn decide(&self, work: &mut Work) -> Self::Reply;
}

/// In which lane an operation waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A customer waits for it, and is told to come back when it cannot be done soon.
    Customer,
    /// As urgent, but never sent away: what would be lost with it, and what people at the command line do.
    Urgent,
    /// Background work: at most half of a group while customers wait.
    Background,
}

impl Lane {
    const fn name(self) -> &'static str {
        match self {
            Self::Customer | Self::Urgent => "customer",
            Self::Background => "background",
        }
    }

    /// The span of a wait for the writer, in the trace of whoever waits. What nobody traces has none of its own.
    fn span(self) -> Span {
        if Span::current().is_disabled() {
            return Span::none();
        }
        tracing::info_span!("write", lane = self.name(), operations = Empty)
    }
}

/// A handle on the writer; cheap to clone.
#[derive(Clone)]
pub struct Writer {
    customers: mpsc::Sender<Box<dyn Waiting>>,
    background: mpsc::Sender<Box<dyn Waiting>>,
    pulse: Pulse,
    /// What becomes of the next commit, for the suite.
    #[cfg(test)]
    pub(crate) lose: Arc<std::sync::atomic::AtomicU8>,
}

impl Writer {
    /// Starts the writer of this process. It ends when the last handle is dropped and its queues are empty.
    ///
    /// It has a thread to itself: everybody waits for it, so it does not wait behind the tasks of others.
    pub(crate) fn start(db: Arc<Db>, memory: Arc<Memory>) -> Result<Self, StoreError> {
        let (customers, customer_lane) = mpsc::channel(CUSTOMERS_MAX);
        let (background, background_lane) = mpsc::channel(BACKGROUND_MAX);
        let pulse = Pulse::new();
        #[cfg(test)]
        let lose = Arc::<std::sync::atomic::AtomicU8>::default();
        let task = Loop {
            db,
            warm: Warm::default(),
            memory,
            ids: Ids::default(),
            meters: WriterMeters::new(),
            pulse: pulse.clone(),
            #[cfg(test)]
            lose: Arc::clone(&lose),
        };
        let failed = |error: std::io::Error| StoreError::File(format!("the writer's thread: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let thread = std::thread::Builder::new().name("writer".to_owned());
        let started = thread.spawn(move || runtime.block_on(task.run(customer_lane, background_lane)));
        // Nobody waits for its end: what it was handed is answered before.
        drop(started.map_err(failed)?);
        Ok(Self {
            customers,
            background,
            pulse,
            #[cfg(test)]
            lose,
        })
    }

    /// How many operations wait for the writer, by lane.
    pub fn waiting(&self) -> [(&'static str, usize); 2] {
        let waiting = |lane: &mpsc::Sender<Box<dyn Waiting>>| lane.max_capacity().saturating_sub(lane.capacity());
        [("customer", waiting(&self.customers)), ("background", waiting(&self.background))]
    }

    /// Whether the writer takes operations; once it does not, it never will again.
    pub fn is_alive(&self) -> bool {
        !self.customers.is_closed()
    }

    /// Hands an operation over and waits until it is durable. One in the customers' lane is given up as [`StoreError::Busy`]
    /// when it cannot be begun soon, and then it is not done later either.
    pub async fn run<O: Operation>(&self, lane: Lane, operation: O) -> Result<O::Reply, StoreError> {
        if lane == Lane::Customer && self.pulse.is_stalled() {
            return Err(StoreError::Busy);
        }
        let (ticket, (answer, mut answered)) = (Ticket::default(), oneshot::channel());
        let item = Item { operation, reply: None, ticket: ticket.clone(), answer, span: lane.span() };
        match lane {
            Lane::Customer => self.customers.try_send(Box::new(item)).map_err(|_| StoreError::Busy)?,
            Lane::Urgent => self.customers.send(Box::new(item)).await.map_err(|_| StoreError::Busy)?,
            Lane::Background => self.background.send(Box::new(item)).await.map_err(|_| StoreError::Busy)?,
        }
        if lane == Lane::Customer {
            match tokio::time::timeout(PATIENCE, &mut answered).await {
                Ok(reply) => return reply.unwrap_or_else(|_| Err(ticket.unanswered())),
                Err(_) if ticket.withdraw() => return Err(StoreError::Busy),
                // It is being committed: what comes of that is the answer.
                Err(_) => {}
            }
        }
        answered.await.unwrap_or_else(|_| Err(ticket.unanswered()))
    }
}

struct Loop {
    db: Arc<Db>,
    warm: Warm,
    memory: Arc<Memory>,
    ids: Ids,
    meters: WriterMeters,
    pulse: Pulse,
    #[cfg(test)]
    lose: Arc<std::sync::atomic::AtomicU8>,
}

/// The next commit happens, and its acknowledgement is lost.
#[cfg(test)]
pub(crate) const LOSE_AFTER: u8 = 1;
/// The next group waits for a second member.
#[cfg(test)]
pub(crate) const GATHER_TWO: u8 = 3;
/// The next commit does not happen, and nobody is told.
#[cfg(test)]
pub(crate) const LOSE_BEFORE: u8 = 2;

type Group = Vec<Box<dyn Waiting>>;

/// A group whose statements were run and whose commit has not begun.
struct Prepared {
    tx: Tx,
    witness: Option<Witness>,
    changes: Changes,
    warm: Warm,
}

impl Loop {
    async fn run(
        mut self,
        mut customers: mpsc::Receiver<Box<dyn Waiting>>,
        mut background: mpsc::Receiver<Box<dyn Waiting>>,
    ) {
        self.db = Arc::new(self.db.of_writer());
        loop {
            let first = tokio::select! {
                biased;
                Some(first) = customers.recv() => first,
                Some(first) = background.recv() => first,
                else => return,
            };
            let mut group = vec![first];
            while group.len() < GROUP_MAX / 2
                && let Ok(next) = background.try_recv()
            {
                group.push(next);
            }
            while group.len() < GROUP_MAX
                && let Ok(next) = customers.try_recv()
            {
                group.push(next);
            }
            #[cfg(test)]
            if self.lose.compare_exchange(GATHER_TWO, 0, AcqRel, Acquire).is_ok() && group.len() < 2 {
                group.extend(customers.recv().await);
            }
            self.pulse.beats();
            self.write(group).await;
            self.pulse.rests();
        }
    }

    /// Writes a group; on failure its halves, down to single operations, which fail alone.
    async fn write(&mut self, group: Group) {
        let mut stack = vec![group];
        while let Some(mut group) = stack.pop() {
            let mut outcome = self.commit(&mut group).await;
            for _ in 0..CONFLICTS_MAX {
                match &outcome {
                    // A lock was already waited for; once more is enough.
                    Err(error) if error.is_locked() => {
                        outcome = self.commit(&mut group).await;
                        break;
                    }
                    Err(error) if error.is_conflict() => outcome = self.commit(&mut group).await,
                    _ => break,
                }
            }
            match outcome {
                Ok(()) => {
                    self.pulse.beats();
                    let operations = group.len();
                    for item in group {
                        item.answer(Ok(()), operations);
                    }
                }
                Err(error) if group.len() == 1 || error.is_away() || error.is_locked() => fail(group, error),
                Err(error) => {
                    tracing::debug!(operations = group.len(), %error, "a group failed and is done again in halves");
                    let later = group.split_off(group.len() / 2);
                    stack.push(later);
                    stack.push(group);
                }
            }
        }
    }

    async fn commit(&mut self, group: &mut Group) -> Result<(), StoreError> {
        let Some(Prepared { tx, witness, changes, warm }) = self.ready(group).await? else { return Ok(()) };
        let began = Instant::now();
        let committed = tokio::time::timeout(GROUP_TIMEOUT, self.acknowledged(tx)).await;
        self.meters.committed(group.len(), began.elapsed());
        let outcome = match committed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => self.read_back(witness, error).await,
            Err(_) => self.read_back(witness, StoreError::Busy).await,
        };
        // Before anybody is answered: whoever was told of a change finds it in memory too.
        match &outcome {
            Ok(()) => {
                self.warm = warm;
                self.memory.committed(changes);
            }
            Err(_) => self.memory.doubts(),
        }
        outcome
    }

    /// Everything of a group but its commit, without what was taken back; `None` if that is all of it. From here on nothing
    /// of it can be taken back any more.
    async fn ready(&mut self, group: &mut Group) -> Result<Option<Prepared>, StoreError> {
        loop {
            // Whatever was tried before, nothing of it was kept.
            for item in group.iter() {
                item.ticket().reopens();
            }
            group.retain(|item| !item.ticket().is_withdrawn());
            if group.is_empty() {
                return Ok(None);
            }
            let mut needs = Needs::default();
            for item in group.iter() {
                item.needs(&mut needs);
            }
            let set_aside = tokio::time::timeout(GROUP_TIMEOUT, self.set_ids_aside(group.len(), &needs));
            set_aside.await.map_err(|_| StoreError::Busy)??;
            let began = Instant::now();
            let prepared = tokio::time::timeout(GROUP_TIMEOUT, self.prepare(group, &needs));
            let prepared = prepared.await.map_err(|_| StoreError::Busy)??;
            self.meters.prepare.record(began.elapsed());
            if group.iter().all(|item| item.ticket().commits()) {
                return Ok(Some(prepared));
            }
            tokio::time::timeout(GROUP_TIMEOUT, prepared.tx.rollback()).await.map_err(|_| StoreError::Busy)??;
        }
    }

    #[cfg(not(test))]
    async fn acknowledged(&self, tx: Tx) -> Result<(), StoreError> {
        tx.commit().await
    }

    /// The commit, whose acknowledgement the suite may let get lost, after it happened or before.
    #[cfg(test)]
    async fn acknowledged(&self, tx: Tx) -> Result<(), StoreError> {
        let lost = || Err(StoreError::Sql(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())));
        match self.lose.swap(0, std::sync::atomic::Ordering::Relaxed) {
            LOSE_AFTER => tx.commit().await.and_then(|()| lost()),
            LOSE_BEFORE => tx.rollback().await.and_then(|()| lost()),
            _ => tx.commit().await,
        }
    }

    /// Everything of a group but its commit.
    async fn prepare(&mut self, group: &mut Group, needs: &Needs) -> Result<Prepared, StoreError> {
        let mut tx = self.db.begin().await?;
        let mut work = Work { ids: self.ids.clone(), ..Work::default() };
        let mut warm = mem::take(&mut self.warm).under(tx.seen());
        warm.give(&needs.orders, &mut work);
        work.load(&mut tx, needs).await?;
        let mut accounts = BTreeSet::new();
        for item in group.iter() {
            item.accounts(&work, &mut accounts);
        }
        work.load_balances(&mut tx, &accounts).await?;
        // After the balances are locked: what moved them until then is all there.
        work.load_moves(&mut tx, needs).await?;
        // An assertion of the books that fails must fail its operation and not the writer: done again in halves, the one
        // that broke it fails alone.
        let decided = catch_unwind(AssertUnwindSafe(|| {
            for item in group.iter_mut() {
                item.decide(&mut work);
            }
        }));
        // Never handed out again, even if this group is rolled back: a reader may have seen them.
        self.ids = work.ids.clone();
        decided.map_err(|_| {
            StoreError::Refused("an operation broke a rule of the books; nothing of it was kept".to_owned())
        })?;
        work.store(&mut tx).await?;
        let (witness, changes) = (Witness::of(&work.writes), self.memory.look(&work));
        warm.take(work);
        Ok(Prepared { tx, witness, changes, warm })
    }

    /// A commit without an acknowledgement may have happened. One row of it tells about all of it.
    async fn read_back(&self, witness: Option<Witness>, error: StoreError) -> Result<(), StoreError> {
        let Some(witness) = witness else { return Err(error) };
        tracing::warn!(%error, "a commit was not acknowledged; reading it back");
        let started = Instant::now();
        loop {
            match tokio::time::timeout(GROUP_TIMEOUT, witness.is_there(&self.db)).await {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => return Err(error),
                _ if started.elapsed() < READ_BACK_MAX => tokio::time::sleep(Duration::from_millis(200)).await,
                _ => return Err(StoreError::Uncertain),
            }
        }
    }

    async fn set_ids_aside(&mut self, operations: usize, needs: &Needs) -> Result<(), StoreError> {
        let operations = i64::try_from(operations).unwrap_or(i64::MAX / ROW_IDS_PER_OPERATION);
        for (block, name, needed, at_a_time) in [
            (&mut self.ids.orders, "orders", needs.new_orders, ORDER_IDS),
            (&mut self.ids.refills, "refills", needs.new_refills, ORDER_IDS),
            (&mut self.ids.cases, "cases", operations * CASE_IDS_PER_OPERATION, 0),
            (&mut self.ids.rows, "rows", operations * ROW_IDS_PER_OPERATION + needs.row_ids, ROW_IDS),
        ] {
            if block.left() < needed {
                // Many groups' worth, so that hardly a group pays a commit for its ids.
                *block = set_aside(&self.db, name, at_a_time.max(needed * 16)).await?;
            }
        }
        Ok(())
    }
}

/// Sets ids aside in a commit of its own: gaps are harmless, twins are not.
async fn set_aside(db: &Db, name: &str, count: i64) -> Result<IdBlock, StoreError> {
    let mut tx = db.begin().await?;
    let text = "UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value";
    let last: i64 = q(text).bind(count).bind(name).one(&mut tx).await?.get("value")?;
    tx.commit().await?;
    Ok(IdBlock { next: last - count + 1, end: last + 1 })
}

/// Tells each operation of a group that failed as a whole; the error itself goes to the first, and to the log.
fn fail(group: Group, error: StoreError) {
    tracing::error!(operations = group.len(), %error, "a write failed");
    let (uncertain, operations) = (matches!(error, StoreError::Uncertain), group.len());
    let mut first = Some(error);
    for item in group {
        let like_it = if uncertain { StoreError::Uncertain } else { StoreError::Busy };
        item.answer(Err(first.take().unwrap_or(like_it)), operations);
    }
}

/// A row that is there exactly if its group was committed.
struct Witness {
    table: &'static str,
    id: i64,
}

impl Witness {
    fn of(writes: &Writes) -> Option<Self> {
        let transaction = writes.transactions.first().map(|t| Self { table: "transactions", id: t.id });
        transaction.or_else(|| writes.events.first().map(|e| Self { table: "events", id: e.id }))
    }

    /// Looks by trying to insert its twin, which waits for a commit that is still under way; a plain read would not.
    async fn is_there(&self, db: &Db) -> Result<bool, StoreError> {
        let text = match self.table {
            "transactions" => {
                "INSERT INTO transactions (id, key, posted_at, effective_at) VALUES ($1, $2, 0, 0) ON CONFLICT DO NOTHING"
            }
            _ => "INSERT INTO events (id, kind, text, at) VALUES ($1, 'probe', $2, 0) ON CONFLICT DO NOTHING",
        };
        let mut tx = db.begin().await?;
        let free = q(text).bind(self.id).bind(format!("probe:{}", self.id)).run(&mut tx).await? == 1;
        tx.rollback().await?;
        Ok(!free)
    }
}

impl Work {
    /// Writes everything that was decided: one statement per table.
    async fn store(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (w, mut batch) = (&self.writes, Batch::default());
        let orders: Vec<_> = w.orders.iter().filter_map(|id| self.orders.get(id)).collect();
        tables::ORDERS.add(tx, &mut batch, &orders)?;
        let mut attempts: Vec<_> = w.attempts.iter().filter_map(|id| self.attempts.get(id)).collect();
        // What gives up the place of an order's live attempt goes before what takes it.
        attempts.sort_by_key(|attempt| attempt.state.is_live());
        tables::ATTEMPTS.add(tx, &mut batch, &attempts)?;
        let refills: Vec<_> = w.refills.iter().filter_map(|id| self.refills.get(id)).collect();
        tables::REFILLS.add(tx, &mut batch, &refills)?;
        let balances: Vec<_> = w.balances.iter().filter_map(|name| self.balances.get(name)).collect();
        tables::BALANCES.add(tx, &mut batch, &balances)?;
        tables::TRANSACTIONS.add(tx, &mut batch, &w.transactions)?;
        tables::ENTRIES.add(tx, &mut batch, &w.entries)?;
        tables::EVENTS.add(tx, &mut batch, &w.events)?;
        tables::FINDINGS.add(tx, &mut batch, &w.findings)?;
        let cases: Vec<_> = w.cases.iter().filter_map(|id| self.cases.get(id)).collect();
        tables::CASES.add(tx, &mut batch, &cases)?;
        let due: Vec<_> = w.due.values().collect();
        tables::DUE.add(tx, &mut batch, &due)?;
        tables::RECENT_ORDERS_NEW.add(tx, &mut batch, &w.recent_new)?;
        tables::RECENT_ORDERS.add(tx, &mut batch, &w.recent_again)?;
        tables::READINGS.add(tx, &mut batch, &w.readings)?;
        let states: Vec<_> = w.upstream_state.values().collect();
        tables::UPSTREAM_STATE.add(tx, &mut batch, &states)?;
        batch.write(&mut *tx).await?;
        for kind in DueKind::ALL {
            let subjects: Vec<&str> = w.not_due.iter().filter(|d| d.0 == kind.name()).map(|d| d.1.as_str()).collect();
            if !subjects.is_empty() {
                let text = "DELETE FROM due WHERE kind = $2 AND subject IN {texts}";
                q(text).bind(json!(subjects)).bind(kind.name()).run(&mut *tx).await?;
            }
        }
        Ok(())
    }
}
