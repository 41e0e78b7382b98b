//! Operations on their way to the writer: how many wait, how long a customer's does, and how it is taken back.
//!
//! More work than the database can do is refused early: a customer is told "try again later" within [`PATIENCE`], and at
//! once while a group hangs. Only what was certainly not committed is answered so. An operation can be taken back until
//! the commit of its group begins, and a group with one that was taken back is rolled back and done again without it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use interline_ledger::LedgerAccount;
use tokio::sync::oneshot;
use tracing::Span;

use crate::{error::StoreError, needs::Needs, work::Work, writer::Operation};

/// Most operations in the customers' lane: four groups. A group takes some milliseconds on a good disk and a quarter of a
/// second on one that is a hundred times worse, so that what is let in is done within about a second.
pub(crate) const CUSTOMERS_MAX: usize = 1_024;
/// Most operations in the background's lane; whoever comes later waits for room.
pub(crate) const BACKGROUND_MAX: usize = 4_096;
/// How long a customer's operation waits for its commit to begin.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// A group that has been written for so long hangs: the database was stopped, or somebody holds its locks.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// An operation in the queue, its reply type forgotten.
pub(crate) trait Waiting: Send {
    fn needs(&self, needs: &mut Needs);
    fn accounts(&self, work: &Work, accounts: &mut BTreeSet<LedgerAccount>);
    fn decide(&mut self, work: &mut Work);
    /// How far it is.
    fn ticket(&self) -> &Ticket;
    /// Tells whoever waits what became of it, in a group of so many.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>, operations: usize);
}

/// An operation with whoever waits for it.
pub(crate) struct Item<O: Operation> {
    pub(crate) operation: O,
    pub(crate) reply: Option<O::Reply>,
    pub(crate) ticket: Ticket,
    pub(crate) answer: oneshot::Sender<Result<O::Reply, StoreError>>,
    pub(crate) span: Span,
}

impl<O: Operation> Waiting for Item<O> {
    fn needs(&self, needs: &mut Needs) {
        self.operation.needs(needs);
    }

    fn accounts(&self, work: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        self.operation.accounts(work, accounts);
    }

    fn decide(&mut self, work: &mut Work) {
        self.reply = Some(self.operation.decide(work));
    }

    fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>, operations: usize) {
        let Self { reply, answer, span, .. } = *self;
        span.record("operations", i64::try_from(operations).unwrap_or(i64::MAX));
        // Ended before whoever waits goes on.
        drop(span);
        // Whoever asked may have gone away; what was decided stands.
        let _ = answer.send(outcome.and_then(|()| reply.ok_or(StoreError::Busy)));
    }
}

/// It waits, or its group is prepared: nothing of it can have been kept.
const OPEN: u8 = 0;
/// Its group's commit has begun.
const COMMITTING: u8 = 1;
/// Whoever asked for it was told that it is not done.
const WITHDRAWN: u8 = 2;

/// How far an operation is, known to the writer and to whoever waits for it.
#[derive(Clone, Default)]
pub(crate) struct Ticket(Arc<AtomicU8>);

impl Ticket {
    /// Takes the operation back; `false` if its commit has begun.
    pub(crate) fn withdraw(&self) -> bool {
        self.moves(OPEN, WITHDRAWN)
    }

    /// Whether it was taken back.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.0.load(Ordering::Acquire) == WITHDRAWN
    }

    /// Its commit begins, unless it was taken back.
    pub(crate) fn commits(&self) -> bool {
        self.moves(OPEN, COMMITTING)
    }

    /// Nothing of it was kept: it may be taken back again.
    pub(crate) fn reopens(&self) {
        self.moves(COMMITTING, OPEN);
    }

    /// Why it has no answer, after its writer ended without one.
    pub(crate) fn unanswered(&self) -> StoreError {
        if self.0.load(Ordering::Acquire) == COMMITTING { StoreError::Uncertain } else { StoreError::Busy }
    }

    fn moves(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Since when the writer has been at a group without having committed anything.
#[derive(Clone)]
pub(crate) struct Pulse {
    start: Instant,
    /// Milliseconds after `start`, and one more; 0 while nothing is written.
    since: Arc<AtomicU64>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), since: Arc::default() }
    }

    /// A group begins, or a part of one was committed.
    pub(crate) fn beats(&self) {
        self.since.store(self.now_ms() + 1, Ordering::Relaxed);
    }

    /// Nothing is written any more.
    pub(crate) fn rests(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// Whether the group that is being written hangs.
    pub(crate) fn is_stalled(&self) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        since > 0 && Duration::from_millis((self.now_ms() + 1).saturating_sub(since)) > STALLED_AFTER
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_committed_cannot_be_taken_back() {
        let ticket = Ticket::default();
        assert!(ticket.commits() && !ticket.withdraw() && !ticket.is_withdrawn());
        assert!(matches!(ticket.unanswered(), StoreError::Uncertain));
        ticket.reopens();
        assert!(matches!(ticket.unanswered(), StoreError::Busy));
        assert!(ticket.withdraw() && ticket.is_withdrawn());
        ticket.reopens();
        assert!(!ticket.commits() && !ticket.withdraw(), "it stays taken back");
    }
}
