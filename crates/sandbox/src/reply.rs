//! What goes back to a caller: an answer, or the lack of one.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{
    fault::{Fault, FaultKind},
    panel::{Answered, error},
};

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=UTF-8";
const INTERSTITIAL: &str = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>";
const BAD_GATEWAY: &str =
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";

/// How a call ends.
pub(crate) struct Reply {
    /// Waited before the end.
    pub(crate) delay: Duration,
    /// The end.
    pub(crate) end: End,
}

/// The ways for a call to end.
pub(crate) enum End {
    /// With an answer.
    Answer(Answer),
    /// With a closed connection.
    Drop,
    /// Never, as far as the sandbox is concerned.
    Hang,
}

/// An HTTP answer.
pub(crate) struct Answer {
    status: StatusCode,
    content_type: &'static str,
    retry_after_s: Option<u64>,
    body: String,
}

impl Reply {
    /// How a call of `action` ends that met `fault`. `answered` is what it came to if it was carried out, and
    /// `earlier` the latest order before it.
    pub(crate) fn new(action: &str, fault: Option<&Fault>, answered: Option<Answered>, earlier: Option<u64>) -> Self {
        let (body, taken) = answered.map_or((Value::Null, None), |answered| (answered.body, answered.taken));
        let Some(fault) = fault else {
            return Self { delay: Duration::ZERO, end: End::Answer(Answer::json(StatusCode::OK, &body)) };
        };
        let refused = |status, text: &str| Answer::json(status, &error(text));
        let answer = match fault.kind {
            FaultKind::RefuseConnection | FaultKind::DropBeforeReading | FaultKind::TakeAndDrop => {
                return Self::ended(fault, End::Drop);
            }
            FaultKind::TakeAndHang => return Self::ended(fault, End::Hang),
            FaultKind::TakeAnd502 => Answer::html(StatusCode::BAD_GATEWAY, BAD_GATEWAY),
            FaultKind::Html => Answer::html(StatusCode::OK, INTERSTITIAL),
            FaultKind::Empty => Answer { body: String::new(), ..Answer::json(StatusCode::OK, &Value::Null) },
            FaultKind::UnknownError => refused(StatusCode::OK, "Something nobody has listed 17"),
            FaultKind::Refusal => refused(StatusCode::OK, refusal(action)),
            FaultKind::RefusalUnder502 => refused(StatusCode::BAD_GATEWAY, refusal(action)),
            FaultKind::NoFunds => refused(StatusCode::OK, "Not enough funds on balance"),
            FaultKind::BadLink => refused(StatusCode::OK, "Link is invalid"),
            FaultKind::ActiveOrder => refused(
                StatusCode::OK,
                "You have active order with this link. Please wait until order being completed.",
            ),
            FaultKind::TooManyRequests => return Self::too_many_requests(fault),
            FaultKind::DuplicateId => Answer::json(StatusCode::OK, &json!({ "order": earlier })),
            FaultKind::WrongId if taken.is_some() => Answer::json(StatusCode::OK, &json!({ "order": "not an id" })),
            FaultKind::WrongId | FaultKind::ChargeDrift | FaultKind::Slow => Answer::json(StatusCode::OK, &body),
        };
        Self::ended(fault, End::Answer(answer))
    }

    fn ended(fault: &Fault, end: End) -> Self {
        Self { delay: Duration::from_millis(fault.delay_ms), end }
    }

    fn too_many_requests(fault: &Fault) -> Self {
        let answer = Answer {
            retry_after_s: Some(fault.delay_ms.div_ceil(1_000).max(1)),
            ..Answer::json(StatusCode::TOO_MANY_REQUESTS, &error("Rate limit exceeded"))
        };
        Self { delay: Duration::ZERO, end: End::Answer(answer) }
    }
}

impl Answer {
    /// A JSON answer.
    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self { status, content_type: JSON, retry_after_s: None, body: body.to_string() }
    }

    fn html(status: StatusCode, page: &str) -> Self {
        Self { status, content_type: HTML, retry_after_s: None, body: page.to_owned() }
    }

    /// The same as an HTTP response.
    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A refusal that every client lists.
fn refusal(action: &str) -> &'static str {
    match action {
        "add" => "Incorrect service ID",
        "refill" => "Order not eligible for refill",
        _ => "Incorrect request",
    }
}
