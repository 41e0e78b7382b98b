//! Dispatch: an attempt is claimed, handed over at most once, and its verdict is booked.
//!
//! ```text
//! queued ──claim (commit)──▶ sending ──egress::submit──▶ verdict (commit) ──▶ accepted | released, next | queued | unknown
//! ```
//! Nothing here sends an attempt that was not claimed by this boot with the very number it is sent under.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use interline_domain::{AttemptEvent, AttemptId, AttemptState, OrderId, OrderKind, Timestamp, UpstreamId};
use interline_egress::{Permit, SendDeadline, SubmitError};
use interline_ledger::LedgerAccount;
use interline_routing::Candidate;
use interline_store::{AttemptRow, Lane, Needs, Operation, StoreError, Work};
use interline_upstream::{ActiveTarget, Answer, Call, Evidence, Submission, SubmitOutcome};
use serde_json::json;
use tracing::{Instrument as _, Span, field::Empty};

use crate::{
    catalogue::Upstream,
    decide::{Decide, Decided, Decision},
    gateway::Gateway,
    moves,
    place::wanted,
    streak::Streak,
    trace::{Traceparent, kept},
    verdicts::Verdict,
};

/// How long after its commit a submission may still be written.
pub(crate) const SEND_WITHIN: Duration = Duration::from_secs(5);
/// How much longer than the upstream's time-out a lease is, in milliseconds: it covers the way to the wire and the commit.
pub(crate) const LEASE_BEYOND_TIMEOUT_MS: i64 = 10_000;
/// Most attempts claimed at an upstream in one look.
const CLAIM_MAX: i64 = 32;
/// The dispatcher looks at least so often, for what other nodes and the command line queued.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Pause before a verdict that could not be booked is booked again.
const BOOK_AGAIN: Duration = Duration::from_millis(200);

/// A claimed attempt on its way to the wire.
#[derive(Debug, Clone)]
pub(crate) struct SendJob {
    pub(crate) order: OrderId,
    pub(crate) attempt: AttemptId,
    pub(crate) upstream: UpstreamId,
    pub(crate) service: String,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) kind: OrderKind,
    pub(crate) target_key: String,
    pub(crate) queued_at: Timestamp,
    /// The trace that the order was placed in.
    pub(crate) trace: Option<Traceparent>,
    pub(crate) send_number: i64,
}

impl Gateway {
    /// Sends what waits, until the gateway stops.
    pub(crate) async fn dispatch(self: Arc<Self>) {
        let mut streak = Streak::default();
        loop {
            if let Some(error) = streak.begins(&self.claim_and_send().await) {
                tracing::warn!(%error, "queued attempts could not be claimed; it is tried until they can");
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, self.queued.notified()).await;
        }
    }

    async fn claim_and_send(self: &Arc<Self>) -> Result<(), StoreError> {
        let now = self.now();
        let waiting = self.store.next_queued().await?;
        self.waiting.store(!waiting.is_empty(), Ordering::Relaxed);
        let catalogue = self.catalogue();
        for (id, first) in waiting {
            let Some(upstream) = catalogue.upstream(&id) else { continue };
            // Past the exposure cap nothing more is sent there; its queue deadline sends the order on.
            if first <= now && upstream.record.enabled && !self.health(&id).exposed {
                self.claim_at(upstream, now).await?;
            }
        }
        Ok(())
    }

    async fn claim_at(self: &Arc<Self>, upstream: &Upstream, now: Timestamp) -> Result<(), StoreError> {
        let one_per_target = !upstream.record.settings.parallel_targets;
        let mut claims = Vec::new();
        for attempt in self.store.queued_at(&upstream.record.id, one_per_target, now, CLAIM_MAX).await? {
            let Some(permit) = upstream.lane.try_permit() else { break };
            let deadline = SendDeadline::after(SEND_WITHIN);
            let lease_ms =
                i64::try_from(upstream.record.settings.timeout_ms).unwrap_or(i64::MAX / 2) + LEASE_BEYOND_TIMEOUT_MS;
            let sender = moves::Sender { boot: self.boot.clone(), lease_ms };
            let claim = Claim { attempt, sender, now: self.now() };
            // On a task of its own: a dispatcher that is stopped must not part the commit from the hand-over.
            let gateway = Arc::clone(self);
            claims.push(self.under_way.spawn(async move {
                if let Some(job) = gateway.store.writer().run(Lane::Background, claim).await? {
                    gateway.send_in_background(job, permit, deadline);
                }
                Ok::<_, StoreError>(())
            }));
        }
        // Together, so that they share a commit.
        for claimed in claims {
            claimed.await.map_err(|_| StoreError::Busy)??;
        }
        Ok(())
    }

