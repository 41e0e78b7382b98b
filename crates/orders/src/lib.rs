//! The use-cases, in the order an order goes through them: place, dispatch, follow, and what goes on beside them.
//!
//! Decisions are made by pure functions of `domain`, `routing` and `ledger`, inside operations that the store's writer runs
//! on locked rows; what goes over the network stands between two commits, never inside one.

mod access;
mod admission;
mod balance;
mod cancel;
mod catalogue;
mod check;
mod checkup;
mod decide;
mod dispatch;
mod exchange;
mod feed;
mod follow;
mod gateway;
mod gauges;
mod health;
mod meters;
mod moves;
mod place;
mod reading;
mod refill;
mod remote;
mod report;
mod review;
#[cfg(feature = "sabotage")]
pub mod sabotage;
mod settings;
mod status;
mod streak;
mod sync;
mod trace;
mod treasury;
mod upkeep;
mod verdicts;

pub use access::Caller;
pub use balance::BalanceRead;
pub use cancel::CancelRefusal;
pub use catalogue::{Catalogue, Priced, Upstream};
pub use check::{Capability, Found};
pub use checkup::{Finding, Level};
pub use gateway::{Clock, Gateway, GatewayError, KeyResolver, Parts};
pub use health::UpstreamHealth;
pub use interline_store::{AccountRecord, CacheMeter, StatusView, StoreError};
pub use place::PlaceRefusal;
pub use refill::RefillRefusal;
pub use review::{Resolution, ReviewError};
pub use settings::{Settings, UnknownPolicy};
pub use trace::{Traceparent, Tracing};
pub use treasury::Booking;
