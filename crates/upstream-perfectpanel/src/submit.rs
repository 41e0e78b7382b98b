//! The verdict on a submission: "Classify" in the ledger's design. The body decides first, the HTTP status second.

use interline_upstream::{ActiveTarget, SubmitOutcome, call::Stated};
use serde_json::Value;

use crate::{
    complaint::Complaint,
    errors::Listed,
    heard::{Heard, TOO_MANY},
    value::{self, Object, field},
};

/// Reads the verdict.
///
/// A listed error is a verdict under any HTTP status, for panels answer errors under 200 and proxies put 502 over
/// them. So is an order id in a readable body: only an upstream that made the order can name it, whatever a proxy says
/// above it, and leaving it unread would lose the one thing that finds the order again. An id beside any error is no
/// verdict: one of the two is not true, and a refusal that is believed wrongly sends the order twice. Only then does 429
/// count, and all the rest is unknown.
pub(crate) fn read(heard: &Heard<'_>) -> SubmitOutcome {
    let complaint = heard.complaint();
    let named = heard.json().and_then(Value::as_object).is_some_and(|body| order_id(body).is_some());
    match complaint.as_ref().and_then(Complaint::listed).filter(|_| !named) {
        Some(Listed::Refused(refusal)) => SubmitOutcome::Rejected(refusal),
        Some(Listed::ActiveTarget) => busy(heard, ActiveTarget::Yes),
        Some(Listed::Slow) => busy(heard, ActiveTarget::No),
        // Nobody asked about an existing order: it is as good as an error that is not listed.
        Some(Listed::Order(_)) | None => by_order_id(heard, complaint.is_some()),
    }
}

/// The verdict where no listed error decides.
fn by_order_id(heard: &Heard<'_>, complained: bool) -> SubmitOutcome {
    let body = heard.json().and_then(Value::as_object);
    let order = body.and_then(|body| Some((body, order_id(body)?)));
    match order {
        Some((body, order)) if !complained => {
            let charge = value::charge(body).map(|amount| Stated { amount, currency: value::currency(body) });
            SubmitOutcome::Accepted { order, charge }
        }
        Some(_) => SubmitOutcome::Unknown(heard.evidence("an order id beside an error")),
        None if heard.status() == TOO_MANY => busy(heard, ActiveTarget::No),
        None if complained => SubmitOutcome::Unknown(heard.evidence("an error that is not listed")),
        None => SubmitOutcome::Unknown(heard.evidence("no order id")),
    }
}

/// The id under which the order was taken, in any of its spellings.
fn order_id(body: &Object) -> Option<String> {
    ["order", "order_id"].iter().find_map(|name| field(body, name).and_then(value::order_id))
}

fn busy(heard: &Heard<'_>, active_target: ActiveTarget) -> SubmitOutcome {
    SubmitOutcome::Busy { retry_after_ms: heard.retry_after_ms(), active_target }
}

#[cfg(test)]
#[path = "submit_tests.rs"]
mod tests;
