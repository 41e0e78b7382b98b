//! What an upstream's report does to an order and to the books: progress, charges, the end, and what comes after it.

use std::collections::BTreeSet;

use interline_domain::{
    AttemptEvent, AttemptId, AttemptState, Currency, Micros, Money, OrderStatus, Progress, Report, Step, Timestamp,
    order::step,
};
use interline_ledger::{
    BaseRate, ChargeAfterPartial, End, LedgerAccount, attempts,
    cost::{in_currency, late_target_cost, reserved_price, target_cost, usable_at_end, usable_while_running},
    upstreams::refill_charge,
};
use interline_store::{AttemptRow, DueKind, Needs, Operation, OrderRow, RefillRow, Work};
use rust_decimal::Decimal;
use serde_json::json;

use crate::moves::{self, book, order_accounts, tags_of};

/// Looks at an ended order this often, each after twice the time: charges move after the end.
const LOOKS_AFTER_END: i64 = 3;

/// One report about one attempt.
#[derive(Debug)]
pub(crate) struct Reported {
    pub(crate) attempt: AttemptId,
    pub(crate) report: Report,
    pub(crate) rate: BaseRate,
    pub(crate) policy: ChargeAfterPartial,
    pub(crate) charge_factor_max: Decimal,
    /// The interval that led to this reading, and the bounds of the next.
    pub(crate) interval_ms: i64,
    pub(crate) first_ms: i64,
    pub(crate) max_ms: i64,
    pub(crate) now: Timestamp,
}

impl Operation for Reported {
    type Reply = Option<OrderRow>;

    fn needs(&self, needs: &mut Needs) {
        needs.attempts.insert(self.attempt);
    }

    fn accounts(&self, work: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        if let Some(attempt) = work.attempt(self.attempt) {
            order_accounts(work, attempt.order_id, accounts);
        }
    }

    fn decide(&self, work: &mut Work) -> Option<OrderRow> {
        let attempt = work.attempt(self.attempt)?.clone();
        let order = work.order(attempt.order_id)?.clone();
        match attempt.state {
            AttemptState::Accepted => self.running(work, &attempt, &order),
            _ if attempt.cost.is_some() => self.after_end(work, &attempt, &order),
            _ => work.clear_due(DueKind::Status, attempt.id.to_string()),
        }
        work.order(attempt.order_id).cloned()
    }
}

impl Reported {
    fn running(&self, work: &mut Work, attempt: &AttemptRow, order: &OrderRow) {
        self.note_remains(work, attempt, order.quantity);
        match step(order.progress(), order.quantity, &self.report) {
            Step::NoNews => {
                self.charge_while_running(work, attempt);
                self.look_again(work, attempt, false);
            }
            Step::Running(progress) => {
                self.charge_while_running(work, attempt);
                self.progress(work, attempt, order, progress);
                self.look_again(work, attempt, progress.status != order.status || progress.remains != order.remains);
            }
            Step::Unclear(progress, why) => {
                self.progress(work, attempt, order, progress);
                self.unclear(work, attempt, why);
                self.look_again(work, attempt, false);
            }
            Step::Ended(progress) => self.end(work, attempt, order, progress),
        }
    }

    fn progress(&self, work: &mut Work, attempt: &AttemptRow, order: &OrderRow, progress: Progress) {
        if progress == order.progress() {
            return;
        }
        if let Some(row) = work.order_mut(order.id) {
            row.set_progress(progress);
        }
        if progress.status != order.status {
            let data = json!({"status": progress.status.name(), "remains": progress.remains, "start_count": progress.start_count});
            work.event(&tags_of(work, attempt), self.now, "progress", progress.status.name(), Some(data));
        }
    }

    /// What cannot remain is taken for the nearest that can, and that is said once.
    fn note_remains(&self, work: &mut Work, attempt: &AttemptRow, quantity: u64) {
        let Some(remains) = self.report.remains else { return };
        if !u64::try_from(remains).is_ok_and(|remains| remains <= quantity) {
            let text = format!("{remains} of {quantity} cannot remain: read as the nearest that can");
            work.finding(format!("remains:{}", attempt.id), "remains", &tags_of(work, attempt), self.now, text);
        }
    }

    fn charge_while_running(&self, work: &mut Work, attempt: &AttemptRow) {
        if let Some(charge) = self.report.charge {
            running_charge(work, attempt.id, charge, self.report.currency, self.charge_factor_max, self.now);
        }
    }

