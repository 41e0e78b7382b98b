//! The dialect as a whole: the conformance suite over answers in the seed's shapes first, then any answer to any call.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{Report, ServiceType, StatusWord, Timestamp, price::PriceModel};
use interline_upstream::{
    ActiveTarget, Alteration, Consent, HeldOrder, Listing, Property, Refusal, Reported, Stated, Submission,
    SubmitOutcome,
    conformance::{self, Fixtures, KeyPlace, Told},
};
use proptest::prelude::*;

use super::*;

const TARIFS: &str = r#"[
  { "id": 1, "title": "Twitch viewers", "text": ["Live viewers"], "count": {"min": 10, "max": 5000}, "price": 0.5,
    "type": "twitch_viewers", "hourly": true, "pricing_type": "standard", "graduated_prices": null,
    "discounts": {"1": 0, "500": 10, "1000": 20}, "link": {"prefix": "https://www.twitch.tv/"}, "panel": true },
  { "id": 2, "title": "AI Chatbot", "text": [], "count": {"min": 1, "max": 350}, "price": 135, "type": "ai_chatbots",
    "hourly": true, "pricing_type": "graduated", "graduated_prices": {"0": 135, "101": 180, "201": 270},
    "discounts": null, "link": {"prefix": "https://www.twitch.tv/"}, "panel": true }
]"#;

const PURCHASE: &str = r#"{
  "id": 1, "price": 10, "currency": "usd", "created_at": 1640000000, "order_type": "twitch_viewers",
  "channel": "https://www.twitch.tv/twitch", "status": "active", "service": "twitch", "parent": false, "api": true,
  "chatbot": false, "tarif": 1
}"#;

const BULK: &str = r#"{
  "items": [
    { "id": 101, "price": 10, "currency": "usd", "created_at": 1640000000, "order_type": "twitch_viewers",
      "status": "working", "channel": "example_channel", "service": "twitch", "parent": false, "api": true,
      "chatbot": false, "tarif": 1 },
    { "id": 102, "price": 15.5, "currency": "usd", "created_at": 1640000100, "order_type": "twitch_viewers",
      "status": "stopped", "channel": "another_channel", "service": "twitch", "parent": false, "api": false,
      "chatbot": false, "tarif": 1 }
  ],
  "missing_ids": [999]
}"#;

const OK: &str = r#"{ "status": "ok" }"#;

