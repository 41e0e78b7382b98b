//! Two upstreams and two customers in two currencies: compared, charged and booked at the rates of the currency table.

use acceptance::{ACCOUNT, Gateway, Setup, UpstreamSetup, form, on_both};
use anyhow::{Context, Result};
use serde_json::json;

use crate::support::{entry, text};

/// `alpha` at 1.00 USD; `beta` at 0.90 EUR, which is 0.99 USD; a customer for each currency.
fn setup() -> Setup {
    let beta = UpstreamSetup::new("beta", "0.90").currency("EUR");
    Setup::of([UpstreamSetup::new("alpha", "1.00"), beta])
        .more("\n[[account]]\nid = \"panel-e\"\ncurrency = \"EUR\"\n\n[[currency]]\ncode = \"EUR\"\nrate = \"1.10\"\n")
}

#[test]
fn the_cheapest_is_the_cheapest_in_the_base_currency() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        let plan =
            gateway.json(&["route", "explain", "--service", "101", "--quantity", "1000", "--account", ACCOUNT])?;
        let beta = entry(&plan["candidates"], "upstream", "beta")?;
        assert_eq!((&beta["rank"], text(beta, "cost"), text(beta, "currency")), (&json!(1), "0.9", "EUR"));
        assert_eq!(text(beta, "cost_base"), "0.99");

        let link = "https://example.com/euro";
        let id = gateway.place(link, 1000)?;
        let order = gateway.wait_attempt(id, "accepted")?;
        let attempt = &order["attempts"][0];
        assert_eq!(
            (text(attempt, "upstream"), text(attempt, "reserve"), text(attempt, "currency")),
            ("beta", "0.9", "EUR")
        );
        assert_eq!(gateway.ledger("assets:wip:beta:EUR")?, "0.9");

        gateway.upstream("beta")?.say(link, "Completed", None)?;
        gateway.wait_status(id, "Completed")?;
        for (account, balance) in [
            ("assets:wip:beta:EUR", "0"),
            ("equity:fx:EUR", "0.9"),
            ("equity:fx:USD", "-0.99"),
            ("expenses:cogs:beta:USD", "0.99"),
            ("income:sales:USD", "-2.5"),
            ("assets:upstream:beta:EUR", "499.1"),
        ] {
            assert_eq!(gateway.ledger(account)?, balance, "{account}");
        }
        gateway.finish()
    })
}

#[test]
fn a_customer_is_listed_and_charged_in_its_own_currency() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::prepare(engine, &setup())?;
        gateway.done(&["account", "deposit", "panel-e", "10", "--reference", "euros"])?;
        let key = gateway.done(&["key", "create", "panel-e"])?;
        gateway.serve()?;
        let call = |pairs: &[(&str, &str)]| {
            let bearer = format!("Bearer {}", key.trim());
            let form_type = ("content-type", "application/x-www-form-urlencoded");
            gateway.http("POST", "/api/v2", &[form_type, ("authorization", &bearer)], &form(pairs))?.json()
        };
        // 2.50 / 1.10, rounded once to six places; what is listed is what is charged.
        assert_eq!(call(&[("action", "services")])?[0]["rate"], "2.272727");
        let link = "https://example.com/franc";
        let added = call(&[("action", "add"), ("service", "101"), ("link", link), ("quantity", "1000")])?;
        let id = added["order"].as_i64().with_context(|| format!("{added}"))?;
        assert_eq!(call(&[("action", "balance")])?, json!({"balance": "7.727273", "currency": "EUR"}));
        gateway.wait_attempt(id, "accepted")?;
        gateway.upstream("beta")?.say(link, "Partial", Some(500))?;
        gateway.wait_attempt(id, "ended")?;
        // floor(2.272727 / 2) comes back.
        let status = call(&[("action", "status"), ("order", &id.to_string())])?;
        assert_eq!((text(&status, "charge"), text(&status, "currency")), ("1.136364", "EUR"));
        assert_eq!(call(&[("action", "balance")])?, json!({"balance": "8.863636", "currency": "EUR"}));
        gateway.finish()
    })
}

#[test]
fn a_currency_without_a_rate_takes_no_order() -> Result<()> {
    on_both(|engine| {
        let franc = UpstreamSetup::new("beta", "0.10").currency("CHF");
        let gateway = Gateway::start(engine, &Setup::of([UpstreamSetup::new("alpha", "1.00"), franc]))?;
        let id = gateway.place("https://example.com/chf", 1000)?;
        let order = gateway.wait_attempt(id, "accepted")?;
        assert_eq!(order["upstream"], "alpha");
        gateway.finish()
    })
}
