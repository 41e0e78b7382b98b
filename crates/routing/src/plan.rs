//! The plan: who was considered, at what cost, and in which order they will be tried.

use std::{borrow::Cow, collections::BTreeMap};

use interline_domain::{
    Currency, Micros, ServiceType, Timestamp, UpstreamId,
    price::{Basis, Bought, PriceModel, margin_percent},
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// The order, as far as a route depends on it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The type of the service that was ordered.
    pub service_type: ServiceType,
    /// Units to deliver, in every run together.
    pub quantity: u64,
    /// What a rate is a price for: an upstream charges for the order in the form in which we do.
    pub basis: Basis,
    /// Whether it is delivered in runs.
    pub dripfeed: bool,
    /// Its parameters by the names under which upstreams are sent them: prices may depend on one.
    pub fields: BTreeMap<String, String>,
    /// What the customer is charged, in the base currency.
    pub charge_base: Micros,
}

/// One offer of the service, with what is known of its upstream now.
#[derive(Debug, Clone)]
pub struct Offer<'a> {
    /// The upstream.
    pub upstream: UpstreamId,
    /// The upstream's own service id.
    pub service: String,
    /// Fixed extra parameters.
    pub params: BTreeMap<String, String>,
    /// Whether the offer and its upstream are both enabled.
    pub enabled: bool,
    /// The upstream's currency.
    pub currency: Currency,
    /// What one unit of that currency is worth in the base currency; `None` without a rate.
    pub base_rate: Option<Decimal>,
    /// What the upstream's catalogue says; `None` if the service is not in it.
    pub listed: Option<Listed<'a>>,
    /// What the order would have to be for the upstream's protocol to say it; `None` if it can be said as it is.
    pub unsayable: Option<&'static str>,
    /// What can be spent there: the smaller of the book and the last reading less the reserves since.
    pub available: Micros,
    /// Whether the exposure cap of unknown submissions is reached there.
    pub exposed: bool,
    /// Whether this order was already put to this offer.
    pub tried: bool,
}

/// An upstream's own statement about a service.
#[derive(Debug, Clone)]
pub struct Listed<'a> {
    /// Its type; `None` for one that we do not know.
    pub service_type: Option<ServiceType>,
    /// Price per 1000, or per package, in the upstream's currency.
    pub rate: Decimal,
    /// How the price follows from the order, where the rate does not say it all. Then the rate prices nothing.
    pub price: Option<&'a PriceModel>,
    /// Smallest quantity.
    pub min: u64,
    /// Largest quantity.
    pub max: u64,
    /// Whether it delivers in runs; `None` when it does not say.
    pub dripfeed: Option<bool>,
    /// When the catalogue was last read in full.
    pub read_at: Timestamp,
}

/// The operator's rules.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Smallest margin, in percent of the charge, at which an order is still sold.
    pub margin_floor_percent: Decimal,
    /// Oldest price that is still trusted, in milliseconds.
    pub price_max_age_ms: i64,
}

/// An offer as it was judged. Those that can take the order have a rank from 1 on and no reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The place in the order of trying; `None` when passed over.
    pub rank: Option<u32>,
    /// The upstream.
    pub upstream: UpstreamId,
    /// The upstream's own service id.
    pub service: String,
    /// Fixed extra parameters.
    pub params: BTreeMap<String, String>,
    /// The landed cost in the upstream's currency, which will be reserved; `None` if it could not be computed.
    pub cost: Option<Micros>,
    /// The upstream's currency.
    pub currency: Currency,
    /// The cost in the base currency.
    pub cost_base: Option<Micros>,
    /// The margin in percent of the charge.
    pub margin_percent: Option<Decimal>,
    /// Why it was passed over.
    pub passed: Option<Reason>,
}

/// Everyone who was considered: the takers in the order of trying, then those passed over in the order of the offers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The candidates.
    pub candidates: Vec<Candidate>,
}

impl Plan {
    /// Those that can take the order, cheapest first.
    pub fn takers(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|c| c.rank.is_some())
    }
}

