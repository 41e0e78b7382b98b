//! Every example of the PerfectPanel part of `seeds/streamrise-api.txt`, byte for byte but for its layout.

use interline_domain::{OrderId, OrderStatus};

use super::*;
use crate::{
    command::{Command, Given, GivenId},
    dialect::{Dialect, HttpStatus, encode, encode_services},
    examples::{add, answered, asked, balance, compact, line, service},
    refused::Refused,
    reply::{Encoded, Reply},
};

fn written(reply: &Reply) -> String {
    answered(reply, Dialect::Streamrise)
}

#[test]
fn the_calls_of_the_seed_are_understood() {
    let ids = |texts: &[&str]| -> Vec<GivenId> { texts.iter().map(|text| Given::new(text)).collect() };
    let order = [("link", "https://twitch.tv/username"), ("quantity", "100")];
    for (call, command) in [
        (r#"{"key":"YOUR_API_KEY","action":"services"}"#, Command::Services),
        (r#"{ "key": "YOUR_API_KEY", "action": "balance" }"#, Command::Balance),
        (r#"{"key":"YOUR_API_KEY","action":"balance"}"#, Command::Balance),
        (r#"{"key":"YOUR_API_KEY","action":"status","order":12345}"#, Command::Status(Given::new("12345"))),
        (
            r#"{"key":"YOUR_API_KEY","action":"status","orders":"12345,12346,99999"}"#,
            Command::StatusMany(ids(&["12345", "12346", "99999"])),
        ),
        (
            r#"{"key":"YOUR_API_KEY","action":"add","service":1,"link":"https://twitch.tv/username","quantity":100}"#,
            add("1", &order),
        ),
        // As fetch and requests write the samples.
        (
            concat!(
                r#"{"key": "YOUR_API_KEY", "action": "add", "service": 1, "link": "https://twitch.tv/username", "#,
                r#""quantity": 100}"#,
            ),
            add("1", &order),
        ),
        (
            r#"{"key":"YOUR_API_KEY","action":"cancel","orders":"23501,23502"}"#,
            Command::CancelMany(ids(&["23501", "23502"])),
        ),
    ] {
        assert_eq!(asked(call), command, "{call}");
    }
}

#[test]
fn the_optional_parameters_of_add_arrive() {
    let call = concat!(
        r#"{"key":"YOUR_API_KEY","action":"add","service":2,"link":"https://twitch.tv/username","quantity":100,"#,
        r#""interval":"5","comments":"hello\nnice stream","periodAmount":"30"}"#,
    );
    let fields = [
        ("link", "https://twitch.tv/username"),
        ("quantity", "100"),
        ("interval", "5"),
        ("comments", "hello\nnice stream"),
        ("periodamount", "30"),
    ];
    assert_eq!(asked(call), add("2", &fields));
}

#[test]
fn services_are_written_as_in_the_seed_and_then_some() {
    let first = service(1, "Twitch Viewers", "Default", "Twitch", "0.90", 10_000);
    let mut second = service(2, "Twitch Chatbots", "Custom Comments", "Twitch", "8.00", 1_500);
    second.cancel = false;
    let example = compact(
        r#"[
          {
            "service": 1,
            "name": "Twitch Viewers",
            "type": "Default",
            "category": "Twitch",
            "rate": "0.90",
            "min": "10",
            "max": "10000",
            "cancel": true
          },
          {
            "service": 2,
            "name": "Twitch Chatbots",
            "type": "Custom Comments",
            "category": "Twitch",
            "rate": "8.00",
            "min": "10",
            "max": "1500",
            "cancel": false
          }
        ]"#,
    );
    let wanted = example.replace('}', r#","refill":false,"dripfeed":false,"desc":""}"#);
    assert_eq!(String::from_utf8(encode_services(&[first, second], Dialect::Streamrise)).unwrap(), wanted);
}

#[test]
fn a_balance_is_written_as_in_the_seed() {
    assert_eq!(written(&balance("100.84")), compact(r#"{ "balance": "100.84", "currency": "USD" }"#));
}

#[test]
fn statuses_are_written_as_in_the_seed() {
    let running = line("0.27", Some(3572), OrderStatus::InProgress, 157);
    let example = r#"{
      "charge": "0.27",
      "start_count": "3572",
      "status": "In progress",
      "remains": "157",
      "currency": "USD"
    }"#;
    assert_eq!(written(&Reply::Status(running)), compact(example));
    let many = Reply::StatusMany(vec![
        (Given::new("12345"), Some(line("0.27", Some(3572), OrderStatus::Partial, 157))),
        (Given::new("12346"), Some(line("1.44", Some(234), OrderStatus::InProgress, 10))),
        (Given::new("99999"), None),
    ]);
    let example = r#"{
      "12345": {
        "charge": "0.27",
        "start_count": "3572",
        "status": "Partial",
        "remains": "157",
        "currency": "USD"
      },
      "12346": {
        "charge": "1.44",
        "start_count": "234",
        "status": "In progress",
        "remains": "10",
        "currency": "USD"
      },
      "99999": {
        "error": "Incorrect order ID"
      }
    }"#;
    assert_eq!(written(&many), compact(example));
}

#[test]
fn an_order_and_cancels_are_written_as_in_the_seed() {
    assert_eq!(written(&Reply::Added(OrderId(23_501))), compact(r#"{ "order": 23501 }"#));
    let canceled =
        Reply::CanceledMany(vec![(Given::new("23501"), Ok(())), (Given::new("23502"), Err(Refused::IncorrectOrder))]);
    let example = r#"[
      {
        "order": 23501,
        "cancel": 1
      },
      {
        "order": 23502,
        "cancel": {
          "error": "Incorrect order ID"
        }
      }
    ]"#;
    assert_eq!(written(&canceled), compact(example));
}

#[test]
fn the_errors_of_the_seed_are_answered_with_200() {
    for (refused, example) in [
        (Refused::IncorrectOrder, r#"{ "error": "Incorrect order ID" }"#),
        (Refused::NoCancel, r#"{ "error": "Service doesn't support cancel" }"#),
    ] {
        for http_status in [HttpStatus::Auto, HttpStatus::Codes, HttpStatus::Always200] {
            let encoded = encode(&Reply::Refused(refused.clone()), Dialect::Streamrise, http_status);
            let wanted = Encoded { status: 200, retry_after_s: None, body: compact(example).into_bytes() };
            assert_eq!(encoded, wanted, "{http_status:?}");
        }
    }
}

#[test]
fn amounts_have_two_places_or_more() {
    for (plain, written) in [("0", "0.00"), ("8", "8.00"), ("0.9", "0.90"), ("0.27819", "0.27819"), ("2.5", "2.50")] {
        assert_eq!(amount(plain.parse().unwrap()), written);
    }
}
