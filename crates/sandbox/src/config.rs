//! How a simulated upstream is set up.

use crate::{amount, fault::Fault};

/// The service of the small catalogue that takes drip-feed.
const DRIPFEED_ID: &str = "8";

/// Everything a simulated upstream starts from. The defaults make one that works: a small catalogue, a funded
/// balance, orders that complete within seconds, no faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The API key that calls must carry.
    pub key: String,
    /// The currency of every amount.
    pub currency: String,
    /// The balance at the start: decimal text with at most six places.
    pub balance: String,
    /// The catalogue.
    pub services: Vec<Service>,
    /// How orders live by themselves.
    pub life: Life,
    /// The faults that are active from the start.
    pub faults: Vec<Fault>,
    /// What `charge` says of an order that was refunded.
    pub charge_after_partial: ChargeAfterPartial,
    /// The first order's id; later ones rise by one, and refills begin a million above. A caller whose books outlive
    /// the sandbox gives a higher one at each start, because to those books an id that comes again is a contradiction.
    pub first_order: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            key: "sandbox".to_owned(),
            currency: "USD".to_owned(),
            balance: "1000".to_owned(),
            services: demo_services(100),
            life: Life::default(),
            faults: Vec::new(),
            charge_after_partial: ChargeAfterPartial::Net,
            first_order: 1_001,
        }
    }
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
