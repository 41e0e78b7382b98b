//! The moves of orders and attempts that several operations share. Each changes rows, posts to the books and adds to the
//! timeline together, so that no state changes without the other two.

use std::collections::BTreeSet;

use interline_domain::{
    AttemptEvent, AttemptId, AttemptState, CaseId, Currency, Micros, Money, OrderId, OrderStatus, Progress, ServiceId,
    Timestamp, price,
};
use interline_ledger::{Account, AttemptBook, BaseRate, Held, LedgerAccount, attempts, customers};
use interline_routing::Candidate;
use interline_store::{AttemptRow, DueKind, OrderRow, Tags, Work, attempt_tags, order_tags};
use interline_upstream::Evidence;
use serde_json::{Value, json};

/// Who sends an attempt, and until when it may be waiting for the verdict.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) boot: String,
    pub(crate) lease_ms: i64,
}

/// The first candidate whose upstream has the money in its books.
pub(crate) fn affordable<'a>(
    work: &Work,
    candidates: impl IntoIterator<Item = &'a Candidate>,
) -> Option<&'a Candidate> {
    candidates.into_iter().find(|candidate| {
        let book = work.balance(&upstream_account(Account::Upstream, candidate));
        candidate.cost.is_some_and(|cost| cost <= book) && book > Micros::ZERO
    })
}

fn upstream_account(kind: fn(interline_domain::UpstreamId) -> Account, candidate: &Candidate) -> LedgerAccount {
    LedgerAccount { account: kind(candidate.upstream.clone()), currency: candidate.currency }
}

/// Names the accounts that queueing at any of these candidates posts to.
pub(crate) fn candidate_accounts<'a>(
    candidates: impl IntoIterator<Item = &'a Candidate>,
    accounts: &mut BTreeSet<LedgerAccount>,
) {
    for candidate in candidates {
        accounts.insert(upstream_account(Account::Upstream, candidate));
        accounts.insert(upstream_account(Account::Committed, candidate));
    }
}

/// Names the accounts that moving this order and its attempts may post to.
pub(crate) fn order_accounts(work: &Work, order: OrderId, accounts: &mut BTreeSet<LedgerAccount>) {
    let Some(order) = work.order(order) else { return };
    accounts.insert(LedgerAccount { account: Account::Wallet(order.account.clone()), currency: order.currency });
    for attempt in work.attempts_of(order.id) {
        let id = &attempt.upstream;
        for kind in [Account::Upstream, Account::Committed, Account::Claims, Account::Disputed] {
            accounts.insert(LedgerAccount { account: kind(id.clone()), currency: attempt.currency });
        }
    }
}

/// What the books hold for an attempt.
pub(crate) fn book(attempt: &AttemptRow) -> AttemptBook {
    AttemptBook {
        attempt: attempt.id,
        upstream: attempt.upstream.clone(),
        currency: attempt.currency,
        reserve: attempt.reserve,
        wip: attempt.wip,
    }
}

/// The tags of an attempt, with the service of its order.
pub(crate) fn tags_of(work: &Work, attempt: &AttemptRow) -> Tags {
    attempt_tags(attempt, work.order(attempt.order_id).map(|o| o.service))
}

/// Reserves at a candidate: a new attempt, queued, or being sent at once by `sender`.
pub(crate) fn queue(
    work: &mut Work,
    order: OrderId,
    service: ServiceId,
    candidate: &Candidate,
    sender: Option<&Sender>,
    now: Timestamp,
) -> AttemptId {
    let id = work.next_attempt_id();
    let reserve = candidate.cost.unwrap_or_default();
    let sending = sender.is_some();
    let attempt = AttemptRow {
        id,
        order_id: order,
        upstream: candidate.upstream.clone(),
        upstream_service: candidate.service.clone(),
        params: candidate.params.clone(),
        state: if sending { AttemptState::Sending } else { AttemptState::Queued },
        upstream_order: None,
        currency: candidate.currency,
        reserve,
        wip: Micros::ZERO,
        last_charge: reserve,
        charge_read: false,
        cost: None,
        claim: Micros::ZERO,
        postings: 0,
        to_loss: false,
        send_number: i64::from(sending),
        owner: sender.map(|s| s.boot.clone()),
        lease_until: sender.map(|s| now.plus_ms(s.lease_ms)),
        not_before: now,
        queued_at: now,
        sent_at: sending.then_some(now),
        decided_at: None,
        ended_at: None,
        reason: None,
    };
    let tags = attempt_tags(&attempt, Some(service));
    work.post(&attempts::reserve(&book(&attempt)), &tags, now);
    let (upstream, kind) = (&attempt.upstream, attempt.state.name());
    let text = format!("{kind} at {upstream}, {reserve} {} reserved", attempt.currency);
    work.event(
        &tags,
        now,
        kind,
        text,
        Some(json!({"upstream": upstream, "service": attempt.upstream_service, "reserve": reserve.to_string()})),
    );
    work.add_attempt(attempt);
    id
}

