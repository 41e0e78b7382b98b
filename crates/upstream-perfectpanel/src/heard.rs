//! An answer as far as it could be read, before it is known what it was asked.

use interline_upstream::{Evidence, Fault, Refusal, Response};
use serde_json::Value;

use crate::{complaint::Complaint, errors::Listed, value};

/// "Too many requests".
pub(crate) const TOO_MANY: u16 = 429;

/// A response whose body was read as JSON, if it is JSON. The content type is not looked at: panels send any.
pub(crate) struct Heard<'a> {
    response: &'a Response,
    json: Option<Value>,
}

impl<'a> Heard<'a> {
    /// Reads the body of `response`.
    pub(crate) fn new(response: &'a Response) -> Self {
        // PHP files saved with a byte order mark put it before everything they print.
        let bytes = response.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&response.body);
        Self { response, json: serde_json::from_slice(bytes).ok() }
    }

    /// The body under any HTTP status: for submissions, where it decides before the status does.
    pub(crate) const fn json(&self) -> Option<&Value> {
        self.json.as_ref()
    }

    /// The body of an answer that means success. A question can be asked again, so an answer under another HTTP status
    /// is not believed.
    pub(crate) fn good_json(&self) -> Option<&Value> {
        self.json().filter(|_| (200..300).contains(&self.response.status))
    }

    /// The HTTP status.
    pub(crate) const fn status(&self) -> u16 {
        self.response.status
    }

    /// How long to wait, if it was told.
    pub(crate) const fn retry_after_ms(&self) -> Option<u64> {
        self.response.retry_after_ms
    }

    /// What the body says went wrong.
    pub(crate) fn complaint(&self) -> Option<Complaint> {
        Complaint::of(self.json()?, self.response.status >= 400)
    }

    /// What was said of the one order that was asked for, where an answer about the call would stand.
    pub(crate) fn of_the_order(&self) -> Option<String> {
        match self.complaint()?.listed()? {
            Listed::Order(text) => Some(text),
            Listed::Refused(_) | Listed::ActiveTarget | Listed::Slow => None,
        }
    }

    /// Why the call brought nothing: a listed error, "slow down", or what is missing from the answer.
    pub(crate) fn fault(&self, missing: &str) -> Fault {
        let complaint = self.complaint();
        match complaint.as_ref().and_then(Complaint::listed) {
            Some(Listed::Refused(refusal)) => Fault::Refused(refusal),
            Some(Listed::Order(text)) => Fault::Refused(Refusal::Parameters(text)),
            Some(Listed::Slow | Listed::ActiveTarget) => Fault::Busy(self.retry_after_ms()),
            None if self.status() == TOO_MANY => Fault::Busy(self.retry_after_ms()),
            None if complaint.is_some() => Fault::Unreadable(self.evidence("an error that is not listed")),
            None if self.good_json().is_none() => Fault::Unreadable(self.evidence("an HTTP status that means failure")),
            None => Fault::Unreadable(self.evidence(missing)),
        }
    }

    /// What was seen; `wrong` says what is wrong with a body that is JSON.
    pub(crate) fn evidence(&self, wrong: &str) -> Evidence {
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

    fn fault(status: u16, body: &str) -> Fault {
        Heard::new(&Response { status, retry_after_ms: Some(3_000), body: body.into() }).fault("no balance")
    }

    #[test]
    fn faults_are_told_apart() {
        assert_eq!(
            fault(200, r#"{"error":"Invalid API key"}"#),
            Fault::Refused(Refusal::Key("Invalid API key".into()))
        );
        assert_eq!(
            fault(400, r#"{"error":"Incorrect order ID"}"#),
            Fault::Refused(Refusal::Parameters("Incorrect order ID".into()))
        );
        for (status, body) in [(429, ""), (429, r#"{"error":"langsamer"}"#), (200, r#"{"error":"Too many requests."}"#)]
        {
            assert_eq!(fault(status, body), Fault::Busy(Some(3_000)), "{status} {body}");
        }
        for (status, body, reason) in [
            (200, " \n", "the answer is empty"),
            (503, "<html>Just a moment\u{2026}</html>", "the answer is a page, not JSON"),
            (200, "oops", "the answer is not JSON"),
            (200, r#"{"error":"Neispravna poveznica"}"#, "an error that is not listed"),
            (500, r#"{"balance":"1"}"#, "an HTTP status that means failure"),
            (200, r#"{"credit":"1"}"#, "no balance"),
        ] {
            let excerpt = body.trim().to_owned();
            let evidence = Evidence { status: Some(status), reason: reason.to_owned(), excerpt };
            assert_eq!(fault(status, body), Fault::Unreadable(evidence));
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_reason_not_to_read() {
        let response = Response { status: 200, retry_after_ms: None, body: b"\xEF\xBB\xBF{}".to_vec() };
        assert!(Heard::new(&response).json().is_some());
    }
}
