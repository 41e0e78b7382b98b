//! Status answers: every arrangement and every way to write a value.

use interline_upstream::{Fault, Response};

use super::*;

fn ids(asked: &[&str]) -> Vec<String> {
    asked.iter().map(|id| (*id).to_owned()).collect()
}

fn answer(asked: &[&str], status: u16, body: &str) -> Answer {
    read(&Heard::new(&Response { status, retry_after_ms: None, body: body.into() }), &ids(asked))
}

/// What was said, as `id: word remains start charge currency` or `id! text`.
fn said(asked: &[&str], body: &str) -> Vec<String> {
    let Answer::Status(told) = answer(asked, 200, body) else { panic!("a fault: {body}") };
    let line = |(id, reported): (&String, &Reported)| match reported {
        Reported::Known(r) => {
            format!(
                "{id}: {:?} {:?} {:?} {:?} {:?}",
                r.word,
                r.remains,
                r.start_count,
                r.charge.map(|c| c.to_string()),
                r.currency
            )
        }
        Reported::Error(text) => format!("{id}! {text}"),
    };
    told.iter().map(line).collect()
}

const SEED: &str = r#"{
  "1": { "charge": "0.27819", "start_count": "3572", "status": "Partial", "remains": "157", "currency": "USD" },
  "2": { "error":  "Incorrect order ID" },
  "3": { "charge": "1.44219", "start_count": "234",  "status": "In progress", "remains": "10", "currency": "USD" }
}"#;

#[test]
fn many_orders_are_an_object_keyed_by_id() {
    let one = r#"1: Partial Some(157) Some(3572) Some("0.27819") Some(USD)"#;
    let three = r#"3: InProgress Some(10) Some(234) Some("1.44219") Some(USD)"#;
    assert_eq!(said(&["1", "2", "3", "4"], SEED), [one, "2! Incorrect order ID", three]);
    assert_eq!(said(&["3", "9"], SEED), [three], "nothing is read that was not asked for");
    assert_eq!(said(&["3"], SEED), [three]);
    assert!(matches!(answer(&["9"], 200, SEED), Answer::Fault(Fault::Unreadable(_))));
    assert!(matches!(answer(&["8", "9"], 200, SEED), Answer::Fault(Fault::Unreadable(_))));
}

#[test]
fn other_arrangements_say_the_same() {
    let one = "7: InProgress Some(5) None None None";
    for body in [
        r#"{"7":{"status":"In progress","remains":5}}"#,
        r#"{"7":{"Status":"in_progress","Remains":"5"},"8":null}"#,
        r#"[{"order":7,"status":"Inprogress","remains":"5"},{"order":9,"status":"Completed"}]"#,
        r#"[{"Order":"7","STATUS":"PROCESSING","REMAINS":5.0}]"#,
    ] {
        assert_eq!(said(&["7", "8"], body), [one], "{body}");
    }
    for body in [
        r#"{"status":"In progress","remains":"5"}"#,
        r#"{"order":"7","status":"In progress","remains":5}"#,
        r#"[{"status":"In progress","remains":5}]"#,
        r#"{"status":"In progress","remains":5,"runs":3,"orders":[1,2]}"#,
    ] {
        assert_eq!(said(&["7"], body), [one], "{body}");
        assert!(matches!(answer(&["7", "8"], 200, body), Answer::Fault(Fault::Unreadable(_))), "{body}");
    }
    for body in ["[]", "{}", r#"{"7":null,"8":[]}"#, r#"{"7":"","8":{}}"#] {
        assert_eq!(said(&["7", "8"], body), [""; 0], "{body}");
    }
}

#[test]
fn the_state_of_another_order_is_not_taken_for_the_one_asked_for() {
    for body in [r#"{"order":8,"status":"Completed","remains":0}"#, r#"[{"order":8,"status":"Completed"}]"#] {
        assert!(matches!(answer(&["7"], 200, body), Answer::Fault(Fault::Unreadable(_))), "{body}");
    }
}

#[test]
fn an_error_in_place_of_a_state_changes_nothing() {
    let one = "7! Incorrect order ID";
    for body in [
        r#"{"7":{"error":"Incorrect order ID"}}"#,
        r#"{"7":{"status":"Completed","remains":0,"error":"Incorrect order ID"}}"#,
        r#"{"7":{"status":"error","message":"Incorrect order ID"}}"#,
        r#"{"7":"Incorrect order ID"}"#,
        r#"[{"order":7,"error":{"message":"Incorrect order ID"}}]"#,
        r#"{"error":"Incorrect order ID"}"#,
    ] {
        assert_eq!(said(&["7"], body), [one], "{body}");
    }
    let not_found = answer(&["7"], 404, r#"{"error":"Incorrect order ID"}"#);
    let told = Reported::Error("Incorrect order ID".to_owned());
    assert_eq!(not_found, Answer::Status(BTreeMap::from([("7".to_owned(), told)])));
}

#[test]
fn an_error_of_the_whole_call_is_a_fault() {
    for (status, body) in [
        (200, r#"{"error":"We are migrating"}"#),
        (200, r#"{"status":"error"}"#),
        (200, r#"{"status":"fail","message":"try later"}"#),
        (200, "<html></html>"),
        (200, "null"),
        (200, r#"["Incorrect order ID"]"#),
        (500, SEED),
        (502, r#"{"status":"Completed","remains":0}"#),
    ] {
        assert!(matches!(answer(&["1"], status, body), Answer::Fault(Fault::Unreadable(_))), "{status} {body}");
    }
    let key = r#"{"error":"Invalid API key"}"#;
    assert!(matches!(answer(&["1"], 401, key), Answer::Fault(Fault::Refused(_))));
    let none = r#"{"error":"Incorrect order ID"}"#;
    assert!(matches!(answer(&["1", "2"], 400, none), Answer::Fault(Fault::Refused(_))));
    assert!(matches!(answer(&["1"], 200, r#"{"error":"Too many requests"}"#), Answer::Fault(Fault::Busy(None))));
}

#[test]
fn values_that_cannot_be_read_are_left_open() {
    for (fields, line) in [
        (r#""status":"Completed""#, "Completed None None None None"),
        (r#""status":2,"remains":null"#, "Other None None None None"),
        (r#""status":"Paused","remains":0"#, "Other Some(0) None None None"),
        (r#""status":null,"remains":"7""#, "Other Some(7) None None None"),
        (r#""charge":"1""#, r#"Other None None Some("1") None"#),
        (r#""status":"Partial","remains":"""#, "Partial None None None None"),
        (r#""status":"Partial","remains":"-12""#, "Partial Some(-12) None None None"),
        (r#""status":"Partial","remains":"157.0""#, "Partial Some(157) None None None"),
        (r#""status":"Partial","remains":157.5"#, "Partial None None None None"),
        (r#""status":"Fail","remains":"100","message":"x""#, "Failed Some(100) None None None"),
        (r#""status":"Pending","start_count":null,"start_counter":"12""#, "Pending None Some(12) None None"),
        (r#""status":"Pending","charge":0.08011655652"#, r#"Pending None None Some("0.080117") None"#),
        (r#""status":"Pending","charge":"-0.5","currency":"rub""#, r#"Pending None None Some("-0.5") Some(RUB)"#),
        (r#""status":"Pending","charge":"NaN","currency":7"#, "Pending None None None None"),
        (r#""status":{"x":1},"charge":[]"#, "Other None None None None"),
    ] {
        assert_eq!(said(&["7", "8"], &format!(r#"{{"7":{{{fields}}}}}"#)), [format!("7: {line}")], "{fields}");
    }
}
