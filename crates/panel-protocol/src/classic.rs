//! The classic dialect, as most panels speak it (`protocol.md` §1.2): numeric service ids and `"cancel": 1`.

use serde::Serialize;
use serde_json::Value;

use crate::{
    body::{self, Entry, json},
    command::GivenId,
    refused::Refused,
    reply::ServiceLine,
};

/// The list of services, with what panel software looks for beyond the canonical keys (`protocol.md`, trap 21).
pub(crate) fn services(lines: &[ServiceLine]) -> Vec<u8> {
    json(&lines.iter().map(ServiceBody::of).collect::<Vec<_>>())
}

/// What became of each cancellation: 1, or the refusal in its place.
pub(crate) fn canceled(orders: &[(GivenId, Result<(), Refused>)]) -> Vec<u8> {
    json(&orders.iter().map(CancelEntry::of).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct ServiceBody<'a> {
    service: i64,
    name: &'a str,
    #[serde(rename = "type")]
    label: &'static str,
    category: &'a str,
    rate: String,
    min: String,
    max: String,
    refill: bool,
    cancel: bool,
    dripfeed: bool,
    desc: &'a str,
}

impl<'a> ServiceBody<'a> {
    fn of(line: &'a ServiceLine) -> Self {
        Self {
            service: line.id.0,
            name: &line.name,
            label: line.service_type.label(),
            category: &line.category,
            rate: line.rate.to_string(),
            min: line.min.to_string(),
            max: line.max.to_string(),
            refill: line.refill,
            cancel: line.cancel,
            dripfeed: line.dripfeed,
            desc: &line.description,
        }
    }
}

#[derive(Serialize)]
struct CancelEntry {
    order: Value,
    cancel: Entry<u8>,
}

impl CancelEntry {
    fn of((given, outcome): &(GivenId, Result<(), Refused>)) -> Self {
        Self { order: body::id(&given.text), cancel: outcome.as_ref().map(|()| 1_u8).into() }
    }
}
