//! The answer to `status`, of one order or many (`protocol.md` §1.6).

use std::collections::BTreeMap;

use interline_domain::{Report, StatusWord};
use interline_upstream::{Answer, Reported};
use serde_json::Value;

use crate::{
    complaint::Complaint,
    entries,
    heard::Heard,
    value::{self, Object, field, one_line, whole},
};

/// Fields that only the state of an order has.
const MEASURES: [&str; 4] = ["charge", "remains", "start_count", "start_counter"];

/// Reads what is said of the orders `asked` for. An order that is not mentioned is no news.
pub(crate) fn read(heard: &Heard<'_>, asked: &[String]) -> Answer {
    if let Some(found) = heard.good_json().and_then(|body| entries::by_id(asked, body, is_state)) {
        return Answer::Status(found.into_iter().filter_map(|(id, entry)| Some((id, reported(entry)?))).collect());
    }
    if let ([id], Some(text)) = (asked, heard.of_the_order()) {
        return Answer::Status(BTreeMap::from([(id.clone(), Reported::Error(text))]));
    }
    Answer::Fault(heard.fault("no order that was asked for"))
}

/// Whether an object is the state of an order. `{"status":"error"}` alone is not: it may be about the call.
fn is_state(object: &Object) -> bool {
    let measured = is_measured(object) && Complaint::stated(object).is_none();
    measured || (field(object, "status").is_some() && Complaint::of_object(object, false).is_none())
}

fn is_measured(object: &Object) -> bool {
    MEASURES.iter().any(|name| field(object, name).is_some())
}

/// What an entry says; nothing if it is null or empty.
fn reported(entry: &Value) -> Option<Reported> {
    match entry {
        Value::String(text) => Some(one_line(text)).filter(|text| !text.is_empty()).map(Reported::Error),
        Value::Object(object) => {
            // `Fail` with a message is an error in place of a state, but `Fail` with a charge is a state.
            let complaint = if is_measured(object) {
                Complaint::stated(object)
            } else {
                Complaint::of_object(object, false).filter(Complaint::has_words)
            };
            match complaint {
                Some(complaint) => Some(Reported::Error(complaint.text())),
                None => {
                    (is_measured(object) || field(object, "status").is_some()).then(|| Reported::Known(report(object)))
                }
            }
        }
        _ => None,
    }
}

/// The state of an order; whatever cannot be read is left open, and a status word that is not known is no news.
fn report(object: &Object) -> Report {
    let word = field(object, "status").and_then(value::text);
    let start = ["start_count", "start_counter"].iter().find_map(|name| field(object, name).and_then(whole));
    Report {
        word: word.map_or(StatusWord::Other, |word| StatusWord::parse(&word)),
        remains: field(object, "remains").and_then(whole),
        start_count: start,
        charge: value::charge(object),
        currency: value::currency(object),
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
