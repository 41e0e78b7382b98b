//! A simulated upstream: a real HTTP server that speaks one of three protocols ([`Adapter`]), with scripted faults and a
//! journal of its own, so that what a gateway believes can be held against what its upstream really did.
//!
//! | path | what |
//! |---|---|
//! | `POST`, `GET` `/api/v2` and `/api/v2/` | PerfectPanel: the panel's seven actions, by form, JSON or query |
//! | `/perfectPanel`, `/api/…`, WebSocket at `/` | Streamrise: its PerfectPanel part, its native face, its push feed |
//! | `/v1/…` | Streamskill: tarifs and purchases, by bearer key and at a limited rate |
//! | `GET /__journal` | `{orders, refills, calls, balance}`: what was really taken, charged and refunded |
//! | `GET`, `POST`, `DELETE` `/__faults` | the active faults; one more, as JSON; none any more |
//! | `POST /__orders/{id}` | `{status, remains, charge, tell}`: from then on the order's life is what was said |
//! | `POST /__refills/{id}` | `{status}`: the same of a refill |
//!
//! PerfectPanel: every order type is taken with its own parameters, quantity and rate, except subscriptions; drip-feed
//! where a service says so, with bounds on all runs together. The other two are written from their documentation as it
//! was seen, and never from the dialects that talk to them, so that what those misread shows. What was sent stands in the
//! journal. Errors are those of the protocol: mostly under HTTP 200. Money is whole micro-units, never a float.
//!
//! In reading order: `server` takes a request, `call` takes it apart, `upstream` decides which fault it meets, `panel`
//! carries it out, and `order_type` says what an order is.

mod catalogue;
mod config;
mod fault;
mod journal;

mod sandbox;

mod door;
mod feed;
mod server;

mod bucket;
mod call;
mod face;
mod reply;
mod upstream;
mod wire;

mod amount;
mod life;
mod order_type;
mod panel;
mod price;

pub use catalogue::{NamedService, Pricing, Tarif};
pub use config::{Adapter, ChargeAfterPartial, Config, Life, RateLimit, Service, demo_services};
pub use fault::{Fault, FaultKind, read_faults};
pub use journal::{Journal, JournalCall, JournalOrder, JournalRefill};
pub use sandbox::Sandbox;
