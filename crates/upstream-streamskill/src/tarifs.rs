//! The tarifs as a catalogue, with their prices (`protocol.md` §6).
//!
//! A tarif has a price for one unit of time, an hour where it is `hourly` and else a day: `standard` in proportion to
//! the quantity, less a discount by volume, or `graduated`, a price for the whole by the tier that the quantity falls
//! into. An offer says for how many units of time.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{ServiceType, kind::UNITS_MAX, price::PriceModel};
use interline_upstream::{
    Answer, Heard, Listing,
    value::{self, Object, decimal, field, text},
};
use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde_json::Value;

use crate::{errors, items};

/// Prices or discounts by the quantity from which they hold.
type Table = BTreeMap<u64, Decimal>;

/// Reads a catalogue. What is not a list of tarifs is a fault and never an empty catalogue.
pub(crate) fn read(heard: &Heard<'_>) -> Answer {
    let Some(tarifs) = heard.good_json().and_then(items) else {
        return Answer::Fault(errors::fault(heard, "no list of tarifs"));
    };
    let listings: Vec<Listing> = tarifs.iter().filter_map(listing).collect();
    if listings.is_empty() && !tarifs.is_empty() {
        return Answer::Fault(errors::fault(heard, "no tarif that can be read"));
    }
    Answer::Catalogue(listings)
}

/// One tarif; nothing if it cannot be sold as it stands: without id, quantity or a price that can be computed.
fn listing(tarif: &Value) -> Option<Listing> {
    let tarif = tarif.as_object()?;
    let (discounts, tiers) = (table(tarif, "discounts")?, table(tarif, "graduated_prices")?);
    let units = Units::read(tarif, [&discounts, &tiers])?;
    let words = |name| field(tarif, name).and_then(text);
    let (price, rate) = match words("pricing_type").as_deref() {
        None | Some("standard") => standard(field(tarif, "price")?, discounts, &units)?,
        Some("graduated") => graduated(tiers, &units)?,
        Some(_) => return None,
    };
    Some(Listing {
        service: field(tarif, "id").and_then(value::id)?,
        name: words("title").unwrap_or_default(),
        category: words("type").unwrap_or_default(),
        service_type: Some(ServiceType::Default),
        // For one unit of time.
        rate: rate.round_dp_with_strategy(6, RoundingStrategy::AwayFromZero).normalize(),
        price: Some(price),
        min: units.min,
        max: units.max,
        refill: Some(false),
        cancel: Some(false),
        dripfeed: Some(false),
        changes: BTreeSet::new(),
        upgrades: BTreeSet::new(),
    })
}

/// How many units of a tarif can be bought.
struct Units {
    min: u64,
    max: u64,
    /// For how many units its price is.
    priced: u64,
}

impl Units {
    /// Reads `count`. A range has the bounds in it; which quantity its price is for is not told, so it is taken for the
    /// smallest, where a unit is dearest. A number is what is bought, unless one of the tables is for other quantities
    /// too: then what is too many is refused by the upstream.
    fn read(tarif: &Object, tables: [&Table; 2]) -> Option<Self> {
        let whole = |value: &Value| value::whole(value).and_then(|number| u64::try_from(number).ok());
        let count = field(tarif, "count")?;
        if let Value::Object(range) = count {
            let bound = |name| field(range, name).and_then(whole);
            let (min, max) = (bound("min")?.max(1), bound("max")?.min(UNITS_MAX));
            return (min <= max).then_some(Self { min, max, priced: min });
        }
        let count = whole(count).filter(|count| (1..=UNITS_MAX).contains(count))?;
        let open = tables.iter().any(|table| table.keys().any(|from| *from > 1));
        let (min, max) = if open { (1, UNITS_MAX) } else { (count, count) };
        Some(Self { min, max, priced: count })
    }
}

/// The price by quantity and time, and what a thousand units cost at most for one unit of time.
///
/// What is stated for the usual quantity has every discount in it, so the one by volume is taken out again before it is
/// applied to another quantity.
fn standard(price: &Value, discounts: Table, units: &Units) -> Option<(PriceModel, Decimal)> {
    let price = decimal(price).filter(|price| *price >= Decimal::ZERO)?;
    if discounts.values().any(|percent| *percent > Decimal::ONE_HUNDRED) {
        return None;
    }
    let included = discounts.range(..=units.priced).next_back().map_or(Decimal::ZERO, |(_, percent)| *percent);
    let (price, count) = if included.is_zero() {
        (price, units.priced)
    } else {
        // Where 20 percent are off, a hundred times what is stated is the full price of 80 times the quantity.
        let count = Decimal::from(units.priced).checked_mul(Decimal::ONE_HUNDRED - included)?;
        (price.checked_mul(Decimal::ONE_HUNDRED)?, count.to_u64().filter(|_| count.fract().is_zero())?)
    };
    let rate = per_thousand(price, count)?;
    Some((PriceModel::TimedUnits { price, count, discounts }, rate))
}

/// The price by tier and time, and what a thousand units cost at most for one unit of time: the smallest quantity of a
/// tier pays most for each unit.
fn graduated(prices: Table, units: &Units) -> Option<(PriceModel, Decimal)> {
    let reached = prices.range(..=units.max);
    let rates: Option<Vec<Decimal>> = reached.map(|(from, price)| per_thousand(*price, units.min.max(*from))).collect();
    let rate = rates?.into_iter().max()?;
    Some((PriceModel::TimedTiers { prices }, rate))
}

fn per_thousand(price: Decimal, units: u64) -> Option<Decimal> {
    price.checked_mul(Decimal::ONE_THOUSAND)?.checked_div(Decimal::from(units))
}

/// A table, which may be missing; nothing if a part of it cannot be read.
fn table(tarif: &Object, name: &str) -> Option<Table> {
    let entry = |from: u64, value: &Value| Some((from, decimal(value).filter(|value| *value >= Decimal::ZERO)?));
    match field(tarif, name) {
        None | Some(Value::Null) => Some(Table::new()),
        Some(Value::Object(entries)) => {
            entries.iter().map(|(from, value)| entry(from.trim().parse().ok()?, value)).collect()
        }
        // PHP writes a table whose quantities are 0, 1, 2… as a list, and an empty one too.
        Some(Value::Array(entries)) => (0..).zip(entries).map(|(from, value)| entry(from, value)).collect(),
        Some(_) => None,
    }
}

#[cfg(test)]
#[path = "tarifs_tests.rs"]
mod tests;
