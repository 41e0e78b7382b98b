//! The catalogue: the numbered services of `/perfectPanel` at their rates, and the named ones of the native face, which are
//! put together from a table each of families, services, prices, fields and limits.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::ServiceType;
use interline_upstream::{
    Answer, Call, Dialect, Endpoint, Fault, Listing, Next, Response,
    value::{self, Object, field, flag, text, whole},
};
use interline_upstream_perfectpanel::{Heard, PerfectPanel};
use serde_json::Value;

use crate::{encode, prices};

/// The tables that are read once, in this order, before the limits of each service.
const TABLES: [&str; 6] =
    ["getFamilyServices", "getServices", "getPrices", "availableToSend", "availableToChange", "availableToUpgrade"];

/// Most named services that are read: each needs a request of its own.
const SERVICES_MAX: usize = 400;

/// The numbered services, from the answer to `services`. None of Streamrise's services has refills or runs.
pub(crate) fn numbered(response: &Response) -> Answer {
    match PerfectPanel.decode(&Call::Catalogue, response) {
        Answer::Catalogue(listings) => {
            let as_sold = |listing: Listing| Listing { refill: Some(false), dripfeed: Some(false), ..listing };
            Answer::Catalogue(listings.into_iter().map(as_sold).collect())
        }
        other => other,
    }
}

/// The next table, or the whole catalogue. A table that cannot be read is a fault of the whole: a catalogue without it
/// would take services off sale.
pub(crate) fn next(endpoint: &Endpoint, heard: &[Response]) -> Next {
    let Some((panel, native)) = heard.split_first() else {
        return encode::request(endpoint, &Call::Catalogue).map_or(unsupported(), Next::Ask);
    };
    // It may be long, so it is read when it has just come and at the end, and not at each step between.
    if native.is_empty()
        && let Answer::Fault(fault) = numbered(panel)
    {
        return Next::Done(Answer::Fault(fault));
    }
    let (tables, limits) = native.split_at(native.len().min(TABLES.len()));
    let tables: Result<Vec<Value>, Fault> = tables.iter().map(table).collect();
    let tables = match tables {
        Ok(tables) => tables,
        Err(fault) => return Next::Done(Answer::Fault(fault)),
    };
    if let Some(name) = TABLES.get(tables.len()) {
        return Next::Ask(encode::native(endpoint, name, &[]));
    }
    let Some(tables) = Tables::of(&tables) else {
        let services = native.get(1).unwrap_or(panel);
        return Next::Done(Answer::Fault(Heard::new(services).fault("no services")));
    };
    let limits: Result<Vec<Option<Bounds>>, Fault> = limits.iter().map(amount_bounds).collect();
    let limits = match limits {
        Ok(limits) => limits,
        Err(fault) => return Next::Done(Answer::Fault(fault)),
    };
    let sold = tables.sold();
    match sold.get(limits.len()) {
        Some(service) if limits.len() < SERVICES_MAX => {
            Next::Ask(encode::native(endpoint, "getParamsLimits", &[("service", service.name.to_owned())]))
        }
        Some(_) => {
            let evidence = Heard::new(panel).evidence("more services than are read");
            Next::Done(Answer::Fault(Fault::Unreadable(evidence)))
        }
        None => {
            let numbered = match numbered(panel) {
                Answer::Catalogue(listings) => listings,
                other => return Next::Done(other),
            };
            let listing =
                |(service, limits): (&Named<'_>, &Option<Bounds>)| service.listing(&tables, &numbered, *limits);
            let named: Vec<Listing> = sold.iter().zip(&limits).filter_map(listing).collect();
            Next::Done(Answer::Catalogue(numbered.into_iter().chain(named).collect()))
        }
    }
}

fn unsupported() -> Next {
    Next::Done(Answer::Fault(Fault::Unsupported))
}

/// A table, if it is one.
fn table(response: &Response) -> Result<Value, Fault> {
    let heard = Heard::new(response);
    let body = heard.good_json().filter(|body| body.is_object() || body.is_array());
    body.filter(|_| heard.complaint().is_none()).cloned().ok_or_else(|| heard.fault("no table"))
}

/// The smallest and the largest quantity.
type Bounds = (u64, u64);

/// The bounds of `amount`, from the limits of one service. A service for which Streamrise has an error in place of limits
/// has none, and the others are listed all the same.
fn amount_bounds(response: &Response) -> Result<Option<Bounds>, Fault> {
    let heard = Heard::new(response);
    if heard.good_json().is_some() && heard.complaint().is_some_and(|complaint| complaint.listed().is_none()) {
        return Ok(None);
    }
    table(response).map(|limits| bounds(limits.get("amount")?))
}

/// The tables that are read once.
struct Tables<'t> {
    families: &'t Value,
    services: &'t Object,
    prices: &'t Value,
    send: &'t Value,
    change: &'t Value,
    upgrade: &'t Value,
}

