//! Push feeds: what an upstream has news of is seen at once, whatever goes wrong with a feed costs time and nothing else,
//! and no order waits for one.

use std::{
    fs,
    time::{Duration, Instant},
};

use acceptance::{
    Engine, Gateway, SERVICE, Server, Setup, Upstream, UpstreamSetup, crowd, on_both,
    sandbox::{Adapter, FaultKind},
    send, wait_until,
};
use anyhow::{Context, Result, ensure};

use crate::support::text;

/// When an order is looked at again that nothing is heard of: not within a scenario.
const NEVER_MS: &str = "3600000";
/// Orders that run while a feed is flooded. It tells four times a second which of them changed.
const RUNNING: u32 = 500;
/// Updates that are sent meanwhile, and how many in a second at the least.
const UPDATES: u32 = 5_000;
const UPDATES_PER_SECOND: u32 = 1_000;
/// How long an order may take then, on a busy machine.
const ADD_MAX: Duration = Duration::from_secs(3);
/// The most memory that a server may ever hold here.
const MEMORY_BYTES_MAX: u64 = 600 * 1024 * 1024;

const CONNECTED: &str = "interline_feed_connected{upstream=\"alpha\"}";
const UPDATED: &str = "interline_feed_updates_total{upstream=\"alpha\"}";

/// An upstream with a feed.
fn setup() -> Setup {
    Setup::of([UpstreamSetup::new("alpha", "0.90").adapter(Adapter::Streamrise).line("enabled = true")])
}

/// The same, without whose feed nothing is ever heard of an order.
fn feed_alone() -> Setup {
    setup().setting("SYNC__STATUS_FIRST_MS", NEVER_MS).setting("SYNC__STATUS_MAX_MS", NEVER_MS)
}

/// A series of `/metrics` at a server; nothing if there is none.
fn number_at(address: &str, series: &str) -> Result<Option<f64>> {
    let page = send("GET", &format!("{address}/metrics"), &[], "")?;
    ensure!(page.status == 200, "{page:?}");
    let value = page.body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map(|value| value.parse().with_context(|| format!("{series} {value}"))).transpose()
}

fn number(gateway: &Gateway, series: &str) -> Result<Option<f64>> {
    number_at(gateway.address()?, series)
}

/// Waits until the feed brings news, or does not.
fn wait_connected(gateway: &Gateway, is_connected: bool) -> Result<()> {
    let wanted = if is_connected { 1.0 } else { 0.0 };
    let what = if is_connected { "the feed to be connected" } else { "the feed to be given up" };
    wait_until(what, || Ok(number(gateway, CONNECTED)? == Some(wanted)))
}

/// How many orders the feed's news came to nothing for, or to something, as `outcome` says.
fn hints(gateway: &Gateway, outcome: &str) -> Result<f64> {
    let series = format!("interline_feed_hints_total{{upstream=\"alpha\",outcome=\"{outcome}\"}}");
    Ok(number(gateway, &series)?.unwrap_or(0.0))
}

/// Waits until the feed was lost for that reason.
fn wait_lost(gateway: &Gateway, reason: &str) -> Result<()> {
    let series = format!("interline_feed_reconnects_total{{upstream=\"alpha\",reason=\"{reason}\"}}");
    wait_until(&format!("the feed to be lost: {reason}"), || Ok(number(gateway, &series)?.is_some_and(|n| n >= 1.0)))
}

/// Waits until so many calls of `action` came beyond those before.
fn wait_calls(upstream: &Upstream, action: &str, beyond: usize) -> Result<()> {
    wait_until(&format!("more calls of {action}"), || Ok(upstream.calls(action) > beyond))
}

/// An order that runs at `alpha`, after the news that it is there were passed on, or came before it was known here.
fn running(gateway: &Gateway, link: &str) -> Result<i64> {
    let (id, alpha) = (gateway.place(link, 1000)?, gateway.upstream("alpha")?);
    gateway.wait_attempt(id, "accepted")?;
    wait_until("the news of it", || Ok(alpha.calls("status") > 0 || hints(gateway, "unknown")? > 0.0))?;
    Ok(id)
}

/// How the panel face says that an order stands.
fn status(gateway: &Gateway, id: i64) -> Result<String> {
    let (_, answer) = gateway.panel(&[("action", "status"), ("order", &id.to_string())])?;
    Ok(text(&answer, "status").to_owned())
}

