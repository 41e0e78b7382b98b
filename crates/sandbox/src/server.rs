//! The sandbox's HTTP side: connections that can be dropped at any point, the panel's address and the control
//! addresses.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    fault::Fault,
    panel::error,
    reply::{Answer, End},
    sandbox::Shared,
    wire,
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
    let of_requests = Arc::clone(shared);
    let service = service_fn(move |request| handle(Arc::clone(&of_requests), request));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new());
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
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

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, HangUp> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return Ok(Answer::json(StatusCode::PAYLOAD_TOO_LARGE, &error("Request too large")).into_response());
    };
    let body = body.to_bytes();
    match head.uri.path() {
        "/api/v2" | "/api/v2/" => panel_call(&shared, &head, &body).await,
        path => Ok(control(&shared, &head.method, path, &body).into_response()),
    }
}

async fn panel_call(shared: &Shared, head: &Parts, body: &[u8]) -> Result<Response<Full<Bytes>>, HangUp> {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = text(CONTENT_TYPE.as_str()).unwrap_or_default();
    let fields = wire::fields(head.uri.query().unwrap_or_default(), content_type, body);
    let traceparent = text("traceparent").filter(|told| told.len() <= TRACEPARENT_BYTES_MAX).map(str::to_owned);
    let reply = shared.call(&fields, traceparent);
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    match reply.end {
        End::Answer(answer) => Ok(answer.into_response()),
        End::Drop => Err(HangUp),
        End::Hang => std::future::pending().await,
    }
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
