//! Answers of the native face, by the classification of submissions: whatever is not listed is unknown.

use interline_domain::Micros;
use interline_upstream::Evidence;
use proptest::prelude::*;

use super::*;

fn response(status: u16, body: &str) -> Response {
    Response { status, retry_after_ms: Some(9_000), body: body.into() }
}

fn reason(outcome: &SubmitOutcome) -> &str {
    match outcome {
        SubmitOutcome::Unknown(Evidence { reason, .. }) => reason,
        other => panic!("not unknown: {other:?}"),
    }
}

const TAKEN: &str = r#"{ "orderId": 12345, "order": { "id": 12345, "service": "twitchViewers", "channel": "yourchannel",
    "amount": 100, "status": "active" } }"#;

#[test]
fn an_order_id_without_an_error_is_an_acceptance_whatever_stands_above_it() {
    let taken = SubmitOutcome::Accepted { order: "12345".to_owned(), charge: None };
    for body in [TAKEN, r#"{"orderId":"12345"}"#, r#"{"order":{"id":12345}}"#, r#"{"orderId":12345,"error":null}"#] {
        for status in [200, 400, 429, 502] {
            assert_eq!(submitted(&response(status, body)), taken, "{status} {body}");
        }
    }
}

#[test]
fn a_listed_error_is_a_refusal_of_an_order_and_of_a_change() {
    let target = |text: &str| Refusal::Target(text.to_owned());
    for (body, refusal) in [
        (r#"{"error":{"channel":"channelEmpty"}}"#, target("channelEmpty")),
        (r#"{"error":{"channel":"Channel not found"}}"#, target("Channel not found")),
        (r#"{"error":{"channel":"Invalid channel name"}}"#, target("Invalid channel name")),
        (r#"{"error":"Access denied"}"#, Refusal::Key("Access denied".to_owned())),
        (r#"{"error":"Not enough funds on balance"}"#, Refusal::Funds("Not enough funds on balance".to_owned())),
    ] {
        for status in [200, 400, 500] {
            let refused = SubmitOutcome::Rejected(refusal.clone());
            assert_eq!(submitted(&response(status, body)), refused, "{status} {body}");
            assert_eq!(altered(&response(status, body), "7"), refused, "{status} {body}");
        }
    }
    let about_the_order = response(200, r#"{"error":"Incorrect order ID"}"#);
    let refused = SubmitOutcome::Rejected(Refusal::Parameters("Incorrect order ID".to_owned()));
    assert_eq!(altered(&about_the_order, "7"), refused);
    assert_eq!(reason(&submitted(&about_the_order)), "an error that is not listed");
}

#[test]
fn all_the_rest_is_unknown() {
    for (status, body, wanted) in [
        (200, "", "the answer is empty"),
        (200, "OK", "the answer is not JSON"),
        (200, "<html>", "the answer is a page, not JSON"),
        (200, r#"{"orderId":12345"#, "the answer is not JSON"),
        (200, "{}", "no order id"),
        (200, "[]", "no order id"),
        (200, r#"{"orderId":0}"#, "no order id"),
        (200, r#"{"id":12345,"order":7}"#, "no order id"),
        (200, r#"{"orderId":1,"order":{"id":2}}"#, "two order ids"),
        (200, r#"{"orderId":1,"error":{"channel":"channelEmpty"}}"#, "an order id beside an error"),
        (200, r#"{"orderId":1,"error":"?"}"#, "an order id beside an error"),
        (200, r#"{"error":{"channel":"channelFull"}}"#, "an error that is not listed"),
        (200, r#"{"error":{"amount":"Balance"}}"#, "an error that is not listed"),
        (502, r#"{"message":"Bad gateway"}"#, "an error that is not listed"),
    ] {
        assert_eq!(reason(&submitted(&response(status, body))), wanted, "{status} {body}");
    }
    for (status, body) in [(200, "{}"), (200, r#"{"ok":true}"#), (204, ""), (500, ""), (500, "OK"), (200, "<html>")] {
        assert!(!reason(&altered(&response(status, body), "7")).is_empty(), "{status} {body}");
    }
}

#[test]
fn too_fast_is_busy() {
    let busy = SubmitOutcome::Busy { retry_after_ms: Some(9_000), active_target: ActiveTarget::No };
    for (status, body) in
        [(429, ""), (429, "<html>"), (429, r#"{"error":"?"}"#), (200, r#"{"error":"Too many requests"}"#)]
    {
        assert_eq!(submitted(&response(status, body)), busy, "{status} {body}");
        assert_eq!(altered(&response(status, body), "7"), busy, "{status} {body}");
        let fault = Answer::Fault(Fault::Busy(Some(9_000)));
        assert_eq!(consented(&response(status, body)), fault, "{status} {body}");
        assert_eq!(quoted(&response(status, body)), fault, "{status} {body}");
    }
}

#[test]
fn success_without_a_body_is_consent() {
    for body in ["", "\n", "OK"] {
        assert_eq!(consented(&response(200, body)), Answer::Consent(Consent::Given));
        let accepted = SubmitOutcome::Accepted { order: "7".to_owned(), charge: None };
        assert_eq!(altered(&response(200, body), "7"), accepted);
    }
    for (body, refused) in [
        (r#"{"error":"Incorrect order ID"}"#, "Incorrect order ID"),
        (r#"{"error":{"channel":"Channel not found"}}"#, "Channel not found"),
        (r#"{"error":{"channel":"too long","service":"?"}}"#, "too long; ?"),
    ] {
        let refused = Answer::Consent(Consent::Refused(refused.to_owned()));
        assert_eq!(consented(&response(200, body)), refused, "{body}");
    }
    for (status, body) in
        [(204, ""), (500, ""), (200, "{}"), (200, "true"), (502, r#"{"error":"?"}"#), (200, r#"{"status":"error"}"#)]
    {
        assert!(matches!(consented(&response(status, body)), Answer::Fault(Fault::Unreadable(_))), "{status} {body}");
    }
    let key = Answer::Fault(Fault::Refused(Refusal::Key("Access denied".to_owned())));
    assert_eq!(consented(&response(200, r#"{"error":"Access denied"}"#)), key);
}

#[test]
fn a_quote_is_a_price() {
    let quote = |price, discount: Option<i64>| {
        let price = Stated { amount: Micros::new(price), currency: None };
        Answer::Quote(Quoted { price, discount: discount.map(Micros::new) })
    };
    for (body, wanted) in [
        (r#"{ "price": 5.5, "totalDiscount": 0.55 }"#, quote(5_500_000, Some(550_000))),
        (r#"{"price":"0.1"}"#, quote(100_000, None)),
        (r#"{"price":0,"totalDiscount":-1}"#, quote(0, None)),
    ] {
        assert_eq!(quoted(&response(200, body)), wanted, "{body}");
    }
    for (status, body) in [
        (200, ""),
        (200, "5.5"),
        (200, r#"{"price":-5.5}"#),
        (502, r#"{"price":5.5}"#),
        (200, r#"{"price":1,"error":"?"}"#),
    ] {
        assert!(matches!(quoted(&response(status, body)), Answer::Fault(Fault::Unreadable(_))), "{status} {body}");
    }
    let refused = Answer::Fault(Fault::Refused(Refusal::Target("Channel not found".to_owned())));
    assert_eq!(quoted(&response(200, r#"{"error":{"channel":"Channel not found"}}"#)), refused);
}

proptest! {
    /// No bytes are a verdict, a consent or a price by accident.
    #[test]
    fn random_bytes_say_nothing(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 1..700)) {
        prop_assume!(status != 429 && !body.trim_ascii().is_empty() && body.trim_ascii() != b"OK");
        let response = Response { status, retry_after_ms: None, body };
        prop_assert!(matches!(submitted(&response), SubmitOutcome::Unknown(_)));
        prop_assert!(matches!(altered(&response, "7"), SubmitOutcome::Unknown(_)));
        prop_assert!(matches!(quoted(&response), Answer::Fault(Fault::Unreadable(_))));
    }

    /// An acceptance names an id that stands in the body.
    #[test]
    fn an_accepted_id_stands_in_the_body(one in 0u64..4, other in proptest::option::of(0u64..4), error in any::<bool>()) {
        let mut body = serde_json::json!({ "orderId": one, "order": { "status": "active" } });
        if let Some(other) = other {
            body["order"]["id"] = other.into();
        }
        if error {
            body["error"] = "?".into();
        }
        let named: BTreeSet<u64> = [Some(one), other].into_iter().flatten().filter(|id| *id > 0).collect();
        match submitted(&response(200, &body.to_string())) {
            SubmitOutcome::Accepted { order, .. } => {
                prop_assert!(!error);
                prop_assert_eq!(named.iter().map(u64::to_string).collect::<Vec<_>>(), vec![order]);
            }
            SubmitOutcome::Unknown(_) => prop_assert!(error || named.len() != 1),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        }
    }
}
