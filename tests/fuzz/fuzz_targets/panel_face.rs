//! The panel faces: whatever is sent to them is understood or refused, and no answer says what it must not say.
//!
//! An input is read as a request: its content type, query, `Authorization` and cookies, a line each, then the body.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{
    Currency, Fields, Micros, Money, OrderId, OrderKind, OrderStatus, RefillId, RefillStatus, ServiceType, Style,
    Terms, ids::ID_MAX, kind::UNITS_MAX,
};
use interline_panel_protocol::{
    Command, Dialect, Encoded, Given, HttpStatus, IDS_MAX, Incoming, Key, Parsed, Refused, Reply, StatusLine, encode,
    encode_services, parse,
};
use interline_upstream::{Call, Dialect as _, Endpoint, Submission};
use interline_upstream_perfectpanel::PerfectPanel;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// The key in the corpus and the dictionary. It has digits, so it is not taken for the name of a parameter, which a
/// refusal may repeat.
const KEY: &str = "fuzzKey7Qm4Zt9";

/// Longest text of a refusal, in characters: a refusal says what is wrong and does not repeat what was sent.
const REFUSAL_CHARS_MAX: usize = 250;

const FORM: &str = "application/x-www-form-urlencoded";
const DIALECTS: [Dialect; 3] = [Dialect::Seed, Dialect::Classic, Dialect::Streamrise];
const HTTP_STATUSES: [HttpStatus; 3] = [HttpStatus::Auto, HttpStatus::Codes, HttpStatus::Always200];
const STYLES: [Style; 2] = [Style::Panel, Style::Streamrise];

fuzz_target!(|bytes: &[u8]| {
    let sent = Sent::read(bytes);
    let call = sent.incoming();
    let parsed = parse(&call);
    assert_key(&call, &parsed);
    match &parsed.command {
        Ok(command) => assert_understood(command),
        Err(refused) => assert_refused(refused),
    }
    assert!(!parsed.unreadable || parsed.command.is_err(), "a command was read from what could not be read");
});

/// A request, taken apart. What stands in a line of HTTP is text; the body is any bytes.
struct Sent<'a> {
    content_type: String,
    query: String,
    authorization: String,
    cookies: String,
    body: &'a [u8],
}

impl<'a> Sent<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut parts = bytes.splitn(5, |byte| *byte == b'\n');
        let mut line = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let (content_type, query, authorization, cookies) = (line(), line(), line(), line());
        Self { content_type, query, authorization, cookies, body: parts.next().unwrap_or_default() }
    }

    fn incoming(&self) -> Incoming<'_> {
        Incoming {
            content_type: Some(self.content_type.as_str()).filter(|text| !text.is_empty()),
            query: &self.query,
            body: self.body,
            authorization: Some(self.authorization.as_str()).filter(|text| !text.is_empty()),
            cookies: &self.cookies,
        }
    }
}

/// Headers carry the key and nothing else, and one key more is the same key, the first one or a conflict.
fn assert_key(call: &Incoming<'_>, parsed: &Parsed) {
    let bare = parse(&Incoming { authorization: None, cookies: "", ..*call });
    assert_eq!(bare.command, parsed.command, "a header changed what is asked for");

    let cookies = format!("{}; key={KEY}", call.cookies);
    let with_key = parse(&Incoming { cookies: &cookies, ..*call });
    let wanted = match &parsed.key {
        Key::Absent => Key::One(KEY.to_owned()),
        Key::One(key) if key == KEY => Key::One(KEY.to_owned()),
        Key::One(_) | Key::Conflict => Key::Conflict,
    };
    assert!(with_key.key == wanted, "{:?} and one key more are {:?}", parsed.key, with_key.key);
}

