//! Calls as requests: JSON, a bearer key, and the language in which tarifs and errors are worded (`protocol.md` §6).

use interline_domain::{OrderKind, target};
use interline_upstream::{Call, Endpoint, Method, Request, Submission, value::Object};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// Lists that together hold every purchase. That of the unfinished ones is short enough to be whole; that of all has
/// those that are finished already, but how many of them is not documented.
pub(crate) const HELD_LISTS: [&str; 2] = ["/purchases/uncomplete", "/purchases"];

/// What the fixed parameters of an offer do not set beside the tarif: what the order says itself, and what has another
/// place.
const OURS: [&str; 5] = ["tarif", "channel", "quantity", "duration", "expand"];

/// Sites on which the first and only part of a path is a channel's name.
const CHANNEL_SITES: [&str; 3] = ["twitch.tv/", "kick.com/", "trovo.live/"];

/// Only a number of units for a channel can be said.
pub(crate) fn takes(kind: &OrderKind) -> Result<(), &'static str> {
    match kind {
        OrderKind::Default { drip: None, interval_min: None, period_amount: None, .. } => Ok(()),
        OrderKind::Default { drip: Some(_), .. } => Err("`runs` must be left out"),
        // It is in minutes, and `interval` there in seconds and between two units.
        OrderKind::Default { interval_min: Some(_), .. } => Err("`interval` must be left out"),
        OrderKind::Default { .. } => Err("`periodAmount` must be left out"),
        _ => Err("`service` must be of the type Default"),
    }
}

/// The first request of `call`, if Streamskill can do it.
pub(crate) fn request(endpoint: &Endpoint, call: &Call) -> Option<Request> {
    match call {
        Call::Catalogue => Some(get(endpoint, "/tarifs")),
        Call::Submit(order) => purchase(endpoint, order),
        Call::Status(ids) => Some(get(
            endpoint,
            &match ids.as_slice() {
                [id] => of_purchase(id, ""),
                _ => format!("/purchases/bulk?ids={}", ids.iter().map(|id| encoded(id)).collect::<Vec<_>>().join(",")),
            },
        )),
        Call::Orders { .. } => Some(get(endpoint, HELD_LISTS[0])),
        Call::Pause(order) => {
            number(order).map(|id| post(endpoint, "/purchases/bulk-stop", Some(&json!({ "ids": [id] }))))
        }
        Call::Resume(order) => Some(post(endpoint, &of_purchase(order, "/start"), None)),
        Call::Prolong { order, count } => {
            Some(post(endpoint, &of_purchase(order, "/prolong"), Some(&json!({ "count": count }))))
        }
        Call::Balance
        | Call::Cancel(_)
        | Call::Refill(_)
        | Call::RefillStatus(_)
        | Call::Delete(_)
        | Call::Quote(_)
        | Call::Upgrade(_)
        | Call::Change(_)
        | Call::Validate(_) => None,
    }
}

/// The request that reads what is at `path`.
pub(crate) fn get(endpoint: &Endpoint, path: &str) -> Request {
    Request { method: Method::Get, url: url(endpoint, path).into(), headers: headers(endpoint), body: Vec::new() }
}

/// A new purchase; nothing for an order that cannot be said, a tarif that is no number, or an offer that does not say
/// for how long.
fn purchase(endpoint: &Endpoint, order: &Submission) -> Option<Request> {
    takes(&order.kind).ok()?;
    let duration = order.params.get("duration").and_then(|text| number(text)).filter(|duration| *duration > 0)?;
    let tarif = json!({ "id": number(&order.service)?, "quantity": order.kind.quantity(), "duration": duration });
    let mut body = Object::new();
    for (name, value) in &order.params {
        if !OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
            let value = if name == "comment" { Value::from(value.as_str()) } else { scalar(value) };
            body.insert(name.clone(), value);
        }
    }
    body.insert("tarif".to_owned(), tarif);
    body.insert("channel".to_owned(), channel(order.kind.target()).into());
    let expand = order.params.get("expand").map(|fields| format!("?expand={}", encoded(fields)));
    let path = format!("/purchases/create{}", expand.unwrap_or_default());
    Some(post(endpoint, &path, Some(&Value::Object(body))))
}

/// A target as Streamskill takes it: a channel by its name without its address, anything else as the customer wrote it.
fn channel(target: &str) -> String {
    let plain = target::normalise(target);
    let name = CHANNEL_SITES.iter().find_map(|site| plain.strip_prefix(*site));
    name.filter(|name| !name.contains(['/', '?', '#'])).unwrap_or(target).to_owned()
}

/// A parameter, which is kept as text, as the number or the flag that it is.
fn scalar(text: &str) -> Value {
    match text {
        "true" => true.into(),
        "false" => false.into(),
        _ => number(text).map_or_else(|| text.into(), Value::from),
    }
}

/// A whole number that is written as such.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// The path of a purchase, and what is asked of it.
fn of_purchase(id: &str, action: &str) -> String {
    format!("/purchases/{}{action}", encoded(id))
}

/// `text` so that it is one part of a path or of a query, whatever stands in it.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn post(endpoint: &Endpoint, path: &str, body: Option<&Value>) -> Request {
    let mut headers = headers(endpoint);
    if body.is_some() {
        headers.push(("content-type", "application/json".to_owned()));
    }
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    Request { method: Method::Post, url: url(endpoint, path).into(), headers, body }
}

fn url(endpoint: &Endpoint, path: &str) -> String {
    format!("{}{path}", endpoint.url.trim_end_matches('/'))
}

fn headers(endpoint: &Endpoint) -> Vec<(&'static str, String)> {
    vec![
        ("authorization", format!("Bearer {}", endpoint.key.expose_secret())),
        ("accept", "application/json".to_owned()),
        // English, whatever the account's own language is: people read names and errors here in one language.
        ("accept-language", "en".to_owned()),
    ]
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
