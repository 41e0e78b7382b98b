//! Each form of price by its example, and what holds for all of them.

use proptest::prelude::*;

use super::*;
use crate::price::price;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn table(entries: &[(u64, &str)]) -> BTreeMap<u64, Decimal> {
    entries.iter().map(|(from, value)| (*from, decimal(value))).collect()
}

/// The table of `seeds/streamrise-api.txt`.
fn viewers() -> PriceModel {
    let tiers = [("1".to_owned(), table(&[(10, "0.9"), (50, "4.2"), (100, "7.8")]))].into();
    PriceModel::Stepped { tiers, tier_option: "periodAmount".to_owned() }
}

fn graduated() -> PriceModel {
    PriceModel::TimedTiers { prices: table(&[(0, "135"), (101, "180"), (201, "270")]) }
}

fn standard() -> PriceModel {
    let discounts = table(&[(1, "0"), (500, "10"), (1_000, "20")]);
    PriceModel::TimedUnits { price: decimal("0.3"), count: 100, discounts }
}

fn cost(model: &PriceModel, quantity: u64, duration: Option<u64>) -> Result<String, PriceError> {
    model.cost(&Bought { quantity, duration, options: &BTreeMap::new() }).map(|cost| cost.to_string())
}

#[test]
fn a_table_gives_totals_at_its_steps_and_unit_prices_between_them() {
    for (quantity, wanted) in
        [(10, "0.9"), (11, "0.99"), (49, "4.41"), (50, "4.2"), (75, "6.3"), (100, "7.8"), (250, "19.5")]
    {
        assert_eq!(cost(&viewers(), quantity, None), Ok(wanted.to_owned()), "{quantity}");
    }
    for below in [0, 9] {
        assert_eq!(cost(&viewers(), below, None), Err(PriceError::NoStep(below)));
    }
    let thirds = [("1".to_owned(), table(&[(3, "1")]))].into();
    let thirds = PriceModel::Stepped { tiers: thirds, tier_option: String::new() };
    assert_eq!(cost(&thirds, 4, None), Ok("1.333333".to_owned()));
    assert_eq!(cost(&thirds, 5, None), Ok("1.666667".to_owned()));
}

#[test]
fn a_tier_is_named_or_the_only_one() {
    let two = |names: [&str; 2]| PriceModel::Stepped {
        tiers: names.iter().zip([table(&[(1, "1")]), table(&[(1, "2")])]).map(|(n, t)| ((*n).to_owned(), t)).collect(),
        tier_option: "periodAmount".to_owned(),
    };
    let of = |model: &PriceModel, options: &[(&str, &str)]| {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        model.cost(&Bought { quantity: 1, duration: None, options: &options }).map(|cost| cost.to_string())
    };
    assert_eq!(of(&two(["1", "30"]), &[("periodAmount", "30")]), Ok("2".to_owned()));
    assert_eq!(of(&two(["1", "30"]), &[("other", "30")]), Ok("1".to_owned()));
    let missing = |value: &str| Err(PriceError::NoTier { option: "periodAmount".into(), value: value.into() });
    assert_eq!(of(&two(["1", "30"]), &[("periodAmount", "7")]), missing("7"));
    assert_eq!(of(&two(["7", "30"]), &[]), missing(""));
    assert_eq!(of(&viewers(), &[("periodAmount", "2")]), missing("2"), "another tier is never priced as the only one");
}

#[test]
fn time_multiplies_and_a_tier_is_for_the_whole_quantity() {
    for (quantity, wanted) in [(50, "135"), (100, "135"), (150, "180"), (250, "270")] {
        assert_eq!(cost(&graduated(), quantity, Some(1)), Ok(wanted.to_owned()), "{quantity}");
    }
    assert_eq!(cost(&graduated(), 150, Some(24)), Ok("4320".to_owned()));
    // 0.3 for a hundred an hour, less 20 percent from a thousand on.
    for (quantity, wanted) in [(100, "7.2"), (499, "35.928"), (500, "32.4"), (1_000, "57.6")] {
        assert_eq!(cost(&standard(), quantity, Some(24)), Ok(wanted.to_owned()), "{quantity}");
    }
    for model in [graduated(), standard()] {
        for none in [None, Some(0)] {
            assert_eq!(cost(&model, 500, none), Err(PriceError::NoDuration));
        }
    }
}

