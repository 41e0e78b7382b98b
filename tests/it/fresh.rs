//! What customers read is true now, whoever changed it, although on SQLite it is answered from memory.

use std::time::Instant;

use acceptance::{ACCOUNT, Engine, Gateway, Setup, on_both, sandbox::FaultKind, wait_until};
use anyhow::{Context, Result};
use serde_json::Value;

use crate::support::{NOTICE_MAX, case_of, text};

/// What the panel face says of these orders; the second answer to the same question, which memory gives if it can.
fn statuses(gateway: &Gateway, orders: &[i64]) -> Result<Value> {
    let ids = orders.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    gateway.panel(&[("action", "status"), ("orders", &ids)])?;
    Ok(gateway.panel(&[("action", "status"), ("orders", &ids)])?.1)
}

#[test]
fn what_a_person_changes_shows_within_a_second() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        gateway.upstream("alpha")?.fail(FaultKind::TakeAndDrop, 1);
        let order = gateway.place("https://example.com/written-off", 1000)?;
        gateway.wait_attempt(order, "unknown")?;
        let case = case_of(&gateway, order)?;
        assert_eq!(statuses(&gateway, &[order])?[order.to_string()]["status"], "Pending");
        assert_eq!([gateway.balance()?, gateway.balance()?], ["97.5", "97.5"]);

        gateway.done(&["account", "deposit", ACCOUNT, "5", "--reference", "more"])?;
        let begun = Instant::now();
        wait_until("the deposit to show", || Ok(gateway.balance()? == "102.5"))?;
        assert!(begun.elapsed() < NOTICE_MAX, "shown after {:?}", begun.elapsed());

        gateway.done(&["review", "resolve", &case, "--write-off"])?;
        let begun = Instant::now();
        gateway.wait_status(order, "Canceled")?;
        assert!(begun.elapsed() < NOTICE_MAX, "shown after {:?}", begun.elapsed());
        // A status that is not in memory is read at once, a balance that is within the second.
        wait_until("the refund to show", || Ok(gateway.balance()? == "105"))?;
        assert!(begun.elapsed() < NOTICE_MAX, "shown after {:?}", begun.elapsed());
        gateway.finish()
    })
}

#[test]
fn a_status_moves_as_soon_as_the_books_do() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &Setup::two())?;
        let (moving, still) = ("https://example.com/moving", "https://example.com/still");
        let orders = [gateway.place(moving, 1000)?, gateway.place(still, 1000)?];
        for order in orders {
            gateway.wait_attempt(order, "accepted")?;
        }
        let [first, second] = orders.map(|order| order.to_string());
        for (word, remains) in [("In progress", 700), ("In progress", 300), ("Partial", 200)] {
            statuses(&gateway, &orders)?;
            gateway.upstream("alpha")?.say(moving, word, Some(remains))?;
            wait_until("the books to have it", || Ok(gateway.order(orders[0])?["remains"] == remains))?;
            // At once: it was there before anybody could find it in the books.
            let (_, told) = gateway.panel(&[("action", "status"), ("order", &first)])?;
            assert_eq!((text(&told, "status"), text(&told, "remains")), (word, remains.to_string().as_str()));
            let all = statuses(&gateway, &orders)?;
            assert_eq!((&all[&first], text(&all[&second], "status")), (&told, "Pending"));
        }
        assert_eq!(gateway.balance()?, "95.5", "of two orders at 2.5, a fifth of one came back");

        let before = statuses(&gateway, &orders)?;
        gateway.restart()?;
        assert_eq!(statuses(&gateway, &orders)?, before);
        assert_eq!([gateway.balance()?, gateway.balance()?], ["95.5", "95.5"]);
        comes_from_memory(&gateway, &second, engine == Engine::Sqlite)?;
        gateway.finish()
    })
}

/// Holds the answers about a wallet and an open order to come from memory, or not: with Postgres other nodes may write.
fn comes_from_memory(gateway: &Gateway, open: &str, from_memory: bool) -> Result<()> {
    let hits = || -> Result<[u32; 2]> {
        let numbers = gateway.http("GET", "/metrics", &[], "")?.body;
        let mut hits = [0; 2];
        for (hits, cache) in hits.iter_mut().zip(["status", "balance"]) {
            let series = format!("interline_cache_total{{cache=\"{cache}\",result=\"hit\"}} ");
            let value = numbers.lines().find_map(|line| line.strip_prefix(&series));
            *hits = value.with_context(|| format!("no {series} in {numbers}"))?.parse()?;
        }
        Ok(hits)
    };
    let ask = || -> Result<()> {
        gateway.panel(&[("action", "status"), ("order", open)])?;
        gateway.balance().map(drop)
    };
    let before = hits()?;
    if from_memory {
        // A server that has just begun first looks who else writes.
        return wait_until("both to come from memory", || {
            ask()?;
            Ok(hits()?.iter().zip(&before).all(|(now, before)| now > before))
        });
    }
    ask()?;
    ask()?;
    assert_eq!(hits()?, before);
    Ok(())
}
