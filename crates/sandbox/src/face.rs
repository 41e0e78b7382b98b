//! The faces by which simulated upstreams are called, and how each of them says no.

use http::StatusCode;
use serde_json::{Value, json};

use crate::fault::FaultKind;

const NO_FUNDS: &str = "Not enough funds on balance";
const ACTIVE_ORDER: &str = "You have active order with this link. Please wait until order being completed.";
const UNLISTED: &str = "Something nobody has listed 17";
const TOO_FAST: &str = "Rate limit exceeded";

/// A face: a set of addresses that answer in one format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// PerfectPanel's one address, which Streamrise has too: an error is a text, under 200.
    Panel,
    /// Streamrise's `/api/…`: an error is a map `{field: reason}`, or a text where no field is to blame, under 200.
    Native,
    /// Streamskill's `/v1/…`: an error has an HTTP code, which stands in the body too.
    Purchases,
}

impl Face {
    /// What a call of `action` is told that meets a fault with words.
    pub(crate) fn refused(self, kind: FaultKind, action: &str) -> (StatusCode, Value) {
        let too_fast = kind == FaultKind::TooManyRequests;
        match self {
            Self::Purchases => purchases_words(kind, action),
            _ if too_fast => (StatusCode::TOO_MANY_REQUESTS, error(TOO_FAST)),
            Self::Panel => (StatusCode::OK, error(panel_words(kind, action))),
            Self::Native => (StatusCode::OK, native_words(kind, action)),
        }
    }

    /// The answer to an order that was taken, with another id in it.
    pub(crate) fn with_id(self, mut body: Value, id: &Value) -> Value {
        match self {
            Self::Panel => body["order"] = id.clone(),
            Self::Native => {
                body["orderId"] = id.clone();
                body["order"]["id"] = id.clone();
            }
            Self::Purchases => body["id"] = id.clone(),
        }
        body
    }
}

/// A panel's way to say no.
pub(crate) fn error(text: &str) -> Value {
    json!({ "error": text })
}

/// Streamrise's native way to say no.
pub(crate) fn wrong(field: &str, reason: &str) -> Value {
    json!({ "error": { field: reason } })
}

/// Streamskill's way to say no.
pub(crate) fn complaint(status: StatusCode, message: &str) -> Value {
    json!({
        "name": status.canonical_reason().unwrap_or_default(),
        "message": message,
        "code": 0,
        "status": status.as_u16(),
        "type": "http_exception",
    })
}

/// The same of a field that is not valid.
pub(crate) fn invalid(field: &str, message: &str) -> Value {
    let mut body = complaint(StatusCode::UNPROCESSABLE_ENTITY, "Data validation failed.");
    body["errors"] = json!({ field: [message] });
    body
}

fn panel_words(kind: FaultKind, action: &str) -> &'static str {
    match (kind, action) {
        (FaultKind::UnknownError, _) => UNLISTED,
        (FaultKind::NoFunds, _) => NO_FUNDS,
        (FaultKind::BadLink, _) => "Link is invalid",
        (FaultKind::ActiveOrder, _) => ACTIVE_ORDER,
        (_, "add") => "Incorrect service ID",
        (_, "refill") => "Order not eligible for refill",
        _ => "Incorrect request",
    }
}

fn native_words(kind: FaultKind, action: &str) -> Value {
    match (kind, action) {
        (FaultKind::UnknownError, _) => wrong("service", UNLISTED),
        (FaultKind::NoFunds, _) => error(NO_FUNDS),
        (FaultKind::BadLink, _) => wrong("channel", "Channel not found"),
        (FaultKind::ActiveOrder, _) => error(ACTIVE_ORDER),
        (_, "services" | "orders") => error("Access denied"),
        _ => wrong("channel", "Invalid channel name"),
    }
}

fn purchases_words(kind: FaultKind, action: &str) -> (StatusCode, Value) {
    let field = match (kind, action) {
        (FaultKind::BadLink, _) => Some("channel"),
        (FaultKind::Refusal | FaultKind::RefusalUnder502, "add") => Some("quantity"),
        _ => None,
    };
    if let Some(field) = field {
        return (StatusCode::UNPROCESSABLE_ENTITY, invalid(field, &format!("{field} is invalid.")));
    }
    let (status, message) = match kind {
        FaultKind::UnknownError => (StatusCode::INTERNAL_SERVER_ERROR, UNLISTED),
        FaultKind::NoFunds => (StatusCode::PAYMENT_REQUIRED, "Insufficient funds."),
        FaultKind::ActiveOrder => (StatusCode::CONFLICT, "There is an active purchase for this channel."),
        FaultKind::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded."),
        _ => (StatusCode::NOT_FOUND, "Not found."),
    };
    (status, complaint(status, message))
}
