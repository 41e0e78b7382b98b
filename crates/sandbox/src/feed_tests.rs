//! The push feed on a real socket: who is admitted, what is told, and each fault.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use super::{HUGE_BYTES, Value, json};
use crate::{Adapter, Config, Fault, FaultKind, Life, Sandbox};

const PATIENCE: Duration = Duration::from_secs(10);

/// Long enough for several batches.
const QUIET: Duration = Duration::from_millis(700);

struct Client(WebSocketStream<TcpStream>);

impl Client {
    async fn open(sandbox: &Sandbox) -> Self {
        let stream = TcpStream::connect(sandbox.addr()).await.unwrap();
        let (socket, _) = client_async(format!("ws://{}/", sandbox.addr()), stream).await.unwrap();
        let mut client = Self(socket);
        assert_eq!(client.hear().await["event"], "socketClientId");
        client
    }

    /// One that has been admitted and has subscribed to everything.
    async fn subscribed(sandbox: &Sandbox) -> Self {
        let mut client = Self::open(sandbox).await;
        client.say(json!({ "key": "k" })).await;
        assert_eq!(client.hear().await["event"], "auth");
        client.say(json!({ "event": "subscribe", "thread": "ordersUpdates" })).await;
        assert_eq!(client.hear().await, json!({ "event": "subscribe", "message": "subscribed to ordersUpdates" }));
        client
    }

    async fn say(&mut self, said: Value) {
        self.0.send(Message::text(said.to_string())).await.unwrap();
    }

    /// The next message that is no ping; nothing when the socket was closed.
    async fn next(&mut self) -> Option<Message> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.unwrap() {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(message)) => return Some(message),
            }
        }
    }

    /// The next text as JSON; null when the socket was closed or it is none.
    async fn hear(&mut self) -> Value {
        match self.next().await {
            Some(Message::Text(text)) => serde_json::from_str(text.as_str()).unwrap_or_default(),
            _ => Value::Null,
        }
    }
}

async fn start(feed_sockets: u32, faults: Vec<Fault>) -> Sandbox {
    let config = Config {
        key: "k".to_owned(),
        life: Life { start_ms: u64::MAX, finish_ms: u64::MAX },
        feed_sockets,
        faults,
        ..Config::of(Adapter::Streamrise, 100)
    };
    Sandbox::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap()
}

fn fault(kind: FaultKind, count: u32) -> Fault {
    Fault { action: "feed".to_owned(), kind, count, delay_ms: 0 }
}

