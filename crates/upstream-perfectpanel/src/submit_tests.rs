//! Verdicts on submissions: every row of the classification, and any bytes.

use interline_upstream::{Refusal, Response};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const STATUSES: [u16; 9] = [200, 201, 400, 401, 402, 403, 422, 500, 502];

fn verdict(status: u16, body: &str) -> SubmitOutcome {
    verdict_on_bytes(status, body.as_bytes())
}

fn verdict_on_bytes(status: u16, body: &[u8]) -> SubmitOutcome {
    read(&Heard::new(&Response { status, retry_after_ms: Some(9_000), body: body.to_vec() }))
}

fn taken(order: &str, charge: Option<(&str, Option<&str>)>) -> SubmitOutcome {
    let charge = charge.map(|(amount, currency)| Stated {
        amount: amount.parse().unwrap(),
        currency: currency.map(|code| code.parse().unwrap()),
    });
    SubmitOutcome::Accepted { order: order.to_owned(), charge }
}

fn reason(outcome: SubmitOutcome) -> String {
    match outcome {
        SubmitOutcome::Unknown(evidence) => evidence.reason,
        other => panic!("not unknown: {other:?}"),
    }
}

#[test]
fn an_order_id_is_an_acceptance_whatever_stands_above_it() {
    for (body, wanted) in [
        (r#"{"order":23501}"#, taken("23501", None)),
        (r#"{"order":"23501"}"#, taken("23501", None)),
        (r#"{"status":"success","msg":"Order added","order":"Q4ZT"}"#, taken("Q4ZT", None)),
        (r#"{"status":"success","order_id":77}"#, taken("77", None)),
        (r#"{"order":null,"order_id":"77"}"#, taken("77", None)),
        (r#"{"Order":"ord_01HG","error":null}"#, taken("ord_01HG", None)),
        (r#"{"order":1,"error":"","errors":[],"success":true}"#, taken("1", None)),
        (r#"{"order":1,"charge":"0.5","currency":"UZS"}"#, taken("1", Some(("0.5", Some("UZS"))))),
        (r#"{"order":1,"charge":0.08011655652}"#, taken("1", Some(("0.080117", None)))),
        (r#"{"order":1,"charge":-1,"currency":"USD"}"#, taken("1", Some(("-1", Some("USD"))))),
        ("\u{feff}{\"order\":1}\n", taken("1", None)),
    ] {
        for status in STATUSES.into_iter().chain([429]) {
            assert_eq!(verdict(status, body), wanted, "{status} {body}");
        }
    }
}

#[test]
fn a_listed_refusal_is_one_under_any_http_status() {
    for (body, wanted) in [
        (r#"{"error":"Not enough funds on balance"}"#, Refusal::Funds("Not enough funds on balance".into())),
        (
            r#"{"status":"error","msg":"Sai","error":"neworder.error.link"}"#,
            Refusal::Target("neworder.error.link".into()),
        ),
        (r#"{"status":"fail","message":"Incorrect API key"}"#, Refusal::Key("Incorrect API key".into())),
        (
            r#"{"errors":["Quantity less than minimal 200"]}"#,
            Refusal::Quantity("Quantity less than minimal 200".into()),
        ),
        (r#"{"ERROR":{"code":"error.invalid_service"}}"#, Refusal::Service("error.invalid_service".into())),
    ] {
        for status in STATUSES.into_iter().chain([429]) {
            assert_eq!(verdict(status, body), SubmitOutcome::Rejected(wanted.clone()), "{status} {body}");
        }
    }
}

#[test]
fn busy_is_429_or_a_listed_text() {
    let busy = |active_target| SubmitOutcome::Busy { retry_after_ms: Some(9_000), active_target };
    for (status, body) in [
        (429, ""),
        (429, "<html>slow down</html>"),
        (429, r#"{"message":"Too Many Attempts."}"#),
        (429, r#"{"error":"Incorrect order ID"}"#),
        (200, r#"{"error":"Too many requests. Limit 50/minute."}"#),
        (503, r#"{"error":"Rate limit exceeded"}"#),
    ] {
        assert_eq!(verdict(status, body), busy(ActiveTarget::No), "{status} {body}");
    }
    for status in [200, 400, 409, 429, 500] {
        let body = r#"{"error":"neworder.error.link_duplicate"}"#;
        assert_eq!(verdict(status, body), busy(ActiveTarget::Yes), "{status}");
    }
}

#[test]
fn all_the_rest_is_unknown() {
    for (body, wanted) in [
        ("", "the answer is empty"),
        ("<!DOCTYPE html><title>Just a moment...</title>", "the answer is a page, not JSON"),
        (r#"{"order":23501"#, "the answer is not JSON"),
        (r#"Notice: undefined index {"order":1}"#, "the answer is not JSON"),
        ("null", "no order id"),
        ("[]", "no order id"),
        ("{}", "no order id"),
        ("23501", "no order id"),
        (r#"[{"order":1}]"#, "no order id"),
        (r#"{"status":"success"}"#, "no order id"),
        (r#"{"order":0}"#, "no order id"),
        (r#"{"order":{"id":5}}"#, "no order id"),
        (r#"{"error":"Link ist ungültig"}"#, "an error that is not listed"),
        (r#"{"error":"Incorrect order ID"}"#, "an error that is not listed"),
        (r#"{"status":"error"}"#, "an error that is not listed"),
        (r#"{"error":"hm","order":5}"#, "an order id beside an error"),
        (r#"{"error":"Incorrect comments","order":5}"#, "an order id beside an error"),
        (r#"{"status":"error","order":5}"#, "an order id beside an error"),
    ] {
        for status in STATUSES {
            assert_eq!(reason(verdict(status, body)), wanted, "{status} {body}");
        }
    }
    assert_eq!(reason(verdict(500, r#"{"message":"SQLSTATE","order":5}"#)), "an order id beside an error");
}

/// JSON that is made of the pieces that matter here.
fn any_answer() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop_oneof![Just("0"), Just("7"), Just("error"), Just("success"), Just("Bad link"), Just("")]
            .prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("order"),
        Just("Order"),
        Just("order_id"),
        Just("error"),
        Just("errors"),
        Just("status"),
        Just("message"),
        Just("charge"),
        Just("data"),
    ];
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

/// Whether `body` itself names `order`, by a rule that is simpler than the reader's.
fn names(body: &Value, order: &str) -> bool {
    let plain = order != "0" && !order.starts_with('-') && !order.is_empty();
    let fields = body.as_object().into_iter().flatten().filter(|(key, _)| key.to_lowercase().starts_with("order"));
    let mut values =
        fields.map(|(_, value)| value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned()));
    plain && values.any(|value| value == order)
}

proptest! {
    #[test]
    fn nothing_is_accepted_without_an_id_in_the_body(status in 100u16..600, body in any_answer()) {
        match verdict(status, &body.to_string()) {
            SubmitOutcome::Accepted { order, .. } => prop_assert!(names(&body, &order), "{order} of {body}"),
            SubmitOutcome::Rejected(refusal) => prop_assert_eq!(refusal.text(), "Bad link"),
            SubmitOutcome::Busy { active_target, .. } => {
                prop_assert_eq!((status, active_target), (429, ActiveTarget::No));
            }
            SubmitOutcome::Unknown(evidence) => prop_assert_eq!(evidence.status, Some(status)),
        }
    }

    #[test]
    fn random_bytes_are_unknown(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..700)) {
        prop_assume!(status != 429);
        let outcome = verdict_on_bytes(status, &body);
        let SubmitOutcome::Unknown(evidence) = &outcome else {
            return Err(TestCaseError::fail(format!("{outcome:?}")));
        };
        prop_assert!(evidence.excerpt.chars().count() <= 512);
        prop_assert!(!evidence.excerpt.chars().any(char::is_control));
    }
}
