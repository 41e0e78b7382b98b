//! The dialect as a whole: the conformance suite over real answers first, then any answer to any call.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic,
};

use interline_domain::{OrderKind, RefillStatus, Report, ServiceType, StatusWord, Timestamp};
use interline_upstream::{
    ActiveTarget, Alteration, CancelAnswer, Listing, Property, Refusal, Reported, Submission, SubmitOutcome,
    call::Stated,
    conformance::{self, Fixtures, KeyPlace, Told},
};
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;

const SERVICES: &str = r#"[
  { "service": "1", "name": "Followers", "type": "Default", "rate": "0.90", "min": "50", "max": "10000",
    "category": "First Category" },
  { "service": "2", "name": "Comments", "type": "Custom Comments", "rate": "8", "min": "10", "max": "1500",
    "category": "Second Category" }
]"#;

const MANY: &str = r#"{
  "1": { "charge": "0.27819", "start_count": "3572", "status": "Partial", "remains": "157", "currency": "USD" },
  "2": { "error":  "Incorrect order ID" },
  "3": { "charge": "1.44219", "start_count": "234",  "status": "In progress", "remains": "10", "currency": "USD" }
}"#;

const CANCELED: &str =
    r#"[ { "order": 9,  "cancel": { "status": "success" } }, { "order": 2,  "error":  "Incorrect order ID" } ]"#;

fn told(call: Call, status: u16, body: &str, answer: Answer) -> Told {
    Told { call, response: Response { status, retry_after_ms: None, body: body.into() }, answer }
}

fn submission() -> Submission {
    let kind = OrderKind::plain("channel-77", 1_370);
    Submission { service: "4412".to_owned(), kind, params: BTreeMap::new() }
}

fn ids(asked: &[&str]) -> Vec<String> {
    asked.iter().map(|id| (*id).to_owned()).collect()
}

fn verdict(status: u16, body: &str, outcome: SubmitOutcome) -> Told {
    told(Call::Submit(submission()), status, body, Answer::Submit(outcome))
}

const fn refilled(outcome: SubmitOutcome) -> Answer {
    Answer::Refill(outcome)
}

fn usd(amount: &str) -> Stated {
    Stated { amount: amount.parse().unwrap(), currency: "USD".parse().ok() }
}

fn listing(service: &str, name: &str, category: &str, rate: &str, bounds: (u64, u64)) -> Listing {
    Listing {
        service: service.to_owned(),
        name: name.to_owned(),
        category: category.to_owned(),
        service_type: None,
        rate: rate.parse().unwrap(),
        price: None,
        min: bounds.0,
        max: bounds.1,
        refill: None,
        cancel: None,
        dripfeed: None,
        changes: BTreeSet::new(),
        upgrades: BTreeSet::new(),
    }
}

fn state(word: StatusWord, remains: i64, start: i64, charge: &str) -> Reported {
    let Stated { amount, currency } = usd(charge);
    Reported::Known(Report { word, remains: Some(remains), start_count: Some(start), charge: Some(amount), currency })
}

fn incorrect() -> String {
    "Incorrect order ID".to_owned()
}

