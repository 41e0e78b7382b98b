//! What the tests of the dialects share: the values behind the seeds' examples, and their texts without the layout.

use interline_domain::{Currency, Fields, Micros, Money, OrderStatus, ServiceId, ServiceType};

use crate::{
    command::Command,
    dialect::{Dialect, HttpStatus, encode},
    incoming::{Incoming, Key, parse},
    reply::{Encoded, Reply, ServiceLine, StatusLine},
};

pub(crate) fn amount(text: &str) -> Micros {
    text.parse().unwrap()
}

pub(crate) fn usd() -> Currency {
    "USD".parse().unwrap()
}

pub(crate) fn balance(text: &str) -> Reply {
    Reply::Balance(Money::new(amount(text), usd()))
}

pub(crate) fn line(charge: &str, start_count: Option<i64>, status: OrderStatus, remains: u64) -> StatusLine {
    StatusLine { charge: amount(charge), start_count, status, remains, currency: usd() }
}

/// A service of 10 units or more that can be canceled.
pub(crate) fn service(id: i64, name: &str, label: &str, category: &str, rate: &str, max: u64) -> ServiceLine {
    ServiceLine {
        id: ServiceId(id),
        name: name.to_owned(),
        service_type: ServiceType::from_label(label).unwrap(),
        category: category.to_owned(),
        rate: amount(rate),
        min: 10,
        max,
        refill: false,
        cancel: true,
        dripfeed: false,
        description: String::new(),
    }
}

/// The command of a call with the key `YOUR_API_KEY`, whose parameters stand in the body.
pub(crate) fn asked(body: &str) -> Command {
    let incoming = Incoming { content_type: None, query: "", body: body.as_bytes(), authorization: None, cookies: "" };
    let parsed = parse(&incoming);
    assert_eq!(parsed.key, Key::One("YOUR_API_KEY".to_owned()), "{body}");
    parsed.command.unwrap()
}

pub(crate) fn add(service: &str, fields: &[(&str, &str)]) -> Command {
    let fields: Fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Command::Add { service: service.to_owned(), fields }
}

/// The text of an answer, which is a plain 200.
pub(crate) fn answered(reply: &Reply, dialect: Dialect) -> String {
    let Encoded { status, retry_after_s, body } = encode(reply, dialect, HttpStatus::Auto);
    assert_eq!((status, retry_after_s), (200, None));
    String::from_utf8(body).unwrap()
}

/// An example of a seed without the white space that lays it out.
pub(crate) fn compact(example: &str) -> String {
    let (mut out, mut in_text) = (String::new(), false);
    for c in example.chars() {
        in_text ^= c == '"';
        if in_text || !c.is_whitespace() {
            out.push(c);
        }
    }
    out
}
