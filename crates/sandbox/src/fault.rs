//! Scripted faults: what can go wrong between a gateway and its upstream, on demand.
//!
//! A faults file is TOML:
//!
//! ```toml
//! [[fault]]
//! action = "add"          # or one of Fault::ACTIONS; "*" (the default): all but feed
//! kind = "take_and_drop"  # a FaultKind
//! count = 2               # how many calls meet it; 0 (the default): until it is removed
//! delay_ms = 0            # waited before the answer; the default is 0
//! ```

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// The most faults that can be active at once.
const FAULTS_MAX: usize = 1_000;

/// The action of the push feed.
const FEED: &str = "feed";

/// One scripted fault. A call meets the first active fault that fits it, and no other; only
/// [`FaultKind::ChargeDrift`] adds itself to whatever else an order meets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// One of [`Fault::ACTIONS`]. Faults of the connection ([`FaultKind::RefuseConnection`],
    /// [`FaultKind::DropBeforeReading`]) strike before the action is known and ignore it.
    #[serde(default = "every_action", deserialize_with = "read_action")]
    pub action: String,
    /// What happens.
    pub kind: FaultKind,
    /// How many calls meet it; 0: until it is removed. [`FaultKind::RefuseConnection`] sees no calls and ignores it.
    #[serde(default)]
    pub count: u32,
    /// Milliseconds before the answer, or before the connection is dropped; what is taken is taken before them.
    /// [`FaultKind::RefuseConnection`]: how long connections are refused, 0 until it is removed.
    /// [`FaultKind::TooManyRequests`]: answered at once, and this is its `Retry-After`, in whole seconds, at least one.
    #[serde(default)]
    pub delay_ms: u64,
}

impl Fault {
    /// What `action` may be, whatever the protocol calls it: `services` is every table of a catalogue, `orders` every
    /// list of orders, `feed` the push feed, and `*` everything but the feed.
    ///
    /// A socket of the feed meets a fault when it asks to be admitted ([`FaultKind::Refusal`],
    /// [`FaultKind::TooManyRequests`]), or, once it has subscribed, at once and then whenever there is news for it.
    pub const ACTIONS: [&'static str; 18] = [
        "*",
        "add",
        "status",
        "services",
        "balance",
        "cancel",
        "refill",
        "refill_status",
        "orders",
        "pause",
        "resume",
        "delete",
        "quote",
        "upgrade",
        "change",
        "prolong",
        "validate",
        "feed",
    ];
}

/// What can happen to a call. On the wire and in files the names are in snake case, as [`FaultKind::name`] gives
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FaultKind {
    /// The port is closed: connecting fails. Idle connections are closed. Over HTTP nothing can remove it, so there
    /// it wants a `delay_ms`.
    RefuseConnection,
    /// The connection is accepted and closed, and nothing is read. It meets connections, so control calls meet it
    /// too.
    DropBeforeReading,
    /// The call is carried out (an order or a refill is taken) and the connection closed without an answer. The feed:
    /// the socket is closed without a word.
    TakeAndDrop,
    /// The call is carried out and never answered. The feed: from then on nothing is sent or read, and the socket stays
    /// open.
    TakeAndHang,
    /// The call is carried out and answered with 502 and an HTML page.
    TakeAnd502,
    /// Not carried out; an HTML page under 200.
    Html,
    /// Not carried out; an empty body under 200.
    Empty,
    /// Not carried out; an error text that no list knows.
    UnknownError,
    /// Not carried out; a refusal that every client lists, as the protocol says it: mostly under 200. The feed:
    /// `no auth`.
    Refusal,
    /// Not carried out; the same refusal under 502.
    RefusalUnder502,
    /// Not carried out; the balance is said to be too small.
    NoFunds,
    /// Not carried out; the target is said to be none.
    BadLink,
    /// `add` only: the order is taken, and the answer's id is a text that is none.
    WrongId,
    /// `add` only: no order is taken, and the answer gives the id of the latest one; without one it waits.
    DuplicateId,
    /// `add` only: orders are charged 4.65 % above the price. Counts the orders taken.
    ChargeDrift,
    /// Carried out and answered correctly, after `delay_ms`.
    Slow,
    /// Not carried out; 429 with `Retry-After`. The feed: `too many`.
    TooManyRequests,
    /// Not carried out; the panel says that it has an active order with this link.
    ActiveOrder,
    /// Carried out; bytes that are no text, under 200. The feed: frames that say nothing.
    Garbage,
    /// Carried out; 100 MB under 200. The feed: a frame of 10 MB.
    Huge,
    /// Carried out; JSON that is nested a hundred thousand deep, under 200.
    Deep,
    /// Not carried out; a redirect to another host name. It leads back here, so whoever follows it is in the journal.
    Redirect,
}

