//! Streamrise's faces as the seed shows them, with the time as an argument.

use std::collections::BTreeMap;

use http::{Method, Request, header::CONTENT_TYPE};

use super::*;
use crate::{
    call,
    catalogue::NamedService,
    config::{Adapter, Config, Life},
};

const NEVER: Life = Life { start_ms: u64::MAX, finish_ms: u64::MAX };

/// The seed's services at the seed's prices.
fn panel(life: Life) -> Panel {
    let named = |name: &str, service_type: &str, steps: &[(u64, &str)], cancel| NamedService {
        name: name.to_owned(),
        family: "twitch".to_owned(),
        service_type: service_type.to_owned(),
        prices: BTreeMap::from([(
            "1".to_owned(),
            steps.iter().map(|(step, total)| (*step, (*total).to_owned())).collect(),
        )]),
        min: 10,
        max: 10_000,
        cancel,
    };
    let config = Config {
        key: "k".to_owned(),
        balance: "100".to_owned(),
        life,
        named: vec![
            named("twitchViewers", "viewers", &[(10, "0.9"), (50, "4.2"), (100, "7.8")], true),
            named("twitchChatBots", "chatbots", &[(10, "1")], false),
        ],
        ..Config::of(Adapter::Streamrise, 100)
    };
    let mut panel = Panel::new(config).unwrap();
    panel.begin_at(1_711_500_000_000);
    panel
}

fn request(panel: &mut Panel, method: Method, path: &str, json: Option<&Value>, now_ms: u64) -> Answered {
    let body = json.map(Value::to_string).unwrap_or_default();
    let mut request = Request::builder().method(method).uri(path);
    if json.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let call = call::read(Adapter::Streamrise, &head, body.as_bytes()).unwrap();
    panel.carry_out(&call, now_ms, false)
}

fn get_at(panel: &mut Panel, path: &str, now_ms: u64) -> Value {
    request(panel, Method::GET, &format!("/api/{path}"), None, now_ms).body
}

fn get(panel: &mut Panel, path: &str) -> Value {
    get_at(panel, path, 0)
}

/// A call of the PerfectPanel part.
fn ask(panel: &mut Panel, body: &Value) -> Value {
    let mut body = body.clone();
    body["key"] = "k".into();
    request(panel, Method::POST, "/perfectPanel", Some(&body), 0).body
}

fn post(panel: &mut Panel, name: &str, body: &Value) -> Value {
    request(panel, Method::POST, &format!("/api/{name}?key=k"), Some(body), 0).body
}

fn order(panel: &mut Panel) -> Value {
    get(panel, "newOrder?key=k&service=twitchViewers&channel=yourchannel&amount=100")
}

#[test]
fn an_order_is_answered_as_in_the_seed_and_charged_by_the_table() {
    let mut panel = panel(NEVER);
    let wanted = json!({ "orderId": 1_001, "order": {
        "id": 1_001, "service": "twitchViewers", "channel": "yourchannel", "amount": 100, "status": "active",
    } });
    assert_eq!(order(&mut panel), wanted);
    assert_eq!(panel.balance(), "92.2");
    get(&mut panel, "newOrder?key=k&service=twitchViewers&channel=a%20&amount=75&interval=5");
    assert_eq!(panel.balance(), "85.9", "75 at the unit price of 50");
    let kept = panel.journal_of("1002", 0).unwrap();
    assert_eq!((kept.service.as_str(), kept.link.as_str(), kept.quantity), ("twitchViewers", "a", 75));
    let params: Vec<(&str, &str)> = kept.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(params, [("amount", "75"), ("channel", "a"), ("interval", "5")]);
}