fn error(code: u16) -> String {
    format!(r#"{{ "name": "Name", "message": "In words", "code": 0, "status": {code}, "type": "http_exception" }}"#)
}

fn response(status: u16, body: &str) -> Response {
    Response { status, retry_after_ms: None, body: body.into() }
}

fn told(call: Call, status: u16, body: &str, answer: Answer) -> Told {
    Told { call, response: response(status, body), answer }
}

fn submission() -> Submission {
    let params = BTreeMap::from([("duration".to_owned(), "24".to_owned()), ("start".to_owned(), "true".to_owned())]);
    Submission { service: "4412".to_owned(), kind: OrderKind::plain("channel-77", 1_370), params }
}

fn ids(asked: &[&str]) -> Vec<String> {
    asked.iter().map(|id| (*id).to_owned()).collect()
}

fn usd(amount: &str) -> Stated {
    Stated { amount: amount.parse().unwrap(), currency: "USD".parse().ok() }
}

fn prolonging() -> Call {
    Call::Prolong { order: "7".to_owned(), count: 24 }
}

fn words() -> String {
    "In words".to_owned()
}

fn verdicts() -> Vec<Told> {
    let verdict = |status, body: &str, outcome| told(Call::Submit(submission()), status, body, Answer::Submit(outcome));
    let accepted = SubmitOutcome::Accepted { order: "1".to_owned(), charge: Some(usd("10")) };
    let busy = SubmitOutcome::Busy { retry_after_ms: None, active_target: ActiveTarget::No };
    let refused = SubmitOutcome::Rejected;
    let prolonged = SubmitOutcome::Accepted { order: "7".to_owned(), charge: None };
    vec![
        verdict(200, PURCHASE, accepted),
        verdict(400, &error(400), refused(Refusal::Parameters(words()))),
        verdict(401, &error(401), refused(Refusal::Key(words()))),
        verdict(402, &error(402), refused(Refusal::Funds(words()))),
        verdict(404, &error(404), refused(Refusal::Service(words()))),
        verdict(422, &error(422), refused(Refusal::Parameters(words()))),
        verdict(429, &error(429), busy),
        told(prolonging(), 200, OK, Answer::Alter(prolonged)),
        told(prolonging(), 402, &error(402), Answer::Alter(refused(Refusal::Funds(words())))),
        told(prolonging(), 409, &error(409), Answer::Alter(refused(Refusal::Parameters(words())))),
    ]
}

fn listing(service: &str, name: &str, category: &str, rate: &str, price: PriceModel, max: u64) -> Listing {
    Listing {
        service: service.to_owned(),
        name: name.to_owned(),
        category: category.to_owned(),
        service_type: Some(ServiceType::Default),
        rate: rate.parse().unwrap(),
        min: if service == "1" { 10 } else { 1 },
        max,
        price: Some(price),
        refill: Some(false),
        cancel: Some(false),
        dripfeed: Some(false),
        changes: BTreeSet::new(),
        upgrades: BTreeSet::new(),
    }
}

fn catalogue() -> Told {
    let table = |entries: [(u64, u32); 3]| entries.into_iter().map(|(from, value)| (from, value.into())).collect();
    let viewers = PriceModel::TimedUnits {
        price: "0.5".parse().unwrap(),
        count: 10,
        discounts: table([(1, 0), (500, 10), (1_000, 20)]),
    };
    let chatbot = PriceModel::TimedTiers { prices: table([(0, 135), (101, 180), (201, 270)]) };
    let listings = vec![
        listing("1", "Twitch viewers", "twitch_viewers", "50", viewers, 5_000),
        listing("2", "AI Chatbot", "ai_chatbots", "135000", chatbot, 350),
    ];
    told(Call::Catalogue, 200, TARIFS, Answer::Catalogue(listings))
}

fn state(word: StatusWord, charge: &str) -> Reported {
    let Stated { amount, currency } = usd(charge);
    Reported::Known(Report { word, remains: None, start_count: None, charge: Some(amount), currency })
}

fn readings() -> Vec<Told> {
    let running = state(StatusWord::InProgress, "10");
    let missing = Reported::Error("it is among `missing_ids`".to_owned());
    let many = [("101", running.clone()), ("102", state(StatusWord::InProgress, "15.5")), ("999", missing)]
        .map(|(id, said)| (id.to_owned(), said));
    let held = HeldOrder {
        order: "1".to_owned(),
        service: Some("1".to_owned()),
        target: Some("https://www.twitch.tv/twitch".to_owned()),
        quantity: None,
        created_at: Some(Timestamp::from_millis(1_640_000_000_000)),
        charge: Some(usd("10")),
    };
    let one = || ids(&["1"]);
    let seven = || "7".to_owned();
    let refused = || Answer::Consent(Consent::Refused(words()));
    vec![
        catalogue(),
        told(Call::Status(one()), 200, PURCHASE, Answer::Status([("1".to_owned(), running)].into())),
        told(
            Call::Status(one()),
            404,
            &error(404),
            Answer::Status([("1".to_owned(), Reported::Error(words()))].into()),
        ),
        told(Call::Status(ids(&["101", "102", "999", "1000"])), 200, BULK, Answer::Status(many.into())),
        told(
            Call::Orders { since: Timestamp::from_millis(1_640_000_000_000) },
            200,
            &format!("[{PURCHASE}]"),
            Answer::Orders(vec![held]),
        ),
        told(Call::Resume(seven()), 200, OK, Answer::Consent(Consent::Given)),
        told(Call::Resume(seven()), 405, &error(405), refused()),
        told(Call::Resume(seven()), 409, &error(409), refused()),
        told(Call::Pause(seven()), 200, r#"{"success":[7],"failed":[]}"#, Answer::Consent(Consent::Given)),
        told(Call::Pause(seven()), 401, &error(401), Answer::Fault(Fault::Refused(Refusal::Key(words())))),
    ]
}

fn fixtures() -> Fixtures {
    let unlisted = [(500, error(500)), (403, error(403)), (503, error(503)), (400, r#"{"error":"no"}"#.to_owned())];
    Fixtures {
        key_place: |_| KeyPlace::Header,
        empty_is_consent: false,
        submission: submission(),
        told: verdicts().into_iter().chain(readings()).collect(),
        unlisted: unlisted.iter().map(|(status, body)| response(*status, body)).collect(),
    }
}

#[test]
fn it_conforms() {
    conformance::check(&Streamskill, &fixtures());
}

#[test]
fn its_bucket_is_the_default_limit() {
    assert_eq!(Streamskill.default_limits(), Some(Limits { requests_per_second: 2, burst: 30 }));
}

#[test]
fn a_target_is_found_by_its_name_and_by_its_address() {
    for (ours, listed) in [
        ("twitch", "https://www.twitch.tv/twitch"),
        ("https://www.twitch.tv/Twitch/", "twitch"),
        ("twitch.tv/twitch", "http://TWITCH.tv/twitch"),
        ("https://www.youtube.com/watch?v=AbC", "AbC"),
        ("https://www.youtube.com/@name", "name"),
    ] {
        assert!(Streamskill.is_target(ours, listed), "{ours} {listed}");
        assert!(Streamskill.is_target(listed, ours), "{ours} {listed}");
    }
    for (ours, listed) in [
        ("twitch", "https://www.twitch.tv/mytwitch"),
        ("twitch", "twitch2"),
        ("https://www.twitch.tv/a", "https://kick.com/a"),
        ("https://www.twitch.tv/a", "b"),
        ("", "twitch"),
    ] {
        assert!(!Streamskill.is_target(ours, listed), "{ours} {listed}");
    }
}

/// What Streamskill cannot do.
fn unsupported() -> Vec<Call> {
    let (order, value) = (|| "7".to_owned(), || "x".to_owned());
    let alteration = || Alteration { order: order(), quantity: Some(20), target: None, params: BTreeMap::new() };
    vec![
        Call::Balance,
        Call::Cancel(ids(&["7"])),
        Call::Refill(order()),
        Call::RefillStatus(ids(&["7"])),
        Call::Delete(order()),
        Call::Quote(alteration()),
        Call::Upgrade(alteration()),
        Call::Change(alteration()),
        Call::Validate(Property { service: value(), field: value(), value: value() }),
    ]
}

#[test]
fn what_it_cannot_do_is_not_sent() {
    let endpoint = Endpoint { url: "https://upstream.example/v1".to_owned(), key: "k".into() };
    for call in unsupported() {
        assert!(Streamskill.encode(&endpoint, &call).is_none(), "{call:?}");
    }
}

fn any_call() -> impl Strategy<Value = Call> {
    let orders = proptest::collection::vec(prop_oneof![Just("1"), Just("101"), Just("999"), Just("")], 0..4);
    prop_oneof![
        Just(Call::Catalogue),
        Just(Call::Submit(submission())),
        orders.prop_map(|orders| Call::Status(ids(&orders))),
        Just(Call::Orders { since: Timestamp::from_millis(0) }),
        Just(Call::Pause("101".to_owned())),
        Just(Call::Resume("101".to_owned())),
        Just(prolonging()),
        proptest::sample::select(unsupported()),
    ]
}

/// Bytes, and answers in the documented shapes with a piece of them changed.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let shapes = vec![TARIFS.to_owned(), PURCHASE.to_owned(), BULK.to_owned(), OK.to_owned(), error(402), error(409)];
    let spoiled = (proptest::sample::select(shapes), any::<usize>(), any::<u8>()).prop_map(|(body, place, byte)| {
        let mut bytes = body.into_bytes();
        let place = place % bytes.len();
        bytes[place] = byte;
        bytes
    });
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), spoiled]
}

proptest! {
    /// No body makes it panic, answer something else than was asked, or speak of orders that were not asked for.
    #[test]
    fn any_answer_fits_its_call(call in any_call(), status in 100u16..600, body in any_body()) {
        let answer = Streamskill.decode(&call, &Response { status, retry_after_ms: None, body });
        let good = (200..300).contains(&status);
        let fits = match (&call, &answer) {
            (call, Answer::Fault(Fault::Unsupported)) => unsupported().contains(call),
            (Call::Submit(_), Answer::Submit(_)) | (Call::Prolong { .. }, Answer::Alter(_)) => true,
            (call, Answer::Fault(_)) => !matches!(call, Call::Submit(_) | Call::Prolong { .. }),
            (Call::Catalogue, Answer::Catalogue(_)) | (Call::Orders { .. }, Answer::Orders(_)) => good,
            (Call::Status(asked), Answer::Status(said)) => said.keys().all(|id| asked.contains(id)),
            (Call::Pause(_) | Call::Resume(_), Answer::Consent(said)) => good || *said != Consent::Given,
            _ => false,
        };
        prop_assert!(fits, "{call:?}: {answer:?}");
    }

    /// Whatever status a proxy puts over it, one body never says both that a purchase was made and that it was not.
    #[test]
    fn one_body_is_one_verdict(status in 100u16..600, body in any_body()) {
        let verdict = |status| {
            let response = Response { status, retry_after_ms: None, body: body.clone() };
            match Streamskill.decode(&Call::Submit(submission()), &response) {
                Answer::Submit(outcome) => outcome,
                other => panic!("no verdict: {other:?}"),
            }
        };
        let taken = |outcome: &SubmitOutcome| matches!(outcome, SubmitOutcome::Accepted { .. });
        let free = |outcome: &SubmitOutcome| matches!(outcome, SubmitOutcome::Rejected(_) | SubmitOutcome::Busy { .. });
        let (one, other) = (verdict(status), verdict(429));
        let contradict = taken(&one) && free(&other) || free(&one) && taken(&other);
        prop_assert!(!contradict, "{one:?} {other:?}");
    }
}
