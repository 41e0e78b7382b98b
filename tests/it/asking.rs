//! The ways of asking that live clients have, all of which work, and calls that make no sense, which cost nothing.

use acceptance::{Gateway, Reply, SERVICE, Setup, form, on_both, wait_until};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::support::{fields, has, text};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

/// Both faces, in both spellings: clients repeat a redirected POST as a GET without its body, so none is redirected.
const PATHS: [&str; 4] = ["/api/v2", "/api/v2/", "/perfectPanel", "/perfectPanel/"];

/// How clients put a call.
#[derive(Debug, Clone, Copy)]
enum Way {
    Form,
    FormWithCharset,
    FormWithoutType,
    Json,
    JsonCalledAForm,
    Get,
    QueryOfAPost,
    Bearer,
    Cookie,
}

const WAYS: [Way; 9] = [
    Way::Form,
    Way::FormWithCharset,
    Way::FormWithoutType,
    Way::Json,
    Way::JsonCalledAForm,
    Way::Get,
    Way::QueryOfAPost,
    Way::Bearer,
    Way::Cookie,
];

/// Puts a call in one of the ways, with the account's key.
fn put(gateway: &Gateway, path: &str, way: Way, pairs: &[(&str, &str)]) -> Result<Reply> {
    let with_key: Vec<(&str, &str)> = pairs.iter().copied().chain([("key", gateway.key())]).collect();
    let (plain, keyed) = (form(pairs), form(&with_key));
    let object: Map<String, Value> = with_key.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let object = Value::Object(object).to_string();
    let query = format!("{path}?{keyed}");
    let (bearer, cookie) = (format!("Bearer {}", gateway.key()), format!("a=b; key={}", gateway.key()));
    match way {
        Way::Form => gateway.http("POST", path, &[FORM], &keyed),
        Way::FormWithCharset => {
            let header = ("content-type", "application/x-www-form-urlencoded;charset=UTF-8");
            gateway.http("POST", path, &[header], &keyed)
        }
        Way::FormWithoutType => gateway.http("POST", path, &[], &keyed),
        Way::Json => gateway.http("POST", path, &[JSON], &object),
        Way::JsonCalledAForm => gateway.http("POST", path, &[FORM], &object),
        Way::Get => gateway.http("GET", &query, &[], ""),
        Way::QueryOfAPost => gateway.http("POST", &query, &[], ""),
        Way::Bearer => gateway.http("POST", path, &[FORM, ("authorization", bearer.as_str())], &plain),
        Way::Cookie => gateway.http("POST", path, &[FORM, ("cookie", cookie.as_str())], &plain),
    }
}

#[test]
fn every_action_can_be_asked_for_in_every_way() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        for (path, way) in PATHS.into_iter().flat_map(|path| WAYS.map(|way| (path, way))) {
            let answer = |pairs: &[(&str, &str)]| -> Result<Value> {
                let reply = put(&gateway, path, way, pairs)?;
                assert_eq!((reply.status, reply.content_type.as_str()), (200, "application/json"), "{path} {way:?}");
                reply.json()
            };
            assert_eq!(answer(&[("action", "services")])?.as_array().map(Vec::len), Some(1), "{path} {way:?}");
            has(&answer(&[("action", "Balance")])?, "balance currency");
            // Decoded once: what stands for itself in the link arrives as it was meant.
            let link = format!("https://example.com{path}/{way:?}?a=1&b=c+d%20é");
            let order = [("action", "add"), ("service", SERVICE), ("link", link.as_str()), ("quantity", "100")];
            let added = answer(&order)?;
            has(&added, "order");
            let id = added["order"].as_i64().context("no id")?;
            wait_until("the order upstream", || Ok(gateway.upstream("alpha")?.order(&link).is_ok()))?;

            let one = id.to_string();
            let status = answer(&[("action", "status"), ("order", &one)])?;
            has(&status, "charge start_count status remains currency");
            has(&answer(&[("action", "multiStatus"), ("orders", &one)])?, &one);
            let refills = answer(&[("action", "refill"), ("orders", &one)])?;
            has(&refills[0], "order refill");
            let none = answer(&[("action", "refill_status"), ("refills", "99999")])?;
            has(&none[0], "refill status");
            let canceled = answer(&[("action", "cancel"), ("orders", &one)])?;
            has(&canceled[0], "order cancel");
            assert_eq!(canceled[0]["order"], id);
        }
        gateway.finish()
    })
}