#[test]
fn what_cannot_be_taken_is_a_field_error_and_costs_nothing() {
    let mut panel = panel(NEVER);
    for (query, wanted) in [
        ("key=k&service=twitchViewers&amount=100", wrong("channel", "channelEmpty")),
        ("key=k&service=twitchViewers&channel=a+b&amount=100", wrong("channel", "Channel not found")),
        ("key=k&service=1&channel=a&amount=100", wrong("service", "Service not found")),
        ("key=k&service=twitchViewers&channel=a&amount=9", wrong("amount", "Invalid amount")),
        ("key=k&service=twitchViewers&channel=a&amount=10001", wrong("amount", "Invalid amount")),
        ("key=k&service=twitchViewers&channel=a&quantity=100", wrong("amount", "Invalid amount")),
        ("key=k&service=twitchViewers&channel=a&amount=10&interval=61", wrong("interval", "Invalid interval")),
        ("key=k&service=twitchViewers&channel=a&amount=10&periodAmount=7", wrong("periodAmount", "Invalid period")),
        ("key=other&service=twitchViewers&channel=a&amount=10", error("Invalid API key")),
        ("service=twitchViewers&channel=a&amount=10", error("Invalid API key")),
        ("key=k&service=twitchViewers&channel=a&amount=10000", error("Not enough funds on balance")),
    ] {
        assert_eq!(get(&mut panel, &format!("newOrder?{query}")), wanted, "{query}");
    }
    assert_eq!((panel.balance().as_str(), panel.latest_order()), ("100", None));
}

#[test]
fn both_faces_speak_of_the_same_orders() {
    let mut panel = panel(NEVER);
    order(&mut panel);
    let by_number = json!({ "action": "add", "service": 1, "link": "https://twitch.tv/username", "quantity": 100 });
    assert_eq!(ask(&mut panel, &by_number), json!({ "order": 1_002 }));
    assert_eq!(ask(&mut panel, &json!({ "action": "balance" })), json!({ "balance": "92.11", "currency": "USD" }));
    let status = ask(&mut panel, &json!({ "action": "status", "order": 1_001 }));
    assert_eq!((&status["charge"], &status["remains"]), (&json!("7.8"), &json!("100")));
    let listed = get(&mut panel, "getOrders?key=k");
    let named =
        json!({ "id": 1_001, "service": "twitchViewers", "channel": "yourchannel", "amount": 100, "pause": false });
    assert_eq!(listed["1001"], named);
    assert_eq!(listed["1002"]["service"], "twitchViewers", "what is sold by number has its name there");
    assert_eq!(get(&mut panel, "getOrders?key=k&ids=1002,7").as_object().map(Map::len), Some(1));
    let canceled = ask(&mut panel, &json!({ "action": "cancel", "orders": "1001,99" }));
    assert_eq!(canceled[0], json!({ "order": 1_001, "cancel": 1 }));
    assert_eq!(canceled[1], json!({ "order": 99, "cancel": error("Incorrect order ID") }));
    assert_eq!(panel.balance(), "99.91");
    for action in ["refill", "refill_status", "explode"] {
        assert_eq!(ask(&mut panel, &json!({ "action": action, "order": 1_001 })), error("Incorrect request"));
    }
    let services = ask(&mut panel, &json!({ "action": "services" }));
    let viewers = json!({ "service": 1, "name": "Twitch Viewers", "type": "Default", "category": "Twitch",
        "rate": "0.9", "min": "10", "max": "10000", "cancel": true });
    assert_eq!(services[0], viewers);
}

