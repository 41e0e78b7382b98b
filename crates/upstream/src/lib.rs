//! The port to upstreams: what we ask ([`Call`]), what comes back ([`Answer`]), and the one trait ([`Dialect`]) that every
//! wire dialect implements as pure translation.
//!
//! A dialect never does I/O, never retries and never reads a clock: it encodes a call and decodes its answer. An executor
//! elsewhere makes the call. A new operation is a new arm of [`Call`] and thus a compile error in every dialect.
//!
//! # Adding a dialect
//! 1. A crate of its own with a type that implements [`Dialect`].
//! 2. Its first test is [`conformance::check`] over fixtures of real answers.
//! 3. One line in the binary's wiring file.

pub mod call;
pub mod conformance;

pub use call::{
    ActiveTarget, Answer, Call, CancelAnswer, Evidence, Fault, Listing, Refusal, Reported, Stated, Submission,
    SubmitOutcome,
};

use secrecy::SecretString;

/// Where an upstream is reached and with which key.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The address that the operator entered.
    pub url: String,
    /// The key; it may stand in the request's body, query or a header, so requests are never logged.
    pub key: SecretString,
}

/// An HTTP method that a dialect may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Everything else.
    Post,
}

/// An encoded call. It carries the key: it is sent and never shown, so it has no `Debug`.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole address, with the query.
    pub url: String,
    /// Headers beside `Host`, `Content-Length` and `User-Agent`, which the executor sets.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

/// What an upstream answered, whole.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After` in milliseconds, when it was sent.
    pub retry_after_ms: Option<u64>,
    /// The body, already bounded by the executor.
    pub body: Vec<u8>,
}

/// What an upstream of this dialect can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Most order ids in one status call.
    pub status_batch_max: usize,
    /// Most order ids in one cancel call.
    pub cancel_batch_max: usize,
    /// Whether past orders can be listed or searched, which is the strongest evidence about an unknown submission.
    pub lists_orders: bool,
}

/// One wire dialect: a translator without I/O.
pub trait Dialect: Send + Sync + 'static {
    /// The name that a catalogue file gives in `adapter`.
    fn name(&self) -> &'static str;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// The request that makes `call` at `endpoint`.
    fn encode(&self, endpoint: &Endpoint, call: &Call) -> Request;

    /// What `response` says to `call`. The answer's arm fits the call; what cannot be read is [`Answer::Fault`], and for a
    /// submission [`SubmitOutcome::Unknown`], never success and never failure.
    fn decode(&self, call: &Call, response: &Response) -> Answer;
}
