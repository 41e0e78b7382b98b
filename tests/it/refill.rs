//! Refills: asked for at most once, followed to their end, and decided by a person where nobody else can tell.

use std::fs;

use acceptance::{Gateway, Setup, UpstreamSetup, form, on_both, sandbox::FaultKind, wait_until};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::support::{case_about, case_of, has, text};

const LINK: &str = "https://example.com/refill";

/// Each fault without a readable verdict, and whether the upstream took the refill all the same.
const SILENCES: [(FaultKind, bool); 6] = [
    (FaultKind::TakeAndDrop, true),
    (FaultKind::TakeAndHang, true),
    (FaultKind::TakeAnd502, true),
    (FaultKind::Html, false),
    (FaultKind::Empty, false),
    (FaultKind::UnknownError, false),
];

/// One upstream that refills, and a gateway that answers when the verdict is booked.
fn setup() -> Setup {
    Setup::of([UpstreamSetup::new("alpha", "0.90").refill()]).setting("PANEL__DISPATCH_WAIT_MS", "10000")
}

/// An order for `link` that `alpha` has completed.
fn completed(gateway: &Gateway, link: &str) -> Result<i64> {
    let order = gateway.place(link, 1000)?;
    gateway.wait_attempt(order, "accepted")?;
    gateway.upstream("alpha")?.say(link, "Completed", None)?;
    gateway.wait_status(order, "Completed")?;
    Ok(order)
}

/// Asks for a refill of an order.
fn ask(gateway: &Gateway, order: i64) -> Result<(u16, Value)> {
    gateway.panel(&[("action", "refill"), ("order", &order.to_string())])
}

/// Asks for a refill that must be taken; its id, which is a text.
fn refill(gateway: &Gateway, order: i64) -> Result<String> {
    let (status, answer) = ask(gateway, order)?;
    ensure!(status == 200, "refill: {status} {answer}");
    has(&answer, "refill");
    Ok(answer["refill"].as_str().with_context(|| format!("no text in {answer}"))?.to_owned())
}

/// What the panel face says of a refill.
fn told(gateway: &Gateway, refill: &str) -> Result<String> {
    let (status, answer) = gateway.panel(&[("action", "refill_status"), ("refill", refill)])?;
    ensure!(status == 200, "refill_status: {status} {answer}");
    has(&answer, "status");
    Ok(text(&answer, "status").to_owned())
}

fn wait_told(gateway: &Gateway, refill: &str, word: &str) -> Result<()> {
    wait_until(&format!("refill {refill} to be {word}"), || Ok(told(gateway, refill)? == word))
}

fn not_eligible() -> (u16, Value) {
    (400, json!({"error": "Order not eligible for refill"}))
}

/// The order cannot be refilled now, and may be later.
fn later(gateway: &Gateway, order: i64) -> Result<()> {
    let reply = gateway.post(&[("action", "refill"), ("order", &order.to_string())])?;
    assert_eq!((reply.status, reply.error()?.as_str()), (503, "Try again later"));
    assert!(reply.retry_after.is_some(), "{reply:?}");
    Ok(())
}

#[test]
fn a_refill_is_followed_to_its_end() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        let alpha = gateway.upstream("alpha")?;
        let order = completed(&gateway, LINK)?;
        let first = refill(&gateway, order)?;
        assert_eq!(told(&gateway, &first)?, "Pending");
        assert_eq!(alpha.refills(LINK)?.len(), 1);
        for word in ["In progress", "Completed"] {
            alpha.say_of_refill(LINK, word)?;
            wait_told(&gateway, &first, word)?;
        }

        // Another one, now by the lists, in which ids are numbers.
        let orders = format!("{order},999999");
        let (status, answer) = gateway.panel(&[("action", "refill"), ("orders", &orders)])?;
        let second = answer[0]["refill"].as_i64().with_context(|| format!("no number in {answer}"))?;
        let wanted =
            json!([{"order": order, "refill": second}, {"order": 999_999, "refill": {"error": "Incorrect order ID"}}]);
        assert_eq!((status, answer), (200, wanted));
        alpha.say_of_refill(LINK, "Rejected")?;
        wait_told(&gateway, &second.to_string(), "Rejected")?;
        let refills = format!("{first},{second},999999");
        let (status, answer) = gateway.panel(&[("action", "refill_status"), ("refills", &refills)])?;
        let wanted = json!([
            {"refill": first.parse::<i64>()?, "status": "Completed"},
            {"refill": second, "status": "Rejected"},
            {"refill": 999_999, "status": {"error": "Refill not found"}},
        ]);
        assert_eq!((status, answer), (200, wanted));

        // The order itself is as it was, and a refill that the upstream does not charge costs nothing.
        let shown = gateway.wait_status(order, "Completed")?;
        assert_eq!((text(&shown, "charge"), text(&shown, "remains")), ("2.5", "0"));
        assert_eq!(gateway.ledger("expenses:cogs_refill:alpha:USD")?, "0");
        assert_eq!(gateway.ledger("assets:upstream:alpha:USD")?, "499.1");
        assert_eq!(gateway.json(&["review", "list"])?, json!([]));
        gateway.finish()
    })
}

