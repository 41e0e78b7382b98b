//! Calls and their answers, in the field's terms and free of any wire format.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{Currency, Micros, OrderKind, RefillStatus, Report, ServiceType, Timestamp, price::PriceModel};
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
    /// Every order that it holds and that was made at or after `since`: evidence about unknown submissions.
    Orders {
        /// The earliest time of interest. Orders whose time is not told are listed too.
        since: Timestamp,
    },
    /// Stop delivering this order for now. May be repeated.
    Pause(String),
    /// Go on delivering this order. May be repeated.
    Resume(String),
    /// Remove this order for good. May be repeated.
    Delete(String),
    /// What an upgrade would cost, without making it.
    Quote(Alteration),
    /// Give this order more of something, which costs. A submission too: whoever executes it never repeats it.
    Upgrade(Alteration),
    /// Change this order as it runs. A submission too: whoever executes it never repeats it.
    Change(Alteration),
    /// Let this order run longer, which costs. A submission too: whoever executes it never repeats it.
    Prolong {
        /// The order's id there.
        order: String,
        /// By how much: hours, or days where the upstream sells days.
        count: u64,
    },
    /// Whether a value would be taken in an order, such as a channel that must exist.
    Validate(Property),
}

impl Call {
    /// The names that calls are counted and traced under.
    pub const NAMES: [&'static str; 16] = [
        "submit",
        "status",
        "cancel",
        "refill",
        "refill_status",
        "catalogue",
        "balance",
        "orders",
        "pause",
        "resume",
        "delete",
        "quote",
        "upgrade",
        "change",
        "prolong",
        "validate",
    ];

    /// Its own one.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Submit(_) => "submit",
            Self::Status(_) => "status",
            Self::Cancel(_) => "cancel",
            Self::Refill(_) => "refill",
            Self::RefillStatus(_) => "refill_status",
            Self::Catalogue => "catalogue",
            Self::Balance => "balance",
            Self::Orders { .. } => "orders",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Delete(_) => "delete",
            Self::Quote(_) => "quote",
            Self::Upgrade(_) => "upgrade",
            Self::Change(_) => "change",
            Self::Prolong { .. } => "prolong",
            Self::Validate(_) => "validate",
        }
    }
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

/// What is to be different about an order that an upstream holds; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alteration {
    /// The order's id there.
    pub order: String,
    /// The quantity in all, not what is added.
    pub quantity: Option<u64>,
    /// The target.
    pub target: Option<String>,
    /// Anything else, by the upstream's own names; they do not override what is said above.
    pub params: BTreeMap<String, String>,
}

/// One value that an order would have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The upstream's own id of the service.
    pub service: String,
    /// The field, by the upstream's own name.
    pub field: String,
    /// The value.
    pub value: String,
}

/// The answer to a [`Call`] of the same name if there is one, or a [`Fault`].
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
    /// The orders that it holds, each once, all of them: a list that is not whole is a `Fault`.
    Orders(Vec<HeldOrder>),
    /// What was said to a pause, a resumption, a deletion or a value that was put forward.
    Consent(Consent),
    /// What an upgrade would cost.
    Quote(Quoted),
    /// The verdict on an upgrade, a change or a prolongation; the id of what was accepted is the order's own. None of them
    /// is ever answered by `Fault`.
    Alter(SubmitOutcome),
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
    /// The price per 1000, or per order for the flat types, in the upstream's currency. Where `price` says more it is the
    /// highest that a thousand can cost by it, for one unit of time where it is by time, so that a markup on it never sells
    /// at a loss.
    pub rate: Decimal,
    /// How the price follows from the order where `rate` does not say it all.
    pub price: Option<PriceModel>,
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
    /// What may be changed about its orders, by the upstream's own names; empty when it does not say.
    pub changes: BTreeSet<String>,
    /// What may be upgraded about its orders, by the upstream's own names; empty when it does not say.
    pub upgrades: BTreeSet<String>,
}

/// An order as an upstream lists it. What it does not say is open, and then it excludes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldOrder {
    /// Its id there.
    pub order: String,
    /// The service, by the name that the list gives it: not always the id under which it is sold.
    pub service: Option<String>,
    /// The target, as it is written there: [`crate::Dialect::is_target`] compares it.
    pub target: Option<String>,
    /// Units to deliver.
    pub quantity: Option<u64>,
    /// When it was made, by the upstream's clock.
    pub created_at: Option<Timestamp>,
    /// What it was charged.
    pub charge: Option<Stated>,
}

/// What an upgrade would cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted {
    /// What would be charged.
    pub price: Stated,
    /// The discount in it, if it was told.
    pub discount: Option<Micros>,
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

/// What was said to something that may be asked for again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// Yes; what came of it shows in the order's status.
    Given,
    /// No, in the upstream's words.
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
    /// It was not asked: upstreams of this dialect cannot do it.
    Unsupported,
}