#[test]
fn news_are_seen_at_once_and_once_in_an_interval() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &feed_alone())?;
        wait_connected(&gateway, true)?;
        let link = "https://example.com/news";
        let id = running(&gateway, link)?;
        // A gap: everything is looked at, whatever was heard of it before.
        let before = gateway.upstream("alpha")?.calls("status");
        gateway.restart()?;
        wait_connected(&gateway, true)?;
        wait_calls(gateway.upstream("alpha")?, "status", before)?;
        assert_eq!(status(&gateway, id)?, "Pending");

        let alpha = gateway.upstream("alpha")?;
        alpha.say(link, "In progress", Some(400))?;
        let seen = gateway.wait_status(id, "In progress")?;
        assert_eq!(text(&seen, "remains"), "400", "{seen}");

        // More of it within the interval is kept for later.
        let (asked, heard) = (alpha.calls("status"), number(&gateway, UPDATED)?);
        alpha.say(link, "Completed", None)?;
        wait_until("the news to come", || Ok(number(&gateway, UPDATED)? > heard))?;
        wait_calls(alpha, "balance", alpha.calls("balance") + 5)?;
        assert_eq!((alpha.calls("status"), status(&gateway, id)?.as_str()), (asked, "In progress"));
        gateway.finish()
    })
}

#[test]
fn what_happens_while_a_feed_is_away_is_seen_when_it_is_back() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &feed_alone())?;
        wait_connected(&gateway, true)?;
        let (alpha, link) = (gateway.upstream("alpha")?, "https://example.com/gap");
        let id = running(&gateway, link)?;
        alpha.meet("feed", FaultKind::TakeAndDrop, 1, 0);
        alpha.meet("*", FaultKind::DropBeforeReading, 0, 0);
        alpha.say(link, "In progress", Some(400))?;
        wait_connected(&gateway, false)?;
        alpha.say(link, "Completed", None)?;
        assert_eq!(status(&gateway, id)?, "Pending");
        alpha.heal();
        gateway.wait_status(id, "Completed")?;
        wait_connected(&gateway, true)?;
        gateway.finish()
    })
}

#[test]
fn where_the_key_has_too_many_sockets_it_is_left_alone() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::prepare(engine, &setup())?;
        gateway.upstream("alpha")?.meet("feed", FaultKind::TooManyRequests, 0, 0);
        gateway.serve()?;
        wait_lost(&gateway, "too_many")?;
        let (alpha, link) = (gateway.upstream("alpha")?, "https://example.com/many");
        // Some seconds: of a feed that only hung up, several tries would have been made.
        wait_calls(alpha, "balance", alpha.calls("balance") + 30)?;
        assert_eq!((alpha.calls("feed"), number(&gateway, CONNECTED)?), (1, Some(0.0)));
        // Orders are followed as ever.
        let id = gateway.place(link, 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        alpha.say(link, "Completed", None)?;
        gateway.wait_status(id, "Completed")?;
        gateway.finish()
    })
}

#[test]
fn a_feed_that_sends_nonsense_hurts_nobody() -> Result<()> {
    on_both(|engine| {
        let setup = setup().setting("SYNC__STATUS_FIRST_MS", "1000").setting("SYNC__STATUS_MAX_MS", NEVER_MS);
        let gateway = Gateway::start(engine, &setup)?;
        wait_connected(&gateway, true)?;
        let alpha = gateway.upstream("alpha")?;
        for (fault, link) in
            [(FaultKind::Garbage, "https://example.com/garbage"), (FaultKind::Huge, "https://example.com/huge")]
        {
            alpha.meet("feed", fault, 1, 0);
            let id = gateway.place(link, 1000)?;
            gateway.wait_attempt(id, "accepted")?;
            wait_until("the fault to be met", || {
                Ok(alpha.journal().calls.iter().any(|call| call.fault.as_deref() == Some(fault.name())))
            })?;
            alpha.heal();
            alpha.say(link, "Completed", None)?;
            gateway.wait_status(id, "Completed").with_context(|| fault.name())?;
        }
        wait_lost(&gateway, "too_large")?;
        wait_connected(&gateway, true)?;
        let log = gateway.log()?;
        ensure!(log.contains("more than 1048576 bytes"), "the log does not say why the feed was lost:\n{log}");
        let peak = gateway.memory_peak()?;
        ensure!(peak < MEMORY_BYTES_MAX, "the server held {} MiB", peak >> 20);
        gateway.finish()
    })
}

#[test]
fn a_flood_of_news_holds_up_no_order() -> Result<()> {
    on_both(|engine| {
        let setup =
            setup().deposit("1000").setting("SYNC__STATUS_FIRST_MS", "5000").setting("SYNC__STATUS_MAX_MS", NEVER_MS);
        let gateway = Gateway::start(engine, &setup)?;
        wait_connected(&gateway, true)?;
        let alpha = gateway.upstream("alpha")?;
        place_many(&gateway)?;
        let running: Vec<String> = alpha.orders().into_iter().map(|order| order.id).collect();

        let (begun, heard) = (Instant::now(), number(&gateway, UPDATED)?.unwrap_or(0.0));
        let (mut round, mut slowest) = (0, Duration::ZERO);
        while number(&gateway, UPDATED)?.unwrap_or(0.0) - heard < f64::from(UPDATES) {
            round += 1;
            for order in &running {
                alpha.move_on(order, "In progress", Some(99 - round % 90));
            }
            let asked = Instant::now();
            gateway.place(&format!("https://example.com/beside/{round}"), 100)?;
            slowest = slowest.max(asked.elapsed());
        }
        let took = begun.elapsed();
        ensure!(took < Duration::from_secs((UPDATES / UPDATES_PER_SECOND).into()), "{UPDATES} updates took {took:?}");
        ensure!(slowest < ADD_MAX, "an order took {slowest:?}");
        let (dropped, due) = (hints(&gateway, "dropped")?, hints(&gateway, "due")?);
        ensure!(dropped < 1.0 && due > 0.0, "{dropped} dropped, {due} passed on");
        for order in running {
            alpha.move_on(&order, "Completed", None);
        }
        wait_until("every order to be followed", || {
            let completed = number(&gateway, "interline_orders{status=\"Completed\"}")?;
            Ok(completed.is_some_and(|orders| orders >= f64::from(RUNNING)))
        })?;
        gateway.finish()
    })
}

