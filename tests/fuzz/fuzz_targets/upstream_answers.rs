//! Answers of upstreams: whatever comes back, nothing follows from it that it does not say.
//!
//! The first line of an input is a letter for the call and the HTTP status of the answer (`s200`); the rest is the body.

#![no_main]

use std::collections::BTreeMap;

use interline_domain::OrderKind;
use interline_upstream::{
    Answer, Call, CancelAnswer, Dialect as _, Evidence, Fault, Listing, Reported, Response, Submission, SubmitOutcome,
};
use interline_upstream_perfectpanel::PerfectPanel;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Longest text that an answer passes on, in characters.
const TEXT_CHARS_MAX: usize = 512;

/// Longest id, in characters.
const ID_CHARS_MAX: usize = 64;

/// `Retry-After` of every 429, in milliseconds.
const RETRY_AFTER_MS: u64 = 7_000;

/// What is asked for in lists: the ids of the corpus, and one that is also a name that panels use.
const ASKED: [&str; 11] = ["1", "2", "3", "9", "12345", "12346", "99999", "23501", "23502", "ord_8", "status"];

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (head, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (letter, status) = head.split_first().map_or((b'a', 200), |(letter, rest)| (*letter, http_status(rest)));
    let retry_after_ms = (status == 429).then_some(RETRY_AFTER_MS);
    let (call, response) = (call(letter), Response { status, retry_after_ms, body: body.to_vec() });
    assert_fits(&call, &response, &PerfectPanel.decode(&call, &response));
});

/// The status after the letter; 200 where there is none.
fn http_status(text: &[u8]) -> u16 {
    std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(200)
}

/// The call of that letter; one that has no call is a submission, where a mistake costs most.
fn call(letter: u8) -> Call {
    let (one, many) = (|| vec![ASKED[0].to_owned()], || Vec::from(ASKED.map(str::to_owned)));
    match letter {
        b'c' => Call::Catalogue,
        b'b' => Call::Balance,
        b's' => Call::Status(one()),
        b'S' => Call::Status(many()),
        b'x' => Call::Cancel(one()),
        b'X' => Call::Cancel(many()),
        b'r' => Call::Refill(ASKED[0].to_owned()),
        b'f' => Call::RefillStatus(one()),
        b'F' => Call::RefillStatus(many()),
        _ => {
            let kind = OrderKind::plain("https://example.com/p", 1_000);
            Call::Submit(Submission { service: "1".to_owned(), kind, params: BTreeMap::new() })
        }
    }
}

/// The answer is one to this call, speaks of what was asked for, and brings news only under a status of success.
fn assert_fits(call: &Call, response: &Response, answer: &Answer) {
    let good = (200..300).contains(&response.status);
    match (call, answer) {
        (Call::Submit(_), Answer::Submit(outcome)) | (Call::Refill(_), Answer::Refill(outcome)) => {
            assert_verdict(response, outcome);
            assert_no_other_verdict(call, response, outcome);
        }
        (Call::Catalogue, Answer::Catalogue(listings)) => {
            assert!(good, "a catalogue under {}", response.status);
            listings.iter().for_each(assert_listing);
        }
        (Call::Balance, Answer::Balance(_)) => assert!(good, "a balance under {}", response.status),
        (Call::Status(asked), Answer::Status(said)) => {
            assert_asked_for(asked, said);
            said.values().for_each(|said| assert_reported(said, good));
        }
        (Call::Cancel(asked), Answer::Cancel(said)) => {
            assert_asked_for(asked, said);
            for said in said.values() {
                match said {
                    CancelAnswer::Requested => assert!(good, "consent under {}", response.status),
                    CancelAnswer::Refused(text) => assert_text(text),
                }
            }
        }
        (Call::RefillStatus(asked), Answer::RefillStatus(said)) => {
            assert_asked_for(asked, said);
            assert!(good || said.is_empty(), "news of a refill under {}", response.status);
        }
        (
            Call::Catalogue | Call::Balance | Call::Status(_) | Call::Cancel(_) | Call::RefillStatus(_),
            Answer::Fault(fault),
        ) => assert_fault(response, fault),
        _ => panic!("{call:?} is answered by {answer:?}"),
    }
}

