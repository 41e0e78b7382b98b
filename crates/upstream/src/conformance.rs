//! The suite that every dialect passes before it has tests of its own.
//!
//! A dialect brings data ([`Fixtures`]): real answers with what they say, and errors that nobody has listed. What must
//! hold whatever the wire format is written down here: where the key stands, that damaged or foreign answers never
//! become a verdict, a state or a catalogue, that a refusal stays one behind a failing proxy, and that nothing is read
//! about orders that were not asked for.

mod coverage;

use std::{collections::BTreeMap, slice};

use interline_domain::{OrderKind, StatusWord, Timestamp};
use secrecy::SecretString;

use crate::{
    ActiveTarget, Alteration, Answer, Call, CancelAnswer, Consent, Dialect, Endpoint, Evidence, Fault, Next, Property,
    Reported, Request, Response, Submission, SubmitOutcome,
};

/// The key in the suite's requests: letters and digits, which no encoding changes.
const KEY: &str = "suiteKey7Qm4Zt9";

/// The host in the suite's requests.
const HOST: &str = "https://upstream.example/";

/// Order ids in the suite's calls.
const ORDERS: [&str; 2] = ["900001", "900002"];

/// `Retry-After` in the suite's answers, in milliseconds.
const RETRY_AFTER_MS: u64 = 7_000;

const PAGE: &str = "<!DOCTYPE html><html><title>Just a moment...</title><body>error 123456</body></html>";

/// Answers in which no dialect can read anything.
const FOREIGN: [(u16, &str); 19] = [
    (200, ""),
    (200, " \r\n"),
    (204, ""),
    (301, ""),
    (403, PAGE),
    (404, ""),
    (200, PAGE),
    (502, PAGE),
    (500, "Internal Server Error 123456"),
    (500, "{}"),
    (200, "OK"),
    (200, "null"),
    (200, "true"),
    (200, "123456"),
    (200, "\"\""),
    (200, "[]"),
    (200, "{}"),
    (200, "[null,[],{}]"),
    (200, "{\"a\":{\"b\":[1,\"2\",null]}}"),
];

/// The one place of a request where a dialect puts the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// In the query of the address.
    Url,
    /// In a header.
    Header,
    /// In the body.
    Body,
    /// The call needs none, and none is sent.
    Nowhere,
}

/// A real answer and what it says.
#[derive(Debug, Clone)]
pub struct Told {
    /// What was asked.
    pub call: Call,
    /// What came back.
    pub response: Response,
    /// What that means.
    pub answer: Answer,
}

/// What a dialect brings to the suite.
#[derive(Debug, Clone)]
pub struct Fixtures {
    /// Where the key belongs.
    pub key_place: fn(&Call) -> KeyPlace,
    /// Whether an empty answer under 200, or a bare `OK`, means yes to what changes an order that is held.
    pub empty_is_consent: bool,
    /// An order of this dialect's upstreams; its service and its target are letters, digits and `-`.
    pub submission: Submission,
    /// Answers that can be read: at least one of each kind that the suite names.
    pub told: Vec<Told>,
    /// Errors in this dialect's shape whose text or code nobody has listed, under statuses other than 429.
    pub unlisted: Vec<Response>,
}

