//! Refills: asked for at most once, then followed. A refill is a submission, with a row of intent before it is sent and a
//! case when nobody can tell whether it was taken (ledger design, rule 5).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use interline_domain::{
    AccountId, AttemptId, AttemptState, OrderId, OrderStatus, RefillId, RefillState, RefillStatus, Timestamp,
};
use interline_egress::{Permit, SendDeadline, SubmitError};
use interline_ledger::LedgerAccount;
use interline_store::{AttemptRow, DueKind, DueRow, Lane, Needs, Operation, RefillRow, StoreError, Work, attempt_tags};
use interline_upstream::{Answer, Call, Evidence, SubmitOutcome};
use serde_json::json;
use tracing::Instrument as _;

use crate::{
    catalogue::Upstream,
    dispatch::{LEASE_BEYOND_TIMEOUT_MS, SEND_WITHIN},
    gateway::Gateway,
    moves::{Sender, evidence_json},
    remote::describe,
};

/// Pause before a verdict that could not be booked is booked again.
const BOOK_AGAIN: Duration = Duration::from_millis(200);

/// Why a refill was not asked for, or not taken.
#[derive(Debug, thiserror::Error)]
pub enum RefillRefusal {
    /// No such order of this account.
    #[error("there is no such order")]
    Order,
    /// The order, its service or its upstream cannot be refilled now.
    #[error("it cannot be refilled")]
    NotEligible,
    /// Too busy, or the database is away.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of asking.
enum Asked {
    /// Taken, or nobody knows.
    Stands,
    /// Certainly not taken.
    Refused,
    /// Certainly not taken, because the upstream is busy.
    Busy,
}

impl Gateway {
    /// Asks for a refill and waits for the upstream's verdict as long as the settings say.
    pub async fn refill(self: &Arc<Self>, account: &AccountId, order: OrderId) -> Result<RefillId, RefillRefusal> {
        let (upstream, attempt) = self.refillable(account, order).await?;
        let wait = Duration::from_millis(self.settings().dispatch_wait_ms);
        // Nothing is kept before there is a place on the wire: a refill that cannot be sent now is asked for again.
        let permit = tokio::time::timeout(wait, upstream.lane.permit()).await.ok().flatten().ok_or(StoreError::Busy)?;
        let deadline = SendDeadline::after(SEND_WITHIN);
        let timeout = i64::try_from(upstream.record.settings.timeout_ms).unwrap_or(i64::MAX / 2);
        let sender = Sender { boot: self.boot.clone(), lease_ms: timeout + LEASE_BEYOND_TIMEOUT_MS };
        let operation = Ask { order, attempt: attempt.id, sender, now: self.now() };
        let upstream_order = attempt.upstream_order.clone().unwrap_or_default();
        let gateway = Arc::clone(self);
        let (tell, told) = tokio::sync::oneshot::channel();
        // On a task of its own: a client that hangs up must not part the commit from the hand-over.
        let asked = async move {
            let Some(id) = gateway.store.writer().run(Lane::Customer, operation).await? else {
                return Ok(Asked::Refused);
            };
            // Whoever asked may have gone away.
            let _ = tell.send(id);
            let outcome = gateway.send_refill(&upstream, upstream_order, permit, deadline).await;
            Ok::<_, StoreError>(gateway.book_refill(id, outcome).await)
        };
        let asked = self.under_way.spawn(asked.in_current_span());
        match tokio::time::timeout(wait, asked).await {
            Ok(Ok(asked)) => match asked? {
                Asked::Refused => Err(RefillRefusal::NotEligible),
                Asked::Busy => Err(StoreError::Busy.into()),
                Asked::Stands => told.await.map_err(|_| StoreError::Uncertain.into()),
            },
            // It takes long: the refill stands if it has an id by now.
            _ => told.await.map_err(|_| StoreError::Busy.into()),
        }
    }

    /// The upstream and the attempt that delivered the order, if both can be asked for a refill.
    async fn refillable(
        &self,
        account: &AccountId,
        order: OrderId,
    ) -> Result<(Arc<Upstream>, AttemptRow), RefillRefusal> {
        let row =
            self.read(self.store.order(order)).await?.filter(|o| o.account == *account).ok_or(RefillRefusal::Order)?;
        let catalogue = self.catalogue();
        let offered = catalogue.service(row.service).is_some_and(|s| s.refill);
        let attempt =
            self.read(self.store.attempts_of(&[order])).await?.pop().filter(|a| a.state == AttemptState::Ended);
        let (true, true, Some(attempt)) = (offered, row.status == OrderStatus::Completed, attempt) else {
            return Err(RefillRefusal::NotEligible);
        };
        let upstream = catalogue.upstream(&attempt.upstream).ok_or(RefillRefusal::NotEligible)?;
        let listed = upstream.listing(&attempt.upstream_service).and_then(|l| l.refill);
        if listed == Some(false) {
            return Err(RefillRefusal::NotEligible);
        }
        Ok((Arc::clone(upstream), attempt))
    }

