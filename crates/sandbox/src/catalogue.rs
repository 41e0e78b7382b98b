//! What the other two protocols sell: Streamrise's named services, and Streamskill's tarifs.

use std::collections::BTreeMap;

use crate::{
    amount,
    config::{Adapter, Service},
};

/// A service of Streamrise's native face.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedService {
    /// Its name, which is its id: `twitchViewers`.
    pub name: String,
    /// Its platform: `twitch`.
    pub family: String,
    /// Its type, which decides what its orders may say: `viewers`, `chatbots`, `followers`.
    pub service_type: String,
    /// What an order costs, by its period (`1` where none is named) and then by its amount: the total at a step, and
    /// between steps the unit price of the next lower one. Decimal text with at most six places.
    pub prices: BTreeMap<String, BTreeMap<u64, String>>,
    /// Smallest amount.
    pub min: u64,
    /// Largest amount.
    pub max: u64,
    /// Whether its orders can be canceled.
    pub cancel: bool,
}

impl NamedService {
    /// The first service, at `rate` per 1000 whatever the amount.
    pub fn even(rate: &str, min: u64, max: u64) -> Self {
        let service = named(Adapter::Streamrise.first_service(), "viewers", (min, max), true, BTreeMap::new());
        service.at_rate(rate)
    }

    /// The same at `rate` per 1000.
    pub(crate) fn at_rate(self, rate: &str) -> Self {
        let table = BTreeMap::from([(self.min, of_rate(rate, self.min))]);
        Self { prices: BTreeMap::from([("1".to_owned(), table)]), ..self }
    }
}

/// Something that Streamskill sells, for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tarif {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub title: String,
    /// What its purchases are: `twitch_viewers`. The site is what stands before the `_`.
    pub order_type: String,
    /// Smallest quantity.
    pub min: u64,
    /// Largest quantity.
    pub max: u64,
    /// Whether a unit of time is an hour; else it is a day.
    pub hourly: bool,
    /// What it costs.
    pub pricing: Pricing,
}

impl Tarif {
    /// The first tarif, at `rate` per 1000 and hour whatever the quantity.
    pub fn even(rate: &str, min: u64, max: u64) -> Self {
        let pricing = Pricing::Standard { price: String::new(), discounts: BTreeMap::new() };
        tarif(1, "Twitch viewers", ("twitch_viewers", true), (min, max), pricing).at_rate(rate)
    }

    /// The same at `rate` per 1000 and unit of time.
    pub(crate) fn at_rate(self, rate: &str) -> Self {
        let pricing = Pricing::Standard { price: of_rate(rate, self.min), discounts: BTreeMap::new() };
        Self { pricing, ..self }
    }
}

/// What a tarif costs for one unit of time (`protocol.md` §6). Amounts are decimal text with at most six places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pricing {
    /// In proportion to the quantity.
    Standard {
        /// The price of the smallest quantity, before any discount.
        price: String,
        /// What is off, in percent, by the quantity from which it holds.
        discounts: BTreeMap<u64, String>,
    },
    /// The same for every quantity of a tier.
    Graduated {
        /// The price by the quantity from which it holds.
        prices: BTreeMap<u64, String>,
    },
}

/// What Streamrise's PerfectPanel part sells, as in the seed, at `rate_percent` of its usual prices.
pub(crate) fn numbered_services(rate_percent: u32) -> Vec<Service> {
    [
        ("1", "Twitch Viewers", "Default", 900_000, (10, 10_000), true),
        ("2", "Twitch Chatbots", "Custom Comments", 8_000_000, (10, 1_500), false),
    ]
    .into_iter()
    .map(|(id, name, service_type, rate_micros, (min, max), cancel)| Service {
        id: id.to_owned(),
        name: name.to_owned(),
        category: "Twitch".to_owned(),
        service_type: service_type.to_owned(),
        rate: at(rate_micros, rate_percent),
        min,
        max,
        refill: false,
        cancel,
        dripfeed: false,
    })
    .collect()
}

