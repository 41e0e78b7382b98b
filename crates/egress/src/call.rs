//! Calls that may be repeated: catalogues, balances, statuses, cancellations.

use std::{error::Error as _, time::Duration};

use futures_util::StreamExt as _;
use interline_upstream::{Method, Request, Response};

use crate::{
    CONNECT_TIMEOUT_MS,
    guard::{Guard, refusal},
    lanes::Lane,
    submit::Submitter,
};

/// Why a call brought no answer. Submissions have an error of their own.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The upstream's address is not allowed or not an HTTP address.
    #[error("{0}")]
    Address(String),
    /// No answer came, or not the whole of it.
    #[error("{0}")]
    Network(String),
    /// It did not come in time.
    #[error("{0}")]
    TimedOut(String),
    /// The answer is larger than so many bytes, which are all that is read.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// The clients, shared by every lane.
pub struct Egress {
    public: reqwest::Client,
    anywhere: reqwest::Client,
    submitter: Submitter,
}

impl Egress {
    /// Makes the clients.
    pub fn new() -> Result<Self, CallError> {
        let submitter = Submitter::new().map_err(|e| CallError::Network(format!("TLS: {e}")))?;
        Ok(Self { public: client(false)?, anywhere: client(true)?, submitter })
    }

    pub(crate) fn submitter(&self) -> &Submitter {
        &self.submitter
    }

    /// Makes a call that may be repeated, within the lane's time-out, and reads at most `bytes_max` of its answer.
    pub async fn call(&self, lane: &Lane, request: &Request, bytes_max: usize) -> Result<Response, CallError> {
        Ok(self.call_dated(lane, request, bytes_max).await?.0)
    }

    /// The same, with the answer's `Date` header as it came, for whoever compares clocks.
    pub async fn call_dated(
        &self,
        lane: &Lane,
        request: &Request,
        bytes_max: usize,
    ) -> Result<(Response, Option<String>), CallError> {
        let url =
            url::Url::parse(&request.url).map_err(|_| CallError::Address("the address is not a URL".to_owned()))?;
        if !lane.guard().allows_url(&url) {
            return Err(CallError::Address(refusal(url.host_str().unwrap_or_default())));
        }
        let client = if lane.settings.allow_private_address { &self.anywhere } else { &self.public };
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut outgoing = client.request(method, url).timeout(Duration::from_millis(lane.settings.timeout_ms));
        for (name, value) in &request.headers {
            outgoing = outgoing.header(*name, value);
        }
        let answer = outgoing.body(request.body.clone()).send().await.map_err(network)?;
        let status = answer.status().as_u16();
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let (retry_after_ms, date) =
            (header("retry-after").and_then(retry_after_ms), header("date").map(str::to_owned));
        let mut body = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(network)?;
            if body.len() + chunk.len() > bytes_max {
                return Err(CallError::TooLarge(bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((Response { status, retry_after_ms, body }, date))
    }
}

fn client(allow_private: bool) -> Result<reqwest::Client, CallError> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS))
        .dns_resolver(std::sync::Arc::new(Guard { allow_private }))
        .user_agent(USER_AGENT)
        .build()
        .map_err(network)
}

/// How we introduce ourselves.
pub(crate) const USER_AGENT: &str = concat!("interline/", env!("CARGO_PKG_VERSION"));

/// The error without its URL, which may hold a key; the innermost cause says most.
fn network(error: reqwest::Error) -> CallError {
    let timed_out = error.is_timeout();
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    if timed_out { CallError::TimedOut(text) } else { CallError::Network(text) }
}

/// `Retry-After` in seconds; the form with a date is rare and read as absent.
pub(crate) fn retry_after_ms(text: &str) -> Option<u64> {
    text.trim().parse::<u64>().ok().map(|seconds| seconds.saturating_mul(1_000))
}
