//! The one operation that decides what became of an attempt: by the upstream's verdict, by a clock, by a person.

use std::collections::BTreeSet;

use interline_domain::{AttemptEvent, AttemptId, AttemptState, Micros, OrderId, Timestamp, UpstreamId};
use interline_ledger::{
    BaseRate, LedgerAccount, attempts,
    cost::{in_currency, usable_while_running},
};
use interline_routing::Candidate;
use interline_store::{AttemptRow, DueKind, Needs, Operation, Work};
use interline_upstream::{ActiveTarget, Stated, SubmitOutcome};
use serde_json::{Value, json};

use crate::{
    moves::{
        self, accept, book, candidate_accounts, evidence_json, lose, next_or_refund, order_accounts, release, tags_of,
    },
    report::{charge_finding, running_charge},
    trace::Ended,
};

/// Shortest wait after an upstream said that it is busy, in milliseconds.
const BUSY_WAIT_MS: i64 = 1_000;
/// Longest wait that an upstream can ask for, in milliseconds.
const BUSY_WAIT_MAX_MS: i64 = 600_000;

/// What became of an attempt.
#[derive(Debug, Clone)]
pub(crate) enum Decision {
    /// The upstream answered the submission with this number.
    Verdict { send_number: i64, outcome: SubmitOutcome },
    /// The submission with this number never left: not one byte was handed over.
    NotSent { send_number: i64, reason: String },
    /// It waited too long to be sent.
    QueueDeadline,
    /// Whoever was sending it under this number is gone.
    Orphaned { send_number: i64 },
    /// It was proved that the upstream holds it under this id.
    Taken { upstream_order: String, by: String },
    /// It was proved that the upstream does not hold it.
    NotTaken { by: String },
    /// It stayed unknown too long, and the policy refunds.
    UnknownDeadline,
    /// A person gave it up.
    WriteOff,
}

/// Decides one attempt and, where the order goes on, queues it at the next candidate.
#[derive(Debug)]
pub(crate) struct Decide {
    pub(crate) order: OrderId,
    pub(crate) attempt: AttemptId,
    pub(crate) upstream: UpstreamId,
    pub(crate) decision: Decision,
    /// Candidates that may still be tried, cheapest first.
    pub(crate) next: Vec<Candidate>,
    pub(crate) rate: BaseRate,
    pub(crate) first_status_ms: i64,
    pub(crate) charge_factor_max: rust_decimal::Decimal,
    pub(crate) now: Timestamp,
}

/// What the decision came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decided {
    /// The order, if the attempt exists.
    pub(crate) order: Option<OrderId>,
    /// Whether anything changed.
    pub(crate) changed: bool,
    /// The attempt's state now.
    pub(crate) state: Option<AttemptState>,
    /// The order is queued at another upstream.
    pub(crate) queued_again: bool,
    /// The order has ended.
    pub(crate) ended: bool,
    /// How it ended, if it did so by this.
    pub(crate) end: Option<Ended>,
}

impl Operation for Decide {
    type Reply = Decided;

    fn needs(&self, needs: &mut Needs) {
        needs.orders.insert(self.order);
        if let Some(order) = self.upstream_order() {
            needs.upstream_orders.insert((self.upstream.clone(), order.to_owned()));
        }
    }

    fn accounts(&self, work: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        if let Some(attempt) = work.attempt(self.attempt) {
            order_accounts(work, attempt.order_id, accounts);
        }
        candidate_accounts(&self.next, accounts);
    }

    fn decide(&self, work: &mut Work) -> Decided {
        let Some(attempt) = work.attempt(self.attempt).cloned() else {
            return Decided { order: None, changed: false, state: None, queued_again: false, ended: false, end: None };
        };
        let ended_before = work.order(attempt.order_id).is_some_and(|o| o.status.is_terminal());
        let changed = self.act(work, &attempt);
        let end = work.order(attempt.order_id).and_then(Ended::of);
        let live = work.attempts_of(attempt.order_id).find(|a| a.state.is_live()).map(|a| a.id);
        Decided {
            order: Some(attempt.order_id),
            changed,
            state: work.attempt(attempt.id).map(|a| a.state),
            queued_again: live.is_some_and(|live| live != attempt.id),
            ended: end.is_some(),
            end: end.filter(|_| !ended_before),
        }
    }
}

