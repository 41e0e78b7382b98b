//! A reason for each offer that is passed over, and the order of those that are not.

use interline_domain::{money::MoneyError, price::PriceError};
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn offer(upstream: &str, rate: &str) -> Offer<'static> {
    Offer {
        upstream: upstream.parse().unwrap(),
        service: "1".to_owned(),
        params: BTreeMap::new(),
        enabled: true,
        currency: "USD".parse().unwrap(),
        base_rate: Some(Decimal::ONE),
        listed: Some(Listed {
            service_type: Some(ServiceType::Default),
            rate: dec(rate),
            price: None,
            min: 10,
            max: 10_000,
            dripfeed: None,
            read_at: NOW,
        }),
        unsayable: None,
        available: Micros::new(100_000_000),
        exposed: false,
        tried: false,
    }
}

fn wanted(quantity: u64) -> Wanted {
    Wanted {
        service_type: ServiceType::Default,
        quantity,
        basis: Basis::PerThousand,
        dripfeed: false,
        fields: BTreeMap::new(),
        charge_base: Micros::new(2_500_000),
    }
}

fn policy() -> Policy {
    Policy { margin_floor_percent: Decimal::ZERO, price_max_age_ms: 86_400_000 }
}

fn reason(change: impl FnOnce(&mut Offer<'_>)) -> Option<Reason> {
    let mut one = offer("alpha", "0.90");
    change(&mut one);
    plan(&wanted(1000), &[one], &policy(), NOW).candidates.remove(0).passed
}

#[test]
fn each_obstacle_is_named() {
    assert_eq!(reason(|_| {}), None);
    assert_eq!(reason(|o| o.enabled = false), Some(Reason::Disabled));
    assert_eq!(reason(|o| o.tried = true), Some(Reason::Tried));
    assert_eq!(reason(|o| o.listed = None), Some(Reason::NotListed));
    assert_eq!(reason(|o| o.listed.as_mut().unwrap().read_at = NOW.plus_ms(-86_400_001)), Some(Reason::StalePrice));
    assert_eq!(reason(|o| o.listed.as_mut().unwrap().service_type = None), Some(Reason::Type));
    assert_eq!(reason(|o| o.listed.as_mut().unwrap().max = 999), Some(Reason::Quantity { min: 10, max: 999 }));
    assert_eq!(reason(|o| o.base_rate = None), Some(Reason::NoRate));
    assert_eq!(reason(|o| o.exposed = true), Some(Reason::Exposure));
    assert_eq!(reason(|o| o.available = Micros::new(899_999)), Some(Reason::Balance));
    assert_eq!(reason(|o| o.available = Micros::new(900_000)), None);
    assert_eq!(reason(|o| o.listed.as_mut().unwrap().rate = dec("2.500001")), Some(Reason::Margin));
    assert_eq!(reason(|o| o.listed.as_mut().unwrap().rate = dec("2.5")), None);
}

#[test]
fn runs_go_only_where_drip_feed_is_offered() {
    let listed = |upstream, dripfeed| {
        let mut offer = offer(upstream, "0.90");
        offer.listed.as_mut().unwrap().dripfeed = dripfeed;
        offer
    };
    let offers = [listed("alpha", None), listed("beta", Some(false)), listed("gamma", Some(true))];
    let passed = |dripfeed| -> Vec<Option<Reason>> {
        let plan = plan(&Wanted { dripfeed, ..wanted(1000) }, &offers, &policy(), NOW);
        plan.candidates.into_iter().map(|candidate| candidate.passed).collect()
    };
    assert_eq!(passed(true), [None, Some(Reason::Dripfeed), Some(Reason::Dripfeed)]);
    assert_eq!(passed(false), [None, None, None]);
    assert_eq!(Reason::Dripfeed.to_string(), "no drip-feed there");
}

#[test]
fn an_order_goes_only_where_it_can_be_said() {
    let allowed = "`quantity` must be the number of lines in `comments`";
    let offers = [Offer { unsayable: Some(allowed), ..offer("alpha", "0.90") }, offer("beta", "1.20")];
    let plan = plan(&wanted(1000), &offers, &policy(), NOW);
    assert_eq!(plan.takers().map(|taker| taker.upstream.as_str()).collect::<Vec<_>>(), ["beta"]);
    let passed = plan.candidates.last().and_then(|candidate| candidate.passed.clone()).unwrap();
    assert_eq!(passed, Reason::Protocol { allowed: allowed.to_owned() });
    assert_eq!(passed.to_string(), format!("its protocol cannot say this order: {allowed}"));
    // What no waiting mends is said before what may pass.
    let reason = reason(|o| (o.unsayable, o.available) = (Some(allowed), Micros::ZERO));
    assert_eq!(reason, Some(passed));
}

#[test]
fn a_package_costs_its_rate_once_and_must_be_of_the_same_size() {
    let package = |quantity| Wanted { service_type: ServiceType::Package, basis: Basis::Flat, ..wanted(quantity) };
    let mut one = offer("alpha", "2.40");
    let listed = one.listed.as_mut().unwrap();
    (listed.service_type, listed.min, listed.max) = (Some(ServiceType::Package), 500, 500);
    let of = |quantity| plan(&package(quantity), std::slice::from_ref(&one), &policy(), NOW).candidates.remove(0);
    assert_eq!((of(500).cost, of(500).passed), (Some(Micros::new(2_400_000)), None));
    assert_eq!(of(1000).passed, Some(Reason::Quantity { min: 500, max: 500 }));
}

#[test]
fn the_cheapest_in_the_base_currency_is_first_and_ties_keep_the_order_of_the_offers() {
    let mut euro = offer("euro", "0.85");
    (euro.currency, euro.base_rate) = ("EUR".parse().unwrap(), Some(dec("1.10")));
    let offers = [offer("alpha", "0.90"), euro, offer("beta", "0.90"), offer("gamma", "0.95")];
    let plan = plan(&wanted(1000), &offers, &policy(), NOW);
    let order: Vec<(&str, Option<u32>)> = plan.takers().map(|c| (c.upstream.as_str(), c.rank)).collect();
    assert_eq!(order, [("alpha", Some(1)), ("beta", Some(2)), ("euro", Some(3)), ("gamma", Some(4))]);
    let euro = plan.candidates.iter().find(|c| c.upstream.as_str() == "euro").unwrap();
    assert_eq!((euro.cost, euro.cost_base), (Some(Micros::new(850_000)), Some(Micros::new(935_000))));
    assert_eq!(euro.margin_percent, Some(dec("62.6")));
}

fn table(entries: &[(u64, &str)]) -> BTreeMap<u64, Decimal> {
    entries.iter().map(|(from, value)| (*from, dec(value))).collect()
}

/// Totals for one day, and for thirty.
fn stepped() -> PriceModel {
    let tiers =
        [("1".to_owned(), table(&[(10, "0.9"), (50, "4.2"), (100, "7.8")])), ("30".to_owned(), table(&[(10, "20")]))];
    PriceModel::Stepped { tiers: tiers.into(), tier_option: "periodAmount".to_owned() }
}

fn priced<'a>(upstream: &str, model: &'a PriceModel, params: &[(&str, &str)]) -> Offer<'a> {
    // The rate is for whoever wants to compare services; it prices nothing here.
    let mut offer = offer(upstream, "1000000");
    offer.params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    if let Some(listed) = offer.listed.as_mut() {
        listed.price = Some(model);
    }
    offer
}

