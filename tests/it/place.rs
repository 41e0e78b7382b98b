//! Placing an order: what a panel sends, what it gets, what is kept and what is not.

use std::time::Instant;

use acceptance::{ACCOUNT, Gateway, Setup, UpstreamSetup, form, on_both, sandbox::FaultKind, wait_until};
use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::support::{NOTICE_MAX, entry, text};

#[test]
fn an_order_goes_to_the_cheapest_upstream() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let link = "https://example.com/posts/1";
        let id = gateway.place(link, 1000)?;
        let order = gateway.wait_attempt(id, "accepted")?;

        let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
        let made = alpha.order(link)?;
        assert_eq!((made.service.as_str(), made.quantity, made.charge.as_str()), ("1", 1000, "0.9"));
        assert!(beta.orders().is_empty());

        assert_eq!(gateway.balance()?, "97.5");
        for (field, value) in [
            ("account", json!(ACCOUNT)),
            ("target", json!(link)),
            ("quantity", json!(1000)),
            ("charge", json!("2.5")),
            ("currency", json!("USD")),
            ("upstream", json!("alpha")),
            ("upstream_order", json!(made.id)),
        ] {
            assert_eq!(order[field], value, "{field} of {order}");
        }
        let attempt = entry(&order["attempts"], "upstream", "alpha")?;
        assert_eq!((text(attempt, "reserve"), text(attempt, "currency")), ("0.9", "USD"));
        assert_eq!(gateway.ledger("liabilities:orders:USD")?, "-2.5");
        assert_eq!(gateway.ledger("assets:wip:alpha:USD")?, "0.9");
        gateway.finish()
    })
}

#[test]
fn services_and_balance_have_the_shape_of_the_seed() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let reply = gateway.post(&[("action", "services")])?;
        assert_eq!((reply.status, reply.content_type.as_str()), (200, "application/json"));
        let services = reply.json()?;
        assert_eq!(services.as_array().context("no array")?.len(), 1);
        for (field, value) in [
            ("service", "101"),
            ("name", "Placement, standard"),
            ("type", "Default"),
            ("rate", "2.5"),
            ("min", "10"),
            ("max", "10000"),
            ("category", "Placements"),
        ] {
            assert_eq!(services[0][field], value, "{field} of {services}");
        }
        let (status, balance) = gateway.panel(&[("action", "balance")])?;
        assert_eq!((status, balance), (200, json!({"balance": "100", "currency": "USD"})));
        let slash = form(&[("key", gateway.key()), ("action", "balance")]);
        let headers = [("content-type", "application/x-www-form-urlencoded;charset=UTF-8")];
        assert_eq!(gateway.http("POST", "/api/v2/", &headers, &slash)?.status, 200);
        gateway.finish()
    })
}

#[test]
fn what_cannot_be_placed_leaves_nothing_behind() -> Result<()> {
    on_both(|engine| {
        let setup = Setup::two().deposit("1").setting("POLICY__DENY_TARGETS", "denied.example/*,*forbidden*");
        let gateway = Gateway::start(engine, &setup)?;
        let good = [("action", "add"), ("service", "101"), ("link", "https://example.com/a"), ("quantity", "100")];
        let cases: [(&str, &str, u16, &[&str]); 11] = [
            ("service", "999", 404, &["Incorrect service ID"]),
            ("service", "", 400, &["service"]),
            ("quantity", "9", 400, &["quantity", "10"]),
            ("quantity", "10001", 400, &["quantity", "10000"]),
            ("quantity", "ten", 400, &["quantity"]),
            ("quantity", "", 400, &["quantity"]),
            ("link", "", 400, &["link"]),
            ("link", "https://www.Denied.example/Secret/page", 400, &[]),
            ("action", "explode", 400, &[]),
            ("action", "", 400, &[]),
            ("quantity", "1000", 402, &["Not enough funds on balance"]),
        ];
        for (field, value, status, words) in cases {
            let changed = good.map(|(name, kept)| (name, if name == field { value } else { kept }));
            let reply = gateway.post(&changed)?;
            let error = reply.error()?;
            assert_eq!(reply.status, status, "{field} = `{value}`: {reply:?}");
            assert!(!error.is_empty() && words.iter().all(|word| error.contains(word)), "{field} = `{value}`: {error}");
        }
        assert_eq!(gateway.json(&["order", "list"])?, json!([]));
        assert_eq!(gateway.balance()?, "1");
        for id in ["alpha", "beta"] {
            assert!(gateway.upstream(id)?.orders().is_empty());
        }
        gateway.finish()
    })
}