#[test]
fn only_a_completed_order_is_refilled() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        let alpha = gateway.upstream("alpha")?;
        for (word, remains) in
            [("Pending", None), ("In progress", Some(400)), ("Partial", Some(400)), ("Canceled", None)]
        {
            let link = format!("https://example.com/{}", word.replace(' ', "-"));
            let order = gateway.place(&link, 1000)?;
            gateway.wait_attempt(order, "accepted")?;
            alpha.say(&link, word, remains)?;
            gateway.wait_status(order, word)?;
            assert_eq!(ask(&gateway, order)?, not_eligible(), "{word}");
        }
        assert_eq!(alpha.calls("refill"), 0);
        gateway.finish()
    })
}

#[test]
fn what_is_not_refilled_is_refused_without_asking() -> Result<()> {
    on_both(|engine| {
        // Its upstream would, but our service does not offer it.
        let mut ours = Gateway::prepare(engine, &setup())?;
        let file = fs::read_to_string(ours.folder().join("catalogue.toml"))?;
        ours.write("without.toml", &file.replace("refill = true\n", ""))?;
        ours.done(&["apply", "without.toml"])?;
        ours.serve()?;
        // Our service offers it, but the upstream that had the order does not.
        let upstreams = [UpstreamSetup::new("alpha", "0.90"), UpstreamSetup::new("beta", "1.20").refill()];
        let theirs = Gateway::start(engine, &Setup::of(upstreams))?;
        for (what, gateway) in [("ours", ours), ("theirs", theirs)] {
            let order = completed(&gateway, LINK)?;
            assert_eq!(ask(&gateway, order)?, not_eligible(), "{what}");
            assert_eq!(gateway.upstream("alpha")?.calls("refill"), 0, "{what}");
            gateway.finish()?;
        }
        Ok(())
    })
}

#[test]
fn an_order_has_one_refill_at_a_time() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        let alpha = gateway.upstream("alpha")?;
        let order = completed(&gateway, LINK)?;
        let first = refill(&gateway, order)?;
        assert_eq!(ask(&gateway, order)?, not_eligible());
        alpha.say_of_refill(LINK, "In progress")?;
        wait_told(&gateway, &first, "In progress")?;
        assert_eq!(ask(&gateway, order)?, not_eligible());
        assert_eq!(alpha.calls("refill"), 1);

        alpha.say_of_refill(LINK, "Completed")?;
        wait_told(&gateway, &first, "Completed")?;
        assert_ne!(refill(&gateway, order)?, first);
        assert_eq!(alpha.refills(LINK)?.len(), 2);
        assert_eq!(told(&gateway, &first)?, "Completed");
        gateway.finish()
    })
}

#[test]
fn without_a_readable_verdict_a_refill_is_not_asked_for_again() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &setup())?;
        let link = |kind: FaultKind| format!("https://example.com/{}", kind.name());
        let mut asked = Vec::new();
        for (kind, taken) in SILENCES {
            let order = completed(&gateway, &link(kind))?;
            let alpha = gateway.upstream("alpha")?;
            alpha.meet("refill", kind, 1, 0);
            let id = refill(&gateway, order)?;
            assert_eq!(told(&gateway, &id)?, "Pending", "{kind:?}");
            let cases = gateway.json(&["review", "list"])?;
            let case = case_about(&cases, order)?;
            assert_eq!((text(case, "kind"), text(case, "upstream")), ("refill-unknown", "alpha"), "{kind:?}: {case}");
            assert_eq!(alpha.refills(&link(kind))?.len(), usize::from(taken), "{kind:?}");
            asked.push((order, id));
        }

        gateway.restart()?;
        let alpha = gateway.upstream("alpha")?;
        for (order, id) in asked {
            assert_eq!(told(&gateway, &id)?, "Pending");
            assert_eq!(ask(&gateway, order)?, not_eligible(), "it may be under way");
            case_of(&gateway, order)?;
        }
        let rounds = alpha.calls("balance");
        wait_until("a few rounds of work", || Ok(alpha.calls("balance") > rounds + 5))?;
        assert_eq!(alpha.calls("refill"), SILENCES.len());
        for (kind, taken) in SILENCES {
            assert_eq!(alpha.refills(&link(kind))?.len(), usize::from(taken), "{kind:?}");
        }
        gateway.finish()
    })
}