/// Moves an attempt on; says whether that could happen. The timeline gets `text` under the new state's name.
pub(crate) fn advance(
    work: &mut Work,
    id: AttemptId,
    event: AttemptEvent,
    now: Timestamp,
    text: &str,
    data: Option<Value>,
) -> bool {
    let Some(attempt) = work.attempt(id) else { return false };
    let Some(next) = attempt.state.on(event) else { return false };
    let tags = tags_of(work, attempt);
    if let Some(attempt) = work.attempt_mut(id) {
        attempt.state = next;
        if next.is_committed() {
            attempt.ended_at = None;
        } else if next != AttemptState::Accepted {
            attempt.ended_at = Some(now);
        }
    }
    work.event(&tags, now, next.name(), text, data);
    true
}

/// Gives an attempt's reserve back: it was certainly not taken.
pub(crate) fn release(work: &mut Work, id: AttemptId, reason: &str, now: Timestamp, data: Option<Value>) -> bool {
    if !advance(work, id, AttemptEvent::Release, now, &format!("not taken: {reason}"), data) {
        return false;
    }
    let Some(attempt) = work.attempt(id).cloned() else { return false };
    let tags = tags_of(work, &attempt);
    work.post(&attempts::release(&book(&attempt)), &tags, now);
    close_cases(work, id, now, &format!("not taken: {reason}"));
    if let Some(attempt) = work.attempt_mut(id) {
        (attempt.decided_at, attempt.reason) = (Some(now), Some(reason.to_owned()));
        (attempt.lease_until, attempt.not_before) = (None, now);
    }
    true
}

/// Books that the upstream holds the order under `upstream_order`, since `now`.
pub(crate) fn accept(
    work: &mut Work,
    id: AttemptId,
    upstream_order: &str,
    how: &str,
    now: Timestamp,
    first_status_ms: i64,
) -> bool {
    let text = format!("{how} as {upstream_order}");
    if !advance(work, id, AttemptEvent::Accept, now, &text, Some(json!({"upstream_order": upstream_order}))) {
        return false;
    }
    let Some(attempt) = work.attempt(id).cloned() else { return false };
    let tags = tags_of(work, &attempt);
    work.post(&attempts::accept(&book(&attempt)), &tags, now);
    work.hold(&attempt.upstream, upstream_order, id);
    close_cases(work, id, now, &text);
    if let Some(attempt) = work.attempt_mut(id) {
        attempt.upstream_order = Some(upstream_order.to_owned());
        attempt.wip = attempt.reserve;
        (attempt.decided_at, attempt.lease_until, attempt.reason) = (Some(now), None, None);
    }
    work.set_due(DueKind::Status, id.to_string(), &attempt.upstream, now.plus_ms(first_status_ms), first_status_ms);
    if work.order(attempt.order_id).is_some_and(|o| o.cancel_requested_at.is_some()) {
        work.set_due(DueKind::Cancel, id.to_string(), &attempt.upstream, now, first_status_ms);
    }
    true
}

/// Notes that nobody knows whether an attempt was taken; its case is opened in the same commit.
pub(crate) fn lose(work: &mut Work, id: AttemptId, reason: &str, evidence: Value, now: Timestamp) -> bool {
    if !advance(work, id, AttemptEvent::Lose, now, &format!("unknown: {reason}"), Some(evidence.clone())) {
        return false;
    }
    if let Some(attempt) = work.attempt_mut(id) {
        (attempt.decided_at, attempt.reason) = (Some(now), Some(reason.to_owned()));
    }
    let suggested = "look for the order at the upstream, then: review resolve CASE --delivered ID, or --not-delivered";
    open_case(work, id, "unknown", now, suggested, evidence);
    true
}

