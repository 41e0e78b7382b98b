//! Push feeds as pure data: where a feed is reached, what is said to it, and what a frame of it means. The socket, its limits
//! and its pings are the executor's.
//!
//! A feed only says of which orders there is news. How they stand, and above all what they cost, is asked for.

use std::collections::BTreeSet;

use secrecy::SecretString;

use crate::{Endpoint, SecretUrl};

/// Largest frame that is read, in bytes; a longer one says nothing.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// A push feed over a WebSocket. The executor opens `url`, sends `opening`, and does what [`Frame`] says of each text frame.
#[derive(Debug, Clone, Copy)]
pub struct Feed {
    /// Where the socket is opened.
    pub url: fn(&Endpoint) -> SecretUrl,
    /// What is sent first, in this order; the key may stand in it.
    pub opening: fn(&Endpoint) -> Vec<SecretString>,
    /// What a text frame means. Nothing follows from one that cannot be read.
    pub read: fn(&str) -> Frame,
    /// After so long without a frame the executor sends a ping, in milliseconds; after as long again without one, a pong
    /// included, the socket is dead and is opened anew.
    pub ping_ms: u64,
}

/// What a frame of a feed means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The key was taken.
    Admitted {
        /// How many more sockets the key may open, if it was told.
        sockets_left: Option<u64>,
        /// What is to be sent now, in this order.
        then: Vec<String>,
    },
    /// News will come from now on. Whatever happened before is asked for once.
    Subscribed,
    /// There is news of these orders of the upstream: their status is due now. It never says what.
    News(BTreeSet<String>),
    /// The key was not taken: the socket is of no use.
    NotAdmitted,
    /// The key has too many sockets open: this one is of no use, and another is opened later or not at all.
    TooMany,
    /// Nothing follows from it.
    Nothing,
}
