//! The dialect as a whole: the conformance suite over the seed's answers first, for a service of each face, then any answer
//! to any call.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{Micros, Report, ServiceType, StatusWord, Timestamp};
use interline_upstream::{
    ActiveTarget, Alteration, CancelAnswer, Consent, HeldOrder, Listing, Property, Quoted, Refusal, Reported, Stated,
    Submission, SubmitOutcome,
    conformance::{self, Fixtures, KeyPlace, Told},
};
use proptest::prelude::*;

use super::*;

const SERVICES: &str = r#"[
  { "service": 1, "name": "Twitch Viewers", "type": "Default", "category": "Twitch", "rate": "0.90", "min": "10",
    "max": "10000", "cancel": true },
  { "service": 2, "name": "Twitch Chatbots", "type": "Custom Comments", "category": "Twitch", "rate": "8.00",
    "min": "10", "max": "1500", "cancel": false }
]"#;

const MANY: &str = r#"{
  "12345": { "charge": "0.27", "start_count": "3572", "status": "Partial", "remains": "157", "currency": "USD" },
  "12346": { "charge": "1.44", "start_count": "234", "status": "In progress", "remains": "10", "currency": "USD" },
  "99999": { "error": "Incorrect order ID" }
}"#;

const CANCELED: &str =
    r#"[ { "order": 23501, "cancel": 1 }, { "order": 23502, "cancel": { "error": "Incorrect order ID" } } ]"#;

const TAKEN: &str = r#"{ "orderId": 12345, "order": { "id": 12345, "service": "twitchViewers", "channel": "yourchannel",
  "amount": 100, "status": "active" } }"#;

const PAGE: &str = r#"{ "history": [ { "id": 12345, "service": "twitchViewers", "channel": "username", "amount": 100,
  "orderTime": 1711500000000, "pause": false } ], "total": "42" }"#;

const CHANNEL: &str = r#"{ "error": { "channel": "Channel not found" } }"#;

fn told(call: Call, body: &str, answer: Answer) -> Told {
    Told { call, response: Response { status: 200, retry_after_ms: None, body: body.into() }, answer }
}