    async fn send_refill(&self, upstream: &Upstream, order: String, permit: Permit, deadline: SendDeadline) -> Sent {
        let answered = self.hand_over(upstream, &Call::Refill(order), deadline, None).await;
        drop(permit);
        match answered {
            Ok(Answer::Refill(outcome)) => Sent::Answered(outcome),
            Ok(other) => Sent::unknown(format!("the dialect answered with {other:?}")),
            Err(SubmitError::NotSent(reason)) => Sent::Not(reason),
            Err(SubmitError::Uncertain(reason) | SubmitError::TimedOut(reason)) => Sent::unknown(reason),
        }
    }

    /// Books what became of asking, as often as it takes.
    async fn book_refill(self: &Arc<Self>, refill: RefillId, sent: Sent) -> Asked {
        let asked = match &sent {
            Sent::Answered(SubmitOutcome::Accepted { .. } | SubmitOutcome::Unknown(_)) => Asked::Stands,
            Sent::Answered(SubmitOutcome::Busy { .. }) | Sent::Not(_) => Asked::Busy,
            Sent::Answered(SubmitOutcome::Rejected(_)) => Asked::Refused,
        };
        let decision = match sent {
            Sent::Not(reason) => RefillDecision::Rejected { reason: format!("not sent: {reason}") },
            Sent::Answered(SubmitOutcome::Accepted { order, .. }) => {
                RefillDecision::Accepted { upstream_refill: order }
            }
            Sent::Answered(SubmitOutcome::Rejected(refusal)) => {
                RefillDecision::Rejected { reason: format!("refused ({}): {}", refusal.name(), refusal.text()) }
            }
            Sent::Answered(SubmitOutcome::Busy { .. }) => {
                RefillDecision::Rejected { reason: "the upstream is busy".to_owned() }
            }
            Sent::Answered(SubmitOutcome::Unknown(evidence)) => RefillDecision::Unknown { evidence },
        };
        let mut failed = false;
        while let Err(error) = self.decide_refill(refill, decision.clone()).await {
            if !failed {
                tracing::error!(refill = refill.0, %error, "a refill's verdict could not be booked; it is tried until it is");
            }
            failed = true;
            tokio::time::sleep(BOOK_AGAIN).await;
        }
        asked
    }

    /// Decides a refill; says whether that changed anything.
    pub(crate) async fn decide_refill(&self, refill: RefillId, decision: RefillDecision) -> Result<bool, StoreError> {
        let first_ms = self.settings().status_first_ms;
        let lost = match &decision {
            RefillDecision::Unknown { evidence } => Some(evidence.reason.clone()),
            _ => None,
        };
        let operation = DecideRefill { refill, decision, first_ms, now: self.now() };
        let changed = self.store.writer().run(Lane::Background, operation).await?;
        if let Some(error) = lost.filter(|_| changed) {
            tracing::warn!(refill = refill.0, error, "a refill is unknown; a case is open (interline review list)");
        }
        self.due.notify_one();
        Ok(changed)
    }

    /// Whatever was being sent by a process that is gone is unknown: it is never asked for again.
    pub(crate) async fn recover_refills(&self) -> Result<(), StoreError> {
        for refill in self.store.orphaned_refills(&self.boot, self.now()).await? {
            let reason = "whoever was sending it is gone".to_owned();
            let evidence = Evidence { status: None, reason, excerpt: String::new() };
            self.decide_refill(refill, RefillDecision::Unknown { evidence }).await?;
        }
        Ok(())
    }

    /// The statuses of those of these refills that are the account's own.
    pub async fn refill_statuses(
        &self,
        account: &AccountId,
        refills: &[RefillId],
    ) -> Result<BTreeMap<RefillId, RefillStatus>, StoreError> {
        let found = self.read(self.store.refills(refills)).await?;
        Ok(found
            .into_iter()
            .filter(|(_, owner)| owner == account)
            .map(|(refill, _)| (refill.id, refill.status))
            .collect())
    }

