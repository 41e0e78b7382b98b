//! What an upstream takes for an order, in each of the forms in which upstreams state their prices. A cost is computed
//! exactly and rounded once, half up at a micro-unit, as every price is.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Basis;
use crate::money::{AMOUNT_MAX, MICROS_PER_UNIT, Micros, MoneyError};

/// How an upstream states the price of a service, in its own currency. It is stored with the upstream's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceModel {
    /// For a thousand units (PerfectPanel's `rate`).
    PerThousand {
        /// The price of a thousand.
        rate: Decimal,
    },
    /// For an order, whatever its quantity (PerfectPanel's packages).
    Flat {
        /// The price of an order.
        price: Decimal,
    },
    /// By a table of totals (Streamrise `getPrices`, `protocol.md` §6): at a step its total, between steps the unit price
    /// of the next lower step.
    Stepped {
        /// The tables by the name of their tier: the total by the quantity from which its unit price holds.
        tiers: BTreeMap<String, BTreeMap<u64, Decimal>>,
        /// The parameter whose value names the tier. Without it the only tier counts, or the one named `1`.
        tier_option: String,
    },
    /// In proportion to quantity and duration, less a discount by volume (Streamskill `standard`, `protocol.md` §6).
    TimedUnits {
        /// The price of `count` units for one unit of time.
        price: Decimal,
        /// For how many units `price` is.
        count: u64,
        /// The discount in percent by the quantity from which it holds; below the first there is none.
        discounts: BTreeMap<u64, Decimal>,
    },
    /// In proportion to the duration alone (Streamskill `graduated`, `protocol.md` §6): the price of the tier that the
    /// quantity falls into is for the whole of it, and no tier is added to another.
    TimedTiers {
        /// The price of one unit of time by the quantity from which it holds.
        prices: BTreeMap<u64, Decimal>,
    },
}

/// What is bought, as far as a price depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Bought<'a> {
    /// Units to deliver, in every run together.
    pub quantity: u64,
    /// For how long, in the unit in which the upstream sells time: hours, or days where it says so.
    pub duration: Option<u64>,
    /// The parameters that are sent beside the quantity.
    pub options: &'a BTreeMap<String, String>,
}

impl<'a> Bought<'a> {
    /// What an offer buys that sends `options`: for how long, says `duration` among them.
    pub fn of(quantity: u64, options: &'a BTreeMap<String, String>) -> Self {
        let duration = options.get("duration").and_then(|text| text.parse().ok());
        Self { quantity, duration, options }
    }
}

/// Why there is no price: the offer is passed over, for what cannot be computed is never guessed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The table begins at a larger quantity.
    #[error("no price is listed for a quantity of {0}")]
    NoStep(u64),
    /// There are several tables, or none of that name.
    #[error("no price is listed for {option} `{value}`")]
    NoTier {
        /// The parameter that names the tier.
        option: String,
        /// Its value; empty when it was not given.
        value: String,
    },
    /// The price is by time, and no duration was given.
    #[error("the price is by time, and the offer's parameters name no duration")]
    NoDuration,
    /// A stated price is negative, or for nothing.
    #[error("what is listed is not a price")]
    Malformed,
    /// The cost is out of range.
    #[error(transparent)]
    Amount(#[from] MoneyError),
}

impl PriceModel {
    /// The model of a PerfectPanel rate: what it is for depends on the order.
    pub const fn of_rate(rate: Decimal, basis: Basis) -> Self {
        match basis {
            Basis::PerThousand => Self::PerThousand { rate },
            Basis::Flat => Self::Flat { price: rate },
        }
    }

    /// The parameter on which the price depends beside quantity and duration, if there is one.
    pub fn option(&self) -> Option<&str> {
        match self {
            Self::Stepped { tier_option, .. } => Some(tier_option),
            Self::PerThousand { .. } | Self::Flat { .. } | Self::TimedUnits { .. } | Self::TimedTiers { .. } => None,
        }
    }

