//! A purchase as every answer shows it (seed `streamskill-purchases-create.txt`).

use interline_domain::{Report, StatusWord, Timestamp, kind::TEXT_BYTES_MAX};
use interline_upstream::{
    HeldOrder, Stated,
    value::{self, amount, field, text, whole},
};
use serde_json::Value;

/// Fields of which a purchase has at least one, and nothing else that has an `id`.
const MARKS: [&str; 3] = ["tarif", "channel", "order_type"];

/// A purchase, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Purchase {
    /// Its id.
    pub(crate) id: String,
    /// What it cost.
    pub(crate) price: Option<Stated>,
    word: StatusWord,
    tarif: Option<String>,
    channel: Option<String>,
    created_at: Option<Timestamp>,
}

impl Purchase {
    /// Reads a purchase; nothing if it has no id or is something else.
    pub(crate) fn read(body: &Value) -> Option<Self> {
        let body = body.as_object()?;
        let id = field(body, "id").and_then(value::order_id)?;
        if !MARKS.iter().any(|name| field(body, name).is_some_and(|mark| !mark.is_null())) {
            return None;
        }
        let price = field(body, "price").and_then(amount);
        let currency = value::currency(body);
        Some(Self {
            id,
            price: price.map(|amount| Stated { amount, currency }),
            word: field(body, "status").and_then(text).map_or(StatusWord::Other, |status| word(&status)),
            tarif: field(body, "tarif").and_then(tarif),
            channel: field(body, "channel").and_then(channel),
            created_at: field(body, "created_at").and_then(created_at),
        })
    }

    /// How it stands. Nothing tells how much was delivered.
    pub(crate) fn report(&self) -> Report {
        Report {
            word: self.word,
            remains: None,
            start_count: None,
            charge: self.price.map(|price| price.amount),
            currency: self.price.and_then(|price| price.currency),
        }
    }

    /// What it says to somebody who looks for an order. Its quantity is not told.
    pub(crate) fn held(self) -> HeldOrder {
        HeldOrder {
            order: self.id,
            service: self.tarif,
            target: self.channel,
            quantity: None,
            created_at: self.created_at,
            charge: self.price,
        }
    }
}

/// What a status means. A purchase that is stopped goes on when it is started again.
///
/// One that was deleted or refunded ended as one that failed: what was paid back shows in its price and what was
/// delivered shows nowhere, so only a price of nothing says that all of it is to be refunded.
fn word(status: &str) -> StatusWord {
    match status.to_ascii_lowercase().as_str() {
        "created" | "awaiting" => StatusWord::Pending,
        // `active` is not among the documented statuses, but stands in the documented examples.
        "working" | "active" | "stopped" => StatusWord::InProgress,
        "completed" => StatusWord::Completed,
        "failed" | "deleted" | "refunded" => StatusWord::Failed,
        _ => StatusWord::Other,
    }
}

/// The tarif's id, which stands in the tarif itself where that was asked for with `expand`.
fn tarif(tarif: &Value) -> Option<String> {
    match tarif {
        Value::Object(tarif) => field(tarif, "id").and_then(value::id),
        id => value::id(id),
    }
}

/// A channel, whole: a shortened one would be another.
fn channel(channel: &Value) -> Option<String> {
    match channel {
        Value::String(channel) => {
            let channel = channel.trim();
            let good = (1..=TEXT_BYTES_MAX).contains(&channel.len()) && !channel.chars().any(char::is_control);
            good.then(|| channel.to_owned())
        }
        id => value::id(id),
    }
}