    /// Reads the refills that are due at an upstream.
    pub(crate) async fn read_refills(self: &Arc<Self>, upstream: &Upstream) -> Result<(), StoreError> {
        let Some(dialect) = &upstream.dialect else { return Ok(()) };
        let due = self.take_due(DueKind::Refill, upstream, dialect.capabilities().status_batch_max).await?;
        let ids: Vec<RefillId> = due.iter().filter_map(|d| d.subject.parse().ok()).collect();
        let refills: BTreeMap<String, RefillRow> =
            self.store.refills(&ids).await?.into_iter().map(|(r, _)| (r.id.to_string(), r)).collect();
        let asked: Vec<String> = refills.values().filter_map(|r| r.upstream_refill.clone()).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let told = match self.ask(upstream, &Call::RefillStatus(asked)).await {
            Ok(Answer::RefillStatus(told)) => told,
            Ok(Answer::Fault(fault)) => {
                tracing::warn!(upstream = %upstream.record.id, error = describe(&fault), "refills could not be read");
                BTreeMap::new()
            }
            Ok(_) => BTreeMap::new(),
            Err(error) => {
                tracing::warn!(upstream = %upstream.record.id, error, "refills could not be read");
                BTreeMap::new()
            }
        };
        let mut quiet: Vec<DueRow> = Vec::new();
        for row in due {
            let refill = refills.get(&row.subject);
            let said = refill.and_then(|r| r.upstream_refill.as_ref()).and_then(|id| told.get(id));
            match refill.zip(said) {
                Some((refill, said)) if *said != refill.status => {
                    // An end takes the row off the list, and then there is nothing to put off.
                    self.decide_refill(refill.id, RefillDecision::Says { status: *said }).await?;
                    quiet.push(self.later(row));
                }
                _ => quiet.push(self.later(row)),
            }
        }
        self.store.put_off(DueKind::Refill, &quiet).await
    }
}

/// What became of a refill on the wire.
enum Sent {
    /// Not one byte was handed over.
    Not(String),
    /// It was answered, or may have been.
    Answered(SubmitOutcome),
}

impl Sent {
    fn unknown(reason: String) -> Self {
        Self::Answered(SubmitOutcome::Unknown(Evidence { status: None, reason, excerpt: String::new() }))
    }
}

/// The commit of the intent: a refill that is being sent by this boot.
#[derive(Debug)]
struct Ask {
    order: OrderId,
    attempt: AttemptId,
    sender: Sender,
    now: Timestamp,
}

impl Operation for Ask {
    type Reply = Option<RefillId>;

    fn needs(&self, needs: &mut Needs) {
        needs.orders.insert(self.order);
        needs.new_refills += 1;
    }

    fn accounts(&self, _: &Work, _: &mut BTreeSet<LedgerAccount>) {}

    fn decide(&self, work: &mut Work) -> Option<RefillId> {
        let attempt = work.attempt(self.attempt)?.clone();
        let service = work.order(self.order)?.service;
        if work.refills_of(self.order).any(|r| r.state.is_open()) {
            return None;
        }
        let id = work.next_refill_id();
        work.add_refill(RefillRow {
            id,
            order_id: self.order,
            attempt_id: self.attempt,
            upstream: attempt.upstream.clone(),
            state: RefillState::Sending,
            status: RefillStatus::Pending,
            upstream_refill: None,
            owner: self.sender.boot.clone(),
            lease_until: self.now.plus_ms(self.sender.lease_ms),
            postings: 0,
            created_at: self.now,
            ended_at: None,
            reason: None,
        });
        let tags = attempt_tags(&attempt, Some(service));
        work.event(
            &tags,
            self.now,
            "refill",
            format!("refill {id} is asked for at {}", attempt.upstream),
            Some(json!({"refill": id})),
        );
        Some(id)
    }
}

/// What became of a refill.
#[derive(Debug, Clone)]
pub(crate) enum RefillDecision {
    /// The upstream took it, or a person found it there.
    Accepted { upstream_refill: String },
    /// It certainly did not, or a person says so.
    Rejected { reason: String },
    /// Nobody can tell.
    Unknown { evidence: Evidence },
    /// The upstream says how it stands.
    Says { status: RefillStatus },
}

#[derive(Debug)]
struct DecideRefill {
    refill: RefillId,
    decision: RefillDecision,
    first_ms: i64,
    now: Timestamp,
}

impl Operation for DecideRefill {
    type Reply = bool;