/// A call that makes no sense is told so in one line, which is the whole answer in every dialect.
fn assert_refused(refused: &Refused) {
    assert!(matches!(refused, Refused::BadRequest(_)), "{refused:?} does not follow from a call alone");
    let text = refused.to_string();
    assert_sayable(&text);
    for (dialect, http_status) in DIALECTS.into_iter().flat_map(|dialect| HTTP_STATUSES.map(|status| (dialect, status)))
    {
        let Encoded { status, retry_after_s, body } = encode(&Reply::Refused(refused.clone()), dialect, http_status);
        assert!(status == 200 || status == refused.status(), "{refused:?} has the status {status}");
        assert_eq!(retry_after_s, None, "{refused:?} will not pass");
        assert_eq!(read(&body), json!({ "error": text }));
    }
}

/// A customer may be told `text`: one short line that never repeats the key, wherever that stood.
fn assert_sayable(text: &str) {
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "not a line: {text:?}");
    assert!(text.chars().count() <= REFUSAL_CHARS_MAX, "too long: {text}");
    assert!(!text.to_ascii_lowercase().contains(&KEY.to_ascii_lowercase()), "a refusal repeats the key: {text}");
}

fn assert_understood(command: &Command) {
    assert_ids(command);
    for dialect in DIALECTS {
        assert_answered(command, dialect);
    }
    if let Command::Add { service, fields } = command {
        assert_fields(service, fields);
        for service_type in ServiceType::ALL {
            for style in STYLES {
                assert_ordered(service, fields, Terms { service_type, package_quantity: 500, dripfeed: true, style });
            }
        }
    }
}

/// At most a hundred ids, each once and as it was written; an id of ours is its number.
fn assert_ids(command: &Command) {
    let ids = named(command);
    assert!(ids.len() <= IDS_MAX, "{} ids in one call", ids.len());
    let distinct: BTreeSet<&str> = ids.iter().map(|(text, _)| *text).collect();
    assert_eq!(distinct.len(), ids.len(), "an id twice in {ids:?}");
    for (text, id) in ids {
        let divides = |c: char| c == ',' || c.is_whitespace();
        assert!(!text.is_empty() && !text.contains(divides), "{text:?} is not one id");
        if let Some(id) = id {
            assert!((1..=ID_MAX).contains(&id), "{id} is out of bounds");
            assert_eq!(id.to_string(), text.trim_start_matches('0'), "an id that was not sent");
        }
    }
    assert!(!is_list(command) || !distinct.is_empty(), "a list of nothing: {command:?}");
}

/// The answer of success is valid JSON under 200, never taken for a failed call, and speaks of each id once.
fn assert_answered(command: &Command, dialect: Dialect) {
    let encoded = encode(&granted(command, dialect), dialect, HttpStatus::Auto);
    assert_eq!((encoded.status, encoded.retry_after_s), (200, None));
    let (answer, ids) = (read(&encoded.body), named(command));
    assert!(answer.get("error").is_none(), "{dialect:?}: success says `error`: {answer}");
    if is_list(command) {
        let entries = match &answer {
            Value::Array(entries) => entries.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        };
        assert_eq!(entries, ids.len(), "{dialect:?}: {command:?} is answered by {answer}");
    }
}

/// The parameters of an order are texts, and none of them is the key.
fn assert_fields(service: &str, fields: &Fields) {
    for (name, value) in fields {
        assert!(!["key", "action", "service"].contains(&name.as_str()), "`{name}` is no parameter of an order");
        assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()), "`{name}` is not in lower case");
        assert!(!value.is_empty() && value.trim() == value && !value.contains('\0'), "`{name}` is {value:?}");
    }
    assert!(!service.is_empty() && service.trim() == service, "the service is {service:?}");
}

/// An order is refused in words, or it has a target and a quantity and reads the same after our adapter has sent it on
/// to a panel such as ours.
fn assert_ordered(service: &str, fields: &Fields, terms: Terms) {
    match OrderKind::parse(&terms, fields) {
        Err(error) => assert_sayable(&error.to_string()),
        Ok(kind) => {
            assert!((1..=UNITS_MAX).contains(&kind.quantity()) && !kind.target().is_empty(), "{kind:?}");
            assert_eq!(OrderKind::parse(&terms, &passed_on(service, &kind)), Ok(kind), "{terms:?}");
        }
    }
}