impl FaultKind {
    /// Every kind there is.
    pub const ALL: [Self; 22] = [
        Self::RefuseConnection,
        Self::DropBeforeReading,
        Self::TakeAndDrop,
        Self::TakeAndHang,
        Self::TakeAnd502,
        Self::Html,
        Self::Empty,
        Self::UnknownError,
        Self::Refusal,
        Self::RefusalUnder502,
        Self::NoFunds,
        Self::BadLink,
        Self::WrongId,
        Self::DuplicateId,
        Self::ChargeDrift,
        Self::Slow,
        Self::TooManyRequests,
        Self::ActiveOrder,
        Self::Garbage,
        Self::Huge,
        Self::Deep,
        Self::Redirect,
    ];

    /// Its name in files, in JSON and in the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RefuseConnection => "refuse_connection",
            Self::DropBeforeReading => "drop_before_reading",
            Self::TakeAndDrop => "take_and_drop",
            Self::TakeAndHang => "take_and_hang",
            Self::TakeAnd502 => "take_and_502",
            Self::Html => "html",
            Self::Empty => "empty",
            Self::UnknownError => "unknown_error",
            Self::Refusal => "refusal",
            Self::RefusalUnder502 => "refusal_under_502",
            Self::NoFunds => "no_funds",
            Self::BadLink => "bad_link",
            Self::WrongId => "wrong_id",
            Self::DuplicateId => "duplicate_id",
            Self::ChargeDrift => "charge_drift",
            Self::Slow => "slow",
            Self::TooManyRequests => "too_many_requests",
            Self::ActiveOrder => "active_order",
            Self::Garbage => "garbage",
            Self::Huge => "huge",
            Self::Deep => "deep",
            Self::Redirect => "redirect",
        }
    }

    /// Whether it strikes before a request is read.
    pub(crate) const fn is_of_connection(self) -> bool {
        matches!(self, Self::RefuseConnection | Self::DropBeforeReading)
    }

    /// Whether the call that meets it does its work.
    pub(crate) const fn carries_out(self) -> bool {
        matches!(
            self,
            Self::TakeAndDrop
                | Self::TakeAndHang
                | Self::TakeAnd502
                | Self::WrongId
                | Self::ChargeDrift
                | Self::Slow
                | Self::Garbage
                | Self::Huge
                | Self::Deep
        )
    }

    /// Whether it turns a socket of the feed away.
    pub(crate) const fn turns_away(self) -> bool {
        matches!(self, Self::Refusal | Self::TooManyRequests)
    }

    /// Whether it happens to a socket of the feed that has subscribed.
    pub(crate) const fn disturbs(self) -> bool {
        matches!(self, Self::TakeAndDrop | Self::TakeAndHang | Self::Garbage | Self::Huge)
    }

    /// Whether it only makes sense where an order could be taken.
    const fn is_of_add(self) -> bool {
        matches!(self, Self::WrongId | Self::DuplicateId | Self::ChargeDrift)
    }
}

impl FromStr for FaultKind {
    type Err = String;

    /// Reads a name; underscores do not count, because writers differ on where they stand around numbers.
    fn from_str(name: &str) -> Result<Self, String> {
        let plain = |text: &str| text.replace('_', "");
        let wanted = plain(name);
        Self::ALL.into_iter().find(|kind| plain(kind.name()) == wanted).ok_or_else(|| {
            let allowed = Self::ALL.map(Self::name).join(", ");
            format!("unknown kind `{name}`; allowed are: {allowed}")
        })
    }
}

