//! More work than the machine can do, and parts of it that hang: what cannot be done soon is refused at once and in words,
//! and nobody waits for what concerns others.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use acceptance::{
    Engine, Gateway, Heard, Reply, SERVICE, Setup, UpstreamSetup, call, crowd, on_both, sandbox::FaultKind, wait_until,
};
use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use crate::support::{text, units};

/// How long the slowest of a crowd may wait. The machine of a test is small and does other things too: this is no
/// measurement, but a queue without a bound would be longer.
const SLOWEST: Duration = Duration::from_secs(15);
/// What "at once" is at most, on such a machine.
const AT_ONCE: Duration = Duration::from_secs(2);
/// A service that `beta` alone sells.
const OTHER_SERVICE: &str = "102";

/// Links of their own for so many orders.
fn links(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("https://example.com/{name}/{number}")).collect()
}

/// An order of ten for each of the links.
fn adds<'a>(service: &'a str, links: &'a [String]) -> Vec<Vec<(&'a str, &'a str)>> {
    let add =
        |link: &'a String| vec![("action", "add"), ("service", service), ("link", link.as_str()), ("quantity", "10")];
    links.iter().map(add).collect()
}

/// Holds an answer to "come back later", as the face says it.
fn is_sent_away(reply: &Reply) -> Result<()> {
    assert_eq!((reply.status, reply.error()?.as_str()), (503, "Try again later"), "{reply:?}");
    assert!(reply.retry_after.is_some() && reply.content_type == "application/json", "{reply:?}");
    Ok(())
}

/// Holds a status that cannot be told to the bare code: any error in it would end the order in the client's books.
fn is_bare(reply: &Reply) {
    assert_eq!((reply.status, reply.body.as_str(), reply.retry_after.is_some()), (503, "", true), "{reply:?}");
}

#[test]
fn a_flood_is_answered_in_time_and_in_words() -> Result<()> {
    on_both(|engine| {
        let upstream = |id, rate| UpstreamSetup::new(id, rate).timeout_ms(20_000).line("concurrency = 64");
        let setup = Setup::of([upstream("alpha", "0.90"), upstream("beta", "1.20")])
            .setting("PANEL__DISPATCH_WAIT_MS", "0")
            .setting("SYNC__STATUS_FIRST_MS", "600000")
            .setting("SYNC__STATUS_MAX_MS", "600000");
        let gateway = Gateway::start(engine, &setup)?;
        let links = links("flood", 600);
        let heard = crowd(gateway.address()?, gateway.key(), &adds(SERVICE, &links))?;
        let mut placed = BTreeSet::new();
        let mut times = Vec::new();
        for Heard { reply, took } in &heard {
            if reply.status == 200 {
                placed.insert(reply.json()?["order"].as_i64().with_context(|| format!("no id in {reply:?}"))?);
                times.push(*took);
            } else {
                is_sent_away(reply)?;
            }
        }
        times.sort();
        assert_eq!(placed.len(), times.len(), "two orders have one id");
        assert!(!placed.is_empty(), "nobody was served");
        let slowest = times.get(times.len() * 99 / 100).context("no times")?;
        assert!(*slowest < SLOWEST, "{slowest:?} for one in a hundred");
        // What was answered with an id stands in the books, and nothing else does.
        let cost = units("0.025")? * i64::try_from(placed.len())?;
        assert_eq!(units(&gateway.balance()?)?, units("100")? - cost);
        let listed = gateway.json(&["order", "list"])?;
        let listed: BTreeSet<i64> = listed.as_array().into_iter().flatten().filter_map(|o| o["id"].as_i64()).collect();
        assert_eq!(listed, placed);
        gateway.finish()
    })
}

/// A connection that has sent so much and goes on in its own time.
fn dawdler(gateway: &Gateway, sent: &str) -> Result<TcpStream> {
    let address = gateway.address()?.strip_prefix("http://").context("not an address")?;
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(sent.as_bytes())?;
    Ok(stream)
}

