//! Streamskill's face as the seed shows it, with the time as an argument.

use http::{Method, Request, header::AUTHORIZATION};

use super::*;
use crate::{
    call,
    config::{Adapter, Config, Life},
};

const NEVER: Life = Life { start_ms: u64::MAX, finish_ms: u64::MAX };

/// Tarif 1 by the hour and the quantity, tarif 2 by the day and the tier.
fn panel(life: Life) -> Panel {
    let tarif = |id, order_type: &str, hourly, pricing| Tarif {
        id,
        title: "Title".to_owned(),
        order_type: order_type.to_owned(),
        min: 10,
        max: 5_000,
        hourly,
        pricing,
    };
    let table = |entries: &[(u64, &str)]| entries.iter().map(|(from, text)| (*from, (*text).to_owned())).collect();
    let discounts = table(&[(1, "0"), (500, "10"), (1_000, "20")]);
    let config = Config {
        adapter: Adapter::Streamskill,
        key: "k".to_owned(),
        balance: "100".to_owned(),
        life,
        tarifs: vec![
            tarif(1, "twitch_viewers", true, Pricing::Standard { price: "0.02".to_owned(), discounts }),
            tarif(2, "kick_viewers", false, Pricing::Graduated { prices: table(&[(0, "1.35"), (101, "1.8")]) }),
        ],
        ..Config::default()
    };
    let mut panel = Panel::new(config).unwrap();
    panel.begin_at(1_640_000_000_000);
    panel
}

fn call_with(panel: &mut Panel, key: &str, line: &str, body: &Value, now_ms: u64) -> (u16, Value) {
    let (method, path) = line.split_once(' ').unwrap();
    let request = Request::builder().method(method.parse::<Method>().unwrap()).uri(format!("/v1{path}"));
    let request = request.header(AUTHORIZATION, key).header("content-type", "application/json");
    let (head, ()) = request.body(()).unwrap().into_parts();
    let call = call::read(Adapter::Streamskill, &head, body.to_string().as_bytes()).unwrap();
    let answered = panel.carry_out(&call, now_ms, false);
    (answered.status.as_u16(), answered.body)
}

fn call_at(panel: &mut Panel, line: &str, body: &Value, now_ms: u64) -> (u16, Value) {
    call_with(panel, "Bearer k", line, body, now_ms)
}

fn get(panel: &mut Panel, path: &str) -> Value {
    let (status, body) = call_at(panel, &format!("GET {path}"), &Value::Null, 0);
    assert_eq!(status, 200, "{path}: {body}");
    body
}

fn order(start: bool) -> Value {
    json!({
        "tarif": { "id": 1, "quantity": 1_000, "duration": 24 },
        "channel": "twitch",
        "interval": 10,
        "comment": "Test comment",
        "start": start,
    })
}

fn create(panel: &mut Panel, start: bool) -> u64 {
    let (status, body) = call_at(panel, "POST /purchases/create", &order(start), 0);
    assert_eq!(status, 200, "{body}");
    body["id"].as_u64().unwrap()
}

#[test]
fn a_purchase_is_answered_as_in_the_seed_and_charged_by_quantity_and_time() {
    let mut panel = panel(NEVER);
    let (status, body) = call_at(&mut panel, "POST /purchases/create", &order(false), 7_000);
    let wanted = json!({
        "id": 1_001, "price": 38.4, "currency": "usd", "created_at": 1_640_000_007, "order_type": "twitch_viewers",
        "channel": "https://www.twitch.tv/twitch", "status": "created", "service": "twitch", "parent": false,
        "api": true, "chatbot": false, "tarif": 1,
    });
    assert_eq!((status, body), (200, wanted));
    assert_eq!(panel.balance(), "61.6", "0.02 for 10, 1000 at 20 percent off, 24 hours");
    let kept = panel.journal_of("1001", 0).unwrap();
    assert_eq!((kept.service.as_str(), kept.link.as_str(), kept.quantity), ("1", "twitch", 1_000));
    assert_eq!((kept.params["tarif.duration"].as_str(), kept.params["start"].as_str()), ("24", "false"));
    let graduated = json!({ "tarif": { "id": 2, "quantity": 150, "duration": 3 }, "channel": "https://kick.com/a" });
    let (_, body) = call_at(&mut panel, "POST /purchases/create?expand=tarif,parent", &graduated, 0);
    assert_eq!((&body["price"], &body["channel"]), (&json!(5.4), &json!("https://kick.com/a")));
    assert_eq!((&body["tarif"]["id"], &body["tarif"]["hourly"]), (&json!(2), &json!(false)));
}

