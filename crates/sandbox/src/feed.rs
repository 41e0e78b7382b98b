//! Streamrise's push feed (seed, "Real-time"): a WebSocket at the origin that wants the key first and then tells which
//! orders changed, in batches. The seed does not say how one order is named to `orderUpdatesByOrderId`: `orderId` here.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::extract::{
    FromRequestParts as _,
    ws::{Message, WebSocket, WebSocketUpgrade},
};
use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};
use http_body_util::Full;
use serde_json::{Map, Value, json};
use tokio::{
    sync::{
        OwnedSemaphorePermit, Semaphore,
        broadcast::{self, error::RecvError},
    },
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{face::error, fault::FaultKind, reply::Answer, sandbox::Shared};

/// "Batched roughly every 250 ms".
const BATCH: Duration = Duration::from_millis(250);

/// How often an open socket is pinged.
const PING: Duration = Duration::from_secs(15);

/// The most sockets at a time, admitted or not.
const SOCKETS_MAX: usize = 1_024;

/// The largest message that is read.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// The most frames that wait for a socket; the oldest are lost first.
const WAITING_MAX: usize = 1_024;

/// The length of a frame that is too long.
const HUGE_BYTES: usize = 10 << 20;

/// A text that says nothing, and bytes that are none.
const CUT_OFF: &str = "{\"event\":\"threadMessage\",";
const NO_TEXT: &[u8] = b"\x00\xff\xfe{";

/// The news of all orders, and of one.
const THREADS: [&str; 2] = ["ordersUpdates", "orderUpdatesByOrderId"];

/// The feed of an upstream.
pub(crate) struct Feed {
    /// Heard by every socket that has subscribed.
    pushed: broadcast::Sender<Pushed>,
    /// One for each socket that the key may have.
    seats: Arc<Semaphore>,
    /// One for each socket.
    sockets: Arc<Semaphore>,
    opened: AtomicU64,
}

/// What is pushed to the sockets that have subscribed.
#[derive(Clone)]
pub(crate) enum Pushed {
    /// Orders that changed, with the fields that did.
    News(Arc<BTreeMap<u64, Value>>),
    /// A text, as it is.
    Frame(Arc<str>),
    /// There may be a fault to meet.
    Fault,
}

impl Feed {
    /// A feed of which a key may have so many sockets.
    pub(crate) fn new(sockets_max: u32) -> Self {
        let seats = usize::try_from(sockets_max).unwrap_or(SOCKETS_MAX).min(SOCKETS_MAX);
        Self {
            pushed: broadcast::Sender::new(WAITING_MAX),
            seats: Arc::new(Semaphore::new(seats)),
            sockets: Arc::new(Semaphore::new(SOCKETS_MAX)),
            opened: AtomicU64::new(0),
        }
    }

    /// Pushes something to whoever has subscribed.
    pub(crate) fn push(&self, pushed: Pushed) {
        // An error says that nobody has.
        let _ = self.pushed.send(pushed);
    }

    /// How many sockets have subscribed.
    pub(crate) fn subscribed(&self) -> usize {
        self.pushed.receiver_count()
    }
}

/// Pushes the news, batch by batch, until the sandbox is stopped.
pub(crate) async fn beat(shared: Arc<Shared>) {
    let mut beats = interval(BATCH);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beats.tick() => {}
            () = shared.stopped.cancelled() => return,
        }
        let news = shared.news();
        if !news.is_empty() {
            shared.feed.push(Pushed::News(Arc::new(news)));
        }
    }
}

/// Makes a socket of a connection.
pub(crate) async fn open(shared: &Arc<Shared>, mut head: Parts, retired: CancellationToken) -> Response<Full<Bytes>> {
    let Ok(slot) = Arc::clone(&shared.feed.sockets).try_acquire_owned() else {
        return Answer::json(StatusCode::SERVICE_UNAVAILABLE, &error("Too many sockets")).into_response();
    };
    let upgrade: Result<WebSocketUpgrade, _> = WebSocketUpgrade::from_request_parts(&mut head, &()).await;
    match upgrade {
        Ok(upgrade) => {
            let shared = Arc::clone(shared);
            let upgraded = upgrade.max_message_size(MESSAGE_BYTES_MAX).on_upgrade(move |socket| {
                let tasks = shared.tasks.clone();
                tasks.track_future(async move {
                    serve(&shared, socket, &retired).await;
                    drop(slot);
                })
            });
            upgraded.map(|_| Full::default())
        }
        Err(rejection) => Answer::json(StatusCode::BAD_REQUEST, &error(&rejection.to_string())).into_response(),
    }
}

/// Serves a socket until its client goes or a fault ends it, the sandbox is stopped, or connections are to be closed.
async fn serve(shared: &Shared, mut socket: WebSocket, retired: &CancellationToken) {
    tokio::select! {
        () = talk(shared, &mut socket) => {}
        () = retired.cancelled() => {}
        () = shared.stopped.cancelled() => {}
    }
}

async fn talk(shared: &Shared, socket: &mut WebSocket) {
    let number = shared.feed.opened.fetch_add(1, Ordering::Relaxed) + 1;
    let mut client = Client::default();
    let mut flow = say(socket, &json!({ "event": "socketClientId", "socketClientId": number })).await;
    let mut pings = interval(PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.tick().await;
    while flow == Flow::On {
        flow = tokio::select! {
            heard = socket.recv() => match heard {
                Some(Ok(message)) => client.hear(shared, socket, message).await,
                _ => Flow::End,
            },
            pushed = next(&mut client.news) => client.pass_on(shared, socket, pushed).await,
            _ = pings.tick() => send(socket, Message::Ping(Bytes::new())).await,
        };
    }
    if flow == Flow::Silence {
        // What it had is free again; only the socket stays.
        drop(client);
        std::future::pending::<()>().await;
    }
}

/// How a socket goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// As before.
    On,
    /// Not at all.
    End,
    /// Open, and without a word or an ear.
    Silence,
}

