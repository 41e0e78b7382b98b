//! A new purchase: the body of the seed, field by field as it documents them.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value};

use super::{Answered, Order, Pace, Panel, not_found, refused, unprocessable};
use crate::{call::Call, panel::NO_FUNDS};

/// The bounds of `interval`: "1 <= x <= 86400".
const INTERVAL: (u64, u64) = (1, 86_400);

impl Panel {
    /// Takes a purchase. It waits to be started unless it says `start`.
    pub(super) fn create(&mut self, call: &Call, expand: bool, now_ms: u64, drift: bool) -> Answered {
        let taken = self.purchase_asked(call).and_then(|order| {
            self.take(order, now_ms, drift).ok_or_else(|| refused(StatusCode::PAYMENT_REQUIRED, NO_FUNDS))
        });
        match taken {
            Ok(number) => Answered { taken: Some(number), ..Answered::of(self.purchase(number, expand, now_ms)) },
            Err(refused) => refused,
        }
    }

    /// The purchase that is asked for, at its price.
    fn purchase_asked(&self, call: &Call) -> Result<Order, Answered> {
        let no_body = || refused(StatusCode::BAD_REQUEST, "The body is no JSON object.");
        let body = call.body.as_object().ok_or_else(no_body)?;
        let tarif = body.get("tarif").and_then(Value::as_object).ok_or_else(|| unprocessable("tarif"))?;
        let whole = |name: &str| tarif.get(name).and_then(Value::as_u64);
        let offered = self.offered(whole("id").ok_or_else(|| unprocessable("tarif"))?).ok_or_else(not_found)?;
        let (min, max) = (offered.tarif.min, offered.tarif.max);
        let quantity = whole("quantity").filter(|quantity| (min..=max).contains(quantity));
        let quantity = quantity.ok_or_else(|| unprocessable("quantity"))?;
        let duration = whole("duration").filter(|duration| *duration > 0).ok_or_else(|| unprocessable("duration"))?;
        let price = offered.prices.cost(quantity, duration).ok_or_else(|| unprocessable("quantity"))?;
        let channel = body.get("channel").and_then(Value::as_str).filter(|channel| is_channel(channel));
        let channel = channel.ok_or_else(|| unprocessable("channel"))?;
        let within = |interval: u64| (INTERVAL.0..=INTERVAL.1).contains(&interval);
        optional(body, "interval", |interval| interval.as_u64().is_some_and(within))?;
        optional(body, "comment", Value::is_string)?;
        optional(body, "start", Value::is_boolean)?;
        let starts = body.get("start").and_then(Value::as_bool).unwrap_or(false);
        Ok(Order {
            params: flat(body),
            pace: if starts { Pace::Runs } else { Pace::Waits },
            ..Order::new(&offered.tarif.id.to_string(), channel, quantity, price)
        })
    }
}

/// Whether a field, if it was sent, is as it must be.
fn optional(body: &Map<String, Value>, name: &str, is_good: impl Fn(&Value) -> bool) -> Result<(), Answered> {
    if body.get(name).is_none_or(is_good) { Ok(()) } else { Err(unprocessable(name)) }
}

/// Whether it can be a channel, "or another slug for tarif". Which of them exist is not known here.
fn is_channel(value: &str) -> bool {
    !value.is_empty() && !value.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Everything that was sent, as text: what stands in an object by `object.name`.
fn flat(body: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for (name, value) in body {
        match value {
            Value::Object(inner) => {
                fields.extend(inner.iter().map(|(inner, value)| (format!("{name}.{inner}"), text(value))));
            }
            value => {
                fields.insert(name.clone(), text(value));
            }
        }
    }
    fields
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
