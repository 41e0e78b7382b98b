//! The dialect of `seeds/panel-api-v2.txt`: how `/api/v2` writes its answers.

use serde::Serialize;
use serde_json::Value;

use crate::{
    body::{self, SUCCESS, Success, json},
    command::GivenId,
    refused::Refused,
    reply::ServiceLine,
};

/// The list of services. What the seed lists comes first and in its order; panel software looks for the rest too
/// (`protocol.md`, trap 21).
pub(crate) fn services(lines: &[ServiceLine]) -> Vec<u8> {
    json(&lines.iter().map(ServiceBody::of).collect::<Vec<_>>())
}

/// What became of each cancellation. A refusal stands beside the order here, and not where the value would.
pub(crate) fn canceled(orders: &[(GivenId, Result<(), Refused>)]) -> Vec<u8> {
    json(&orders.iter().map(CancelEntry::of).collect::<Vec<_>>())
}

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
#[serde(untagged)]
enum CancelEntry {
    Recorded { order: Value, cancel: Success },
    Refused { order: Value, error: String },
}

impl CancelEntry {
    fn of((given, outcome): &(GivenId, Result<(), Refused>)) -> Self {
        let order = body::id(&given.text);
        match outcome {
            Ok(()) => Self::Recorded { order, cancel: SUCCESS },
            Err(refused) => Self::Refused { order, error: refused.to_string() },
        }
    }
}

#[cfg(test)]
#[path = "seed_tests.rs"]
mod tests;