/// A small catalogue of named services at `rate_percent` of their usual prices: the more, the cheaper.
pub(crate) fn demo_named_services(rate_percent: u32) -> Vec<NamedService> {
    let table = |steps: &[(u64, i64)]| -> BTreeMap<u64, String> {
        steps.iter().map(|(step, micros)| (*step, at(*micros, rate_percent))).collect()
    };
    let one = |steps: &[(u64, i64)]| BTreeMap::from([("1".to_owned(), table(steps))]);
    let viewers = [(10, 20_000), (500, 500_000), (1_000, 800_000), (5_000, 3_600_000)];
    let periods = BTreeMap::from([
        ("1".to_owned(), table(&[(10, 200_000), (100, 1_800_000)])),
        ("7".to_owned(), table(&[(10, 1_000_000), (100, 9_000_000)])),
        ("30".to_owned(), table(&[(10, 3_600_000), (100, 32_000_000)])),
    ]);
    vec![
        named("twitchViewers", "viewers", (10, 10_000), true, one(&viewers)),
        named("twitchViewersPeriod", "viewers", (10, 1_000), true, periods),
        named("twitchChatBots", "chatbots", (10, 1_500), false, one(&[(10, 90_000), (100, 800_000)])),
        named("kickViewers", "viewers", (10, 5_000), true, one(&[(10, 25_000), (1_000, 1_000_000)])),
    ]
}

/// A small catalogue of tarifs at `rate_percent` of their usual prices.
pub(crate) fn demo_tarifs(rate_percent: u32) -> Vec<Tarif> {
    let table = |steps: &[(u64, i64)]| -> BTreeMap<u64, String> {
        steps.iter().map(|(from, micros)| (*from, at(*micros, rate_percent))).collect()
    };
    let standard = |micros: i64| Pricing::Standard {
        price: at(micros, rate_percent),
        discounts: [(1, "0"), (500, "10"), (1_000, "20")].map(|(from, percent)| (from, percent.to_owned())).into(),
    };
    let viewers = Pricing::Graduated { prices: table(&[(0, 1_500_000), (2_001, 2_900_000), (5_001, 4_900_000)]) };
    let chatbots = Pricing::Graduated { prices: table(&[(0, 1_350_000), (101, 1_800_000), (201, 2_700_000)]) };
    vec![
        tarif(1, "Twitch viewers", ("twitch_viewers", true), (10, 10_000), viewers),
        tarif(2, "Twitch followers", ("twitch_followers", false), (10, 5_000), standard(20_000)),
        tarif(3, "AI chatbots", ("ai_chatbots", true), (1, 350), chatbots),
        tarif(4, "Kick viewers", ("kick_viewers", true), (10, 5_000), standard(15_000)),
    ]
}

fn named(
    name: &str,
    service_type: &str,
    (min, max): (u64, u64),
    cancel: bool,
    prices: BTreeMap<String, BTreeMap<u64, String>>,
) -> NamedService {
    let family = name.split(char::is_uppercase).next().unwrap_or(name);
    NamedService {
        name: name.to_owned(),
        family: family.to_owned(),
        service_type: service_type.to_owned(),
        prices,
        min,
        max,
        cancel,
    }
}

fn tarif(id: u64, title: &str, (order_type, hourly): (&str, bool), (min, max): (u64, u64), pricing: Pricing) -> Tarif {
    Tarif { id, title: title.to_owned(), order_type: order_type.to_owned(), min, max, hourly, pricing }
}

/// An amount at a price level.
fn at(micros: i64, percent: u32) -> String {
    amount::text(micros * i64::from(percent) / 100)
}

/// What `units` cost at `rate` per 1000; a rate that cannot be read stays as it is, to be refused with the others.
fn of_rate(rate: &str, units: u64) -> String {
    amount::micros(rate).map_or_else(|_| rate.to_owned(), |micros| amount::text(amount::price(micros, units)))
}
