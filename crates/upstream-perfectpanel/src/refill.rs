//! The answers to `refill` and `refill_status` (`protocol.md` §1.2, §1.8). A refill is classified as an order is: the body
//! decides first, only a listed error is a refusal, only an id is an acceptance, and the rest is unknown.

use std::collections::BTreeMap;

use interline_domain::RefillStatus;
use interline_upstream::{ActiveTarget, Answer, Refusal, SubmitOutcome};
use serde_json::Value;

use crate::{
    complaint::Complaint,
    errors::Listed,
    heard::{Heard, TOO_MANY},
    value::{self, Object, field},
};

/// Reads the verdict on a refill of one order.
pub(crate) fn read(heard: &Heard<'_>) -> SubmitOutcome {
    // Some panels answer one order with a list of one.
    let body = match heard.json() {
        Some(Value::Array(items)) if items.len() == 1 => items.first(),
        other => other,
    };
    let entry = body.and_then(Value::as_object);
    let id = entry.and_then(refill_id);
    let complaint = entry.and_then(complaint_of).or_else(|| heard.complaint().filter(|_| id.is_none()));
    let later = || SubmitOutcome::Busy { retry_after_ms: heard.retry_after_ms(), active_target: ActiveTarget::No };
    match (id, complaint) {
        (Some(order), None) => SubmitOutcome::Accepted { order, charge: None },
        (Some(_), Some(_)) => SubmitOutcome::Unknown(heard.evidence("a refill id beside an error")),
        (None, Some(complaint)) => match complaint.listed() {
            // What is said of the order is the verdict here.
            Some(Listed::Order(text)) => SubmitOutcome::Rejected(Refusal::Parameters(text)),
            Some(Listed::Refused(refusal)) => SubmitOutcome::Rejected(refusal),
            Some(Listed::Slow | Listed::ActiveTarget) => later(),
            None if heard.status() == TOO_MANY => later(),
            None => SubmitOutcome::Unknown(heard.evidence("an error that is not listed")),
        },
        (None, None) if heard.status() == TOO_MANY => later(),
        (None, None) => SubmitOutcome::Unknown(heard.evidence("no refill id")),
    }
}

/// The refill's id: the value of `refill`, or its own `refill_id`.
fn refill_id(object: &Object) -> Option<String> {
    ["refill", "refill_id"].iter().find_map(|name| field(object, name).and_then(value::order_id))
}

/// An error beside the order, or inside the value of `refill`.
fn complaint_of(object: &Object) -> Option<Complaint> {
    let inside = field(object, "refill").and_then(Value::as_object).and_then(|o| Complaint::of_object(o, true));
    inside.or_else(|| Complaint::stated(object))
}

/// Reads how the refills `asked` for stand. What is not said of a refill is no news.
pub(crate) fn read_statuses(heard: &Heard<'_>, asked: &[String]) -> Answer {
    let Some(body) = heard.good_json() else { return fault_or_silence(heard, asked) };
    let mut told = BTreeMap::new();
    match body {
        Value::Array(items) => {
            for entry in items.iter().filter_map(Value::as_object) {
                let id = field(entry, "refill").and_then(value::id).filter(|id| asked.contains(id));
                let id = id.or_else(|| asked.first().filter(|_| asked.len() == 1 && items.len() == 1).cloned());
                told.extend(id.zip(status_of(entry)));
            }
        }
        Value::Object(object) => {
            let keyed = asked.iter().filter_map(|id| Some((id, object.get(id)?.as_object()?)));
            told.extend(keyed.filter_map(|(id, entry)| Some((id.clone(), status_of(entry)?))));
            if let ([id], true) = (asked, told.is_empty()) {
                told.extend(status_of(object).map(|status| (id.clone(), status)));
            }
        }
        _ => {}
    }
    if told.is_empty() { fault_or_silence(heard, asked) } else { Answer::RefillStatus(told) }
}

/// An entry's status, if it states no error and its word is listed.
fn status_of(entry: &Object) -> Option<RefillStatus> {
    if Complaint::stated(entry).is_some() {
        return None;
    }
    field(entry, "status").and_then(value::text).and_then(|word| RefillStatus::parse(&word))
}

/// "Refill not found" about the one refill that was asked for is no news of it; everything else is about the call.
fn fault_or_silence(heard: &Heard<'_>, asked: &[String]) -> Answer {
    match heard.of_the_order() {
        Some(_) if asked.len() == 1 => Answer::RefillStatus(BTreeMap::new()),
        _ => Answer::Fault(heard.fault("no refill that was asked for")),
    }
}

#[cfg(test)]
#[path = "refill_tests.rs"]
mod tests;
