//! Tarifs: the documented examples with their prices, and what holds for every table.

use interline_domain::price::{Basis, Bought, PriceError, price};
use interline_upstream::{Fault, Response};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// As the documentation shows a graduated tarif.
const GRADUATED: &str = r#"{
  "id": 1, "title": "AI Chatbot", "text": ["Up to 350 chatbots", "AI-powered chat"], "count": 100, "price": 135,
  "type": "ai_chatbots", "hourly": true, "pricing_type": "graduated",
  "graduated_prices": {"0": 135, "101": 180, "201": 270}, "discounts": {"1": 0, "500": 10, "1000": 20},
  "link": {"prefix": "https://www.twitch.tv/", "placeholder": "twitch"}, "panel": true
}"#;

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn standard_of(count: &Value, price: &Value, discounts: &Value) -> Value {
    json!({
        "id": 12, "title": "Viewers", "count": count, "price": price, "type": "twitch_viewers", "hourly": true,
        "pricing_type": "standard", "graduated_prices": null, "discounts": discounts
    })
}

fn listed(tarif: &Value) -> Listing {
    listing(tarif).unwrap()
}

/// What `quantity` units cost for so many units of time.
fn cost(listing: &Listing, quantity: u64, duration: Option<u64>) -> String {
    let bought = Bought { quantity, duration, options: &BTreeMap::new() };
    listing.price.as_ref().unwrap().cost(&bought).map_or_else(|error| format!("{error:?}"), |cost| cost.to_string())
}

fn answer(status: u16, body: &str) -> Answer {
    read(&Heard::new(&Response { status, retry_after_ms: None, body: body.into() }))
}

#[test]
fn a_tier_is_paid_for_the_whole_and_by_the_hour() {
    let listing = listed(&serde_json::from_str(GRADUATED).unwrap());
    assert_eq!((listing.service.as_str(), listing.name.as_str()), ("1", "AI Chatbot"));
    assert_eq!((listing.category.as_str(), listing.service_type), ("ai_chatbots", Some(ServiceType::Default)));
    assert_eq!((listing.min, listing.max), (1, UNITS_MAX), "its table is for other quantities than 100");
    assert_eq!((listing.refill, listing.cancel, listing.dripfeed), (Some(false), Some(false), Some(false)));
    for (quantity, wanted) in [(50, "135"), (150, "180"), (250, "270")] {
        assert_eq!(cost(&listing, quantity, Some(1)), wanted, "{quantity}");
    }
    assert_eq!(cost(&listing, 150, Some(24)), "4320");
    assert_eq!(cost(&listing, 150, None), format!("{:?}", PriceError::NoDuration));
    assert_eq!(listing.rate, number("135000"), "one unit is the dearest");
}

#[test]
fn a_standard_price_is_in_proportion_less_the_discount_by_volume() {
    let discounts = json!({"1": 0, "500": 10, "1000": 20});
    let listing = listed(&standard_of(&json!(100), &json!(0.3), &discounts));
    for (quantity, wanted) in [(100, "7.2"), (499, "35.928"), (500, "32.4"), (1_000, "57.6")] {
        assert_eq!(cost(&listing, quantity, Some(24)), wanted, "{quantity}");
    }
    assert_eq!((listing.rate, listing.min, listing.max), (number("3"), 1, UNITS_MAX));
    // 2.4 for a thousand has 20 percent off already.
    let listing = listed(&standard_of(&json!(1_000), &json!("2.4"), &discounts));
    for (quantity, wanted) in [(1_000, "2.4"), (2_000, "4.8"), (500, "1.35"), (100, "0.3")] {
        assert_eq!(cost(&listing, quantity, Some(1)), wanted, "{quantity}");
    }
    assert_eq!(listing.rate, number("3"));
}

#[test]
fn bounds_are_a_range_or_the_one_quantity_that_is_sold() {
    let bounds = |count: Value, discounts: Value| {
        let listing = listed(&standard_of(&count, &json!(1), &discounts));
        (listing.min, listing.max, listing.rate.to_string())
    };
    assert_eq!(bounds(json!({"min": 10, "max": 500}), json!(null)), (10, 500, "100".to_owned()));
    assert_eq!(bounds(json!({"min": "0", "max": "7"}), json!({})), (1, 7, "1000".to_owned()));
    assert_eq!(bounds(json!(300), json!([])), (300, 300, "3.333334".to_owned()), "rounded up, never below the cost");
    assert_eq!(bounds(json!("300"), json!({"1": 0})), (300, 300, "3.333334".to_owned()));
    assert_eq!(bounds(json!(1), json!({"2": 50})), (1, UNITS_MAX, "1000".to_owned()));
}

#[test]
fn tables_that_php_writes_as_lists_are_read() {
    let mut tarif: Value = serde_json::from_str(GRADUATED).unwrap();
    tarif["graduated_prices"] = json!([135]);
    tarif["discounts"] = json!([]);
    let listing = listed(&tarif);
    assert_eq!((listing.min, listing.max, listing.rate), (100, 100, number("1350")));
    assert_eq!(cost(&listing, 100, Some(2)), "270");
}