impl TryFrom<String> for FaultKind {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<FaultKind> for String {
    fn from(kind: FaultKind) -> Self {
        kind.name().to_owned()
    }
}

/// Reads a faults file. The error names the line and what is allowed there.
pub fn read_faults(toml_text: &str) -> Result<Vec<Fault>, String> {
    let file: FaultsFile = toml::from_str(toml_text).map_err(|error| error.to_string())?;
    Ok(file.fault)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultsFile {
    #[serde(default)]
    fault: Vec<Fault>,
}

fn every_action() -> String {
    "*".to_owned()
}

fn read_action<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let action = String::deserialize(deserializer)?;
    if Fault::ACTIONS.contains(&action.as_str()) {
        return Ok(action);
    }
    Err(D::Error::custom(format!("unknown action `{action}`; allowed are: {}", Fault::ACTIONS.join(", "))))
}

/// The faults that are active, oldest first.
#[derive(Default)]
pub(crate) struct Faults(Vec<Active>);

struct Active {
    fault: Fault,
    /// Over from then on, in milliseconds since the start; only refused connections end by time.
    until_ms: Option<u64>,
}

impl Faults {
    /// Adds a fault and says when it ends by itself, if it does.
    pub(crate) fn add(&mut self, fault: Fault, now_ms: u64) -> Result<Option<u64>, String> {
        if self.0.len() >= FAULTS_MAX {
            return Err(format!("there are {FAULTS_MAX} faults already"));
        }
        let kind = fault.kind;
        if fault.action == FEED && !(kind.turns_away() || kind.disturbs() || kind.is_of_connection()) {
            return Err(format!("`{}` cannot happen to the feed", kind.name()));
        }
        let ends = fault.kind == FaultKind::RefuseConnection && fault.delay_ms > 0;
        let until_ms = ends.then(|| now_ms.saturating_add(fault.delay_ms));
        self.0.push(Active { fault, until_ms });
        Ok(until_ms)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Removes what has ended by `now_ms`.
    pub(crate) fn expire(&mut self, now_ms: u64) {
        self.0.retain(|active| active.until_ms.is_none_or(|until_ms| now_ms < until_ms));
    }

    /// The active faults, each with the calls it has left in `count`.
    pub(crate) fn to_vec(&self) -> Vec<Fault> {
        self.0.iter().map(|active| active.fault.clone()).collect()
    }

    /// Whether connections are to be refused.
    pub(crate) fn refuse_connections(&self) -> bool {
        self.0.iter().any(|active| active.fault.kind == FaultKind::RefuseConnection)
    }

    /// The fault that a new connection meets, used up by one.
    pub(crate) fn take_for_connection(&mut self) -> Option<Fault> {
        self.take(|fault| fault.kind == FaultKind::DropBeforeReading)
    }

    /// The fault that a call meets, used up by one. `orders_exist` decides whether an id could be given twice.
    pub(crate) fn take_for_call(&mut self, action: &str, orders_exist: bool) -> Option<Fault> {
        self.take(|fault| {
            let kind = fault.kind;
            let elsewhere = kind.is_of_connection() || kind == FaultKind::ChargeDrift;
            fits(fault, action) && !elsewhere && (kind != FaultKind::DuplicateId || orders_exist)
        })
    }

    /// The fault that a socket of the feed meets, used up by one: of those that can happen to it now.
    pub(crate) fn take_for_feed(&mut self, happens: impl Fn(FaultKind) -> bool) -> Option<Fault> {
        self.take(|fault| fault.action == FEED && happens(fault.kind))
    }

    /// Whether an order that is taken now is charged too much.
    pub(crate) fn drifts(&self) -> bool {
        self.0.iter().any(|active| is_drift(&active.fault))
    }

    /// Uses up the drift by one order.
    pub(crate) fn spend_drift(&mut self) {
        self.take(is_drift);
    }

    fn take(&mut self, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let at = self.0.iter().position(|active| wanted(&active.fault))?;
        let fault = self.0[at].fault.clone();
        match fault.count {
            0 => {}
            1 => drop(self.0.remove(at)),
            _ => self.0[at].fault.count -= 1,
        }
        Some(fault)
    }
}

fn fits(fault: &Fault, action: &str) -> bool {
    (fault.action == "*" || fault.action == action) && (!fault.kind.is_of_add() || action == "add")
}

fn is_drift(fault: &Fault) -> bool {
    fault.kind == FaultKind::ChargeDrift && fits(fault, "add")
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
