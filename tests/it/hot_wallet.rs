//! Money under pressure: one wallet that everybody draws on, and two servers that share wallets and upstreams.

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use acceptance::{
    ACCOUNT, Engine, Gateway, Reply, SERVICE, Server, Setup, UpstreamSetup, call, on_both, sandbox::Service, wait_until,
};
use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;

use crate::support::{spent, text, units};

/// Orders at 0.025 each, how many of them the wallet can pay, what that is, and how many are asked for at a time.
const ASKED: usize = 5_000;
const FUNDED: usize = 3_210;
const FUNDS: &str = "80.25";
const AT_ONCE: usize = 128;

/// Two servers: what each customer orders through each of them, by so many clients; and how often statuses are due.
const ORDERS: usize = 50;
const CLIENTS: usize = 2;
const LOOK: Duration = Duration::from_millis(300);
/// A service that `beta` sells at the lower price, where [`SERVICE`] is `alpha`'s.
const OTHER_SERVICE: &str = "102";
const UPSTREAMS: [&str; 2] = ["alpha", "beta"];

/// Asks for an order of ten, until the answer is another than "too busy", which must have changed nothing.
fn order(address: &str, key: &str, service: &str, link: &str) -> Result<Reply> {
    let mut last = None;
    wait_until("an answer that is not \"too busy\"", || {
        let reply = call(address, key, &[("action", "add"), ("service", service), ("link", link), ("quantity", "10")])?;
        let busy = matches!(reply.status, 429 | 503);
        last = Some(reply);
        Ok(!busy)
    })?;
    last.context("no answer")
}

/// The order's number.
fn number(reply: &Reply) -> Result<i64> {
    ensure!(reply.status == 200, "{reply:?}");
    reply.json()?["order"].as_i64().with_context(|| format!("no number in {reply:?}"))
}

/// What the clients of a scope did, all of them.
fn joined<T>(clients: Vec<ScopedJoinHandle<'_, Result<T>>>) -> Result<Vec<T>> {
    clients.into_iter().map(|client| client.join().unwrap_or_else(|_| Err(anyhow!("a client panicked")))).collect()
}

/// Orders until all have been asked for; the numbers of those that were placed. The others must want money.
fn draw(gateway: &Gateway, next: &AtomicUsize) -> Result<Vec<i64>> {
    let (address, mut placed) = (gateway.address()?, Vec::new());
    loop {
        let turn = next.fetch_add(1, Ordering::Relaxed);
        if turn >= ASKED {
            return Ok(placed);
        }
        let reply = order(address, gateway.key(), SERVICE, &format!("https://example.com/hot/{turn}"))?;
        if reply.status == 402 {
            assert_eq!(reply.error()?, "Not enough funds on balance");
        } else {
            placed.push(number(&reply)?);
        }
    }
}

#[test]
fn a_wallet_pays_for_exactly_what_it_holds() -> Result<()> {
    on_both(|engine| {
        let upstream = |id, rate| UpstreamSetup::new(id, rate).timeout_ms(20_000).line("concurrency = 256");
        let setup = Setup::of([upstream("alpha", "0.90"), upstream("beta", "1.20")])
            .deposit(FUNDS)
            // Thousands of running orders need not be asked about.
            .setting("SYNC__STATUS_FIRST_MS", "600000")
            .setting("SYNC__STATUS_MAX_MS", "600000");
        let gateway = Gateway::start(engine, &setup)?;
        let next = AtomicUsize::new(0);
        let placed = thread::scope(|scope| {
            let clients: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| draw(&gateway, &next))).collect();
            joined(clients)
        })?;
        let placed: Vec<i64> = placed.concat();
        assert_eq!((placed.len(), placed.iter().collect::<BTreeSet<_>>().len()), (FUNDED, FUNDED));
        assert_eq!(gateway.balance()?, "0");
        let listed = gateway.json(&["order", "list"])?;
        assert_eq!(listed.as_array().map(Vec::len), Some(FUNDED));
        wait_until("every order to be at an upstream", || {
            let made: Result<Vec<usize>> =
                UPSTREAMS.iter().map(|id| Ok(gateway.upstream(id)?.orders().len())).collect();
            Ok(made?.iter().sum::<usize>() == FUNDED)
        })?;
        assert_eq!(gateway.balance()?, "0");
        gateway.finish()
    })
}

