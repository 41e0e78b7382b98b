//! Calls and their answers, in the field's terms and free of any wire format.

use std::collections::BTreeMap;

use interline_domain::{Currency, Micros, OrderKind, RefillStatus, Report, ServiceType};
use rust_decimal::Decimal;

/// One thing asked of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Its whole catalogue.
    Catalogue,
    /// Its balance.
    Balance,
    /// Take this order. At most once: whoever executes it never repeats it.
    Submit(Submission),
    /// How these orders stand; at most `status_batch_max` ids.
    Status(Vec<String>),
    /// Cancel these orders; at most `cancel_batch_max` ids. May be repeated.
    Cancel(Vec<String>),
    /// Refill this order. A submission too: whoever executes it never repeats it.
    Refill(String),
    /// How these refills stand; at most `status_batch_max` ids.
    RefillStatus(Vec<String>),
}

/// An order as it is put to one upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The upstream's own id of the service.
    pub service: String,
    /// What to deliver.
    pub kind: OrderKind,
    /// Fixed extra parameters of the offer; they do not override what the order says.
    pub params: BTreeMap<String, String>,
}

/// The answer to a [`Call`] of the same name, or a [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The catalogue; entries that could not be read are left out.
    Catalogue(Vec<Listing>),
    /// The balance.
    Balance(Stated),
    /// The verdict on a submission. A submission is never answered by `Fault`.
    Submit(SubmitOutcome),
    /// What was said of each order, by the id as it was asked for. An id that is missing is no news.
    Status(BTreeMap<String, Reported>),
    /// What was said of each cancellation, by the id as it was asked for. An id that is missing is no news.
    Cancel(BTreeMap<String, CancelAnswer>),
    /// The verdict on a refill; its id stands where an order's id stands. A refill is never answered by `Fault`.
    Refill(SubmitOutcome),
    /// How each refill stands, by the id as it was asked for. An id or a word that is not known is missing: no news.
    RefillStatus(BTreeMap<String, RefillStatus>),
    /// The call as a whole brought nothing.
    Fault(Fault),
}

/// An amount as an upstream states it; many leave the currency out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// How much.
    pub amount: Micros,
    /// Of what, if it said so.
    pub currency: Option<Currency>,
}

/// A service in an upstream's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Its id there, as text.
    pub service: String,
    /// Its name, at most 512 characters.
    pub name: String,
    /// Its category; empty when none was given.
    pub category: String,
    /// Its type; `None` for one that we do not know.
    pub service_type: Option<ServiceType>,
    /// The price per 1000 in the upstream's currency.
    pub rate: Decimal,
    /// Smallest quantity.
    pub min: u64,
    /// Largest quantity.
    pub max: u64,
    /// Whether orders can be refilled; `None` when it does not say.
    pub refill: Option<bool>,
    /// Whether orders can be canceled; `None` when it does not say.
    pub cancel: Option<bool>,
    /// Whether it does drip-feed; `None` when it does not say.
    pub dripfeed: Option<bool>,
}

/// The verdict on a submission, of an order or a refill. Whoever decides on it matches all four arms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// It holds the order under this id.
    Accepted {
        /// The id, opaque.
        order: String,
        /// The charge, if it was told at once.
        charge: Option<Stated>,
    },
    /// It certainly did not take the order: another upstream may be tried.
    Rejected(Refusal),
    /// It certainly did not take the order now; it may later.
    Busy {
        /// How long to wait at least, in milliseconds, if it was told.
        retry_after_ms: Option<u64>,
        /// Whether the reason is another order on the same target.
        active_target: ActiveTarget,
    },
    /// It was sent and there is no readable verdict.
    Unknown(Evidence),
}

/// Whether "busy" means "you have an active order with this link".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActiveTarget {
    /// The upstream has an order on that target already.
    Yes,
    /// Just too many requests.
    No,
}

/// Why an upstream refuses. The upstream's own text is for the operator's eyes, never for a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Our key is bad or blocked.
    Key(String),
    /// Our balance there is too small.
    Funds(String),
    /// The service is unknown, disabled or gone.
    Service(String),
    /// The target is not accepted.
    Target(String),
    /// The quantity is out of its bounds.
    Quantity(String),
    /// Some other parameter is missing or wrong.
    Parameters(String),
}

impl Refusal {
    /// A short name for the kind of refusal.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Funds(_) => "funds",
            Self::Service(_) => "service",
            Self::Target(_) => "target",
            Self::Quantity(_) => "quantity",
            Self::Parameters(_) => "parameters",
        }
    }

    /// The upstream's own words.
    pub fn text(&self) -> &str {
        match self {
            Self::Key(text)
            | Self::Funds(text)
            | Self::Service(text)
            | Self::Target(text)
            | Self::Quantity(text)
            | Self::Parameters(text) => text,
        }
    }
}

/// What was seen when no verdict could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The HTTP status, if an answer came at all.
    pub status: Option<u16>,
    /// What was wrong, in our words.
    pub reason: String,
    /// The beginning of the body, at most 512 characters.
    pub excerpt: String,
}

/// What was said of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    /// Its state.
    Known(Report),
    /// An error in place of a state. It changes nothing: panels answer so for passing faults too.
    Error(String),
}

/// What was said of one cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelAnswer {
    /// Asked for; whether it happens shows in the order's status.
    Requested,
    /// Refused, in the upstream's words.
    Refused(String),
}

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Too fast; wait this many milliseconds, if it was told.
    Busy(Option<u64>),
    /// A readable error in the upstream's words.
    Refused(Refusal),
    /// Nothing that can be read.
    Unreadable(Evidence),
}