#[test]
fn what_is_missing_is_left_open() {
    let listing = listed(&json!({"id": "7", "count": 10, "price": "0"}));
    assert_eq!((listing.service.as_str(), listing.name.as_str(), listing.category.as_str()), ("7", "", ""));
    assert_eq!((listing.rate, cost(&listing, 10, Some(1))), (Decimal::ZERO, "0".to_owned()));
}

#[test]
fn a_tarif_that_cannot_be_sold_is_left_out() {
    let graduated =
        |prices: Value| json!({"id": 1, "count": 10, "pricing_type": "graduated", "graduated_prices": prices});
    for tarif in [
        json!({"count": 10, "price": 1}),
        json!({"id": 1, "price": 1}),
        json!({"id": 1, "count": 10}),
        json!({"id": 1, "count": 10, "price": -1}),
        json!({"id": 1, "count": 10, "price": "free"}),
        json!({"id": 1, "count": 0, "price": 1}),
        json!({"id": 1, "count": 1.5, "price": 1}),
        json!({"id": 1, "count": {"min": 7, "max": 6}, "price": 1}),
        json!({"id": 1, "count": {"min": 7}, "price": 1}),
        json!({"id": 1, "count": 10, "price": 1, "pricing_type": "auction"}),
        json!({"id": 1, "count": 10, "price": 1, "discounts": {"1": 101}}),
        json!({"id": 1, "count": 10, "price": 1, "discounts": {"1": -1}}),
        json!({"id": 1, "count": 10, "price": 1, "discounts": {"many": 5}}),
        json!({"id": 1, "count": 10, "price": 1, "discounts": {"1": 100}}),
        json!({"id": 1, "count": 11, "price": 1, "discounts": {"1": "0.5"}}),
        json!({"id": 1, "count": 10, "price": 1, "discounts": "none"}),
        graduated(json!({})),
        graduated(json!(null)),
        graduated(json!({"0": -1})),
        graduated(json!({"0": null})),
        json!([]),
        json!(7),
    ] {
        assert_eq!(listing(&tarif), None, "{tarif}");
    }
}

#[test]
fn one_bad_tarif_does_not_spoil_the_catalogue_and_no_list_is_no_catalogue() {
    let good = listed(&serde_json::from_str(GRADUATED).unwrap());
    for body in [format!("[null,{GRADUATED},{{}}]"), format!(r#"{{"items":[{GRADUATED}]}}"#)] {
        assert_eq!(answer(200, &body), Answer::Catalogue(vec![good.clone()]), "{body}");
    }
    assert_eq!(answer(200, "[]"), Answer::Catalogue(Vec::new()));
    for (status, body) in [(200, "{}"), (200, "[{}]"), (200, "<html>"), (500, "[]"), (200, r#"{"items":null}"#)] {
        assert!(matches!(answer(status, body), Answer::Fault(Fault::Unreadable(_))), "{status} {body}");
    }
}

/// A table by quantity, of whole numbers up to `max`.
fn any_table(max: i64) -> impl Strategy<Value = BTreeMap<String, i64>> {
    let entry = (0u64..2_000, 0..=max).prop_map(|(from, value)| (from.to_string(), value));
    proptest::collection::vec(entry, 1..6).prop_map(|entries| entries.into_iter().collect())
}

fn any_tarif() -> impl Strategy<Value = Value> {
    let price = || (0i64..1_000_000, 3u32..6).prop_map(|(digits, places)| Decimal::new(digits, places).to_string());
    let count = || {
        let range = (1u64..500, 0u64..5_000).prop_map(|(min, more)| json!({"min": min, "max": min + more}));
        prop_oneof![(1u64..2_000).prop_map(Value::from), range]
    };
    prop_oneof![
        (count(), price(), any_table(90)).prop_map(|(count, price, discounts)| {
            json!({"id": 1, "count": count, "price": price, "pricing_type": "standard", "discounts": discounts})
        }),
        (count(), any_table(10_000)).prop_map(|(count, prices)| {
            json!({"id": 1, "count": count, "pricing_type": "graduated", "graduated_prices": prices})
        }),
    ]
}

proptest! {
    /// Whoever sells by the thousand at the rate never gets less than he pays, whatever the quantity.
    #[test]
    fn the_rate_covers_the_cost(tarif in any_tarif(), place in 0u64..10_000) {
        // A tarif whose first tier begins above its largest quantity has no price.
        let Some(listing) = listing(&tarif) else {
            prop_assert!(tarif["pricing_type"] == "graduated");
            return Ok(());
        };
        let quantity = (listing.min + place).min(listing.max);
        let model = listing.price.clone().unwrap();
        match model.cost(&Bought { quantity, duration: Some(1), options: &BTreeMap::new() }) {
            Ok(cost) => prop_assert!(cost <= price(listing.rate, quantity, Basis::PerThousand).unwrap()),
            Err(error) => prop_assert_eq!(error, PriceError::NoStep(quantity)),
        }
    }

    /// The stated price is what the usual quantity costs, whichever discounts it has in it.
    #[test]
    fn the_stated_price_is_paid(count in 1u64..2_000, cents in 0i64..1_000_000, discounts in any_table(90)) {
        let stated = Decimal::new(cents, 2);
        let tarif = standard_of(&json!(count), &json!(stated.to_string()), &json!(discounts));
        let paid = cost(&listed(&tarif), count, Some(1));
        prop_assert_eq!(paid.parse::<Decimal>().unwrap(), stated);
    }
}