    /// A person has to say what the end was; asked once.
    fn unclear(&self, work: &mut Work, attempt: &AttemptRow, why: &str) {
        if work.open_cases_of(attempt.id).is_empty() {
            work.event(
                &tags_of(work, attempt),
                self.now,
                "unclear",
                why,
                Some(json!({"report": report_json(&self.report)})),
            );
            let suggested = "look at the order there, then: review resolve CASE --delivered ID, or --not-delivered";
            moves::open_case(
                work,
                attempt.id,
                "unclear-end",
                self.now,
                suggested,
                json!({"reason": why, "report": report_json(&self.report)}),
            );
        }
    }

    fn end(&self, work: &mut Work, attempt: &AttemptRow, order: &OrderRow, progress: Progress) {
        let end = end_of(progress);
        let price = reserved_price(attempt.reserve, end.remains(order.quantity), order.quantity);
        let charge = self.report.charge.filter(|charge| {
            let usable = in_currency(self.report.currency, attempt.currency)
                && usable_at_end(*charge, attempt.reserve, price, end, self.charge_factor_max);
            if !usable {
                self.unbelievable(work, attempt, *charge);
            }
            usable
        });
        let target = target_cost(end, attempt.wip, charge, self.policy, order.quantity);
        end_attempt(work, attempt, order, progress, target, &self.rate, "reported by the upstream", self.now);
        let looks = self.max_ms;
        work.set_due(DueKind::Status, attempt.id.to_string(), &attempt.upstream, self.now.plus_ms(looks), looks);
    }

    /// Terminal stays terminal for the customer; what the upstream takes or gives back later is between it and us.
    fn after_end(&self, work: &mut Work, attempt: &AttemptRow, order: &OrderRow) {
        let subject = attempt.id.to_string();
        let refill = work.refills_of(order.id).find(|r| r.state.is_open()).cloned();
        if refill.is_some() {
            // What the refill costs shows in the order's charge while it is open.
            self.look_again(work, attempt, false);
        } else if self.interval_ms < self.max_ms << LOOKS_AFTER_END {
            let next = self.interval_ms.max(self.max_ms) * 2;
            work.set_due(DueKind::Status, subject, &attempt.upstream, self.now.plus_ms(next), next);
        } else {
            work.clear_due(DueKind::Status, subject);
        }
        let (Some(booked), Some(charge)) = (attempt.cost, self.report.charge) else { return };
        // What is lost is lost by what the upstream keeps, whatever became of the customer's order.
        let end = if attempt.to_loss { End::Completed } else { end_of(order.progress()) };
        let price = reserved_price(attempt.reserve, end.remains(order.quantity), order.quantity);
        // What is lost is judged as after a cancellation: nothing of it need have been kept.
        let judged = if attempt.to_loss { End::Canceled } else { end };
        let usable = in_currency(self.report.currency, attempt.currency)
            && usable_at_end(charge, attempt.reserve, price, judged, self.charge_factor_max);
        if !usable {
            self.unbelievable(work, attempt, charge);
            return;
        }
        let target = late_target_cost(end, booked, attempt.last_charge, charge, self.policy, order.quantity);
        if target == booked {
            return;
        }
        if let Some(refill) = refill.filter(|_| target > booked && !attempt.to_loss) {
            self.charge_refill(work, attempt, &refill, target - booked, target);
            return;
        }
        let number = attempt.postings + 1;
        let tags = tags_of(work, attempt);
        work.post(
            &attempts::late_charge(&book(attempt), booked, target, number, &self.rate, attempt.to_loss),
            &tags,
            self.now,
        );
        if let Some(row) = work.attempt_mut(attempt.id) {
            (row.cost, row.postings) = (Some(target), number);
            row.claim = row.claim + (booked - target).max(Micros::ZERO);
        }
        let text = format!("the cost moved from {booked} to {target} {} after the end", attempt.currency);
        work.event(&tags, self.now, "late_charge", text, None);
    }

    /// A rise while a refill of the order is open is what the refill costs.
    fn charge_refill(&self, work: &mut Work, attempt: &AttemptRow, refill: &RefillRow, rise: Micros, cost: Micros) {
        let number = refill.postings + 1;
        let tags = tags_of(work, attempt);
        let rise = Money::new(rise, attempt.currency);
        work.post(&refill_charge(refill.id.0, &attempt.upstream, rise, number, &self.rate), &tags, self.now);
        if let Some(row) = work.refill_mut(refill.id) {
            row.postings = number;
        }
        if let Some(row) = work.attempt_mut(attempt.id) {
            row.cost = Some(cost);
        }
        work.event(&tags, self.now, "refill", format!("refill {} costs {rise}", refill.id), None);
    }

    fn unbelievable(&self, work: &mut Work, attempt: &AttemptRow, charge: Micros) {
        charge_finding(work, attempt, charge, self.report.currency, self.now);
    }