/// A named service that is on sale and has a price.
struct Named<'t> {
    name: &'t str,
    family: &'t str,
    /// Its type in Streamrise's words: `viewers`, `chatbots`.
    class: &'t str,
    price: prices::Priced,
}

impl<'t> Tables<'t> {
    fn of(tables: &'t [Value]) -> Option<Self> {
        let [families, services, prices, send, change, upgrade] = tables else { return None };
        let services = services.get("services")?.as_object()?;
        Some(Self { families, services, prices, send, change, upgrade })
    }

    /// What can be sold, in the order of the families and then of the names.
    fn sold(&self) -> Vec<Named<'t>> {
        let families = self.services.iter().filter_map(|(family, services)| Some((family, services.as_object()?)));
        let mut sold: Vec<Named<'t>> = families
            .flat_map(|(family, services)| {
                services.iter().filter_map(move |(name, service)| self.named(family, name, service))
            })
            .collect();
        let places = self.places();
        let last = u64::MAX;
        sold.sort_by_key(|service| (places.get(service.family).copied().unwrap_or(last), service.family, service.name));
        sold
    }

    fn named(&self, family: &'t str, name: &'t str, service: &'t Value) -> Option<Named<'t>> {
        let service = service.as_object()?;
        let on_sale = field(service, "enabled").and_then(flag) != Some(false);
        let class = field(service, "serviceType").and_then(Value::as_str).unwrap_or_default();
        // A number would be taken for a service of the other face.
        let is_name = value::order_id(&name.into()).is_some_and(|id| id == name) && !encode::is_numbered(name);
        let price = self.prices.get(name).filter(|_| on_sale && is_name).and_then(prices::read)?;
        Some(Named { name, family, class, price })
    }

    /// The place of each family in Streamrise's own order.
    fn places(&self) -> BTreeMap<&'t str, u64> {
        let families = self.families.as_array().into_iter().flatten().filter_map(Value::as_object);
        let place = |family: &'t Object| {
            let place = field(family, "order").and_then(whole).and_then(|place| u64::try_from(place).ok())?;
            Some((field(family, "service")?.as_str()?, place))
        };
        families.filter_map(place).collect()
    }
}

impl Named<'_> {
    /// The service as it is listed; nothing without bounds of its quantity.
    fn listing(&self, tables: &Tables<'_>, numbered: &[Listing], limits: Option<Bounds>) -> Option<Listing> {
        let twin = self.twin(numbered);
        let (min, max) = limits.or_else(|| twin.map(|twin| (twin.min, twin.max)))?;
        let min = min.max(self.price.from);
        let takes = self.fields(tables.send);
        let by_fields = if takes.contains("comments") {
            Some(ServiceType::CustomComments)
        } else {
            (takes.contains("channel") && takes.contains("amount")).then_some(ServiceType::Default)
        };
        (min <= max).then(|| Listing {
            service: self.name.to_owned(),
            name: twin.map_or_else(|| self.name.to_owned(), |twin| twin.name.clone()),
            category: twin.map_or_else(|| self.family.to_owned(), |twin| twin.category.clone()),
            service_type: twin.and_then(|twin| twin.service_type).or(by_fields),
            rate: self.price.rate,
            price: Some(self.price.model.clone()),
            min,
            max,
            refill: Some(false),
            cancel: twin.and_then(|twin| twin.cancel),
            dripfeed: Some(false),
            changes: self.fields(tables.change),
            upgrades: self.fields(tables.upgrade),
        })
    }

    /// The numbered service that is the same thing, by its name: `Twitch Viewers` is `twitchViewers`. Nothing else joins
    /// the two faces. It lends its words and never its rate, for that prices the other face's orders.
    fn twin<'l>(&self, numbered: &'l [Listing]) -> Option<&'l Listing> {
        let plain = |name: &str| -> String {
            name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
        };
        let wanted = plain(self.name);
        let mut same = numbered.iter().filter(|listing| plain(&listing.name) == wanted);
        let twin = same.next();
        twin.filter(|_| same.next().is_none())
    }

    /// The fields that a table names for the service, else for its type.
    fn fields(&self, table: &Value) -> BTreeSet<String> {
        let own = table.get(self.name).or_else(|| table.get("types")?.get(self.class));
        own.and_then(Value::as_array).into_iter().flatten().filter_map(text).collect()
    }
}

/// The bounds of a number; nothing if one is missing or they exclude everything.
fn bounds(limits: &Value) -> Option<Bounds> {
    let limits = limits.as_object()?;
    let bound = |name| field(limits, name).and_then(whole).and_then(|bound| u64::try_from(bound).ok());
    let (min, max) = (bound("min")?.max(1), bound("max")?);
    (min <= max).then_some((min, max))
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
