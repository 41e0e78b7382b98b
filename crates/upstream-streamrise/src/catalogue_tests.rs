//! The catalogue, table by table: what is asked, what comes of it, and that half a catalogue is none.

use interline_domain::price::PriceModel;
use rust_decimal::Decimal;
use serde_json::json;

use super::*;

fn endpoint() -> Endpoint {
    Endpoint { url: "https://stream-rise.com".to_owned(), key: "K".into() }
}

fn response(body: &Value) -> Response {
    Response { status: 200, retry_after_ms: None, body: body.to_string().into_bytes() }
}

/// The seed's numbered services.
fn panel() -> Value {
    json!([
        { "service": 1, "name": "Twitch Viewers", "type": "Default", "category": "Twitch", "rate": "0.90", "min": "10",
          "max": "10000", "cancel": true },
        { "service": 2, "name": "Twitch Chatbots", "type": "Custom Comments", "category": "Twitch", "rate": "8.00",
          "min": "10", "max": "1500", "cancel": false },
    ])
}

/// The seed's tables in the order in which they are read, with some services that cannot be sold.
fn tables() -> [Value; 6] {
    let service = |name: &str, class: &str, enabled: bool| json!({ "service": name, "serviceFamily": "?", "serviceType": class, "enabled": enabled, "fieldsData": {} });
    [
        json!([{ "service": "twitch", "order": 1 }, { "service": "kick", "order": 2 }, { "service": "youtube", "order": 3 }]),
        json!({
            "services": {
                "kick": { "kickViewers": service("kickViewers", "viewers", true) },
                "twitch": {
                    "twitchViewers": service("twitchViewers", "viewers", true),
                    "twitchChatBots": service("twitchChatBots", "chatbots", true),
                    "twitchFollowers": service("twitchFollowers", "followers", false),
                    "twitchUnpriced": service("twitchUnpriced", "viewers", true),
                    "77": service("77", "viewers", true),
                },
            },
            "types": {},
        }),
        json!({
            "twitchViewers": { "1": { "10": 0.9, "50": 4.2, "100": 7.8 } },
            "twitchChatBots": { "1": { "5": 1 } },
            "twitchFollowers": { "1": { "5": 1 } },
            "twitchUnpriced": { "1": { "5": "?" } },
            "kickViewers": { "1": { "1": 0.1 } },
            "77": { "1": { "5": 1 } },
        }),
        json!({
            "twitchViewers": ["channel", "amount", "interval"],
            "twitchChatBots": ["channel", "amount", "comments"],
            "types": { "viewers": ["channel", "amount"] },
        }),
        json!({ "twitchViewers": ["channel", "amount"], "types": { "chatbots": ["channel", "comments"] } }),
        json!({ "twitchViewers": ["amount"], "types": { "viewers": ["amount"] } }),
    ]
}

/// Limits in the order in which they are asked for; of the second service there are none.
fn limits() -> [Value; 3] {
    [
        json!({ "error": { "service": "no limits" } }),
        json!({ "amount": { "min": 5, "max": 10_000 }, "interval": { "min": 1, "max": 60 } }),
        json!({ "amount": { "min": 20, "max": 300 } }),
    ]
}

/// Every answer in its turn.
fn answers() -> Vec<Response> {
    [panel()].iter().chain(&tables()).chain(&limits()).map(response).collect()
}

