//! The panel faces: `/api/v2`, and `/perfectPanel` in Streamrise's dialect. Calls are read alike; a face decides the
//! dialect that they are answered in.

mod commands;

use std::{error::Error, net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt as _;
use interline_domain::Currency;
use interline_orders::{Caller, Gateway};
use interline_panel_protocol::{
    Command, Dialect, Encoded, HttpStatus, Incoming, Key, Parsed, Refused, Reply, encode, parse,
};
use moka::sync::Cache;

use crate::{client::Client, limits::Limits};

/// Price lists kept in memory, one per version, currency, discount and dialect.
const PRICE_LISTS_MAX: u64 = 64;
/// What is read of a body that is too large and thrown away, as a multiple of what is allowed. A client that is cut off
/// while it sends does not read why.
const DISCARDED_FACTOR: usize = 4;

/// How the panel faces answer.
#[derive(Debug, Clone, Copy)]
pub struct PanelSettings {
    /// The dialect of `/api/v2`, for callers whose key has none of its own.
    pub dialect: Dialect,
    /// Whether refusals at `/api/v2` come with their HTTP codes.
    pub http_status: HttpStatus,
    /// Largest request body, in bytes.
    pub request_body_bytes_max: usize,
}

/// The state of the faces.
pub(crate) struct Panel {
    gateway: Arc<Gateway>,
    limits: Arc<Limits>,
    settings: PanelSettings,
    price_lists: Cache<(i64, Currency, String, Dialect), Arc<[u8]>>,
}

/// Where a call came in.
#[derive(Debug, Clone, Copy)]
enum Face {
    ApiV2,
    PerfectPanel,
}

impl Face {
    /// The dialect of its answers: the face's own, else the key's, else the configured one.
    fn dialect(self, configured: Dialect, of_key: Option<&str>) -> Dialect {
        match self {
            Self::ApiV2 => of_key.and_then(Dialect::from_name).unwrap_or(configured),
            Self::PerfectPanel => Dialect::Streamrise,
        }
    }
}

/// `/api/v2`: answers whatever arrives in the dialect of the key, or the configured one.
pub(crate) async fn api_v2(
    State(panel): State<Arc<Panel>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    panel.answer(Face::ApiV2, peer, request).await
}

/// `/perfectPanel`: answers whatever arrives in the dialect of `seeds/streamrise-api.txt`.
pub(crate) async fn perfect_panel(
    State(panel): State<Arc<Panel>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    panel.answer(Face::PerfectPanel, peer, request).await
}

impl Panel {
    pub(crate) fn new(gateway: Arc<Gateway>, limits: Arc<Limits>, settings: PanelSettings) -> Self {
        Self { gateway, limits, settings, price_lists: Cache::new(PRICE_LISTS_MAX) }
    }

    async fn answer(&self, face: Face, peer: SocketAddr, request: Request) -> Response {
        let (head, body) = request.into_parts();
        if !matches!(head.method, Method::GET | Method::POST) {
            // A HEAD or a PUT that placed an order would surprise everybody.
            return wrong_method();
        }
        let client = self.limits.client(peer.ip(), &head.headers);
        // Counted before anything is read: what is asked for decides only how a refusal is said.
        let counted = self.limits.call(client);
        let (reply, dialect) = match read(body, self.settings.request_body_bytes_max).await {
            Ok(body) => {
                let query = head.uri.query().unwrap_or_default();
                let parsed = parse(&incoming(&head.headers, query, &body));
                match counted {
                    Ok(()) => self.reply(face, client, parsed).await,
                    Err(refused) => (said(refused, &parsed.command), self.dialect(face, None)),
                }
            }
            Err(refused) => (Reply::Refused(refused), self.dialect(face, None)),
        };
        respond(encode(&reply, dialect, self.settings.http_status))
    }

    fn dialect(&self, face: Face, caller: Option<&Caller>) -> Dialect {
        face.dialect(self.settings.dialect, caller.and_then(|caller| caller.dialect.as_deref()))
    }

    async fn reply(&self, face: Face, client: Client, parsed: Parsed) -> (Reply, Dialect) {
        let of_face = self.dialect(face, None);
        let key = match parsed.key {
            Key::One(key) => key,
            // The key may stand in what could not be read: what is wrong with that helps more than "no key".
            Key::Absent if parsed.unreadable => {
                return (Reply::Refused(parsed.command.err().unwrap_or(Refused::InvalidKey)), of_face);
            }
            Key::Absent | Key::Conflict => return (Reply::Refused(Refused::InvalidKey), of_face),
        };
        let caller = match self.caller(client, &key).await {
            Ok(caller) => caller,
            Err(refused) => return (said(refused, &parsed.command), of_face),
        };
        let dialect = self.dialect(face, Some(&caller));
        let reply = match (self.limits.right_key(client, &key), parsed.command) {
            (Err(refused), command) => said(refused, &command),
            (Ok(()), Ok(command)) if caller.read_only && command.changes() => {
                Reply::Refused(Refused::BadRequest("this key may only read".to_owned()))
            }
            (Ok(()), Ok(command)) => {
                let done = self.run(&caller.account, dialect, &command).await;
                done.unwrap_or_else(|refused| Reply::Refused(refused.said_to(&command)))
            }
            (Ok(()), Err(refused)) => Reply::Refused(refused),
        };
        (reply, dialect)
    }

    async fn caller(&self, client: Client, key: &str) -> Result<Caller, Refused> {
        self.limits.may_try(client, key)?;
        let caller = self.gateway.authenticate(key).await.map_err(commands::later)?;
        caller.ok_or_else(|| self.limits.wrong_key(client))
    }
}

/// A refusal that does not come from the command itself, as it may be said to it.
fn said(refused: Refused, command: &Result<Command, Refused>) -> Reply {
    Reply::Refused(match command {
        Ok(command) => refused.said_to(command),
        Err(_) => refused,
    })
}

/// The body, or why there is none.
async fn read(mut body: Body, bytes_max: usize) -> Result<Vec<u8>, Refused> {
    let (mut kept, mut seen) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| unreadable(&error))?.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen <= bytes_max {
            kept.extend_from_slice(&data);
        } else {
            kept = Vec::new();
            if seen > bytes_max.saturating_mul(DISCARDED_FACTOR) {
                break;
            }
        }
    }
    if seen > bytes_max {
        return Err(Refused::BadRequest(format!("the request body is larger than {bytes_max} bytes")));
    }
    Ok(kept)
}

/// The connection broke within the body, so most likely nobody reads this.
fn unreadable(error: &dyn Error) -> Refused {
    tracing::debug!(%error, "a request body could not be read");
    Refused::BadRequest("the request body could not be read".to_owned())
}

fn incoming<'a>(headers: &'a HeaderMap, query: &'a str, body: &'a [u8]) -> Incoming<'a> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    Incoming {
        content_type: text(header::CONTENT_TYPE),
        query,
        body,
        authorization: text(header::AUTHORIZATION),
        cookies: text(header::COOKIE).unwrap_or_default(),
    }
}

/// 405, in the one shape that all dialects share.
fn wrong_method() -> Response {
    let body = br#"{"error":"use POST or GET"}"#.to_vec();
    let mut response = respond(Encoded { status: 405, retry_after_s: None, body });
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    response
}

fn respond(encoded: Encoded) -> Response {
    let mut response = Response::new(Body::from(encoded.body));
    *response.status_mut() = StatusCode::from_u16(encoded.status).unwrap_or_default();
    let headers = response.headers_mut();
    // Exactly so, without a charset: some clients compare it (`protocol.md`, trap 1).
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = encoded.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