    /// Sends a claimed attempt on a task of its own, so that nobody who waits for it can stop it by hanging up.
    pub(crate) fn send_in_background(self: &Arc<Self>, job: SendJob, permit: Permit, deadline: SendDeadline) {
        let gateway = Arc::clone(self);
        let (order, attempt, upstream) = (job.order.0, job.attempt.0, &job.upstream);
        // In the trace that the order was placed in, also when it is sent much later.
        let span = tracing::info_span!(parent: None, "submit", order, attempt, %upstream);
        self.continue_trace(&span, job.trace.as_ref());
        let sent = async move {
            let decision = gateway.submit(&job, deadline).await;
            drop(permit);
            if let Some(upstream) = gateway.catalogue().upstream(&job.upstream) {
                upstream.meters.verdict(&decision);
            }
            // The freed slot may be what another attempt waits for.
            if gateway.waiting.load(Ordering::Relaxed) {
                gateway.queued.notify_one();
            }
            gateway.book(&job, decision).instrument(tracing::info_span!("verdict", state = Empty)).await;
        };
        self.under_way.spawn(sent.instrument(span));
    }

    async fn submit(&self, job: &SendJob, deadline: SendDeadline) -> Decision {
        let send_number = job.send_number;
        let not_sent = |reason: String| Decision::NotSent { send_number, reason };
        let catalogue = self.catalogue();
        let Some(upstream) = catalogue.upstream(&job.upstream) else {
            return not_sent("the upstream is gone".to_owned());
        };
        let submission =
            Submission { service: job.service.clone(), kind: job.kind.clone(), params: job.params.clone() };
        upstream.meters.handed_over(self.now().since(job.queued_at));
        let outcome = match self.hand_over(upstream, &Call::Submit(submission), deadline, job.trace.as_ref()).await {
            Ok(Answer::Submit(outcome)) => outcome,
            Ok(other) => unknown(format!("the dialect answered with {other:?}")),
            Err(SubmitError::NotSent(reason)) => return not_sent(reason),
            Err(SubmitError::Uncertain(reason) | SubmitError::TimedOut(reason)) => unknown(reason),
        };
        Decision::Verdict { send_number, outcome: tampered(outcome) }
    }

    /// Books a verdict, as often as it takes: it must not be lost while this process lives.
    async fn book(self: &Arc<Self>, job: &SendJob, decision: Decision) {
        if let Decision::Verdict { outcome: SubmitOutcome::Busy { active_target: ActiveTarget::Yes, .. }, .. } =
            &decision
        {
            self.note_active_target(job).await;
        }
        let mut failed = false;
        while let Err(error) =
            self.decide((job.order, job.attempt), &job.upstream, decision.clone(), Lane::Urgent).await
        {
            if !failed {
                let (order, attempt, upstream) = (job.order.0, job.attempt.0, &job.upstream);
                tracing::error!(order, attempt, %upstream, %error, "a verdict could not be booked; it is tried until it is");
            }
            failed = true;
            tokio::time::sleep(BOOK_AGAIN).await;
        }
    }

    /// Decides an attempt by a clock or a person, in the trace that its order was placed in.
    pub(crate) async fn decide_later(
        self: &Arc<Self>,
        attempt: &AttemptRow,
        decision: Decision,
        lane: Lane,
    ) -> Result<Decided, StoreError> {
        let (order, upstream) = (attempt.order_id, &attempt.upstream);
        let span = tracing::info_span!(
            parent: None, "verdict", order = order.0, attempt = attempt.id.0, %upstream, state = Empty
        );
        if !span.is_disabled()
            && let Some(order) = self.store.order(order).await?
        {
            self.continue_order(&span, &order);
        }
        self.decide((order, attempt.id), upstream, decision, lane).instrument(span).await
    }

