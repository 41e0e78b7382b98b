//! The sockets of push feeds: what is said on them as a dialect has it, with a bound on everything that an upstream may
//! do.
//!
//! The address and the first frames may hold the key. So an error is a sentence of ours and never one of the library,
//! and what is said on a socket is not logged.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{HeaderValue, USER_AGENT as USER_AGENT_HEADER};
use interline_upstream::{Endpoint, Feed, Frame, feed::FRAME_BYTES_MAX};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message, client::IntoClientRequest as _, error::ProtocolError, handshake::client::Request,
        protocol::WebSocketConfig,
    },
};
use url::Url;

use crate::{
    call::{Egress, USER_AGENT},
    dial::Connection,
    lanes::Lane,
};

/// How long it may take to open a socket, and again to be admitted and subscribed on it.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a frame of ours may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// What is read in a second. A feed that says more waits, and costs nobody else anything.
const BYTES_PER_SECOND_MAX: usize = 4 * FRAME_BYTES_MAX;
/// What a frame costs of that beside its bytes, so that empty ones are bounded too.
const BYTES_PER_FRAME: usize = 256;
/// Bytes that are kept of what was read, and of what is written.
const BUFFER_BYTES: usize = 16 * 1024;

/// Why a feed brings nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The dialect makes no address of what the operator entered.
    #[error("its address is not one of a WebSocket")]
    Address,
    /// There is no connection, or it broke.
    #[error("{0}")]
    Network(String),
    /// There was an answer, but no socket: a redirect, say.
    #[error("it answered with HTTP {0} and opened no WebSocket")]
    NoSocket(u16),
    /// More was sent at once than is read.
    #[error("it sent more than {FRAME_BYTES_MAX} bytes in one message")]
    TooLarge,
    /// What came was not what a WebSocket says.
    #[error("it broke the rules of a WebSocket")]
    Protocol,
    /// Nothing came in time, not even the answer to a ping.
    #[error("nothing came from it in time")]
    Silent,
    /// The upstream ended it.
    #[error("it hung up")]
    Closed,
    /// The key was not taken.
    #[error("it did not take the key")]
    NotAdmitted,
    /// The key has too many sockets.
    #[error("it says that the key has too many sockets")]
    TooMany,
}

impl FeedError {
    /// The names of every kind.
    pub const NAMES: [&str; 9] =
        ["address", "network", "no_socket", "too_large", "protocol", "silent", "closed", "not_admitted", "too_many"];

    /// The name of its kind, for counting.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Network(_) => "network",
            Self::NoSocket(_) => "no_socket",
            Self::TooLarge => "too_large",
            Self::Protocol => "protocol",
            Self::Silent => "silent",
            Self::Closed => "closed",
            Self::NotAdmitted => "not_admitted",
            Self::TooMany => "too_many",
        }
    }
}

/// What a feed brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// News will come from now on; whatever happened before has to be asked for.
    Subscribed,
    /// There is news of these orders of the upstream.
    News(BTreeSet<String>),
}

/// The open socket of a feed. It ends when it is dropped.
pub struct FeedSocket {
    stream: WebSocketStream<Box<dyn Connection>>,
    feed: Feed,
    is_admitted: bool,
    sockets_left: Option<u64>,
    /// By when it has to be subscribed; `None` once it is.
    subscribed_by: Option<Instant>,
    /// When the last frame came, or the ping was sent that is not answered yet.
    quiet_since: Instant,
    is_pinged: bool,
    /// What was read since when, of what may be in a second.
    read: usize,
    read_since: Instant,
}

impl Egress {
    /// Opens the socket of a feed and sends what is said first. Whoever opens it sees to it that there is one for an
    /// upstream; it takes neither a slot of the lane nor a token.
    pub async fn open_feed(&self, lane: &Lane, feed: Feed, endpoint: &Endpoint) -> Result<FeedSocket, FeedError> {
        let opened = timeout(OPEN_TIMEOUT, self.open_socket(lane, feed, endpoint)).await;
        opened.map_err(|_| FeedError::Network("the socket could not be opened in time".to_owned()))?
    }

    async fn open_socket(&self, lane: &Lane, feed: Feed, endpoint: &Endpoint) -> Result<FeedSocket, FeedError> {
        let (url, request) = request(&(feed.url)(endpoint)).ok_or(FeedError::Address)?;
        let connection = self.dial(lane, &url).await.map_err(FeedError::Network)?;
        let opened = client_async_with_config(request, connection, Some(limits())).await;
        let (stream, _) = opened.map_err(|error| kind_of(&error))?;
        let now = Instant::now();
        let mut socket = FeedSocket {
            stream,
            feed,
            is_admitted: false,
            sockets_left: None,
            subscribed_by: Some(now + OPEN_TIMEOUT),
            quiet_since: now,
            is_pinged: false,
            read: 0,
            read_since: now,
        };
        for frame in (feed.opening)(endpoint) {
            socket.send(Message::text(frame.expose_secret())).await?;
        }
        Ok(socket)
    }
}

