//! Sockets of feeds against servers on this machine that do what a test has them do.

use std::net::SocketAddr;

use interline_upstream::SecretUrl;
use secrecy::SecretString;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::accept_async;

use super::*;
use crate::LaneSettings;

const KEY: &str = "k3y-that-nobody-sees";

/// A feed of few words, with the key wherever one may stand.
const FEED: Feed = Feed { url, opening, read, ping_ms: 100 };

fn url(endpoint: &Endpoint) -> SecretUrl {
    SecretUrl::from(format!("{}/feed?key={}", endpoint.url, endpoint.key.expose_secret()))
}

fn opening(endpoint: &Endpoint) -> Vec<SecretString> {
    vec![endpoint.key.clone()]
}

fn read(frame: &str) -> Frame {
    match frame.split(' ').collect::<Vec<_>>().as_slice() {
        ["in"] => Frame::Admitted { sockets_left: Some(0), then: vec!["all".to_owned()] },
        ["on"] => Frame::Subscribed,
        ["out"] => Frame::NotAdmitted,
        ["many"] => Frame::TooMany,
        ["news", orders @ ..] => Frame::News(orders.iter().map(|order| (*order).to_owned()).collect()),
        _ => Frame::Nothing,
    }
}

type Served = WebSocketStream<TcpStream>;

/// Opens a feed whose server does `serve` with the socket.
async fn open<F>(serve: impl FnOnce(Served) -> F + Send + 'static) -> FeedSocket
where
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(accept_async(stream).await.unwrap()).await;
    });
    connect(&format!("ws://{address}"), true).await.unwrap()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn connect(url: &str, allow_private_address: bool) -> Result<FeedSocket, FeedError> {
    let settings =
        LaneSettings { requests_per_second: 1, burst: 1, concurrency: 1, timeout_ms: 1, allow_private_address };
    let lane = Lane::new(&"alpha".parse().unwrap(), settings);
    let endpoint = Endpoint { url: url.to_owned(), key: KEY.into() };
    Egress::new().unwrap().open_feed(&lane, FEED, &endpoint).await
}

async fn say(socket: &mut Served, frame: &str) {
    socket.send(Message::text(frame)).await.unwrap();
}

/// Waits for a frame of the client's.
async fn expect(socket: &mut Served, frame: &str) {
    loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            assert_eq!(text.as_str(), frame);
            return;
        }
    }
}

async fn subscribe(socket: &mut Served) {
    expect(socket, KEY).await;
    say(socket, "in").await;
    expect(socket, "all").await;
    say(socket, "on").await;
}

fn news(orders: &[&str]) -> FeedEvent {
    FeedEvent::News(orders.iter().map(|order| (*order).to_owned()).collect())
}

const SUBSCRIBED: Result<FeedEvent, FeedError> = Ok(FeedEvent::Subscribed);

