//! The price tables of `getPrices`. The seed calls their numbers unit prices, but they only make sense as totals: 0.9 for 10,
//! 7.8 for 100 (`protocol.md` §6).

use std::collections::BTreeMap;

use interline_domain::price::PriceModel;
use interline_upstream::value;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

/// The parameter that is taken to name a table where there are several: the seed has one, under `1`, and does not say
/// what that is. An order with another value has no price until a table of that name is listed.
const TIER_OPTION: &str = "periodAmount";

/// The price of a service by its tables.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Priced {
    /// How the price follows from the order.
    pub(crate) model: PriceModel,
    /// The highest price of a thousand.
    pub(crate) rate: Decimal,
    /// The smallest quantity that has a price.
    pub(crate) from: u64,
}

/// A table: totals by quantity.
type Table = BTreeMap<u64, Decimal>;

/// Reads the tables of one service. One entry that cannot be read spoils them all: the price would be another one.
pub(crate) fn read(tables: &Value) -> Option<Priced> {
    let tiers: BTreeMap<String, Table> =
        tables.as_object()?.iter().map(|(tier, table)| Some((tier.clone(), totals(table)?))).collect::<Option<_>>()?;
    // What an order without parameters costs, where that is clear.
    let usual = tiers.get("1").or_else(|| tiers.values().next().filter(|_| tiers.len() == 1));
    let counted: Vec<&Table> = usual.map_or_else(|| tiers.values().collect(), |table| vec![table]);
    let rate = counted.iter().copied().flatten().map(|(step, total)| per_thousand(*step, *total));
    let rate = rate.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let from = *counted.iter().copied().filter_map(|table| table.keys().next()).min()?;
    Some(Priced { model: PriceModel::Stepped { tiers, tier_option: TIER_OPTION.to_owned() }, rate, from })
}

/// A table with one step at least, every total of which is an amount.
fn totals(table: &Value) -> Option<Table> {
    let entry = |(step, total): (&String, &Value)| {
        let step = step.parse::<u64>().ok().filter(|step| *step > 0)?;
        Some((step, value::decimal(total).filter(|total| *total >= Decimal::ZERO)?))
    };
    let table: Table = table.as_object()?.iter().map(entry).collect::<Option<_>>()?;
    (!table.is_empty()).then_some(table)
}

/// A price of a thousand, rounded up at the sixth place.
fn per_thousand(step: u64, total: Decimal) -> Option<Decimal> {
    let rate = total.checked_mul(Decimal::ONE_THOUSAND)?.checked_div(Decimal::from(step))?;
    Some(rate.round_dp_with_strategy(6, RoundingStrategy::ToPositiveInfinity).normalize())
}

#[cfg(test)]
mod tests {
    use interline_domain::price::Bought;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn cost(tables: &Value, quantity: u64, period: Option<&str>) -> Option<String> {
        let options = period.map(|period| (TIER_OPTION.to_owned(), period.to_owned())).into_iter().collect();
        let bought = Bought { quantity, duration: None, options: &options };
        read(tables)?.model.cost(&bought).ok().map(|cost| cost.to_string())
    }

    #[test]
    fn the_table_of_the_seed_gives_totals() {
        let tables = json!({ "1": { "10": 0.9, "50": 4.2, "100": 7.8 } });
        let priced = read(&tables).unwrap();
        assert_eq!((priced.rate, priced.from), (Decimal::from(90), 10));
        for (quantity, wanted) in
            [(9, None), (10, Some("0.9")), (20, Some("1.8")), (75, Some("6.3")), (200, Some("15.6"))]
        {
            assert_eq!(cost(&tables, quantity, None).as_deref(), wanted, "{quantity}");
        }
        assert_eq!(cost(&tables, 10, Some("2")), None, "an order of another period is not priced as this one");
    }

    #[test]
    fn a_table_is_named_where_there_are_several() {
        let tables = json!({ "1": { "10": "1" }, "7": { "10": 6 }, "30": { "5": 9, "10": 20 } });
        let priced = read(&tables).unwrap();
        assert_eq!((priced.rate, priced.from), (Decimal::from(100), 10));
        assert_eq!(cost(&tables, 10, Some("7")).as_deref(), Some("6"));
        let unnamed = json!({ "7": { "10": 6 }, "30": { "5": 9 } });
        let priced = read(&unnamed).unwrap();
        assert_eq!((priced.rate, priced.from), (Decimal::from(1_800), 5));
        assert_eq!(cost(&unnamed, 10, None), None);
    }

    #[test]
    fn one_number_that_cannot_be_read_spoils_the_price() {
        for tables in [
            json!({ "1": { "10": 0.9, "50": "a lot" } }),
            json!({ "1": { "10": 0.9, "many": 4.2 } }),
            json!({ "1": { "0": 0.9 } }),
            json!({ "1": { "10": -0.9 } }),
            json!({ "1": { "10": 0.9 }, "2": {} }),
            json!({ "1": 0.9 }),
            json!({}),
            json!([]),
            json!(null),
        ] {
            assert_eq!(read(&tables), None, "{tables}");
        }
    }

    proptest! {
        /// No order of a listed quantity costs more than the rate says.
        #[test]
        fn the_rate_is_never_below_a_price(
            steps in proptest::collection::btree_map(1u64..=10_000, 0u32..=1_000_000, 1..6),
            quantity in 1u64..=20_000,
        ) {
            let table: serde_json::Map<String, Value> =
                steps.iter().map(|(step, cents)| (step.to_string(), Decimal::new(i64::from(*cents), 2).to_string().into())).collect();
            let tables = json!({ "1": table });
            let priced = read(&tables).unwrap();
            let bought = Bought { quantity, duration: None, options: &BTreeMap::new() };
            if let Ok(cost) = priced.model.cost(&bought) {
                let most = priced.rate * Decimal::from(quantity) / Decimal::ONE_THOUSAND;
                // Half a micro-unit is what rounding the cost may add, and a whole one what is not free costs at least.
                prop_assert!(cost.to_decimal() <= most + Decimal::new(1, 6), "{cost} of {most}");
            } else {
                prop_assert!(quantity < priced.from);
            }
        }
    }
}