    /// The next look: soon after something moved, later and later while nothing does.
    fn look_again(&self, work: &mut Work, attempt: &AttemptRow, moved: bool) {
        let next = next_interval(self.interval_ms, moved, self.first_ms, self.max_ms);
        work.set_due(DueKind::Status, attempt.id.to_string(), &attempt.upstream, self.now.plus_ms(next), next);
    }
}

/// Half as long again while nothing moves, from `first` up to `max`.
pub(crate) fn next_interval(interval_ms: i64, moved: bool, first_ms: i64, max_ms: i64) -> i64 {
    if moved {
        first_ms
    } else {
        (interval_ms.max(first_ms) / 2).saturating_mul(3).clamp(first_ms, max_ms.max(first_ms))
    }
}

/// Ends an attempt at `target` and with it its order.
#[expect(clippy::too_many_arguments, reason = "the end of an order is where everything about it comes together")]
pub(crate) fn end_attempt(
    work: &mut Work,
    attempt: &AttemptRow,
    order: &OrderRow,
    progress: Progress,
    target: Micros,
    rate: &BaseRate,
    why: &str,
    now: Timestamp,
) {
    let price = reserved_price(attempt.reserve, end_of(progress).remains(order.quantity), order.quantity);
    let text = format!("{} at a cost of {target} {}", progress.status.name(), attempt.currency);
    if !moves::advance(work, attempt.id, AttemptEvent::End, now, &text, Some(json!({"cost": target.to_string()}))) {
        return;
    }
    let tags = tags_of(work, attempt);
    work.post(&attempts::attempt_end(&book(attempt), target, price, rate), &tags, now);
    if let Some(row) = work.attempt_mut(attempt.id) {
        row.claim = row.claim + (attempt.wip - target).max(Micros::ZERO);
        (row.wip, row.cost) = (Micros::ZERO, Some(target));
        row.last_charge = attempt.wip;
    }
    moves::close_cases(work, attempt.id, now, &text);
    work.clear_due(DueKind::Cancel, attempt.id.to_string());
    moves::end_order(work, order.id, progress, Some(attempt.id), why, now);
}

/// Books a charge that was read while the order runs, if it can be believed.
pub(crate) fn running_charge(
    work: &mut Work,
    id: AttemptId,
    charge: Micros,
    currency: Option<Currency>,
    factor_max: Decimal,
    now: Timestamp,
) {
    let Some(attempt) = work.attempt(id).cloned() else { return };
    if attempt.state != AttemptState::Accepted {
        return;
    }
    let ours = in_currency(currency, attempt.currency);
    if ours
        && charge >= attempt.reserve
        && !attempt.charge_read
        && let Some(row) = work.attempt_mut(id)
    {
        row.charge_read = true;
    }
    if charge == attempt.wip && ours {
        return;
    }
    // Before it begins many upstreams say 0: that is no news, and no finding either.
    if charge.is_zero() {
        return;
    }
    if !ours || !usable_while_running(charge, attempt.reserve, factor_max) {
        charge_finding(work, &attempt, charge, currency, now);
        return;
    }
    let number = attempt.postings + 1;
    let tags = tags_of(work, &attempt);
    work.post(&attempts::running_charge(&book(&attempt), charge, number), &tags, now);
    if let Some(row) = work.attempt_mut(id) {
        row.claim = row.claim + (attempt.wip - charge).max(Micros::ZERO);
        (row.wip, row.last_charge, row.postings) = (charge, charge, number);
    }
    let text = format!("the upstream charges {charge} {} (reserved {})", attempt.currency, attempt.reserve);
    work.event(&tags, now, "charge", text, None);
}

pub(crate) fn charge_finding(
    work: &mut Work,
    attempt: &AttemptRow,
    charge: Micros,
    currency: Option<Currency>,
    now: Timestamp,
) {
    let stated = currency.map_or_else(String::new, |c| format!(" {c}"));
    let text = format!(
        "a charge of {charge}{stated} cannot be believed against a reserve of {} {}",
        attempt.reserve, attempt.currency
    );
    let tags = tags_of(work, attempt);
    work.finding(format!("charge:{}", attempt.id), "charge", &tags, now, text);
}

/// A report as evidence: amounts are decimal texts there too.
fn report_json(report: &Report) -> serde_json::Value {
    json!({
        "word": report.word, "remains": report.remains, "start_count": report.start_count,
        "charge": report.charge.map(|c| c.to_string()), "currency": report.currency,
    })
}

fn end_of(progress: Progress) -> End {
    match progress.status {
        OrderStatus::Partial => End::Partial { remains: progress.remains.unwrap_or(0) },
        OrderStatus::Canceled => End::Canceled,
        OrderStatus::Completed | OrderStatus::Pending | OrderStatus::InProgress => End::Completed,
    }
}