/// The addresses that are asked, and the end.
fn read(answers: &[Response]) -> (Vec<String>, Option<Answer>) {
    let mut asked = Vec::new();
    for known in 0..=answers.len() {
        match next(&endpoint(), &answers[..known]) {
            Next::Ask(request) => asked.push(request.url.to_string()),
            Next::Done(answer) => return (asked, Some(answer)),
        }
    }
    (asked, None)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn each_table_is_asked_for_once_and_the_limits_of_what_can_be_sold() {
    let (asked, answer) = read(&answers());
    let native = |call: &str| format!("https://stream-rise.com/api/{call}");
    let wanted = [
        "https://stream-rise.com/perfectPanel".to_owned(),
        native("getFamilyServices?key=K"),
        native("getServices?key=K"),
        native("getPrices?key=K"),
        native("availableToSend?key=K"),
        native("availableToChange?key=K"),
        native("availableToUpgrade?key=K"),
        native("getParamsLimits?key=K&service=twitchChatBots"),
        native("getParamsLimits?key=K&service=twitchViewers"),
        native("getParamsLimits?key=K&service=kickViewers"),
    ];
    assert_eq!(asked, wanted);
    assert!(matches!(answer, Some(Answer::Catalogue(_))), "{answer:?}");
}

#[test]
fn both_faces_stand_in_the_catalogue() {
    let (_, Some(Answer::Catalogue(listings))) = read(&answers()) else { panic!("no catalogue") };
    let lines: Vec<_> = listings
        .iter()
        .map(|l| (l.service.as_str(), l.name.as_str(), l.category.as_str(), l.service_type, (l.min, l.max), l.cancel))
        .collect();
    let (default, comments) = (Some(ServiceType::Default), Some(ServiceType::CustomComments));
    assert_eq!(
        lines,
        [
            ("1", "Twitch Viewers", "Twitch", default, (10, 10_000), Some(true)),
            ("2", "Twitch Chatbots", "Twitch", comments, (10, 1_500), Some(false)),
            ("twitchChatBots", "Twitch Chatbots", "Twitch", comments, (10, 1_500), Some(false)),
            ("twitchViewers", "Twitch Viewers", "Twitch", default, (10, 10_000), Some(true)),
            ("kickViewers", "kickViewers", "kick", default, (20, 300), None),
        ]
    );
    assert!(listings.iter().all(|listing| listing.refill == Some(false) && listing.dripfeed == Some(false)));
    let numbered = &listings[0];
    assert_eq!((numbered.rate, &numbered.price), ("0.9".parse().unwrap(), &None));
    let viewers = &listings[3];
    assert_eq!(viewers.rate, Decimal::from(90), "the table prices the named service, and the rate the numbered one");
    assert!(matches!(&viewers.price, Some(PriceModel::Stepped { tiers, .. }) if tiers["1"].len() == 3));
    assert_eq!((&viewers.changes, &viewers.upgrades), (&set(&["amount", "channel"]), &set(&["amount"])));
    assert_eq!((&listings[2].changes, &listings[2].upgrades), (&set(&["channel", "comments"]), &set(&[])));
}

#[test]
fn two_services_of_one_name_lend_it_to_nobody() {
    let mut all = answers();
    let twice = json!([panel()[0], panel()[0], panel()[1]]);
    all[0] = response(&twice);
    let (_, Some(Answer::Catalogue(listings))) = read(&all) else { panic!("no catalogue") };
    let viewers = listings.iter().find(|listing| listing.service == "twitchViewers").unwrap();
    assert_eq!((viewers.name.as_str(), viewers.category.as_str(), viewers.cancel), ("twitchViewers", "twitch", None));
}

#[test]
fn half_a_catalogue_is_none() {
    for place in 0..answers().len() {
        for (status, body) in
            [(200, ""), (200, "<html>"), (502, "{}"), (200, "7"), (200, r#"{"error":"Access denied"}"#), (429, "")]
        {
            let mut spoiled = answers();
            spoiled[place] = Response { status, retry_after_ms: None, body: body.into() };
            let (asked, answer) = read(&spoiled);
            assert!(matches!(answer, Some(Answer::Fault(_))), "{place} {status} {body}: {answer:?}");
            assert_eq!(asked.len(), place + 1, "nothing is asked after it");
        }
    }
    let mut without = answers();
    without[2] = response(&json!({ "types": {} }));
    assert!(matches!(read(&without).1, Some(Answer::Fault(Fault::Unreadable(_)))));
}

#[test]
fn the_number_of_requests_is_bounded() {
    let names = || (0..1_000).map(|number| format!("service{number:04}"));
    let (mut services, mut prices) = (Object::new(), Object::new());
    for name in names() {
        services.insert(name.clone(), json!({ "serviceType": "viewers" }));
        prices.insert(name, json!({ "1": { "1": 1 } }));
    }
    let mut all = answers();
    all.truncate(1 + TABLES.len());
    all[2] = response(&json!({ "services": { "twitch": services } }));
    all[3] = response(&json!(prices));
    all.extend(vec![response(&limits()[1]); SERVICES_MAX]);
    assert!(matches!(next(&endpoint(), &all), Next::Done(Answer::Fault(Fault::Unreadable(_)))));
    assert!(all.len() < interline_upstream::STEPS_MAX);
    all.pop();
    assert!(matches!(next(&endpoint(), &all), Next::Ask(_)));
}