/// Judges every offer: cheapest landed cost in the base currency first, ties in the order of the offers.
pub fn plan(wanted: &Wanted, offers: &[Offer<'_>], policy: &Policy, now: Timestamp) -> Plan {
    let (mut takers, passed): (Vec<Candidate>, Vec<Candidate>) =
        offers.iter().map(|offer| judge(wanted, offer, policy, now)).partition(|c| c.passed.is_none());
    // A stable sort keeps ties in the order of the offers.
    takers.sort_by_key(|c| c.cost_base);
    for (rank, taker) in (1..).zip(takers.iter_mut()) {
        taker.rank = Some(rank);
    }
    takers.extend(passed);
    Plan { candidates: takers }
}

fn judge(wanted: &Wanted, offer: &Offer<'_>, policy: &Policy, now: Timestamp) -> Candidate {
    let landed = landed_cost(wanted, offer);
    let cost = landed.as_ref().ok().copied();
    let cost_base = cost.zip(offer.base_rate).and_then(|(cost, rate)| cost.convert(rate).ok());
    let margin = cost_base.and_then(|cost| margin_percent(wanted.charge_base, cost));
    Candidate {
        rank: None,
        upstream: offer.upstream.clone(),
        service: offer.service.clone(),
        params: offer.params.clone(),
        cost,
        currency: offer.currency,
        cost_base,
        margin_percent: margin,
        passed: against(wanted, offer, policy, now, landed, cost_base),
    }
}

/// What the order costs there, in the upstream's currency, or why that cannot be said.
fn landed_cost(wanted: &Wanted, offer: &Offer<'_>) -> Result<Micros, Reason> {
    let listed = offer.listed.as_ref().ok_or(Reason::NotListed)?;
    let of_rate = PriceModel::of_rate(listed.rate, wanted.basis);
    let model = listed.price.unwrap_or(&of_rate);
    // What the order says counts before what the offer always says, as it does where both are sent.
    let options = match model.option().and_then(|name| wanted.fields.get_key_value(name)) {
        Some((name, value)) => {
            let mut options = offer.params.clone();
            options.insert(name.clone(), value.clone());
            Cow::Owned(options)
        }
        None => Cow::Borrowed(&offer.params),
    };
    Ok(model.cost(&Bought::of(wanted.quantity, &options))?)
}

/// The first reason against an offer, or nothing.
fn against(
    wanted: &Wanted,
    offer: &Offer<'_>,
    policy: &Policy,
    now: Timestamp,
    cost: Result<Micros, Reason>,
    cost_base: Option<Micros>,
) -> Option<Reason> {
    if !offer.enabled {
        return Some(Reason::Disabled);
    }
    if offer.tried {
        return Some(Reason::Tried);
    }
    let Some(listed) = &offer.listed else { return Some(Reason::NotListed) };
    if now.since(listed.read_at) > policy.price_max_age_ms {
        return Some(Reason::StalePrice);
    }
    if listed.service_type != Some(wanted.service_type) {
        return Some(Reason::Type);
    }
    if let Some(allowed) = offer.unsayable {
        return Some(Reason::Protocol { allowed: allowed.to_owned() });
    }
    // Who does not say so does not do it: it would deliver the first run and keep the rest.
    if wanted.dripfeed && listed.dripfeed != Some(true) {
        return Some(Reason::Dripfeed);
    }
    if !(listed.min..=listed.max).contains(&wanted.quantity) {
        return Some(Reason::Quantity { min: listed.min, max: listed.max });
    }
    if offer.base_rate.is_none() {
        return Some(Reason::NoRate);
    }
    let cost = match cost {
        Ok(cost) => cost,
        Err(reason) => return Some(reason),
    };
    let Some(cost_base) = cost_base else { return Some(Reason::TooLarge) };
    if offer.exposed {
        return Some(Reason::Exposure);
    }
    if offer.available < cost || offer.available <= Micros::ZERO {
        return Some(Reason::Balance);
    }
    below_floor(wanted.charge_base, cost_base, policy.margin_floor_percent).then_some(Reason::Margin)
}

/// Whether `charge − cost` is less than the floor's share of the charge, compared exactly and not through a rounded margin.
fn below_floor(charge: Micros, cost: Micros, floor_percent: Decimal) -> bool {
    let least = charge.to_decimal() * floor_percent / Decimal::ONE_HUNDRED;
    (charge - cost).to_decimal() < least
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
