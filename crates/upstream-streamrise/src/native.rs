//! Answers of the native face to what is asked about one order: verdicts, consent and quotes. An error is a text or a map
//! `{field: reason}`, under 200.

use std::collections::BTreeSet;

use interline_upstream::{
    ActiveTarget, Answer, Consent, Fault, Quoted, Refusal, Response, Stated, SubmitOutcome,
    heard::TOO_MANY,
    value::{self, Object, field},
};
use interline_upstream_perfectpanel::{Complaint, Heard, Listed};
use serde_json::Value;

/// The reasons in field errors that the seed names, in lower case; all are about the target.
const TARGET_REASONS: [&str; 3] = ["channelempty", "channel not found", "invalid channel name"];

/// The verdict on `newOrder`: the id of the new order and no error, or an error that is listed.
pub(crate) fn submitted(response: &Response) -> SubmitOutcome {
    let heard = Heard::new(response);
    let complaint = heard.complaint();
    let mut ids = heard.json().and_then(Value::as_object).map(order_ids).unwrap_or_default().into_iter();
    match (ids.next(), ids.next()) {
        (Some(order), None) if complaint.is_none() => SubmitOutcome::Accepted { order, charge: None },
        (Some(_), None) => SubmitOutcome::Unknown(heard.evidence("an order id beside an error")),
        (Some(_), Some(_)) => SubmitOutcome::Unknown(heard.evidence("two order ids")),
        (None, _) => match complaint.as_ref().and_then(listed) {
            // Nobody asked about an existing order: it is as good as an error that is not listed.
            Some(Listed::Order(_)) | None => unlisted(&heard, complaint.is_some(), "no order id"),
            Some(Listed::Refused(refusal)) => SubmitOutcome::Rejected(refusal),
            Some(Listed::ActiveTarget) => busy(&heard, ActiveTarget::Yes),
            Some(Listed::Slow) => busy(&heard, ActiveTarget::No),
        },
    }
}

/// The verdict on an upgrade or a change of `order`, which has no id of its own.
pub(crate) fn altered(response: &Response, order: &str) -> SubmitOutcome {
    let heard = Heard::new(response);
    if is_consent(response) {
        return SubmitOutcome::Accepted { order: order.to_owned(), charge: None };
    }
    let complaint = heard.complaint();
    match complaint.as_ref().and_then(listed) {
        Some(Listed::Refused(refusal)) => SubmitOutcome::Rejected(refusal),
        // What is said of the order is the verdict here.
        Some(Listed::Order(text)) => SubmitOutcome::Rejected(Refusal::Parameters(text)),
        Some(Listed::ActiveTarget | Listed::Slow) => busy(&heard, ActiveTarget::No),
        None => unlisted(&heard, complaint.is_some(), "neither consent nor an error"),
    }
}

/// What was said to a pause, a resumption, a deletion or a value.
pub(crate) fn consented(response: &Response) -> Answer {
    let heard = Heard::new(response);
    if is_consent(response) {
        return Answer::Consent(Consent::Given);
    }
    let fault = || Answer::Fault(heard.fault("neither consent nor an error"));
    let Some(complaint) = heard.complaint().filter(|complaint| !complaint.text().is_empty()) else { return fault() };
    match listed(&complaint) {
        Some(Listed::Refused(Refusal::Key(_)) | Listed::ActiveTarget | Listed::Slow) => fault(),
        None if heard.good_json().is_none() => fault(),
        // It may be asked again, so every other error is a "no", in the upstream's words.
        Some(Listed::Refused(_) | Listed::Order(_)) | None => Answer::Consent(Consent::Refused(complaint.text())),
    }
}

/// What an upgrade would cost.
pub(crate) fn quoted(response: &Response) -> Answer {
    let heard = Heard::new(response);
    let complaint = heard.complaint();
    if let Some(Listed::Refused(refusal)) = complaint.as_ref().and_then(listed) {
        return Answer::Fault(Fault::Refused(refusal));
    }
    let told = heard.good_json().filter(|_| complaint.is_none()).and_then(Value::as_object);
    let quote = told.and_then(|body| {
        let amount = |name| field(body, name).and_then(value::amount).filter(|amount| !amount.is_negative());
        let price = Stated { amount: amount("price")?, currency: value::currency(body) };
        Some(Quoted { price, discount: amount("totalDiscount") })
    });
    quote.map_or_else(|| Answer::Fault(heard.fault("no price")), Answer::Quote)
}

/// The ids under which an answer names the new order; they should be one.
fn order_ids(body: &Object) -> BTreeSet<String> {
    let own = field(body, "order").and_then(Value::as_object).and_then(|order| field(order, "id"));
    [field(body, "orderId"), own].into_iter().flatten().filter_map(value::order_id).collect()
}

/// What a complaint means: by the reasons of this face, then by the texts of the other.
fn listed(complaint: &Complaint) -> Option<Listed> {
    let target = complaint.words().iter().find(|word| TARGET_REASONS.contains(&word.to_lowercase().as_str()));
    target.map(|word| Listed::Refused(Refusal::Target(word.clone()))).or_else(|| complaint.listed())
}

/// Whether it is the success without a body that the seed shows; servers like this one write `OK` there.
fn is_consent(response: &Response) -> bool {
    response.status == 200 && matches!(response.body.trim_ascii(), b"" | b"OK")
}

fn busy(heard: &Heard<'_>, active_target: ActiveTarget) -> SubmitOutcome {
    SubmitOutcome::Busy { retry_after_ms: heard.retry_after_ms(), active_target }
}

/// The verdict where no listed error decides: 429 counts, and all the rest is unknown.
fn unlisted(heard: &Heard<'_>, complained: bool, missing: &str) -> SubmitOutcome {
    if heard.status() == TOO_MANY {
        return busy(heard, ActiveTarget::No);
    }
    SubmitOutcome::Unknown(heard.evidence(if complained { "an error that is not listed" } else { missing }))
}

#[cfg(test)]
#[path = "native_tests.rs"]
mod tests;