/// What comes to the same for one quantity comes to something else for another, and each is compared in one currency.
#[test]
fn the_cheapest_of_three_forms_of_price_depends_on_the_quantity() {
    let (stepped, tiers) = (stepped(), PriceModel::TimedTiers { prices: table(&[(0, "3"), (500, "9.5")]) });
    let euro =
        Offer { currency: "EUR".parse().unwrap(), base_rate: Some(dec("1.10")), ..priced("table", &stepped, &[]) };
    let offers = [offer("rate", "95"), euro, priced("time", &tiers, &[("duration", "2")])];
    let ranked = |quantity| -> Vec<(String, String)> {
        let wanted = Wanted { charge_base: Micros::new(90_000_000), ..wanted(quantity) };
        let plan = plan(&wanted, &offers, &policy(), NOW);
        plan.takers().map(|c| (c.upstream.to_string(), c.cost_base.unwrap().to_string())).collect()
    };
    for (quantity, order) in [
        (10, [("rate", "0.95"), ("table", "0.99"), ("time", "6")]),
        (60, [("table", "5.544"), ("rate", "5.7"), ("time", "6")]),
        (100, [("time", "6"), ("table", "8.58"), ("rate", "9.5")]),
        (500, [("time", "19"), ("table", "42.9"), ("rate", "47.5")]),
    ] {
        assert_eq!(ranked(quantity), order.map(|(id, cost)| (id.to_owned(), cost.to_owned())), "{quantity}");
    }
    let plan = plan(&wanted(10), &offers, &policy(), NOW);
    let table = plan.candidates.iter().find(|c| c.upstream.as_str() == "table").unwrap();
    assert_eq!(table.cost, Some(Micros::new(900_000)), "what is reserved is in the upstream's currency");
}

