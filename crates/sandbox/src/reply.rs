//! What goes back to a caller: an answer, or the lack of one.

use std::{sync::OnceLock, time::Duration};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::Full;
use serde_json::Value;

use crate::{
    bucket::Metered,
    face::Face,
    fault::{Fault, FaultKind},
    panel::Answered,
};

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=UTF-8";
const INTERSTITIAL: &str = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>";
const BAD_GATEWAY: &str =
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
/// No text in any encoding that anybody uses for JSON.
const GARBAGE: &[u8] = b"\x1f\x8b\x08\x00\xff\xfe{\"order\":\xc3\x28\x00\x00";
/// 100 MB of opening brackets.
const HUGE_BYTES: usize = 100 << 20;
/// How deep JSON is nested that nobody should read.
const DEPTH: usize = 100_000;

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
    metered: Option<Metered>,
    body: Bytes,
}

impl Reply {
    /// How a call of `action` ends that met `fault`. `answered` is what it came to if it was carried out, and `earlier`
    /// what the face said, or would have said, when it took the latest order before.
    pub(crate) fn new(
        face: Face,
        action: &str,
        fault: Option<&Fault>,
        answered: Option<Answered>,
        earlier: Option<Value>,
    ) -> Self {
        let Answered { status, body, taken } = answered.unwrap_or_else(|| Answered::of(Value::Null));
        let Some(fault) = fault else {
            return Self { delay: Duration::ZERO, end: End::Answer(Answer::json(status, &body)) };
        };
        let refused = |kind| face.refused(kind, action);
        let answer = match fault.kind {
            FaultKind::RefuseConnection | FaultKind::DropBeforeReading | FaultKind::TakeAndDrop => {
                return Self::ended(fault, End::Drop);
            }
            FaultKind::TakeAndHang => return Self::ended(fault, End::Hang),
            FaultKind::TakeAnd502 => Answer::html(StatusCode::BAD_GATEWAY, BAD_GATEWAY),
            FaultKind::Html => Answer::html(StatusCode::OK, INTERSTITIAL),
            FaultKind::Empty => Answer::json(StatusCode::OK, &Value::Null),
            FaultKind::UnknownError
            | FaultKind::Refusal
            | FaultKind::NoFunds
            | FaultKind::BadLink
            | FaultKind::ActiveOrder => {
                let (status, body) = refused(fault.kind);
                Answer::json(status, &body)
            }
            FaultKind::RefusalUnder502 => Answer::json(StatusCode::BAD_GATEWAY, &refused(fault.kind).1),
            FaultKind::TooManyRequests => return Self::too_many_requests(face, action, fault),
            FaultKind::DuplicateId => Answer::json(StatusCode::OK, &earlier.unwrap_or_default()),
            FaultKind::WrongId if taken.is_some() => Answer::json(status, &face.with_id(body, &"not an id".into())),
            FaultKind::WrongId | FaultKind::ChargeDrift | FaultKind::Slow => Answer::json(status, &body),
            FaultKind::Garbage => Answer::bytes(Bytes::from_static(GARBAGE)),
            FaultKind::Huge => Answer::bytes(huge()),
            FaultKind::Deep => Answer::bytes(["[".repeat(DEPTH), "]".repeat(DEPTH)].concat().into()),
            FaultKind::Redirect => Answer::json(StatusCode::TEMPORARY_REDIRECT, &Value::Null),
        };
        Self::ended(fault, End::Answer(answer))
    }

    /// What a call is told that came faster than its key may call.
    pub(crate) fn too_fast(face: Face, action: &str) -> Self {
        let (status, body) = face.refused(FaultKind::TooManyRequests, action);
        Self { delay: Duration::ZERO, end: End::Answer(Answer::json(status, &body)) }
    }

    /// The same, with how the rate stands in its headers.
    pub(crate) fn metered(self, metered: Option<Metered>) -> Self {
        match self.end {
            End::Answer(answer) => Self { end: End::Answer(Answer { metered, ..answer }), ..self },
            end => Self { end, ..self },
        }
    }

    fn ended(fault: &Fault, end: End) -> Self {
        Self { delay: Duration::from_millis(fault.delay_ms), end }
    }

    fn too_many_requests(face: Face, action: &str, fault: &Fault) -> Self {
        let (status, body) = face.refused(fault.kind, action);
        let retry_after_s = Some(fault.delay_ms.div_ceil(1_000).max(1));
        Self { delay: Duration::ZERO, end: End::Answer(Answer { retry_after_s, ..Answer::json(status, &body) }) }
    }
}

impl Answer {
    /// A JSON answer; null is one without a body.
    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        Self { status, content_type: JSON, retry_after_s: None, metered: None, body }
    }

    fn html(status: StatusCode, page: &'static str) -> Self {
        let body = Bytes::from_static(page.as_bytes());
        Self { status, content_type: HTML, body, ..Self::json(status, &Value::Null) }
    }

    /// Whatever it is, it is said to be JSON.
    fn bytes(body: Bytes) -> Self {
        Self { body, ..Self::json(StatusCode::OK, &Value::Null) }
    }

    /// The same as an HTTP response.
    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(Metered { limit, remaining, reset_s, .. }) = self.metered {
            for (name, value) in
                [("x-rate-limit-limit", limit), ("x-rate-limit-remaining", remaining), ("x-rate-limit-reset", reset_s)]
            {
                headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
            }
        }
        response
    }
}

/// Made once, for it is as big as it is.
fn huge() -> Bytes {
    static HUGE: OnceLock<Bytes> = OnceLock::new();
    HUGE.get_or_init(|| Bytes::from(vec![b'['; HUGE_BYTES])).clone()
}
