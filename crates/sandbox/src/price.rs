//! What the other two protocols charge (`protocol.md` §6): by a table of totals, or by quantity and time.

use std::collections::BTreeMap;

use crate::{
    amount,
    catalogue::{Pricing, Tarif},
};

/// Micro-units by the quantity from which they hold.
pub(crate) type Table = BTreeMap<u64, i64>;

/// A hundred percent, in millionths of a percent.
const WHOLE: u64 = 100_000_000;

/// A table as it was configured.
pub(crate) fn table(entries: &BTreeMap<u64, String>) -> Result<Table, String> {
    entries.iter().map(|(from, amount)| Ok((*from, amount::micros(amount)?))).collect()
}

/// What `units` cost by a table of totals; nothing below its first step.
pub(crate) fn stepped(totals: &Table, units: u64) -> Option<i64> {
    reached(totals, units).map(|(step, total)| amount::scaled(total, &[units], &[step]))
}

/// What a tarif costs.
pub(crate) enum Timed {
    /// In proportion to the quantity, less a discount by volume.
    Standard {
        /// The price of `count` units.
        price: i64,
        /// For how many units it is.
        count: u64,
        /// Millionths of a percent.
        discounts: Table,
    },
    /// By the tier that the quantity falls into.
    Graduated(Table),
}

impl Timed {
    /// The prices of a tarif; the error says which amount cannot be read.
    pub(crate) fn new(tarif: &Tarif) -> Result<Self, String> {
        Ok(match &tarif.pricing {
            Pricing::Standard { price, discounts } => {
                Self::Standard { price: amount::micros(price)?, count: tarif.min.max(1), discounts: table(discounts)? }
            }
            Pricing::Graduated { prices } => Self::Graduated(table(prices)?),
        })
    }

    /// What `units` cost for so many units of time; nothing if no tier is reached.
    pub(crate) fn cost(&self, units: u64, duration: u64) -> Option<i64> {
        match self {
            Self::Standard { price, count, discounts } => {
                let off = reached(discounts, units).and_then(|(_, percent)| u64::try_from(percent).ok()).unwrap_or(0);
                let kept = WHOLE.saturating_sub(off);
                Some(amount::scaled(*price, &[units, duration, kept], &[*count, WHOLE]))
            }
            Self::Graduated(prices) => reached(prices, units).map(|(_, price)| amount::scaled(price, &[duration], &[])),
        }
    }
}

fn reached(table: &Table, units: u64) -> Option<(u64, i64)> {
    table.range(..=units).next_back().map(|(from, value)| (*from, *value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(entries: &[(u64, &str)]) -> BTreeMap<u64, String> {
        entries.iter().map(|(from, value)| (*from, (*value).to_owned())).collect()
    }

    #[test]
    fn a_step_gives_its_total_and_its_unit_price_until_the_next() {
        let totals = table(&text(&[(10, "0.9"), (50, "4.2"), (100, "7.8")])).unwrap();
        for (units, cost) in
            [(10, 900_000), (20, 1_800_000), (50, 4_200_000), (75, 6_300_000), (100, 7_800_000), (1_000, 78_000_000)]
        {
            assert_eq!(stepped(&totals, units), Some(cost), "{units}");
        }
        assert_eq!(stepped(&totals, 9), None);
        assert!(table(&text(&[(1, "1e3")])).is_err());
    }

    #[test]
    fn a_tarif_is_priced_by_quantity_and_time() {
        let tarif = |pricing| Tarif {
            id: 1,
            title: String::new(),
            order_type: String::new(),
            min: 10,
            max: 5_000,
            hourly: true,
            pricing,
        };
        let discounts = text(&[(1, "0"), (500, "10"), (1_000, "20")]);
        let standard = Timed::new(&tarif(Pricing::Standard { price: "0.5".to_owned(), discounts })).unwrap();
        for (units, duration, cost) in
            [(10, 1, 500_000), (10, 24, 12_000_000), (499, 1, 24_950_000), (500, 1, 22_500_000), (1_000, 2, 80_000_000)]
        {
            assert_eq!(standard.cost(units, duration), Some(cost), "{units} for {duration}");
        }
        let prices = text(&[(0, "135"), (101, "180"), (201, "270")]);
        let graduated = Timed::new(&tarif(Pricing::Graduated { prices })).unwrap();
        for (units, cost) in [(50, 135_000_000), (150, 180_000_000), (250, 270_000_000)] {
            assert_eq!(graduated.cost(units, 1), Some(cost));
            assert_eq!(graduated.cost(units, 3), Some(3 * cost), "it is by time and not by quantity");
        }
    }
}
