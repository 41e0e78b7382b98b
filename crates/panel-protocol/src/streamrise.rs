//! The dialect of `seeds/streamrise-api.txt`: how `/perfectPanel` writes its answers. What is not here it writes as the
//! classic dialect does.

use interline_domain::Micros;
use serde::Serialize;

use crate::{body::json, numbers, reply::ServiceLine};

/// An amount has two places or more, as in every example of the seed.
pub(crate) const PLACES_MIN: usize = 2;

/// The list of services. What the seed lists comes first and in its order; panel software looks for the rest too
/// (`protocol.md`, trap 21).
pub(crate) fn services(lines: &[ServiceLine]) -> Vec<u8> {
    json(&lines.iter().map(ServiceBody::of).collect::<Vec<_>>())
}

/// An amount, in writing.
fn amount(amount: Micros) -> String {
    let mut out = Vec::new();
    numbers::amount(&mut out, amount, PLACES_MIN);
    String::from_utf8(out).unwrap_or_default()
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
    cancel: bool,
    refill: bool,
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
            rate: amount(line.rate),
            min: line.min.to_string(),
            max: line.max.to_string(),
            cancel: line.cancel,
            refill: line.refill,
            dripfeed: line.dripfeed,
            desc: &line.description,
        }
    }
}

#[cfg(test)]
#[path = "streamrise_tests.rs"]
mod tests;
