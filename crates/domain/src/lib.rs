//! The vocabulary of Interline: ids, money, prices, targets, what is sold and how an order lives.
//!
//! Everything here is a value or a function from values to values: no clock, no randomness, no I/O.

pub mod attempt;
pub mod ids;
pub mod kind;
pub mod money;
pub mod order;
pub mod price;
pub mod refill;
pub mod target;
pub mod time;

pub use attempt::{AttemptEvent, AttemptState};
pub use ids::{AccountId, AttemptId, CaseId, IdError, OrderId, RefillId, ServiceId, UpstreamId};
pub use kind::{Fields, OrderKind, ServiceType, Style, Terms};
pub use money::{Currency, Micros, Money, MoneyError};
pub use order::{OrderStatus, Progress, Report, StatusWord, Step};
pub use refill::{RefillState, RefillStatus};
pub use time::Timestamp;