/// Runs the suite.
///
/// # Panics
/// When the dialect breaks a rule, or the fixtures leave out a kind of answer.
pub fn check(dialect: &dyn Dialect, fixtures: &Fixtures) {
    assert!(!dialect.name().is_empty(), "a dialect has a name");
    let limits = dialect.capabilities();
    assert!(limits.status_batch_max > 0 && limits.cancel_batch_max > 0, "a batch holds an order");
    assert_says_what_it_takes(dialect, &fixtures.submission);
    let (offered, others): (Vec<Call>, Vec<Call>) =
        calls(dialect, &fixtures.submission).into_iter().partition(|call| encoded(dialect, call).is_some());
    coverage::assert_covered(fixtures, &offered);
    for call in others {
        assert_not_offered(dialect, &call);
    }
    assert_nothing_comes_of_it(dialect, &offered);
    for call in offered {
        assert_encoded(dialect, (fixtures.key_place)(&call), &call);
        for response in foreign().iter().chain(&fixtures.unlisted) {
            assert_silent(dialect, fixtures, &call, response);
        }
        assert_slowed_down(dialect, &call);
    }
    for told in &fixtures.told {
        let answer = dialect.decode(&told.call, &told.response);
        assert_eq!(answer, told.answer, "{}", shown(&told.call, &told.response));
        assert_damaged_is_silent(dialect, fixtures, told);
        assert_refusal_stays(dialect, told);
        assert_strangers_are_not_read(dialect, told);
    }
}

/// Every kind of call, with one order and with several where there is a list.
fn calls(dialect: &dyn Dialect, submission: &Submission) -> Vec<Call> {
    let limits = dialect.capabilities();
    let orders = |max: usize| ORDERS.iter().take(max).map(|id| (*id).to_owned()).collect::<Vec<_>>();
    vec![
        Call::Catalogue,
        Call::Balance,
        Call::Submit(submission.clone()),
        Call::Status(orders(1)),
        Call::Status(orders(limits.status_batch_max)),
        Call::Cancel(orders(1)),
        Call::Cancel(orders(limits.cancel_batch_max)),
        Call::Refill(ORDERS[0].to_owned()),
        Call::RefillStatus(orders(1)),
        Call::RefillStatus(orders(limits.status_batch_max)),
        Call::Orders { since: Timestamp::from_millis(0) },
        Call::Pause(ORDERS[0].to_owned()),
        Call::Resume(ORDERS[0].to_owned()),
        Call::Delete(ORDERS[0].to_owned()),
        Call::Quote(alteration()),
        Call::Upgrade(alteration()),
        Call::Change(alteration()),
        Call::Prolong { order: ORDERS[0].to_owned(), count: 36 },
        Call::Validate(property(submission)),
    ]
}

fn alteration() -> Alteration {
    Alteration { order: ORDERS[0].to_owned(), quantity: Some(1_370), target: None, params: BTreeMap::new() }
}

fn property(submission: &Submission) -> Property {
    let value = submission.kind.target().to_owned();
    Property { service: submission.service.clone(), field: "channel".to_owned(), value }
}

fn endpoint() -> Endpoint {
    Endpoint { url: format!("{HOST}api/v2"), key: SecretString::from(KEY) }
}

fn encoded(dialect: &dyn Dialect, call: &Call) -> Option<Request> {
    dialect.encode(&endpoint(), call)
}

/// Answers from which nothing follows: pages, fragments, other formats, nesting without end, bytes that are no text.
fn foreign() -> Vec<Response> {
    let mut responses: Vec<Response> = FOREIGN.iter().map(|(status, body)| response(*status, body)).collect();
    for nested in ["[", "{\"a\":", "<a>"] {
        responses.push(response(200, &nested.repeat(100_000)));
    }
    responses.push(Response { status: 200, retry_after_ms: None, body: vec![0xFF, 0x00, 0xFE, b'{', b'}'] });
    responses.push(response(500, &"long \u{0}\u{7} text \u{1F600}\r\n".repeat(500)));
    responses
}

fn response(status: u16, body: &str) -> Response {
    Response { status, retry_after_ms: None, body: body.as_bytes().to_vec() }
}

/// It takes its own submission, and names the field of what it does not take: customers read that.
fn assert_says_what_it_takes(dialect: &dyn Dialect, submission: &Submission) {
    assert_eq!(dialect.takes(&submission.kind), Ok(()), "the suite's submission");
    let link = || "https://target.example/".to_owned();
    for kind in [
        OrderKind::CustomComments { link: link(), quantity: Some(7), comments: Vec::new() },
        OrderKind::CustomComments { link: link(), quantity: Some(7), comments: vec!["one".to_owned()] },
        OrderKind::Default { link: link(), quantity: 7, drip: None, interval_min: Some(5), period_amount: None },
    ] {
        if let Err(text) = dialect.takes(&kind) {
            assert!(text.contains('`') && !text.contains('\n'), "{kind:?}: `{text}` does not name a field");
        }
    }
}

