//! Every example of the seed, byte for byte.

use interline_domain::{Currency, Micros, Money, OrderId, OrderStatus, ServiceId, ServiceType};
use proptest::prelude::*;

use super::*;
use crate::command::Command;

fn amount(text: &str) -> Micros {
    text.parse().unwrap()
}

fn usd() -> Currency {
    "USD".parse().unwrap()
}

fn line(charge: &str, start_count: Option<i64>, status: OrderStatus, remains: u64) -> StatusLine {
    StatusLine { charge: amount(charge), start_count, status, remains, currency: usd() }
}

/// The answer's text; it is a plain 200.
fn written(reply: &Reply) -> String {
    let Encoded { status, retry_after_s, body } = encode(reply);
    assert_eq!((status, retry_after_s), (200, None));
    String::from_utf8(body).unwrap()
}

fn service(id: i64, name: &str, rate: &str, min: u64, max: u64, category: &str) -> ServiceLine {
    ServiceLine {
        id: ServiceId(id),
        name: name.to_owned(),
        service_type: ServiceType::Default,
        category: category.to_owned(),
        rate: amount(rate),
        min,
        max,
        refill: false,
        cancel: true,
        dripfeed: false,
        description: String::new(),
    }
}

#[test]
fn balance_and_add_are_written_as_in_the_seed() {
    let balance = Reply::Balance(Money::new(amount("100.84292"), usd()));
    assert_eq!(written(&balance), r#"{"balance":"100.84292","currency":"USD"}"#);
    assert_eq!(written(&Reply::Added(OrderId(23501))), r#"{"order":23501}"#);
}

#[test]
fn services_are_written_as_in_the_seed_and_then_some() {
    let mut second = service(2, "Comments \"é\"", "8", 10, 1500, "Second Category");
    (second.refill, second.cancel, second.dripfeed) = (true, false, true);
    second.description = "a/b\nc".to_owned();
    let list = encode_services(&[service(1, "Followers", "0.90", 50, 10000, "First Category"), second]);
    let wanted = concat!(
        r#"[{"service":"1","name":"Followers","type":"Default","rate":"0.9","min":"50","max":"10000","#,
        r#""category":"First Category","refill":false,"cancel":true,"dripfeed":false,"desc":""},"#,
        r#"{"service":"2","name":"Comments \"é\"","type":"Default","rate":"8","min":"10","max":"1500","#,
        r#""category":"Second Category","refill":true,"cancel":false,"dripfeed":true,"desc":"a/b\nc"}]"#,
    );
    assert_eq!(String::from_utf8(list.clone()).unwrap(), wanted);
    assert_eq!(written(&Reply::Services(list.into())), wanted);
    assert_eq!(encode_services(&[]), b"[]");
}

#[test]
fn a_status_is_written_as_in_the_seed() {
    let partial = line("0.27819", Some(3572), OrderStatus::Partial, 157);
    let wanted = r#"{"charge":"0.27819","start_count":"3572","status":"Partial","remains":"157","currency":"USD"}"#;
    assert_eq!(written(&Reply::Status(partial)), wanted);
    // Strict clients take no null: an unknown start is 0.
    let fresh = line("2.5", None, OrderStatus::Pending, 1000);
    let wanted = r#"{"charge":"2.5","start_count":"0","status":"Pending","remains":"1000","currency":"USD"}"#;
    assert_eq!(written(&Reply::Status(fresh)), wanted);
}

#[test]
fn many_statuses_are_written_as_in_the_seed() {
    let reply = Reply::StatusMany(vec![
        (GivenId::new("1"), Some(line("0.27819", Some(3572), OrderStatus::Partial, 157))),
        (GivenId::new("2"), None),
        (GivenId::new("3"), Some(line("1.44219", Some(234), OrderStatus::InProgress, 10))),
    ]);
    let wanted = concat!(
        r#"{"1":{"charge":"0.27819","start_count":"3572","status":"Partial","remains":"157","currency":"USD"},"#,
        r#""2":{"error":"Incorrect order ID"},"#,
        r#""3":{"charge":"1.44219","start_count":"234","status":"In progress","remains":"10","currency":"USD"}}"#,
    );
    assert_eq!(written(&reply), wanted);
}

#[test]
fn ids_are_given_back_as_sent_and_in_the_order_of_the_question() {
    let texts = ["10", "2", "007", "x\"y", "Array"];
    let reply = Reply::StatusMany(texts.iter().map(|text| (GivenId::new(text), None)).collect());
    let error = r#"{"error":"Incorrect order ID"}"#;
    let wanted = format!(r#"{{"10":{error},"2":{error},"007":{error},"x\"y":{error},"Array":{error}}}"#);
    assert_eq!(written(&reply), wanted);
}

#[test]
fn cancels_are_written_as_in_the_seed() {
    let reply = Reply::CanceledMany(vec![
        (GivenId::new("9"), Ok(())),
        (GivenId::new("2"), Err(Refused::IncorrectOrder)),
        (GivenId::new("3"), Err(Refused::NoCancel)),
        (GivenId::new("99999999999"), Err(Refused::IncorrectOrder)),
        (GivenId::new("Array"), Err(Refused::IncorrectOrder)),
    ]);
    let wanted = concat!(
        r#"[{"order":9,"cancel":{"status":"success"}},"#,
        r#"{"order":2,"error":"Incorrect order ID"},"#,
        r#"{"order":3,"error":"Service doesn't support cancel"},"#,
        r#"{"order":99999999999,"error":"Incorrect order ID"},"#,
        r#"{"order":"Array","error":"Incorrect order ID"}]"#,
    );
    assert_eq!(written(&reply), wanted);
    assert_eq!(written(&Reply::Canceled), r#"{"status":"success"}"#);
}

#[test]
fn refusals_have_the_texts_and_the_codes_of_the_contract() {
    for (refused, status, retry_after_s, text) in [
        (Refused::InvalidKey, 401, None, "Invalid API key"),
        (Refused::BadRequest("`link` is missing".to_owned()), 400, None, "`link` is missing"),
        (Refused::IncorrectService, 404, None, "Incorrect service ID"),
        (Refused::IncorrectOrder, 404, None, "Incorrect order ID"),
        (Refused::NotEnoughFunds, 402, None, "Not enough funds on balance"),
        (Refused::TooFast { retry_after_s: 3 }, 429, Some(3), "Rate limit exceeded"),
        (Refused::NoUpstream, 502, None, "No upstream can take this order now"),
        (Refused::TryLater { retry_after_s: 2 }, 503, Some(2), "Try again later"),
        (Refused::NoCancel, 400, None, "Service doesn't support cancel"),
    ] {
        let body = format!(r#"{{"error":"{text}"}}"#).into_bytes();
        assert_eq!(encode(&Reply::Refused(refused)), Encoded { status, retry_after_s, body });
    }
}

#[test]
fn a_passing_fault_of_a_status_is_only_a_code() {
    let (fast, later) = (Refused::TooFast { retry_after_s: 3 }, Refused::TryLater { retry_after_s: 2 });
    for command in [Command::Status(GivenId::new("1")), Command::StatusMany(vec![GivenId::new("1")])] {
        for (refused, status, seconds) in [(&fast, 429, 3), (&later, 503, 2)] {
            let encoded = encode(&Reply::Refused(refused.clone().said_to(&command)));
            assert_eq!(encoded, Encoded { status, retry_after_s: Some(seconds), body: Vec::new() });
        }
        assert_eq!(Refused::IncorrectOrder.said_to(&command), Refused::IncorrectOrder);
    }
    assert_eq!(fast.clone().said_to(&Command::Balance), fast);
    assert_eq!(later.clone().said_to(&Command::Cancel(GivenId::new("1"))), later);
}

proptest! {
    /// Panels take any `error` for a failure and any missing or odd value for nought.
    #[test]
    fn every_status_is_five_texts_and_no_error(
        charge in 0i64..=1_000_000_000_000,
        start_count in proptest::option::of(any::<i64>()),
        pick in 0usize..OrderStatus::ALL.len(),
        remains in any::<u64>(),
    ) {
        let status = OrderStatus::ALL[pick];
        let line = StatusLine { charge: Micros::new(charge), start_count, status, remains, currency: usd() };
        let read: serde_json::Map<String, Value> = serde_json::from_slice(&encode(&Reply::Status(line)).body).unwrap();
        let text = |name: &str| read[name].as_str().unwrap().to_owned();
        prop_assert_eq!(read.len(), 5);
        prop_assert_eq!(text("charge").parse::<Micros>().unwrap(), line.charge);
        prop_assert_eq!(text("start_count").parse::<i64>().unwrap(), start_count.unwrap_or(0));
        prop_assert_eq!(text("status"), status.name());
        prop_assert_eq!(text("remains").parse::<u64>().unwrap(), remains);
        prop_assert_eq!(text("currency"), "USD");
    }
}
