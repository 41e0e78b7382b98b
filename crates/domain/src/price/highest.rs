//! The most that a thousand can cost: what a markup is put on where the price of a unit depends on how many are bought.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use rust_decimal::{Decimal, RoundingStrategy};

use super::{Basis, Bought, PriceError, PriceModel};
use crate::money::{Micros, MoneyError};

impl PriceModel {
    /// The most that a thousand units can cost, or an order where `basis` is flat, among orders of `quantities` with these
    /// parameters; rounded up at the sixth place. Quantities that have no price are left out; an error if that is all of
    /// them.
    pub fn highest(
        &self,
        quantities: &RangeInclusive<u64>,
        basis: Basis,
        options: &BTreeMap<String, String>,
    ) -> Result<Decimal, PriceError> {
        let rate = |quantity| {
            let cost = self.cost(&Bought::of(quantity, options))?;
            match basis {
                Basis::PerThousand => per_thousand(cost, quantity),
                Basis::Flat => Ok(cost.to_decimal()),
            }
        };
        let higher = |one: Result<Decimal, PriceError>, other: Result<Decimal, PriceError>| match (one, other) {
            (Ok(one), Ok(other)) => Ok(one.max(other)),
            (Ok(only), Err(_)) | (Err(_), Ok(only)) => Ok(only),
            (Err(error), Err(_)) => Err(error),
        };
        let rates = self.turning_points(quantities).into_iter().map(rate);
        rates.reduce(higher).unwrap_or(Err(PriceError::NoStep(*quantities.end())))
    }

    /// The quantities at one of which the price is highest: between two steps neither an order nor a unit costs more than at
    /// the first or the last quantity there.
    fn turning_points(&self, quantities: &RangeInclusive<u64>) -> BTreeSet<u64> {
        let steps: Vec<u64> = match self {
            Self::PerThousand { .. } | Self::Flat { .. } => Vec::new(),
            Self::Stepped { tiers, .. } => tiers.values().flat_map(BTreeMap::keys).copied().collect(),
            Self::TimedUnits { discounts, .. } => discounts.keys().copied().collect(),
            Self::TimedTiers { prices } => prices.keys().copied().collect(),
        };
        let around = steps.into_iter().flat_map(|step| [step.saturating_sub(1), step]);
        let ends = [*quantities.start(), *quantities.end()];
        around.chain(ends).filter(|quantity| quantities.contains(quantity)).collect()
    }
}

