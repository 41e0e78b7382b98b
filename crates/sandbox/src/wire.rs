//! The PerfectPanel v2 dialect as bytes: a request's fields from query, form or JSON.

use std::collections::BTreeMap;

use serde_json::Value;

/// The longest action that is remembered of a call, in characters.
const ACTION_CHARS_MAX: usize = 40;

/// The fields of a request: values trimmed, of two with the same name the later.
pub(crate) type Fields = BTreeMap<String, String>;

/// The fields of a request; the body's win over the query's.
pub(crate) fn fields(query: &str, content_type: &str, body: &[u8]) -> Fields {
    let mut fields = pairs(query.as_bytes());
    let is_json = content_type.to_ascii_lowercase().contains("json") || body.trim_ascii_start().starts_with(b"{");
    if is_json {
        // A body that is no object carries no fields, and so no key.
        let object: BTreeMap<String, Value> = serde_json::from_slice(body).unwrap_or_default();
        fields.extend(object.into_iter().filter_map(|(name, value)| Some((name, scalar(&value)?))));
    } else {
        fields.extend(pairs(body));
    }
    fields
}

/// The value of a field; empty when it was not sent, which means the same.
pub(crate) fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

/// What an order was asked for with: every field that says neither who asks nor what for.
pub(crate) fn parameters(fields: &Fields) -> Fields {
    let own = |name: &str| !matches!(name, "key" | "action" | "service");
    fields.iter().filter(|(name, _)| own(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The action under its one name.
pub(crate) fn action(fields: &Fields) -> String {
    match field(fields, "action") {
        "multiStatus" | "multistatus" => "status".to_owned(),
        action => action.chars().take(ACTION_CHARS_MAX).collect(),
    }
}

/// An id as panels write it: a number where it is one.
pub(crate) fn id(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from)
}

fn pairs(encoded: &[u8]) -> Fields {
    form_urlencoded::parse(encoded).map(|(name, value)| (name.into_owned(), value.trim().to_owned())).collect()
}

/// The text of a value; a list becomes the comma-joined text that forms carry.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Array(values) => Some(values.iter().filter_map(scalar).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_form_and_json_carry_the_same_fields() {
        let wanted = Fields::from([
            ("action".to_owned(), "status".to_owned()),
            ("key".to_owned(), "a b".to_owned()),
            ("orders".to_owned(), "1,99".to_owned()),
        ]);
        let text = "key=+a+b&action=status&orders=1%2C99";
        assert_eq!(fields(text, "", b""), wanted);
        assert_eq!(fields("", "application/x-www-form-urlencoded;charset=UTF-8", text.as_bytes()), wanted);
        let json = br#"{"key":"a b","action":"status","orders":[1,"99"],"none":null}"#;
        assert_eq!(fields("", "application/json", json), wanted);
        assert_eq!(fields("", "", json), wanted);
    }

    #[test]
    fn the_body_wins_and_what_is_no_object_is_nothing() {
        assert_eq!(field(&fields("key=a&order=7", "", b"key=b"), "key"), "b");
        assert_eq!(fields("", "application/json", b"[1]"), Fields::new());
    }

    #[test]
    fn the_action_has_one_name() {
        assert_eq!(action(&fields("action=multiStatus", "", b"")), "status");
        assert_eq!(action(&Fields::new()), "");
    }
}
