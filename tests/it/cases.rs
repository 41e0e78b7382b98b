//! The cases that a machine must not decide: shown with their evidence, and closed by a person in three ways.

use acceptance::{Gateway, Setup, on_both, sandbox::FaultKind, wait_until};
use anyhow::Result;
use serde_json::json;

use crate::support::{case_about, case_of, entry, text};

const LINK: &str = "https://example.com/case";

/// A gateway with one unknown submission at `alpha`; the order's id.
fn with_unknown(gateway: &Gateway, kind: FaultKind) -> Result<i64> {
    gateway.upstream("alpha")?.fail(kind, 1);
    let id = gateway.place(LINK, 1000)?;
    gateway.wait_attempt(id, "unknown")?;
    Ok(id)
}

#[test]
fn a_case_shows_what_is_known() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let id = with_unknown(&gateway, FaultKind::TakeAnd502)?;
        let cases = gateway.json(&["review", "list"])?;
        let case = case_about(&cases, id)?;
        for (field, value) in [
            ("kind", json!("unknown")),
            ("status", json!("open")),
            ("upstream", json!("alpha")),
            ("amount", json!("0.9")),
            ("currency", json!("USD")),
            ("attempt", gateway.order(id)?["attempts"][0]["id"].clone()),
        ] {
            assert_eq!(case[field], value, "{field} of {case}");
        }
        assert!(case["age_s"].is_number() && !text(case, "opened_at").is_empty(), "{case}");
        let shown = gateway.json(&["review", "show", &case_of(&gateway, id)?])?;
        assert_eq!(shown["order"], id);
        assert!(shown["evidence"].to_string().contains("502"), "{shown}");
        assert_eq!(gateway.cli(&["review", "show", "999999"])?.code, 1);
        gateway.finish()
    })
}

#[test]
fn a_delivered_order_is_adopted_and_followed() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let alpha = gateway.upstream("alpha")?;
        let id = with_unknown(&gateway, FaultKind::TakeAndDrop)?;
        let made = alpha.order(LINK)?.id;
        let case = case_of(&gateway, id)?;
        gateway.done(&["review", "resolve", &case, "--delivered", &made])?;
        let order = gateway.wait_attempt(id, "accepted")?;
        assert_eq!((text(&order, "upstream"), text(&order, "upstream_order")), ("alpha", made.as_str()));
        alpha.say(LINK, "Completed", None)?;
        gateway.wait_status(id, "Completed")?;
        assert_eq!(gateway.ledger("assets:committed:alpha:USD")?, "0");

        // Resolved once, it stays as it is.
        assert_eq!(gateway.cli(&["review", "resolve", &case, "--write-off"])?.code, 1);
        gateway.wait_status(id, "Completed")?;
        assert!(gateway.upstream("beta")?.orders().is_empty());
        gateway.finish()
    })
}

#[test]
fn an_order_id_of_another_order_is_not_taken_for_this_one() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let first = gateway.place("https://example.com/other", 1000)?;
        gateway.wait_attempt(first, "accepted")?;
        let other = gateway.upstream("alpha")?.order("https://example.com/other")?.id;
        let id = with_unknown(&gateway, FaultKind::TakeAndDrop)?;
        let case = case_of(&gateway, id)?;
        let refused = gateway.cli(&["review", "resolve", &case, "--delivered", &other])?;
        assert_eq!(refused.code, 1, "{refused:?}");
        gateway.wait_attempt(id, "unknown")?;
        gateway.finish()
    })
}

#[test]
fn an_order_that_was_not_delivered_goes_to_the_next_upstream() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let id = with_unknown(&gateway, FaultKind::Html)?;
        let case = case_of(&gateway, id)?;
        // Only after the lease of the submission: until then an answer may still come.
        wait_until("the lease to end", || {
            let output = gateway.cli(&["review", "resolve", &case, "--not-delivered"])?;
            assert!([0, 1].contains(&output.code), "{output:?}");
            Ok(output.code == 0)
        })?;
        let order = gateway.wait_attempt(id, "accepted")?;
        assert_eq!(order["attempts"][0]["state"], "released", "{order}");
        assert_eq!(order["upstream"], "beta");
        assert_eq!(gateway.upstream("beta")?.order(LINK)?.quantity, 1000);
        assert_eq!(gateway.ledger("assets:committed:alpha:USD")?, "0");
        gateway.finish()
    })
}

#[test]
fn not_delivered_is_not_believed_before_it_is_quiet() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two().setting("DISPATCH__QUIET_S", "600"))?;
        let id = with_unknown(&gateway, FaultKind::Html)?;
        let case = case_of(&gateway, id)?;
        let refused = gateway.cli(&["review", "resolve", &case, "--not-delivered"])?;
        assert_eq!(refused.code, 1, "{refused:?}");
        // It says from when, as RFC 3339 writes it.
        let mut words = refused.stderr.split(|c: char| !(c.is_ascii_alphanumeric() || "-:.".contains(c)));
        assert!(words.any(|word| word.len() >= 20 && word.get(10..11) == Some("T")), "{refused:?}");
        gateway.wait_attempt(id, "unknown")?;
        assert!(gateway.upstream("beta")?.orders().is_empty());
        gateway.finish()
    })
}

#[test]
fn a_written_off_order_is_refunded_and_the_loss_is_ours() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let id = with_unknown(&gateway, FaultKind::TakeAndDrop)?;
        gateway.done(&["review", "resolve", &case_of(&gateway, id)?, "--write-off"])?;
        gateway.wait_attempt(id, "settled")?;
        gateway.wait_status(id, "Canceled")?;
        assert_eq!(gateway.balance()?, "100");
        for (account, balance) in [
            ("assets:committed:alpha:USD", "0"),
            ("expenses:loss:alpha:USD", "0.9"),
            ("liabilities:orders:USD", "0"),
            ("income:sales:USD", "0"),
        ] {
            assert_eq!(gateway.ledger(account)?, balance, "{account}");
        }
        assert!(gateway.upstream("beta")?.orders().is_empty());
        gateway.finish()
    })
}

#[test]
fn a_cancel_of_an_unknown_order_waits_until_it_is_known() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let alpha = gateway.upstream("alpha")?;
        let id = with_unknown(&gateway, FaultKind::TakeAndDrop)?;
        let (status, answer) = gateway.panel(&[("action", "cancel"), ("order", &id.to_string())])?;
        assert_eq!((status, answer), (200, json!({"status": "success"})));
        gateway.wait_status(id, "Pending")?;
        assert_eq!(alpha.calls("cancel"), 0);

        let made = alpha.order(LINK)?.id;
        gateway.done(&["review", "resolve", &case_of(&gateway, id)?, "--delivered", &made])?;
        gateway.wait_status(id, "Canceled")?;
        assert_eq!(alpha.order(LINK)?.status, "Canceled");
        assert_eq!(gateway.balance()?, "100");
        let upstreams = gateway.json(&["upstream", "list"])?;
        assert_eq!(entry(&upstreams, "id", "alpha")?["unknown_count"], 0);
        gateway.finish()
    })
}
