//! The panel faces: `/api/v2`, and `/perfectPanel` in Streamrise's dialect. Calls are read alike; a face decides the
//! dialect that they are answered in.

mod bodies;
mod commands;
mod meters;

use std::{net::SocketAddr, sync::Arc};

use arc_swap::ArcSwap;
use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use interline_domain::Currency;
use interline_orders::{Caller, Gateway, Traceparent};
use interline_panel_protocol::{Dialect, Encoded, HttpStatus, Incoming, Key, Parsed, Refused, Reply, encode, parse};
use moka::sync::Cache;
use tracing::{Instrument as _, Span, field::Empty};

use self::{
    bodies::Bodies,
    meters::{Begun, Meters},
};
use crate::{
    ApiSettings,
    client::Client,
    limits::{self, Limits},
};

/// Price lists kept in memory, one per version, currency, discount and dialect.
const PRICE_LISTS_MAX: u64 = 64;

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
    limits: ArcSwap<Limits>,
    settings: ArcSwap<PanelSettings>,
    bodies: Bodies,
    meters: Meters,
    price_lists: Cache<(i64, Currency, String, Dialect), Arc<[u8]>>,
}

/// Where a call came in.
#[derive(Debug, Clone, Copy)]
enum Face {
    ApiV2,
    PerfectPanel,
}

impl Face {
    /// The name that its calls are counted and traced under.
    const fn name(self) -> &'static str {
        match self {
            Self::ApiV2 => "api_v2",
            Self::PerfectPanel => "perfect_panel",
        }
    }

    /// The dialect of its answers: the face's own, else the key's, else the configured one.
    fn dialect(self, configured: Dialect, of_key: Option<&str>) -> Dialect {
        match self {
            Self::ApiV2 => of_key.and_then(Dialect::from_name).unwrap_or(configured),
            Self::PerfectPanel => Dialect::Streamrise,
        }
    }
}

/// What holds for a call from its beginning to its end, whatever is reloaded meanwhile.
struct Rules {
    face: Face,
    settings: PanelSettings,
    limits: Arc<Limits>,
    /// The trace that the caller asks in, if it told one.
    trace: Option<Traceparent>,
}