    /// What it costs: rounded half up at a micro-unit, and at least one micro-unit unless it is free.
    pub fn cost(&self, bought: &Bought<'_>) -> Result<Micros, PriceError> {
        let quantity = Decimal::from(bought.quantity);
        match self {
            Self::PerThousand { rate } => exact(&[*rate, quantity], &[1_000]),
            Self::Flat { price } => exact(&[*price], &[]),
            Self::Stepped { tiers, tier_option } => {
                let table = tier(tiers, tier_option, bought.options)?;
                let (step, total) = reached(table, bought.quantity).ok_or(PriceError::NoStep(bought.quantity))?;
                exact(&[total, quantity], &[step])
            }
            Self::TimedUnits { price, count, discounts } => {
                let discount = reached(discounts, bought.quantity).map_or(Decimal::ZERO, |(_, percent)| percent);
                let kept = Decimal::ONE_HUNDRED.checked_sub(discount).ok_or(PriceError::Malformed)?;
                exact(&[*price, quantity, duration(bought)?, kept], &[*count, 100])
            }
            Self::TimedTiers { prices } => {
                let (_, price) = reached(prices, bought.quantity).ok_or(PriceError::NoStep(bought.quantity))?;
                exact(&[price, duration(bought)?], &[])
            }
        }
    }
}

/// The entry that holds for `quantity`: the last one that begins at it or below.
fn reached(table: &BTreeMap<u64, Decimal>, quantity: u64) -> Option<(u64, Decimal)> {
    table.range(..=quantity).next_back().map(|(from, value)| (*from, *value))
}

/// The table of the tier that `options` name.
fn tier<'m>(
    tiers: &'m BTreeMap<String, BTreeMap<u64, Decimal>>,
    option: &str,
    options: &BTreeMap<String, String>,
) -> Result<&'m BTreeMap<u64, Decimal>, PriceError> {
    let named = options.get(option);
    let only = || tiers.values().next().filter(|_| tiers.len() == 1);
    let found = match named {
        Some(name) => tiers.get(name),
        None => only().or_else(|| tiers.get("1")),
    };
    let no_tier = || PriceError::NoTier { option: option.to_owned(), value: named.cloned().unwrap_or_default() };
    found.ok_or_else(no_tier)
}

fn duration(bought: &Bought<'_>) -> Result<Decimal, PriceError> {
    bought.duration.filter(|duration| *duration > 0).map(Decimal::from).ok_or(PriceError::NoDuration)
}

/// The product of `factors` over the product of `divisors`, in whole numbers throughout and rounded once.
fn exact(factors: &[Decimal], divisors: &[u64]) -> Result<Micros, PriceError> {
    if factors.iter().any(|factor| *factor < Decimal::ZERO) || divisors.contains(&0) {
        return Err(PriceError::Malformed);
    }
    let micros = rounded(factors, divisors).ok_or(MoneyError::TooLarge)?;
    let amount = i64::try_from(micros).map(Micros::new).ok().filter(|amount| *amount <= AMOUNT_MAX);
    let amount = amount.ok_or(MoneyError::TooLarge)?;
    let free = factors.iter().any(Decimal::is_zero);
    Ok(if amount.is_zero() && !free { Micros::ONE } else { amount })
}

/// The quotient in micro-units, halves up; `None` when it leaves the range on the way.
fn rounded(factors: &[Decimal], divisors: &[u64]) -> Option<i128> {
    let (mut above, mut below) = (i128::from(MICROS_PER_UNIT), 1_i128);
    for factor in factors.iter().map(Decimal::normalize) {
        above = above.checked_mul(factor.mantissa())?;
        below = below.checked_mul(10_i128.checked_pow(factor.scale())?)?;
    }
    for divisor in divisors {
        below = below.checked_mul(i128::from(*divisor))?;
    }
    let halves = below.checked_mul(2)?;
    above.checked_mul(2)?.checked_add(below)?.checked_div(halves)
}

#[cfg(test)]
#[path = "models_tests.rs"]
mod tests;