#[test]
fn what_makes_no_price_is_passed_over_and_says_why() {
    let (stepped, tiers) = (stepped(), PriceModel::TimedTiers { prices: table(&[(0, "3")]) });
    let of = |offer: Offer<'_>, quantity, fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let wanted = Wanted { charge_base: Micros::new(90_000_000), fields, ..wanted(quantity) };
        let candidate = plan(&wanted, &[offer], &policy(), NOW).candidates.remove(0);
        (candidate.cost.map(|cost| cost.to_string()), candidate.passed.map(|reason| reason.to_string()))
    };
    let costs = |cost: &str| (Some(cost.to_owned()), None);
    let passed = |why: &str| (None, Some(format!("its cost cannot be computed: {why}")));
    assert_eq!(of(priced("time", &tiers, &[("duration", "2")]), 10, &[]), costs("6"));
    let no_duration = "the price is by time, and the offer's parameters name no duration";
    assert_eq!(of(priced("time", &tiers, &[]), 10, &[]), passed(no_duration));
    assert_eq!(of(priced("table", &stepped, &[]), 10, &[]), costs("0.9"));
    assert_eq!(of(priced("table", &stepped, &[("periodAmount", "30")]), 10, &[]), costs("20"));
    let by_order = [("periodAmount", "30"), ("link", "https://example.com/p")];
    assert_eq!(of(priced("table", &stepped, &[("periodAmount", "1")]), 10, &by_order), costs("20"));
    let no_tier = "no price is listed for periodAmount `7`";
    assert_eq!(of(priced("table", &stepped, &[]), 10, &[("periodAmount", "7")]), passed(no_tier));
    let mut fewer = priced("table", &stepped, &[]);
    fewer.listed.as_mut().unwrap().min = 1;
    assert_eq!(of(fewer.clone(), 9, &[]), passed("no price is listed for a quantity of 9"));
    fewer.available = Micros::new(899_999);
    assert_eq!(of(fewer.clone(), 10, &[]).1, Some(Reason::Balance.to_string()), "the landed cost is what is needed");
    fewer.enabled = false;
    assert_eq!(of(fewer, 9, &[]).1, Some(Reason::Disabled.to_string()));
    assert_eq!(Reason::from(PriceError::Amount(MoneyError::TooLarge)), Reason::TooLarge);
}

fn any_offer() -> impl Strategy<Value = Offer<'static>> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (flags, 0i64..5_000_000, 0i64..5_000_000, 1u64..2000, 0i64..200_000_000).prop_map(
        |((enabled, exposed, tried, listed), rate, available, max, age)| {
            let mut offer = offer("alpha", "0");
            (offer.enabled, offer.exposed, offer.tried, offer.available) =
                (enabled, exposed, tried, Micros::new(available));
            if let Some(l) = offer.listed.as_mut() {
                (l.rate, l.max, l.read_at) = (Micros::new(rate).to_decimal(), max, NOW.plus_ms(-age));
            }
            if !listed {
                offer.listed = None;
            }
            offer
        },
    )
}

proptest! {
    /// Nobody is ranked against whom there is a reason, everybody is in the plan once, ranks are 1, 2, 3 … by cost, and
    /// whoever is taken is enabled, listed, fresh, in bounds, funded and sold at no loss.
    #[test]
    fn a_plan_never_picks_whom_it_passed_over(offers in proptest::collection::vec(any_offer(), 0..8), quantity in 1u64..2000) {
        let plan = plan(&wanted(quantity), &offers, &policy(), NOW);
        prop_assert_eq!(plan.candidates.len(), offers.len());
        let mut last = Micros::ZERO;
        for (index, candidate) in plan.candidates.iter().enumerate() {
            prop_assert_eq!(candidate.rank.is_some(), candidate.passed.is_none());
            if let Some(rank) = candidate.rank {
                prop_assert_eq!(usize::try_from(rank).unwrap(), index + 1);
                let cost = candidate.cost_base.unwrap();
                prop_assert!(last <= cost && cost <= Micros::new(2_500_000));
                last = cost;
            }
        }
        let json = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
}
