//! What is sold and what is ordered: service types, and the parameters of an order, typed and parsed once at the door.
//!
//! A type of `protocol.md` §1.4 is a variant of [`ServiceType`], an arm of [`OrderKind::parse`] and a variant of
//! [`OrderKind`]; the compiler then shows every place that has to know it.

mod fields;
mod order_kind;
mod parse;
mod reader;
mod service_type;
mod web_traffic;

use std::collections::BTreeMap;

pub use order_kind::{Drip, OrderKind};
pub use service_type::ServiceType;
pub use web_traffic::{Device, TrafficSource};

/// Most units in one order, drip-feed runs included; panels keep quantities in 32 bits.
pub const UNITS_MAX: u64 = 2_147_483_647;
/// Longest parameter of one line (a link, a user name, a keyword of a search), in bytes.
pub const TEXT_BYTES_MAX: usize = 2_048;
/// Longest list (comments, user names, keywords), in bytes.
pub const LIST_BYTES_MAX: usize = 2 << 20;
/// Most items in a list.
pub const LIST_LINES_MAX: usize = 10_000;
/// Most runs of a drip-feed.
pub const RUNS_MAX: u64 = 10_000;
/// Longest pause between two runs of a drip-feed or between two posts, in minutes: thirty days.
pub const PAUSE_MINUTES_MAX: u64 = 43_200;
/// Most posts, new or old, in one order of comments per post.
pub const POSTS_MAX: u64 = 10_000;
/// Highest number of an answer in a poll.
pub const ANSWER_MAX: u64 = 1_000;

/// The parameters of an order as a panel sent them: names in lower case, values trimmed, empty values absent.
pub type Fields = BTreeMap<String, String>;

/// Whose reading of the parameters counts, where panels disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// As in `seeds/panel-api-v2.txt`: the number of comments is the quantity, drip-feed needs `runs` and `interval`.
    Panel,
    /// As in `seeds/streamrise-api.txt`: of Custom Comments a quantity that was sent counts and comments are optional;
    /// `interval` may stand alone, and `periodAmount` says how long an order runs.
    Streamrise,
}

/// What a service says about the orders for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Its type.
    pub service_type: ServiceType,
    /// The units in one package: the service's smallest quantity where that is its largest too, and 0 where the
    /// quantity is the order's.
    pub package_quantity: u64,
    /// Whether it takes drip-feed.
    pub dripfeed: bool,
    /// Whose reading counts.
    pub style: Style,
}

/// A parameter that cannot be taken; the text names the field and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It is needed and was not sent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// It is not what it should be.
    #[error("`{field}` must be {allowed}")]
    Malformed {
        /// The field's name on the wire.
        field: &'static str,
        /// What would be taken.
        allowed: String,
    },
    /// This service does not take it.
    #[error("`{0}` is not offered by this service")]
    NotOffered(&'static str),
    /// The service is a subscription, which no parameters make an order (`seeds/panel-api-v2.txt`).
    #[error("subscription orders cannot be placed by API: `service` must be one of another type")]
    Subscription,
}

#[cfg(test)]
#[path = "kind_tests.rs"]
mod tests;
