//! Calls as requests: JSON to `/perfectPanel`, the key in the body; queries and JSON to `/api/…`, the key in the query.

use std::collections::BTreeMap;

use interline_domain::OrderKind;
use interline_upstream::{Alteration, Call, Endpoint, Method, Property, Request, Submission, value::Object};
use secrecy::ExposeSecret;
use serde_json::Value;

/// Longest address that is sent, in bytes: servers refuse longer ones, some by hanging up, and then nobody knows.
const URL_BYTES_MAX: usize = 8_000;

/// What the fixed parameters of an offer never set: the key, and what the order says itself in either face's words.
const OURS: [&str; 8] = ["key", "action", "id", "service", "link", "channel", "quantity", "amount"];

/// Orders that both faces can say: of the types that the seed documents, and not in runs.
pub(crate) fn takes(kind: &OrderKind) -> Result<(), &'static str> {
    match kind {
        OrderKind::Default { drip: None, .. } | OrderKind::CustomComments { .. } => Ok(()),
        OrderKind::Default { drip: Some(_), .. } => Err("`runs` must be left out"),
        _ => Err("`service` must be of the type Default or Custom Comments"),
    }
}

/// Whether a service belongs to `/perfectPanel`, where services have numbers.
pub(crate) fn is_numbered(service: &str) -> bool {
    !service.is_empty() && service.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first request of `call`, if Streamrise can do it.
pub(crate) fn request(endpoint: &Endpoint, call: &Call) -> Option<Request> {
    let of_order = |name: &str, order: &str| native(endpoint, name, &[("id", order.to_owned())]);
    match call {
        Call::Catalogue => Some(panel(endpoint, "services", Object::new())),
        Call::Balance => Some(panel(endpoint, "balance", Object::new())),
        Call::Submit(order) => submission(endpoint, order),
        // As in the seed: one order as a number, several as a text.
        Call::Status(ids) => Some(panel(
            endpoint,
            "status",
            match ids.as_slice() {
                [id] => object([("order", number_or_text(id))]),
                _ => object([("orders", ids.join(",").into())]),
            },
        )),
        Call::Cancel(ids) => Some(panel(endpoint, "cancel", object([("orders", ids.join(",").into())]))),
        Call::Orders { .. } => Some(orders_page(endpoint, 0)),
        Call::Pause(order) => Some(of_order("pauseOrder", order)),
        Call::Resume(order) => Some(of_order("resumeOrder", order)),
        Call::Delete(order) => Some(of_order("deleteOrder", order)),
        Call::Quote(altered) => Some(alteration(endpoint, "calculateUpgradePrice", altered)),
        Call::Upgrade(altered) => Some(alteration(endpoint, "upgradeOrder", altered)),
        Call::Change(altered) => Some(alteration(endpoint, "changeOrder", altered)),
        Call::Validate(property) => Some(validation(endpoint, property)),
        // "There is no separate refill endpoint today.", and none that prolongs.
        Call::Refill(_) | Call::RefillStatus(_) | Call::Prolong { .. } => None,
    }
}

/// A request for an action that there is not.
pub(crate) fn unknown_action(endpoint: &Endpoint) -> Request {
    panel(endpoint, "interlineCheck", Object::new())
}

/// Rows of the list of orders that one request asks for.
pub(crate) const PAGE_ROWS: usize = 100;

/// The rows of the list of orders from `start` on, the newest orders first.
pub(crate) fn orders_page(endpoint: &Endpoint, start: usize) -> Request {
    let fields = [
        ("start", start.to_string()),
        ("end", start.saturating_add(PAGE_ROWS).to_string()),
        ("total", "true".to_owned()),
        ("sortKey", "orderTime".to_owned()),
        ("sortDirection", "desc".to_owned()),
    ];
    native(endpoint, "getOrdersPage", &fields)
}

/// A native request whose fields stand in the query, behind the key.
pub(crate) fn native(endpoint: &Endpoint, name: &str, fields: &[(&str, String)]) -> Request {
    get(native_url(endpoint, name, fields))
}

fn native_url(endpoint: &Endpoint, name: &str, fields: &[(&str, String)]) -> String {
    let mut all = vec![("key", endpoint.key.expose_secret().to_owned())];
    all.extend_from_slice(fields);
    open_url(endpoint, name, &all)
}

/// An address without a key.
fn open_url(endpoint: &Endpoint, name: &str, fields: &[(&str, String)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        query.append_pair(name, value);
    }
    format!("{}/api/{name}?{}", origin(endpoint), query.finish())
}

fn get(url: String) -> Request {
    let headers = vec![("accept", "application/json".to_owned())];
    Request { method: Method::Get, url: url.into(), headers, body: Vec::new() }
}

/// A request to `/perfectPanel`.
fn panel(endpoint: &Endpoint, action: &str, mut fields: Object) -> Request {
    fields.insert("key".to_owned(), endpoint.key.expose_secret().into());
    fields.insert("action".to_owned(), action.into());
    post(format!("{}/perfectPanel", origin(endpoint)), fields)
}

fn post(url: String, body: Object) -> Request {
    let json = || "application/json".to_owned();
    Request {
        method: Method::Post,
        url: url.into(),
        headers: vec![("content-type", json()), ("accept", json())],
        body: Value::Object(body).to_string().into_bytes(),
    }
}

fn origin(endpoint: &Endpoint) -> &str {
    endpoint.url.trim_end_matches('/')
}

/// An order, by the face to which its service belongs; `None` if that cannot say it.
fn submission(endpoint: &Endpoint, order: &Submission) -> Option<Request> {
    takes(&order.kind).ok()?;
    let (target, quantity) = (order.kind.target().to_owned(), order.kind.quantity());
    let extras = extras(order);
    if is_numbered(&order.service) {
        let mut fields = object([
            ("service", number_or_text(&order.service)),
            ("link", target.into()),
            ("quantity", quantity.into()),
        ]);
        fields.extend(extras.into_iter().map(|(name, value)| (name, value.into())));
        return Some(panel(endpoint, "add", fields));
    }
    let own = [("service", order.service.clone()), ("channel", target), ("amount", quantity.to_string())];
    let extras = extras.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let fields: Vec<(&str, String)> = own.into_iter().chain(extras).collect();
    Some(native(endpoint, "newOrder", &fields)).filter(|request| request.url.len() <= URL_BYTES_MAX)
}

/// What an order says beside its service, target and quantity, then those parameters of the offer that it does not name.
fn extras(order: &Submission) -> BTreeMap<String, String> {
    let mut extras: BTreeMap<String, String> = BTreeMap::new();
    let told = order.kind.fields().into_iter().filter(|(name, _)| !OURS.contains(name));
    extras.extend(told.map(|(name, value)| (name.to_owned(), value)));
    for (name, value) in &order.params {
        let taken = |known: &str| known.eq_ignore_ascii_case(name);
        if !OURS.iter().any(|known| taken(known)) && !extras.keys().any(|known| taken(known)) {
            extras.insert(name.clone(), value.clone());
        }
    }
    extras
}

/// What is to be different about an order. The seed's table has the key in the body, its examples and its text have it in
/// the query.
fn alteration(endpoint: &Endpoint, name: &str, altered: &Alteration) -> Request {
    let mut order = Object::new();
    let others = altered.params.iter().filter(|(name, _)| !OURS.iter().any(|known| known.eq_ignore_ascii_case(name)));
    order.extend(others.map(|(name, value)| (name.clone(), value.as_str().into())));
    order.extend(altered.quantity.map(|quantity| ("amount".to_owned(), quantity.into())));
    order.extend(altered.target.as_ref().map(|target| ("channel".to_owned(), target.as_str().into())));
    let body = object([("id", number_or_text(&altered.order)), ("order", Value::Object(order))]);
    post(native_url(endpoint, name, &[]), body)
}

/// The one call that needs no key: none is sent.
fn validation(endpoint: &Endpoint, property: &Property) -> Request {
    let fields =
        [("service", property.service.clone()), ("field", property.field.clone()), ("value", property.value.clone())];
    get(open_url(endpoint, "validateOrderProperty", &fields))
}

/// An id as the seed writes it in JSON: a number, if it is one.
fn number_or_text(id: &str) -> Value {
    let number = id.parse::<u64>().ok().filter(|number| number.to_string() == id);
    number.map_or_else(|| id.into(), Value::from)
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Object {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
