//! The list of orders: whole or nothing, however its pages are cut.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn endpoint() -> Endpoint {
    Endpoint { url: "https://stream-rise.com".to_owned(), key: "K".into() }
}

fn response(body: &Value) -> Response {
    Response { status: 200, retry_after_ms: None, body: body.to_string().into_bytes() }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn row(id: usize, time: i64) -> Value {
    json!({ "id": id, "service": "twitchViewers", "channel": "username", "amount": 100, "orderTime": time, "pause": false })
}

/// Reads `all`, the newest first, from a server that gives `rows` at a time; the ids, and how many pages it took.
fn read(all: &[Value], rows: usize, total: bool, since: Timestamp) -> (Vec<String>, usize) {
    let mut heard = Vec::new();
    loop {
        match next(&endpoint(), since, &heard) {
            Next::Ask(request) => {
                let (_, query) = request.url.split_once("start=").unwrap();
                let start: usize = query.split('&').next().unwrap().parse().unwrap();
                let page: Vec<&Value> = all.iter().skip(start).take(rows).collect();
                let mut body = json!({ "history": page });
                if total {
                    body["total"] = all.len().to_string().into();
                }
                heard.push(response(&body));
            }
            Next::Done(Answer::Orders(orders)) => {
                return (orders.into_iter().map(|held| held.order).collect(), heard.len());
            }
            Next::Done(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_page_of_the_seed_is_read() {
    let body = json!({
        "history": [{ "id": 12345, "service": "twitchViewers", "channel": "username", "amount": 100,
                      "orderTime": 1_711_500_000_000_i64, "pause": false }],
        "total": "1",
    });
    let held = HeldOrder {
        order: "12345".to_owned(),
        service: Some("twitchViewers".to_owned()),
        target: Some("username".to_owned()),
        quantity: Some(100),
        created_at: Some(at(1_711_500_000_000)),
        charge: None,
    };
    assert_eq!(page(&response(&body), at(1_711_500_000_000)), Answer::Orders(vec![held]));
    assert_eq!(page(&response(&body), at(1_711_500_000_001)), Answer::Orders(Vec::new()));
}

#[test]
fn what_a_row_does_not_say_excludes_nothing() {
    let body = json!({ "history": [{ "id": "7", "amount": -1, "channel": " ", "orderTime": "soon" }] });
    let held = HeldOrder {
        order: "7".to_owned(),
        service: None,
        target: None,
        quantity: None,
        created_at: None,
        charge: None,
    };
    assert_eq!(page(&response(&body), at(9)), Answer::Orders(vec![held]));
}

#[test]
fn pages_are_read_until_they_are_too_old() {
    let all: Vec<Value> = (0..250).map(|n| row(1_000 - n, 10_000 - i64::try_from(n).unwrap())).collect();
    let (orders, pages) = read(&all, 100, true, at(9_900));
    assert_eq!((orders.len(), pages), (101, 2));
    // Not sorted as it was asked for: nothing is known before the end.
    let rising: Vec<Value> = all.iter().rev().cloned().collect();
    let (orders, pages) = read(&rising, 100, true, at(9_900));
    assert_eq!((orders.len(), pages), (101, 3));
    let (orders, pages) = read(&rising, 100, false, at(9_900));
    assert_eq!((orders.len(), pages), (101, 4), "without a total an empty page is the end");
}

#[test]
fn a_list_that_is_not_whole_is_a_fault() {
    for body in [
        json!({}),
        json!([]),
        json!({ "history": {} }),
        json!({ "history": [row(1, 5), { "channel": "x" }] }),
        json!({ "history": [row(1, 5), null] }),
        json!({ "error": "..." }),
    ] {
        assert!(matches!(page(&response(&body), at(0)), Answer::Fault(Fault::Unreadable(_))), "{body}");
    }
    let none = response(&json!({ "history": [], "total": "42" }));
    assert!(matches!(next(&endpoint(), at(0), &[none]), Next::Done(Answer::Fault(Fault::Unreadable(_)))));
    let many: Vec<Response> = (0..PAGES_MAX).map(|n| response(&json!({ "history": [row(n + 1, 5)] }))).collect();
    assert!(matches!(next(&endpoint(), at(0), &many), Next::Done(Answer::Fault(Fault::Unreadable(_)))));
    assert!(matches!(next(&endpoint(), at(0), &many[1..]), Next::Ask(_)));
    let broken = Response { status: 502, ..response(&json!({ "history": [] })) };
    assert!(matches!(next(&endpoint(), at(0), &[many[0].clone(), broken]), Next::Done(Answer::Fault(_))));
}

#[test]
fn an_order_that_comes_meanwhile_hides_no_other() {
    let before = [row(3, 30), row(2, 20)];
    // Before the second page is read, order 4 has moved order 2 to a later place.
    let after = [row(2, 20), row(1, 10)];
    let pages = [json!({ "history": before, "total": "3" }), json!({ "history": after, "total": "4" })];
    let heard: Vec<Response> = pages.iter().map(response).collect();
    let Next::Done(Answer::Orders(orders)) = next(&endpoint(), at(0), &heard) else { panic!("not whole") };
    let ids: Vec<&str> = orders.iter().map(|held| held.order.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
}

proptest! {
    /// Every order since then is found, in pages of any size, sorted or not, counted or not.
    #[test]
    fn no_order_is_missed(
        times in proptest::collection::vec(0i64..50, 0..40),
        rows in 1usize..12,
        sorted in any::<bool>(),
        total in any::<bool>(),
        since in 0i64..60,
    ) {
        let mut times = times;
        if sorted {
            times.sort_by(|one, other| other.cmp(one));
        }
        let all: Vec<Value> = times.iter().enumerate().map(|(place, time)| row(place + 1, *time)).collect();
        let wanted: std::collections::BTreeSet<String> =
            times.iter().enumerate().filter(|(_, time)| **time >= since).map(|(place, _)| (place + 1).to_string()).collect();
        let (orders, pages) = read(&all, rows, total, at(since));
        prop_assert!(pages <= times.len() / rows + 2);
        if sorted {
            prop_assert_eq!(orders.into_iter().collect::<std::collections::BTreeSet<_>>(), wanted);
        }
    }
}
