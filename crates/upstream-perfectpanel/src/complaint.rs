//! What an answer says went wrong, in every shape that panels give it (`protocol.md` §3).

use serde_json::Value;

use crate::{
    errors::{self, Listed},
    value::{self, Object, field, one_line},
};

/// Most texts that are read from one answer.
const TEXTS_MAX: usize = 16;

/// Fields that state an error; one that is null, false, zero or empty states none. Codes come first, for they are not
/// translated.
const STATED: [&str; 3] = ["error_code", "error", "errors"];

/// Fields that describe an error, once it is known that there is one.
const DESCRIBED: [&str; 5] = ["code", "message", "msg", "detail", "reason"];

/// An error that an answer states; it may come without a word about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint(Vec<String>);

impl Complaint {
    /// What `body` complains of. Under an HTTP status that means failure (`failed`) its message counts as an error too.
    pub fn of(body: &Value, failed: bool) -> Option<Self> {
        match body {
            Value::Object(object) => Self::of_object(object, failed),
            Value::String(_) => {
                let mut texts = Vec::new();
                collect(body, &mut texts);
                (!texts.is_empty()).then_some(Self(texts))
            }
            _ => None,
        }
    }

    /// What `object` complains of: its error fields, or its message when it failed.
    pub(crate) fn of_object(object: &Object, failed: bool) -> Option<Self> {
        let mut texts = texts_in(object, &STATED);
        let well = says_well(object);
        if !well.unwrap_or(!failed) || !texts.is_empty() {
            texts.extend(texts_in(object, &DESCRIBED));
        }
        (well == Some(false) || !texts.is_empty()).then_some(Self(texts))
    }

    /// Only what the error fields of `object` say: in an order's state, a status such as `Fail` is not a complaint.
    pub(crate) fn stated(object: &Object) -> Option<Self> {
        let texts = texts_in(object, &STATED);
        (!texts.is_empty()).then_some(Self(texts))
    }

    /// What it means, if one of its texts or codes is listed.
    pub fn listed(&self) -> Option<Listed> {
        self.0.iter().find_map(|text| errors::listed(text))
    }

    /// Whether it comes with words.
    pub(crate) const fn has_words(&self) -> bool {
        !self.0.is_empty()
    }

    /// Its words, each as it came.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// Its words on one line.
    pub fn text(&self) -> String {
        one_line(&self.0.join("; "))
    }
}

/// Whether `status` or `success` says that it went well; a "no" outweighs a "yes".
fn says_well(object: &Object) -> Option<bool> {
    let status = match field(object, "status") {
        Some(Value::String(word)) => match word.trim().to_ascii_lowercase().as_str() {
            "success" | "ok" => Some(true),
            "error" | "fail" | "failed" | "failure" => Some(false),
            _ => None,
        },
        Some(Value::Bool(well)) => Some(*well),
        _ => None,
    };
    let success = field(object, "success").and_then(value::flag);
    [status, success].into_iter().flatten().min()
}

/// The texts in the fields of these names.
fn texts_in(object: &Object, names: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    for value in names.iter().filter_map(|name| field(object, name)) {
        collect(value, &mut texts);
    }
    texts
}

/// Every text in `value`, however it is nested.
fn collect(value: &Value, texts: &mut Vec<String>) {
    if texts.len() >= TEXTS_MAX {
        return;
    }
    match value {
        Value::Null | Value::Bool(false) => {}
        Value::Bool(true) => texts.push("true".to_owned()),
        Value::Number(number) if number.as_i64() == Some(0) => {}
        Value::Number(_) | Value::String(_) => texts.extend(value::text(value)),
        Value::Array(items) => {
            for item in items {
                collect(item, texts);
            }
        }
        Value::Object(object) => {
            for item in object.values() {
                collect(item, texts);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(body: &str) -> Option<String> {
        Complaint::of(&serde_json::from_str(body).unwrap(), false).map(|complaint| complaint.text())
    }

    #[test]
    fn every_documented_shape_is_read() {
        for (body, text) in [
            (r#"{"error":"Bad link"}"#, "Bad link"),
            (r#"{"Error":" Bad\nlink "}"#, "Bad link"),
            (r#"{"error":{"code":"error.link","message":"no"}}"#, "error.link; no"),
            (r#"{"error":{"link":"is empty"}}"#, "is empty"),
            (r#"{"status":"error","msg":"no funds","error":17}"#, "17; no funds"),
            (r#"{"status":"fail","message":"no funds"}"#, "no funds"),
            (r#"{"STATUS":"Error","Message":"no funds"}"#, "no funds"),
            (r#"{"errors":["one","two"]}"#, "one; two"),
            (r#"{"message":"invalid","errors":{"link":["required"]}}"#, "required; invalid"),
            (r#"{"error_code":"E1","error":"text"}"#, "E1; text"),
            (r#"{"success":false,"message":"no"}"#, "no"),
            (r#"{"data":null,"error":{"code":7,"message":"m"}}"#, "7; m"),
            (r#"{"status":"error"}"#, ""),
            (r#"{"error":true}"#, "true"),
            (r#""Bad link""#, "Bad link"),
        ] {
            assert_eq!(words(body).as_deref(), Some(text), "{body}");
        }
    }

    #[test]
    fn what_states_no_error_is_no_complaint() {
        for body in [
            r#"{"error":null,"order":1}"#,
            r#"{"error":"","order":1}"#,
            r#"{"error":false,"errors":[],"error_code":0}"#,
            r#"{"status":"success","message":"Order added"}"#,
            r#"{"success":"Your order will be canceled asap"}"#,
            "{}",
            "[]",
            "null",
            r#""""#,
        ] {
            assert_eq!(words(body), None, "{body}");
        }
    }

    #[test]
    fn under_a_failing_http_status_a_message_is_an_error() {
        let body = serde_json::json!({"message": "Insufficient balance"});
        assert_eq!(Complaint::of(&body, false), None);
        assert!(matches!(Complaint::of(&body, true).and_then(|c| c.listed()), Some(Listed::Refused(_))));
        for quiet in [serde_json::json!({"order": 5}), serde_json::json!({"status": "success", "message": "added"})] {
            assert_eq!(Complaint::of(&quiet, true), None);
        }
    }

    #[test]
    fn one_answer_is_read_to_a_limit() {
        let body = serde_json::json!({ "errors": vec!["x"; 1_000] });
        assert_eq!(words(&body.to_string()).map(|text| text.len()), Some(TEXTS_MAX * 3 - 2));
    }
}
