//! The push feed: a WebSocket at the site's origin, the key as the first message, then a subscription (seed, "Real-time").

use std::collections::BTreeSet;

use interline_upstream::{
    Endpoint, Feed, Frame, SecretUrl,
    feed::FRAME_BYTES_MAX,
    value::{self, field},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// The feed of all orders of a key.
pub(crate) const FEED: Feed = Feed { url, opening, read, ping_ms: 30_000 };

/// The news of all orders, and of one.
const THREADS: [&str; 2] = ["ordersUpdates", "orderUpdatesByOrderId"];

fn url(endpoint: &Endpoint) -> SecretUrl {
    let origin = endpoint.url.trim_end_matches('/');
    let of = |scheme: &str, rest: &str| SecretUrl::from(format!("{scheme}://{rest}/"));
    match origin.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => of("ws", rest),
        Some((_, rest)) => of("wss", rest),
        None => of("wss", origin),
    }
}

fn opening(endpoint: &Endpoint) -> Vec<SecretString> {
    vec![json!({ "key": endpoint.key.expose_secret() }).to_string().into()]
}

fn read(frame: &str) -> Frame {
    let body: Option<Value> =
        Some(frame).filter(|f| f.len() <= FRAME_BYTES_MAX).and_then(|f| serde_json::from_str(f).ok());
    let Some(body) = body.as_ref().and_then(Value::as_object) else { return Frame::Nothing };
    let word = |name| field(body, name).and_then(Value::as_str).unwrap_or_default();
    match word("event") {
        "auth" => Frame::Admitted {
            sockets_left: field(body, "socketsLeft").and_then(value::whole).and_then(|left| u64::try_from(left).ok()),
            then: vec![json!({ "event": "subscribe", "thread": THREADS[0] }).to_string()],
        },
        "subscribe" if word("message").starts_with("subscribed") => Frame::Subscribed,
        "threadMessage" if THREADS.contains(&word("thread")) => news(field(body, "message")),
        "no auth" => Frame::NotAdmitted,
        "too many" => Frame::TooMany,
        _ => Frame::Nothing,
    }
}

/// The orders that a message is about. What it says of them is not read.
fn news(message: Option<&Value>) -> Frame {
    let orders =
        message.and_then(Value::as_object).and_then(|message| field(message, "orders")).and_then(Value::as_object);
    let ids: BTreeSet<String> =
        orders.into_iter().flatten().filter_map(|(id, _)| value::order_id(&id.as_str().into())).collect();
    if ids.is_empty() { Frame::Nothing } else { Frame::News(ids) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint { url: url.to_owned(), key: "k3y\"k3y".into() }
    }

    #[test]
    fn it_is_at_the_origin_and_opens_with_the_key() {
        for (origin, wanted) in [
            ("https://stream-rise.com", "wss://stream-rise.com/"),
            ("https://stream-rise.com/", "wss://stream-rise.com/"),
            ("http://127.0.0.1:9002", "ws://127.0.0.1:9002/"),
        ] {
            assert_eq!(&*url(&endpoint(origin)), wanted);
        }
        let sent = opening(&endpoint("https://stream-rise.com"));
        let [message] = sent.as_slice() else { panic!("one message") };
        assert_eq!(message.expose_secret(), r#"{"key":"k3y\"k3y"}"#);
        assert!(!format!("{sent:?}").contains("k3y"), "the key is not shown");
    }

    #[test]
    fn the_frames_of_the_seed_are_understood() {
        let subscribe = r#"{"event":"subscribe","thread":"ordersUpdates"}"#.to_owned();
        let news = |ids: &[&str]| Frame::News(ids.iter().map(|id| (*id).to_owned()).collect());
        for (frame, wanted) in [
            (r#"{ "event": "socketClientId", "socketClientId": 13 }"#, Frame::Nothing),
            (
                r#"{ "event": "auth", "message": "Authenticated", "socketsLeft": 3 }"#,
                Frame::Admitted { sockets_left: Some(3), then: vec![subscribe.clone()] },
            ),
            (r#"{"event":"auth"}"#, Frame::Admitted { sockets_left: None, then: vec![subscribe] }),
            (r#"{ "event": "subscribe", "message": "subscribed to ordersUpdates" }"#, Frame::Subscribed),
            (r#"{ "event": "subscribe", "message": "unknown thread" }"#, Frame::Nothing),
            (
                r#"{ "event": "threadMessage", "thread": "ordersUpdates", "message": { "orders": {
                    "12345": { "status": "Completed", "charge": 0.1 }, "12346": null, "0": {}, "a,b": {} } } }"#,
                news(&["12345", "12346"]),
            ),
            (
                r#"{"event":"threadMessage","thread":"orderUpdatesByOrderId","message":{"orders":{"7":{}}}}"#,
                news(&["7"]),
            ),
            (r#"{ "event": "too many", "message": "Too many sockets connected for this client" }"#, Frame::TooMany),
            (r#"{"event":"no auth"}"#, Frame::NotAdmitted),
        ] {
            assert_eq!(read(frame), wanted, "{frame}");
        }
    }

    #[test]
    fn nothing_follows_from_any_other_frame() {
        for frame in [
            "",
            "ping",
            "[]",
            "{}",
            r#"{"event":7}"#,
            r#"{"event":"threadMessage","thread":"chat","message":{"orders":{"7":{}}}}"#,
            r#"{"event":"threadMessage","thread":"ordersUpdates","message":{"orders":[7]}}"#,
            r#"{"event":"threadMessage","thread":"ordersUpdates","message":"7"}"#,
            r#"{"event":"threadMessage","thread":"ordersUpdates"}"#,
            r#"{"error":"..."}"#,
        ] {
            assert_eq!(read(frame), Frame::Nothing, "{frame}");
        }
        let long = format!(r#"{{"event":"too many","message":"{}"}}"#, "x".repeat(FRAME_BYTES_MAX));
        assert_eq!(read(&long), Frame::Nothing);
    }
}
