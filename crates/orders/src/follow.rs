//! Following: whatever is due is done, upstream by upstream, the longest overdue first.
//!
//! An upstream that is slow holds up nobody but itself: each kind of work at each upstream has a task of its own while
//! there is something to do.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use interline_domain::{AttemptId, AttemptState, Report, Step, UpstreamId, order::step};
use interline_store::{AttemptRow, DueKind, DueRow, Lane, OrderRow, StoreError};
use interline_upstream::{Answer, Call, Fault, Refusal, Reported as Told};
use tracing::{Instrument as _, Span, field::Empty};

use crate::{
    catalogue::Upstream,
    dispatch::LEASE_BEYOND_TIMEOUT_MS,
    gateway::Gateway,
    remote::describe,
    report::{Reported, next_interval},
    streak::Streak,
    trace::Ended,
};

/// The follower looks at least so often, for what other nodes and the command line made due.
pub(crate) const LOOK_AGAIN_MS: i64 = 500;
const LOOK_AGAIN: Duration = Duration::from_millis(LOOK_AGAIN_MS.unsigned_abs());
/// Shortest pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Work that is being done: at most one task for each kind at each upstream.
#[derive(Default)]
struct Busy(Mutex<BTreeSet<(&'static str, UpstreamId)>>);

impl Busy {
    fn begin(&self, kind: DueKind, upstream: &UpstreamId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((kind.name(), upstream.clone()))
    }

    fn end(&self, kind: DueKind, upstream: &UpstreamId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(kind.name(), upstream.clone()));
    }
}

/// Ends a task's place in [`Busy`], whichever way the task ends: work that panicked must not stand still for ever.
struct Place {
    busy: Arc<Busy>,
    kind: DueKind,
    upstream: UpstreamId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.busy.end(self.kind, &self.upstream);
    }
}

impl Gateway {
    /// Does what is due, until the gateway stops.
    pub(crate) async fn follow(self: Arc<Self>) {
        let (busy, mut streak) = (Arc::new(Busy::default()), Streak::default());
        loop {
            let wait = self.begin_due(&busy).await;
            if let Some(error) = streak.begins(&wait) {
                tracing::warn!(%error, "what is due could not be read; it is tried until it can");
            }
            let wait = wait.unwrap_or(LOOK_AGAIN);
            tokio::time::sleep(PAUSE).await;
            let _ = tokio::time::timeout(wait, self.due.notified()).await;
        }
    }

    /// Begins everything that is due and not being done; returns how long to wait for the next.
    async fn begin_due(self: &Arc<Self>, busy: &Arc<Busy>) -> Result<Duration, StoreError> {
        let (now, catalogue) = (self.now(), self.catalogue());
        let mut wait = LOOK_AGAIN;
        for (kind, id, first) in self.store.next_due().await? {
            let Some(upstream) = catalogue.upstream(&id).cloned() else { continue };
            // Orders that run at a disabled upstream are followed all the same.
            if !upstream.record.enabled && matches!(kind, DueKind::Catalogue | DueKind::Balance) {
                continue;
            }
            let left = u64::try_from(first.since(now)).unwrap_or(0);
            if left > 0 {
                wait = wait.min(Duration::from_millis(left));
            } else if busy.begin(kind, &id) {
                let gateway = Arc::clone(self);
                let place = Place { busy: Arc::clone(busy), kind, upstream: id };
                self.under_way.spawn(async move {
                    gateway.do_due(kind, &upstream).await;
                    drop(place);
                    gateway.due.notify_one();
                });
            }
        }
        Ok(wait)
    }

    async fn do_due(self: &Arc<Self>, kind: DueKind, upstream: &Upstream) {
        let done = match kind {
            DueKind::Status => self.read_statuses(upstream).await,
            DueKind::Cancel => self.send_cancels(upstream).await,
            DueKind::Refill => self.read_refills(upstream).await,
            DueKind::Catalogue => self.sync_when_due(upstream).await,
            DueKind::Balance => self.read_balance_when_due(upstream).await,
        };
        if let Err(error) = done {
            tracing::warn!(upstream = %upstream.record.id, kind = kind.name(), %error, "due work failed; its lease will run out");
        }
    }

    /// Takes what is due at an upstream, under a lease that covers the call.
    pub(crate) async fn take_due(
        &self,
        kind: DueKind,
        upstream: &Upstream,
        limit: usize,
    ) -> Result<Vec<DueRow>, StoreError> {
        let now = self.now();
        let timeout = i64::try_from(upstream.record.settings.timeout_ms).unwrap_or(i64::MAX / 2);
        let lease_until = now.plus_ms(timeout + LEASE_BEYOND_TIMEOUT_MS);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.store.take_due(kind, &upstream.record.id, now, lease_until, limit).await
    }

