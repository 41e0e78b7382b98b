//! A simulated upstream: a real HTTP server that speaks the PerfectPanel v2 dialect, with scripted faults and a
//! journal of its own, so that what a gateway believes can be held against what its upstream really did.
//!
//! | path | what |
//! |---|---|
//! | `POST`, `GET` `/api/v2` and `/api/v2/` | the panel's five actions, by form, JSON or query |
//! | `GET /__journal` | `{orders, calls, balance}`: what was really taken, charged and refunded |
//! | `GET`, `POST`, `DELETE` `/__faults` | the active faults; one more, as JSON; none any more |
//! | `POST /__orders/{id}` | `{status, remains, charge}`: from then on the order's life is what was said |
//!
//! Every order is taken as type `Default`, a link and a quantity; drip-feed is listed where a service says so and
//! refused with the order. Business errors come under HTTP 200, as from most panels. Money is whole micro-units,
//! never a float.
//!
//! In reading order: `server` takes a call, `upstream` decides which fault it meets, `panel` carries it out.

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
mod panel;

pub use config::{ChargeAfterPartial, Config, Life, Service, demo_services};
pub use fault::{Fault, FaultKind, read_faults};
pub use journal::{Journal, JournalCall, JournalOrder};
pub use sandbox::Sandbox;
