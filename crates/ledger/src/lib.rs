//! Double entry, pure: the chart of accounts, one function per business event that returns a balanced [`Posting`], the
//! rules for what an upstream's charge costs us, the band of a balance reading, and the invariants of the books.
//!
//! Reading order: [`chart`] names the accounts, [`posting`] says what a posting is, [`customers`], [`attempts`] and
//! [`upstreams`] hold the events, [`cost`] and [`band`] judge what upstreams report, [`invariants`] lists what must
//! always hold. Debits are positive, credits negative.
//!
//! # Adding an event
//! 1. A function beside its kind that returns a [`Posting`] under a business key of its own.
//! 2. Its row in `table_tests.rs`, in the words of the design's table.
//! 3. Its place in the random lives of `life_tests.rs`.
#![warn(clippy::float_arithmetic, clippy::as_conversions, clippy::wildcard_enum_match_arm)]

pub mod attempts;
pub mod band;
pub mod chart;
pub mod cost;
pub mod customers;
pub mod invariants;
pub mod posting;
pub mod upstreams;

pub use attempts::{AttemptBook, Held};
pub use band::{Extremes, Verdict};
pub use chart::{Account, ChartError, LedgerAccount, Suspense};
pub use cost::{ChargeAfterPartial, End};
pub use invariants::{INVARIANTS, Invariant};
pub use posting::{BaseRate, Entry, Fx, Posting};
pub use upstreams::{AlreadySeen, Explanation};

#[cfg(test)]
mod life_tests;
#[cfg(test)]
mod table_tests;