/// Opens a case about an attempt, with its reserve as the money in question.
pub(crate) fn open_case(
    work: &mut Work,
    id: AttemptId,
    kind: &str,
    now: Timestamp,
    suggested: &str,
    evidence: Value,
) -> Option<CaseId> {
    let attempt = work.attempt(id)?;
    let (tags, money): (Tags, (Micros, Currency)) = (tags_of(work, attempt), (attempt.reserve, attempt.currency));
    Some(work.open_case(kind, &tags, Some(money), now, suggested, evidence))
}

/// Closes every open case about an attempt.
pub(crate) fn close_cases(work: &mut Work, id: AttemptId, now: Timestamp, resolution: &str) {
    for case in work.open_cases_of(id) {
        work.close_case(case, now, resolution);
    }
}

/// Tries the next candidate that can be paid, or gives the customer everything back. Says where it was queued.
pub(crate) fn next_or_refund(
    work: &mut Work,
    order: OrderId,
    candidates: &[Candidate],
    why: &str,
    now: Timestamp,
) -> Option<AttemptId> {
    let row = work.order(order)?;
    if row.status.is_terminal() {
        return None;
    }
    let service = row.service;
    let next = if row.cancel_requested_at.is_some() { None } else { affordable(work, candidates).cloned() };
    if let Some(candidate) = next {
        return Some(queue(work, order, service, &candidate, None, now));
    }
    let why = if row.cancel_requested_at.is_some() { "canceled as the customer asked" } else { why };
    end_order(work, order, canceled(row), None, why, now);
    None
}

/// The progress of an order of which nothing is delivered.
pub(crate) fn canceled(order: &OrderRow) -> Progress {
    Progress { status: OrderStatus::Canceled, remains: Some(order.quantity), ..order.progress() }
}

/// Ends an order: the refund for what remains goes back, the rest is earned. `by` is the attempt that brought the end.
pub(crate) fn end_order(work: &mut Work, id: OrderId, end: Progress, by: Option<AttemptId>, why: &str, now: Timestamp) {
    let Some(order) = work.order(id).cloned() else { return };
    if order.status.is_terminal() {
        return;
    }
    let remains = end.remains.unwrap_or(0).min(order.quantity);
    let refund = price::refund(order.charge, remains, order.quantity);
    let tags = order_tags(&order);
    let charge = Money::new(order.charge, order.currency);
    work.post(&customers::order_end(id, &order.account, charge, refund), &tags, now);
    if let Some(order) = work.order_mut(id) {
        order.set_progress(Progress { remains: Some(remains), ..end });
        (order.refund, order.ended_at) = (refund, Some(now));
    }
    let text = format!("{}: {why}; {refund} {} refunded", end.status.name(), order.currency);
    let data = json!({"status": end.status.name(), "remains": remains, "refund": refund.to_string()});
    work.event(&Tags { attempt_id: by, ..tags }, now, "ended", text, Some(data));
}

/// Closes an unknown or disputed attempt without proof: its money is lost, and its customer is refunded if that has not
/// happened.
pub(crate) fn write_off(work: &mut Work, id: AttemptId, rate: &BaseRate, now: Timestamp) -> bool {
    let Some(attempt) = work.attempt(id).cloned() else { return false };
    let held = if attempt.state == AttemptState::Disputed { Held::Disputed } else { Held::Committed };
    if !advance(work, id, AttemptEvent::Settle, now, "written off", None) {
        return false;
    }
    let tags = tags_of(work, &attempt);
    work.post(&attempts::write_off(&book(&attempt), held, rate), &tags, now);
    if let Some(attempt) = work.attempt_mut(id) {
        attempt.to_loss = true;
    }
    close_cases(work, id, now, "written off");
    if let Some(order) = work.order(attempt.order_id).cloned() {
        end_order(work, order.id, canceled(&order), None, "written off", now);
    }
    true
}

/// Evidence as it is kept in cases and timelines.
pub(crate) fn evidence_json(evidence: &Evidence) -> Value {
    json!({"status": evidence.status, "reason": evidence.reason, "excerpt": evidence.excerpt})
}