#[test]
fn clients_that_dawdle_hold_up_nobody() -> Result<()> {
    let setup = Setup::two().setting("SERVER__DRAIN_MS", "1000");
    let gateway = Gateway::start(Engine::Sqlite, &setup)?;
    let (mut heads, mut bodies) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        heads.push(dawdler(&gateway, "POST /api/v2 HTTP/1.1\r\nHost: x\r\nContent-Ty")?);
        bodies.push(dawdler(&gateway, "POST /api/v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nkey=il_")?);
    }
    for number in 0..10 {
        let begun = Instant::now();
        let id = gateway.place(&format!("https://example.com/quick/{number}"), 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        assert!(begun.elapsed() < SLOWEST, "{:?} for an order", begun.elapsed());
    }
    // Heads are not waited for; `wait_until` gives up after three times what they have.
    for head in &mut heads {
        head.set_nonblocking(true)?;
        wait_until("a connection without a head to be closed", || match head.read(&mut [0; 64]) {
            Ok(bytes) => Ok(bytes == 0),
            Err(error) => Ok(error.kind() != std::io::ErrorKind::WouldBlock),
        })?;
    }
    assert_eq!(gateway.http("GET", "/readyz", &[], "")?.status, 200);
    // A stop does not wait for the bodies for longer than it may.
    gateway.finish()?;
    drop(bodies);
    Ok(())
}

#[test]
fn large_bodies_of_slow_clients_are_bounded_together() -> Result<()> {
    let gateway = Gateway::start(Engine::Sqlite, &Setup::two().setting("SERVER__DRAIN_MS", "500"))?;
    // Each wants 4 MB and has sent all but a byte: sixteen of them are all that is held.
    let body = "a".repeat(4_000_000);
    let head = format!("POST /api/v2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len() + 1);
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut stream = dawdler(&gateway, &head)?;
        stream.write_all(body.as_bytes())?;
        clients.push(stream);
    }
    // Whoever comes with a large one now is told to come back, and small ones go on.
    let large = [("action", "balance"), ("comments", body.as_str())];
    wait_until("a large body to find no room", || {
        let reply = gateway.post(&large)?;
        if reply.status == 503 {
            is_bare(&reply);
        }
        Ok(reply.status == 503)
    })?;
    gateway.place("https://example.com/small", 1000)?;
    drop(clients);
    wait_until("the room to be free again", || Ok(gateway.post(&large)?.status == 200))?;
    gateway.finish()
}

#[test]
fn an_upstream_that_hangs_holds_up_only_its_own_orders() -> Result<()> {
    on_both(|engine| {
        let other = format!(
            "[[service]]\nid = {OTHER_SERVICE}\nname = \"Another\"\ncategory = \"Placements\"\nrate = \"2.50\"\n\
             min = 10\nmax = 10000\n[[service.offer]]\nupstream = \"beta\"\nservice = \"1\"\n"
        );
        let alpha = UpstreamSetup::new("alpha", "0.90").timeout_ms(25_000).line("concurrency = 2");
        let setup = Setup::of([alpha, UpstreamSetup::new("beta", "1.20")])
            .more(&other)
            // Whoever waits for a verdict of alpha's waits for long: what is answered sooner did not wait for it.
            .setting("PANEL__DISPATCH_WAIT_MS", "12000")
            .setting("SERVER__DRAIN_MS", "1000");
        let gateway = Gateway::start(engine, &setup)?;
        gateway.upstream("alpha")?.fail(FaultKind::TakeAndHang, 0);
        let (address, key, links) = (gateway.address()?, gateway.key(), links("hangs", 20));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| crowd(address, key, &adds(SERVICE, &links)));
            let alpha = gateway.upstream("alpha")?;
            wait_until("alpha's slots to be full", || Ok(alpha.calls("add") == 2))?;
            for number in 0..5 {
                let link = format!("https://example.com/goes-on/{number}");
                let begun = Instant::now();
                let add =
                    [("action", "add"), ("service", OTHER_SERVICE), ("link", link.as_str()), ("quantity", "1000")];
                let placed = call(address, key, &add)?;
                assert_eq!(placed.status, 200, "{placed:?}");
                let id = placed.json()?["order"].to_string();
                assert_eq!(call(address, key, &[("action", "balance")])?.status, 200);
                let status = call(address, key, &[("action", "status"), ("order", &id)])?;
                assert_eq!(text(&status.json()?, "status"), "Pending");
                assert!(
                    begun.elapsed() < Duration::from_secs(8),
                    "{:?} beside an upstream that hangs",
                    begun.elapsed()
                );
            }
            assert_eq!(gateway.upstream("beta")?.orders().len(), 5);
            assert!(!waiting.is_finished(), "nobody waited for alpha, so this shows nothing");
            for Heard { reply, .. } in waiting.join().map_err(|_| anyhow!("the crowd panicked"))?? {
                assert_eq!(reply.status, 200, "{reply:?}");
            }
            Ok::<_, anyhow::Error>(())
        })?;
        gateway.finish()
    })
}