#[test]
fn an_order_that_nobody_can_take_is_not_charged() -> Result<()> {
    on_both(|engine| {
        let small = |id, rate| UpstreamSetup::new(id, rate).max(500);
        let gateway = Gateway::start(engine, &Setup::of([small("alpha", "0.90"), small("beta", "1.20")]))?;
        let (status, body) = gateway.add("https://example.com/big", 1000)?;
        assert_eq!((status, body), (502, json!({"error": "No upstream can take this order now"})));
        assert_eq!(gateway.json(&["order", "list"])?, json!([]));
        assert_eq!(gateway.balance()?, "100");
        gateway.finish()
    })
}

#[test]
fn nothing_is_sold_below_the_margin_floor() -> Result<()> {
    on_both(|engine| {
        let dear = Setup::of([UpstreamSetup::new("alpha", "2.40")]).setting("ROUTING__MARGIN_FLOOR_PERCENT", "10");
        let gateway = Gateway::start(engine, &dear)?;
        assert_eq!(gateway.add("https://example.com/dear", 1000)?.0, 502);
        let plan = gateway.json(&["route", "explain", "--service", "101", "--quantity", "1000"])?;
        let candidate = entry(&plan["candidates"], "upstream", "alpha")?;
        assert_eq!((&candidate["taken"], text(candidate, "margin_percent")), (&json!(false), "4"));
        assert!(text(candidate, "reason").contains("margin"), "{candidate}");
        gateway.finish()
    })
}

#[test]
fn add_answers_while_the_upstream_still_thinks() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two().setting("PANEL__DISPATCH_WAIT_MS", "100"))?;
        gateway.upstream("alpha")?.meet("add", FaultKind::Slow, 1, 2_000);
        let id = gateway.place("https://example.com/slow", 100)?;
        let order = gateway.order(id)?;
        assert_eq!(order["status"], "Pending");
        assert_eq!(order["attempts"][0]["state"], "sending", "{order}");
        gateway.wait_attempt(id, "accepted")?;
        gateway.finish()
    })
}

#[test]
fn the_same_order_within_the_window_is_the_first_one() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two().setting("PANEL__DUPLICATE_WINDOW_S", "600"))?;
        let first = gateway.place("https://example.com/twice", 100)?;
        // The same target in another spelling, and then another target.
        assert_eq!(gateway.place("http://www.EXAMPLE.com/twice/", 100)?, first);
        assert_ne!(gateway.place("https://example.com/once", 100)?, first);
        assert_eq!(gateway.balance()?, "99.5");
        wait_until("two orders upstream", || Ok(gateway.upstream("alpha")?.orders().len() == 2))?;
        gateway.finish()
    })
}

#[test]
fn a_markup_follows_the_cheapest_offer() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two().price("markup_percent = \"30\""))?;
        let rate = || -> Result<Value> { Ok(gateway.panel(&[("action", "services")])?.1[0]["rate"].clone()) };
        assert_eq!(rate()?, "1.17");
        gateway.upstream("alpha")?.set_rate("2.00");
        wait_until("the rate to follow beta", || Ok(rate()? == "1.56"))?;
        let link = "https://example.com/markup";
        let id = gateway.place(link, 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        assert_eq!(gateway.upstream("beta")?.order(link)?.charge, "1.2");
        assert_eq!(gateway.balance()?, "98.44");
        gateway.finish()
    })
}

#[test]
fn a_disabled_upstream_takes_nothing_within_a_second() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let file = std::fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        gateway.write("off.toml", &file.replacen("id = \"alpha\"", "id = \"alpha\"\nenabled = false", 1))?;
        gateway.done(&["apply", "off.toml"])?;
        let (begun, mut count) = (Instant::now(), 0);
        wait_until("orders to go to beta", || {
            count += 1;
            gateway.place(&format!("https://example.com/off/{count}"), 100)?;
            Ok(!gateway.upstream("beta")?.orders().is_empty())
        })?;
        assert!(begun.elapsed() < NOTICE_MAX, "noticed after {:?}", begun.elapsed());
        gateway.finish()
    })
}

/// A client that hangs up parts no commit from its hand-over: whatever was charged is sent. Seen to fail with the commit
/// awaited by the request itself: orders then stayed `sending` with nothing written to any upstream.
#[test]
fn a_client_that_hangs_up_leaves_no_order_behind() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        for number in 0..60 {
            let (link, key) = (format!("https://example.com/hung/{number}"), gateway.key());
            let pairs = [("key", key), ("action", "add"), ("service", "101"), ("link", &link), ("quantity", "10")];
            gateway.hang_up(&form(&pairs))?;
        }
        // One that waits, so that there is an order even if none of those arrived.
        gateway.place("https://example.com/waited", 10)?;
        wait_until("every order to be at an upstream", || {
            let orders = gateway.json(&["order", "list"])?;
            let orders = orders.as_array().context("no list")?;
            Ok(orders.iter().all(|order| order["upstream_order"].is_string()))
        })?;
        gateway.finish()
    })
}