fn per_thousand(cost: Micros, quantity: u64) -> Result<Decimal, PriceError> {
    let thousands = cost.to_decimal().checked_mul(Decimal::ONE_THOUSAND);
    let rate = thousands.and_then(|thousands| thousands.checked_div(Decimal::from(quantity)));
    let rate = rate.ok_or(MoneyError::TooLarge)?;
    Ok(rate.round_dp_with_strategy(6, RoundingStrategy::ToPositiveInfinity).normalize())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::price::price;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn table(entries: &[(u64, &str)]) -> BTreeMap<u64, Decimal> {
        entries.iter().map(|(from, value)| (*from, decimal(value))).collect()
    }

    fn options(given: &[(&str, &str)]) -> BTreeMap<String, String> {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn highest(model: &PriceModel, min: u64, max: u64, given: &[(&str, &str)]) -> Option<String> {
        let rate = model.highest(&(min..=max), Basis::PerThousand, &options(given));
        rate.ok().map(|rate| rate.to_string())
    }

    #[test]
    fn a_table_is_dearest_at_the_first_quantity_that_is_sold() {
        let tiers = [
            ("1".to_owned(), table(&[(10, "0.9"), (50, "4.2"), (100, "7.8")])),
            ("30".to_owned(), table(&[(10, "20")])),
        ];
        let viewers = PriceModel::Stepped { tiers: tiers.into(), tier_option: "periodAmount".to_owned() };
        for (min, max, rate) in [(10, 1_000, "90"), (1, 1_000, "90"), (50, 1_000, "84"), (250, 250, "78")] {
            assert_eq!(highest(&viewers, min, max, &[]), Some(rate.to_owned()), "{min} to {max}");
        }
        assert_eq!(highest(&viewers, 10, 1_000, &[("periodAmount", "30")]), Some("2000".to_owned()));
        assert_eq!(highest(&viewers, 10, 1_000, &[("periodAmount", "7")]), None);
        assert_eq!(highest(&viewers, 1, 9, &[]), None, "nothing of it has a price");
        assert_eq!(highest(&viewers, 20, 10, &[]), None, "there is no such order");
        let thirds = [("1".to_owned(), table(&[(3, "1")]))].into();
        let thirds = PriceModel::Stepped { tiers: thirds, tier_option: String::new() };
        assert_eq!(highest(&thirds, 3, 3, &[]), Some("333.333334".to_owned()));
    }

    #[test]
    fn time_is_what_the_offer_says() {
        let discounts = table(&[(1, "0"), (500, "10"), (1_000, "20")]);
        let standard = PriceModel::TimedUnits { price: decimal("0.3"), count: 100, discounts };
        let graduated = PriceModel::TimedTiers { prices: table(&[(0, "135"), (101, "180")]) };
        let day = [("duration", "24")];
        assert_eq!(highest(&standard, 10, 5_000, &day), Some("72".to_owned()));
        assert_eq!(highest(&standard, 500, 5_000, &day), Some("64.8".to_owned()));
        // A tier is paid whole, so that the fewest pay most for each.
        assert_eq!(highest(&graduated, 100, 300, &[("duration", "2")]), Some("3564.356436".to_owned()));
        assert_eq!(highest(&graduated, 50, 300, &[("duration", "2")]), Some("5400".to_owned()));
        let without: [&[(&str, &str)]; 4] =
            [&[], &[("duration", "0")], &[("duration", "a day")], &[("duration", "-1")]];
        for given in without {
            for model in [&standard, &graduated] {
                let rate = model.highest(&(10..=20), Basis::PerThousand, &options(given));
                assert_eq!(rate, Err(PriceError::NoDuration), "{given:?}");
            }
        }
    }

    #[test]
    fn an_order_at_a_flat_price_is_dearest_before_a_step() {
        let tiers = [("1".to_owned(), table(&[(10, "10"), (100, "50")]))].into();
        let model = PriceModel::Stepped { tiers, tier_option: String::new() };
        assert_eq!(model.highest(&(10..=150), Basis::Flat, &BTreeMap::new()), Ok(decimal("99")));
        let package = PriceModel::Flat { price: decimal("2.5") };
        assert_eq!(package.highest(&(500..=500), Basis::Flat, &BTreeMap::new()), Ok(decimal("2.5")));
    }

    fn any_model() -> impl Strategy<Value = PriceModel> {
        let cents = |max: u32| (0..=max).prop_map(|cents| Decimal::new(i64::from(cents), 2));
        let table = move |max| proptest::collection::btree_map(1u64..=400, cents(max), 1..6);
        let stepped = table(1_000_000).prop_map(|table| PriceModel::Stepped {
            tiers: [("1".to_owned(), table)].into(),
            tier_option: String::new(),
        });
        let tiers = table(1_000_000).prop_map(|prices| PriceModel::TimedTiers { prices });
        let units = (cents(10_000), 1u64..=1_000, table(10_000))
            .prop_map(|(price, count, discounts)| PriceModel::TimedUnits { price, count, discounts });
        prop_oneof![stepped, tiers, units]
    }

    proptest! {
        /// Who sells at the highest rate sells nothing at a loss, but for the last micro-unit of rounding, and some order
        /// really costs that much.
        #[test]
        fn no_order_costs_more_than_the_highest_rate(
            model in any_model(), (min, more) in (1u64..=300, 0u64..=400), at in 0u64..=400, hours in 1u64..=48,
        ) {
            let options = options(&[("duration", &hours.to_string())]);
            let quantities = min..=min + more;
            let quantity = min + at.min(more);
            let highest = model.highest(&quantities, Basis::PerThousand, &options);
            if let Ok(cost) = model.cost(&Bought::of(quantity, &options)) {
                let sold = price(highest.clone().unwrap(), quantity, Basis::PerThousand).unwrap();
                prop_assert!(cost <= sold + Micros::ONE, "{cost} for {quantity}, sold at {sold}");
            }
            if let Ok(rate) = highest {
                let costs = |quantity| model.cost(&Bought::of(quantity, &options)).and_then(|c| per_thousand(c, quantity));
                prop_assert!(quantities.clone().any(|quantity| costs(quantity) == Ok(rate)));
            }
        }
    }
}
