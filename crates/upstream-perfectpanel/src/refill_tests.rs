//! Every shape of §1.8, and what follows from none.

use interline_upstream::{Evidence, Fault, Response};

use super::*;

fn response(status: u16, body: &str) -> Response {
    Response { status, retry_after_ms: None, body: body.into() }
}

fn verdict(status: u16, body: &str) -> SubmitOutcome {
    read(&Heard::new(&response(status, body)))
}

#[test]
fn an_id_is_taken_in_every_shape() {
    for (body, id) in [
        (r#"{"refill":"1"}"#, "1"),
        (r#"{"refill":12345}"#, "12345"),
        (r#"{"success":"Your order will be refill asap","refill":12345}"#, "12345"),
        (r#"{"status":"success","refill":"ref_01HG"}"#, "ref_01HG"),
        (r#"[{"order":1,"refill":7}]"#, "7"),
        (r#"{"order":"1","refill_id":"9"}"#, "9"),
    ] {
        assert_eq!(verdict(200, body), SubmitOutcome::Accepted { order: id.into(), charge: None }, "{body}");
    }
}

#[test]
fn a_listed_error_is_a_refusal_under_any_status() {
    for status in [200, 400, 502] {
        for body in [
            r#"{"error":"Order not eligible for refill."}"#,
            r#"{"refill":{"error":"Incorrect order ID"}}"#,
            r#"[{"order":1,"refill":{"error":"Incorrect order ID"}}]"#,
            r#"[{"order":1,"error":"You are not eligible to send refill request."}]"#,
            r#"{"error":"Invalid API key"}"#,
        ] {
            assert!(matches!(verdict(status, body), SubmitOutcome::Rejected(_)), "{status} {body}");
        }
    }
}

#[test]
fn what_says_neither_is_unknown() {
    for (status, body) in [
        (200, ""),
        (200, "<html>"),
        (502, "<html>"),
        (200, "{}"),
        (200, "[]"),
        (200, r#"{"refill":""}"#),
        (200, r#"{"refill":0}"#),
        (200, r#"{"refill":true}"#),
        (200, r#"{"error":"Ne moze"}"#),
        (200, r#"{"refill":"5","error":"Incorrect order ID"}"#),
    ] {
        assert!(matches!(verdict(status, body), SubmitOutcome::Unknown(Evidence { .. })), "{status} {body}");
    }
    assert!(matches!(verdict(429, ""), SubmitOutcome::Busy { .. }));
    assert!(matches!(verdict(200, r#"{"error":"Too many requests."}"#), SubmitOutcome::Busy { .. }));
}

#[test]
fn statuses_are_read_by_the_ids_that_were_asked_for() {
    let asked = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let told = |body: &str, ids: &[&str]| read_statuses(&Heard::new(&response(200, body)), &asked(ids));
    let one = |id: &str, status| Answer::RefillStatus(BTreeMap::from([(id.to_owned(), status)]));
    for body in [r#"{"status":"Completed"}"#, r#"[{"refill":1,"status":"completed"}]"#, r#"[{"status":"COMPLETED"}]"#] {
        assert_eq!(told(body, &["1"]), one("1", RefillStatus::Completed), "{body}");
    }
    let many = r#"[{"refill":1,"status":"Completed"},{"refill":2,"status":"Rejected"},{"refill":3,"status":{"error":"Refill not found"}},{"refill":9,"status":"Pending"}]"#;
    let expected = [("1".to_owned(), RefillStatus::Completed), ("2".to_owned(), RefillStatus::Rejected)];
    assert_eq!(told(many, &["1", "2", "3"]), Answer::RefillStatus(expected.into()));
    for body in [r#"{"error":"Refill not found"}"#, r#"{"status":{"error":"Refill not found"}}"#] {
        assert!(!matches!(told(body, &["1"]), Answer::RefillStatus(found) if !found.is_empty()), "{body}");
    }
    assert!(matches!(told("<html>", &["1"]), Answer::Fault(Fault::Unreadable(_))));
    assert!(matches!(told(r#"{"error":"Invalid API key"}"#, &["1", "2"]), Answer::Fault(Fault::Refused(_))));
}
