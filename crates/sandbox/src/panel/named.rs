//! Streamrise's named services, and the tables that its native catalogue is made of (seed, "Service catalog").

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Panel;
use crate::{
    amount,
    catalogue::NamedService,
    face::{error, wrong},
    price::{self, Table},
};

/// The bounds of an order's `interval`, in minutes.
const INTERVAL: (u64, u64) = (1, 60);

/// A named service with its prices.
pub(super) struct Named {
    pub(super) service: NamedService,
    /// Totals by amount, by period.
    tables: BTreeMap<String, Table>,
}

/// What may be said of an order.
#[derive(Clone, Copy)]
pub(super) enum When {
    /// When it is made.
    Ordering,
    /// While it runs.
    Changing,
    /// While it runs, for money.
    Upgrading,
}

impl Named {
    /// A service as it was configured; the error says which amount cannot be read.
    pub(super) fn new(service: NamedService) -> Result<Self, String> {
        let named = |(period, totals): (&String, &BTreeMap<u64, String>)| -> Result<(String, Table), String> {
            Ok((period.clone(), price::table(totals)?))
        };
        Ok(Self { tables: service.prices.iter().map(named).collect::<Result<_, String>>()?, service })
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.service.name == name
    }

    /// Whether an amount is within the service's bounds.
    pub(super) fn takes(&self, amount: u64) -> bool {
        (self.service.min..=self.service.max).contains(&amount)
    }

    pub(super) fn set_rate(&mut self, rate: &str) -> Result<(), String> {
        *self = Self::new(self.service.clone().at_rate(rate))?;
        Ok(())
    }

    /// The table for a period; an order that names none is of the first.
    pub(super) fn table(&self, period: &str) -> Option<&Table> {
        self.tables.get(if period.is_empty() { "1" } else { period })
    }

    /// The fields that may be said of its orders.
    pub(super) fn fields(&self, when: When) -> Vec<&'static str> {
        let mut fields = fields_of(&self.service.service_type, when);
        if self.tables.len() > 1 && matches!(when, When::Ordering) {
            fields.extend(["period", "periodAmount"]);
        }
        fields
    }

    fn limits(&self) -> Value {
        let bounds = |(min, max): (u64, u64)| json!({ "min": min, "max": max });
        let mut limits = json!({ "amount": bounds((self.service.min, self.service.max)) });
        if self.fields(When::Ordering).contains(&"interval") {
            limits["interval"] = bounds(INTERVAL);
        }
        limits
    }

    fn prices(&self) -> Value {
        let totals = |table: &Table| -> Map<String, Value> {
            table.iter().map(|(step, total)| (step.to_string(), amount::number(*total))).collect()
        };
        let tables = self.tables.iter().map(|(period, table)| (period.clone(), Value::from(totals(table))));
        tables.collect::<Map<_, _>>().into()
    }
}

impl Panel {
    /// The named service of an order.
    pub(super) fn named(&self, service: &str) -> Option<&Named> {
        self.named.iter().find(|named| named.is(service))
    }

    pub(super) fn families(&self) -> Value {
        let mut families: Vec<&str> = Vec::new();
        for named in &self.named {
            if !families.contains(&named.service.family.as_str()) {
                families.push(&named.service.family);
            }
        }
        (1..).zip(families).map(|(place, family): (u64, &str)| json!({ "service": family, "order": place })).collect()
    }

    pub(super) fn named_services(&self) -> Value {
        let (mut families, mut types) = (json!({}), json!({}));
        for Named { service, .. } in &self.named {
            families[&service.family][&service.name] = json!({
                "service": service.name,
                "serviceFamily": service.family,
                "serviceType": service.service_type,
                "enabled": true,
                "fieldsData": {},
            });
            types[&service.service_type] = json!({ "serviceType": service.service_type });
        }
        json!({ "services": families, "types": types })
    }

    /// The price tables of one service, or of all.
    pub(super) fn prices(&self, service: &str) -> Value {
        let asked = self.named.iter().filter(|named| service.is_empty() || named.is(service));
        asked.map(|named| (named.service.name.clone(), named.prices())).collect::<Map<_, _>>().into()
    }

    /// The bounds of the numbers of one service, or of all.
    pub(super) fn limits(&self, service: &str) -> Value {
        if service.is_empty() {
            let all = self.named.iter().map(|named| (named.service.name.clone(), named.limits()));
            return all.collect::<Map<_, _>>().into();
        }
        self.named(service).map_or_else(|| wrong("service", "Service not found"), Named::limits)
    }

    /// The fields that may be said of orders, by service and by type.
    pub(super) fn available(&self, when: When) -> Value {
        let mut available = json!({});
        for named in &self.named {
            available[&named.service.name] = json!(named.fields(when));
        }
        let types = self.named.iter().map(|named| &named.service.service_type);
        let types: Map<String, Value> = types.map(|name| (name.clone(), json!(fields_of(name, when)))).collect();
        available["types"] = types.into();
        available
    }

    /// Whether a value would be taken in an order: nothing to say, or why not.
    pub(super) fn validated(&self, service: &str, field: &str, value: &str) -> Value {
        let Some(named) = self.named(service) else { return wrong("service", "Service not found") };
        let checked = match field {
            "channel" => channel(value),
            "amount" if !value.parse::<u64>().is_ok_and(|amount| named.takes(amount)) => Err("Invalid amount"),
            "interval" => interval(value),
            _ if named.fields(When::Ordering).contains(&field) => Ok(()),
            _ => return error("Unknown field"),
        };
        checked.map_or_else(|reason| wrong(field, reason), |()| Value::Null)
    }
}

/// Whether it can be a channel: a name or an address. Which of them exist is not known here.
pub(super) fn channel(value: &str) -> Result<(), &'static str> {
    if value.is_empty() {
        return Err("channelEmpty");
    }
    let is_one = !value.chars().any(|c| c.is_whitespace() || c.is_control());
    if is_one { Ok(()) } else { Err("Channel not found") }
}

/// Whether it can be an `interval`; one that was not sent can.
pub(super) fn interval(value: &str) -> Result<(), &'static str> {
    let within = |minutes: u64| (INTERVAL.0..=INTERVAL.1).contains(&minutes);
    if value.is_empty() || value.parse::<u64>().is_ok_and(within) { Ok(()) } else { Err("Invalid interval") }
}

fn fields_of(service_type: &str, when: When) -> Vec<&'static str> {
    match (when, service_type) {
        (When::Ordering, "chatbots") => vec!["channel", "amount", "comments"],
        (When::Ordering, _) => vec!["channel", "amount", "interval"],
        (When::Changing, "chatbots") => vec!["channel", "comments"],
        (When::Changing, _) => vec!["channel"],
        (When::Upgrading, _) => vec!["amount"],
    }
}