/// Both customers order through both servers, from both upstreams, in opposite order. Postgres itself counts deadlocks:
/// one that is tried again would leave no other trace.
#[test]
fn two_servers_on_one_database_neither_deadlock_nor_do_work_twice() -> Result<()> {
    let mut gateway = Gateway::prepare(Engine::Postgres, &shared())?;
    gateway.done(&["account", "deposit", "panel-b", "100", "--reference", "b"])?;
    let keys = [gateway.key().to_owned(), gateway.done(&["key", "create", "panel-b"])?.trim().to_owned()];
    gateway.serve()?;
    let second_log = gateway.folder().join("second.log");
    let second = Server::spawn(gateway.command().arg("serve"), &second_log)?;
    let addresses = [gateway.address()?.to_owned(), second.address.clone()];

    statuses_are_asked_for_once(&gateway)?;
    both_order(&gateway, &addresses, &keys)?;
    wait_until("every order to be completed", || {
        for id in UPSTREAMS {
            complete(&gateway, id)?;
        }
        let open = |status| gateway.json(&["order", "list", "--status", status]);
        Ok([open("Pending")?, open("In progress")?] == [json!([]), json!([])])
    })?;
    let orders = gateway.json(&["order", "list"])?;
    let orders = orders.as_array().context("no list")?;
    assert_eq!(orders.len(), 4 * CLIENTS * ORDERS + 1);
    for ((account, key), address) in [ACCOUNT, "panel-b"].iter().zip(&keys).zip(&addresses) {
        let told = call(address, key, &[("action", "balance")])?.json()?;
        assert_eq!(units(text(&told, "balance"))?, units("100")? - spent(orders, account)?, "{account}: {told}");
    }

    // One server goes; the other follows on alone.
    gateway.stop()?;
    let asked = gateway.upstream("alpha")?.calls("balance");
    wait_until("the other server to go on", || Ok(gateway.upstream("alpha")?.calls("balance") > asked + 1))?;
    assert_eq!(second.stop()?.code(), Some(0));
    let sessions = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    wait_until("the sessions to have ended", || Ok(gateway.sql(sessions)? == "0"))?;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(gateway.sql(deadlocks)?, "0");
    for log in [gateway.log()?, fs::read_to_string(&second_log)?] {
        assert!(!log.contains("deadlock"), "{log}");
    }
    gateway.finish()
}

/// Two services, each cheapest at another upstream and sold by both, so that every order locks the balances of both.
fn shared() -> Setup {
    let upstream = |id, rate: &str, other_rate: &str| {
        let other = Service {
            id: "2".to_owned(),
            name: "Placement, other".to_owned(),
            category: "Placements".to_owned(),
            service_type: "Default".to_owned(),
            rate: other_rate.to_owned(),
            min: 10,
            max: 10_000,
            refill: false,
            cancel: true,
            dripfeed: false,
        };
        UpstreamSetup::new(id, rate).also(other).timeout_ms(20_000).line("concurrency = 32")
    };
    let offers = UPSTREAMS.map(|id| format!("[[service.offer]]\nupstream = \"{id}\"\nservice = \"2\"\n")).concat();
    let look = LOOK.as_millis().to_string();
    Setup::of([upstream("alpha", "0.90", "1.20"), upstream("beta", "1.20", "0.90")])
        .more(&format!(
            "\n[[account]]\nid = \"panel-b\"\n\n[[service]]\nid = {OTHER_SERVICE}\nname = \"Placement, other\"\n\
             category = \"Placements\"\nrate = \"2.50\"\nmin = 10\nmax = 10000\n{offers}"
        ))
        .setting("SYNC__STATUS_FIRST_MS", &look)
        .setting("SYNC__STATUS_MAX_MS", &look)
}

/// While one order runs, ten looks take nine intervals at least; two servers that did not share the work would need half.
fn statuses_are_asked_for_once(gateway: &Gateway) -> Result<()> {
    let alpha = gateway.upstream("alpha")?;
    let id = gateway.place("https://example.com/one", 10)?;
    gateway.wait_attempt(id, "accepted")?;
    wait_until("the first look", || Ok(alpha.calls("status") > 0))?;
    let (seen, begun) = (alpha.calls("status"), Instant::now());
    wait_until("ten more", || Ok(alpha.calls("status") >= seen + 10))?;
    ensure!(begun.elapsed() > LOOK * 8, "ten looks every {LOOK:?} took {:?}", begun.elapsed());
    Ok(())
}

/// Every customer orders through every server, as fast as it can, while orders complete.
fn both_order(gateway: &Gateway, addresses: &[String; 2], keys: &[String; 2]) -> Result<()> {
    thread::scope(|scope| {
        let mut clients = Vec::new();
        for (server, address) in addresses.iter().enumerate() {
            for (customer, key) in keys.iter().enumerate() {
                for client in 0..CLIENTS {
                    let name = format!("https://example.com/{server}/{customer}/{client}");
                    clients.push(scope.spawn(move || -> Result<()> {
                        for turn in 0..ORDERS {
                            let alphas = (server + customer + turn).is_multiple_of(2);
                            let service = if alphas { SERVICE } else { OTHER_SERVICE };
                            number(&order(address, key, service, &format!("{name}/{turn}"))?)?;
                        }
                        Ok(())
                    }));
                }
            }
        }
        let ordering = wait_until("the customers to have ordered", || {
            for id in UPSTREAMS {
                complete(gateway, id)?;
            }
            Ok(clients.iter().all(ScopedJoinHandle::is_finished))
        });
        joined(clients)?;
        ordering
    })
}

/// Ends what runs at an upstream: most of it completed, some of it in part.
fn complete(gateway: &Gateway, upstream: &str) -> Result<()> {
    let upstream = gateway.upstream(upstream)?;
    for made in upstream.orders().iter().filter(|made| made.status == "Pending") {
        let (word, remains) = if made.id.ends_with(['3', '7']) { ("Partial", Some(4)) } else { ("Completed", None) };
        upstream.move_on(&made.id, word, remains);
    }
    Ok(())
}
