//! What differs between the dialects, in tables, and what holds in all of them.

use std::sync::Arc;

use interline_domain::{Micros, OrderId, OrderStatus, RefillId, RefillStatus};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    command::{Given, GivenId},
    examples::{amount, answered, balance, line, service},
};

const ALL: [Dialect; 3] = [Dialect::Seed, Dialect::Classic, Dialect::Streamrise];
const STATUSES: [HttpStatus; 3] = [HttpStatus::Auto, HttpStatus::Codes, HttpStatus::Always200];
const WAIT_S: u64 = 3;

/// Every refusal with its code and its text.
fn refusals() -> Vec<(Refused, u16, &'static str)> {
    vec![
        (Refused::InvalidKey, 401, "Invalid API key"),
        (Refused::BadRequest("`link` is missing".to_owned()), 400, "`link` is missing"),
        (Refused::IncorrectService, 404, "Incorrect service ID"),
        (Refused::IncorrectOrder, 404, "Incorrect order ID"),
        (Refused::NotEnoughFunds, 402, "Not enough funds on balance"),
        (Refused::TooFast { retry_after_s: WAIT_S }, 429, "Rate limit exceeded"),
        (Refused::NoUpstream, 502, "No upstream can take this order now"),
        (Refused::TryLater { retry_after_s: WAIT_S }, 503, "Try again later"),
        (Refused::NoCancel, 400, "Service doesn't support cancel"),
        (Refused::NotRefillable, 400, "Order not eligible for refill"),
        (Refused::NoRefill, 404, "Refill not found"),
    ]
}

fn services() -> Vec<ServiceLine> {
    let mut one = service(101, "Placement", "Default", "Placements", "2.5", 10_000);
    one.refill = true;
    vec![one]
}

/// One of every answer of success, lists without a refusal in them.
fn successes(dialect: Dialect) -> Vec<Reply> {
    let ended = line("0", Some(7), OrderStatus::Canceled, 1000);
    vec![
        Reply::Services(Arc::from(encode_services(&services(), dialect))),
        balance("0"),
        Reply::Added(OrderId(1)),
        Reply::Status(ended),
        Reply::StatusMany(vec![(Given::new("1"), Some(ended))]),
        Reply::Refilled(RefillId(1)),
        Reply::RefilledMany(vec![(Given::new("1"), Ok(RefillId(2)))]),
        Reply::RefillStatus(RefillStatus::Rejected),
        Reply::RefillStatusMany(vec![(Given::new("1"), Some(RefillStatus::Pending))]),
        Reply::Canceled,
        Reply::CanceledMany(vec![(Given::new("1"), Ok(()))]),
    ]
}

/// Whether an object anywhere in `value` has the key.
fn has_key(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, inner)| name == key || has_key(inner, key)),
        Value::Array(items) => items.iter().any(|inner| has_key(inner, key)),
        _ => false,
    }
}

#[test]
fn services_are_written_in_each_dialect() {
    for (dialect, wanted) in [
        (
            Dialect::Seed,
            concat!(
                r#"[{"service":"101","name":"Placement","type":"Default","rate":"2.5","min":"10","max":"10000","#,
                r#""category":"Placements","refill":true,"cancel":true,"dripfeed":false,"desc":""}]"#,
            ),
        ),
        (
            Dialect::Classic,
            concat!(
                r#"[{"service":101,"name":"Placement","type":"Default","category":"Placements","rate":"2.5","#,
                r#""min":"10","max":"10000","refill":true,"cancel":true,"dripfeed":false,"desc":""}]"#,
            ),
        ),
        (
            Dialect::Streamrise,
            concat!(
                r#"[{"service":101,"name":"Placement","type":"Default","category":"Placements","rate":"2.50","#,
                r#""min":"10","max":"10000","cancel":true,"refill":true,"dripfeed":false,"desc":""}]"#,
            ),
        ),
    ] {
        let list = encode_services(&services(), dialect);
        assert_eq!(String::from_utf8(list.clone()).unwrap(), wanted, "{dialect:?}");
        assert_eq!(answered(&Reply::Services(list.into()), dialect), wanted);
    }
}