impl Decide {
    /// The upstream order id that the decision brings, if it brings one.
    fn upstream_order(&self) -> Option<&str> {
        match &self.decision {
            Decision::Verdict { outcome: SubmitOutcome::Accepted { order, .. }, .. } => Some(order),
            Decision::Taken { upstream_order, .. } => Some(upstream_order),
            _ => None,
        }
    }

    fn act(&self, work: &mut Work, attempt: &AttemptRow) -> bool {
        match &self.decision {
            Decision::Verdict { send_number, outcome } => self.verdict(work, attempt, *send_number, outcome),
            Decision::NotSent { send_number, reason } => {
                let mine = attempt.state == AttemptState::Unknown || attempt.send_number == *send_number;
                mine && attempt.state != AttemptState::Queued
                    && self.not_taken(work, attempt, &format!("not sent: {reason}"), None)
            }
            Decision::QueueDeadline => {
                attempt.state == AttemptState::Queued
                    && self.not_taken(work, attempt, "it waited too long to be sent", None)
            }
            Decision::Orphaned { send_number } => {
                if attempt.send_number != *send_number {
                    return false;
                }
                let evidence = json!({"reason": "whoever was sending it is gone", "owner": attempt.owner});
                lose(work, attempt.id, "whoever was sending it is gone", evidence, self.now)
            }
            Decision::Taken { upstream_order, by } => self.taken(work, attempt, upstream_order, None, by),
            Decision::NotTaken { by } => {
                matches!(attempt.state, AttemptState::Unknown | AttemptState::Disputed)
                    && self.not_taken(work, attempt, by, None)
            }
            Decision::UnknownDeadline => self.dispute(work, attempt),
            Decision::WriteOff => moves::write_off(work, attempt.id, &self.rate, self.now),
        }
    }

    /// All four arms of a verdict. It counts while its send is under way, and it still counts when the send was given up
    /// for unknown meanwhile.
    fn verdict(&self, work: &mut Work, attempt: &AttemptRow, send_number: i64, outcome: &SubmitOutcome) -> bool {
        if attempt.send_number != send_number {
            return false;
        }
        match outcome {
            SubmitOutcome::Accepted { order, charge } => self.taken(work, attempt, order, *charge, "accepted"),
            SubmitOutcome::Rejected(refusal) => {
                let data = json!({"refusal": refusal.name(), "text": refusal.text()});
                self.not_taken(work, attempt, &format!("refused ({})", refusal.name()), Some(data))
            }
            SubmitOutcome::Busy { retry_after_ms, active_target } => {
                self.busy(work, attempt, *retry_after_ms, *active_target)
            }
            SubmitOutcome::Unknown(evidence) => {
                lose(work, attempt.id, &evidence.reason, evidence_json(evidence), self.now)
            }
        }
    }

    fn taken(
        &self,
        work: &mut Work,
        attempt: &AttemptRow,
        upstream_order: &str,
        charge: Option<Stated>,
        how: &str,
    ) -> bool {
        if work.holder_of(&attempt.upstream, upstream_order).is_some_and(|holder| holder != attempt.id) {
            return self.already_held(work, attempt, upstream_order);
        }
        match attempt.state {
            AttemptState::Sending | AttemptState::Unknown => {
                let done = accept(work, attempt.id, upstream_order, how, self.now, self.first_status_ms);
                if let Some(charge) = charge.filter(|_| done) {
                    running_charge(work, attempt.id, charge.amount, charge.currency, self.charge_factor_max, self.now);
                }
                done
            }
            // Told twice, it is no news.
            _ if attempt.upstream_order.as_deref() == Some(upstream_order) => false,
            AttemptState::Disputed => self.settle_taken(work, attempt, upstream_order, charge, how),
            AttemptState::Released => self.contradiction(work, attempt, upstream_order, charge, how),
            AttemptState::Settled if attempt.upstream_order.is_none() && attempt.to_loss => {
                self.found_after_write_off(work, attempt, upstream_order)
            }
            AttemptState::Settled if attempt.upstream_order.is_none() => {
                self.contradiction(work, attempt, upstream_order, charge, how)
            }
            AttemptState::Queued | AttemptState::Accepted | AttemptState::Ended | AttemptState::Settled => {
                self.contradicted(work, attempt, &format!("{how} as {upstream_order}"))
            }
        }
    }