/// What upstreams of this dialect cannot do is not sent, and whoever asks is told so.
fn assert_not_offered(dialect: &dyn Dialect, call: &Call) {
    let needed = matches!(call, Call::Catalogue | Call::Submit(_) | Call::Status(_));
    assert!(!needed, "{call:?} is what every upstream is for");
    let unsupported = Answer::Fault(Fault::Unsupported);
    assert!(matches!(dialect.next(&endpoint(), call, &[]), Next::Done(answer) if answer == unsupported), "{call:?}");
    assert_eq!(dialect.decode(call, &response(200, "{}")), unsupported, "{call:?}");
}

/// An action that does not exist is asked for where the others are, and is none of them.
fn assert_nothing_comes_of_it(dialect: &dyn Dialect, offered: &[Call]) {
    let Some(request) = dialect.unknown_action(&endpoint()) else { return };
    assert!(request.url.starts_with(HOST), "an unknown action leaves its host");
    for call in offered {
        let same = encoded(dialect, call).is_some_and(|other| is_same(&request, &other));
        assert!(!same, "{call:?} is no unknown action");
    }
}

/// The request is the same each time, names what it is about, goes where the operator said, and holds the key once, in
/// its place.
fn assert_encoded(dialect: &dyn Dialect, place: KeyPlace, call: &Call) {
    let Some(one) = encoded(dialect, call) else { return };
    assert!(encoded(dialect, call).is_some_and(|other| is_same(&one, &other)), "{call:?} is encoded in two ways");
    let first = dialect.next(&endpoint(), call, &[]);
    assert!(matches!(first, Next::Ask(first) if is_same(&one, &first)), "{call:?} begins with another request");
    assert!(one.url.starts_with(HOST), "{call:?} leaves its host");

    let body = String::from_utf8_lossy(&one.body);
    let keys = |text: &str| text.matches(KEY).count();
    let seen = [keys(&one.url), one.headers.iter().map(|(_, value)| keys(value)).sum::<usize>(), keys(&body)];
    let wanted = match place {
        KeyPlace::Url => [1, 0, 0],
        KeyPlace::Header => [0, 1, 0],
        KeyPlace::Body => [0, 0, 1],
        KeyPlace::Nowhere => [0, 0, 0],
    };
    assert_eq!(seen, wanted, "the key in the address, the headers and the body of {call:?}");

    let sent = format!("{} {body}", &*one.url);
    for name in named_in(call) {
        assert!(sent.contains(&name), "{call:?} does not say `{name}`");
    }
}

fn is_same(one: &Request, other: &Request) -> bool {
    one.method == other.method && *one.url == *other.url && one.headers == other.headers && one.body == other.body
}

/// What a request for `call` must name.
fn named_in(call: &Call) -> Vec<String> {
    match call {
        Call::Catalogue | Call::Balance | Call::Orders { .. } => Vec::new(),
        Call::Submit(order) => {
            let (service, target) = (order.service.clone(), order.kind.target().to_owned());
            let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            assert!(plain(&service) && plain(&target), "the suite's submission is spelled alike in every encoding");
            vec![service, target, order.kind.quantity().to_string()]
        }
        Call::Status(orders) | Call::Cancel(orders) | Call::RefillStatus(orders) => orders.clone(),
        Call::Refill(order) | Call::Pause(order) | Call::Resume(order) | Call::Delete(order) => vec![order.clone()],
        Call::Quote(altered) | Call::Upgrade(altered) | Call::Change(altered) => {
            let quantity = altered.quantity.map(|quantity| quantity.to_string());
            [altered.order.clone()].into_iter().chain(quantity).chain(altered.target.clone()).collect()
        }
        Call::Prolong { order, count } => vec![order.clone(), count.to_string()],
        Call::Validate(property) => vec![property.service.clone(), property.field.clone(), property.value.clone()],
    }
}

