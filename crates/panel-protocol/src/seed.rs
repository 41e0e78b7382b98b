//! The dialect of `seeds/panel-api-v2.txt`: how `/api/v2` writes its answers.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{
    command::GivenId,
    refused::{ANSWERED, Refused},
    reply::{Encoded, Reply, ServiceLine, StatusLine},
};

/// Writes an answer.
pub fn encode(reply: &Reply) -> Encoded {
    let body = match reply {
        Reply::Services(list) => list.to_vec(),
        Reply::Balance(money) => {
            json(&BalanceBody { balance: money.amount.to_string(), currency: money.currency.as_str() })
        }
        Reply::Added(order) => json(&AddedBody { order: order.0 }),
        Reply::Status(line) => json(&StatusBody::of(line)),
        Reply::StatusMany(lines) => json(&StatusMap(lines)),
        Reply::Canceled => json(&SUCCESS),
        Reply::CanceledMany(orders) => json(&orders.iter().map(CancelEntry::of).collect::<Vec<_>>()),
        Reply::Refused(refused) => return refuse(refused),
    };
    Encoded { status: ANSWERED, retry_after_s: None, body }
}

/// Writes the list of services, the body of [`Reply::Services`].
pub fn encode_services(lines: &[ServiceLine]) -> Vec<u8> {
    json(&lines.iter().map(ServiceBody::of).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct ErrorBody {
    error: String,
}

impl ErrorBody {
    fn of(refused: &Refused) -> Self {
        Self { error: refused.to_string() }
    }
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

/// What the seed lists comes first and in its order; panel software looks for the rest too (`protocol.md`, trap 21).
#[derive(Serialize)]
struct ServiceBody<'a> {
    service: String,
    name: &'a str,
    #[serde(rename = "type")]
    label: &'static str,
    rate: String,
    min: String,
    max: String,
    category: &'a str,
    refill: bool,
    cancel: bool,
    dripfeed: bool,
    desc: &'a str,
}

impl<'a> ServiceBody<'a> {
    fn of(line: &'a ServiceLine) -> Self {
        Self {
            service: line.id.to_string(),
            name: &line.name,
            label: line.service_type.label(),
            rate: line.rate.to_string(),
            min: line.min.to_string(),
            max: line.max.to_string(),
            category: &line.category,
            refill: line.refill,
            cancel: line.cancel,
            dripfeed: line.dripfeed,
            desc: &line.description,
        }
    }
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
    fn of(line: &'a StatusLine) -> Self {
        Self {
            charge: line.charge.to_string(),
            start_count: line.start_count.unwrap_or(0).to_string(),
            status: line.status.name(),
            remains: line.remains.to_string(),
            currency: line.currency.as_str(),
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum StatusEntry<'a> {
    Known(StatusBody<'a>),
    Unknown(ErrorBody),
}

/// Many statuses: one object, keyed by the id as it was sent, in the order of the question.
struct StatusMap<'a>(&'a [(GivenId, Option<StatusLine>)]);

impl Serialize for StatusMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(given, line)| {
            let entry = match line {
                Some(line) => StatusEntry::Known(StatusBody::of(line)),
                None => StatusEntry::Unknown(ErrorBody::of(&Refused::IncorrectOrder)),
            };
            (&given.text, entry)
        }))
    }
}

#[derive(Serialize)]
struct Success {
    status: &'static str,
}

const SUCCESS: Success = Success { status: "success" };

#[derive(Serialize)]
#[serde(untagged)]
enum CancelEntry {
    Recorded { order: Value, cancel: Success },
    Refused { order: Value, error: String },
}

impl CancelEntry {
    fn of((given, outcome): &(GivenId, Result<(), Refused>)) -> Self {
        // In arrays the id is a number; what is none is given back as it came.
        let digits = given.text.bytes().all(|byte| byte.is_ascii_digit());
        let order = match given.text.parse::<u64>() {
            Ok(number) if digits => Value::from(number),
            _ => Value::from(given.text.as_str()),
        };
        match outcome {
            Ok(()) => Self::Recorded { order, cancel: SUCCESS },
            Err(refused) => Self::Refused { order, error: refused.to_string() },
        }
    }
}

fn refuse(refused: &Refused) -> Encoded {
    let body = if refused.is_bare() { Vec::new() } else { json(&ErrorBody::of(refused)) };
    Encoded { status: refused.status(), retry_after_s: refused.retry_after_s(), body }
}

/// A body has text keys only and nothing in it that can fail to be written.
fn json(body: &impl Serialize) -> Vec<u8> {
    let bytes = serde_json::to_vec(body);
    assert!(bytes.is_ok(), "an answer could not be written");
    bytes.unwrap_or_default()
}

#[cfg(test)]
#[path = "seed_tests.rs"]
mod tests;
