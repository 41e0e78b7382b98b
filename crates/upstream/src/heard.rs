//! An answer as far as it could be read, before it is known what it was asked: for every dialect that is answered in JSON.

use serde_json::Value;

use crate::{Evidence, Response, value};

/// The HTTP status for "too many requests".
pub const TOO_MANY: u16 = 429;

/// Most objects and lists in an answer that is read, and most entries of all of them together. A large catalogue has a fifth
/// of that; a body made of nothing else would take dozens of times its bytes when it is parsed.
const NESTS_MAX: usize = 250_000;
const ENTRIES_MAX: usize = 4_000_000;

/// A response whose body was read as JSON, if it is JSON. The content type is not looked at: upstreams send any.
pub struct Heard<'a> {
    response: &'a Response,
    json: Option<Value>,
    is_crowded: bool,
}

impl<'a> Heard<'a> {
    /// Reads the body of `response`.
    pub fn new(response: &'a Response) -> Self {
        // PHP files saved with a byte order mark put it before everything they print.
        let bytes = response.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&response.body);
        let is_crowded = is_crowded(bytes);
        let json = if is_crowded { None } else { serde_json::from_slice(bytes).ok() };
        Self { response, json, is_crowded }
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
            None if self.is_crowded => "the answer has more parts than are read",
            None if excerpt.is_empty() => "the answer is empty",
            None if excerpt.starts_with('<') => "the answer is a page, not JSON",
            None => "the answer is not JSON",
        };
        Evidence { status: Some(self.response.status), reason: reason.to_owned(), excerpt }
    }
}

/// Whether a body has more parts than are read. What stands in texts counts too, for a body is looked at before it is read.
fn is_crowded(body: &[u8]) -> bool {
    let count = |marks: &[u8]| body.iter().filter(|byte| marks.contains(byte)).count();
    body.len() > NESTS_MAX && (count(b"{[") > NESTS_MAX || count(b",") > ENTRIES_MAX)
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
    fn what_would_take_many_times_its_bytes_is_not_parsed() {
        let of = |part: &str, count: usize| format!("[{}0]", part.repeat(count));
        for (body, is_read) in [
            (of("{},", NESTS_MAX - 1), true),
            (of("{},", NESTS_MAX), false),
            (of("0,", ENTRIES_MAX), true),
            (of("0,", ENTRIES_MAX + 1), false),
        ] {
            let response = response(200, body.as_bytes());
            let heard = Heard::new(&response);
            assert_eq!(heard.json().is_some(), is_read, "{} bytes", body.len());
            assert_eq!(heard.evidence("").reason.contains("more parts"), !is_read);
        }
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