/// Nothing follows from `response`: no verdict, no state, no consent, no catalogue and no balance, but evidence. And no
/// further question is built on it.
fn assert_silent(dialect: &dyn Dialect, fixtures: &Fixtures, call: &Call, response: &Response) {
    let answer = dialect.decode(call, response);
    assert!(
        is_silent(fixtures, call, response, &answer),
        "{} must say nothing, but: {answer:?}",
        shown(call, response)
    );
    match dialect.next(&endpoint(), call, slice::from_ref(response)) {
        Next::Done(last) => assert_eq!(last, answer, "{}", shown(call, response)),
        Next::Ask(_) => assert!(is_bare(response), "{} is gone on from", shown(call, response)),
    }
}

/// An empty list may be the whole truth; anything longer has to be read.
fn is_bare(response: &Response) -> bool {
    response.body == b"[]" || response.body == b"{}"
}

fn is_silent(fixtures: &Fixtures, call: &Call, response: &Response, answer: &Answer) -> bool {
    let bare = is_bare(response);
    let yes = fixtures.empty_is_consent && response.status == 200 && matches!(response.body.trim_ascii(), b"" | b"OK");
    match (call, answer) {
        (Call::Submit(_), Answer::Submit(SubmitOutcome::Unknown(evidence)))
        | (Call::Refill(_), Answer::Refill(SubmitOutcome::Unknown(evidence)))
        | (
            Call::Upgrade(_) | Call::Change(_) | Call::Prolong { .. },
            Answer::Alter(SubmitOutcome::Unknown(evidence)),
        ) => is_sound(evidence, response),
        (call, Answer::Fault(Fault::Unreadable(evidence))) => !is_submission(call) && is_sound(evidence, response),
        (Call::Catalogue, Answer::Catalogue(listings)) => bare && listings.is_empty(),
        (Call::Orders { .. }, Answer::Orders(orders)) => bare && orders.is_empty(),
        (Call::Status(_), Answer::Status(said)) => {
            said.values().all(|said| matches!(said, Reported::Error(_))) && (bare || !said.is_empty())
        }
        // A word about the one refill that was asked for is no news of it.
        (Call::RefillStatus(_), Answer::RefillStatus(said)) => said.is_empty(),
        // What is said of an order is an answer to a refill of it.
        (Call::Refill(_), Answer::Refill(SubmitOutcome::Rejected(refusal))) => !refusal.text().is_empty(),
        (Call::Cancel(_), Answer::Cancel(said)) => {
            !said.values().any(|said| *said == CancelAnswer::Requested) && (bare || !said.is_empty())
        }
        (Call::Pause(_) | Call::Resume(_) | Call::Delete(_) | Call::Validate(_), Answer::Consent(said)) => match said {
            Consent::Given => yes,
            Consent::Refused(text) => !text.is_empty(),
        },
        (
            Call::Upgrade(altered) | Call::Change(altered),
            Answer::Alter(SubmitOutcome::Accepted { order, charge: None }),
        ) => yes && *order == altered.order,
        (Call::Prolong { order: prolonged, .. }, Answer::Alter(SubmitOutcome::Accepted { order, charge: None })) => {
            yes && order == prolonged
        }
        _ => false,
    }
}

/// Whether it is answered by a verdict and made at most once.
const fn is_submission(call: &Call) -> bool {
    matches!(call, Call::Submit(_) | Call::Refill(_) | Call::Upgrade(_) | Call::Change(_) | Call::Prolong { .. })
}

