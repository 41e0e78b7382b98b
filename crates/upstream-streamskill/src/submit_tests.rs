//! Verdicts on new purchases: every code, every shape, and any JSON.

use interline_upstream::{ActiveTarget, Response, Stated};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

const STATUSES: [u16; 9] = [200, 201, 400, 401, 402, 404, 422, 500, 502];

fn verdict(status: u16, body: &str) -> SubmitOutcome {
    read(&Heard::new(&Response { status, retry_after_ms: Some(9_000), body: body.into() }))
}

fn error(code: u16) -> String {
    json!({"name": "Name", "message": "Message", "code": 0, "status": code, "type": "some_http_exception"}).to_string()
}

fn reason(outcome: SubmitOutcome) -> String {
    match outcome {
        SubmitOutcome::Unknown(evidence) => evidence.reason,
        other => panic!("not unknown: {other:?}"),
    }
}

#[test]
fn a_purchase_is_an_acceptance_whatever_stands_above_it() {
    let stated = |amount: &str, currency: Option<&str>| {
        Some(Stated { amount: amount.parse().unwrap(), currency: currency.map(|code| code.parse().unwrap()) })
    };
    for (body, order, charge) in [
        (r#"{"id":1,"price":10,"currency":"usd","status":"active","tarif":1}"#, "1", stated("10", Some("USD"))),
        (r#"{"id":"77","price":"0.0000005","currency":"rub","channel":"x"}"#, "77", stated("0.000001", Some("RUB"))),
        (r#"{"id":1,"price":0.1,"order_type":"twitch_viewers"}"#, "1", stated("0.1", None)),
        (r#"{"id":1,"price":"?","tarif":{"id":3}}"#, "1", None),
        (r#"{"id":1,"tarif":1,"error":null,"errors":[]}"#, "1", None),
    ] {
        for status in STATUSES.into_iter().chain([429]) {
            let wanted = SubmitOutcome::Accepted { order: order.to_owned(), charge };
            assert_eq!(verdict(status, body), wanted, "{status} {body}");
        }
    }
}

#[test]
fn each_code_is_a_verdict_or_none() {
    let text = || "Message".to_owned();
    for (code, refusal) in [
        (400, Refusal::Parameters(text())),
        (401, Refusal::Key(text())),
        (402, Refusal::Funds(text())),
        (404, Refusal::Service(text())),
        (422, Refusal::Parameters(text())),
    ] {
        for status in STATUSES.into_iter().chain([429]) {
            assert_eq!(
                verdict(status, &error(code)),
                SubmitOutcome::Rejected(refusal.clone()),
                "{code} under {status}"
            );
        }
    }
    for (code, wanted) in [
        (405, "an error about a purchase that is there"),
        (409, "an error about a purchase that is there"),
        (403, "an error that is not listed"),
        (500, "an error that is not listed"),
        (502, "an error that is not listed"),
    ] {
        for status in STATUSES {
            assert_eq!(reason(verdict(status, &error(code))), wanted, "{code} under {status}");
        }
    }
}

#[test]
fn too_fast_is_not_taken_and_says_when() {
    let busy = SubmitOutcome::Busy { retry_after_ms: Some(9_000), active_target: ActiveTarget::No };
    for (status, body) in [
        (429, String::new()),
        (429, "<html>".to_owned()),
        (429, "{}".to_owned()),
        (429, error(429)),
        (429, error(500)),
        (200, error(429)),
        (503, error(429)),
    ] {
        assert_eq!(verdict(status, &body), busy, "{status} {body}");
    }
}

#[test]
fn all_the_rest_is_unknown() {
    for (body, wanted) in [
        ("", "the answer is empty"),
        ("<html><title>502 Bad Gateway</title>", "the answer is a page, not JSON"),
        (r#"{"id":1,"tarif":1"#, "the answer is not JSON"),
        ("{}", "no purchase"),
        ("[]", "no purchase"),
        ("null", "no purchase"),
        ("1", "no purchase"),
        (r#"{"id":1}"#, "no purchase"),
        (r#"{"status":"ok"}"#, "no purchase"),
        (r#"[{"id":1,"tarif":1}]"#, "no purchase"),
        (r#"{"items":[{"id":1,"tarif":1}]}"#, "no purchase"),
        (r#"{"id":0,"tarif":1}"#, "no purchase"),
        (r#"{"tarif":1,"channel":"x","price":10}"#, "no purchase"),
        (r#"{"message":"Insufficient funds","status":402}"#, "no purchase"),
        (r#"{"error":"Insufficient funds"}"#, "an error that is not listed"),
        (r#"{"id":1,"tarif":1,"error":"Insufficient funds"}"#, "a purchase beside an error"),
        (
            r#"{"id":1,"tarif":1,"name":"n","message":"m","code":0,"status":402,"type":"t"}"#,
            "a purchase beside an error",
        ),
    ] {
        for status in STATUSES {
            assert_eq!(reason(verdict(status, body)), wanted, "{status} {body}");
        }
    }
}

/// JSON that is made of the pieces that matter here.
fn any_answer() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        proptest::sample::select(vec![400, 401, 402, 404, 405, 409, 422, 429, 500]).prop_map(Value::from),
        proptest::sample::select(vec!["0", "7", "ok", "usd", "402", "working", "n", ""]).prop_map(Value::from),
    ];
    let names = vec!["id", "tarif", "channel", "price", "status", "name", "message", "type", "error", "errors"];
    leaf.prop_recursive(3, 32, 10, move |inner| {
        let fields = proptest::collection::vec((proptest::sample::select(names.clone()), inner.clone()), 0..10);
        prop_oneof![
            proptest::collection::vec(inner, 0..3).prop_map(Value::from),
            fields.prop_map(|fields| {
                let fields: Map<String, Value> =
                    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                Value::Object(fields)
            }),
        ]
    })
}

proptest! {
    /// Nothing is accepted without its id in the body, refused without a certain code in the body, or both.
    #[test]
    fn a_verdict_stands_in_the_body(status in 100u16..600, body in any_answer()) {
        match verdict(status, &body.to_string()) {
            SubmitOutcome::Accepted { order, .. } => {
                let named = body["id"].as_str().map_or_else(|| body["id"].to_string(), str::to_owned);
                prop_assert_eq!(named, order);
                prop_assert!(body["error"].as_str().is_none_or(str::is_empty));
            }
            SubmitOutcome::Rejected(refusal) => {
                let code = body["status"].as_i64();
                prop_assert!(matches!(code, Some(400 | 401 | 402 | 404 | 422)), "{code:?}");
                prop_assert!(!refusal.text().is_empty());
            }
            SubmitOutcome::Busy { active_target, .. } => {
                prop_assert!(status == 429 || body["status"].as_i64() == Some(429));
                prop_assert_eq!(active_target, ActiveTarget::No);
            }
            SubmitOutcome::Unknown(evidence) => prop_assert_eq!(evidence.status, Some(status)),
        }
    }
}