    /// An order id that belongs to another attempt: nobody can tell whose order it is.
    fn already_held(&self, work: &mut Work, attempt: &AttemptRow, upstream_order: &str) -> bool {
        let holder = work.holder_of(&attempt.upstream, upstream_order);
        let reason = format!("order id {upstream_order} is in our books already");
        let evidence = json!({"reason": reason, "upstream_order": upstream_order, "held_by_attempt": holder});
        lose(work, attempt.id, &reason, evidence, self.now) || self.contradicted(work, attempt, &reason)
    }

    /// What comes after the attempt was decided otherwise: it moves nothing, and a person is told.
    fn contradicted(&self, work: &mut Work, attempt: &AttemptRow, what: &str) -> bool {
        let text = format!("{what}, after it had become {}", attempt.state.name());
        work.event(&tags_of(work, attempt), self.now, "contradiction", text.clone(), None);
        let suggested = "look at the orders there, then: review resolve CASE --write-off closes it";
        moves::open_case(work, attempt.id, "contradiction", self.now, suggested, json!({"reason": text}));
        true
    }

    /// What a charge that nobody reserved for is booked at: itself if it can be believed, else what was expected.
    fn believed(&self, work: &mut Work, attempt: &AttemptRow, charge: Option<Stated>) -> Micros {
        let Some(charge) = charge else { return attempt.reserve };
        let usable = in_currency(charge.currency, attempt.currency)
            && usable_while_running(charge.amount, attempt.reserve, self.charge_factor_max);
        if usable {
            return charge.amount;
        }
        charge_finding(work, attempt, charge.amount, charge.currency, self.now);
        attempt.reserve
    }

    fn not_taken(&self, work: &mut Work, attempt: &AttemptRow, reason: &str, data: Option<Value>) -> bool {
        if attempt.state == AttemptState::Disputed {
            return self.settle_not_taken(work, attempt, reason);
        }
        if !release(work, attempt.id, reason, self.now, data) {
            // A refusal of what a person said was taken must not pass in silence.
            return attempt.state == AttemptState::Accepted && self.contradicted(work, attempt, reason);
        }
        next_or_refund(work, attempt.order_id, &self.next, "no upstream took it", self.now);
        true
    }