#[test]
fn lists_of_orders_are_read_in_every_spelling() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (a, b) = (gateway.place("https://example.com/a", 100)?, gateway.place("https://example.com/b", 100)?);
        let wanted = format!("{a} {b} 99999");
        let check = |what: &str, reply: &Reply| -> Result<()> {
            assert_eq!(reply.status, 200, "{what}: {reply:?}");
            let body = reply.json()?;
            has(&body, &wanted);
            for known in [a, b] {
                has(&body[known.to_string()], "charge start_count status remains currency");
            }
            assert_eq!(body["99999"], json!({"error": "Incorrect order ID"}), "{what}");
            Ok(())
        };
        let key = gateway.key();
        for list in [
            format!("orders={a},{b},99999"),
            format!("orders={a}%2C{b}%2c99999"),
            format!("orders=+{a}+,+{b},99999,"),
            format!("orders={a},{b},{a},99999,{b}"),
            format!("orders[0]={a}&orders[1]={b}&orders[2]=99999"),
            format!("orders%5B0%5D={a}&orders%5B1%5D={b}&orders%5B2%5D=99999"),
            format!("orders[]={a}&orders[]={b}&orders[]=99999"),
            format!("order={a},{b},99999"),
        ] {
            for action in ["status", "STATUS", "multiStatus", "multistatus", "multi_status", "multi-status", "orders"] {
                let body = format!("{list}&action={action}&key={key}");
                check(&body, &gateway.http("POST", "/api/v2", &[FORM], &body)?)?;
            }
            let query = format!("/perfectPanel?{list}&action=status&key={key}");
            check(&query, &gateway.http("GET", &query, &[], "")?)?;
        }
        for list in [
            json!(format!("{a},{b},99999")),
            json!([a, b, 99999]),
            json!([a.to_string(), b.to_string(), "99999", null, ""]),
        ] {
            let body = json!({"key": key, "action": "status", "orders": list}).to_string();
            check(&body, &gateway.http("POST", "/perfectPanel", &[JSON], &body)?)?;
            check(&body, &gateway.http("POST", "/api/v2", &[JSON], &body)?)?;
        }
        let number = json!({"key": key, "action": "status", "orders": a}).to_string();
        has(&gateway.http("POST", "/api/v2", &[JSON], &number)?.json()?, &a.to_string());
        gateway.finish()
    })
}

#[test]
fn no_answer_to_a_status_looks_like_a_failed_call() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let id = gateway.place("https://example.com/keyed", 100)?.to_string();
        for (orders, code) in [
            ("error", 400),
            ("Error,1", 400),
            (format!("{id} error").as_str(), 400),
            ("Array,0,errors", 200),
            (format!("{id},-1").as_str(), 200),
        ] {
            for action in ["status", "multiStatus"] {
                let reply = gateway.post(&[("action", action), ("orders", orders)])?;
                let failed = reply.json()?.get("error").is_some();
                assert_eq!((reply.status, failed), (code, code != 200), "{action} {orders}: {reply:?}");
                assert!(!failed || reply.error()?.contains("`orders`"), "{reply:?}");
            }
        }
        let each = gateway.post(&[("action", "status"), ("orders", "Array,0,errors")])?.json()?;
        has(&each, "0 Array errors");
        assert_eq!(each["errors"], json!({"error": "Incorrect order ID"}));
        gateway.finish()
    })
}

#[test]
fn the_old_class_asks_for_refills_without_an_action() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let id = gateway.place("https://example.com/old", 100)?.to_string();
        let no_refill = json!({"error": "Refill not found"});
        for (field, value, wanted) in [
            ("refill", "1", (404, no_refill.clone())),
            (
                "refills",
                "1,Array",
                (200, json!([{"refill": 1, "status": no_refill}, {"refill": "Array", "status": no_refill}])),
            ),
            // A refill, in that class; a status, in others: not guessed.
            ("order", id.as_str(), (400, json!({"error": "`action` is missing"}))),
            ("orders", id.as_str(), (400, json!({"error": "`action` is missing"}))),
        ] {
            assert_eq!(gateway.panel(&[(field, value)])?, wanted, "{field}={value}");
        }
        gateway.finish()
    })
}

#[test]
fn a_large_body_is_read_and_one_that_is_too_large_is_answered() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two().setting("SERVER__REQUEST_BODY_BYTES_MAX", "2000000"))?;
        let add = |link: &str, comments: &str| -> Result<Reply> {
            let pairs = [
                ("key", gateway.key()),
                ("action", "add"),
                ("service", SERVICE),
                ("link", link),
                ("quantity", "100"),
                ("comments", comments),
            ];
            // As curl sends a body of that size.
            gateway.http("POST", "/api/v2", &[FORM, ("expect", "100-continue")], &form(&pairs))
        };
        let taken = add("https://example.com/large", &"good\n".repeat(250_000))?;
        assert_eq!(taken.status, 200, "{taken:?}");
        has(&taken.json()?, "order");
        let refused = add("https://example.com/larger", &"good\n".repeat(700_000))?;
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.error()?.contains("2000000"), "{refused:?}");
        assert_eq!(gateway.balance()?, "99.75", "only what was taken is charged");
        gateway.finish()
    })
}