/// A time in Unix seconds.
fn created_at(seconds: &Value) -> Option<Timestamp> {
    let millis = whole(seconds)?.checked_mul(1_000)?;
    Some(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use interline_domain::{
        OrderStatus,
        order::{Progress, Step, step},
    };
    use serde_json::json;

    use super::*;

    const SEED: &str = r#"{
      "id": 1, "price": 10, "currency": "usd", "created_at": 1640000000, "order_type": "twitch_viewers",
      "channel": "https://www.twitch.tv/twitch", "status": "active", "service": "twitch", "parent": false,
      "api": true, "chatbot": false, "tarif": 1
    }"#;

    fn purchase(status: &str, price: &Value) -> Purchase {
        Purchase::read(&json!({"id": 7, "tarif": 1, "status": status, "price": price})).unwrap()
    }

    #[test]
    fn the_seed_is_read_whole() {
        let read = Purchase::read(&serde_json::from_str(SEED).unwrap()).unwrap();
        let price = Some(Stated { amount: "10".parse().unwrap(), currency: "USD".parse().ok() });
        let report = Report {
            word: StatusWord::InProgress,
            remains: None,
            start_count: None,
            charge: Some("10".parse().unwrap()),
            currency: "USD".parse().ok(),
        };
        assert_eq!(read.report(), report);
        let held = HeldOrder {
            order: "1".to_owned(),
            service: Some("1".to_owned()),
            target: Some("https://www.twitch.tv/twitch".to_owned()),
            quantity: None,
            created_at: Some(Timestamp::from_millis(1_640_000_000_000)),
            charge: price,
        };
        assert_eq!(read.held(), held);
    }

    #[test]
    fn expanded_fields_and_odd_values_are_read_or_left_open() {
        let read = |body: Value| Purchase::read(&body).unwrap().held();
        let bare = HeldOrder {
            order: "5".to_owned(),
            service: None,
            target: None,
            quantity: None,
            created_at: None,
            charge: None,
        };
        let tarif = HeldOrder { service: Some("12".to_owned()), ..bare.clone() };
        assert_eq!(read(json!({"id": "5", "tarif": {"id": 12, "title": "Viewers"}, "parent": {"id": 3}})), tarif);
        assert_eq!(read(json!({"id": 5, "tarif": "12"})), tarif);
        assert_eq!(read(json!({"id": 5, "tarif": {}, "channel": " ", "price": "?", "created_at": "soon"})), bare);
        assert_eq!(read(json!({"id": 5, "order_type": "x", "created_at": i64::MAX, "price": "free"})), bare);
        let video = HeldOrder { target: Some("1234567".to_owned()), ..bare.clone() };
        assert_eq!(read(json!({"id": 5, "channel": 1_234_567})), video);
        let long = "x".repeat(TEXT_BYTES_MAX);
        assert_eq!(read(json!({"id": 5, "channel": long})), HeldOrder { target: Some(long.clone()), ..bare.clone() });
        assert_eq!(read(json!({"id": 5, "channel": format!("{long}x")})), bare);
    }

    #[test]
    fn what_is_no_purchase() {
        for body in [
            json!({"id": 5}),
            json!({"id": 5, "status": "working", "price": 1}),
            json!({"id": 1, "title": "AI Chatbot", "count": 100, "price": 135, "type": "ai_chatbots"}),
            json!({"tarif": 1, "channel": "x"}),
            json!({"id": 5, "tarif": null, "channel": null}),
            json!({"id": 0, "tarif": 1}),
            json!({"id": null, "tarif": 1}),
            json!([{"id": 5, "tarif": 1}]),
            json!(5),
        ] {
            assert_eq!(Purchase::read(&body), None, "{body}");
        }
    }

    #[test]
    fn every_status_means_one_thing() {
        for (status, word) in [
            ("created", StatusWord::Pending),
            ("awaiting", StatusWord::Pending),
            ("working", StatusWord::InProgress),
            ("active", StatusWord::InProgress),
            ("stopped", StatusWord::InProgress),
            ("completed", StatusWord::Completed),
            ("failed", StatusWord::Failed),
            ("deleted", StatusWord::Failed),
            ("refunded", StatusWord::Failed),
            (" Working ", StatusWord::InProgress),
            ("canceled", StatusWord::Other),
            ("partial", StatusWord::Other),
            ("in progress", StatusWord::Other),
            ("done", StatusWord::Other),
            ("", StatusWord::Other),
            ("5", StatusWord::Other),
        ] {
            assert_eq!(purchase(status, &json!(1)).report().word, word, "{status}");
        }
    }

    /// No status of a purchase ever makes an order partial, and it is canceled only when nothing was charged.
    #[test]
    fn a_part_is_never_guessed() {
        for status in ["failed", "deleted", "refunded"] {
            for price in [json!(10), json!(0.01), json!(null), json!("?"), json!(-1)] {
                let step = step(Progress::NEW, 100, &purchase(status, &price).report());
                assert!(matches!(step, Step::Unclear(..)), "{status} at {price}: {step:?}");
            }
            let Step::Ended(end) = step(Progress::NEW, 100, &purchase(status, &json!(0)).report()) else {
                panic!("{status} at nothing has not ended")
            };
            assert_eq!((end.status, end.remains), (OrderStatus::Canceled, Some(100)), "{status}");
        }
    }
}
