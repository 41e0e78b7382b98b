//! The next upstream is tried when, and only when, the one before certainly did not take the order.

use acceptance::{Gateway, Setup, UpstreamSetup, on_both, sandbox::FaultKind};
use anyhow::Result;
use serde_json::{Value, json};

use crate::support::{entry, journey, text};

#[test]
fn a_refusal_leads_to_the_next_upstream() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
        for kind in [FaultKind::Refusal, FaultKind::RefusalUnder502, FaultKind::NoFunds, FaultKind::BadLink] {
            alpha.fail(kind, 1);
            let link = format!("https://example.com/{}", kind.name());
            let id = gateway.place(&link, 1000)?;
            let order = gateway.wait_attempt(id, "accepted")?;
            assert_eq!(journey(&order), [("alpha", "released"), ("beta", "accepted")], "{kind:?}");
            assert_eq!(beta.order(&link)?.charge, "1.2", "{kind:?}");
        }
        assert!(alpha.orders().is_empty());
        assert_eq!(gateway.ledger("assets:committed:alpha:USD")?, "0");
        assert_eq!(gateway.ledger("assets:upstream:alpha:USD")?, "500");
        assert_eq!(gateway.json(&["review", "list"])?, json!([]));
        gateway.finish()
    })
}

#[test]
fn an_upstream_that_cannot_be_reached_was_not_sent_the_order() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
        alpha.fail(FaultKind::RefuseConnection, 0);
        let link = "https://example.com/closed";
        let id = gateway.place(link, 1000)?;
        let order = gateway.wait_attempt(id, "accepted")?;
        assert_eq!(journey(&order), [("alpha", "released"), ("beta", "accepted")]);
        assert_eq!(beta.order(link)?.quantity, 1000);
        assert!(alpha.orders().is_empty());
        gateway.finish()
    })
}

#[test]
fn an_order_that_everybody_refuses_is_refunded_at_once() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        for id in ["alpha", "beta"] {
            gateway.upstream(id)?.fail(FaultKind::Refusal, 1);
        }
        let (status, body) = gateway.add("https://example.com/unwanted", 1000)?;
        assert_eq!((status, body), (502, json!({"error": "No upstream can take this order now"})));
        assert_eq!(gateway.balance()?, "100");

        let orders = gateway.json(&["order", "list", "--status", "Canceled"])?;
        let order = entry(&orders, "target", "https://example.com/unwanted")?;
        assert_eq!((text(order, "charge"), text(order, "refund")), ("2.5", "2.5"));
        assert_eq!(gateway.ledger("liabilities:orders:USD")?, "0");
        gateway.finish()
    })
}

#[test]
fn a_dearer_upstream_is_not_tried_at_a_loss() -> Result<()> {
    on_both(|engine| {
        let setup = Setup::of([UpstreamSetup::new("alpha", "0.90"), UpstreamSetup::new("beta", "2.60")]);
        let gateway = Gateway::start(engine, &setup)?;
        gateway.upstream("alpha")?.fail(FaultKind::Refusal, 1);
        assert_eq!(gateway.add("https://example.com/loss", 1000)?.0, 502);
        assert_eq!(gateway.balance()?, "100");
        assert!(gateway.upstream("beta")?.orders().is_empty());
        gateway.finish()
    })
}

#[test]
fn a_busy_upstream_gets_the_order_later() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
        for kind in [FaultKind::TooManyRequests, FaultKind::ActiveOrder] {
            alpha.fail(kind, 1);
            let before = alpha.calls("add");
            let link = format!("https://example.com/{}", kind.name());
            let id = gateway.place(&link, 1000)?;
            let order = gateway.wait_attempt(id, "accepted")?;
            // The send ended, not the attempt.
            assert_eq!(journey(&order), [("alpha", "accepted")], "{kind:?}");
            assert_eq!(alpha.order(&link)?.quantity, 1000, "{kind:?}");
            assert_eq!(alpha.calls("add") - before, 2, "{kind:?}");
        }
        assert!(beta.orders().is_empty());
        gateway.finish()
    })
}

#[test]
fn the_plan_can_be_read_before_and_after() -> Result<()> {
    on_both(|engine| {
        let third = UpstreamSetup::new("gamma", "0.80").max(500);
        let setup = Setup::of([UpstreamSetup::new("beta", "1.20"), UpstreamSetup::new("alpha", "0.90"), third]);
        let gateway = Gateway::start(engine, &setup)?;
        let plan = gateway.json(&["route", "explain", "--service", "101", "--quantity", "1000"])?;
        let ranked = |id: &str| -> Result<Value> {
            let candidate = entry(&plan["candidates"], "upstream", id)?;
            Ok(json!([candidate["rank"], candidate["taken"], candidate["cost"], candidate["cost_base"]]))
        };
        assert_eq!(ranked("alpha")?, json!([1, true, "0.9", "0.9"]));
        // One is taken; who else could take it says when.
        assert_eq!(ranked("beta")?, json!([2, false, "1.2", "1.2"]));
        let reason = |id: &str| entry(&plan["candidates"], "upstream", id).map(|one| text(one, "reason").to_owned());
        assert!(reason("alpha")?.starts_with("takes it") && reason("beta")?.contains("rank 2"), "{plan}");
        let gamma = entry(&plan["candidates"], "upstream", "gamma")?;
        assert_eq!((&gamma["rank"], &gamma["taken"]), (&Value::Null, &json!(false)));
        assert!(text(gamma, "reason").contains("500"), "{gamma}");

        let id = gateway.place("https://example.com/planned", 1000)?;
        let order = gateway.wait_attempt(id, "accepted")?;
        let kept = order["plan"].to_string();
        assert!(["alpha", "beta", "gamma"].iter().all(|id| kept.contains(id)), "{kept}");
        gateway.finish()
    })
}