/// What is known of a socket's client.
#[derive(Default)]
struct Client {
    /// Its seat, once it was admitted.
    seat: Option<OwnedSemaphorePermit>,
    /// What is pushed, once it has subscribed.
    news: Option<broadcast::Receiver<Pushed>>,
    /// The only order that it wants news of.
    order: Option<String>,
}

impl Client {
    async fn hear(&mut self, shared: &Shared, socket: &mut WebSocket, message: Message) -> Flow {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Flow::End,
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => return Flow::On,
        };
        let said: Value = serde_json::from_str(text.as_str()).unwrap_or_default();
        if let Some(key) = said["key"].as_str() {
            return self.knock(shared, socket, key).await;
        }
        if self.seat.is_none() {
            return no_auth(socket).await;
        }
        let thread = said["thread"].as_str().unwrap_or_default();
        match said["event"].as_str() {
            Some("subscribe") if THREADS.contains(&thread) => {
                self.order = (thread == THREADS[1]).then(|| plain(&said["orderId"]));
                self.news.get_or_insert_with(|| shared.feed.pushed.subscribe());
                let told = json!({ "event": "subscribe", "message": format!("subscribed to {thread}") });
                match say(socket, &told).await {
                    Flow::On => meet(shared, socket, None).await,
                    flow => flow,
                }
            }
            Some("unsubscribe") => {
                self.news = None;
                say(socket, &json!({ "event": "unsubscribe", "message": format!("unsubscribed from {thread}") })).await
            }
            _ => say(socket, &json!({ "event": "error", "message": "unknown event or thread" })).await,
        }
    }

    /// Asks to be admitted.
    async fn knock(&mut self, shared: &Shared, socket: &mut WebSocket, key: &str) -> Flow {
        let (is_ours, fault) = shared.admit(key);
        if let Some(fault) = &fault {
            tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
        }
        match fault.map(|fault| fault.kind) {
            Some(FaultKind::TooManyRequests) => return too_many(socket).await,
            Some(_) => return no_auth(socket).await,
            None if !is_ours => return no_auth(socket).await,
            None => {}
        }
        if self.seat.is_none() {
            self.seat = Arc::clone(&shared.feed.seats).try_acquire_owned().ok();
        }
        if self.seat.is_none() {
            return too_many(socket).await;
        }
        let left = shared.feed.seats.available_permits();
        say(socket, &json!({ "event": "auth", "message": "Authenticated", "socketsLeft": left })).await
    }

    async fn pass_on(&self, shared: &Shared, socket: &mut WebSocket, pushed: Pushed) -> Flow {
        match pushed {
            Pushed::Frame(frame) => send(socket, Message::Text((&*frame).into())).await,
            Pushed::Fault => meet(shared, socket, None).await,
            Pushed::News(news) => match self.message(&news) {
                Some(message) => meet(shared, socket, Some(message)).await,
                None => Flow::On,
            },
        }
    }

    /// The news that this client wants.
    fn message(&self, news: &BTreeMap<u64, Value>) -> Option<Value> {
        let all = news.iter().map(|(number, changed)| (number.to_string(), changed.clone()));
        let wanted = all.filter(|(number, _)| self.order.as_ref().is_none_or(|only| only == number));
        let orders: Map<String, Value> = wanted.collect();
        let thread = THREADS[usize::from(self.order.is_some())];
        (!orders.is_empty())
            .then(|| json!({ "event": "threadMessage", "thread": thread, "message": { "orders": orders } }))
    }
}

/// Sends what there is to send, unless there is a fault to meet.
async fn meet(shared: &Shared, socket: &mut WebSocket, message: Option<Value>) -> Flow {
    let fault = shared.disturb();
    if let Some(fault) = &fault {
        tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    }
    match (fault.map(|fault| fault.kind), message) {
        (Some(FaultKind::TakeAndDrop), _) => Flow::End,
        (Some(FaultKind::TakeAndHang), _) => Flow::Silence,
        (Some(FaultKind::Huge), _) => send(socket, Message::Text("x".repeat(HUGE_BYTES).into())).await,
        (Some(_), _) => match send(socket, Message::Text(CUT_OFF.into())).await {
            Flow::On => send(socket, Message::Binary(Bytes::from_static(NO_TEXT))).await,
            flow => flow,
        },
        (None, Some(message)) => say(socket, &message).await,
        (None, None) => Flow::On,
    }
}

/// The next thing that is pushed; never, to a client that has not subscribed.
async fn next(news: &mut Option<broadcast::Receiver<Pushed>>) -> Pushed {
    let Some(news) = news else { return std::future::pending().await };
    loop {
        match news.recv().await {
            Ok(pushed) => return pushed,
            // What it missed it has missed.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending::<()>().await,
        }
    }
}

async fn no_auth(socket: &mut WebSocket) -> Flow {
    say(socket, &json!({ "event": "no auth" })).await
}

async fn too_many(socket: &mut WebSocket) -> Flow {
    let told = json!({ "event": "too many", "message": "Too many sockets connected for this client" });
    if say(socket, &told).await == Flow::On {
        send(socket, Message::Close(None)).await;
    }
    Flow::End
}

async fn say(socket: &mut WebSocket, said: &Value) -> Flow {
    send(socket, Message::Text(said.to_string().into())).await
}

async fn send(socket: &mut WebSocket, message: Message) -> Flow {
    if socket.send(message).await.is_ok() { Flow::On } else { Flow::End }
}

/// An id as text.
fn plain(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
