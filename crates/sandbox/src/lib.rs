//! A simulated upstream: a real HTTP server that speaks the PerfectPanel v2 dialect, with scripted faults and a
//! journal of its own, so that what a gateway believes can be held against what its upstream really did.
//!
//! | path | what |
//! |---|---|
//! | `POST`, `GET` `/api/v2` and `/api/v2/` | the panel's seven actions, by form, JSON or query |
//! | `GET /__journal` | `{orders, refills, calls, balance}`: what was really taken, charged and refunded |
//! | `GET`, `POST`, `DELETE` `/__faults` | the active faults; one more, as JSON; none any more |
//! | `POST /__orders/{id}` | `{status, remains, charge}`: from then on the order's life is what was said |
//! | `POST /__refills/{id}` | `{status}`: the same of a refill |
//!
//! Every order type is taken with its own parameters, quantity and rate, except subscriptions; drip-feed where a
//! service says so, with bounds on all runs together. What was sent stands in the journal. Business errors come under HTTP 200, as from most panels. Money is whole micro-units,
//! never a float.
//!
//! In reading order: `server` takes a call, `upstream` decides which fault it meets, `panel` carries it out, and
//! `order_type` says what an order is.

mod config;
mod fault;
mod journal;

mod sandbox;

mod door;
mod server;

mod reply;
mod upstream;
mod wire;

mod amount;
mod life;
mod order_type;
mod panel;

pub use config::{ChargeAfterPartial, Config, Life, Service, demo_services};
pub use fault::{Fault, FaultKind, read_faults};
pub use journal::{Journal, JournalCall, JournalOrder, JournalRefill};
pub use sandbox::Sandbox;
