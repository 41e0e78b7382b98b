//! Drives the built product as its users do: a folder, a catalogue file, the command line, and HTTP on real sockets,
//! against simulated upstreams that keep journals of their own.
//!
//! A scenario runs on both engines ([`on_both`]) and ends with [`Gateway::finish`], which holds the books to their
//! invariants. It waits for conditions ([`wait_until`]) and never for a time.

mod collector;
mod database;
mod engine;
mod gateway;
mod hold;
mod http;
mod server;
mod setup;
mod shell;
mod upstream;
mod wait;

pub use collector::{Collector, Span};
pub use engine::{Engine, on_both};
pub use gateway::{Gateway, Output};
pub use hold::{Held, Way};
pub use http::{Heard, Reply, call, crowd, form, send};
pub use server::Server;
pub use setup::{ACCOUNT, SERVICE, Setup, UpstreamSetup};
pub use shell::installed;
pub use upstream::Upstream;
pub use wait::wait_until;

/// The simulated upstream, whose faults and journal scenarios speak of.
pub use interline_sandbox as sandbox;
