//! How a simulated upstream is set up.

use std::str::FromStr;

use crate::{
    amount,
    catalogue::{NamedService, Tarif, demo_named_services, demo_tarifs, numbered_services},
    fault::Fault,
};

/// The service of the small catalogue that takes drip-feed.
const DRIPFEED_ID: &str = "8";

/// Everything a simulated upstream starts from. The defaults make one that works: a small catalogue, a funded
/// balance, orders that complete within seconds, no faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The protocol that it speaks.
    pub adapter: Adapter,
    /// The API key that calls must carry.
    pub key: String,
    /// The currency of every amount.
    pub currency: String,
    /// The balance at the start: decimal text with at most six places.
    pub balance: String,
    /// The catalogue of PerfectPanel, and at Streamrise that of its PerfectPanel part.
    pub services: Vec<Service>,
    /// The catalogue of Streamrise's native face.
    pub named: Vec<NamedService>,
    /// The catalogue of Streamskill.
    pub tarifs: Vec<Tarif>,
    /// How orders live by themselves.
    pub life: Life,
    /// The faults that are active from the start.
    pub faults: Vec<Fault>,
    /// What `charge` says of an order that was refunded.
    pub charge_after_partial: ChargeAfterPartial,
    /// The first order's id; later ones rise by one, and refills begin a million above. A caller whose books outlive
    /// the sandbox gives a higher one at each start, because to those books an id that comes again is a contradiction.
    pub first_order: u64,
    /// How many sockets of the push feed the key may have open (Streamrise).
    pub feed_sockets: u32,
    /// How fast the key may call; whoever is faster is told so, and nothing is carried out.
    pub rate_limit: Option<RateLimit>,
    /// How far its clock is off, in milliseconds: what it says of when an order was made.
    pub clock_off_ms: i64,
}

impl Config {
    /// The defaults of an adapter, with a small catalogue of its own at `rate_percent` of its usual prices.
    pub fn of(adapter: Adapter, rate_percent: u32) -> Self {
        let services = match adapter {
            Adapter::PerfectPanel => demo_services(rate_percent),
            Adapter::Streamrise => numbered_services(rate_percent),
            Adapter::Streamskill => Vec::new(),
        };
        Self {
            adapter,
            services,
            named: demo_named_services(rate_percent),
            tarifs: demo_tarifs(rate_percent),
            // "Token bucket 30 burst, refill 2/s"; the others name no limit.
            rate_limit: (adapter == Adapter::Streamskill).then_some(RateLimit { burst: 30, per_second: 2 }),
            ..Self::default()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            adapter: Adapter::PerfectPanel,
            key: "sandbox".to_owned(),
            currency: "USD".to_owned(),
            balance: "1000".to_owned(),
            services: demo_services(100),
            named: Vec::new(),
            tarifs: Vec::new(),
            life: Life::default(),
            faults: Vec::new(),
            charge_after_partial: ChargeAfterPartial::Net,
            first_order: 1_001,
            feed_sockets: 4,
            rate_limit: None,
            clock_off_ms: 0,
        }
    }
}

/// The protocol that a simulated upstream speaks, under the name of the adapter that talks to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Adapter {
    /// PerfectPanel v2 (seed `panel-api-v2.txt`).
    #[default]
    PerfectPanel,
    /// Streamrise (seed `streamrise-api.txt`): its PerfectPanel part, its native face and its push feed.
    Streamrise,
    /// Streamskill (seed `streamskill-purchases-create.txt`).
    Streamskill,
}

impl Adapter {
    /// Every protocol there is.
    pub const ALL: [Self; 3] = [Self::PerfectPanel, Self::Streamrise, Self::Streamskill];

    /// Its name on the command line and in catalogue files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PerfectPanel => "perfectpanel",
            Self::Streamrise => "streamrise",
            Self::Streamskill => "streamskill",
        }
    }

    /// The service that each of the small catalogues begins with, by the id under which an offer names it.
    pub const fn first_service(self) -> &'static str {
        match self {
            Self::PerfectPanel | Self::Streamskill => "1",
            Self::Streamrise => "twitchViewers",
        }
    }
}

impl FromStr for Adapter {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|adapter| adapter.name() == name).ok_or_else(|| {
            let allowed = Self::ALL.map(Self::name).join(", ");
            format!("unknown adapter `{name}`; allowed are: {allowed}")
        })
    }
}

/// A bucket of tokens: each call takes one, and it fills up by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many it holds.
    pub burst: u32,
    /// How many it gains in a second.
    pub per_second: u32,
}

/// A service of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its id; a number is listed as a JSON number, anything else as text.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its category.
    pub category: String,
    /// Its type label as it is listed, which decides what its orders need; one that is not known is taken as `Default`.
    pub service_type: String,
    /// The price per 1000, or for one package: decimal text with at most six places.
    pub rate: String,
    /// Smallest quantity.
    pub min: u64,
    /// Largest quantity.
    pub max: u64,
    /// Whether its completed orders can be refilled.
    pub refill: bool,
    /// Whether its orders can be canceled.
    pub cancel: bool,
    /// Whether it takes drip-feed.
    pub dripfeed: bool,
}

/// How an order lives unless it is scripted, in milliseconds since it was taken: Pending, then In progress with
/// delivery rising in a straight line, then Completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Pending until then.
    pub start_ms: u64,
    /// Completed from then on.
    pub finish_ms: u64,
}

impl Default for Life {
    /// Short enough to watch, long enough to see every status.
    fn default() -> Self {
        Self { start_ms: 2_000, finish_ms: 20_000 }
    }
}

/// What a status says in `charge` after a part was refunded. Panels differ, so a gateway has to cope with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChargeAfterPartial {
    /// What was kept: charge less refund.
    #[default]
    Net,
    /// What was taken at first.
    Gross,
}

/// A small catalogue at `rate_percent` of its usual prices, so that several upstreams can sell the same at different
/// costs: ids `1` to `4` of type Default, `5` to `8` of other types and with drip-feed.
pub fn demo_services(rate_percent: u32) -> Vec<Service> {
    [
        ("1", "Placement, standard", "Placements", "Default", 900_000, (10, 10_000)),
        ("2", "Placement, fast", "Placements", "Default", 1_400_000, (10, 10_000)),
        ("3", "Reach, regional", "Reach", "Default", 2_200_000, (10, 10_000)),
        ("4", "Reach, wide", "Reach", "Default", 3_600_000, (10, 10_000)),
        ("5", "Comments of your own", "Comments", "Custom Comments", 8_000_000, (1, 1_500)),
        ("6", "Starter package", "Packages", "Package", 4_000_000, (500, 500)),
        ("7", "Votes", "Polls", "Poll", 1_200_000, (10, 10_000)),
        (DRIPFEED_ID, "Placement, in runs", "Placements", "Default", 1_000_000, (10, 10_000)),
    ]
    .into_iter()
    .map(|(id, name, category, service_type, rate_micros, (min, max))| Service {
        id: id.to_owned(),
        name: name.to_owned(),
        category: category.to_owned(),
        service_type: service_type.to_owned(),
        rate: amount::text(rate_micros * i64::from(rate_percent) / 100),
        min,
        max,
        refill: false,
        cancel: true,
        dripfeed: id == DRIPFEED_ID,
    })
    .collect()
}
