//! What the operator sets. Times are milliseconds, money is in the base currency.

use globset::GlobSet;
use interline_domain::{Currency, Micros};
use interline_routing::Policy;
use rust_decimal::Decimal;

/// The settings of every use-case.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The currency of the books.
    pub base_currency: Currency,
    /// How long `add` waits for the upstream's verdict.
    pub dispatch_wait_ms: u64,
    /// How long the same order of the same account returns the first one; 0 is never.
    pub duplicate_window_ms: i64,
    /// How candidates are judged.
    pub policy: Policy,
    /// How long an attempt may wait to be sent.
    pub queue_deadline_ms: i64,
    /// Most open unknowns at one upstream.
    pub unknown_max_count: i64,
    /// Most money in open unknowns at one upstream.
    pub unknown_max: Micros,
    /// How long an unknown may stay open before the policy applies.
    pub unknown_deadline_ms: i64,
    /// What happens then.
    pub unknown_policy: UnknownPolicy,
    /// How long after the end of a lease a person may say "not delivered", and how far apart two readings must be.
    pub quiet_ms: i64,
    /// Largest believable charge, as a multiple of the reserve.
    pub charge_factor_max: Decimal,
    /// First interval between two status reads.
    pub status_first_ms: i64,
    /// Longest interval between two status reads.
    pub status_max_ms: i64,
    /// Interval between two reads of a catalogue.
    pub catalogue_ms: i64,
    /// Interval between two reads of a balance.
    pub balance_ms: i64,
    /// Targets that are refused, matched against the normalised target in lower case.
    pub deny_targets: GlobSet,
}

/// What happens to an unknown past its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownPolicy {
    /// It waits for evidence or a person.
    Wait,
    /// The customer is refunded and the money is disputed.
    Refund,
}
