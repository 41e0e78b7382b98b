//! An answer as far as it could be read, before it is known what it was asked: for every dialect that is answered in JSON.

use serde_json::Value;

use crate::{Evidence, Response, value};

/// The HTTP status for "too many requests".
pub const TOO_MANY: u16 = 429;

/// A response whose body was read as JSON, if it is JSON. The content type is not looked at: upstreams send any.
pub struct Heard<'a> {
    response: &'a Response,
    json: Option<Value>,
}

impl<'a> Heard<'a> {
    /// Reads the body of `response`.
    pub fn new(response: &'a Response) -> Self {
        // PHP files saved with a byte order mark put it before everything they print.
        let bytes = response.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&response.body);
        Self { response, json: serde_json::from_slice(bytes).ok() }
    }

    /// The body under any HTTP status: for submissions, where it decides before the status does.
    pub const fn json(&self) -> Option<&Value> {
        self.json.as_ref()
    }

    /// The body of an answer that means success. A question can be asked again, so an answer under another HTTP status
    /// is not believed.
    pub fn good_json(&self) -> Option<&Value> {
        self.json().filter(|_| (200..300).contains(&self.response.status))
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.response.status
    }

    /// How long to wait, if it was told.
    pub const fn retry_after_ms(&self) -> Option<u64> {
        self.response.retry_after_ms
    }

    /// What was seen; `wrong` says what is wrong with a body that is JSON.
    pub fn evidence(&self, wrong: &str) -> Evidence {
        let excerpt = value::excerpt(&self.response.body);
        let reason = match &self.json {
            Some(_) => wrong,
            None if excerpt.is_empty() => "the answer is empty",
            None if excerpt.starts_with('<') => "the answer is a page, not JSON",
            None => "the answer is not JSON",
        };
        Evidence { status: Some(self.response.status), reason: reason.to_owned(), excerpt }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &[u8]) -> Response {
        Response { status, retry_after_ms: None, body: body.to_vec() }
    }

    #[test]
    fn a_byte_order_mark_is_no_reason_not_to_read() {
        assert!(Heard::new(&response(200, b"\xEF\xBB\xBF{}")).json().is_some());
    }

    #[test]
    fn only_success_is_good_and_evidence_says_what_came() {
        assert!(Heard::new(&response(201, b"{}")).good_json().is_some());
        assert!(Heard::new(&response(500, b"{}")).good_json().is_none());
        for (body, reason) in [
            ("{}", "no balance"),
            (" \n", "the answer is empty"),
            ("<html>", "the answer is a page, not JSON"),
            ("oops", "the answer is not JSON"),
        ] {
            let evidence = Heard::new(&response(502, body.as_bytes())).evidence("no balance");
            assert_eq!((evidence.status, evidence.reason.as_str()), (Some(502), reason));
        }
    }
}