    fn needs(&self, needs: &mut Needs) {
        needs.refills.insert(self.refill);
    }

    fn accounts(&self, _: &Work, _: &mut BTreeSet<LedgerAccount>) {}

    fn decide(&self, work: &mut Work) -> bool {
        let Some(refill) = work.refill(self.refill).cloned() else { return false };
        let waiting = matches!(refill.state, RefillState::Sending | RefillState::Unknown);
        match &self.decision {
            RefillDecision::Accepted { upstream_refill } if waiting => self.accept(work, &refill, upstream_refill),
            RefillDecision::Rejected { reason } if waiting => {
                self.end(work, &refill, RefillState::Rejected, RefillStatus::Rejected, reason);
            }
            RefillDecision::Unknown { evidence } if refill.state == RefillState::Sending => {
                self.lose(work, &refill, evidence);
            }
            RefillDecision::Says { status } if refill.state == RefillState::Accepted => match status {
                RefillStatus::Completed => self.end(work, &refill, RefillState::Completed, *status, "delivered"),
                RefillStatus::Rejected => {
                    self.end(work, &refill, RefillState::Rejected, *status, "given up by the upstream");
                }
                // A refill that is in progress never falls back.
                RefillStatus::Pending | RefillStatus::InProgress => {
                    if let Some(row) = work.refill_mut(refill.id) {
                        row.status = row.status.max(*status);
                    }
                }
            },
            _ => return false,
        }
        true
    }
}

impl DecideRefill {
    fn note(&self, work: &mut Work, refill: &RefillRow, text: String, data: Option<serde_json::Value>) {
        if let Some(attempt) = work.attempt(refill.attempt_id) {
            let tags = attempt_tags(attempt, work.order(refill.order_id).map(|o| o.service));
            work.event(&tags, self.now, "refill", text, data);
        }
    }

    fn accept(&self, work: &mut Work, refill: &RefillRow, upstream_refill: &str) {
        if let Some(row) = work.refill_mut(refill.id) {
            (row.state, row.upstream_refill, row.reason) =
                (RefillState::Accepted, Some(upstream_refill.to_owned()), None);
        }
        work.set_due(
            DueKind::Refill,
            refill.id.to_string(),
            &refill.upstream,
            self.now.plus_ms(self.first_ms),
            self.first_ms,
        );
        // Its cost shows in the order's charge, so the order is looked at again while the refill is open.
        work.set_due(
            DueKind::Status,
            refill.attempt_id.to_string(),
            &refill.upstream,
            self.now.plus_ms(self.first_ms),
            self.first_ms,
        );
        self.close_case(work, refill, "the upstream has it");
        self.note(work, refill, format!("refill {} accepted as {upstream_refill}", refill.id), None);
    }

    fn end(&self, work: &mut Work, refill: &RefillRow, state: RefillState, status: RefillStatus, reason: &str) {
        if let Some(row) = work.refill_mut(refill.id) {
            (row.state, row.status) = (state, status);
            (row.ended_at, row.reason) = (Some(self.now), Some(reason.to_owned()));
        }
        work.clear_due(DueKind::Refill, refill.id.to_string());
        self.close_case(work, refill, reason);
        self.note(work, refill, format!("refill {} {}: {reason}", refill.id, status.name()), None);
    }

    fn lose(&self, work: &mut Work, refill: &RefillRow, evidence: &Evidence) {
        if let Some(row) = work.refill_mut(refill.id) {
            (row.state, row.reason) = (RefillState::Unknown, Some(evidence.reason.clone()));
        }
        let mut data = evidence_json(evidence);
        data["refill"] = json!(refill.id);
        self.note(work, refill, format!("refill {} unknown: {}", refill.id, evidence.reason), Some(data.clone()));
        if let Some(attempt) = work.attempt(refill.attempt_id) {
            let tags = attempt_tags(attempt, work.order(refill.order_id).map(|o| o.service));
            let suggested = "look for the refill at the upstream, then: review resolve CASE --delivered REFILL_ID, or --not-delivered";
            work.open_case("refill-unknown", &tags, None, self.now, suggested, data);
        }
    }

    fn close_case(&self, work: &mut Work, refill: &RefillRow, resolution: &str) {
        for case in work.open_cases_of(refill.attempt_id) {
            if work.case(case).is_some_and(|c| c.kind == "refill-unknown") {
                work.close_case(case, self.now, resolution);
            }
        }
    }
}