#[test]
fn the_key_stands_where_the_seed_says() {
    let mut panel = panel(NEVER);
    let balance = json!({ "action": "balance", "key": "k" });
    let mut tried = |path: &str, headers: &[(&str, &str)], body: &str| {
        let mut request = Request::builder().method(Method::POST).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let call = call::read(Adapter::Streamrise, &head, body.as_bytes()).unwrap();
        panel.carry_out(&call, 0, false).body.get("balance").is_some()
    };
    let json = ("content-type", "application/json");
    assert!(tried("/perfectPanel", &[json], &balance.to_string()));
    assert!(tried("/perfectPanel", &[json, ("cookie", "a=b; key=k")], r#"{"action":"balance"}"#));
    assert!(!tried("/perfectPanel?key=k", &[json], r#"{"action":"balance"}"#));
    assert!(!tried("/perfectPanel", &[], &balance.to_string()), "it is said to be JSON, or it is not read");
    assert!(!tried("/perfectPanel", &[("content-type", "application/x-www-form-urlencoded")], "key=k&action=balance"));
    for (method, path) in [(Method::GET, "/perfectPanel"), (Method::POST, "/api/newOrder"), (Method::GET, "/api/v2")] {
        let (head, ()) = Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
        assert!(call::read(Adapter::Streamrise, &head, b"").is_none(), "{path}");
    }
}

#[test]
fn the_catalogue_is_made_of_tables() {
    let mut panel = panel(NEVER);
    assert_eq!(get(&mut panel, "getFamilyServices?key=k"), json!([{ "service": "twitch", "order": 1 }]));
    let services = get(&mut panel, "getServices?key=k");
    assert_eq!(services["services"]["twitch"]["twitchChatBots"]["serviceType"], "chatbots");
    let prices = json!({ "twitchViewers": { "1": { "10": 0.9, "50": 4.2, "100": 7.8 } } });
    assert_eq!(get(&mut panel, "getPrices?key=k&service=twitchViewers"), prices);
    assert_eq!(get(&mut panel, "getPrices?key=k").as_object().map(Map::len), Some(2));
    let limits = json!({ "amount": { "min": 10, "max": 10_000 }, "interval": { "min": 1, "max": 60 } });
    assert_eq!(get(&mut panel, "getParamsLimits?key=k&service=twitchViewers"), limits);
    assert_eq!(get(&mut panel, "getParamsLimits?key=k&service=x"), wrong("service", "Service not found"));
    let sent = get(&mut panel, "availableToSend?key=k");
    assert_eq!(sent["twitchChatBots"], json!(["channel", "amount", "comments"]));
    assert_eq!(sent["types"]["viewers"], json!(["channel", "amount", "interval"]));
    assert_eq!(get(&mut panel, "availableToChange?key=k")["twitchViewers"], json!(["channel"]));
    assert_eq!(get(&mut panel, "availableToUpgrade?key=k")["twitchViewers"], json!(["amount"]));
    assert_eq!(get(&mut panel, "getPrices?key=x"), error("Invalid API key"));
    panel.set_rate("twitchViewers", "50").unwrap();
    assert_eq!(get(&mut panel, "getPrices?key=k")["twitchViewers"], json!({ "1": { "10": 0.5 } }));
}

#[test]
fn the_list_comes_in_pages() {
    let mut panel = panel(NEVER);
    for (number, at_ms) in [(1, 0), (2, 1_000), (3, 2_000)] {
        let channel = if number == 3 { "other" } else { "mine" };
        get_at(&mut panel, &format!("newOrder?key=k&service=twitchViewers&channel={channel}&amount={number}0"), at_ms);
    }
    let ids = |page: &Value| -> Vec<u64> {
        page["history"].as_array().into_iter().flatten().filter_map(|row| row["id"].as_u64()).collect()
    };
    let sorted = "getOrdersPage?key=k&total=true&sortKey=orderTime&sortDirection=desc";
    let first = get(&mut panel, &format!("{sorted}&start=0&end=1"));
    assert_eq!((ids(&first), &first["total"]), (vec![1_003, 1_002], &json!("3")));
    assert_eq!(first["history"][1]["orderTime"], 1_711_500_001_000_i64);
    assert_eq!(ids(&get(&mut panel, &format!("{sorted}&start=2&end=9"))), [1_001]);
    assert_eq!(ids(&get(&mut panel, &format!("{sorted}&start=3&end=9"))), [0_u64; 0]);
    assert_eq!(ids(&get(&mut panel, "getOrdersPage?key=k&searchValue=mine")), [1_001, 1_002]);
    assert_eq!(ids(&get(&mut panel, "getOrdersPage?key=k&serviceType=chatbots")), [0_u64; 0]);
    assert_eq!(ids(&get(&mut panel, "getOrdersPage?key=k&ids=1003,1001")), [1_001, 1_003]);
}

#[test]
fn a_pause_stops_delivery_and_a_deletion_pays_back_the_rest() {
    let mut panel = panel(Life { start_ms: 0, finish_ms: 1_000 });
    order(&mut panel);
    let remains = |panel: &Panel, at_ms: u64| panel.journal_of("1001", at_ms).unwrap().remains;
    assert_eq!(get_at(&mut panel, "pauseOrder?key=k&id=1001", 250), Value::Null);
    assert_eq!((remains(&panel, 250), remains(&panel, 9_000)), (75, 75));
    assert_eq!(get_at(&mut panel, "getOrders?key=k", 9_000)["1001"]["pause"], true);
    assert_eq!(get_at(&mut panel, "resumeOrder?key=k&id=1001", 10_000), Value::Null);
    assert_eq!(remains(&panel, 10_250), 50);
    assert_eq!(get_at(&mut panel, "deleteOrder?key=k&id=1001", 10_250), Value::Null);
    assert_eq!(panel.balance(), "96.1");
    assert_eq!(get_at(&mut panel, "getOrders?key=k", 10_250), json!({}));
    assert_eq!(ask(&mut panel, &json!({ "action": "status", "order": 1_001 })), error("Incorrect order ID"));
    for call in ["pauseOrder", "resumeOrder", "deleteOrder"] {
        assert_eq!(get(&mut panel, &format!("{call}?key=k&id=1001")), wrong("id", "Order not found"));
    }
    assert_eq!(panel.journal(0).len(), 1, "it was really taken all the same");
}

#[test]
fn an_upgrade_costs_the_difference_and_a_change_nothing() {
    let mut panel = panel(NEVER);
    get(&mut panel, "newOrder?key=k&service=twitchViewers&channel=a&amount=10");
    let asked = json!({ "id": 1_001, "order": { "amount": 100 } });
    let quote = post(&mut panel, "calculateUpgradePrice", &asked);
    assert_eq!(quote, json!({ "price": 6.9, "totalDiscount": 1.2 }));
    assert_eq!(panel.balance(), "99.1");
    assert_eq!(post(&mut panel, "upgradeOrder", &asked), Value::Null);
    let order = panel.journal_of("1001", 0).unwrap();
    assert_eq!((order.quantity, order.charge.as_str(), panel.balance().as_str()), (100, "7.8", "92.2"));
    let changed = json!({ "id": "1001", "order": { "channel": "new_channel_name" } });
    assert_eq!(post(&mut panel, "changeOrder", &changed), Value::Null);
    assert_eq!(panel.journal_of("1001", 0).unwrap().link, "new_channel_name");
    for (name, body, wanted) in [
        ("upgradeOrder", json!({ "id": 1_001, "order": { "amount": 100 } }), wrong("amount", "Invalid amount")),
        (
            "upgradeOrder",
            json!({ "id": 1_001, "order": { "channel": "b" } }),
            wrong("channel", "Field cannot be upgraded"),
        ),
        ("upgradeOrder", json!({ "id": 1_001 }), wrong("order", "orderEmpty")),
        ("upgradeOrder", json!({ "id": 7, "order": { "amount": 200 } }), wrong("id", "Order not found")),
        ("upgradeOrder", json!({ "id": 1_001, "order": { "amount": 2_000 } }), error("Not enough funds on balance")),
        (
            "changeOrder",
            json!({ "id": 1_001, "order": { "channel": "a b" } }),
            wrong("channel", "Invalid channel name"),
        ),
        ("changeOrder", json!({ "id": 1_001, "order": { "amount": 5 } }), wrong("amount", "Field cannot be changed")),
    ] {
        assert_eq!(post(&mut panel, name, &body), wanted, "{name} {body}");
    }
}

#[test]
fn a_value_is_validated_without_a_key() {
    let mut panel = panel(NEVER);
    for (field, value, wanted) in [
        ("channel", "username", Value::Null),
        ("channel", "", wrong("channel", "channelEmpty")),
        ("channel", "a+b", wrong("channel", "Channel not found")),
        ("amount", "10", Value::Null),
        ("amount", "9", wrong("amount", "Invalid amount")),
        ("geo", "us", error("Unknown field")),
    ] {
        let query = format!("validateOrderProperty?service=twitchViewers&field={field}&value={value}");
        assert_eq!(get(&mut panel, &query), wanted, "{field} {value}");
    }
}

#[test]
fn news_are_the_fields_that_changed_and_what_is_told_is_told() {
    let mut panel = panel(NEVER);
    order(&mut panel);
    assert_eq!(panel.news(0)[&1_001]["status"], "active", "an order is news by itself");
    assert!(panel.news(0).is_empty());
    get(&mut panel, "pauseOrder?key=k&id=1001");
    assert_eq!(panel.news(0), BTreeMap::from([(1_001, json!({ "pause": true }))]));
    panel.progress("1001", "In progress", Some(40), 0).unwrap();
    assert_eq!(panel.news(0), BTreeMap::from([(1_001, json!({ "remains": 40 }))]));
    panel.progress("1001", "Completed", None, 0).unwrap();
    assert_eq!(panel.news(0), BTreeMap::from([(1_001, json!({ "remains": 0, "status": "completed" }))]));
    assert!(panel.news(0).is_empty());
    panel.tell("1001", "charge", json!("NaN")).unwrap();
    assert_eq!(ask(&mut panel, &json!({ "action": "status", "order": 1_001 }))["charge"], "NaN");
    assert!(panel.tell("7", "charge", json!(1)).is_err());
}