#[test]
fn what_makes_no_sense_is_answered_in_the_dialect_and_costs_nothing() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let key = gateway.key();
        let many = (1..=101).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
        let add = format!("action=add&service={SERVICE}&link=https://example.com/x");
        for (body, code, word) in [
            (String::new(), 400, "action"),
            ("action=explode".to_owned(), 400, "action"),
            ("action=status".to_owned(), 400, "order"),
            (format!("action=status&orders={many}"), 400, "100"),
            (format!("action=cancel&orders={many}"), 400, "100"),
            (format!("action=refill&orders={many}"), 400, "100"),
            (format!("action=refill_status&refills={many}"), 400, "100"),
            ("action=status&order=-1".to_owned(), 404, "order ID"),
            ("action=status&order=99999999999999999999".to_owned(), 404, "order ID"),
            ("action=add&link=x&quantity=100".to_owned(), 400, "service"),
            ("action=add&service=0x65&link=x&quantity=100".to_owned(), 404, "service ID"),
            (format!("{add}&quantity=-100"), 400, "quantity"),
            (format!("{add}&quantity=1e9999"), 400, "quantity"),
            (format!("{add}&quantity=99999999999999999999"), 400, "quantity"),
            (format!("{add}&quantity=100&quantity=9"), 400, "10"),
            (format!("{add}%FF&quantity=100"), 400, "link"),
            (format!("{add}%00&quantity=100"), 400, "link"),
        ] {
            let body = format!("key={key}&{body}");
            for (path, code) in [("/api/v2", code), ("/perfectPanel", 200)] {
                let reply = gateway.http("POST", path, &[FORM], &body)?;
                assert_eq!((reply.status, reply.content_type.as_str()), (code, "application/json"), "{path} {body}");
                has(&reply.json()?, "error");
                assert!(reply.error()?.contains(word), "{path} {body}: {reply:?}");
            }
        }
        for (header, body) in [
            (JSON, "{\"action\": \"balance\""),
            (JSON, "[1, 2]"),
            (("content-type", "multipart/form-data; boundary=x"), "--x\r\n\r\n--x--\r\n"),
        ] {
            for (path, code) in [("/api/v2", 400), ("/perfectPanel", 200)] {
                let reply = gateway.http("POST", path, &[header], body)?;
                assert_eq!(reply.status, code, "{path} {body}: {reply:?}");
                assert!(!reply.error()?.is_empty(), "{path} {body}: {reply:?}");
            }
        }
        assert_eq!(gateway.json(&["order", "list"])?, json!([]));
        assert_eq!(gateway.balance()?, "100");
        gateway.finish()
    })
}

#[test]
fn another_accounts_order_looks_like_none_to_every_action() -> Result<()> {
    on_both(|engine| {
        let setup = Setup::two().more("\n[[account]]\nid = \"panel-b\"\ncurrency = \"USD\"\n");
        let mut gateway = Gateway::prepare(engine, &setup)?;
        let stranger = gateway.done(&["key", "create", "panel-b"])?;
        gateway.serve()?;
        let theirs = gateway.place("https://example.com/theirs", 1000)?;
        gateway.wait_attempt(theirs, "accepted")?;
        let (theirs, nobodys) = (theirs.to_string(), "2000000".to_owned());
        let ask = |path: &str, action: &str, field: &str, id: &str| -> Result<(u16, String)> {
            let pairs = [("key", stranger.trim()), ("action", action), (field, id)];
            let reply = gateway.http("POST", path, &[FORM], &form(&pairs))?;
            Ok((reply.status, reply.body))
        };
        for path in ["/api/v2", "/perfectPanel"] {
            for (action, field) in [
                ("status", "order"),
                ("status", "orders"),
                ("multiStatus", "orders"),
                ("refill", "order"),
                ("refill", "orders"),
                ("refill_status", "refill"),
                ("refill_status", "refills"),
                ("cancel", "order"),
                ("cancel", "orders"),
            ] {
                let of_theirs = ask(path, action, field, &theirs)?;
                let (status, body) = ask(path, action, field, &nobodys)?;
                let same = body.replace(&nobodys, &theirs);
                assert_eq!(of_theirs, (status, same), "{path} {action} {field}");
                assert!(of_theirs.1.contains("error"), "{path} {action} {field}: {of_theirs:?}");
            }
            let (_, balance) = ask(path, "balance", "order", &theirs)?;
            assert!(!balance.contains("97.5"), "{balance}");
        }
        let alpha = gateway.upstream("alpha")?;
        assert_eq!((alpha.calls("cancel"), alpha.calls("refill")), (0, 0));
        let (_, mine) = gateway.panel(&[("action", "status"), ("order", &theirs)])?;
        assert_eq!((text(&mine, "status"), text(&mine, "charge")), ("Pending", "2.5"), "{mine}");
        assert_eq!(fields(&mine).len(), 5);
        gateway.finish()
    })
}