/// The parameters that a panel such as ours reads when our adapter sends it `kind`.
fn passed_on(service: &str, kind: &OrderKind) -> Fields {
    let endpoint = Endpoint { url: "https://panel.example/api/v2".to_owned(), key: KEY.into() };
    let submission = Submission { service: service.to_owned(), kind: kind.clone(), params: BTreeMap::new() };
    let request = PerfectPanel.encode(&endpoint, &Call::Submit(submission));
    let body = request.map(|request| request.body).unwrap_or_default();
    let call = Incoming { content_type: Some(FORM), query: "", body: &body, authorization: None, cookies: "" };
    let parsed = parse(&call);
    assert!(parsed.key == Key::One(KEY.to_owned()), "the key did not arrive");
    match parsed.command {
        Ok(Command::Add { service: read, fields }) => {
            assert_eq!(read, service);
            fields
        }
        other => panic!("an order was passed on as {other:?}"),
    }
}

/// What a command names, as it was written and as what it was understood.
fn named(command: &Command) -> Vec<(&str, Option<i64>)> {
    fn order(one: &Given<OrderId>) -> (&str, Option<i64>) {
        (one.text.as_str(), one.id.map(|id| id.0))
    }
    fn refill(one: &Given<RefillId>) -> (&str, Option<i64>) {
        (one.text.as_str(), one.id.map(|id| id.0))
    }
    match command {
        Command::Services | Command::Balance | Command::Add { .. } => Vec::new(),
        Command::Status(one) | Command::Refill(one) | Command::Cancel(one) => vec![order(one)],
        Command::StatusMany(many) | Command::RefillMany(many) | Command::CancelMany(many) => {
            many.iter().map(order).collect()
        }
        Command::RefillStatus(one) => vec![refill(one)],
        Command::RefillStatusMany(many) => many.iter().map(refill).collect(),
    }
}

const fn is_list(command: &Command) -> bool {
    matches!(
        command,
        Command::StatusMany(_) | Command::RefillMany(_) | Command::RefillStatusMany(_) | Command::CancelMany(_)
    )
}

/// The best answer that a command can get: whatever may be an id of ours is one.
fn granted(command: &Command, dialect: Dialect) -> Reply {
    let currency: Currency = "USD".parse().expect("a currency");
    let (charge, status) = (Micros::new(278_190), OrderStatus::Partial);
    let line = StatusLine { charge, start_count: Some(3_572), status, remains: 157, currency };
    match command {
        Command::Services => Reply::Services(encode_services(&[], dialect).into()),
        Command::Balance => Reply::Balance(Money::new(Micros::new(100_842_920), currency)),
        Command::Add { .. } => Reply::Added(OrderId(23_501)),
        Command::Status(_) => Reply::Status(line),
        Command::StatusMany(many) => Reply::StatusMany(each(many, |ours| ours.then_some(line))),
        Command::Refill(_) => Reply::Refilled(RefillId(1)),
        Command::RefillMany(many) => {
            Reply::RefilledMany(each(many, |ours| ours.then_some(RefillId(1)).ok_or(Refused::IncorrectOrder)))
        }
        Command::RefillStatus(_) => Reply::RefillStatus(RefillStatus::Completed),
        Command::RefillStatusMany(many) => {
            Reply::RefillStatusMany(each(many, |ours| ours.then_some(RefillStatus::Completed)))
        }
        Command::Cancel(_) => Reply::Canceled,
        Command::CancelMany(many) => {
            Reply::CanceledMany(each(many, |ours| ours.then_some(()).ok_or(Refused::IncorrectOrder)))
        }
    }
}

/// An answer for each of `many`, by whether it may be an id of ours.
fn each<T: Clone, A>(many: &[Given<T>], answer: impl Fn(bool) -> A) -> Vec<(Given<T>, A)> {
    many.iter().map(|one| (one.clone(), answer(one.id.is_some()))).collect()
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("an answer is JSON")
}
