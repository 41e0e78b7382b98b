//! Following an order to its end: what the upstream reports, what the customer sees, what the books make of it.

use acceptance::{
    Gateway, Setup, UpstreamSetup, on_both,
    sandbox::{ChargeAfterPartial, FaultKind},
    wait_until,
};
use anyhow::Result;
use serde_json::json;

use crate::support::{entry, fields, has, text};

#[test]
fn an_order_is_followed_to_its_end() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (alpha, link) = (gateway.upstream("alpha")?, "https://example.com/life");
        let id = gateway.place(link, 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        alpha.say(link, "In progress", Some(400))?;
        let running = gateway.wait_status(id, "In progress")?;
        assert_eq!((text(&running, "remains"), text(&running, "charge")), ("400", "2.5"));
        has(&running, "charge start_count status remains currency");
        let start: i64 = text(&running, "start_count").parse()?;
        assert!(start >= 1000, "{running}");

        alpha.say(link, "Completed", None)?;
        let done = gateway.wait_status(id, "Completed")?;
        assert_eq!((text(&done, "remains"), text(&done, "charge"), text(&done, "currency")), ("0", "2.5", "USD"));
        let order = gateway.order(id)?;
        assert_eq!((&order["attempts"][0]["state"], &order["attempts"][0]["cost"]), (&json!("ended"), &json!("0.9")));
        assert_eq!((text(&order, "charge"), text(&order, "refund")), ("2.5", "0"));
        for (account, balance) in [
            ("liabilities:orders:USD", "0"),
            ("assets:wip:alpha:USD", "0"),
            ("income:sales:USD", "-2.5"),
            ("expenses:cogs:alpha:USD", "0.9"),
            ("assets:upstream:alpha:USD", "499.1"),
        ] {
            assert_eq!(gateway.ledger(account)?, balance, "{account}");
        }
        gateway.finish()
    })
}

#[test]
fn an_end_is_final() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (alpha, link) = (gateway.upstream("alpha")?, "https://example.com/final");
        let id = gateway.place(link, 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        alpha.say(link, "Completed", None)?;
        gateway.wait_status(id, "Completed")?;
        alpha.say(link, "In progress", Some(1000))?;
        let seen = alpha.calls("balance");
        wait_until("a few more rounds of work", || Ok(alpha.calls("balance") > seen + 5))?;
        gateway.wait_status(id, "Completed")?;
        assert_eq!(gateway.balance()?, "97.5");
        gateway.finish()
    })
}

#[test]
fn words_and_errors_that_nobody_knows_change_nothing() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (alpha, link) = (gateway.upstream("alpha")?, "https://example.com/words");
        let id = gateway.place(link, 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        alpha.say(link, "In progress", Some(700))?;
        gateway.wait_status(id, "In progress")?;
        for word in ["Holding", "Suspended", "Partially refilled", ""] {
            alpha.say(link, word, Some(100))?;
            let seen = alpha.calls("status");
            wait_until("the word to be read", || Ok(alpha.calls("status") > seen + 2))?;
            let status = gateway.wait_status(id, "In progress")?;
            assert_eq!(text(&status, "remains"), "700", "after `{word}`");
        }
        for kind in [
            FaultKind::UnknownError,
            FaultKind::Html,
            FaultKind::Refusal,
            FaultKind::TakeAnd502,
            FaultKind::TooManyRequests,
        ] {
            alpha.meet("status", kind, 2, 0);
        }
        alpha.say(link, "processing", Some(50))?;
        wait_until("the faults to pass", || {
            let (_, status) = gateway.panel(&[("action", "status"), ("order", &id.to_string())])?;
            assert_eq!(text(&status, "status"), "In progress");
            Ok(text(&status, "remains") == "50")
        })?;
        gateway.finish()
    })
}

#[test]
fn many_orders_are_asked_for_at_once() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let alpha = gateway.upstream("alpha")?;
        let links: Vec<String> = (0..5).map(|n| format!("https://example.com/many/{n}")).collect();
        let ids: Vec<i64> = links.iter().map(|link| gateway.place(link, 100)).collect::<Result<_>>()?;
        for (link, id) in links.iter().zip(&ids) {
            gateway.wait_attempt(*id, "accepted")?;
            alpha.say(link, "Completed", None)?;
            gateway.wait_status(*id, "Completed")?;
        }
        let asked = format!("{},{},999999", ids[0], ids[4]);
        for action in ["status", "multiStatus"] {
            let (status, answer) = gateway.panel(&[("action", action), ("orders", &asked)])?;
            assert_eq!(status, 200);
            assert_eq!(fields(&answer).len(), 3, "{answer}");
            assert_eq!(answer[ids[4].to_string()]["status"], "Completed", "{answer}");
            assert_eq!(answer["999999"], json!({"error": "Incorrect order ID"}), "{answer}");
        }
        let hundred_and_one = (1..=101).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(gateway.panel(&[("action", "status"), ("orders", &hundred_and_one)])?.0, 400);
        let (status, answer) = gateway.panel(&[("action", "status"), ("order", "999999")])?;
        assert_eq!((status, answer), (404, json!({"error": "Incorrect order ID"})));
        gateway.finish()
    })
}