/// Makes an order by the native face; their ids rise from 1001.
async fn order(sandbox: &Sandbox) {
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    let path = "/api/newOrder?key=k&service=twitchViewers&channel=a&amount=100";
    let request = format!("GET {path} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.contains("orderId"), "{answer}");
}

#[tokio::test]
async fn who_gives_the_key_is_admitted_and_subscribes() {
    let sandbox = start(4, Vec::new()).await;
    let mut client = Client::open(&sandbox).await;
    let no_auth = json!({ "event": "no auth" });
    client.say(json!({ "event": "subscribe", "thread": "ordersUpdates" })).await;
    assert_eq!(client.hear().await, no_auth);
    client.say(json!({ "key": "other" })).await;
    assert_eq!(client.hear().await, no_auth);
    client.say(json!({ "key": "k" })).await;
    let admitted = json!({ "event": "auth", "message": "Authenticated", "socketsLeft": 3 });
    assert_eq!(client.hear().await, admitted);
    client.say(json!({ "event": "subscribe", "thread": "chat" })).await;
    assert_eq!(client.hear().await["event"], "error");
    assert_eq!(sandbox.feed_sockets(), 0);
    client.say(json!({ "event": "subscribe", "thread": "ordersUpdates" })).await;
    assert_eq!(client.hear().await["event"], "subscribe");
    assert_eq!(sandbox.feed_sockets(), 1);
    client.0.send(Message::Ping(Bytes::from_static(b"x"))).await.unwrap();
    let pong = async {
        loop {
            match client.0.next().await {
                Some(Ok(Message::Pong(_))) => return true,
                Some(Ok(_)) => {}
                _ => return false,
            }
        }
    };
    assert!(timeout(PATIENCE, pong).await.unwrap());
    let calls = sandbox.journal().calls;
    assert_eq!(calls.iter().filter(|call| call.action == "feed").count(), 2, "once for each key");
}

#[tokio::test]
async fn what_changes_is_told_in_batches() {
    let sandbox = start(4, Vec::new()).await;
    let mut all = Client::subscribed(&sandbox).await;
    order(&sandbox).await;
    let news = all.hear().await;
    assert_eq!((&news["event"], &news["thread"]), (&json!("threadMessage"), &json!("ordersUpdates")));
    assert_eq!(news["message"]["orders"]["1001"]["status"], "active");
    order(&sandbox).await;
    assert!(all.hear().await["message"]["orders"]["1002"].is_object());

    let mut one = Client::open(&sandbox).await;
    one.say(json!({ "key": "k" })).await;
    assert_eq!(one.hear().await["socketsLeft"], 2);
    one.say(json!({ "event": "subscribe", "thread": "orderUpdatesByOrderId", "orderId": 1_002 })).await;
    assert_eq!(one.hear().await["message"], "subscribed to orderUpdatesByOrderId");
    sandbox.progress("1001", "Partial", Some(40));
    let changed = json!({ "1001": { "status": "partial", "remains": 40 } });
    assert_eq!(all.hear().await["message"]["orders"], changed);
    sandbox.progress("1002", "Completed", None);
    let news = one.hear().await;
    let changed = json!({ "1002": { "status": "completed", "remains": 0 } });
    assert_eq!((&news["thread"], &news["message"]["orders"]), (&json!("orderUpdatesByOrderId"), &changed));

    sandbox.push("{\"event\":\"anything\"}");
    assert_eq!(one.hear().await["event"], "anything");
    one.say(json!({ "event": "unsubscribe", "thread": "orderUpdatesByOrderId" })).await;
    assert_eq!(one.hear().await["event"], "unsubscribe");
    assert_eq!(sandbox.feed_sockets(), 1);
}

#[tokio::test]
async fn a_key_has_so_many_sockets_and_no_more() {
    let sandbox = start(1, Vec::new()).await;
    let first = Client::subscribed(&sandbox).await;
    let mut second = Client::open(&sandbox).await;
    second.say(json!({ "key": "k" })).await;
    let too_many = json!({ "event": "too many", "message": "Too many sockets connected for this client" });
    assert_eq!(second.hear().await, too_many);
    assert_eq!(second.next().await, None);
    drop(first);
    let freed = async {
        while sandbox.feed_sockets() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, freed).await.unwrap();
    Client::subscribed(&sandbox).await;
}

#[tokio::test]
async fn a_fault_turns_away_who_asks() {
    let faults = vec![fault(FaultKind::TooManyRequests, 1), fault(FaultKind::Refusal, 1)];
    let sandbox = start(4, faults).await;
    let mut client = Client::open(&sandbox).await;
    client.say(json!({ "key": "k" })).await;
    assert_eq!(client.hear().await["event"], "too many");
    assert_eq!(client.next().await, None);
    let mut client = Client::open(&sandbox).await;
    client.say(json!({ "key": "k" })).await;
    assert_eq!(client.hear().await["event"], "no auth");
    client.say(json!({ "key": "k" })).await;
    assert_eq!(client.hear().await["socketsLeft"], 3);
    let met: Vec<_> = sandbox.journal().calls.into_iter().map(|call| call.fault).collect();
    assert_eq!(met, [Some("too_many_requests".to_owned()), Some("refusal".to_owned()), None]);
}

#[tokio::test]
async fn a_socket_is_dropped_at_once_or_as_soon_as_it_subscribes() {
    let sandbox = start(4, Vec::new()).await;
    let mut client = Client::subscribed(&sandbox).await;
    sandbox.add_fault(fault(FaultKind::TakeAndDrop, 2));
    assert_eq!(client.next().await, None);
    let mut client = Client::subscribed(&sandbox).await;
    assert_eq!(client.next().await, None);
    let mut client = Client::subscribed(&sandbox).await;
    order(&sandbox).await;
    assert!(client.hear().await["message"]["orders"]["1001"].is_object());
}

#[tokio::test]
async fn a_silent_socket_stays_open_without_a_word() {
    let sandbox = start(1, Vec::new()).await;
    let mut client = Client::subscribed(&sandbox).await;
    sandbox.add_fault(fault(FaultKind::TakeAndHang, 1));
    let silent = async {
        while sandbox.feed_sockets() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, silent).await.unwrap();
    client.0.send(Message::Ping(Bytes::new())).await.unwrap();
    order(&sandbox).await;
    timeout(QUIET, client.0.next()).await.unwrap_err();
    // Its seat is free again, and its end is that of the sandbox.
    Client::subscribed(&sandbox).await;
    timeout(PATIENCE, sandbox.stop()).await.unwrap();
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn garbage_and_a_huge_frame_come_in_place_of_the_news() {
    let sandbox = start(4, Vec::new()).await;
    let mut client = Client::subscribed(&sandbox).await;
    sandbox.add_fault(fault(FaultKind::Garbage, 1));
    assert!(matches!(client.next().await, Some(Message::Text(text)) if serde_json::from_str::<Value>(&text).is_err()));
    assert!(matches!(client.next().await, Some(Message::Binary(_))));
    sandbox.add_fault(fault(FaultKind::Huge, 1));
    assert!(matches!(client.next().await, Some(Message::Text(text)) if text.len() == HUGE_BYTES));
    order(&sandbox).await;
    assert!(client.hear().await["message"]["orders"]["1001"].is_object());
}

#[tokio::test]
async fn a_fault_of_the_connection_closes_sockets_and_the_rest_cannot_happen_to_them() {
    let sandbox = start(4, Vec::new()).await;
    let mut client = Client::subscribed(&sandbox).await;
    sandbox.add_fault(Fault { action: "*".to_owned(), ..fault(FaultKind::RefuseConnection, 0) });
    assert_eq!(client.next().await, None);
    sandbox.clear_faults();
    // A fault of every action is none of the feed's.
    sandbox.add_fault(Fault { action: "*".to_owned(), ..fault(FaultKind::TakeAndDrop, 0) });
    let mut client = Client::subscribed(&sandbox).await;
    sandbox.push("{\"event\":\"anything\"}");
    assert_eq!(client.hear().await["event"], "anything");
    let config = Config { faults: vec![fault(FaultKind::Html, 1)], ..Config::of(Adapter::Streamrise, 100) };
    assert!(Sandbox::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).await.is_err());
}

#[tokio::test]
async fn only_a_socket_is_let_in() {
    let sandbox = start(4, Vec::new()).await;
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\nUpgrade: h2c\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
