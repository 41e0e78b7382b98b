//! The port to upstreams: what we ask ([`Call`]), what comes back ([`Answer`]), and the one trait ([`Dialect`]) that every
//! wire dialect implements as pure translation.
//!
//! A dialect never does I/O, never retries and never reads a clock: it encodes a call and decodes its answer. An executor
//! elsewhere makes the call. A new operation is a new arm of [`Call`] and thus a compile error in every dialect.
//!
//! # Adding a dialect
//! 1. A crate of its own, `crates/upstream-NAME`, that uses `domain` and this one, with a type that implements [`Dialect`].
//!    `tests/it/tidy.rs` is told of its edges, and `crates/README.md` what it must never contain.
//! 2. The methods, in this order: `name` is what a catalogue file gives as `adapter`. `takes` says which orders its wire
//!    format has words for, and `encode` writes every [`Call`] that its upstreams can carry out; `None` is an honest
//!    answer. `decode` reads the answers: strict about what they mean, lenient about how they are written ([`value`],
//!    [`Heard`]). What cannot be read is [`SubmitOutcome::Unknown`] for whatever may cost something, else a [`Fault`]: a
//!    refusal is only what the upstream's documentation lists as one, for a refusal sends the order to the next upstream.
//!    `capabilities` bounds the batches. The rest has defaults: `default_limits` where the upstream documents its
//!    limits, `next` where a call needs several requests, `is_target` where targets are listed otherwise than they are
//!    ordered, `unknown_action` for who looks at an upstream, `feed` where it pushes.
//! 3. Its first test is [`conformance::check`] over fixtures of real answers. Only then does it get tests of its own.
//! 4. One line in the binary's wiring file, `crates/interline/src/wiring.rs`, in `dialects`. Catalogue files take it from
//!    then on, and `interline upstream check` says what a live upstream of it can do.
//! 5. A simulated upstream of it in `crates/sandbox`, written from the upstream's documentation and not from this dialect,
//!    so that the acceptance tests, the demo and integrators have something to talk to.
//!
//! `crates/orders/tests/fourth.rs` does the first four of them for a made-up dialect, in one file.

pub mod call;
pub mod conformance;
pub mod feed;
pub mod heard;
mod secret_url;
pub mod value;

pub use call::{
    ActiveTarget, Alteration, Answer, Call, CancelAnswer, Consent, Evidence, Fault, HeldOrder, Listing, Property,
    Quoted, Refusal, Reported, Stated, Submission, SubmitOutcome,
};
pub use feed::{Feed, Frame};
pub use heard::Heard;
pub use secret_url::SecretUrl;

use interline_domain::{OrderKind, target};
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
    pub url: SecretUrl,
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

/// How fast an upstream may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests per second, at least 1.
    pub requests_per_second: u32,
    /// Requests at once after a quiet time, at least 1.
    pub burst: u32,
}

/// Most requests that one call may need: catalogues that are read service by service, lists that are read page by page.
pub const STEPS_MAX: usize = 512;

/// What comes next of a call that may need several requests.
pub enum Next {
    /// Make this request, and ask again with its response behind those before.
    Ask(Request),
    /// This is what all the responses say.
    Done(Answer),
}

/// One wire dialect: a translator without I/O.
pub trait Dialect: Send + Sync + 'static {
    /// The name that a catalogue file gives in `adapter`.
    fn name(&self) -> &'static str;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// The limits that upstreams of this dialect document, each for where a catalogue file leaves its own out.
    fn default_limits(&self) -> Option<Limits> {
        None
    }

    /// Whether such an order can be said so that it is read as it was meant. If not, what it would have to be, in the words
    /// of its parameters: customers read it where no upstream could ever take the order.
    fn takes(&self, _kind: &OrderKind) -> Result<(), &'static str> {
        Ok(())
    }

    /// The request that makes `call` at `endpoint`, for most calls the only one; `None` if upstreams of this dialect cannot
    /// do it, and then nothing is sent.
    fn encode(&self, endpoint: &Endpoint, call: &Call) -> Option<Request>;

    /// What `response` says to `call`. The answer's arm fits the call; what cannot be read is [`Answer::Fault`], and for a
    /// submission [`SubmitOutcome::Unknown`], never success and never failure.
    fn decode(&self, call: &Call, response: &Response) -> Answer;

    /// What comes next when `heard` are the responses to the requests of `call` so far: the way to make every call that may
    /// be repeated. A submission is always one request and goes by [`Self::encode`] and [`Self::decode`] alone.
    ///
    /// Whoever makes the requests bounds their number by [`STEPS_MAX`].
    fn next(&self, endpoint: &Endpoint, call: &Call, heard: &[Response]) -> Next {
        one_request(self, endpoint, call, heard)
    }

    /// A request for an action that upstreams of this dialect do not have, for who wants to see how they refuse. Nothing can
    /// come of it.
    fn unknown_action(&self, _endpoint: &Endpoint) -> Option<Request> {
        None
    }

    /// Whether `listed`, the target of an order as an upstream lists it, may be `ours`, the target of an order as we keep it.
    fn is_target(&self, ours: &str, listed: &str) -> bool {
        target::normalise(ours) == target::normalise(listed)
    }

    /// Its push feed, if it has one.
    fn feed(&self) -> Option<Feed> {
        None
    }
}

/// [`Dialect::next`] of a call that is one request: what it is by default, and for the other calls of a dialect that has
/// longer ones.
pub fn one_request<D: Dialect + ?Sized>(dialect: &D, endpoint: &Endpoint, call: &Call, heard: &[Response]) -> Next {
    match heard.last() {
        Some(response) => Next::Done(dialect.decode(call, response)),
        None => dialect.encode(endpoint, call).map_or(Next::Done(Answer::Fault(Fault::Unsupported)), Next::Ask),
    }
}