/// On Postgres alone: nothing that SQLite comes with takes its lock from outside. The store's own suite does it on both
/// engines (`what_was_given_up_is_not_done_later`).
#[test]
fn a_database_that_hangs_is_told_at_once_and_charges_nobody() -> Result<()> {
    let gateway = Gateway::start(Engine::Postgres, &Setup::two().setting("PANEL__DISPATCH_WAIT_MS", "100"))?;
    let before = gateway.place("https://example.com/before", 1000)?;
    gateway.wait_attempt(before, "accepted")?;
    let held = gateway.hold("orders, balances")?;
    let links = links("stalled", 200);
    for Heard { reply, took } in crowd(gateway.address()?, gateway.key(), &adds(SERVICE, &links))? {
        is_sent_away(&reply)?;
        assert!(took < SLOWEST, "{took:?}");
    }
    // By now it is known that nothing is done, so that nobody has to wait to hear it.
    let begun = Instant::now();
    is_sent_away(&gateway.post(&adds(SERVICE, &links)[0])?)?;
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    let begun = Instant::now();
    is_sent_away(&gateway.post(&[("action", "balance")])?)?;
    is_bare(&gateway.post(&[("action", "status"), ("order", &before.to_string())])?);
    assert!(begun.elapsed() < SLOWEST, "{:?}", begun.elapsed());
    assert_eq!(gateway.post(&[("action", "services")])?.status, 200, "the price list is in memory");

    drop(held);
    resumes(&gateway, before)?;
    gateway.finish()
}

#[test]
fn a_database_that_is_away_is_told_and_comes_back_by_itself() -> Result<()> {
    let setup = Setup::two().setting("PANEL__DISPATCH_WAIT_MS", "100");
    let mut gateway = Gateway::prepare(Engine::Postgres, &setup)?;
    let way = gateway.by_way()?;
    gateway.serve()?;
    let before = gateway.place("https://example.com/before", 1000)?;
    gateway.wait_attempt(before, "accepted")?;

    way.cut();
    for link in links("away", 3) {
        let begun = Instant::now();
        is_sent_away(&gateway.post(&adds(SERVICE, &[link])[0])?)?;
        assert!(begun.elapsed() < SLOWEST, "{:?}", begun.elapsed());
    }
    is_bare(&gateway.post(&[("action", "status"), ("order", &before.to_string())])?);
    assert_eq!(gateway.http("GET", "/readyz", &[], "")?.status, 503);
    assert_eq!(gateway.http("GET", "/healthz", &[], "")?.status, 200);

    way.mend();
    resumes(&gateway, before)?;
    gateway.finish()
}

/// Holds the gateway to work again by itself, with the books as if nobody had been sent away.
fn resumes(gateway: &Gateway, before: i64) -> Result<()> {
    let mut after = Value::Null;
    wait_until("an order to be taken again", || {
        let (status, body) = gateway.add("https://example.com/after", 1000)?;
        after = body;
        Ok(status == 200)
    })?;
    let after = after["order"].as_i64().context("no order")?;
    gateway.wait_attempt(after, "accepted")?;
    assert_eq!(gateway.balance()?, "95");
    let listed = gateway.json(&["order", "list"])?;
    let mut listed: Vec<i64> =
        listed.as_array().into_iter().flatten().filter_map(|order| order["id"].as_i64()).collect();
    listed.sort_unstable();
    assert_eq!(listed, [before, after]);
    Ok(())
}
