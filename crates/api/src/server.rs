//! The server: takes connections in, as many as there is room for, and closes those that keep it waiting.
//!
//! It speaks HTTP/1 by hyper. axum's own waits for ever for the rest of a request, and takes in whatever comes.

mod pace;

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, extract::ConnectInfo, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;

use self::pace::{Pace, Paced};
use crate::often::Often;

/// Most connections at a time. An idle one costs some kilobytes; what they may ask for is bounded elsewhere.
pub const CONNECTIONS_MAX: usize = 8_192;
/// Most connections at a time that are told that there is no room for them. Still more are closed without a word.
pub const TURNED_AWAY_MAX: usize = 256;
/// The longest that one of those takes.
const TURN_AWAY_WITHIN: Duration = Duration::from_secs(1);
/// Bytes in the head of a request, with the query of a `GET` in it.
const HEAD_BYTES_MAX: usize = 128 << 10;
/// The pause after the system could not give us a connection, most likely because all its files are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is said to a connection there is no room for. What it asks for is not known: the bare code hurts nobody.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
                         content-length: 0\r\nconnection: close\r\n\r\n";

/// Serves `app` on at most `connections_max` connections, until `stop`; then it takes no more, and returns when what they
/// asked for is answered. Handlers are told the address of their connection (`ConnectInfo<SocketAddr>`).
pub async fn serve(listener: TcpListener, app: Router, connections_max: usize, stop: CancellationToken) {
    // Made ready once and not for each request.
    let app: Router = app.with_state(());
    let (rooms, turned_away) = (Arc::new(Semaphore::new(connections_max)), Arc::new(Semaphore::new(TURNED_AWAY_MAX)));
    let (connections, full, failed) = (TaskTracker::new(), Often::new(), Often::new());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Ok(room) = Arc::clone(&rooms).try_acquire_owned() {
                    // Of its own, so that connections do not meet at one lock.
                    let (app, stop) = (app.clone(), stop.child_token());
                    connections.spawn(async move {
                        connection(stream, peer, app, stop).await;
                        drop(room);
                    });
                    continue;
                }
                metrics::counter!("interline_limited_total", "limit" => "busy").increment(1);
                if let Some(times) = full.again() {
                    tracing::warn!(times, connections_max, "no room for more connections");
                }
                if let Ok(room) = Arc::clone(&turned_away).try_acquire_owned() {
                    tokio::spawn(async move {
                        let _ = tokio::time::timeout(TURN_AWAY_WITHIN, turn_away(stream)).await;
                        drop(room);
                    });
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if let Some(times) = failed.again() {
                    tracing::error!(%error, times, "connections could not be taken in");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Serves one connection until its client goes or is too slow. At `stop` it ends with the answer that is under way.
async fn connection(stream: TcpStream, peer: SocketAddr, app: Router, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "answers may be late");
    }
    let pace = Arc::new(Pace::begin(Instant::now()));
    let of_requests = Arc::clone(&pace);
    let service = service_fn(move |mut request: Request<Incoming>| {
        of_requests.request(Instant::now());
        request.extensions_mut().insert(ConnectInfo(peer));
        let (answer, of_answer) = (app.clone().call(request), Arc::clone(&of_requests));
        async move {
            let answer = answer.await;
            of_answer.answered(Instant::now());
            answer
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let mut served = pin!(builder.serve_connection(TokioIo::new(Paced::new(stream, Arc::clone(&pace))), service));
    let mut look = pin!(tokio::time::sleep(pace::LOOK_AGAIN));
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                served.as_mut().graceful_shutdown();
                stopping = true;
            }
            () = look.as_mut() => match pace.may_wait(Instant::now()) {
                Some(left) => look.as_mut().reset(tokio::time::Instant::now() + left),
                None => return,
            },
        }
    }
}

/// Tells a client that there is no room. It is heard out first: an answer before the question, or a connection that is
/// closed over what it still sends, would look like a fault of the network to it.
async fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    let mut unread = [0; 4_096];
    if stream.read(&mut unread).await? > 0 {
        stream.write_all(NO_ROOM).await?;
        stream.shutdown().await?;
        while stream.read(&mut unread).await? > 0 {}
    }
    Ok(())
}

/// Whether only the connection that was about to be made is gone.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