#[test]
fn a_refill_that_hangs_when_the_power_fails_is_not_asked_for_again() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &setup().setting("PANEL__DISPATCH_WAIT_MS", "100"))?;
        let order = completed(&gateway, LINK)?;
        gateway.upstream("alpha")?.meet("refill", FaultKind::TakeAndHang, 1, 0);
        let id = refill(&gateway, order)?;
        wait_until("alpha to have the refill", || Ok(gateway.upstream("alpha")?.refill(LINK).is_ok()))?;
        gateway.kill()?;

        gateway.serve()?;
        wait_until("a case", || Ok(case_of(&gateway, order).is_ok()))?;
        assert_eq!(told(&gateway, &id)?, "Pending");
        assert_eq!(ask(&gateway, order)?, not_eligible());
        assert_eq!(gateway.upstream("alpha")?.calls("refill"), 1);
        gateway.finish()
    })
}

#[test]
fn a_refill_that_a_person_found_is_followed() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        let alpha = gateway.upstream("alpha")?;
        let order = completed(&gateway, LINK)?;
        alpha.meet("refill", FaultKind::TakeAndDrop, 1, 0);
        let id = refill(&gateway, order)?;
        let (case, made) = (case_of(&gateway, order)?, alpha.refill(LINK)?.id);
        gateway.done(&["review", "resolve", &case, "--delivered", &made])?;
        assert_eq!(gateway.json(&["review", "list"])?, json!([]));
        for word in ["In progress", "Completed"] {
            alpha.say_of_refill(LINK, word)?;
            wait_told(&gateway, &id, word)?;
        }

        // Resolved once, it stays as it is.
        assert_eq!(gateway.cli(&["review", "resolve", &case, "--not-delivered"])?.code, 1);
        assert_eq!(told(&gateway, &id)?, "Completed");
        assert_eq!(alpha.calls("refill"), 1);
        gateway.finish()
    })
}

#[test]
fn a_refill_that_a_person_did_not_find_is_rejected_and_may_be_asked_for_again() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        let alpha = gateway.upstream("alpha")?;
        let order = completed(&gateway, LINK)?;
        alpha.meet("refill", FaultKind::Html, 1, 0);
        let id = refill(&gateway, order)?;
        let case = case_of(&gateway, order)?;
        wait_until("a person to be believed", || {
            let output = gateway.cli(&["review", "resolve", &case, "--not-delivered"])?;
            assert!([0, 1].contains(&output.code), "{output:?}");
            Ok(output.code == 0)
        })?;
        assert_eq!(told(&gateway, &id)?, "Rejected");
        assert_eq!(gateway.json(&["review", "list"])?, json!([]));

        let again = refill(&gateway, order)?;
        assert_ne!(again, id);
        assert_eq!((told(&gateway, &again)?.as_str(), alpha.refills(LINK)?.len()), ("Pending", 1));
        assert_eq!(told(&gateway, &id)?, "Rejected");
        gateway.finish()
    })
}

