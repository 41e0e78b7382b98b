//! A request taken apart: what it asks of which face, with which key.

use http::{Method, request::Parts};
use serde_json::Value;

use crate::{
    config::Adapter,
    face::Face,
    panel::purchases::Route,
    wire::{self, Fields},
};

/// Streamrise's native endpoints (seed, "API reference"): name, method, and the action that faults know it by.
static NATIVE: [(&str, &str, &str); 17] = [
    ("getFamilyServices", "GET", "services"),
    ("getServices", "GET", "services"),
    ("getPrices", "GET", "services"),
    ("availableToSend", "GET", "services"),
    ("availableToChange", "GET", "services"),
    ("availableToUpgrade", "GET", "services"),
    ("getParamsLimits", "GET", "services"),
    ("validateOrderProperty", "GET", "validate"),
    ("newOrder", "GET", "add"),
    ("getOrders", "GET", "orders"),
    ("getOrdersPage", "GET", "orders"),
    ("pauseOrder", "GET", "pause"),
    ("resumeOrder", "GET", "resume"),
    ("deleteOrder", "GET", "delete"),
    ("calculateUpgradePrice", "POST", "quote"),
    ("upgradeOrder", "POST", "upgrade"),
    ("changeOrder", "POST", "change"),
];

/// A call of one of the faces.
#[derive(Debug)]
pub(crate) struct Call {
    /// What is asked.
    pub(crate) asked: Asked,
    /// The same by the name that faults and the journal know.
    pub(crate) action: String,
    /// The key; empty without one. PerfectPanel's stands in `fields`.
    pub(crate) key: String,
    /// The order that it is about, if it names one.
    pub(crate) order: Option<String>,
    /// The single values in the query and the body.
    pub(crate) fields: Fields,
    /// The body; null if it is no JSON.
    pub(crate) body: Value,
}

/// What is asked, in the face's own terms.
#[derive(Debug)]
pub(crate) enum Asked {
    /// The action says it.
    Panel,
    /// The name of Streamrise's native endpoint.
    Native(&'static str),
    /// Streamskill's route.
    Purchases(Route),
}

impl Asked {
    /// The face that was asked.
    pub(crate) const fn face(&self) -> Face {
        match self {
            Self::Panel => Face::Panel,
            Self::Native(_) => Face::Native,
            Self::Purchases(_) => Face::Purchases,
        }
    }
}

/// The call that a request makes at an upstream of this protocol; nothing if it has no such address.
pub(crate) fn read(adapter: Adapter, head: &Parts, body: &[u8]) -> Option<Call> {
    let path = head.uri.path();
    match adapter {
        Adapter::PerfectPanel => matches!(path, "/api/v2" | "/api/v2/").then(|| {
            let fields = wire::fields(query(head), header(head, "content-type"), body);
            panel(fields)
        }),
        Adapter::Streamrise if path == "/perfectPanel" => {
            // JSON alone, and not said to be anything else.
            let sent = if is_json(head) { body } else { &[] };
            (head.method == Method::POST).then(|| panel(with_cookie(head, wire::fields("", "application/json", sent))))
        }
        Adapter::Streamrise => native(head, path.strip_prefix("/api/")?, body),
        Adapter::Streamskill => {
            let rest = path.strip_prefix("/v1").filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
            Some(purchases(head, rest, body))
        }
    }
}

/// A header as text; empty if it is missing or no text.
pub(crate) fn header<'h>(head: &'h Parts, name: &str) -> &'h str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn panel(fields: Fields) -> Call {
    Call {
        asked: Asked::Panel,
        action: wire::action(&fields),
        key: wire::field(&fields, "key").to_owned(),
        order: fields.get("order").cloned(),
        fields,
        body: Value::Null,
    }
}

fn native(head: &Parts, name: &str, body: &[u8]) -> Option<Call> {
    let (name, _, action) =
        NATIVE.iter().find(|(known, method, _)| *known == name && *method == head.method.as_str())?;
    let body = if is_json(head) { body } else { &[] };
    let fields = with_cookie(head, wire::fields(query(head), "application/json", body));
    Some(Call {
        asked: Asked::Native(name),
        action: (*action).to_owned(),
        key: wire::field(&fields, "key").to_owned(),
        order: fields.get("id").cloned(),
        fields,
        body: serde_json::from_slice(body).unwrap_or_default(),
    })
}

fn purchases(head: &Parts, path: &str, body: &[u8]) -> Call {
    let route = Route::of(&head.method, path);
    Call {
        action: route.action().to_owned(),
        key: header(head, "authorization").strip_prefix("Bearer ").unwrap_or_default().to_owned(),
        order: route.order().map(|order| order.to_string()),
        fields: wire::fields(query(head), "", b""),
        body: if is_json(head) { serde_json::from_slice(body).unwrap_or_default() } else { Value::Null },
        asked: Asked::Purchases(route),
    }
}

fn query(head: &Parts) -> &str {
    head.uri.query().unwrap_or_default()
}

fn is_json(head: &Parts) -> bool {
    header(head, "content-type").to_ascii_lowercase().contains("json")
}

/// With the key from the cookie if none was sent otherwise: "A key cookie works too".
fn with_cookie(head: &Parts, mut fields: Fields) -> Fields {
    let mut pairs = header(head, "cookie").split(';').filter_map(|pair| pair.trim().split_once('='));
    if let Some((_, key)) = pairs.find(|(name, _)| *name == "key") {
        fields.entry("key".to_owned()).or_insert_with(|| key.to_owned());
    }
    fields
}
