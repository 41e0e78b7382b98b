//! What is asked of a purchase that is there: start, stop, prolong (`protocol.md` §6).

use interline_upstream::{
    Answer, Consent, Heard, Refusal, SubmitOutcome,
    value::{self, Object, field, text},
};
use serde_json::Value;

use crate::errors::{self, Complaint};

/// Lists in the answer to a stop in which a purchase that was stopped may be. The answer's shape is not documented; of
/// what is stopped, the status says so later.
const STOPPED: [&str; 4] = ["success", "success_ids", "stopped", "items"];

/// Lists in which one that was not stopped may be.
const MISSED: [&str; 4] = ["failed", "failed_ids", "errors", "missing_ids"];

/// Reads what was said to a start: `{"status":"ok"}`, or why not.
pub(crate) fn started(heard: &Heard<'_>) -> Answer {
    if is_ok(heard) {
        return Answer::Consent(Consent::Given);
    }
    match Complaint::of(heard) {
        Some(Complaint::Missing(text) | Complaint::Unfit(text)) => Answer::Consent(Consent::Refused(text)),
        _ => Answer::Fault(errors::fault(heard, "no word about the purchase")),
    }
}

/// Reads what was said to a stop of `order`, which is a stop of several that has one.
pub(crate) fn stopped(heard: &Heard<'_>, order: &str) -> Answer {
    let said = heard.good_json().and_then(Value::as_object).and_then(|body| of_order(body, order));
    said.map_or_else(|| started(heard), Answer::Consent)
}

/// Reads the verdict on a prolongation of `order`. It costs, so what is not documented is unknown.
pub(crate) fn prolonged(heard: &Heard<'_>, order: &str) -> SubmitOutcome {
    if is_ok(heard) {
        return SubmitOutcome::Accepted { order: order.to_owned(), charge: None };
    }
    match Complaint::of(heard) {
        Some(Complaint::Refused(refusal)) => SubmitOutcome::Rejected(refusal),
        Some(Complaint::Missing(text) | Complaint::Unfit(text)) => SubmitOutcome::Rejected(Refusal::Parameters(text)),
        Some(Complaint::Slow) => errors::busy(heard),
        Some(Complaint::Unlisted) => SubmitOutcome::Unknown(heard.evidence("an error that is not listed")),
        None => SubmitOutcome::Unknown(heard.evidence("no word about the purchase")),
    }
}

/// Whether it is `{"status":"ok"}` under an HTTP status of success: that is too short to be believed under another.
fn is_ok(heard: &Heard<'_>) -> bool {
    let status = heard.good_json().and_then(Value::as_object).and_then(|body| field(body, "status"));
    let well = status.and_then(Value::as_str).is_some_and(|word| word.trim().eq_ignore_ascii_case("ok"));
    well && Complaint::stated(heard).is_none()
}

/// What a list in `body` says of `order`; a no outweighs a yes.
fn of_order(body: &Object, order: &str) -> Option<Consent> {
    let entry_in = |name: &&str| field(body, name)?.as_array()?.iter().find(|entry| is_about(entry, order));
    if let Some(entry) = MISSED.iter().find_map(entry_in) {
        return Some(Consent::Refused(words(entry)));
    }
    STOPPED.iter().find_map(entry_in).map(|_| Consent::Given)
}

/// Whether an entry, an id or something that has one, is about `order`.
fn is_about(entry: &Value, order: &str) -> bool {
    let id = entry.as_object().map_or_else(|| value::id(entry), |entry| field(entry, "id").and_then(value::id));
    id.as_deref() == Some(order)
}

/// Why a purchase was not stopped, as far as its entry says so.
fn words(entry: &Value) -> String {
    let said = entry.as_object().and_then(|entry| ["message", "error"].iter().find_map(|name| field(entry, name)));
    said.and_then(text).unwrap_or_else(|| "it was not stopped".to_owned())
}

