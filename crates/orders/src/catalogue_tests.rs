//! What a service is sold for where that follows what its upstreams take, and what they can be asked for.

use std::collections::BTreeSet;

use interline_domain::{ServiceType, price::PriceModel};
use interline_store::{CurrencyRecord, UpstreamKey, UpstreamSettings};
use interline_upstream::{Answer, Capabilities, Fault, Request, Response};

use super::*;

/// Fixed parameters of an offer.
type Params<'a> = &'a [(&'a str, &'a str)];
/// Offers by their upstreams.
type Offers<'a> = &'a [(&'a str, Params<'a>)];

/// A dialect that cannot ask for anything.
struct Mute;

impl Dialect for Mute {
    fn name(&self) -> &'static str {
        "mute"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { status_batch_max: 1, cancel_batch_max: 1, lists_orders: false }
    }

    fn encode(&self, _: &Endpoint, _: &Call) -> Option<Request> {
        None
    }

    fn decode(&self, _: &Call, _: &Response) -> Answer {
        Answer::Fault(Fault::Unsupported)
    }
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn upstream(id: &str, currency: &str) -> (UpstreamRecord, UpstreamStateRecord) {
    let record = UpstreamRecord {
        id: id.parse().unwrap(),
        adapter: "mute".to_owned(),
        url: "https://upstream.example".to_owned(),
        key: UpstreamKey::Missing,
        currency: currency.parse().unwrap(),
        enabled: true,
        settings: UpstreamSettings::default(),
    };
    (record, UpstreamStateRecord::default())
}

fn listing(upstream: &str, rate: &str, price: Option<PriceModel>) -> ListingRecord {
    ListingRecord {
        upstream: upstream.parse().unwrap(),
        service: "1".to_owned(),
        name: "Viewers".to_owned(),
        category: String::new(),
        service_type: Some(ServiceType::Default),
        rate: decimal(rate),
        price,
        min: 10,
        max: 5_000,
        refill: None,
        cancel: None,
        dripfeed: None,
        changes: BTreeSet::new(),
        upgrades: BTreeSet::new(),
        present: true,
    }
}

/// A service with a markup of 30 percent, with offers at these upstreams.
fn service(min: u64, offers: Offers<'_>) -> ServiceRecord {
    let offer = |(upstream, params): &(&str, Params<'_>)| OfferRecord {
        upstream: upstream.parse().unwrap(),
        service: "1".to_owned(),
        enabled: true,
        params: params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    ServiceRecord {
        id: ServiceId(1),
        name: "Viewers".to_owned(),
        category: String::new(),
        service_type: ServiceType::Default,
        price: SellPrice::Markup(decimal("30")),
        min,
        max: 100_000,
        refill: false,
        cancel: false,
        dripfeed: false,
        enabled: true,
        description: String::new(),
        offers: offers.iter().map(offer).collect(),
    }
}

fn catalogue(dialects: &[Arc<dyn Dialect>]) -> Catalogue {
    let table = |entries: &[(u64, &str)]| -> BTreeMap<u64, Decimal> {
        entries.iter().map(|(from, value)| (*from, decimal(value))).collect()
    };
    let stepped = PriceModel::Stepped {
        tiers: [("1".to_owned(), table(&[(10, "0.9"), (50, "4.2"), (100, "7.8")]))].into(),
        tier_option: "periodAmount".to_owned(),
    };
    let timed = PriceModel::TimedUnits { price: decimal("0.3"), count: 100, discounts: table(&[(1_000, "20")]) };
    let rows = CatalogueRows {
        currencies: vec![CurrencyRecord { code: "EUR".parse().unwrap(), rate: decimal("1.10") }],
        upstreams: vec![upstream("rate", "USD"), upstream("table", "EUR"), upstream("time", "USD")],
        // The rates of the last two are what a thousand costs at most, and price nothing.
        listings: vec![
            listing("rate", "80", None),
            listing("table", "90", Some(stepped)),
            listing("time", "3", Some(timed)),
        ],
        ..CatalogueRows::default()
    };
    Catalogue::new(rows, "USD".parse().unwrap(), dialects, None)
}

#[test]
fn a_markup_is_on_the_most_that_a_thousand_can_cost_at_the_cheapest() {
    let day: Params<'_> = &[("duration", "24")];
    let cases: [(u64, Offers<'_>, Option<&str>); 10] = [
        (10, &[("rate", &[])], Some("104")),
        (10, &[("table", &[])], Some("128.7")),
        // Nobody can order the few that are dearer.
        (100, &[("table", &[])], Some("111.54")),
        (10, &[("time", day)], Some("93.6")),
        (1_000, &[("time", day)], Some("74.88")),
        (10, &[("rate", &[]), ("table", &[]), ("time", day)], Some("93.6")),
        (10, &[("rate", &[]), ("table", &[]), ("time", &[])], Some("104")),
        (10, &[("time", &[])], None),
        (10, &[("table", &[("periodAmount", "30")])], None),
        (6_000, &[("table", &[])], None),
    ];
    let catalogue = catalogue(&[]);
    for (min, offers, wanted) in cases {
        let rate = catalogue.base_rate_of(&service(min, offers)).map(|rate| rate.normalize().to_string());
        assert_eq!(rate.as_deref(), wanted, "{min} {offers:?}");
    }
}

#[test]
fn a_protocol_that_cannot_ask_for_a_balance_tells_none() {
    let tells = |catalogue: &Catalogue| catalogue.upstreams().next().map(|upstream| upstream.tells_balance());
    assert_eq!(tells(&catalogue(&[Arc::new(Mute)])), Some(false));
    assert_eq!(tells(&catalogue(&[])), Some(true), "of an adapter that is not known here nothing is said");
}
