//! Submissions: written at most once, on a connection that we opened ourselves.
//!
//! No library may repeat a submission, so this one does not go through a pooling client. A connection is new or was idle
//! for less than a second, for an upstream that closes an idle connection just as we write leaves us with an unknown. The
//! deadline is looked at right before the request is handed over: past it, nothing is written.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_LENGTH, HOST, RETRY_AFTER, USER_AGENT as USER_AGENT_HEADER},
};
use hyper_util::rt::TokioIo;
use interline_upstream::{Method, Request, Response};
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::{
    CONNECT_TIMEOUT_MS, SHORT_RESPONSE_BYTES_MAX,
    call::{Egress, USER_AGENT, retry_after_ms},
    deadline::SendDeadline,
    lanes::Lane,
};

/// Longest idleness after which a connection is used again.
const IDLE_MAX: Duration = Duration::from_secs(1);
/// Longest wait for a connection to be ready again after its answer.
const SETTLE_MAX: Duration = Duration::from_millis(5);
/// Connections kept per upstream.
const IDLE_CONNECTIONS_MAX: usize = 32;

/// Why a submission brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Not one byte of the request was handed over: the upstream certainly does not have it.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It was, or may have been, handed over: nobody knows.
    #[error("sent, and no answer: {0}")]
    Uncertain(String),
    /// The same, because no answer came in time.
    #[error("sent, and no answer: {0}")]
    TimedOut(String),
}

type Body = Full<Bytes>;

/// Connections whose last answer was read less than a second ago.
#[derive(Default)]
pub(crate) struct IdleConnections {
    connections: Mutex<Vec<(SendRequest<Body>, Instant, String)>>,
}

impl IdleConnections {
    /// A connection to the same origin that is still fresh and ready; stale ones are dropped.
    fn take(&self, origin: &str) -> Option<SendRequest<Body>> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|(sender, since, _)| since.elapsed() < IDLE_MAX && sender.is_ready());
        let place = connections.iter().rposition(|(_, _, to)| to == origin)?;
        Some(connections.swap_remove(place).0)
    }

    fn put(&self, sender: SendRequest<Body>, origin: String) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if sender.is_ready() && connections.len() < IDLE_CONNECTIONS_MAX {
            connections.push((sender, Instant::now(), origin));
        }
    }
}

/// What submissions need beside a lane.
pub(crate) struct Submitter {
    pub(crate) tls: TlsConnector,
}

impl Submitter {
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let mut config = rustls::ClientConfig::with_platform_verifier()?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }
}

impl Egress {
    /// Hands a submission over, once, before `deadline`, and waits for the answer within the lane's time-out.
    pub async fn submit(
        &self,
        lane: &Lane,
        request: &Request,
        deadline: SendDeadline,
    ) -> Result<Response, SubmitError> {
        let not_sent = |text: String| SubmitError::NotSent(text);
        let url = Url::parse(&request.url).map_err(|_| not_sent("the address is not a URL".to_owned()))?;
        let message = message(request, &url).map_err(not_sent)?;
        let origin = url.origin().ascii_serialization();
        let mut sender = match lane.idle.take(&origin) {
            Some(sender) => sender,
            None => self.connect(lane, &url).await.map_err(not_sent)?,
        };
        if deadline.is_past() {
            return Err(not_sent("the deadline for sending had passed".to_owned()));
        }
        let timeout = Duration::from_millis(lane.settings.timeout_ms);
        let answered = tokio::time::timeout(timeout, async {
            let answer = match sender.try_send_request(message).await {
                Ok(answer) => answer,
                // The message comes back if the connection had gone before it was taken from our hands.
                Err(mut error) => {
                    let untouched = error.take_message().is_some();
                    let text = error.into_error().to_string();
                    return Err(if untouched { SubmitError::NotSent(text) } else { SubmitError::Uncertain(text) });
                }
            };
            read(answer).await.map_err(SubmitError::Uncertain)
        });
        let response = answered.await.map_err(|_| SubmitError::TimedOut("no answer in time".to_owned()))??;
        // The connection needs a moment to see that its answer was read to the end.
        if let Ok(Ok(())) = tokio::time::timeout(SETTLE_MAX, sender.ready()).await {
            lane.idle.put(sender, origin);
        }
        Ok(response)
    }

    async fn connect(&self, lane: &Lane, url: &Url) -> Result<SendRequest<Body>, String> {
        let opened = tokio::time::timeout(Duration::from_millis(CONNECT_TIMEOUT_MS), self.open(lane, url));
        opened.await.map_err(|_| "the connection could not be opened in time".to_owned())?
    }

    async fn open(&self, lane: &Lane, url: &Url) -> Result<SendRequest<Body>, String> {
        let stream = self.dial(lane, url).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        // It ends with its sender, or when the upstream hangs up; both are seen where the request is.
        tokio::spawn(connection);
        Ok(sender)
    }
}

fn message(request: &Request, url: &Url) -> Result<hyper::Request<Body>, String> {
    let method = match request.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
    };
    let host = url.host_str().ok_or("the address has no host")?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut message = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, host)
        .header(USER_AGENT_HEADER, USER_AGENT)
        .header(CONTENT_LENGTH, request.body.len());
    for (name, value) in &request.headers {
        message = message.header(*name, value);
    }
    message.body(Full::from(request.body.clone())).map_err(|e| e.to_string())
}

async fn read(answer: hyper::Response<Incoming>) -> Result<Response, String> {
    let status = answer.status().as_u16();
    let retry_after_ms = answer.headers().get(RETRY_AFTER).and_then(|v| retry_after_ms(v.to_str().ok()?));
    let body = Limited::new(answer.into_body(), SHORT_RESPONSE_BYTES_MAX).collect().await.map_err(|e| {
        if e.is::<LengthLimitError>() {
            format!("the answer is larger than {SHORT_RESPONSE_BYTES_MAX} bytes")
        } else {
            e.to_string()
        }
    })?;
    Ok(Response { status, retry_after_ms, body: body.to_bytes().to_vec() })
}