/// A verdict is what the body says: an id that stands there, words that may be stored, or evidence.
fn assert_verdict(response: &Response, outcome: &SubmitOutcome) {
    match outcome {
        SubmitOutcome::Accepted { order, .. } => {
            assert!(body_holds(&response.body, order), "{order:?} does not stand in the body");
            // It goes into comma-joined lists later.
            let plain = order.chars().all(|c| c.is_ascii_graphic() && c != ',');
            assert!(plain && (1..=ID_CHARS_MAX).contains(&order.len()), "{order:?} is no id");
        }
        SubmitOutcome::Rejected(refusal) => assert_words(refusal.text()),
        SubmitOutcome::Busy { retry_after_ms, .. } => assert_eq!(*retry_after_ms, response.retry_after_ms),
        SubmitOutcome::Unknown(evidence) => assert_evidence(response, evidence),
    }
}

/// Whatever status a proxy puts over it, one body never says both "taken" and "not taken": the second would be
/// believed, and the order sent to another upstream.
fn assert_no_other_verdict(call: &Call, response: &Response, outcome: &SubmitOutcome) {
    let taken = |outcome: &SubmitOutcome| matches!(outcome, SubmitOutcome::Accepted { .. });
    let free = |outcome: &SubmitOutcome| matches!(outcome, SubmitOutcome::Rejected(_) | SubmitOutcome::Busy { .. });
    for status in [200, 429, 502] {
        let other = PerfectPanel.decode(call, &Response { status, ..response.clone() });
        let (Answer::Submit(other) | Answer::Refill(other)) = &other else { panic!("no verdict: {other:?}") };
        let contradicts = (taken(outcome) && free(other)) || (free(outcome) && taken(other));
        assert!(!contradicts, "{outcome:?} under {}, {other:?} under {status}", response.status);
    }
}

fn assert_asked_for<T>(asked: &[String], said: &BTreeMap<String, T>) {
    for id in said.keys() {
        assert!(asked.contains(id), "{id:?} was not asked for");
    }
}

fn assert_reported(said: &Reported, good: bool) {
    match said {
        Reported::Known(_) => assert!(good, "a state under a status that means failure"),
        Reported::Error(text) => assert_words(text),
    }
}

/// A service that can be sold as it stands.
fn assert_listing(listing: &Listing) {
    assert!((1..=ID_CHARS_MAX).contains(&listing.service.chars().count()), "{listing:?}");
    assert!(1 <= listing.min && listing.min <= listing.max, "{listing:?}");
    assert!(listing.rate.is_zero() || listing.rate.is_sign_positive(), "{listing:?}");
    for text in [&listing.service, &listing.name, &listing.category] {
        assert_text(text);
    }
}

fn assert_fault(response: &Response, fault: &Fault) {
    match fault {
        Fault::Busy(retry_after_ms) => assert_eq!(*retry_after_ms, response.retry_after_ms),
        Fault::Refused(refusal) => assert_words(refusal.text()),
        Fault::Unreadable(evidence) => assert_evidence(response, evidence),
        Fault::Unsupported => panic!("every call here is one that panels take"),
    }
}

fn assert_evidence(response: &Response, evidence: &Evidence) {
    assert_eq!(evidence.status, Some(response.status));
    assert_words(&evidence.reason);
    assert_text(&evidence.excerpt);
}

/// A text that says something.
fn assert_words(text: &str) {
    assert!(!text.is_empty(), "no words");
    assert_text(text);
}

/// A text that may be stored and shown.
fn assert_text(text: &str) {
    assert!(text.chars().count() <= TEXT_CHARS_MAX, "{} characters", text.chars().count());
    assert!(!text.chars().any(char::is_control), "control characters in {text:?}");
}

/// Whether `id` stands in the body as a text or a number, by a rule that is simpler than the reader's.
fn body_holds(body: &[u8], id: &str) -> bool {
    let json = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    serde_json::from_slice::<Value>(json).is_ok_and(|body| holds(&body, id))
}

fn holds(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => text.trim() == id,
        Value::Number(number) => number.to_string() == id,
        Value::Array(items) => items.iter().any(|item| holds(item, id)),
        Value::Object(members) => members.values().any(|member| holds(member, id)),
        Value::Null | Value::Bool(_) => false,
    }
}
