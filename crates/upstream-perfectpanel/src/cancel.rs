//! The answer to `cancel` (`protocol.md` §1.9). Success means that it was asked for; the order's status shows the rest.

use std::collections::BTreeMap;

use interline_upstream::{Answer, CancelAnswer};
use serde_json::Value;

use crate::{
    complaint::Complaint,
    entries,
    heard::Heard,
    value::{self, Object, field, one_line},
};

/// Words with which a panel grants a cancellation.
const GRANTED: [&str; 11] =
    ["1", "true", "yes", "ok", "success", "requested", "accepted", "pending", "processing", "canceled", "cancelled"];

/// Words that say neither yes nor no.
const NOTHING: [&str; 5] = ["", "0", "false", "no", "null"];

/// Reads what is said of the cancellations `asked` for. An order that is not mentioned is no news.
pub(crate) fn read(heard: &Heard<'_>, asked: &[String]) -> Answer {
    if let Some(found) = heard.good_json().and_then(|body| entries::by_id(asked, body, is_entry)) {
        return Answer::Cancel(found.into_iter().filter_map(|(id, said)| Some((id, verdict(said)?))).collect());
    }
    if let ([id], Some(text)) = (asked, heard.of_the_order()) {
        return Answer::Cancel(BTreeMap::from([(id.clone(), CancelAnswer::Refused(text))]));
    }
    Answer::Fault(heard.fault("no order that was asked for"))
}

/// Whether an object is about a cancellation and not about the call.
fn is_entry(object: &Object) -> bool {
    Complaint::of_object(object, false).is_none() && entry(object).is_some()
}

/// What an entry says: an error beside the order, or what stands in `cancel`, `success` or `status`.
fn entry(object: &Object) -> Option<CancelAnswer> {
    if let Some(complaint) = Complaint::of_object(object, false) {
        return Some(CancelAnswer::Refused(complaint.text()));
    }
    if let Some(said) = field(object, "cancel") {
        return verdict(said);
    }
    // `success` holds a sentence for people, `status` a word.
    let success = field(object, "success").and_then(value::text).is_some_and(|text| !is_among(&NOTHING, &text));
    let flagged = field(object, "success").and_then(value::flag) == Some(true);
    let status = field(object, "status").and_then(value::text).is_some_and(|word| is_among(&GRANTED, &word));
    (success || flagged || status).then_some(CancelAnswer::Requested)
}

/// What the value of `cancel`, or of an id, says: yes, the id of a request, an error, or nothing.
fn verdict(said: &Value) -> Option<CancelAnswer> {
    match said {
        Value::Bool(true) => Some(CancelAnswer::Requested),
        Value::Object(object) => entry(object),
        Value::Number(_) => value::order_id(said).map(|_| CancelAnswer::Requested),
        Value::String(text) if is_among(&NOTHING, text) => None,
        Value::String(text) => {
            let request = value::order_id(said).is_some() && text.contains(|c: char| c.is_ascii_digit());
            let granted = request || is_among(&GRANTED, text);
            Some(if granted { CancelAnswer::Requested } else { CancelAnswer::Refused(one_line(text)) })
        }
        Value::Null | Value::Bool(false) | Value::Array(_) => None,
    }
}

fn is_among(words: &[&str], text: &str) -> bool {
    words.contains(&text.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
#[path = "cancel_tests.rs"]
mod tests;