#[tokio::test]
async fn a_feed_is_opened_with_the_key_and_brings_news() {
    let mut feed = open(|mut socket: Served| async move {
        subscribe(&mut socket).await;
        say(&mut socket, "chatter").await;
        say(&mut socket, "news 7 8").await;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!((feed.next().await, feed.next().await), (SUBSCRIBED, Ok(news(&["7", "8"]))));
    assert_eq!(feed.sockets_left(), Some(0));
}

#[tokio::test]
async fn that_it_is_admitted_and_subscribed_is_heard_once() {
    let mut feed = open(|mut socket: Served| async move {
        subscribe(&mut socket).await;
        for frame in ["on", "in", "on", "news 1"] {
            say(&mut socket, frame).await;
        }
        expect(&mut socket, "nothing more").await;
    })
    .await;
    assert_eq!((feed.next().await, feed.next().await), (SUBSCRIBED, Ok(news(&["1"]))));
}

#[tokio::test]
async fn what_ends_a_feed_has_a_name() {
    for (frame, expected) in [("out", FeedError::NotAdmitted), ("many", FeedError::TooMany)] {
        let mut feed = open(move |mut socket: Served| async move {
            expect(&mut socket, KEY).await;
            say(&mut socket, frame).await;
            std::future::pending::<()>().await;
        })
        .await;
        assert_eq!(feed.next().await, Err(expected));
    }
    let mut closed = open(|mut socket: Served| async move {
        expect(&mut socket, KEY).await;
        socket.close(None).await.unwrap();
    })
    .await;
    assert_eq!(closed.next().await, Err(FeedError::Closed));
    let mut dropped = open(|mut socket: Served| async move { expect(&mut socket, KEY).await }).await;
    assert_eq!(dropped.next().await, Err(FeedError::Closed));
}

#[tokio::test]
async fn a_message_that_is_too_large_is_not_read() {
    let mut feed = open(|mut socket: Served| async move {
        subscribe(&mut socket).await;
        // The client hangs up before it has all of it.
        let _ = socket.send(Message::text("x".repeat(10 << 20))).await;
    })
    .await;
    assert_eq!((feed.next().await, feed.next().await), (SUBSCRIBED, Err(FeedError::TooLarge)));
}

#[tokio::test]
async fn a_flood_is_read_slowly() {
    let mut feed = open(|mut socket: Served| async move {
        subscribe(&mut socket).await;
        for _ in 0..6 {
            say(&mut socket, &"x".repeat(FRAME_BYTES_MAX)).await;
        }
        say(&mut socket, "news 1").await;
        std::future::pending::<()>().await;
    })
    .await;
    let began = feed.read_since;
    assert_eq!((feed.next().await, feed.next().await), (SUBSCRIBED, Ok(news(&["1"]))));
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_quiet_feed_is_asked_whether_it_is_there() {
    let mut there = open(|mut socket: Served| async move {
        subscribe(&mut socket).await;
        // Who reads answers pings.
        let mut pings = 0;
        while pings < 3 {
            if socket.next().await.unwrap().unwrap().is_ping() {
                pings += 1;
            }
        }
        say(&mut socket, "news 1").await;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!((there.next().await, there.next().await), (SUBSCRIBED, Ok(news(&["1"]))));
    let mut gone = open(|mut socket: Served| async move {
        subscribe(&mut socket).await;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!((gone.next().await, gone.next().await), (SUBSCRIBED, Err(FeedError::Silent)));
}

#[tokio::test]
async fn what_opens_no_socket_is_told_without_the_key() {
    for (answer, expected) in [
        (
            "HTTP/1.1 302 Found\r\nLocation: ws://elsewhere.example/\r\nContent-Length: 0\r\n\r\n",
            FeedError::NoSocket(302),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", FeedError::NoSocket(200)),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", FeedError::Protocol),
    ] {
        let (listener, address) = listen().await;
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4_096];
            let read = stream.read(&mut asked).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..read]).to_ascii_lowercase()
        });
        let error = connect(&format!("ws://{address}"), true).await.err().unwrap();
        let asked = served.await.unwrap();
        assert!(asked.starts_with("get /feed?key=") && asked.contains("user-agent: interline/"), "{asked}");
        assert_eq!(error, expected);
        assert!(!format!("{error} {error:?}").contains(KEY));
    }
}

#[tokio::test]
async fn a_feed_leads_only_where_it_may() {
    let (listener, address) = listen().await;
    let refused = connect(&format!("ws://{address}"), false).await.err().unwrap();
    assert!(refused.to_string().contains("allow_private_address") && !refused.to_string().contains(KEY), "{refused}");
    let nobody = timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "it was called all the same");
    for address in ["http://127.0.0.1:1", "127.0.0.1", ""] {
        assert_eq!(connect(address, true).await.err(), Some(FeedError::Address), "{address}");
    }
    drop(listener);
    let away = connect(&format!("ws://{address}"), true).await.err().unwrap();
    assert!(matches!(away, FeedError::Network(_)), "{away:?}");
}

#[test]
fn every_kind_of_error_has_a_name_of_its_own() {
    let all = [
        FeedError::Address,
        FeedError::Network(String::new()),
        FeedError::NoSocket(302),
        FeedError::TooLarge,
        FeedError::Protocol,
        FeedError::Silent,
        FeedError::Closed,
        FeedError::NotAdmitted,
        FeedError::TooMany,
    ];
    assert_eq!(all.map(|error| error.name()), FeedError::NAMES);
}
