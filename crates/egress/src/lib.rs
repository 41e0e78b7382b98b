//! The only way out: HTTP to upstreams, with limits per upstream and a guard on the addresses.
//!
//! Submissions go a way of their own ([`Egress::submit`]): one connection that we opened, one write, no retry and no
//! redirect, so that we know whether a byte was handed over. Everything else ([`Egress::call`]) may be repeated by
//! whoever asks. The socket of a push feed ([`Egress::open_feed`]) is a connection that we opened too. Nothing here
//! decides anything about orders, and nothing logs a request, for it carries a key.

mod call;
mod deadline;
mod dial;
mod feed;
mod guard;
mod lanes;
mod submit;

pub use call::{CallError, Egress};
pub use deadline::SendDeadline;
pub use feed::{FeedError, FeedEvent, FeedSocket};
pub use lanes::{Lane, LaneSettings, Permit};
pub use submit::SubmitError;

/// Largest catalogue or list of orders that is read, in all the answers that it takes; a larger one is an error.
pub const RESPONSE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Largest answer to any other call. None of them has much to say, and what is parsed takes many times its bytes.
pub const SHORT_RESPONSE_BYTES_MAX: usize = 1024 * 1024;
/// How long opening a connection may take, in milliseconds.
pub const CONNECT_TIMEOUT_MS: u64 = 5_000;
