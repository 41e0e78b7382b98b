//! Which upstream takes an order: a pure function from the order, its offers, what is known of their upstreams and the
//! policy to a [`Plan`], in which every candidate has its landed cost and a reason why it was taken or passed over.
#![warn(clippy::float_arithmetic, clippy::as_conversions, clippy::wildcard_enum_match_arm)]

mod plan;
mod reason;

pub use plan::{Candidate, Listed, Offer, Plan, Policy, Wanted, plan};
pub use reason::Reason;