impl FeedSocket {
    /// What the feed brings next. After an error it is of no use.
    pub async fn next(&mut self) -> Result<FeedEvent, FeedError> {
        loop {
            match self.hear().await? {
                Message::Text(text) => {
                    if let Some(event) = self.understand((self.feed.read)(text.as_str())).await? {
                        return Ok(event);
                    }
                }
                Message::Close(_) => return Err(FeedError::Closed),
                // The library answers pings; a feed says nothing in any other way.
                _ => {}
            }
        }
    }

    /// How many more sockets the key may open, if the upstream told.
    pub fn sockets_left(&self) -> Option<u64> {
        self.sockets_left
    }

    /// What follows from a frame. That it is admitted and subscribed is heard once: said again and again, it would be a
    /// way to make work for us.
    async fn understand(&mut self, frame: Frame) -> Result<Option<FeedEvent>, FeedError> {
        match frame {
            Frame::Admitted { sockets_left, then } if !self.is_admitted => {
                (self.is_admitted, self.sockets_left) = (true, sockets_left);
                for text in then {
                    self.send(Message::text(text)).await?;
                }
                Ok(None)
            }
            Frame::Subscribed => Ok(self.subscribed_by.take().map(|_| FeedEvent::Subscribed)),
            Frame::News(orders) => Ok(Some(FeedEvent::News(orders))),
            Frame::NotAdmitted => Err(FeedError::NotAdmitted),
            Frame::TooMany => Err(FeedError::TooMany),
            Frame::Admitted { .. } | Frame::Nothing => Ok(None),
        }
    }

    /// The next frame. While none comes the upstream is asked, once, whether it is still there.
    async fn hear(&mut self) -> Result<Message, FeedError> {
        let ping = Duration::from_millis(self.feed.ping_ms);
        loop {
            self.wait_for_budget().await;
            let is_late = |by: Option<Instant>| by.is_some_and(|by| by <= Instant::now());
            if is_late(self.subscribed_by) {
                return Err(FeedError::Silent);
            }
            let quiet_until = self.quiet_since + ping;
            let until = self.subscribed_by.map_or(quiet_until, |by| by.min(quiet_until));
            match timeout_at(until, self.stream.next()).await {
                Ok(Some(Ok(message))) => {
                    (self.quiet_since, self.is_pinged) = (Instant::now(), false);
                    self.read += message.len() + BYTES_PER_FRAME;
                    return Ok(message);
                }
                Ok(Some(Err(error))) => return Err(kind_of(&error)),
                Ok(None) => return Err(FeedError::Closed),
                Err(_) if self.is_pinged && is_late(Some(quiet_until)) => return Err(FeedError::Silent),
                Err(_) if is_late(Some(quiet_until)) => {
                    (self.quiet_since, self.is_pinged) = (Instant::now(), true);
                    self.send(Message::Ping(tungstenite::Bytes::new())).await?;
                }
                // It has to be subscribed by now; the next turn sees whether it is.
                Err(_) => {}
            }
        }
    }

    /// Waits until the second is over in which so much was read.
    async fn wait_for_budget(&mut self) {
        let second_over = self.read_since + Duration::from_secs(1);
        if self.read > BYTES_PER_SECOND_MAX {
            sleep_until(second_over).await;
        }
        if second_over <= Instant::now() {
            (self.read, self.read_since) = (0, Instant::now());
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), FeedError> {
        let sent = timeout(SEND_TIMEOUT, self.stream.send(message)).await.map_err(|_| FeedError::Silent)?;
        sent.map_err(|error| kind_of(&error))
    }
}

/// How a socket is asked for, and where; `None` if the address is none of a WebSocket.
fn request(url: &str) -> Option<(Url, Request)> {
    let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "ws" | "wss"))?;
    let mut request = url.as_str().into_client_request().ok()?;
    request.headers_mut().insert(USER_AGENT_HEADER, HeaderValue::from_static(USER_AGENT));
    Some((url, request))
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(8 * BUFFER_BYTES)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
}

/// What an error of the library means, without its words: they may repeat the address or what was said.
fn kind_of(error: &tungstenite::Error) -> FeedError {
    use tungstenite::Error;
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => FeedError::Closed,
        Error::Io(error) => FeedError::Network(error.kind().to_string()),
        Error::Http(response) => FeedError::NoSocket(response.status().as_u16()),
        Error::Capacity(_) => FeedError::TooLarge,
        _ => FeedError::Protocol,
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
