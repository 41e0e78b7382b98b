//! Cancel answers: every arrangement that panels use.

use interline_upstream::{Fault, Response};

use super::*;

fn answer(asked: &[&str], status: u16, body: &str) -> Answer {
    let asked: Vec<String> = asked.iter().map(|id| (*id).to_owned()).collect();
    read(&Heard::new(&Response { status, retry_after_ms: None, body: body.into() }), &asked)
}

/// What was said, as `id` for "requested" and `id! text` for a refusal.
fn said(asked: &[&str], body: &str) -> Vec<String> {
    let Answer::Cancel(told) = answer(asked, 200, body) else { panic!("a fault: {body}") };
    let line = |(id, said): (&String, &CancelAnswer)| match said {
        CancelAnswer::Requested => id.clone(),
        CancelAnswer::Refused(text) => format!("{id}! {text}"),
    };
    told.iter().map(line).collect()
}

#[test]
fn many_orders_in_every_arrangement() {
    for body in [
        r#"[{"order":9,"cancel":{"error":"Incorrect order ID"}},{"order":2,"cancel":1}]"#,
        r#"[{"order":2,"cancel":{"status":"success"}},{"order":9,"error":"Incorrect order ID"}]"#,
        r#"[{"order":"2","cancel":"can_77"},{"order":"9","cancel":"Incorrect order ID"}]"#,
        r#"[{"Order":2,"Cancel":true},{"order_id":9,"status":"error","message":"Incorrect order ID"},{"order":5,"cancel":1}]"#,
        r#"{"2":{"cancel":"requested"},"9":{"error":"Incorrect order ID"}}"#,
        r#"{"2":1,"9":"Incorrect order ID","5":1}"#,
        r#"{"2":{"success":"It will be canceled asap"},"9":{"cancel":{"status":"fail","msg":"Incorrect order ID"}}}"#,
        r#"{"2":"Success","9":{"error":{"message":"Incorrect order ID"}}}"#,
    ] {
        assert_eq!(said(&["2", "9", "11"], body), ["2", "9! Incorrect order ID"], "{body}");
    }
    assert_eq!(said(&["2", "9"], "[]"), [""; 0]);
    assert_eq!(said(&["2", "9"], r#"[{"order":2,"cancel":0},{"order":9,"cancel":null}]"#), [""; 0]);
}

#[test]
fn one_order_may_be_answered_alone() {
    for body in [
        r#"{"success":"Your order will be canceled asap"}"#,
        r#"{"status":"success"}"#,
        r#"{"success":true,"message":"ok"}"#,
        r#"{"order":7,"cancel":1}"#,
        r#"{"cancel":{"status":"success"}}"#,
        r#"[{"cancel":1}]"#,
    ] {
        assert_eq!(said(&["7"], body), ["7"], "{body}");
        assert!(matches!(answer(&["7", "8"], 200, body), Answer::Fault(Fault::Unreadable(_))), "{body}");
    }
    for (body, refused) in [
        (r#"{"error":"Service doesn't support cancel"}"#, "7! Service doesn't support cancel"),
        (r#"{"status":"error","message":"Cannot cancel"}"#, "7! Cannot cancel"),
        (r#"{"cancel":{"error":"Too late"}}"#, "7! Too late"),
        (r#"{"7":"Too late"}"#, "7! Too late"),
    ] {
        assert_eq!(said(&["7"], body), [refused], "{body}");
    }
}

#[test]
fn what_answers_no_order_is_a_fault() {
    for (status, body) in [
        (200, r#"{"error":"We are migrating"}"#),
        (200, r#"{"order":8,"cancel":1}"#),
        (200, r#"[{"order":8,"cancel":1}]"#),
        (200, r#"{"status":"In progress"}"#),
        (500, r#"[{"order":7,"cancel":1}]"#),
        (200, ""),
    ] {
        assert!(matches!(answer(&["7"], status, body), Answer::Fault(Fault::Unreadable(_))), "{status} {body}");
    }
    let many = r#"{"error":"Cannot cancel"}"#;
    assert!(matches!(answer(&["7", "8"], 200, many), Answer::Fault(Fault::Refused(_))));
}
