//! What an answer says went wrong: `{name, message, code, status, type}`, where `status` is the HTTP code
//! (`protocol.md` §6).

use interline_upstream::{
    ActiveTarget, Fault, Heard, Refusal, SubmitOutcome,
    heard::TOO_MANY,
    value::{self, Object, field, one_line},
};
use serde_json::Value;

/// The fields that every documented error has; others say what was not valid.
const SHAPE: [&str; 5] = ["name", "message", "code", "status", "type"];

/// An error by what it means. Whatever is not documented means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// 400, 401, 402 and 422: certainly not done, whatever was asked.
    Refused(Refusal),
    /// 404: there is nothing of that id.
    Missing(String),
    /// 405 and 409: it cannot be done to that purchase any more, or not at all.
    Unfit(String),
    /// 429: certainly not done, for it was too fast.
    Slow,
    /// Any other error. 500 is one of them: it does not say how far it came.
    Unlisted,
}

impl Complaint {
    /// What the body states. It decides before the HTTP status does, for a proxy may put its own over it.
    pub(crate) fn stated(heard: &Heard<'_>) -> Option<Self> {
        let body = heard.json().and_then(Value::as_object)?;
        match documented(body) {
            Some((status, text, rest)) => Some(meaning(status, &text, &rest)),
            None => {
                ["error", "errors"].iter().any(|name| field(body, name).is_some_and(is_said)).then_some(Self::Unlisted)
            }
        }
    }

    /// What the body states, or else what the HTTP status says about the rate.
    pub(crate) fn of(heard: &Heard<'_>) -> Option<Self> {
        match Self::stated(heard) {
            None | Some(Self::Unlisted) if heard.status() == TOO_MANY => Some(Self::Slow),
            stated => stated,
        }
    }
}

/// The code of a documented error, its words, and its further fields as JSON.
fn documented(body: &Object) -> Option<(i64, String, String)> {
    let words = |name| field(body, name).and_then(Value::as_str).map(one_line);
    let status = field(body, "status").filter(|status| status.is_number()).and_then(value::whole)?;
    let (name, _) = (words("name")?, words("type")?);
    let text = words("message").filter(|message| !message.is_empty()).unwrap_or(name);
    let is_further = |key: &str| !SHAPE.iter().any(|known| key.eq_ignore_ascii_case(known));
    let further = body.iter().filter(|(key, value)| is_further(key.as_str()) && is_said(value));
    let further: Object = further.map(|(key, value)| (key.clone(), value.clone())).collect();
    let rest = if further.is_empty() { String::new() } else { Value::Object(further).to_string() };
    Some((status, text, rest))
}

fn meaning(status: i64, text: &str, rest: &str) -> Complaint {
    let text = one_line(&format!("{text} {rest}"));
    let text = if text.is_empty() { format!("error {status}") } else { text };
    match status {
        401 => Complaint::Refused(Refusal::Key(text)),
        402 => Complaint::Refused(Refusal::Funds(text)),
        404 => Complaint::Missing(text),
        405 | 409 => Complaint::Unfit(text),
        // The further fields name those that were not valid.
        422 if rest.contains("\"channel\"") => Complaint::Refused(Refusal::Target(text)),
        422 if rest.contains("\"quantity\"") => Complaint::Refused(Refusal::Quantity(text)),
        400 | 422 => Complaint::Refused(Refusal::Parameters(text)),
        429 => Complaint::Slow,
        _ => Complaint::Unlisted,
    }
}

/// Whether a field says anything: PHP writes empty lists where there is nothing.
fn is_said(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// Why a question brought nothing: an error, "slow down", or what is `missing` from the answer.
pub(crate) fn fault(heard: &Heard<'_>, missing: &str) -> Fault {
    match Complaint::of(heard) {
        Some(Complaint::Refused(refusal)) => Fault::Refused(refusal),
        Some(Complaint::Missing(text) | Complaint::Unfit(text)) => Fault::Refused(Refusal::Parameters(text)),
        Some(Complaint::Slow) => Fault::Busy(heard.retry_after_ms()),
        Some(Complaint::Unlisted) => Fault::Unreadable(heard.evidence("an error that is not listed")),
        None if heard.good_json().is_none() => Fault::Unreadable(heard.evidence("an HTTP status that means failure")),
        None => Fault::Unreadable(heard.evidence(missing)),
    }
}

/// "Slow down" as the verdict on what must not be repeated at once.
pub(crate) fn busy(heard: &Heard<'_>) -> SubmitOutcome {
    SubmitOutcome::Busy { retry_after_ms: heard.retry_after_ms(), active_target: ActiveTarget::No }
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
