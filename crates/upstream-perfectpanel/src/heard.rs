//! An answer as far as it could be read, with the errors that panels are known to give.

use std::ops::Deref;

pub(crate) use interline_upstream::heard::TOO_MANY;
use interline_upstream::{Fault, Refusal, Response};

use crate::{complaint::Complaint, errors::Listed};

/// A response whose body was read as JSON, if it is JSON, and whose complaint is understood as a panel's.
pub struct Heard<'a>(interline_upstream::Heard<'a>);

impl<'a> Deref for Heard<'a> {
    type Target = interline_upstream::Heard<'a>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a> Heard<'a> {
    /// Reads the body of `response`.
    pub fn new(response: &'a Response) -> Self {
        Self(interline_upstream::Heard::new(response))
    }

    /// What the body says went wrong.
    pub fn complaint(&self) -> Option<Complaint> {
        Complaint::of(self.json()?, self.status() >= 400)
    }

    /// What was said of the one order that was asked for, where an answer about the call would stand.
    pub fn of_the_order(&self) -> Option<String> {
        match self.complaint()?.listed()? {
            Listed::Order(text) => Some(text),
            Listed::Refused(_) | Listed::ActiveTarget | Listed::Slow => None,
        }
    }

    /// Why the call brought nothing: a listed error, "slow down", or what is missing from the answer.
    pub fn fault(&self, missing: &str) -> Fault {
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
}

#[cfg(test)]
mod tests {
    use interline_upstream::Evidence;

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
}