#[test]
fn what_is_no_price_costs_nothing_that_is_believed() {
    let flat = |price: &str| PriceModel::Flat { price: decimal(price) };
    assert_eq!(cost(&flat("-0.1"), 1, None), Err(PriceError::Malformed));
    assert_eq!(cost(&flat("1000000000.000001"), 1, None), Err(PriceError::Amount(MoneyError::TooLarge)));
    assert_eq!(cost(&flat("1000000000"), u64::MAX, None), Ok("1000000000".to_owned()));
    assert_eq!(cost(&flat("0.0000001"), 1, None), Ok("0.000001".to_owned()));
    assert_eq!(cost(&flat("0"), 1, None), Ok("0".to_owned()));
    let per_nothing = PriceModel::TimedUnits { price: Decimal::ONE, count: 0, discounts: BTreeMap::new() };
    assert_eq!(cost(&per_nothing, 1, Some(1)), Err(PriceError::Malformed));
    let paid_to_take = PriceModel::TimedUnits { price: Decimal::ONE, count: 1, discounts: table(&[(1, "100.01")]) };
    assert_eq!(cost(&paid_to_take, 1, Some(1)), Err(PriceError::Malformed));
    let huge = PriceModel::TimedUnits { price: Decimal::MAX, count: 1, discounts: BTreeMap::new() };
    assert_eq!(cost(&huge, u64::MAX, Some(u64::MAX)), Err(PriceError::Amount(MoneyError::TooLarge)));
}

#[test]
fn models_are_stored_as_json_without_floats() {
    let stored = serde_json::to_string(&viewers()).unwrap();
    assert_eq!(
        stored,
        r#"{"stepped":{"tiers":{"1":{"10":"0.9","50":"4.2","100":"7.8"}},"tier_option":"periodAmount"}}"#
    );
    let rate = PriceModel::PerThousand { rate: decimal("0.90") };
    for model in [viewers(), graduated(), standard(), rate, PriceModel::Flat { price: decimal("2.50") }] {
        let json = serde_json::to_value(&model).unwrap();
        assert_eq!(serde_json::from_value::<PriceModel>(json).unwrap(), model);
        let text = serde_json::to_string(&model).unwrap();
        assert_eq!(serde_json::from_str::<PriceModel>(&text).unwrap(), model);
    }
}

fn any_rate() -> impl Strategy<Value = Decimal> {
    (0i64..=100_000_000_000, 0u32..=11).prop_map(|(digits, places)| Decimal::new(digits, places))
}

proptest! {
    /// A rate is a rate, whoever computes with it.
    #[test]
    fn a_model_of_a_rate_agrees_with_the_price_of_a_rate(rate in 0i64..=100_000_000, quantity in 1u64..=1_000_000) {
        let rate = Micros::new(rate).to_decimal();
        for basis in [Basis::PerThousand, Basis::Flat] {
            let bought = Bought { quantity, duration: None, options: &BTreeMap::new() };
            prop_assert_eq!(PriceModel::of_rate(rate, basis).cost(&bought), Ok(price(rate, quantity, basis).unwrap()));
        }
    }

    /// Within one step a larger order never costs less, and at a step the stated total is what is paid.
    #[test]
    fn a_step_is_paid_as_stated(total in any_rate(), step in 1u64..=100_000, more in 0u64..=100_000) {
        prop_assume!(total <= Decimal::from(1_000_000));
        let tiers = [("1".to_owned(), BTreeMap::from([(step, total)]))].into();
        let model = PriceModel::Stepped { tiers, tier_option: String::new() };
        let of = |quantity| model.cost(&Bought { quantity, duration: None, options: &BTreeMap::new() });
        let stated = Micros::from_decimal(total).unwrap();
        let stated = if stated.is_zero() && !total.is_zero() { Micros::ONE } else { stated };
        prop_assert_eq!(of(step), Ok(stated));
        if let Ok(dearer) = of(step + more) {
            prop_assert!(dearer >= stated);
        }
    }

    /// The cost is the nearest micro-unit: at most half a one away from the exact quotient, and not free if that is not.
    #[test]
    fn a_cost_is_off_by_half_a_micro_unit_at_most(
        price in any_rate(),
        quantity in 1u64..=1_000_000,
        count in 1u64..=10_000,
        hours in 1u64..=720,
    ) {
        let model = PriceModel::TimedUnits { price, count, discounts: BTreeMap::new() };
        let bought = Bought { quantity, duration: Some(hours), options: &BTreeMap::new() };
        if let Ok(cost) = model.cost(&bought) {
            let scale = 10_i128.pow(price.scale());
            let exact = price.mantissa() * i128::from(quantity) * i128::from(hours) * i128::from(MICROS_PER_UNIT);
            let whole = i128::from(cost.get()) * scale * i128::from(count);
            let unit = scale * i128::from(count);
            prop_assert!(2 * (exact - whole).abs() <= unit || cost == Micros::ONE);
            prop_assert_eq!(cost.is_zero(), price.is_zero());
        }
    }
}