    /// Certainly not taken now: back into the queue. If the send was given up for unknown meanwhile, it is proof enough.
    fn busy(&self, work: &mut Work, attempt: &AttemptRow, retry_after_ms: Option<u64>, active: ActiveTarget) -> bool {
        let why = match active {
            ActiveTarget::Yes => "the upstream has an active order on that target",
            ActiveTarget::No => "the upstream is busy",
        };
        if attempt.state == AttemptState::Unknown {
            return self.not_taken(work, attempt, why, None);
        }
        let wait =
            retry_after_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0).clamp(BUSY_WAIT_MS, BUSY_WAIT_MAX_MS);
        let data = json!({"wait_ms": wait});
        if !moves::advance(
            work,
            attempt.id,
            AttemptEvent::Busy,
            self.now,
            &format!("{why}; again in {wait} ms"),
            Some(data),
        ) {
            return false;
        }
        if let Some(attempt) = work.attempt_mut(attempt.id) {
            (attempt.owner, attempt.lease_until) = (None, None);
            attempt.not_before = self.now.plus_ms(wait);
        }
        // A cancellation that came while it was being sent need not wait any longer.
        if work.order(attempt.order_id).is_some_and(|o| o.cancel_requested_at.is_some()) {
            self.not_taken(work, attempt, "canceled while queued", None);
        }
        true
    }

    /// Past its deadline under the policy "refund": the customer has waited long enough.
    fn dispute(&self, work: &mut Work, attempt: &AttemptRow) -> bool {
        let text = "unknown for too long; the customer is refunded, the money is disputed";
        if !moves::advance(work, attempt.id, AttemptEvent::Dispute, self.now, text, None) {
            return false;
        }
        let tags = tags_of(work, attempt);
        work.post(&attempts::dispute(&book(attempt)), &tags, self.now);
        if let Some(order) = work.order(attempt.order_id).cloned() {
            moves::end_order(work, order.id, moves::canceled(&order), None, "no verdict in time", self.now);
        }
        true
    }

    /// Found taken after the customer was refunded: the order stays canceled, the cost is lost, and it is canceled there
    /// if that can be done.
    fn settle_taken(
        &self,
        work: &mut Work,
        attempt: &AttemptRow,
        upstream_order: &str,
        charge: Option<Stated>,
        how: &str,
    ) -> bool {
        let text = format!("{how} as {upstream_order}, after the customer was refunded");
        if !moves::advance(work, attempt.id, AttemptEvent::Settle, self.now, &text, None) {
            return false;
        }
        let cost = self.believed(work, attempt, charge);
        let tags = tags_of(work, attempt);
        work.post(&attempts::settle_taken(&book(attempt), cost, &self.rate), &tags, self.now);
        moves::close_cases(work, attempt.id, self.now, &text);
        self.lost(work, attempt, upstream_order, cost);
        true
    }

    fn settle_not_taken(&self, work: &mut Work, attempt: &AttemptRow, reason: &str) -> bool {
        let text = format!("not taken: {reason}");
        if !moves::advance(work, attempt.id, AttemptEvent::Settle, self.now, &text, None) {
            return false;
        }
        let tags = tags_of(work, attempt);
        work.post(&attempts::settle_not_taken(&book(attempt)), &tags, self.now);
        moves::close_cases(work, attempt.id, self.now, &text);
        true
    }

    /// Released, and then found taken: a person is told, the cost is lost.
    fn contradiction(
        &self,
        work: &mut Work,
        attempt: &AttemptRow,
        upstream_order: &str,
        charge: Option<Stated>,
        how: &str,
    ) -> bool {
        if attempt.to_loss {
            return false;
        }
        let cost = self.believed(work, attempt, charge);
        let tags = tags_of(work, attempt);
        work.post(&attempts::contradiction(&book(attempt), cost, &self.rate), &tags, self.now);
        let text = format!("{how} as {upstream_order}, after it had been released");
        work.event(&tags, self.now, "contradiction", text.clone(), None);
        let suggested = "cancel it at the upstream, then: review resolve CASE --write-off";
        moves::open_case(
            work,
            attempt.id,
            "contradiction",
            self.now,
            suggested,
            json!({"reason": text, "upstream_order": upstream_order}),
        );
        self.lost(work, attempt, upstream_order, cost);
        true
    }

    /// Written off, and then found: its money is booked as lost already.
    fn found_after_write_off(&self, work: &mut Work, attempt: &AttemptRow, upstream_order: &str) -> bool {
        self.contradicted(work, attempt, &format!("found as {upstream_order}"));
        self.lost(work, attempt, upstream_order, attempt.reserve);
        true
    }

    /// From now on this upstream order costs us only: it is to be canceled, and what moves goes to loss.
    fn lost(&self, work: &mut Work, attempt: &AttemptRow, upstream_order: &str, cost: Micros) {
        work.hold(&attempt.upstream, upstream_order, attempt.id);
        if let Some(attempt) = work.attempt_mut(attempt.id) {
            attempt.upstream_order = Some(upstream_order.to_owned());
            (attempt.cost, attempt.last_charge, attempt.to_loss) = (Some(cost), cost, true);
        }
        let subject = attempt.id.to_string();
        work.set_due(DueKind::Cancel, subject.clone(), &attempt.upstream, self.now, self.first_status_ms);
        work.set_due(
            DueKind::Status,
            subject,
            &attempt.upstream,
            self.now.plus_ms(self.first_status_ms),
            self.first_status_ms,
        );
    }
}