    /// Decides an attempt, with the candidates that its order may still be put to, and tells whoever waits.
    async fn decide(
        self: &Arc<Self>,
        (order, attempt): (OrderId, AttemptId),
        upstream: &UpstreamId,
        decision: Decision,
        lane: Lane,
    ) -> Result<Decided, StoreError> {
        let next = match &decision {
            // Only these can never send the order on.
            Decision::Verdict { outcome: SubmitOutcome::Accepted { .. }, .. }
            | Decision::Taken { .. }
            | Decision::Orphaned { .. } => Vec::new(),
            _ => self.next_candidates(attempt).await?,
        };
        let (settings, error) = (self.settings(), failure(&decision));
        let currency = self.catalogue().upstream(upstream).map(|u| u.record.currency);
        let operation = Decide {
            order,
            attempt,
            upstream: upstream.clone(),
            decision,
            next,
            rate: self.catalogue().base_rate(currency.unwrap_or(settings.base_currency)),
            first_status_ms: settings.status_first_ms,
            charge_factor_max: settings.charge_factor_max,
            now: self.now(),
        };
        let decided = self.store.writer().run(lane, operation).await?;
        note(attempt, upstream, &decided, error.as_deref());
        self.tell(&decided).await;
        Ok(decided)
    }

    async fn tell(&self, decided: &Decided) {
        if decided.queued_again {
            self.queued.notify_one();
        }
        if decided.changed && decided.state == Some(AttemptState::Unknown) {
            // The exposure cap must not lag behind what was just lost.
            if let Err(error) = self.refresh_health().await {
                tracing::warn!(%error, "the upstreams' health could not be read");
            }
        }
        let Some(order) = decided.order else { return };
        match decided.state {
            _ if decided.ended => self.verdicts.tell(order, Verdict::Refused),
            Some(AttemptState::Accepted | AttemptState::Unknown) => {
                self.verdicts.tell(order, Verdict::Stands);
                if self.settings().status_first_ms < crate::follow::LOOK_AGAIN_MS {
                    self.due.notify_one();
                }
            }
            _ => {}
        }
    }

    /// Who may still take the order of this attempt: the service's offers as they are now, without those that were tried.
    async fn next_candidates(&self, attempt: AttemptId) -> Result<Vec<Candidate>, StoreError> {
        let Some(row) = self.store.attempts(&[attempt]).await?.pop() else { return Ok(Vec::new()) };
        let Some(order) = self.store.order(row.order_id).await? else { return Ok(Vec::new()) };
        let tried: Vec<_> =
            self.store.attempts_of(&[order.id]).await?.into_iter().map(|a| (a.upstream, a.upstream_service)).collect();
        let catalogue = self.catalogue();
        let (Some(service), Some(worth)) = (catalogue.service(order.service), catalogue.worth(order.currency)) else {
            return Ok(Vec::new());
        };
        let Ok(charge_base) = order.charge.convert(worth) else { return Ok(Vec::new()) };
        let wanted = wanted(&order.kind, charge_base);
        Ok(self.route(&catalogue, service, &wanted, Some(&order.kind), &tried).takers().cloned().collect())
    }

    /// An upstream that has an order on a target tells something about an unknown of ours on that target.
    async fn note_active_target(&self, job: &SendJob) {
        let found = async {
            let unknown = self.store.unknown_on(&job.upstream, &job.target_key).await?;
            let [only] = unknown[..] else { return Ok(()) };
            let note = Note {
                attempt: only,
                text: "the upstream has an active order on this target: probably taken",
                now: self.now(),
            };
            self.store.writer().run(Lane::Background, note).await
        };
        if let Err(error) = found.await {
            let _: StoreError = error;
            let (order, attempt, upstream) = (job.order.0, job.attempt.0, &job.upstream);
            tracing::warn!(order, attempt, %upstream, %error, "evidence about an unknown could not be kept");
        }
    }
}

/// What went wrong, by a decision that is none for the better.
fn failure(decision: &Decision) -> Option<String> {
    match decision {
        Decision::Verdict { outcome: SubmitOutcome::Unknown(evidence), .. } => Some(evidence.reason.clone()),
        Decision::Verdict { outcome: SubmitOutcome::Rejected(refusal), .. } => {
            Some(format!("refused ({})", refusal.name()))
        }
        Decision::NotSent { reason, .. } => Some(format!("not sent: {reason}")),
        Decision::QueueDeadline => Some("it waited too long to be sent".to_owned()),
        Decision::Orphaned { .. } => Some("whoever was sending it is gone".to_owned()),
        _ => None,
    }
}