#[cfg(test)]
mod tests {
    use interline_upstream::{ActiveTarget, Fault, Response};

    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, retry_after_ms: Some(1_000), body: body.into() }
    }

    fn error(code: u16) -> String {
        format!(r#"{{"name":"n","message":"m","code":0,"status":{code},"type":"t"}}"#)
    }

    fn refused(text: &str) -> Answer {
        Answer::Consent(Consent::Refused(text.to_owned()))
    }

    #[test]
    fn ok_is_consent_and_what_the_purchase_does_not_allow_is_refused() {
        let started = |status, body: &str| started(&Heard::new(&response(status, body)));
        for body in [r#"{"status":"ok"}"#, r#"{"status":" OK ","error":null}"#] {
            assert_eq!(started(200, body), Answer::Consent(Consent::Given), "{body}");
        }
        for code in [404, 405, 409] {
            assert_eq!(started(code, &error(code)), refused("m"), "{code}");
        }
        assert_eq!(started(401, &error(401)), Answer::Fault(Fault::Refused(Refusal::Key("m".to_owned()))));
        assert_eq!(started(429, ""), Answer::Fault(Fault::Busy(Some(1_000))));
        for (status, body) in [
            (500, r#"{"status":"ok"}"#),
            (200, r#"{"status":"ok","error":"no"}"#),
            (200, r#"{"status":"working"}"#),
            (200, r#"{"status":true}"#),
            (200, "ok"),
            (200, ""),
            (500, &*error(500)),
        ] {
            assert!(matches!(started(status, body), Answer::Fault(Fault::Unreadable(_))), "{status} {body}");
        }
    }

    #[test]
    fn a_stop_is_read_from_any_list_that_names_the_order() {
        let stopped = |status, body: &str| stopped(&Heard::new(&response(status, body)), "7");
        for body in [
            r#"{"status":"ok"}"#,
            r#"{"success":[7],"failed":[]}"#,
            r#"{"success_ids":["7"],"errors":[]}"#,
            r#"{"items":[{"id":7,"status":"stopped"}],"missing_ids":[8]}"#,
            r#"{"stopped":[{"id":"7"}],"failed":[{"id":8,"message":"no"}]}"#,
        ] {
            assert_eq!(stopped(200, body), Answer::Consent(Consent::Given), "{body}");
        }
        for (body, text) in [
            (r#"{"success":[8],"failed":[7]}"#, "it was not stopped"),
            (r#"{"items":[{"id":7}],"missing_ids":[7]}"#, "it was not stopped"),
            (r#"{"success":[],"errors":[{"id":7,"message":"Purchase done"}]}"#, "Purchase done"),
            (r#"{"success":[],"failed":[{"id":"7","error":"Too early"}]}"#, "Too early"),
        ] {
            assert_eq!(stopped(200, body), refused(text), "{body}");
        }
        assert_eq!(stopped(409, &error(409)), refused("m"));
        for (status, body) in [
            (200, r#"{"success":[8]}"#),
            (200, r#"{"success":true}"#),
            (200, r#"{"done":[7]}"#),
            (200, "[7]"),
            (200, "{}"),
            (500, r#"{"success":[7]}"#),
        ] {
            assert!(matches!(stopped(status, body), Answer::Fault(Fault::Unreadable(_))), "{status} {body}");
        }
    }

    #[test]
    fn a_prolongation_is_a_submission() {
        let prolonged = |status, body: &str| prolonged(&Heard::new(&response(status, body)), "7");
        let accepted = SubmitOutcome::Accepted { order: "7".to_owned(), charge: None };
        assert_eq!(prolonged(200, r#"{"status":"ok"}"#), accepted);
        let text = || "m".to_owned();
        for (code, refusal) in [
            (400, Refusal::Parameters(text())),
            (401, Refusal::Key(text())),
            (402, Refusal::Funds(text())),
            (404, Refusal::Parameters(text())),
            (405, Refusal::Parameters(text())),
            (409, Refusal::Parameters(text())),
            (422, Refusal::Parameters(text())),
        ] {
            for status in [code, 200, 502] {
                assert_eq!(
                    prolonged(status, &error(code)),
                    SubmitOutcome::Rejected(refusal.clone()),
                    "{code} {status}"
                );
            }
        }
        let busy = SubmitOutcome::Busy { retry_after_ms: Some(1_000), active_target: ActiveTarget::No };
        assert_eq!(prolonged(429, "<html>"), busy);
        for (status, body) in [
            (500, error(500)),
            (403, error(403)),
            (502, r#"{"status":"ok"}"#.to_owned()),
            (200, r#"{"status":"failed"}"#.to_owned()),
            (200, "{}".to_owned()),
            (204, String::new()),
        ] {
            let outcome = prolonged(status, &body);
            assert!(matches!(outcome, SubmitOutcome::Unknown(_)), "{status} {body}: {outcome:?}");
        }
    }
}
