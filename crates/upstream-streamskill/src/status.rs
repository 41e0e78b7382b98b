//! How purchases stand: one by its path, or up to a hundred in bulk (`protocol.md` §6).

use std::{collections::BTreeMap, slice};

use interline_upstream::{
    Answer, Heard, Reported,
    value::{self, field},
};
use serde_json::Value;

use crate::{
    errors::{self, Complaint},
    items,
    purchase::Purchase,
};

/// Reads what is said of the purchases `asked` for. One that is not mentioned is no news.
pub(crate) fn read(heard: &Heard<'_>, asked: &[String]) -> Answer {
    if let Some(told) = heard.good_json().and_then(|body| said(body, asked)) {
        return Answer::Status(told);
    }
    match (asked, Complaint::of(heard)) {
        ([id], Some(Complaint::Missing(text))) => Answer::Status([(id.clone(), Reported::Error(text))].into()),
        _ => Answer::Fault(errors::fault(heard, "no purchase that was asked for")),
    }
}

/// What is said of those that were `asked` for; `None` if that is none, although something is said.
fn said(body: &Value, asked: &[String]) -> Option<BTreeMap<String, Reported>> {
    let entries = items(body).unwrap_or(slice::from_ref(body));
    let missing = body.as_object().and_then(|body| field(body, "missing_ids")).and_then(Value::as_array);
    let absent = missing.into_iter().flatten().filter_map(value::id);
    let absent = absent.map(|id| (id, Reported::Error("it is among `missing_ids`".to_owned())));
    let found = entries.iter().filter_map(Purchase::read);
    let found = found.map(|purchase| (purchase.id.clone(), Reported::Known(purchase.report())));
    let told: BTreeMap<_, _> = absent.chain(found).filter(|(id, _)| asked.contains(id)).collect();
    let nothing = entries.is_empty() && missing.is_none_or(Vec::is_empty);
    (nothing || !told.is_empty()).then_some(told)
}

#[cfg(test)]
mod tests {
    use interline_upstream::{Fault, Refusal, Response};

    use super::*;

    const BULK: &str = r#"{
      "items": [
        { "id": 101, "price": 10, "currency": "usd", "status": "working", "channel": "example_channel", "tarif": 1 },
        { "id": 102, "price": 15, "currency": "usd", "status": "created", "channel": "another_channel", "tarif": 1 }
      ],
      "missing_ids": [999]
    }"#;

    fn answer(asked: &[&str], status: u16, body: &str) -> Answer {
        let asked: Vec<String> = asked.iter().map(|id| (*id).to_owned()).collect();
        read(&Heard::new(&Response { status, retry_after_ms: None, body: body.into() }), &asked)
    }

    /// What was said, as `id: word charge` or `id! text`.
    fn told(asked: &[&str], body: &str) -> Vec<String> {
        let Answer::Status(told) = answer(asked, 200, body) else { panic!("a fault: {body}") };
        let line = |(id, said): (&String, &Reported)| match said {
            Reported::Known(report) => format!("{id}: {:?} {:?}", report.word, report.charge.map(|c| c.to_string())),
            Reported::Error(text) => format!("{id}! {text}"),
        };
        told.iter().map(line).collect()
    }

    #[test]
    fn many_are_items_and_missing_ids() {
        let working = r#"101: InProgress Some("10")"#;
        let missing = "999! it is among `missing_ids`";
        assert_eq!(told(&["101", "102", "999", "7"], BULK), [working, r#"102: Pending Some("15")"#, missing]);
        assert_eq!(told(&["101", "7"], BULK), [working], "nothing is read that was not asked for");
        assert_eq!(told(&["999", "7"], BULK), [missing]);
        for empty in [r#"{"items":[],"missing_ids":[]}"#, r#"{"items":[]}"#, "[]"] {
            assert_eq!(told(&["101", "102"], empty), [""; 0], "{empty}");
        }
        for strange in ["{}", r#"{"items":[{}]}"#, r#"{"items":5}"#, r#"{"missing_ids":[8]}"#, BULK] {
            let answer = answer(&["7", "9"], 200, strange);
            assert!(matches!(answer, Answer::Fault(Fault::Unreadable(_))), "{strange}: {answer:?}");
        }
    }

    #[test]
    fn one_is_alone_or_among_others() {
        let alone = r#"{"id":101,"price":"10.5","status":"completed","tarif":1}"#;
        assert_eq!(told(&["101"], alone), [r#"101: Completed Some("10.5")"#]);
        assert_eq!(told(&["101"], &format!("[{alone}]")), [r#"101: Completed Some("10.5")"#]);
        assert_eq!(told(&["102"], BULK), [r#"102: Pending Some("15")"#]);
        assert_eq!(told(&["101"], r#"{"id":101,"tarif":1,"status":null}"#), ["101: Other None"]);
        assert!(matches!(answer(&["102"], 200, alone), Answer::Fault(Fault::Unreadable(_))), "it is another one");
        assert!(matches!(answer(&["101"], 502, alone), Answer::Fault(Fault::Unreadable(_))), "it is not believed");
    }

    #[test]
    fn an_error_is_about_the_one_or_about_the_call() {
        let error = |status: u16| format!(r#"{{"name":"n","message":"m","code":0,"status":{status},"type":"t"}}"#);
        let one = Answer::Status([("7".to_owned(), Reported::Error("m".to_owned()))].into());
        assert_eq!(answer(&["7"], 404, &error(404)), one);
        let parameters = |text: &str| Answer::Fault(Fault::Refused(Refusal::Parameters(text.to_owned())));
        assert_eq!(answer(&["7", "8"], 404, &error(404)), parameters("m"), "they are asked for one by one");
        assert_eq!(answer(&["7"], 422, &error(422)), parameters("m"));
        assert_eq!(answer(&["7"], 401, &error(401)), Answer::Fault(Fault::Refused(Refusal::Key("m".to_owned()))));
        assert_eq!(answer(&["7"], 429, ""), Answer::Fault(Fault::Busy(None)));
        assert!(matches!(answer(&["7"], 500, &error(500)), Answer::Fault(Fault::Unreadable(_))));
    }
}