#[test]
fn a_cancel_is_passed_on_and_money_moves_when_it_is_confirmed() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (alpha, link) = (gateway.upstream("alpha")?, "https://example.com/regret");
        let id = gateway.place(link, 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        let (status, answer) = gateway.panel(&[("action", "cancel"), ("order", &id.to_string())])?;
        assert_eq!((status, answer), (200, json!({"status": "success"})));
        let ended = gateway.wait_status(id, "Canceled")?;
        assert_eq!((text(&ended, "charge"), text(&ended, "remains")), ("0", "1000"));
        assert_eq!((alpha.order(link)?.status.as_str(), gateway.balance()?.as_str()), ("Canceled", "100"));

        let list = format!("{id},999999");
        let (status, answer) = gateway.panel(&[("action", "cancel"), ("orders", &list)])?;
        assert_eq!(status, 200);
        assert_eq!(answer[1], json!({"order": 999_999, "error": "Incorrect order ID"}));
        assert_eq!(gateway.panel(&[("action", "cancel"), ("order", "999999")])?.0, 404);
        gateway.finish()
    })
}

#[test]
fn what_cannot_be_canceled_is_refused_when_it_is_asked_for() -> Result<()> {
    on_both(|engine| {
        let fixed = UpstreamSetup::new("alpha", "0.90").uncancelable();
        let gateway = Gateway::start(engine, &Setup::of([fixed]))?;
        let id = gateway.place("https://example.com/fixed", 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        let (status, answer) = gateway.panel(&[("action", "cancel"), ("order", &id.to_string())])?;
        assert_eq!((status, answer), (400, json!({"error": "Service doesn't support cancel"})));
        assert_eq!(gateway.upstream("alpha")?.calls("cancel"), 0);
        gateway.wait_status(id, "Pending")?;
        gateway.finish()
    })
}

#[test]
fn a_claim_is_settled_by_the_balance_that_shows_it() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (alpha, link) = (gateway.upstream("alpha")?, "https://example.com/claim");
        let id = gateway.place(link, 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        // The balance cannot be read while the refund happens, so the claim can be seen.
        alpha.meet("balance", FaultKind::Html, 0, 0);
        alpha.say(link, "Canceled", None)?;
        gateway.wait_status(id, "Canceled")?;
        let claims = |expected: &str| -> Result<bool> {
            let upstreams = gateway.json(&["upstream", "list"])?;
            Ok(text(entry(&upstreams, "id", "alpha")?, "claims") == expected)
        };
        assert!(claims("0.9")?);
        assert_eq!(gateway.ledger("assets:upstream:alpha:USD")?, "499.1");
        alpha.heal();
        wait_until("the claim to be settled", || claims("0"))?;
        assert_eq!(gateway.ledger("assets:upstream:alpha:USD")?, "500");
        assert_eq!(gateway.ledger("expenses:cogs:alpha:USD")?, "0");
        gateway.finish()
    })
}

#[test]
fn a_charge_that_drifts_is_booked_as_variance() -> Result<()> {
    on_both(|engine| {
        let setup = Setup::of([UpstreamSetup::new("alpha", "0.90").charges(ChargeAfterPartial::Gross)]);
        let gateway = Gateway::start(engine, &setup)?;
        let alpha = gateway.upstream("alpha")?;
        alpha.fail(FaultKind::ChargeDrift, 1);
        let link = "https://example.com/drift";
        let id = gateway.place(link, 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        wait_until("the drift to be booked", || Ok(gateway.ledger("assets:wip:alpha:USD")? == "0.94185"))?;
        // The example of the ledger's design.
        alpha.say(link, "Partial", Some(157))?;
        let ended = gateway.wait_status(id, "Partial")?;
        assert_eq!((text(&ended, "charge"), text(&ended, "remains")), ("2.1075", "157"));
        wait_until("the refund to be shown", || Ok(gateway.ledger("assets:claims:alpha:USD")? == "0"))?;
        for (account, balance) in [
            ("income:sales:USD", "-2.1075"),
            ("expenses:cogs:alpha:USD", "0.7587"),
            ("expenses:cogs_variance:alpha:USD", "0.03528"),
            ("assets:upstream:alpha:USD", "499.20602"),
        ] {
            assert_eq!(gateway.ledger(account)?, balance, "{account}");
        }
        assert_eq!(gateway.balance()?, "97.8925");
        gateway.finish()
    })
}