#[test]
fn cancels_are_written_in_each_dialect() {
    let reply = Reply::CanceledMany(vec![
        (Given::new("9"), Ok(())),
        (Given::new("2"), Err(Refused::IncorrectOrder)),
        (Given::new("Array"), Err(Refused::NoCancel)),
    ]);
    let beside = concat!(
        r#"[{"order":9,"cancel":{"status":"success"}},{"order":2,"error":"Incorrect order ID"},"#,
        r#"{"order":"Array","error":"Service doesn't support cancel"}]"#,
    );
    let inside = concat!(
        r#"[{"order":9,"cancel":1},{"order":2,"cancel":{"error":"Incorrect order ID"}},"#,
        r#"{"order":"Array","cancel":{"error":"Service doesn't support cancel"}}]"#,
    );
    for (dialect, wanted) in [(Dialect::Seed, beside), (Dialect::Classic, inside), (Dialect::Streamrise, inside)] {
        assert_eq!(answered(&reply, dialect), wanted, "{dialect:?}");
        assert_eq!(answered(&Reply::Canceled, dialect), r#"{"status":"success"}"#, "{dialect:?}");
    }
}

#[test]
fn refills_are_written_alike_in_every_dialect() {
    let many = Reply::RefilledMany(vec![
        (Given::new("1"), Ok(RefillId(7))),
        (Given::new("2"), Err(Refused::NotRefillable)),
        (Given::new("Array"), Err(Refused::IncorrectOrder)),
    ]);
    let many_statuses = Reply::RefillStatusMany(vec![
        (Given::new("1"), Some(RefillStatus::Completed)),
        (Given::new("2"), Some(RefillStatus::InProgress)),
        (Given::new("3"), None),
        (Given::new("Array"), None),
    ]);
    for dialect in ALL {
        for (reply, wanted) in [
            (&Reply::Refilled(RefillId(1)), r#"{"refill":"1"}"#),
            (&Reply::RefillStatus(RefillStatus::Completed), r#"{"status":"Completed"}"#),
            (
                &many,
                concat!(
                    r#"[{"order":1,"refill":7},{"order":2,"refill":{"error":"Order not eligible for refill"}},"#,
                    r#"{"order":"Array","refill":{"error":"Incorrect order ID"}}]"#,
                ),
            ),
            (
                &many_statuses,
                concat!(
                    r#"[{"refill":1,"status":"Completed"},{"refill":2,"status":"In progress"},"#,
                    r#"{"refill":3,"status":{"error":"Refill not found"}},"#,
                    r#"{"refill":"Array","status":{"error":"Refill not found"}}]"#,
                ),
            ),
        ] {
            assert_eq!(answered(reply, dialect), wanted, "{dialect:?}");
        }
    }
}

#[test]
fn ids_are_given_back_as_sent_and_in_the_order_of_the_question() {
    let texts = ["10", "2", "007", "x\"y", "Array"];
    let reply = Reply::StatusMany(texts.iter().map(|text| (Given::new(text), None)).collect());
    let error = r#"{"error":"Incorrect order ID"}"#;
    let wanted = format!(r#"{{"10":{error},"2":{error},"007":{error},"x\"y":{error},"Array":{error}}}"#);
    for dialect in ALL {
        assert_eq!(answered(&reply, dialect), wanted);
    }
}

#[test]
fn refusals_have_the_same_text_everywhere_and_a_code_where_there_are_codes() {
    for (dialect, http_status, has_codes) in [
        (Dialect::Seed, HttpStatus::Auto, true),
        (Dialect::Seed, HttpStatus::Codes, true),
        (Dialect::Seed, HttpStatus::Always200, false),
        (Dialect::Classic, HttpStatus::Auto, false),
        (Dialect::Classic, HttpStatus::Codes, true),
        (Dialect::Classic, HttpStatus::Always200, false),
        (Dialect::Streamrise, HttpStatus::Auto, false),
        (Dialect::Streamrise, HttpStatus::Codes, false),
        (Dialect::Streamrise, HttpStatus::Always200, false),
    ] {
        for (refused, code, text) in refusals() {
            let passing = matches!(refused, Refused::TooFast { .. } | Refused::TryLater { .. });
            let wanted = Encoded {
                status: if has_codes { code } else { 200 },
                retry_after_s: passing.then_some(WAIT_S),
                body: format!(r#"{{"error":"{text}"}}"#).into_bytes(),
            };
            assert_eq!(encode(&Reply::Refused(refused), dialect, http_status), wanted, "{dialect:?} {http_status:?}");
        }
    }
}

#[test]
fn no_answer_of_success_has_a_key_error() {
    for dialect in ALL {
        for reply in successes(dialect) {
            for http_status in STATUSES {
                let encoded = encode(&reply, dialect, http_status);
                let read: Value = serde_json::from_slice(&encoded.body).unwrap();
                assert!(!has_key(&read, "error"), "{dialect:?}: {read}");
                assert_eq!((encoded.status, encoded.retry_after_s), (200, None));
            }
        }
        // The test finds what it looks for.
        let refused =
            encode(&Reply::CanceledMany(vec![(Given::new("1"), Err(Refused::NoCancel))]), dialect, STATUSES[0]);
        assert!(has_key(&serde_json::from_slice(&refused.body).unwrap(), "error"), "{dialect:?}");
    }
}

#[test]
fn a_passing_fault_of_a_status_is_only_a_code_in_every_dialect() {
    for (asks_status, (refused, code, _)) in
        [true, false].into_iter().flat_map(|asks| refusals().into_iter().map(move |refusal| (asks, refusal)))
    {
        let passing = matches!(refused, Refused::TooFast { .. } | Refused::TryLater { .. });
        let said = refused.clone().said_to(asks_status);
        assert_eq!(said != refused, passing && asks_status, "{refused:?}");
        for (dialect, http_status) in ALL.into_iter().flat_map(|d| STATUSES.map(|s| (d, s))) {
            let encoded = encode(&Reply::Refused(said.clone()), dialect, http_status);
            if passing && asks_status {
                let bare = Encoded { status: code, retry_after_s: Some(WAIT_S), body: Vec::new() };
                assert_eq!(encoded, bare, "{dialect:?} {http_status:?}");
            } else {
                assert!(has_key(&serde_json::from_slice(&encoded.body).unwrap(), "error"));
            }
        }
    }
}

#[test]
fn only_the_dialects_of_api_v2_have_names() {
    for (name, dialect) in
        [("seed", Some(Dialect::Seed)), ("classic", Some(Dialect::Classic)), ("streamrise", None), ("", None)]
    {
        assert_eq!(Dialect::from_name(name), dialect, "{name}");
    }
}

proptest! {
    #[test]
    fn whatever_stands_for_an_id_is_given_back_readably(
        chars in proptest::collection::vec(any::<char>(), 0..20),
        of in 0usize..ALL.len(),
    ) {
        let given: GivenId = Given::new(&chars.into_iter().collect::<String>());
        let read = |reply: &Reply| -> Value {
            serde_json::from_slice(&encode(reply, ALL[of], HttpStatus::Auto).body).unwrap()
        };
        let statuses = read(&Reply::StatusMany(vec![(given.clone(), None)]));
        prop_assert_eq!(&statuses, &serde_json::json!({&given.text: {"error": "Incorrect order ID"}}));
        let canceled = read(&Reply::CanceledMany(vec![(given.clone(), Err(Refused::IncorrectOrder))]));
        let order = &canceled[0]["order"];
        prop_assert!(order.is_u64() || order.as_str() == Some(given.text.as_str()), "{}", canceled);
    }

    /// Panels take any `error` for a failure and any missing or odd value for nought.
    #[test]
    fn every_status_is_five_texts_and_no_error(
        charge in 0i64..=1_000_000_000_000,
        start_count in proptest::option::of(any::<i64>()),
        pick in 0usize..OrderStatus::ALL.len(),
        remains in any::<u64>(),
        of in 0usize..ALL.len(),
    ) {
        let status = OrderStatus::ALL[pick];
        let mut wanted = line("0", start_count, status, remains);
        wanted.charge = Micros::new(charge);
        let encoded = encode(&Reply::Status(wanted), ALL[of], HttpStatus::Auto);
        let read: serde_json::Map<String, Value> = serde_json::from_slice(&encoded.body).unwrap();
        let text = |name: &str| read[name].as_str().unwrap().to_owned();
        prop_assert_eq!(read.len(), 5);
        prop_assert_eq!(amount(&text("charge")), wanted.charge);
        prop_assert_eq!(text("start_count").parse::<i64>().unwrap(), start_count.unwrap_or(0));
        prop_assert_eq!(text("status"), status.name());
        prop_assert_eq!(text("remains").parse::<u64>().unwrap(), remains);
        prop_assert_eq!(text("currency"), "USD");
    }
}
