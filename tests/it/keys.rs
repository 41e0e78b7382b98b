//! Who may ask: every place a key may stand in, keys that end, and callers that are too fast.

use std::time::Instant;

use acceptance::{ACCOUNT, Gateway, Setup, form, on_both, wait_until};
use anyhow::{Context, Result};
use serde_json::json;

use crate::support::{NOTICE_MAX, entry, text};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn a_key_may_stand_in_every_place_that_clients_use() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let key = gateway.key();
        let (bearer, cookie) = (format!("Bearer {key}"), format!("theme=dark; key={key}"));
        let in_form = form(&[("key", key), ("action", "balance")]);
        let in_query = format!("/api/v2?{in_form}");
        let in_json = json!({"key": key, "action": "balance"}).to_string();
        for (what, method, path, headers, body) in [
            ("form", "POST", "/api/v2", vec![FORM], in_form.as_str()),
            ("form without a type", "POST", "/api/v2", vec![], in_form.as_str()),
            ("JSON", "POST", "/api/v2", vec![JSON], in_json.as_str()),
            ("query of a GET", "GET", in_query.as_str(), vec![], ""),
            ("query of a POST", "POST", in_query.as_str(), vec![], ""),
            ("bearer", "POST", "/api/v2", vec![FORM, ("authorization", bearer.as_str())], "action=balance"),
            ("bearer of a GET", "GET", "/api/v2?action=balance", vec![("authorization", bearer.as_str())], ""),
            ("cookie", "POST", "/api/v2/", vec![FORM, ("cookie", cookie.as_str())], "action=balance"),
            ("the same one twice", "POST", "/api/v2", vec![FORM, ("authorization", bearer.as_str())], in_form.as_str()),
            (
                "an old client",
                "POST",
                "/api/v2",
                vec![FORM, ("user-agent", "Mozilla/4.0 (compatible; MSIE 5.01)")],
                in_form.as_str(),
            ),
        ] {
            let reply = gateway.http(method, path, &headers, body)?;
            assert_eq!((reply.status, reply.content_type.as_str()), (200, "application/json"), "{what}: {reply:?}");
            assert_eq!(reply.json()?, json!({"balance": "100", "currency": "USD"}), "{what}");
        }
        gateway.finish()
    })
}

#[test]
fn a_missing_a_wrong_and_a_contradicting_key_are_refused_alike() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let key = gateway.key();
        let (other, bearer) = (gateway.done(&["key", "create", ACCOUNT])?, format!("Bearer {key}"));
        let other = other.trim();
        assert_ne!(other, key);
        let contradicting = form(&[("key", other), ("action", "balance")]);
        let damaged = form(&[("key", &key[..key.len() - 1]), ("action", "balance")]);
        for (what, headers, body) in [
            ("missing", vec![FORM], "action=balance"),
            ("empty", vec![FORM], "key=&action=balance"),
            ("wrong", vec![FORM], "key=nobody&action=balance"),
            ("damaged", vec![FORM], damaged.as_str()),
            ("two good ones of one account", vec![FORM, ("authorization", bearer.as_str())], contradicting.as_str()),
        ] {
            let reply = gateway.http("POST", "/api/v2", &headers, body)?;
            assert_eq!(reply.status, 401, "{what}: {reply:?}");
            assert_eq!(reply.json()?, json!({"error": "Invalid API key"}), "{what}");
        }
        gateway.finish()
    })
}

#[test]
fn keys_come_and_go_while_the_server_runs() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let made = gateway.json(&["key", "create", ACCOUNT, "--label", "second shop"])?;
        let body = form(&[("key", text(&made, "key")), ("action", "balance")]);
        let answers = || -> Result<u16> { Ok(gateway.http("POST", "/api/v2", &[FORM], &body)?.status) };
        wait_until("the new key to be taken", || Ok(answers()? == 200))?;

        let listed = gateway.json(&["key", "list", ACCOUNT])?;
        let line = entry(&listed, "label", "second shop")?;
        assert!(text(&made, "key").starts_with(text(line, "prefix")), "{line}");
        assert!(line["revoked_at"].is_null() && !text(line, "created_at").is_empty(), "{line}");
        assert_eq!(line["id"], made["id"]);
        assert!(!listed.to_string().contains(text(&made, "key")), "a list shows a whole key");

        let id = made["id"].as_str().map_or_else(|| made["id"].to_string(), str::to_owned);
        gateway.done(&["key", "revoke", &id])?;
        let begun = Instant::now();
        wait_until("the revoked key to be refused", || Ok(answers()? == 401))?;
        assert!(begun.elapsed() < NOTICE_MAX, "refused after {:?}", begun.elapsed());
        assert_eq!(gateway.balance()?, "100", "the other key goes on");
        gateway.finish()
    })
}

#[test]
fn an_account_sees_its_own_orders_only() -> Result<()> {
    on_both(|engine| {
        let setup = Setup::two().more("\n[[account]]\nid = \"panel-b\"\ncurrency = \"USD\"\n");
        let mut gateway = Gateway::prepare(engine, &setup)?;
        let stranger = gateway.done(&["key", "create", "panel-b"])?;
        gateway.serve()?;
        let id = gateway.place("https://example.com/mine", 1000)?.to_string();
        let ask = |action: &str, field: &str| {
            let body = form(&[("key", stranger.trim()), ("action", action), (field, &id)]);
            gateway.http("POST", "/api/v2", &[FORM], &body)
        };
        for action in ["status", "cancel"] {
            let reply = ask(action, "order")?;
            assert_eq!((reply.status, reply.error()?.as_str()), (404, "Incorrect order ID"), "{action}");
        }
        assert_eq!(ask("status", "orders")?.json()?[&id], json!({"error": "Incorrect order ID"}));
        assert_eq!(gateway.upstream("alpha")?.calls("cancel"), 0);
        gateway.finish()
    })
}

#[test]
fn a_caller_that_is_too_fast_is_told_when_to_come_back() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two().setting("LIMITS__KEY_PER_MINUTE", "3"))?;
        let slow_down = |action: &str| {
            let mut last = None;
            wait_until("the limit", || {
                let reply = gateway.post(&[("action", action), ("order", "1")])?;
                let limited = reply.status == 429;
                last = Some(reply);
                Ok(limited)
            })?;
            last.context("no reply")
        };
        let reply = slow_down("balance")?;
        assert_eq!(reply.error()?, "Rate limit exceeded");
        let seconds: u32 = reply.retry_after.context("no Retry-After")?.parse()?;
        assert!((1..=60).contains(&seconds), "{seconds}");
        // An error in a status would end the order in the client's books.
        let bare = slow_down("status")?;
        assert_eq!((bare.body.as_str(), bare.retry_after.is_some()), ("", true));
        gateway.finish()
    })
}

#[test]
fn a_key_that_may_only_read_orders_nothing() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let key = gateway.done(&["key", "create", ACCOUNT, "--scope", "read"])?;
        let ask = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = [("key", key.trim())].iter().chain(pairs).copied().collect();
            gateway.http("POST", "/api/v2", &[FORM], &form(&pairs))
        };
        assert_eq!(ask(&[("action", "balance")])?.status, 200);
        let link = ("link", "https://example.com/read");
        let add = [("action", "add"), ("service", "101"), link, ("quantity", "100")];
        for refused in
            [ask(&add)?, ask(&[("action", "cancel"), ("order", "1")])?, ask(&[("action", "refill"), ("order", "1")])?]
        {
            assert_eq!((refused.status, refused.error()?.as_str()), (400, "this key may only read"));
        }
        assert_eq!(gateway.balance()?, "100");
        gateway.finish()
    })
}