fn verdicts() -> Vec<Told> {
    let accepted = |charge| SubmitOutcome::Accepted { order: "23501".to_owned(), charge };
    let funds = |text: &str| SubmitOutcome::Rejected(Refusal::Funds(text.to_owned()));
    let active = SubmitOutcome::Busy { retry_after_ms: None, active_target: ActiveTarget::Yes };
    let charged = r#"{"status":"success","order":"23501","charge":"0.9","currency":"USD"}"#;
    vec![
        verdict(200, r#"{ "order": 23501 }"#, accepted(None)),
        verdict(201, charged, accepted(Some(usd("0.9")))),
        verdict(402, r#"{"error":"Insufficient balance"}"#, funds("Insufficient balance")),
        verdict(200, r#"{"error":"neworder.error.not_enough_funds"}"#, funds("neworder.error.not_enough_funds")),
        verdict(
            200,
            r#"{"error":"You have active order with this link. Please wait until order being completed."}"#,
            active,
        ),
    ]
}

fn readings() -> Vec<Told> {
    let followers = Listing {
        service_type: Some(ServiceType::Default),
        ..listing("1", "Followers", "First Category", "0.9", (50, 10_000))
    };
    let comments = Listing {
        service_type: Some(ServiceType::CustomComments),
        ..listing("2", "Comments", "Second Category", "8", (10, 1_500))
    };
    let states = [
        ("1".to_owned(), state(StatusWord::Partial, 157, 3_572, "0.27819")),
        ("2".to_owned(), Reported::Error(incorrect())),
        ("3".to_owned(), state(StatusWord::InProgress, 10, 234, "1.44219")),
    ];
    let canceled = [("9".to_owned(), CancelAnswer::Requested), ("2".to_owned(), CancelAnswer::Refused(incorrect()))];
    let one = r#"{"charge":"0.27819","start_count":"3572","status":"Partial","remains":"157","currency":"USD"}"#;
    vec![
        told(Call::Catalogue, 200, SERVICES, Answer::Catalogue(vec![followers, comments])),
        told(Call::Balance, 200, r#"{ "balance": "100.84292", "currency": "USD" }"#, Answer::Balance(usd("100.84292"))),
        told(Call::Status(ids(&["1", "2", "3", "4"])), 200, MANY, Answer::Status(states.clone().into())),
        told(Call::Status(ids(&["1"])), 200, one, Answer::Status(states.into_iter().take(1).collect())),
        told(
            Call::Refill("1".to_owned()),
            200,
            r#"{"refill":"1"}"#,
            refilled(SubmitOutcome::Accepted { order: "1".into(), charge: None }),
        ),
        told(
            Call::Refill("1".to_owned()),
            200,
            r#"{"error":"Order not eligible for refill."}"#,
            refilled(SubmitOutcome::Rejected(Refusal::Parameters("Order not eligible for refill.".into()))),
        ),
        told(
            Call::RefillStatus(ids(&["1", "2"])),
            200,
            r#"[{"refill":1,"status":"Completed"},{"refill":2,"status":"Rejected"}]"#,
            Answer::RefillStatus(
                [("1".to_owned(), RefillStatus::Completed), ("2".to_owned(), RefillStatus::Rejected)].into(),
            ),
        ),
        told(Call::Cancel(ids(&["9", "2"])), 200, CANCELED, Answer::Cancel(canceled.into())),
        told(
            Call::Balance,
            401,
            r#"{"error":"Invalid API key"}"#,
            Answer::Fault(Fault::Refused(Refusal::Key("Invalid API key".to_owned()))),
        ),
    ]
}

fn fixtures() -> Fixtures {
    let unlisted = [
        (200, r#"{"error":"Lien incorrect"}"#),
        (502, r#"{"error":"Upstream provider returned an error"}"#),
        (200, r#"{"status":"error","msg":"Vui lòng thử lại","error":17}"#),
        (422, r#"{"message":"The given data was invalid.","errors":{"link":["?"]}}"#),
    ];
    Fixtures {
        key_place: |_| KeyPlace::Body,
        empty_is_consent: false,
        submission: submission(),
        told: verdicts().into_iter().chain(readings()).collect(),
        unlisted: unlisted
            .iter()
            .map(|(status, body)| Response { status: *status, retry_after_ms: None, body: (*body).into() })
            .collect(),
    }
}

#[test]
fn it_conforms() {
    conformance::check(&PerfectPanel, &fixtures());
}

/// The dialect with one fault.
struct Careless {
    send: fn(&Endpoint, Request) -> Request,
    read: fn(&Response, Answer) -> Answer,
}

impl Dialect for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn capabilities(&self) -> Capabilities {
        PerfectPanel.capabilities()
    }

    fn encode(&self, endpoint: &Endpoint, call: &Call) -> Option<Request> {
        Some((self.send)(endpoint, PerfectPanel.encode(endpoint, call)?))
    }

    fn decode(&self, call: &Call, response: &Response) -> Answer {
        (self.read)(response, PerfectPanel.decode(call, response))
    }
}

/// What dialects are likely to get wrong.
const FAULTS: [Careless; 7] = [
    Careless {
        send: |endpoint, sent| Request {
            url: format!("{}?k={}", &*sent.url, endpoint.key.expose_secret()).into(),
            ..sent
        },
        read: |_, answer| answer,
    },
    Careless { send: |_, sent| Request { body: Vec::new(), ..sent }, read: |_, answer| answer },
    Careless {
        send: |_, sent| sent,
        read: |_, answer| match answer {
            Answer::Submit(SubmitOutcome::Unknown(seen)) => {
                Answer::Submit(SubmitOutcome::Rejected(Refusal::Parameters(seen.reason)))
            }
            other => other,
        },
    },
    Careless {
        send: |_, sent| sent,
        read: |response, answer| match answer {
            Answer::Submit(SubmitOutcome::Unknown(_)) if response.status == 200 => {
                Answer::Submit(SubmitOutcome::Accepted { order: "1".to_owned(), charge: None })
            }
            other => other,
        },
    },
    Careless {
        send: |_, sent| sent,
        read: |response, answer| match answer {
            Answer::Submit(SubmitOutcome::Rejected(_)) if response.status >= 500 => {
                Answer::Submit(SubmitOutcome::Busy { retry_after_ms: None, active_target: ActiveTarget::No })
            }
            other => other,
        },
    },
    Careless {
        send: |_, sent| sent,
        read: |_, answer| match answer {
            Answer::Fault(Fault::Unreadable(_)) => Answer::Catalogue(Vec::new()),
            other => other,
        },
    },
    Careless {
        send: |_, sent| sent,
        read: |_, answer| match answer {
            Answer::Fault(Fault::Unreadable(seen)) => {
                let excerpt = "x".repeat(513);
                Answer::Fault(Fault::Unreadable(interline_upstream::Evidence { excerpt, ..seen }))
            }
            other => other,
        },
    },
];

#[test]
fn the_suite_finds_careless_dialects() {
    let fixtures = fixtures();
    for (number, careless) in FAULTS.iter().enumerate() {
        let run = panic::catch_unwind(panic::AssertUnwindSafe(|| conformance::check(careless, &fixtures)));
        assert!(run.is_err(), "fault {number} was not found");
    }
}

/// What panels cannot do.
fn unsupported() -> Vec<Call> {
    let (order, value) = (|| "7".to_owned(), || "x".to_owned());
    let alteration = || Alteration { order: order(), quantity: Some(20), target: None, params: BTreeMap::new() };
    vec![
        Call::Orders { since: Timestamp::from_millis(0) },
        Call::Pause(order()),
        Call::Resume(order()),
        Call::Delete(order()),
        Call::Quote(alteration()),
        Call::Upgrade(alteration()),
        Call::Change(alteration()),
        Call::Prolong { order: order(), count: 36 },
        Call::Validate(Property { service: value(), field: value(), value: value() }),
    ]
}

#[test]
fn what_panels_cannot_do_is_not_sent() {
    let endpoint = Endpoint { url: "https://panel.example/api/v2".to_owned(), key: "k".into() };
    for call in unsupported() {
        assert!(PerfectPanel.encode(&endpoint, &call).is_none(), "{call:?}");
    }
}

fn any_call() -> impl Strategy<Value = Call> {
    let orders = || proptest::collection::vec(prop_oneof![Just("7"), Just("ord_8"), Just("status"), Just("")], 0..4);
    prop_oneof![
        Just(Call::Catalogue),
        Just(Call::Balance),
        Just(Call::Refill("7".to_owned())),
        proptest::sample::select(unsupported()),
        orders().prop_map(|orders| Call::RefillStatus(ids(&orders))),
        Just(Call::Submit(submission())),
        orders().prop_map(|orders| Call::Status(ids(&orders))),
        orders().prop_map(|orders| Call::Cancel(ids(&orders))),
    ]
}

/// Bytes, and real answers with a piece of them changed.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let spoiled = (prop_oneof![Just(SERVICES), Just(MANY), Just(CANCELED)], any::<usize>(), any::<u8>()).prop_map(
        |(body, place, byte)| {
            let mut bytes = body.as_bytes().to_vec();
            let place = place % bytes.len();
            bytes[place] = byte;
            bytes
        },
    );
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), spoiled]
}

proptest! {
    /// No body makes it panic, answer something else than was asked, or speak of orders that were not asked for.
    #[test]
    fn any_answer_fits_its_call(call in any_call(), status in 100u16..600, body in any_body()) {
        let answer = PerfectPanel.decode(&call, &Response { status, retry_after_ms: None, body });
        let fits = match (&call, &answer) {
            (Call::Submit(_), Answer::Submit(_))
            | (Call::Refill(_), Answer::Refill(_))
            | (Call::Catalogue, Answer::Catalogue(_) | Answer::Fault(_))
            | (Call::Balance, Answer::Balance(_) | Answer::Fault(_))
            | (Call::Status(_) | Call::Cancel(_) | Call::RefillStatus(_), Answer::Fault(_)) => true,
            (call, Answer::Fault(Fault::Unsupported)) => unsupported().contains(call),
            (Call::RefillStatus(asked), Answer::RefillStatus(said)) => said.keys().all(|id| asked.contains(id)),
            (Call::Status(asked), Answer::Status(said)) => said.keys().all(|id| asked.contains(id)),
            (Call::Cancel(asked), Answer::Cancel(said)) => said.keys().all(|id| asked.contains(id)),
            _ => false,
        };
        prop_assert!(fits, "{call:?}: {answer:?}");
    }
}
