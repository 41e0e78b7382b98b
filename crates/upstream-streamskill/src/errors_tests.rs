//! Every code, in the documented shape and out of it.

use interline_upstream::Response;
use serde_json::json;

use super::*;

const STATUSES: [u16; 10] = [200, 201, 400, 401, 404, 409, 422, 500, 502, 503];

fn response(status: u16, body: &Value) -> Response {
    Response { status, retry_after_ms: Some(2_000), body: body.to_string().into_bytes() }
}

fn error(status: i64) -> Value {
    json!({ "name": "Name", "message": "Message", "code": 0, "status": status, "type": "some_http_exception" })
}

fn meant(status: u16, body: &Value) -> Option<Complaint> {
    Complaint::of(&Heard::new(&response(status, body)))
}

#[test]
fn each_code_means_what_the_body_says_whatever_a_proxy_puts_over_it() {
    let text = || "Message".to_owned();
    for (code, meaning) in [
        (400, Complaint::Refused(Refusal::Parameters(text()))),
        (401, Complaint::Refused(Refusal::Key(text()))),
        (402, Complaint::Refused(Refusal::Funds(text()))),
        (403, Complaint::Unlisted),
        (404, Complaint::Missing(text())),
        (405, Complaint::Unfit(text())),
        (406, Complaint::Unlisted),
        (409, Complaint::Unfit(text())),
        (422, Complaint::Refused(Refusal::Parameters(text()))),
        (429, Complaint::Slow),
        (500, Complaint::Unlisted),
        (503, Complaint::Unlisted),
        (0, Complaint::Unlisted),
        (-422, Complaint::Unlisted),
    ] {
        for status in STATUSES {
            assert_eq!(meant(status, &error(code)), Some(meaning.clone()), "{code} under {status}");
        }
        let slowed = if meaning == Complaint::Unlisted { Complaint::Slow } else { meaning };
        assert_eq!(meant(429, &error(code)), Some(slowed), "{code} under 429");
    }
}

#[test]
fn what_was_not_valid_is_named_by_the_further_fields() {
    let invalid = |fields: Value| {
        let mut body = error(422);
        body["errors"] = fields;
        match meant(422, &body) {
            Some(Complaint::Refused(refusal)) => (refusal.name(), refusal.text().to_owned()),
            other => panic!("{other:?}"),
        }
    };
    let channel = json!({"channel": ["No such channel"]});
    assert_eq!(invalid(channel), ("target", r#"Message {"errors":{"channel":["No such channel"]}}"#.to_owned()));
    assert_eq!(invalid(json!([{"field": "quantity", "message": "Too many"}])).0, "quantity");
    assert_eq!(invalid(json!({"interval": "Too long, says \"channel\""})).0, "parameters");
    assert_eq!(invalid(json!([])), ("parameters", "Message".to_owned()));
}

#[test]
fn an_error_without_a_message_has_the_words_of_its_name() {
    let worded = |name: &str, message: Value| {
        let body = json!({"name": name, "message": message, "status": 401, "type": "t"});
        match meant(401, &body) {
            Some(Complaint::Refused(refusal)) => refusal.text().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(worded("Unauthorized", json!("Your token is invalid.\n")), "Your token is invalid.");
    assert_eq!(worded("Unauthorized", json!(" ")), "Unauthorized");
    assert_eq!(worded("Unauthorized", json!(null)), "Unauthorized");
    assert_eq!(worded("", json!("")), "error 401");
}

#[test]
fn other_shapes_are_not_listed_and_silence_is_no_error() {
    for body in [
        json!({"error": "Insufficient funds"}),
        json!({"errors": {"channel": ["?"]}}),
        json!({"id": 5, "channel": "x", "error": {"status": 402}}),
        json!({"status": "402", "name": "n", "type": "t", "error": 1}),
        json!({"status": 402, "name": "n", "error": true}),
    ] {
        assert_eq!(meant(200, &body), Some(Complaint::Unlisted), "{body}");
    }
    for body in [
        json!({"status": 402, "message": "Insufficient funds"}),
        json!({"status": "failed", "name": "n", "type": "t"}),
        json!({"id": 5, "errors": [], "error": null}),
        json!({"error": false, "errors": {}}),
        json!({"error": 0, "errors": ""}),
        json!({}),
        json!([error(402)]),
        json!(402),
    ] {
        assert_eq!(meant(200, &body), None, "{body}");
        assert_eq!(meant(429, &body), Some(Complaint::Slow), "{body}");
    }
}

#[test]
fn faults_are_told_apart() {
    let of = |status, body: &str| {
        fault(&Heard::new(&Response { status, retry_after_ms: Some(2_000), body: body.into() }), "no list")
    };
    let missing = Fault::Refused(Refusal::Parameters("Message".to_owned()));
    assert_eq!(of(404, &error(404).to_string()), missing);
    assert_eq!(of(409, &error(409).to_string()), missing);
    assert_eq!(of(401, &error(401).to_string()), Fault::Refused(Refusal::Key("Message".to_owned())));
    for (status, body) in [(429, String::new()), (200, error(429).to_string()), (429, error(500).to_string())] {
        assert_eq!(of(status, &body), Fault::Busy(Some(2_000)), "{status} {body}");
    }
    for (status, body, reason) in [
        (500, error(500).to_string(), "an error that is not listed"),
        (500, r#"{"id":1}"#.to_owned(), "an HTTP status that means failure"),
        (200, r#"{"id":1}"#.to_owned(), "no list"),
        (502, "<html>".to_owned(), "the answer is a page, not JSON"),
        (200, String::new(), "the answer is empty"),
    ] {
        let Fault::Unreadable(evidence) = of(status, &body) else { panic!("{body} is readable") };
        assert_eq!((evidence.status, evidence.reason.as_str()), (Some(status), reason), "{body}");
    }
}
