//! What every dialect writes alike: the canonical shapes of `protocol.md` §1.2.

use interline_domain::{Micros, Money, OrderId, RefillId, RefillStatus};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{
    command::{GivenId, GivenRefill},
    refused::Refused,
    reply::StatusLine,
};

/// How a dialect writes an amount.
pub(crate) type Amount = fn(Micros) -> String;

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

pub(crate) fn balance(money: &Money, amount: Amount) -> Vec<u8> {
    json(&BalanceBody { balance: amount(money.amount), currency: money.currency.as_str() })
}

pub(crate) fn added(order: OrderId) -> Vec<u8> {
    json(&AddedBody { order: order.0 })
}

pub(crate) fn status(line: &StatusLine, amount: Amount) -> Vec<u8> {
    json(&StatusBody::of(line, amount))
}

/// Many statuses: one object, keyed by the id as it was sent, in the order of the question.
pub(crate) fn statuses(lines: &[(GivenId, Option<StatusLine>)], amount: Amount) -> Vec<u8> {
    json(&StatusMap { lines, amount })
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

#[derive(Serialize)]
struct BalanceBody<'a> {
    balance: String,
    currency: &'a str,
}

#[derive(Serialize)]
struct AddedBody {
    order: i64,
}

#[derive(Serialize)]
struct StatusBody<'a> {
    charge: String,
    start_count: String,
    status: &'static str,
    remains: String,
    currency: &'a str,
}

impl<'a> StatusBody<'a> {
    fn of(line: &'a StatusLine, amount: Amount) -> Self {
        Self {
            charge: amount(line.charge),
            start_count: line.start_count.unwrap_or(0).to_string(),
            status: line.status.name(),
            remains: line.remains.to_string(),
            currency: line.currency.as_str(),
        }
    }
}

struct StatusMap<'a> {
    lines: &'a [(GivenId, Option<StatusLine>)],
    amount: Amount,
}

impl Serialize for StatusMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.lines.iter().map(|(given, line)| {
            let known = line.as_ref().map(|line| StatusBody::of(line, self.amount));
            (&given.text, Entry::from(known.ok_or(&Refused::IncorrectOrder)))
        }))
    }
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