/// Notes what was decided in the trace and in the log: what somebody has to look at as a warning, and all else for those who
/// look for it.
fn note(attempt: AttemptId, upstream: &UpstreamId, decided: &Decided, error: Option<&str>) {
    let (order, attempt) = (decided.order.map(|order| order.0), attempt.0);
    let state = decided.state.map_or("gone", AttemptState::name);
    Span::current().record("state", state);
    let refused = decided.end.as_ref().is_some_and(|end| !end.asked_for);
    match decided.state {
        Some(AttemptState::Unknown) if decided.changed => {
            tracing::warn!(order, attempt, %upstream, error, "a submission is unknown; a case is open (interline review list)");
        }
        Some(AttemptState::Disputed) if decided.changed => {
            tracing::warn!(order, attempt, %upstream, "unknown for too long; the customer is refunded, the money is disputed");
        }
        Some(AttemptState::Released) if refused => {
            tracing::warn!(order, attempt, %upstream, error, "no upstream took an order; it was refunded");
        }
        _ => tracing::debug!(order, attempt, %upstream, state, error, "an attempt was decided"),
    }
    if let Some(end) = &decided.end {
        end.note();
    }
}

/// The negative control of the tests: with the sabotage switched on, an unknown is taken for a refusal, and an order is
/// sent twice. A release build has none of it.
#[cfg(feature = "sabotage")]
fn tampered(outcome: SubmitOutcome) -> SubmitOutcome {
    crate::sabotage::failover_on_unknown(outcome)
}

#[cfg(not(feature = "sabotage"))]
const fn tampered(outcome: SubmitOutcome) -> SubmitOutcome {
    outcome
}

fn unknown(reason: String) -> SubmitOutcome {
    SubmitOutcome::Unknown(Evidence { status: None, reason, excerpt: String::new() })
}

/// The commit that takes a queued attempt to send it.
#[derive(Debug)]
struct Claim {
    attempt: AttemptId,
    sender: moves::Sender,
    now: Timestamp,
}

impl Operation for Claim {
    type Reply = Option<SendJob>;

    fn needs(&self, needs: &mut Needs) {
        needs.attempts.insert(self.attempt);
    }

    fn accounts(&self, _: &Work, _: &mut BTreeSet<LedgerAccount>) {}

    fn decide(&self, work: &mut Work) -> Option<SendJob> {
        let attempt = work.attempt(self.attempt)?.clone();
        let order = work.order(attempt.order_id)?.clone();
        if attempt.state != AttemptState::Queued || attempt.not_before > self.now || order.cancel_requested_at.is_some()
        {
            return None;
        }
        let (send_number, trace) = (attempt.send_number + 1, kept(&order));
        let data = json!({"send_number": send_number});
        if !moves::advance(work, self.attempt, AttemptEvent::Claim, self.now, "being sent", Some(data)) {
            return None;
        }
        let row = work.attempt_mut(self.attempt)?;
        (row.send_number, row.owner, row.sent_at) = (send_number, Some(self.sender.boot.clone()), Some(self.now));
        row.lease_until = Some(self.now.plus_ms(self.sender.lease_ms));
        Some(SendJob {
            order: order.id,
            attempt: attempt.id,
            upstream: attempt.upstream,
            service: attempt.upstream_service,
            params: attempt.params,
            kind: order.kind,
            target_key: order.target_key,
            queued_at: attempt.queued_at,
            trace,
            send_number,
        })
    }
}

/// Evidence about an attempt, for its timeline.
#[derive(Debug)]
struct Note {
    attempt: AttemptId,
    text: &'static str,
    now: Timestamp,
}

impl Operation for Note {
    type Reply = ();

    fn needs(&self, needs: &mut Needs) {
        needs.attempts.insert(self.attempt);
    }

    fn accounts(&self, _: &Work, _: &mut BTreeSet<LedgerAccount>) {}

    fn decide(&self, work: &mut Work) {
        if let Some(attempt) = work.attempt(self.attempt) {
            let tags = moves::tags_of(work, attempt);
            work.event(&tags, self.now, "evidence", self.text, None);
        }
    }
}