fn submission(service: &str) -> Submission {
    let kind = OrderKind::plain("channel-77", 1_370);
    Submission { service: service.to_owned(), kind, params: BTreeMap::new() }
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn alteration() -> Alteration {
    Alteration { order: "12345".to_owned(), quantity: Some(200), target: None, params: BTreeMap::new() }
}

fn property() -> Property {
    Property { service: "twitchViewers".to_owned(), field: "channel".to_owned(), value: "username".to_owned() }
}

fn usd(amount: &str) -> Stated {
    Stated { amount: amount.parse().unwrap(), currency: "USD".parse().ok() }
}

fn state(word: StatusWord, remains: i64, start: i64, charge: &str) -> Reported {
    let Stated { amount, currency } = usd(charge);
    Reported::Known(Report { word, remains: Some(remains), start_count: Some(start), charge: Some(amount), currency })
}

fn incorrect() -> String {
    "Incorrect order ID".to_owned()
}

fn listing(service: &str, name: &str, rate: &str, bounds: (u64, u64), cancel: bool) -> Listing {
    Listing {
        service: service.to_owned(),
        name: name.to_owned(),
        category: "Twitch".to_owned(),
        service_type: Some(if cancel { ServiceType::Default } else { ServiceType::CustomComments }),
        rate: rate.parse().unwrap(),
        price: None,
        min: bounds.0,
        max: bounds.1,
        refill: Some(false),
        cancel: Some(cancel),
        dripfeed: Some(false),
        changes: BTreeSet::new(),
        upgrades: BTreeSet::new(),
    }
}

/// What `/perfectPanel` says.
fn of_the_panel() -> Vec<Told> {
    let listings = vec![
        listing("1", "Twitch Viewers", "0.9", (10, 10_000), true),
        listing("2", "Twitch Chatbots", "8", (10, 1_500), false),
    ];
    let states = [
        ("12345".to_owned(), state(StatusWord::Partial, 157, 3_572, "0.27")),
        ("12346".to_owned(), state(StatusWord::InProgress, 10, 234, "1.44")),
        ("99999".to_owned(), Reported::Error(incorrect())),
    ];
    let one =
        r#"{ "charge": "0.27", "start_count": "3572", "status": "In progress", "remains": "157", "currency": "USD" }"#;
    let running = [("12345".to_owned(), state(StatusWord::InProgress, 157, 3_572, "0.27"))];
    let missing = [("12345".to_owned(), Reported::Error(incorrect()))];
    let canceled =
        [("23501".to_owned(), CancelAnswer::Requested), ("23502".to_owned(), CancelAnswer::Refused(incorrect()))];
    let cannot = "Service doesn't support cancel";
    let refused = [("7".to_owned(), CancelAnswer::Refused(cannot.to_owned()))];
    let denied = Answer::Fault(Fault::Refused(Refusal::Key("Access denied".to_owned())));
    vec![
        told(Call::Catalogue, SERVICES, Answer::Catalogue(listings)),
        told(Call::Balance, r#"{ "balance": "100.84", "currency": "USD" }"#, Answer::Balance(usd("100.84"))),
        told(Call::Balance, r#"{ "error": "Access denied" }"#, denied),
        told(Call::Status(ids(&["12345", "12346", "99999"])), MANY, Answer::Status(states.into())),
        told(Call::Status(ids(&["12345"])), one, Answer::Status(running.into())),
        told(Call::Status(ids(&["12345"])), r#"{ "error": "Incorrect order ID" }"#, Answer::Status(missing.into())),
        told(Call::Cancel(ids(&["23501", "23502"])), CANCELED, Answer::Cancel(canceled.into())),
        told(Call::Cancel(ids(&["7"])), &format!(r#"{{ "error": "{cannot}" }}"#), Answer::Cancel(refused.into())),
    ]
}

/// What the native face says.
fn native() -> Vec<Told> {
    let accepted = || SubmitOutcome::Accepted { order: "12345".to_owned(), charge: None };
    let target = |text: &str| SubmitOutcome::Rejected(Refusal::Target(text.to_owned()));
    let held = HeldOrder {
        order: "12345".to_owned(),
        service: Some("twitchViewers".to_owned()),
        target: Some("username".to_owned()),
        quantity: Some(100),
        created_at: Some(Timestamp::from_millis(1_711_500_000_000)),
        charge: None,
    };
    let price = Stated { amount: Micros::new(5_500_000), currency: None };
    let quote = Quoted { price, discount: Some(Micros::new(550_000)) };
    let invalid = Answer::Consent(Consent::Refused("Channel not found".to_owned()));
    let changed = Alteration { quantity: None, target: Some("new-name".to_owned()), ..alteration() };
    let submit = || Call::Submit(submission("twitchViewers"));
    let order = || "12345".to_owned();
    let consent = || Answer::Consent(Consent::Given);
    let invalid_name = r#"{ "error": { "channel": "Invalid channel name" } }"#;
    vec![
        told(submit(), TAKEN, Answer::Submit(accepted())),
        told(submit(), r#"{ "error": { "channel": "channelEmpty" } }"#, Answer::Submit(target("channelEmpty"))),
        told(Call::Orders { since: Timestamp::from_millis(0) }, PAGE, Answer::Orders(vec![held])),
        told(Call::Pause(order()), "", consent()),
        told(Call::Resume(order()), "", consent()),
        told(Call::Delete(order()), "", consent()),
        told(Call::Quote(alteration()), r#"{ "price": 5.5, "totalDiscount": 0.55 }"#, Answer::Quote(quote)),
        told(Call::Upgrade(alteration()), "", Answer::Alter(accepted())),
        told(Call::Change(changed.clone()), "", Answer::Alter(accepted())),
        told(Call::Change(changed), invalid_name, Answer::Alter(target("Invalid channel name"))),
        told(Call::Validate(property()), "", consent()),
        told(Call::Validate(property()), CHANNEL, invalid),
    ]
}

fn busy() -> Answer {
    Answer::Submit(SubmitOutcome::Busy { retry_after_ms: None, active_target: ActiveTarget::No })
}

fn key_place(call: &Call) -> KeyPlace {
    match call {
        Call::Catalogue | Call::Balance | Call::Status(_) | Call::Cancel(_) => KeyPlace::Body,
        Call::Submit(order) if order.service == "1" => KeyPlace::Body,
        Call::Validate(_) => KeyPlace::Nowhere,
        _ => KeyPlace::Url,
    }
}

fn fixtures(service: &str, verdicts: Vec<Told>) -> Fixtures {
    let unlisted = [
        (200, r#"{"error":{"channel":"Kanal unbekannt"}}"#),
        (200, r#"{"error":"..."}"#),
        (502, r#"{"error":{"amount":"later"}}"#),
        (500, r#"{"message":"Internal server error"}"#),
    ];
    let slow = told(Call::Submit(submission(service)), r#"{"error":"Rate limit exceeded"}"#, busy());
    Fixtures {
        key_place,
        empty_is_consent: true,
        submission: submission(service),
        told: of_the_panel().into_iter().chain(native()).chain(verdicts).chain([slow]).collect(),
        unlisted: unlisted
            .iter()
            .map(|(status, body)| Response { status: *status, retry_after_ms: None, body: (*body).into() })
            .collect(),
    }
}

#[test]
fn it_conforms_with_a_named_service() {
    conformance::check(&Streamrise, &fixtures("twitchViewers", Vec::new()));
}

#[test]
fn it_conforms_with_a_numbered_service() {
    let add = |body, outcome| told(Call::Submit(submission("1")), body, Answer::Submit(outcome));
    let verdicts = vec![
        add(r#"{ "order": 23501 }"#, SubmitOutcome::Accepted { order: "23501".to_owned(), charge: None }),
        add(
            r#"{ "error": "Incorrect service ID" }"#,
            SubmitOutcome::Rejected(Refusal::Service("Incorrect service ID".to_owned())),
        ),
    ];
    conformance::check(&Streamrise, &fixtures("1", verdicts));
}

#[test]
fn it_lists_orders_and_has_a_feed() {
    assert!(Streamrise.capabilities().lists_orders);
    assert!(Streamrise.feed().is_some());
}

fn any_call() -> impl Strategy<Value = Call> {
    let order = || "7".to_owned();
    proptest::sample::select(vec![
        Call::Catalogue,
        Call::Balance,
        Call::Submit(submission("1")),
        Call::Submit(submission("twitchViewers")),
        Call::Status(ids(&["12345", "7"])),
        Call::Cancel(ids(&["23501", "7"])),
        Call::Refill(order()),
        Call::RefillStatus(vec![order()]),
        Call::Orders { since: Timestamp::from_millis(0) },
        Call::Pause(order()),
        Call::Resume(order()),
        Call::Delete(order()),
        Call::Quote(alteration()),
        Call::Upgrade(alteration()),
        Call::Change(alteration()),
        Call::Validate(property()),
    ])
}

/// Bytes, and real answers with a piece of them changed.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let real = proptest::sample::select(vec![SERVICES, MANY, CANCELED, TAKEN, PAGE, CHANNEL]);
    let spoiled = (real, any::<usize>(), any::<u8>()).prop_map(|(body, place, byte)| {
        let mut bytes = body.as_bytes().to_vec();
        let place = place % bytes.len();
        bytes[place] = byte;
        bytes
    });
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), spoiled]
}

proptest! {
    /// No body makes it panic, answer something else than was asked, or accept under an id that the body does not name.
    #[test]
    fn any_answer_fits_its_call(call in any_call(), status in 100u16..600, body in any_body()) {
        let response = Response { status, retry_after_ms: None, body };
        let answer = Streamrise.decode(&call, &response);
        let fits = match (&call, &answer) {
            (Call::Submit(_), Answer::Submit(outcome)) => match outcome {
                SubmitOutcome::Accepted { order, .. } => String::from_utf8_lossy(&response.body).contains(order),
                _ => true,
            },
            (Call::Upgrade(altered) | Call::Change(altered), Answer::Alter(outcome)) => match outcome {
                SubmitOutcome::Accepted { order, .. } => status == 200 && *order == altered.order,
                _ => true,
            },
            (Call::Refill(_) | Call::RefillStatus(_), Answer::Fault(fault)) => *fault == Fault::Unsupported,
            (Call::Submit(_) | Call::Upgrade(_) | Call::Change(_), Answer::Fault(_)) => false,
            (_, Answer::Fault(fault)) => *fault != Fault::Unsupported,
            (Call::Status(asked), Answer::Status(said)) => said.keys().all(|id| asked.contains(id)),
            (Call::Cancel(asked), Answer::Cancel(said)) => said.keys().all(|id| asked.contains(id)),
            (Call::Catalogue, Answer::Catalogue(_))
            | (Call::Balance, Answer::Balance(_))
            | (Call::Orders { .. }, Answer::Orders(_))
            | (Call::Quote(_), Answer::Quote(_))
            | (Call::Pause(_) | Call::Resume(_) | Call::Delete(_) | Call::Validate(_), Answer::Consent(_)) => true,
            _ => false,
        };
        prop_assert!(fits, "{call:?}: {answer:?}");
    }
}
