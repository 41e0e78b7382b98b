//! A reason for each offer that is passed over, and the order of those that are not.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn offer(upstream: &str, rate: &str) -> Offer {
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
        charge_base: Micros::new(2_500_000),
    }
}

fn policy() -> Policy {
    Policy { margin_floor_percent: Decimal::ZERO, price_max_age_ms: 86_400_000 }
}

fn reason(change: impl FnOnce(&mut Offer)) -> Option<Reason> {
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

fn any_offer() -> impl Strategy<Value = Offer> {
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