/// Places [`RUNNING`] orders, and waits until the upstream has all of them.
fn place_many(gateway: &Gateway) -> Result<()> {
    let links: Vec<String> = (0..RUNNING).map(|n| format!("https://example.com/flood/{n}")).collect();
    for links in links.chunks(50) {
        let add = |link| vec![("action", "add"), ("service", SERVICE), ("link", link), ("quantity", "100")];
        let calls: Vec<_> = links.iter().map(|link| add(link.as_str())).collect();
        for heard in crowd(gateway.address()?, gateway.key(), &calls)? {
            ensure!(heard.reply.status == 200, "{heard:?}");
        }
    }
    let alpha = gateway.upstream("alpha")?;
    wait_until("all orders to be taken", || Ok(alpha.orders().len() == links.len()))
}

#[test]
fn a_feed_follows_the_catalogue() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        wait_connected(&gateway, true)?;
        let file = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        let apply = |text: &str| -> Result<()> {
            gateway.write("catalogue.toml", text)?;
            gateway.done(&["apply", "catalogue.toml"]).map(drop)
        };
        let key = gateway.upstream("alpha")?.key();
        apply(&file.replace("enabled = true", "enabled = false"))?;
        wait_connected(&gateway, false)?;
        apply(&file)?;
        wait_connected(&gateway, true)?;
        apply(&file.replace(key, "another-key-0c1d2e3f"))?;
        wait_lost(&gateway, "not_admitted")?;
        // A key that was not taken is not tried again for a while, but another one is.
        apply(&file)?;
        wait_connected(&gateway, true)?;
        gateway.finish()
    })
}

#[test]
fn one_node_holds_a_feed_and_another_takes_it_over() -> Result<()> {
    let mut gateway = Gateway::start(Engine::Postgres, &setup())?;
    wait_connected(&gateway, true)?;
    let second = Server::spawn(gateway.command().arg("serve"), &gateway.folder().join("second.log"))?;
    let connected = |is_connected: f64| {
        wait_until("the other node's feed", || Ok(number_at(&second.address, CONNECTED)? == Some(is_connected)))
    };
    connected(0.0)?;
    let alpha = gateway.upstream("alpha")?;
    wait_calls(alpha, "balance", alpha.calls("balance") + 20)?;
    assert_eq!(alpha.calls("feed"), 1);
    gateway.kill()?;
    connected(1.0)?;
    assert_eq!(gateway.upstream("alpha")?.calls("feed"), 2);
    // One that ends in order leaves it to the next at once.
    ensure!(second.stop()?.success(), "it did not end in order");
    gateway.serve()?;
    wait_connected(&gateway, true)?;
    gateway.finish()
}

#[test]
fn no_key_is_told_however_much_is() -> Result<()> {
    on_both(|engine| {
        let format = if engine == Engine::Sqlite { "text" } else { "json" };
        let all = "trace,tungstenite=trace,tungstenite::protocol=trace,tokio_tungstenite=trace";
        let setup = setup().setting("TELEMETRY__LOG", all).setting("TELEMETRY__LOG_FORMAT", format);
        let gateway = Gateway::start(engine, &setup)?;
        wait_connected(&gateway, true)?;
        let alpha = gateway.upstream("alpha")?;
        // It hangs up, and turns the next socket away.
        alpha.meet("feed", FaultKind::TakeAndDrop, 1, 0);
        alpha.meet("feed", FaultKind::Refusal, 1, 0);
        let id = gateway.place("https://example.com/told", 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        wait_lost(&gateway, "not_admitted")?;
        let metrics = gateway.http("GET", "/metrics", &[], "")?.body;
        let told = [gateway.log()?, metrics, gateway.order(id)?.to_string(), gateway.done(&["doctor", "--json"])?];
        for said in ["TRACE", "its feed is connected", "its feed is lost", "it did not take the key"] {
            ensure!(told[0].contains(said), "the log does not say `{said}`");
        }
        ensure!(!told.iter().any(|text| text.contains(alpha.key())), "the upstream's key is told");
        gateway.finish()
    })
}