    async fn read_statuses(self: &Arc<Self>, upstream: &Upstream) -> Result<(), StoreError> {
        let Some(dialect) = &upstream.dialect else { return Ok(()) };
        let due = self.take_due(DueKind::Status, upstream, dialect.capabilities().status_batch_max).await?;
        if due.is_empty() {
            return Ok(());
        }
        let batch = self.batch(&due).await?;
        let ids: Vec<String> = batch.iter().filter_map(|b| b.attempt.upstream_order.clone()).collect();
        let (answer, call) = if ids.is_empty() {
            (Ok(Answer::Status(BTreeMap::new())), Span::none())
        } else {
            self.ask_traced(upstream, &Call::Status(ids)).await
        };
        let mut told = match answer {
            Ok(Answer::Status(told)) => told,
            // One id that the upstream does not take must not silence the others.
            Ok(Answer::Fault(Fault::Refused(Refusal::Parameters(_)))) if batch.len() > 1 => {
                self.one_by_one(upstream, &batch).await
            }
            Ok(Answer::Fault(fault)) => {
                tracing::warn!(upstream = %upstream.record.id, error = describe(&fault), "statuses could not be read");
                BTreeMap::new()
            }
            Ok(_) => BTreeMap::new(),
            Err(error) => {
                tracing::warn!(upstream = %upstream.record.id, error, "statuses could not be read");
                BTreeMap::new()
            }
        };
        let (mut quiet, mut news) = (Vec::new(), Vec::new());
        let max_ms = self.settings().status_max_ms;
        for item in batch {
            match item.attempt.upstream_order.as_ref().and_then(|id| told.remove(id)) {
                Some(Told::Known(report)) if item.is_news(&report, max_ms) => {
                    news.push((item, report));
                }
                // An error in place of a state and an omission change nothing.
                _ => quiet.push(self.later(item.due)),
            }
        }
        self.book_reports(upstream, &call, news, quiet).await
    }

    async fn one_by_one(&self, upstream: &Upstream, batch: &[Item]) -> BTreeMap<String, Told> {
        let mut told = BTreeMap::new();
        for id in batch.iter().filter_map(|item| item.attempt.upstream_order.clone()) {
            if let Ok(Answer::Status(one)) = self.ask(upstream, &Call::Status(vec![id])).await {
                told.extend(one);
            }
        }
        told
    }

    async fn book_reports(
        self: &Arc<Self>,
        upstream: &Upstream,
        call: &Span,
        news: Vec<(Item, Report)>,
        quiet: Vec<DueRow>,
    ) -> Result<(), StoreError> {
        let (catalogue, settings) = (self.catalogue(), self.settings());
        let reports = news.into_iter().map(|(item, report)| {
            let span = self.follow_span(&item, call);
            let operation = Reported {
                attempt: item.attempt.id,
                report,
                rate: catalogue.base_rate(item.attempt.currency),
                policy: upstream.record.settings.charge_after_partial,
                charge_factor_max: settings.charge_factor_max,
                interval_ms: item.due.interval_ms,
                first_ms: settings.status_first_ms,
                max_ms: settings.status_max_ms,
                now: self.now(),
            };
            self.book_report(operation, item.order.status.is_terminal()).instrument(span)
        });
        for outcome in futures_util::future::join_all(reports).await {
            outcome?;
        }
        self.store.put_off(DueKind::Status, &quiet).await
    }

    /// The span of news about an order: in the trace that it was placed in, linked to the call that brought them.
    fn follow_span(&self, item: &Item, call: &Span) -> Span {
        let (order, attempt, upstream) = (item.order.id.0, item.attempt.id.0, &item.attempt.upstream);
        let span = tracing::info_span!(parent: None, "follow", order, attempt, %upstream, status = Empty);
        self.continue_order(&span, &item.order);
        span.follows_from(call);
        span
    }

    async fn book_report(&self, operation: Reported, had_ended: bool) -> Result<(), StoreError> {
        let Some(order) = self.store.writer().run(Lane::Background, operation).await? else { return Ok(()) };
        Span::current().record("status", order.status.name());
        if let Some(end) = Ended::of(&order).filter(|_| !had_ended) {
            end.note();
        }
        Ok(())
    }

    /// What is due with its attempt and order; what has no attempt any more is left to its lease and found again never.
    async fn batch(&self, due: &[DueRow]) -> Result<Vec<Item>, StoreError> {
        let ids: Vec<AttemptId> = due.iter().filter_map(|d| d.subject.parse().ok()).collect();
        let mut attempts: HashMap<String, AttemptRow> = HashMap::new();
        for attempt in self.store.attempts(&ids).await? {
            attempts.insert(attempt.id.to_string(), attempt);
        }
        let orders: Vec<_> = attempts.values().map(|a| a.order_id).collect();
        let orders = self.store.orders_of(&orders).await?;
        let item = |due: &DueRow| {
            let attempt = attempts.remove(&due.subject)?;
            let order = orders.get(&attempt.order_id)?.clone();
            Some(Item { due: due.clone(), attempt, order })
        };
        Ok(due.iter().filter_map(item).collect())
    }

    /// The same work after a longer interval, because nothing came of it now; the lease it was taken under is its token.
    pub(crate) fn later(&self, due: DueRow) -> DueRow {
        let settings = self.settings();
        let interval_ms = next_interval(due.interval_ms, false, settings.status_first_ms, settings.status_max_ms);
        DueRow { due_at: self.now().plus_ms(interval_ms), interval_ms, ..due }
    }
}

/// A status that is due.
struct Item {
    due: DueRow,
    attempt: AttemptRow,
    order: OrderRow,
}

impl Item {
    /// Whether a report has to be booked. Most say what is known already, and those cost no more than a later date.
    fn is_news(&self, report: &Report, max_ms: i64) -> bool {
        if self.attempt.state != AttemptState::Accepted || self.due.interval_ms > max_ms {
            return true;
        }
        let charge = report.charge.filter(|charge| !charge.is_zero());
        let same_charge = charge.is_none_or(|charge| charge == self.attempt.wip && self.attempt.charge_read);
        !same_charge || step(self.order.progress(), self.order.quantity, report) != Step::NoNews
    }
}