#[test]
fn what_a_refill_costs_is_booked_apart_while_it_is_open() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        let alpha = gateway.upstream("alpha")?;
        let order = completed(&gateway, LINK)?;
        let id = refill(&gateway, order)?;
        for (amount, cost) in [("0.2", "0.2"), ("0.05", "0.25")] {
            alpha.charge_refill(LINK, amount)?;
            wait_until("the charge to be booked", || Ok(gateway.ledger("expenses:cogs_refill:alpha:USD")? == cost))?;
        }
        alpha.say_of_refill(LINK, "Completed")?;
        wait_told(&gateway, &id, "Completed")?;
        // From now on a rise is the order's own again.
        alpha.charge(LINK, "1.2")?;
        wait_until("the late charge to be booked", || {
            Ok(gateway.ledger("expenses:cogs_variance:alpha:USD")? == "0.05")
        })?;
        for (account, balance) in [
            ("expenses:cogs_refill:alpha:USD", "0.25"),
            ("expenses:cogs:alpha:USD", "0.9"),
            ("assets:upstream:alpha:USD", "498.8"),
            ("income:sales:USD", "-2.5"),
        ] {
            assert_eq!(gateway.ledger(account)?, balance, "{account}");
        }
        let shown = gateway.order(order)?;
        let keys = shown["postings"].as_array().into_iter().flatten().map(|posting| text(posting, "key"));
        let of_refill: Vec<&str> = keys.filter(|key| key.starts_with("refill:")).collect();
        assert_eq!(of_refill, [format!("refill:{id}:charge:1"), format!("refill:{id}:charge:2")]);
        assert_eq!(gateway.balance()?, "97.5");
        gateway.finish()
    })
}

#[test]
fn a_refill_that_the_upstream_refuses_leaves_nothing_open() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        let alpha = gateway.upstream("alpha")?;
        let order = completed(&gateway, LINK)?;
        for kind in [FaultKind::Refusal, FaultKind::RefusalUnder502, FaultKind::NoFunds] {
            alpha.meet("refill", kind, 1, 0);
            assert_eq!(ask(&gateway, order)?, not_eligible(), "{kind:?}");
        }
        alpha.meet("refill", FaultKind::TooManyRequests, 1, 0);
        later(&gateway, order)?;
        assert!(alpha.refills(LINK)?.is_empty());
        assert_eq!(gateway.json(&["review", "list"])?, json!([]));

        let id = refill(&gateway, order)?;
        assert_eq!((told(&gateway, &id)?.as_str(), alpha.calls("refill")), ("Pending", 5));
        gateway.finish()
    })
}

#[test]
fn a_refill_that_was_not_sent_leaves_nothing_open() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &setup())?;
        let order = completed(&gateway, LINK)?;
        // A new server has no connection left over from the order.
        gateway.stop()?;
        gateway.upstream("alpha")?.meet("*", FaultKind::RefuseConnection, 0, 0);
        gateway.serve()?;
        later(&gateway, order)?;
        assert_eq!(gateway.json(&["review", "list"])?, json!([]));

        let alpha = gateway.upstream("alpha")?;
        alpha.heal();
        let id = refill(&gateway, order)?;
        assert_eq!((told(&gateway, &id)?.as_str(), alpha.refills(LINK)?.len()), ("Pending", 1));
        gateway.finish()
    })
}

#[test]
fn an_account_refills_its_own_orders_only() -> Result<()> {
    on_both(|engine| {
        let setup = setup().more("\n[[account]]\nid = \"panel-b\"\ncurrency = \"USD\"\n");
        let mut gateway = Gateway::prepare(engine, &setup)?;
        let stranger = gateway.done(&["key", "create", "panel-b"])?;
        gateway.serve()?;
        let alpha = gateway.upstream("alpha")?;
        let by_stranger = |action: &str, field: &str, id: &str| -> Result<(u16, Value)> {
            let body = form(&[("key", stranger.trim()), ("action", action), (field, id)]);
            let reply =
                gateway.http("POST", "/api/v2", &[("content-type", "application/x-www-form-urlencoded")], &body)?;
            Ok((reply.status, reply.json()?))
        };
        let order = completed(&gateway, LINK)?;
        let (no_order, no_refill) = (json!({"error": "Incorrect order ID"}), json!({"error": "Refill not found"}));
        assert_eq!(by_stranger("refill", "order", &order.to_string())?, (404, no_order.clone()));
        let listed = by_stranger("refill", "orders", &order.to_string())?;
        assert_eq!(listed, (200, json!([{"order": order, "refill": no_order}])));
        assert_eq!(alpha.calls("refill"), 0);

        let id = refill(&gateway, order)?;
        assert_eq!(by_stranger("refill_status", "refill", &id)?, (404, no_refill.clone()));
        let listed = by_stranger("refill_status", "refills", &id)?;
        assert_eq!(listed, (200, json!([{"refill": id.parse::<i64>()?, "status": no_refill}])));
        assert_eq!(told(&gateway, &id)?, "Pending");
        gateway.finish()
    })
}
