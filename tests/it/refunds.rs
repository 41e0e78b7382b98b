//! What was not delivered is paid back, once and to the micro-unit, whatever words the upstream has for it.

use acceptance::{Gateway, Setup, UpstreamSetup, on_both, sandbox::ChargeAfterPartial, wait_until};
use anyhow::Result;

use crate::support::{case_of, text};

/// What an upstream says of an order of 1000 for 2.50, and what the customer is told of it.
struct Ending {
    word: &'static str,
    remains: Option<i64>,
    status: &'static str,
    charge: &'static str,
    left: &'static str,
}

const fn ending(
    word: &'static str,
    remains: Option<i64>,
    status: &'static str,
    charge: &'static str,
    left: &'static str,
) -> Ending {
    Ending { word, remains, status, charge, left }
}

/// "Status words that move money".
const ENDINGS: [Ending; 14] = [
    ending("Completed", None, "Completed", "2.5", "0"),
    ending("complete", Some(40), "Completed", "2.5", "0"),
    ending("DONE", None, "Completed", "2.5", "0"),
    ending("Partial", Some(157), "Partial", "2.1075", "157"),
    ending("Partial", Some(1), "Partial", "2.4975", "1"),
    ending("Partial", Some(-5), "Completed", "2.5", "0"),
    ending("partial", Some(0), "Completed", "2.5", "0"),
    ending("Partial", Some(1000), "Canceled", "0", "1000"),
    ending("Partial", Some(5000), "Canceled", "0", "1000"),
    ending("Canceled", None, "Canceled", "0", "1000"),
    ending("canelled", Some(0), "Canceled", "0", "1000"),
    ending("Refunded", Some(300), "Partial", "1.75", "300"),
    ending("Failed", Some(1000), "Canceled", "0", "1000"),
    ending("re-jected", Some(1000), "Canceled", "0", "1000"),
];

#[test]
fn every_ending_refunds_what_remains() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let alpha = gateway.upstream("alpha")?;
        let mut refunded = 0;
        for (number, ending) in ENDINGS.iter().enumerate() {
            let link = format!("https://example.com/ending/{number}");
            let id = gateway.place(&link, 1000)?;
            gateway.wait_attempt(id, "accepted")?;
            alpha.say(&link, ending.word, ending.remains)?;
            let said = gateway.wait_status(id, ending.status)?;
            let told = format!("{} {:?}: {said}", ending.word, ending.remains);
            assert_eq!((text(&said, "charge"), text(&said, "remains")), (ending.charge, ending.left), "{told}");
            let order = gateway.order(id)?;
            let (charge, refund) = (micros(text(&order, "charge"))?, micros(text(&order, "refund"))?);
            assert_eq!(charge - refund, micros(ending.charge)?, "{told}");
            assert_eq!(order["attempts"][0]["state"], "ended", "{told}");
            refunded += refund;
        }
        let placed = i64::try_from(ENDINGS.len())? * 2_500_000;
        assert_eq!(micros(&gateway.balance()?)?, 100_000_000 - placed + refunded);
        assert_eq!(gateway.ledger("assets:wip:alpha:USD")?, "0");
        wait_until("every refund to be shown", || Ok(gateway.ledger("assets:claims:alpha:USD")? == "0"))?;
        gateway.finish()
    })
}

#[test]
fn words_that_do_not_say_what_to_refund_become_a_case() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let alpha = gateway.upstream("alpha")?;
        for (word, remains) in [("Failed", None), ("error", Some(300)), ("Partial", None)] {
            let link = format!("https://example.com/{word}");
            let id = gateway.place(&link, 1000)?;
            gateway.wait_attempt(id, "accepted")?;
            alpha.say(&link, word, remains)?;
            wait_until("a case", || Ok(case_of(&gateway, id).is_ok()))?;
            let (_, status) = gateway.panel(&[("action", "status"), ("order", &id.to_string())])?;
            assert!(["Pending", "In progress"].contains(&text(&status, "status")), "{word}: {status}");
            assert_eq!(text(&status, "charge"), "2.5", "{word}");
            // Once the upstream is clear, so are we.
            alpha.say(&link, "Partial", Some(500))?;
            let ended = gateway.wait_status(id, "Partial")?;
            assert_eq!(text(&ended, "charge"), "1.25", "{word}");
        }
        gateway.finish()
    })
}

#[test]
fn a_net_charge_is_the_cost_of_a_partial() -> Result<()> {
    on_both(|engine| {
        let setup = Setup::of([UpstreamSetup::new("alpha", "0.90").charges(ChargeAfterPartial::Net)]);
        let gateway = Gateway::start(engine, &setup)?;
        let (alpha, link) = (gateway.upstream("alpha")?, "https://example.com/net");
        let id = gateway.place(link, 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        // 0.90 less floor(0.90 × 157 / 1000).
        alpha.say(link, "Partial", Some(157))?;
        gateway.wait_status(id, "Partial")?;
        assert_eq!(gateway.order(id)?["attempts"][0]["cost"], "0.7587");
        wait_until("the refund to be shown", || Ok(gateway.ledger("assets:claims:alpha:USD")? == "0"))?;
        for (account, balance) in [
            ("expenses:cogs:alpha:USD", "0.7587"),
            ("expenses:cogs_variance:alpha:USD", "0"),
            ("assets:upstream:alpha:USD", "499.2413"),
            ("income:sales:USD", "-2.1075"),
        ] {
            assert_eq!(gateway.ledger(account)?, balance, "{account}");
        }
        gateway.finish()
    })
}

/// Decimal text as whole micro-units.
fn micros(text: &str) -> Result<i64> {
    let (units, places) = text.split_once('.').unwrap_or((text, ""));
    Ok(format!("{units}{places:0<6}").parse()?)
}
