//! Lenient readers of single JSON values, for every dialect: upstreams write ids, amounts and flags as text, as numbers or
//! not at all. No amount passes through a float of ours.

use interline_domain::{Currency, Micros};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde_json::{Map, Value};

/// A JSON object.
pub type Object = Map<String, Value>;

/// Longest id that is taken in, in characters.
const ID_CHARS_MAX: usize = 64;

/// Longest text that is passed on, in characters.
const TEXT_CHARS_MAX: usize = 512;

/// Longest text that is read as a number, in bytes.
const NUMBER_BYTES_MAX: usize = 64;

/// Words that stand where an id should when there is none.
const NO_IDS: [&str; 12] =
    ["null", "none", "nil", "nan", "undefined", "true", "false", "array", "error", "fail", "failed", "success"];

/// The field of that name; some panels capitalise their keys, so case does not count.
pub fn field<'v>(object: &'v Object, name: &str) -> Option<&'v Value> {
    let in_any_case = || object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    object.get(name).or_else(in_any_case)
}

/// `text` on one line, without control characters, at most 512 characters: fit to be stored and shown.
pub fn one_line(text: &str) -> String {
    let kept = text.trim().chars().take(TEXT_CHARS_MAX);
    let line: String = kept.map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}

/// The beginning of a body as one line, whatever bytes it is made of.
pub fn excerpt(body: &[u8]) -> String {
    // A character has at most four bytes.
    let head = &body[..body.len().min(4 * TEXT_CHARS_MAX)];
    one_line(&String::from_utf8_lossy(head))
}

/// A text that is not blank, or a number as text.
pub fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => one_line(text),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// An id of anything, as text: opaque, at most 64 characters.
pub fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            let good = (1..=ID_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
            good.then(|| text.to_owned())
        }
        Value::Number(number) => number.as_u64().map(|id| id.to_string()),
        _ => None,
    }
}

/// An id under which an upstream holds an order: a positive number, or an opaque name such as `ord_01HG` or
/// `API100025`.
///
/// It is the proof of an accepted submission and goes into comma-joined lists later, so zero, a sentence, a comma or a
/// word such as `null` is no id.
pub fn order_id(value: &Value) -> Option<String> {
    let text = id(value)?;
    let name = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '#'));
    let positive = if text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        !text.contains('.') && text.chars().any(|c| c != '0')
    } else {
        !NO_IDS.contains(&text.to_ascii_lowercase().as_str())
    };
    (name && positive).then_some(text)
}

/// A decimal, written as text or as a JSON number, with or without an exponent.
///
/// A JSON number is read from its shortest text, which is the one that was sent as long as it has at most 15 digits.
pub fn decimal(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let numeric = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    if text.len() > NUMBER_BYTES_MAX || !text.bytes().all(numeric) {
        return None;
    }
    text.parse().ok()
}

/// An amount, rounded half up to micro-units.
pub fn amount(value: &Value) -> Option<Micros> {
    decimal(value).and_then(|units| Micros::from_decimal(units).ok())
}

/// A whole number; `157.0` is one, `157.5` is none.
pub fn whole(value: &Value) -> Option<i64> {
    decimal(value).filter(|number| number.fract().is_zero()).and_then(|number| number.to_i64())
}

/// A flag as panels write it: `true`, `"true"`, `1`, `"1"`, `"yes"` and their opposites.
pub fn flag(value: &Value) -> Option<bool> {
    if let Value::Bool(flag) = value {
        return Some(*flag);
    }
    match text(value)?.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

/// The currency that `object` names, if it is a code.
pub fn currency(object: &Object) -> Option<Currency> {
    field(object, "currency").and_then(text).and_then(|code| code.to_ascii_uppercase().parse().ok())
}

/// What `object` says was charged. Whether that can be believed is judged by what the order should cost.
pub fn charge(object: &Object) -> Option<Micros> {
    field(object, "charge").and_then(amount)
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
