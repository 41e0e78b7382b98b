//! The purchases that are held: evidence about unknown submissions, so a list is whole or nothing (`protocol.md` §6).

use std::collections::BTreeMap;

use interline_domain::Timestamp;
use interline_upstream::{Answer, Endpoint, Fault, Heard, HeldOrder, Next, Response};

use crate::{
    encode::{self, HELD_LISTS},
    errors, items,
    purchase::Purchase,
};

/// The purchases of one list that were made at or after `since`.
pub(crate) fn read(heard: &Heard<'_>, since: Timestamp) -> Answer {
    match list(heard) {
        Ok(held) => Answer::Orders(held.into_iter().filter(|order| is_since(order, since)).collect()),
        Err(fault) => Answer::Fault(fault),
    }
}

/// The next list, or the purchases of all of them that were made at or after `since`.
pub(crate) fn next(endpoint: &Endpoint, since: Timestamp, heard: &[Response]) -> Next {
    let mut held = BTreeMap::new();
    for response in heard {
        match list(&Heard::new(response)) {
            Ok(orders) => held.extend(orders.into_iter().map(|order| (order.order.clone(), order))),
            Err(fault) => return Next::Done(Answer::Fault(fault)),
        }
    }
    match HELD_LISTS.get(heard.len()) {
        Some(path) => Next::Ask(encode::get(endpoint, path)),
        None => Next::Done(Answer::Orders(held.into_values().filter(|order| is_since(order, since)).collect())),
    }
}

/// A list. One purchase that cannot be read could be the one that is looked for, so then nothing is.
fn list(heard: &Heard<'_>) -> Result<Vec<HeldOrder>, Fault> {
    let purchases = heard.good_json().and_then(items);
    let held: Option<Vec<HeldOrder>> =
        purchases.and_then(|items| items.iter().map(|item| Purchase::read(item).map(Purchase::held)).collect());
    held.ok_or_else(|| errors::fault(heard, "no list of purchases"))
}

fn is_since(order: &HeldOrder, since: Timestamp) -> bool {
    order.created_at.is_none_or(|at| at >= since)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINCE: Timestamp = Timestamp::from_millis(1_640_000_000_000);

    fn response(status: u16, body: &str) -> Response {
        Response { status, retry_after_ms: None, body: body.into() }
    }

    fn purchases(list: &[(u64, i64)]) -> Response {
        let one = |(id, at): &(u64, i64)| {
            format!(r#"{{"id":{id},"channel":"c{id}","tarif":1,"status":"working","created_at":{at}}}"#)
        };
        response(200, &format!("[{}]", list.iter().map(one).collect::<Vec<_>>().join(",")))
    }

    fn after(heard: &[Response]) -> Next {
        next(&Endpoint { url: "https://upstream.example/v1/".to_owned(), key: "k".into() }, SINCE, heard)
    }

    fn asked(next: Next) -> String {
        match next {
            Next::Ask(request) => request.url.to_string(),
            Next::Done(answer) => panic!("it is done: {answer:?}"),
        }
    }

    fn told(answer: Answer) -> Vec<String> {
        match answer {
            Answer::Orders(held) => held.into_iter().map(|order| order.order).collect(),
            other => panic!("no list: {other:?}"),
        }
    }

    fn done(next: Next) -> Answer {
        match next {
            Next::Done(answer) => answer,
            Next::Ask(request) => panic!("it goes on: {}", &*request.url),
        }
    }

    #[test]
    fn the_unfinished_are_asked_for_first_and_then_all() {
        let unfinished = || purchases(&[(5, 1_640_000_000), (6, 1_640_000_001)]);
        assert_eq!(asked(after(&[])), "https://upstream.example/v1/purchases/uncomplete");
        assert_eq!(asked(after(&[unfinished()])), "https://upstream.example/v1/purchases");
        assert_eq!(asked(after(&[purchases(&[])])), "https://upstream.example/v1/purchases");
        let all = purchases(&[(4, 1_639_999_999), (5, 1_640_000_000), (7, 1_640_000_002)]);
        assert_eq!(told(done(after(&[unfinished(), all]))), ["5", "6", "7"], "each once, and none that is older");
    }

    #[test]
    fn one_list_that_is_not_whole_is_no_evidence() {
        let good = || purchases(&[(5, 1_640_000_000)]);
        for bad in [
            response(200, r#"[{"id":5,"tarif":1},{"tarif":1}]"#),
            response(200, r#"[{"id":5,"tarif":1},null]"#),
            response(200, "{}"),
            response(500, "[]"),
            response(200, ""),
        ] {
            for heard in [vec![bad.clone()], vec![bad.clone(), good()], vec![good(), bad.clone()]] {
                let answer = done(after(&heard));
                assert!(matches!(answer, Answer::Fault(Fault::Unreadable(_))), "{heard:?}: {answer:?}");
            }
        }
        assert_eq!(done(after(&[good(), response(429, "")])), Answer::Fault(Fault::Busy(None)));
    }

    #[test]
    fn what_does_not_say_when_it_was_made_is_listed() {
        let list = response(200, r#"{"items":[{"id":8,"channel":"x"},{"id":9,"tarif":1,"created_at":1}]}"#);
        assert_eq!(told(read(&Heard::new(&list), SINCE)), ["8"]);
    }
}