#[test]
fn what_cannot_be_taken_has_its_code_and_costs_nothing() {
    let mut panel = panel(NEVER);
    let with = |pointer: &str, value: Value| {
        let mut body = order(true);
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    for (body, code, field) in [
        (with("/tarif/id", json!(7)), 404, ""),
        (with("/tarif/id", json!("1")), 422, "tarif"),
        (with("/tarif", json!(1)), 422, "tarif"),
        (with("/tarif/quantity", json!(9)), 422, "quantity"),
        (with("/tarif/quantity", json!("1000")), 422, "quantity"),
        (with("/tarif/duration", json!(0)), 422, "duration"),
        (with("/channel", json!("")), 422, "channel"),
        (with("/channel", json!("a b")), 422, "channel"),
        (with("/interval", json!(0)), 422, "interval"),
        (with("/interval", json!(86_401)), 422, "interval"),
        (with("/comment", json!(5)), 422, "comment"),
        (with("/start", json!("true")), 422, "start"),
        (with("/tarif/duration", json!(1_000)), 402, ""),
        (json!([]), 400, ""),
    ] {
        let (status, answer) = call_at(&mut panel, "POST /purchases/create", &body, 0);
        assert_eq!((status, &answer["status"], &answer["code"]), (code, &json!(code), &json!(0)), "{body}");
        assert!(answer["name"].is_string() && answer["message"].is_string() && answer["type"].is_string());
        assert!(field.is_empty() || answer["errors"][field].is_array(), "{body}: {answer}");
    }
    assert_eq!((panel.balance().as_str(), panel.latest_order()), ("100", None));
}

#[test]
fn a_key_is_a_bearers() {
    let mut panel = panel(NEVER);
    for (key, code) in [("Bearer k", 200), ("Bearer x", 401), ("k", 401), ("", 401)] {
        assert_eq!(call_with(&mut panel, key, "GET /tarifs", &Value::Null, 0).0, code, "{key}");
    }
    for (line, code) in [("GET /interline", 404), ("GET /purchases/7", 404), ("GET /tarifs/7", 404), ("GET ", 404)] {
        assert_eq!(call_at(&mut panel, line, &Value::Null, 0).0, code, "{line}");
    }
}

#[test]
fn tarifs_are_listed_with_both_kinds_of_prices() {
    let mut panel = panel(NEVER);
    let tarifs = get(&mut panel, "/tarifs");
    let standard = &tarifs[0];
    assert_eq!((&standard["pricing_type"], &standard["price"]), (&json!("standard"), &json!(0.02)));
    assert_eq!(standard["discounts"], json!({ "1": 0, "500": 10, "1000": 20 }));
    assert_eq!(
        (&standard["count"], &standard["graduated_prices"]),
        (&json!({ "min": 10, "max": 5_000 }), &Value::Null)
    );
    assert_eq!(standard["link"]["prefix"], "https://www.twitch.tv/");
    let graduated = get(&mut panel, "/tarifs/2");
    assert_eq!(graduated, tarifs[1]);
    assert_eq!(graduated["graduated_prices"], json!({ "0": 1.35, "101": 1.8 }));
    assert_eq!((&graduated["price"], &graduated["discounts"]), (&json!(1.35), &Value::Null));
    panel.set_rate("2", "50").unwrap();
    assert_eq!(get(&mut panel, "/tarifs/2")["price"], json!(0.5));
    assert!(panel.set_rate("9", "50").is_err());
}

#[test]
fn purchases_are_read_one_by_one_in_bulk_and_as_lists() {
    let mut panel = panel(Life { start_ms: 0, finish_ms: 1_000 });
    panel.set_rate("1", "1").unwrap();
    let (one, two) = (create(&mut panel, true), create(&mut panel, false));
    let status = |panel: &mut Panel, id: u64| get(panel, &format!("/purchases/{id}"))["status"].clone();
    assert_eq!((status(&mut panel, one), status(&mut panel, two)), (json!("working"), json!("created")));
    let bulk = get(&mut panel, "/purchases/bulk?ids=1001,999,1002");
    assert_eq!((bulk["items"].as_array().map(Vec::len), &bulk["missing_ids"]), (Some(2), &json!([999])));
    let ids = |list: &Value| -> Vec<u64> {
        list.as_array().into_iter().flatten().filter_map(|purchase| purchase["id"].as_u64()).collect()
    };
    assert_eq!(ids(&get(&mut panel, "/purchases")), [two, one]);
    let (_, unfinished) = call_at(&mut panel, "GET /purchases/uncomplete", &Value::Null, 1_000);
    assert_eq!(ids(&unfinished), [two], "the first has completed");
    let many = (0..=IDS_MAX).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    for ids in ["", "x", many.as_str()] {
        assert_eq!(call_at(&mut panel, &format!("GET /purchases/bulk?ids={ids}"), &Value::Null, 0).0, 422);
    }
}

#[test]
fn a_purchase_is_started_stopped_and_prolonged() {
    let mut panel = panel(Life { start_ms: 100, finish_ms: 1_100 });
    let id = create(&mut panel, false);
    let mut post = |action: &str, body: Value, at_ms: u64| {
        let answer = call_at(&mut panel, &format!("POST /purchases/{action}"), &body, at_ms);
        (answer.0, call_at(&mut panel, &format!("GET /purchases/{id}"), &Value::Null, at_ms).1["status"].clone())
    };
    assert_eq!(post("1001/stop", Value::Null, 9_000), (409, json!("created")), "it was never started");
    assert_eq!(post("1001/start", Value::Null, 9_000), (200, json!("awaiting")));
    assert_eq!(post("1001/start", Value::Null, 9_100), (409, json!("working")));
    assert_eq!(post("bulk-stop", json!({ "ids": [1_001] }), 9_600), (200, json!("stopped")));
    assert_eq!(post("1001/start", Value::Null, 20_000), (200, json!("working")));
    assert_eq!(post("1001/prolong", json!({ "count": 2 }), 20_000), (200, json!("working")));
    assert_eq!(post("1001/prolong", json!({ "count": 0 }), 20_000).0, 422);
    assert_eq!(post("1001/prolong", json!({ "count": 1_000 }), 20_000).0, 402);
    assert_eq!(post("1001/stop", Value::Null, 20_600), (405, json!("completed")));
    assert_eq!(post("1001/prolong", json!({ "count": 1 }), 20_600).0, 405);
    assert_eq!(panel.balance(), "58.4", "38.4 for a day and 3.2 for two hours");
    let (_, body) = call_at(&mut panel, "POST /purchases/bulk-stop", &json!({ "ids": [1_001, 7] }), 20_600);
    assert_eq!((&body["success"], body["failed"][1]["id"].as_u64()), (&json!([]), Some(7)));
    assert_eq!(call_at(&mut panel, "POST /purchases/bulk-stop", &json!({ "ids": [] }), 0).0, 422);
}

#[test]
fn a_script_speaks_either_language_and_a_refund_lowers_the_price() {
    for (said, remains, status, price) in [
        ("In progress", Some(700), "working", 38.4),
        ("stopped", None, "stopped", 38.4),
        ("Completed", None, "completed", 38.4),
        ("Partial", Some(250), "refunded", 28.8),
        ("Canceled", None, "refunded", 0.0),
        ("refunded", Some(500), "refunded", 19.2),
        ("failed", Some(1_000), "failed", 0.0),
        ("deleted", None, "deleted", 38.4),
    ] {
        let mut panel = panel(NEVER);
        let id = create(&mut panel, true).to_string();
        panel.progress(&id, said, remains, 0).unwrap();
        let shown = get(&mut panel, &format!("/purchases/{id}"));
        assert_eq!((shown["status"].as_str(), shown["price"].as_f64()), (Some(status), Some(price)), "{said}");
    }
}
