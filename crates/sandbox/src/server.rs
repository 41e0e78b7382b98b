//! The sandbox's HTTP side: connections that can be dropped at any point, the panel's address and the control
//! addresses.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{LOCATION, UPGRADE},
    request::Parts,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::{net::TcpStream, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    call::{self, Call},
    config::Adapter,
    face::error,
    fault::Fault,
    feed,
    reply::{Answer, End},
    sandbox::Shared,
};

/// The largest request body: 4 MiB.
const BODY_BYTES_MAX: usize = 4 << 20;

/// The longest `traceparent` that is remembered of a call; one of today has 55 characters.
const TRACEPARENT_BYTES_MAX: usize = 256;

/// The most connections at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1_024;

/// Where orders are scripted; the id follows.
const ORDERS: &str = "/__orders/";

/// Where refills are scripted; the id follows.
const REFILLS: &str = "/__refills/";

/// The pause after a connection that could not be accepted, for example because all file descriptors are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves connections until the sandbox is stopped.
pub(crate) async fn serve(shared: Arc<Shared>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = shared.door.accept() => accepted,
            () = shared.stopped.cancelled() => return,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (dropped_after, retired) = shared.greet();
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let of_connection = Arc::clone(&shared);
        shared.tasks.spawn(async move {
            match dropped_after {
                Some(delay) => of_connection.unless_stopped(tokio::time::sleep(delay)).await,
                None => connection(&of_connection, stream, retired).await,
            }
            drop(slot);
        });
    }
}

/// A script for one order, as `POST /__orders/{id}` takes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    /// The status word that it reports from now on.
    pub(crate) status: Option<String>,
    /// What it reports as remaining; needs a status.
    pub(crate) remains: Option<i64>,
    /// What it reports as its charge.
    pub(crate) charge: Option<String>,
    /// What every answer about it says in these fields, whatever is true.
    #[serde(default)]
    pub(crate) tell: Map<String, Value>,
}

/// A script for one refill, as `POST /__refills/{id}` takes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefillScript {
    /// The status word that it reports from now on.
    status: String,
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hung up on purpose")
    }
}

impl std::error::Error for HangUp {}

/// Serves one connection until its client goes, the sandbox is stopped, or, between two requests, it is `retired`.
async fn connection(shared: &Arc<Shared>, stream: TcpStream, retired: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "answers may be late");
    }
    let (of_requests, of_sockets) = (Arc::clone(shared), retired.clone());
    let service = service_fn(move |request| handle(Arc::clone(&of_requests), request, of_sockets.clone()));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new());
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let mut retiring = false;
    loop {
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = retired.cancelled(), if !retiring => {
                served.as_mut().graceful_shutdown();
                retiring = true;
            }
            () = shared.stopped.cancelled() => return,
        }
    }
}

async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    retired: CancellationToken,
) -> Result<Response<Full<Bytes>>, HangUp> {
    let (head, body) = request.into_parts();
    let is_socket = head.uri.path() == "/" && head.headers.contains_key(UPGRADE);
    if shared.adapter == Adapter::Streamrise && is_socket {
        return Ok(feed::open(&shared, head, retired).await);
    }
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return Ok(Answer::json(StatusCode::PAYLOAD_TOO_LARGE, &error("Request too large")).into_response());
    };
    let body = body.to_bytes();
    match call::read(shared.adapter, &head, &body) {
        Some(call) => answer(&shared, &head, &call).await,
        None => Ok(control(&shared, &head.method, head.uri.path(), &body).into_response()),
    }
}

async fn answer(shared: &Shared, head: &Parts, call: &Call) -> Result<Response<Full<Bytes>>, HangUp> {
    let told = Some(call::header(head, "traceparent"));
    let traceparent = told.filter(|told| (1..=TRACEPARENT_BYTES_MAX).contains(&told.len())).map(str::to_owned);
    let reply = shared.call(call, traceparent);
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    match reply.end {
        End::Answer(answer) => Ok(led_back(shared, head, answer.into_response())),
        End::Drop => Err(HangUp),
        End::Hang => std::future::pending().await,
    }
}

/// A redirect leads here under another host name: whoever follows it is seen to.
fn led_back(shared: &Shared, head: &Parts, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let address = format!("http://localhost:{}{}", shared.door.addr().port(), head.uri);
    if let Some(address) = HeaderValue::try_from(address).ok().filter(|_| response.status().is_redirection()) {
        response.headers_mut().insert(LOCATION, address);
    }
    response
}

/// The addresses by which a sandbox process is watched and scripted; they need no key.
fn control(shared: &Arc<Shared>, method: &Method, path: &str, body: &[u8]) -> Answer {
    match (method, path) {
        (&Method::GET, "/__journal") => Answer::json(StatusCode::OK, &json!(shared.journal())),
        (&Method::GET, "/__faults") => faults(shared),
        (&Method::POST, "/__faults") => match serde_json::from_slice::<Fault>(body) {
            Ok(fault) => shared.add_fault(fault).map_or_else(|text| refused(&text), |()| faults(shared)),
            Err(error) => refused(&error.to_string()),
        },
        (&Method::DELETE, "/__faults") => {
            shared.clear_faults();
            faults(shared)
        }
        (&Method::POST, path) if path.starts_with(ORDERS) => order(shared, &path[ORDERS.len()..], body),
        (&Method::POST, path) if path.starts_with(REFILLS) => refill(shared, &path[REFILLS.len()..], body),
        _ => Answer::json(StatusCode::NOT_FOUND, &error("Not found")),
    }
}

fn order(shared: &Shared, id: &str, body: &[u8]) -> Answer {
    match serde_json::from_slice::<Script>(body) {
        Ok(script) => match shared.script(id, &script) {
            Ok(order) => Answer::json(StatusCode::OK, &json!(order)),
            Err(text) => refused(&text),
        },
        Err(error) => refused(&error.to_string()),
    }
}

fn refill(shared: &Shared, id: &str, body: &[u8]) -> Answer {
    match serde_json::from_slice::<RefillScript>(body) {
        Ok(script) => match shared.script_refill(id, &script.status) {
            Ok(refill) => Answer::json(StatusCode::OK, &json!(refill)),
            Err(text) => refused(&text),
        },
        Err(error) => refused(&error.to_string()),
    }
}

fn faults(shared: &Shared) -> Answer {
    let faults: Value = json!(shared.faults());
    Answer::json(StatusCode::OK, &faults)
}

fn refused(text: &str) -> Answer {
    Answer::json(StatusCode::BAD_REQUEST, &error(text))
}
