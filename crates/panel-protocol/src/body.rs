//! What every dialect writes alike: the canonical shapes of `protocol.md` §1.2.

use interline_domain::{Money, OrderId, RefillId, RefillStatus};
use serde::Serialize;
use serde_json::Value;

use crate::{
    command::{GivenId, GivenRefill},
    numbers::{amount, number, signed},
    refused::Refused,
    reply::StatusLine,
};

/// Bytes that a status in a list takes, most of the time.
const STATUS_BYTES: usize = 128;

/// A refusal.
#[derive(Serialize)]
pub(crate) struct ErrorBody {
    error: String,
}

impl ErrorBody {
    fn of(refused: &Refused) -> Self {
        Self { error: refused.to_string() }
    }
}

/// What is said of one thing in a list. A refusal stands where the value would.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Entry<T> {
    /// What became of it.
    Known(T),
    /// Why nothing did.
    Refused(ErrorBody),
}

impl<T> From<Result<T, &Refused>> for Entry<T> {
    fn from(outcome: Result<T, &Refused>) -> Self {
        match outcome {
            Ok(known) => Self::Known(known),
            Err(refused) => Self::Refused(ErrorBody::of(refused)),
        }
    }
}

/// That a wish is recorded.
#[derive(Serialize)]
pub(crate) struct Success {
    status: &'static str,
}

pub(crate) const SUCCESS: Success = Success { status: "success" };

/// A body has text keys only and nothing in it that can fail to be written.
pub(crate) fn json(body: &impl Serialize) -> Vec<u8> {
    let bytes = serde_json::to_vec(body);
    assert!(bytes.is_ok(), "an answer could not be written");
    bytes.unwrap_or_default()
}

/// An id in an array: a number; what is none is given back as it came.
pub(crate) fn id(text: &str) -> Value {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(number) if digits => Value::from(number),
        _ => Value::from(text),
    }
}

pub(crate) fn error(refused: &Refused) -> Vec<u8> {
    json(&ErrorBody::of(refused))
}

/// What is in the wallet, with at least `places_min` places, as all amounts here.
pub(crate) fn balance(money: &Money, places_min: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(STATUS_BYTES);
    out.extend_from_slice(br#"{"balance":""#);
    amount(&mut out, money.amount, places_min);
    out.extend_from_slice(br#"","currency":""#);
    out.extend_from_slice(money.currency.as_str().as_bytes());
    out.extend_from_slice(br#""}"#);
    out
}

pub(crate) fn added(order: OrderId) -> Vec<u8> {
    json(&AddedBody { order: order.0 })
}

pub(crate) fn status(line: &StatusLine, places_min: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(STATUS_BYTES);
    write_status(&mut out, line, places_min);
    out
}

/// Many statuses: one object, keyed by the id as it was sent, in the order of the question.
pub(crate) fn statuses(lines: &[(GivenId, Option<StatusLine>)], places_min: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.len() * STATUS_BYTES);
    for (given, line) in lines {
        out.push(if out.is_empty() { b'{' } else { b',' });
        write_key(&mut out, &given.text);
        out.push(b':');
        match line {
            Some(line) => write_status(&mut out, line, places_min),
            None => out.append(&mut error(&Refused::IncorrectOrder)),
        }
    }
    if out.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
    out
}

/// The id of a refill is a text when it is alone and a number in arrays.
pub(crate) fn refilled(refill: RefillId) -> Vec<u8> {
    json(&RefilledBody { refill: refill.to_string() })
}

pub(crate) fn refills(orders: &[(GivenId, Result<RefillId, Refused>)]) -> Vec<u8> {
    let entry = |(given, outcome): &(GivenId, Result<RefillId, Refused>)| RefillEntry {
        order: id(&given.text),
        refill: outcome.as_ref().map(|refill| refill.0).into(),
    };
    json(&orders.iter().map(entry).collect::<Vec<_>>())
}

pub(crate) fn refill_status(status: RefillStatus) -> Vec<u8> {
    json(&RefillStatusBody { status: status.name() })
}

pub(crate) fn refill_statuses(refills: &[(GivenRefill, Option<RefillStatus>)]) -> Vec<u8> {
    let entry = |(given, status): &(GivenRefill, Option<RefillStatus>)| RefillStatusEntry {
        refill: id(&given.text),
        status: status.map(RefillStatus::name).ok_or(&Refused::NoRefill).into(),
    };
    json(&refills.iter().map(entry).collect::<Vec<_>>())
}

pub(crate) fn canceled() -> Vec<u8> {
    json(&SUCCESS)
}

/// Statuses and currencies are letters, digits and spaces: there is nothing in them that JSON would have to escape.
fn write_status(out: &mut Vec<u8>, line: &StatusLine, places_min: usize) {
    out.extend_from_slice(br#"{"charge":""#);
    amount(out, line.charge, places_min);
    out.extend_from_slice(br#"","start_count":""#);
    signed(out, line.start_count.unwrap_or(0));
    out.extend_from_slice(br#"","status":""#);
    out.extend_from_slice(line.status.name().as_bytes());
    out.extend_from_slice(br#"","remains":""#);
    number(out, line.remains);
    out.extend_from_slice(br#"","currency":""#);
    out.extend_from_slice(line.currency.as_str().as_bytes());
    out.extend_from_slice(br#""}"#);
}

/// An id as the name of a member. What was sent for one may be any text.
fn write_key(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.append(&mut json(&text));
    }
}

#[derive(Serialize)]
struct AddedBody {
    order: i64,
}

#[derive(Serialize)]
struct RefilledBody {
    refill: String,
}

#[derive(Serialize)]
struct RefillEntry {
    order: Value,
    refill: Entry<i64>,
}

#[derive(Serialize)]
struct RefillStatusBody {
    status: &'static str,
}

#[derive(Serialize)]
struct RefillStatusEntry {
    refill: Value,
    status: Entry<&'static str>,
}
