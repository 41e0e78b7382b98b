//! A submission without a readable verdict: nothing is sent again anywhere, the money stays in sight, a person is told.

use acceptance::{Gateway, Setup, on_both, sandbox::FaultKind, wait_until};
use anyhow::Result;
use serde_json::json;

use crate::support::{case_about, case_of, entry, text};

/// Each fault without a readable verdict, and whether the upstream took the order all the same.
const SILENCES: [(FaultKind, bool); 7] = [
    (FaultKind::TakeAndDrop, true),
    (FaultKind::TakeAndHang, true),
    (FaultKind::TakeAnd502, true),
    (FaultKind::WrongId, true),
    (FaultKind::Html, false),
    (FaultKind::Empty, false),
    (FaultKind::UnknownError, false),
];

#[test]
fn no_readable_verdict_is_unknown_and_stays_where_it_is() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
        for (kind, taken) in SILENCES {
            alpha.fail(kind, 1);
            let link = format!("https://example.com/{}", kind.name());
            let id = gateway.place(&link, 1000)?;
            let order = gateway.wait_attempt(id, "unknown")?;
            assert_eq!(order["attempts"].as_array().map(Vec::len), Some(1), "{kind:?}: {order}");
            assert_eq!(alpha.order(&link).is_ok(), taken, "{kind:?}");

            let (_, status) = gateway.panel(&[("action", "status"), ("order", &id.to_string())])?;
            assert_eq!((text(&status, "status"), text(&status, "charge")), ("Pending", "2.5"), "{kind:?}");
            let cases = gateway.json(&["review", "list"])?;
            let case = case_about(&cases, id)?;
            assert_eq!((text(case, "upstream"), text(case, "amount")), ("alpha", "0.9"), "{kind:?}: {case}");
        }
        assert!(beta.orders().is_empty());
        assert_eq!(gateway.ledger("assets:committed:alpha:USD")?, "6.3");
        let upstreams = gateway.json(&["upstream", "list"])?;
        let listed = entry(&upstreams, "id", "alpha")?;
        assert_eq!((&listed["unknown_count"], text(listed, "committed")), (&json!(7), "6.3"));
        // One submission each, and no second one however long it is looked at.
        let rounds = alpha.calls("balance");
        wait_until("a few more rounds of work", || Ok(alpha.calls("balance") > rounds + 5))?;
        assert_eq!(alpha.calls("add"), SILENCES.len());
        gateway.finish()
    })
}

#[test]
fn a_connection_that_closes_unread_is_unknown_too() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
        // It meets connections and not actions, and it closes late enough for the whole order to be written.
        alpha.meet("*", FaultKind::DropBeforeReading, 0, 500);
        let id = gateway.place("https://example.com/unread", 1000)?;
        gateway.wait_attempt(id, "unknown")?;
        alpha.heal();
        gateway.wait_status(id, "Pending")?;
        assert!(alpha.orders().is_empty() && beta.orders().is_empty());
        gateway.finish()
    })
}

#[test]
fn too_many_unknowns_close_an_upstream_for_new_orders() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two().setting("DISPATCH__UNKNOWN_MAX_COUNT", "1"))?;
        let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
        alpha.fail(FaultKind::TakeAndDrop, 1);
        let lost = gateway.place("https://example.com/lost", 1000)?;
        gateway.wait_attempt(lost, "unknown")?;

        let plan = gateway.json(&["route", "explain", "--service", "101", "--quantity", "1000"])?;
        let passed = entry(&plan["candidates"], "upstream", "alpha")?;
        assert_eq!(passed["taken"], false, "{passed}");
        assert!(text(passed, "reason").contains("unknown"), "{passed}");
        let next = gateway.place("https://example.com/next", 1000)?;
        gateway.wait_attempt(next, "accepted")?;
        assert_eq!(beta.orders().len(), 1);
        let upstreams = gateway.json(&["upstream", "list"])?;
        assert!(!text(entry(&upstreams, "id", "alpha")?, "reason").is_empty(), "{upstreams}");

        // Resolved, it takes orders again.
        let made = alpha.order("https://example.com/lost")?.id;
        gateway.done(&["review", "resolve", &case_of(&gateway, lost)?, "--delivered", &made])?;
        let mut count = 0;
        wait_until("alpha to take orders again", || {
            count += 1;
            gateway.place(&format!("https://example.com/again/{count}"), 100)?;
            Ok(alpha.orders().len() > 1)
        })?;
        gateway.finish()
    })
}

#[test]
fn an_order_id_that_is_already_ours_is_a_contradiction() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
        let first = gateway.place("https://example.com/first", 1000)?;
        gateway.wait_attempt(first, "accepted")?;
        alpha.fail(FaultKind::DuplicateId, 1);
        let second = gateway.place("https://example.com/second", 1000)?;
        wait_until("a case about the second order", || Ok(case_of(&gateway, second).is_ok()))?;

        let order = gateway.order(second)?;
        assert_ne!(order["attempts"][0]["state"], "accepted", "{order}");
        gateway.wait_status(second, "Pending")?;
        assert!(beta.orders().is_empty());
        assert_eq!(alpha.orders().len(), 1);
        let kept = gateway.order(first)?;
        assert_eq!(kept["upstream_order"], alpha.orders()[0].id);
        assert_eq!(kept["attempts"][0]["state"], "accepted", "{kept}");
        gateway.finish()
    })
}

#[test]
fn past_its_deadline_the_customer_is_refunded_if_the_policy_says_so() -> Result<()> {
    on_both(|engine| {
        let setup =
            Setup::two().setting("DISPATCH__UNKNOWN_DEADLINE_S", "1").setting("DISPATCH__UNKNOWN_POLICY", "refund");
        let gateway = Gateway::start(engine, &setup)?;
        gateway.upstream("alpha")?.fail(FaultKind::TakeAndDrop, 1);
        let id = gateway.place("https://example.com/overdue", 1000)?;
        gateway.wait_attempt(id, "disputed")?;
        gateway.wait_status(id, "Canceled")?;
        assert_eq!(gateway.balance()?, "100");
        assert_eq!(gateway.ledger("assets:committed:alpha:USD")?, "0");
        assert_eq!(gateway.ledger("assets:disputed:alpha:USD")?, "0.9");

        // A person finds that it was taken after all: the order stays Canceled, and the loss is ours.
        // (Completed there, so that no cancel brings the money back.)
        let alpha = gateway.upstream("alpha")?;
        alpha.say("https://example.com/overdue", "Completed", None)?;
        let made = alpha.order("https://example.com/overdue")?.id;
        gateway.done(&["review", "resolve", &case_of(&gateway, id)?, "--delivered", &made])?;
        gateway.wait_attempt(id, "settled")?;
        gateway.wait_status(id, "Canceled")?;
        assert_eq!(gateway.ledger("assets:disputed:alpha:USD")?, "0");
        assert_eq!(gateway.ledger("expenses:loss:alpha:USD")?, "0.9");
        assert!(gateway.upstream("beta")?.orders().is_empty());
        gateway.finish()
    })
}
