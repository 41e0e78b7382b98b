//! The verdict on a new purchase: "Classify" in the ledger's design. The body decides first, the HTTP status second.

use interline_upstream::{Heard, Refusal, SubmitOutcome};

use crate::{
    errors::{self, Complaint},
    purchase::Purchase,
};

/// Reads the verdict.
///
/// A purchase in the body is an acceptance under any HTTP status, for only an upstream that made it can name it; beside
/// an error it is no verdict, for one of the two is not true. Only then does an error count, by the code in its body.
pub(crate) fn read(heard: &Heard<'_>) -> SubmitOutcome {
    let unknown = |reason: &str| SubmitOutcome::Unknown(heard.evidence(reason));
    match (heard.json().and_then(Purchase::read), Complaint::stated(heard)) {
        (Some(purchase), None) => return SubmitOutcome::Accepted { order: purchase.id, charge: purchase.price },
        (Some(_), Some(_)) => return unknown("a purchase beside an error"),
        (None, _) => {}
    }
    match Complaint::of(heard) {
        Some(Complaint::Refused(refusal)) => SubmitOutcome::Rejected(refusal),
        Some(Complaint::Missing(text)) => SubmitOutcome::Rejected(Refusal::Service(text)),
        Some(Complaint::Slow) => errors::busy(heard),
        // It was made perhaps, and could not be started.
        Some(Complaint::Unfit(_)) => unknown("an error about a purchase that is there"),
        Some(Complaint::Unlisted) => unknown("an error that is not listed"),
        None => unknown("no purchase"),
    }
}

#[cfg(test)]
#[path = "submit_tests.rs"]
mod tests;
