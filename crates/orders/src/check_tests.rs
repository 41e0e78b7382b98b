//! What is made of each kind of answer, and of a clock.

use interline_domain::{Report, StatusWord};
use interline_upstream::Evidence;

use super::*;

fn told(answer: Answer) -> Told {
    Told { answer: Ok(answer), latency_ms: Some(7) }
}

fn unreadable() -> Fault {
    let excerpt = "<html>".repeat(60);
    Fault::Unreadable(Evidence { status: Some(502), reason: "a page".to_owned(), excerpt })
}

#[test]
fn a_clock_is_apart_by_what_no_delay_explains() {
    let noon = Timestamp::from_millis(1_711_540_800_000);
    let date = "Wed, 27 Mar 2024 12:00:00 GMT";
    for (sent_ms, heard_ms, ahead_ms) in
        [(0, 400, 0), (-700, 300, 0), (900, 1_900, 0), (1_999, 2_500, -1_000), (-9_000, -8_000, 8_000)]
    {
        let found = clock_ahead_ms(date, noon.plus_ms(sent_ms), noon.plus_ms(heard_ms));
        assert_eq!(found, Some(ahead_ms), "{sent_ms} {heard_ms}");
    }
    assert_eq!(clock_ahead_ms("yesterday", noon, noon), None);
    assert_eq!(
        [Some(60_000), Some(-60_001), None].map(|ms| clock(ms).found),
        [Found::Ok, Found::Odd, Found::NotOffered]
    );
}

#[test]
fn an_unknown_order_is_an_error_of_its_own_or_odd() {
    let said = |said| Answer::Status([(NOBODYS.to_owned(), said)].into());
    let report = Report { word: StatusWord::Pending, remains: None, start_count: None, charge: None, currency: None };
    for (answer, found) in [
        (said(Reported::Error("Incorrect order ID".to_owned())), Found::Ok),
        (Answer::Status(BTreeMap::new()), Found::Ok),
        (said(Reported::Known(report)), Found::Odd),
        (Answer::Fault(unreadable()), Found::Odd),
        (Answer::Fault(Fault::Refused(Refusal::Parameters("no".to_owned()))), Found::Odd),
        (Answer::Fault(Fault::Refused(Refusal::Key("no".to_owned()))), Found::Unusable),
        (Answer::Orders(Vec::new()), Found::Unusable),
    ] {
        let row = status(told(answer.clone()));
        assert_eq!((row.found, row.latency_ms), (found, Some(7)), "{answer:?}");
    }
}

#[test]
fn a_balance_in_another_currency_cannot_be_used() {
    let usd = "USD".parse().unwrap();
    let stated = |amount: &str, currency: Option<&str>| {
        let currency = currency.map(|code| code.parse().unwrap());
        balance(usd, told(Answer::Balance(Stated { amount: amount.parse().unwrap(), currency })))
    };
    assert_eq!(stated("1.5", Some("USD")).text, "1.5 USD");
    assert!(stated("1.5", None).found == Found::Ok && stated("1.5", None).text.contains("no currency"));
    assert_eq!((stated("-1", Some("USD")).found, stated("1", Some("EUR")).found), (Found::Odd, Found::Unusable));
    assert_eq!(balance(usd, told(Answer::Fault(Fault::Unsupported))).found, Found::NotOffered);
    let page = balance(usd, told(Answer::Fault(unreadable())));
    assert!(page.found == Found::Unusable && page.text.contains("HTTP 502") && page.text.len() < 200, "{page:?}");
    assert_eq!(balance(usd, Told { answer: Err("no route".to_owned()), latency_ms: None }).text, "no route");
}