impl Rules {
    /// The dialect of an answer to this caller, or to one who is not known.
    fn dialect(&self, caller: Option<&Caller>) -> Dialect {
        self.face.dialect(self.settings.dialect, caller.and_then(|caller| caller.dialect.as_deref()))
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
    /// Needs a runtime around it.
    pub(crate) fn new(gateway: Arc<Gateway>, settings: ApiSettings) -> Self {
        Self {
            gateway,
            limits: ArcSwap::new(limits::start(settings.limits)),
            settings: ArcSwap::from_pointee(settings.panel),
            bodies: Bodies::new(),
            meters: Meters::new(),
            price_lists: Cache::new(PRICE_LISTS_MAX),
        }
    }

    /// Takes other settings for the calls to come. Limits that are the same go on; others begin with full buckets.
    pub(crate) fn reload(&self, settings: ApiSettings) {
        self.settings.store(Arc::new(settings.panel));
        if *self.limits.load().settings() != settings.limits {
            self.limits.store(limits::start(settings.limits));
        }
    }

    async fn answer(&self, face: Face, peer: SocketAddr, request: Request) -> Response {
        let trace = traceparent(request.headers());
        let span = tracing::info_span!(
            "request",
            face = face.name(),
            action = Empty,
            result = Empty,
            status = Empty,
            otel.kind = "server"
        );
        self.gateway.continue_trace(&span, trace.as_ref());
        let rules = Rules { face, settings: **self.settings.load(), limits: self.limits.load_full(), trace };
        self.answer_by(&rules, peer, request).instrument(span).await
    }

    async fn answer_by(&self, rules: &Rules, peer: SocketAddr, request: Request) -> Response {
        let begun = self.meters.begin(rules.face);
        let mut action = meters::action(None);
        let (head, body) = request.into_parts();
        if !matches!(head.method, Method::GET | Method::POST) {
            // A HEAD or a PUT that placed an order would surprise everybody.
            return noted(begun, action, "bad_request", wrong_method());
        }
        let client = rules.limits.client(peer.ip(), &head.headers);
        // Counted before anything is read: what is asked for decides only how a refusal is said.
        let counted = rules.limits.call(client);
        let (reply, dialect) = match self.bodies.read(body, rules.settings.request_body_bytes_max).await {
            Ok(body) => {
                let query = head.uri.query().unwrap_or_default();
                let parsed = parse(&incoming(&head.headers, query, &body.bytes));
                action = meters::action(Some(&parsed.command));
                match counted {
                    Ok(()) => self.reply(rules, client, parsed).await,
                    Err(refused) => (said(refused, parsed.asks_status), rules.dialect(None)),
                }
            }
            Err(refused) => (Reply::Refused(refused), rules.dialect(None)),
        };
        let response = match &reply {
            // Every customer shares one list: a copy each would be much, for as long as slow clients take to read it.
            Reply::Services(list) => json(Bytes::from_owner(Arc::clone(list)).into()),
            _ => respond(encode(&reply, dialect, rules.settings.http_status)),
        };
        noted(begun, action, meters::result(&reply), response)
    }

    async fn reply(&self, rules: &Rules, client: Client, parsed: Parsed) -> (Reply, Dialect) {
        let of_face = rules.dialect(None);
        let key = match parsed.key {
            Key::One(key) => key,
            // The key may stand in what could not be read: what is wrong with that helps more than "no key".
            Key::Absent if parsed.unreadable => {
                return (Reply::Refused(parsed.command.err().unwrap_or(Refused::InvalidKey)), of_face);
            }
            Key::Absent | Key::Conflict => return (Reply::Refused(Refused::InvalidKey), of_face),
        };
        let caller = match self.caller(&rules.limits, client, &key).await {
            Ok(caller) => caller,
            Err(refused) => return (said(refused, parsed.asks_status), of_face),
        };
        let dialect = rules.dialect(Some(&caller));
        let reply = match (rules.limits.right_key(client, &key), parsed.command) {
            (Err(refused), _) => said(refused, parsed.asks_status),
            (Ok(()), Ok(command)) if caller.read_only && command.changes() => {
                Reply::Refused(Refused::BadRequest("this key may only read".to_owned()))
            }
            (Ok(()), Ok(command)) => {
                let done = self.run(&caller.account, dialect, command, rules.trace.as_ref()).await;
                done.unwrap_or_else(|refused| said(refused, parsed.asks_status))
            }
            (Ok(()), Err(refused)) => Reply::Refused(refused),
        };
        (reply, dialect)
    }

    async fn caller(&self, limits: &Limits, client: Client, key: &str) -> Result<Caller, Refused> {
        limits.may_try(client, key)?;
        let caller = self.gateway.authenticate(key).await.map_err(commands::later)?;
        caller.ok_or_else(|| limits.wrong_key(client))
    }
}

/// A refusal, as it may be said to a call that asks for a status or does not.
fn said(refused: Refused, asks_status: bool) -> Reply {
    Reply::Refused(refused.said_to(asks_status))
}

/// Counts an answer, and notes it in the trace.
fn noted(begun: Begun<'_>, action: &str, result: &str, response: Response) -> Response {
    let span = Span::current();
    span.record("action", action).record("result", result).record("status", i64::from(response.status().as_u16()));
    begun.answered(action, result);
    response
}

/// The trace that a caller asks in. Of two nobody can tell which, and a malformed one is none.
fn traceparent(headers: &HeaderMap) -> Option<Traceparent> {
    let mut told = headers.get_all("traceparent").iter();
    let one = told.next()?.to_str().ok()?;
    if told.next().is_some() { None } else { Traceparent::parse(one) }
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
    let mut response = json(encoded.body.into());
    *response.status_mut() = StatusCode::from_u16(encoded.status).unwrap_or_default();
    if let Some(seconds) = encoded.retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn json(body: Body) -> Response {
    let mut response = Response::new(body);
    // Exactly so, without a charset: some clients compare it (`protocol.md`, trap 1).
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
