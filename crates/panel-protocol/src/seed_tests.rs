//! Every example of `seeds/panel-api-v2.txt`, byte for byte but for its layout.

use interline_domain::{OrderId, OrderStatus};

use super::*;
use crate::{
    command::{Command, Given},
    dialect::{Dialect, encode_services},
    examples::{add, amount, answered, asked, balance, compact, line, service},
    reply::Reply,
};

fn written(reply: &Reply) -> String {
    answered(reply, Dialect::Seed)
}

#[test]
fn the_calls_of_the_seed_are_understood() {
    let ids = |texts: &[&str]| -> Vec<GivenId> { texts.iter().map(|text| Given::new(text)).collect() };
    for (call, command) in [
        ("action=balance", Command::Balance),
        ("action=services", Command::Services),
        ("action=status&order=23501", Command::Status(Given::new("23501"))),
        ("action=multiStatus&orders=1,2,3", Command::StatusMany(ids(&["1", "2", "3"]))),
        ("action=cancel&orders=9,2", Command::CancelMany(ids(&["9", "2"]))),
    ] {
        assert_eq!(asked(&format!("key=YOUR_API_KEY&{call}")), command);
    }
}

#[test]
fn the_parameters_of_every_type_arrive() {
    let link = ("link", "https://a.example/p");
    for parameters in [
        &[link, ("quantity", "100")][..],
        &[link, ("quantity", "100"), ("runs", "5"), ("interval", "30")],
        &[link, ("keywords", "one, two\nthree"), ("quantity", "100")],
        &[link, ("comments", "good\r\nvery, very good\r\n\r\n:)")],
        &[("username", "mychannel"), ("min", "1"), ("max", "3"), ("delay", "30")],
        &[
            ("username", "mychannel"),
            ("min", "1"),
            ("max", "3"),
            ("delay", "30"),
            ("posts", "5"),
            ("old_posts", "2"),
            ("expiry", "2027-01-31"),
        ],
        &[link, ("quantity", "100"), ("answer_number", "2")],
        &[link, ("groups", "first\nsecond"), ("quantity", "100")],
        &[link],
    ] {
        let mut form = form_urlencoded::Serializer::new("key=YOUR_API_KEY&action=add&service=7".to_owned());
        let call = form.extend_pairs(parameters).finish();
        assert_eq!(asked(&call), add("7", parameters));
    }
}

#[test]
fn a_balance_is_written_as_in_the_seed() {
    assert_eq!(written(&balance("100.84292")), compact(r#"{ "balance":  "100.84292", "currency": "USD" }"#));
}

#[test]
fn services_are_written_as_in_the_seed_and_then_some() {
    let mut first = service(1, "Followers", "Default", "First Category", "0.90", 10_000);
    first.min = 50;
    let mut second = service(2, "Comments", "Custom Comments", "Second Category", "8", 1_500);
    (second.refill, second.cancel, second.dripfeed) = (true, false, true);
    second.description = "\"a/b\"\né".to_owned();
    let example = compact(
        r#"[
          {
            "service":  "1",
            "name":     "Followers",
            "type":     "Default",
            "rate":     "0.90",
            "min":      "50",
            "max":      "10000",
            "category": "First Category"
          },
          {
            "service":  "2",
            "name":     "Comments",
            "type":     "Custom Comments",
            "rate":     "8",
            "min":      "10",
            "max":      "1500",
            "category": "Second Category"
          }
        ]"#,
    );
    // The seed writes 0.90 beside 8; amounts are written without trailing zeros.
    let wanted = example
        .replace("0.90", "0.9")
        .replace("First Category\"", r#"First Category","refill":false,"cancel":true,"dripfeed":false,"desc":"""#)
        .replace(
            "Second Category\"",
            r#"Second Category","refill":true,"cancel":false,"dripfeed":true,"desc":"\"a/b\"\né""#,
        );
    let list = encode_services(&[first, second], Dialect::Seed);
    assert_eq!(String::from_utf8(list.clone()).unwrap(), wanted);
    assert_eq!(written(&Reply::Services(list.into())), wanted);
    assert_eq!(encode_services(&[], Dialect::Seed), b"[]");
}

#[test]
fn an_order_is_written_as_in_the_seed() {
    for id in 23_501..=23_508 {
        assert_eq!(written(&Reply::Added(OrderId(id))), compact(&format!(r#"{{ "order": {id} }}"#)));
    }
}

#[test]
fn a_status_is_written_as_in_the_seed() {
    let partial = line("0.27819", Some(3572), OrderStatus::Partial, 157);
    let example = r#"{
      "charge":      "0.27819",
      "start_count": "3572",
      "status":      "Partial",
      "remains":     "157",
      "currency":    "USD"
    }"#;
    assert_eq!(written(&Reply::Status(partial)), compact(example));
    // Strict clients take no null: an unknown start is 0.
    let fresh = line("2.5", None, OrderStatus::Pending, 1000);
    let wanted = r#"{"charge":"2.5","start_count":"0","status":"Pending","remains":"1000","currency":"USD"}"#;
    assert_eq!(written(&Reply::Status(fresh)), wanted);
}

#[test]
fn many_statuses_are_written_as_in_the_seed() {
    let reply = Reply::StatusMany(vec![
        (Given::new("1"), Some(line("0.27819", Some(3572), OrderStatus::Partial, 157))),
        (Given::new("2"), None),
        (Given::new("3"), Some(line("1.44219", Some(234), OrderStatus::InProgress, 10))),
    ]);
    // The layout's spaces go, and the one that belongs to a word stays.
    let example = r#"{
      "1": { "charge": "0.27819", "start_count": "3572", "status": "Partial", "remains": "157", "currency": "USD" },
      "2": { "error":  "Incorrect order ID" },
      "3": { "charge": "1.44219", "start_count": "234",  "status": "In progress", "remains": "10", "currency": "USD" }
    }"#;
    assert_eq!(written(&reply), compact(example));
}

#[test]
fn cancels_are_written_as_in_the_seed() {
    let recorded = (Given::new("9"), Ok(()));
    let unknown = (Given::new("2"), Err(Refused::IncorrectOrder));
    let example = r#"[
      { "order": 9,  "cancel": { "status": "success" } },
      { "order": 2,  "error":  "Incorrect order ID" }
    ]"#;
    assert_eq!(written(&Reply::CanceledMany(vec![recorded, unknown])), compact(example));
    // Ids that nothing can have are given back as they came, a number as a number.
    let odd = Reply::CanceledMany(vec![
        (Given::new("3"), Err(Refused::NoCancel)),
        (Given::new("99999999999"), Err(Refused::IncorrectOrder)),
        (Given::new("Array"), Err(Refused::IncorrectOrder)),
    ]);
    let wanted = concat!(
        r#"[{"order":3,"error":"Service doesn't support cancel"},"#,
        r#"{"order":99999999999,"error":"Incorrect order ID"},"#,
        r#"{"order":"Array","error":"Incorrect order ID"}]"#,
    );
    assert_eq!(written(&odd), wanted);
}

#[test]
fn amounts_keep_what_they_have_to_say() {
    for (charge, text) in [("0", "0"), ("8.00", "8"), ("0.000001", "0.000001"), ("1000000.5", "1000000.5")] {
        let reply = balance(charge);
        assert_eq!(written(&reply), format!(r#"{{"balance":"{text}","currency":"USD"}}"#));
        assert_eq!(amount(text), amount(charge));
    }
}