/// Evidence says what was seen, in a form that may be stored and shown.
fn is_sound(evidence: &Evidence, response: &Response) -> bool {
    evidence.status == Some(response.status)
        && !evidence.reason.is_empty()
        && evidence.excerpt.chars().count() <= 512
        && !evidence.excerpt.chars().any(char::is_control)
}

/// 429 without a readable word means "later", and says when.
fn assert_slowed_down(dialect: &dyn Dialect, call: &Call) {
    for body in ["", PAGE] {
        let told = Response { retry_after_ms: Some(RETRY_AFTER_MS), ..response(429, body) };
        let busy = SubmitOutcome::Busy { retry_after_ms: Some(RETRY_AFTER_MS), active_target: ActiveTarget::No };
        let wanted = match call {
            Call::Submit(_) => Answer::Submit(busy),
            Call::Refill(_) => Answer::Refill(busy),
            Call::Upgrade(_) | Call::Change(_) | Call::Prolong { .. } => Answer::Alter(busy),
            _ => Answer::Fault(Fault::Busy(Some(RETRY_AFTER_MS))),
        };
        assert_eq!(dialect.decode(call, &told), wanted, "{}", shown(call, &told));
    }
}

/// An answer that was cut off anywhere says nothing.
fn assert_damaged_is_silent(dialect: &dyn Dialect, fixtures: &Fixtures, told: &Told) {
    let whole = told.response.body.trim_ascii();
    if !whole.starts_with(b"{") && !whole.starts_with(b"[") {
        return;
    }
    for end in 0..whole.len() {
        let body = whole.get(..end).unwrap_or_default().to_vec();
        let damaged = Response { status: 200, retry_after_ms: None, body };
        assert_silent(dialect, fixtures, &told.call, &damaged);
    }
}

/// The body decides before the status does: a proxy that puts its own status over a refusal does not change it.
fn assert_refusal_stays(dialect: &dyn Dialect, told: &Told) {
    let (Answer::Submit(outcome) | Answer::Refill(outcome) | Answer::Alter(outcome)) = &told.answer else { return };
    if !matches!(outcome, SubmitOutcome::Rejected(_)) {
        return;
    }
    for status in [200, 400, 403, 500, 502, 503] {
        let response = Response { status, ..told.response.clone() };
        assert_eq!(dialect.decode(&told.call, &response), told.answer, "{}", shown(&told.call, &response));
    }
}

/// States of several orders say nothing to somebody who asked about others.
fn assert_strangers_are_not_read(dialect: &dyn Dialect, told: &Told) {
    let strangers = || vec!["700000001".to_owned(), "700000002".to_owned()];
    let call = match &told.call {
        Call::Status(asked) if asked.len() > 1 => Call::Status(strangers()),
        Call::Cancel(asked) if asked.len() > 1 => Call::Cancel(strangers()),
        Call::RefillStatus(asked) if asked.len() > 1 => Call::RefillStatus(strangers()),
        _ => return,
    };
    let read = match dialect.decode(&call, &told.response) {
        Answer::Status(said) => said.values().any(has_news),
        Answer::Cancel(said) => said.values().any(|said| *said == CancelAnswer::Requested),
        Answer::Fault(_) => false,
        Answer::RefillStatus(said) => !said.is_empty(),
        Answer::Catalogue(_)
        | Answer::Balance(_)
        | Answer::Submit(_)
        | Answer::Refill(_)
        | Answer::Orders(_)
        | Answer::Consent(_)
        | Answer::Quote(_)
        | Answer::Alter(_) => true,
    };
    assert!(!read, "{} is read for other orders", shown(&call, &told.response));
}

/// Whether something could follow from it.
fn has_news(said: &Reported) -> bool {
    matches!(said, Reported::Known(report) if report.word != StatusWord::Other)
}

/// A call and the beginning of its answer, for the message of a failed check.
fn shown(call: &Call, response: &Response) -> String {
    let body: String = String::from_utf8_lossy(&response.body).chars().take(200).collect();
    format!("{call:?} answered by {} `{body}`", response.status)
}
