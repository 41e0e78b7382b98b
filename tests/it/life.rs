//! The life of a server: it is told to change, to stop, to stop at once, and it refuses to start where it must not.

use std::{
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use acceptance::{Engine, Gateway, Output, Setup, UpstreamSetup, crowd, on_both, sandbox::FaultKind, wait_until};
use anyhow::{Context, Result};

use crate::support::case_of;

/// What a busy machine adds to the second that the end may take after `drain_ms`.
const SLACK: Duration = Duration::from_secs(2);

/// How long an upstream that hangs is waited for: longer than a stop, and not so long that its leases outlive the test.
const HANGS_MS: u32 = 12_000;

/// Orders of ten, at an upstream that takes them and answers none.
fn orders_under_way(gateway: &Gateway, count: usize) -> Result<Vec<i64>> {
    gateway.upstream("alpha")?.fail(FaultKind::TakeAndHang, 0);
    let links: Vec<String> = (0..count).map(|number| format!("https://example.com/under-way/{number}")).collect();
    let add = |link| vec![("action", "add"), ("service", "101"), ("link", link), ("quantity", "10")];
    let calls: Vec<_> = links.iter().map(|link| add(link.as_str())).collect();
    let mut ids = Vec::new();
    for heard in crowd(gateway.address()?, gateway.key(), &calls)? {
        ids.push(heard.reply.json()?["order"].as_i64().with_context(|| format!("{heard:?}"))?);
    }
    let alpha = gateway.upstream("alpha")?;
    wait_until("alpha to have every order", || Ok(alpha.orders().len() == count))?;
    Ok(ids)
}

/// A connection on which so much was sent.
fn connection(gateway: &Gateway, sent: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(gateway.address()?.strip_prefix("http://").context("not an address")?)?;
    stream.write_all(sent.as_bytes())?;
    Ok(stream)
}

#[test]
fn a_stop_parks_what_takes_longer_than_it_may() -> Result<()> {
    on_both(|engine| {
        let drain = Duration::from_secs(2);
        let alpha = UpstreamSetup::new("alpha", "0.90").timeout_ms(HANGS_MS).line("concurrency = 64");
        let setup = Setup::of([alpha])
            .setting("PANEL__DISPATCH_WAIT_MS", "100")
            .setting("SERVER__DRAIN_MS", &drain.as_millis().to_string());
        let mut gateway = Gateway::start(engine, &setup)?;
        let ids = orders_under_way(&gateway, 20)?;
        let idle = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        let _held_open = [connection(&gateway, "")?, connection(&gateway, idle)?, connection(&gateway, "POST /ap")?];

        let begun = Instant::now();
        gateway.signal("TERM")?;
        assert_eq!(gateway.ended()?, 0, "{}", gateway.log()?);
        let took = begun.elapsed();
        assert!((drain..drain + Duration::from_secs(1) + SLACK).contains(&took), "{took:?} for a stop");
        gateway.upstream("alpha")?.heal();
        gateway.serve()?;
        for id in &ids {
            let order = gateway.wait_attempt(*id, "unknown")?;
            assert_eq!(order["attempts"].as_array().map(Vec::len), Some(1), "{order}");
            case_of(&gateway, *id)?;
        }
        assert_eq!(gateway.upstream("alpha")?.calls("add"), ids.len(), "one was sent again");
        gateway.finish()
    })
}

#[test]
fn a_stop_waits_for_no_client_that_asks_nothing() -> Result<()> {
    let gateway = Gateway::start(Engine::Sqlite, &Setup::two().setting("SERVER__DRAIN_MS", "20000"))?;
    let mut asked = Vec::new();
    for _ in 0..50 {
        asked.push(connection(&gateway, "")?);
        asked.push(connection(&gateway, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")?);
    }
    gateway.place("https://example.com/last", 1000)?;
    let begun = Instant::now();
    gateway.finish()?;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?} for a stop", begun.elapsed());
    drop(asked);
    Ok(())
}

#[test]
fn a_second_signal_ends_it_at_once() -> Result<()> {
    on_both(|engine| {
        let alpha = UpstreamSetup::new("alpha", "0.90").timeout_ms(HANGS_MS);
        let setup = Setup::of([alpha]).setting("PANEL__DISPATCH_WAIT_MS", "100").setting("SERVER__DRAIN_MS", "25000");
        let mut gateway = Gateway::start(engine, &setup)?;
        let ids = orders_under_way(&gateway, 1)?;
        gateway.signal("TERM")?;
        wait_until("the stop to begin", || Ok(gateway.log()?.contains("stopping: finishing what is under way")))?;
        let begun = Instant::now();
        gateway.signal("TERM")?;
        assert_eq!(gateway.ended()?, 1);
        assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
        gateway.upstream("alpha")?.heal();
        gateway.serve()?;
        gateway.wait_attempt(ids[0], "unknown")?;
        gateway.finish()
    })
}

/// The status and the error of an order for this link; an order that is placed has none.
fn asked(gateway: &Gateway, link: &str) -> Result<(u16, String)> {
    let (status, body) = gateway.add(link, 1000)?;
    Ok((status, body["error"].as_str().unwrap_or_default().to_owned()))
}

#[test]
fn a_changed_configuration_takes_effect_at_sighup() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::prepare(engine, &Setup::two().without("LIMITS__KEY_PER_MINUTE"))?;
        gateway.write("interline.toml", "[limits]\nkey_per_minute = 100000\n")?;
        gateway.serve()?;
        let link = "https://example.com/shop/1";
        assert_eq!(asked(&gateway, link)?.0, 200);
        assert!(!gateway.log()?.contains("DEBUG"), "debug is on before it was asked for");

        let changed = "[policy]\ndeny_targets = [\"*/shop/*\"]\n[telemetry]\nlog = \"debug\"\n\
                       [money]\nbase_currency = \"EUR\"\n[limits]\nkey_per_minute = 100000\n";
        gateway.write("interline.toml", changed)?;
        gateway.signal("HUP")?;
        let mut tries = 0;
        wait_until("the target to be denied", || {
            tries += 1;
            let (status, error) = asked(&gateway, &format!("{link}/{tries}"))?;
            Ok(status == 400 && error.contains("not accepted"))
        })?;
        wait_until("debug to be logged", || Ok(gateway.log()?.contains("DEBUG")))?;
        let log = gateway.log()?;
        let told = |words: &[&str]| log.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(told(&["read anew", "policy.deny_targets", "telemetry.log"]), "{log}");
        assert!(told(&["needs a restart", "money.base_currency"]), "{log}");

        gateway.write("interline.toml", "[limits]\nkey_per_minute = 3\n")?;
        gateway.signal("HUP")?;
        wait_until("the limit to be lower", || Ok(gateway.post(&[("action", "balance")])?.status == 429))?;
        gateway.write("interline.toml", "[limits]\nkey_per_minute = 100000\n")?;
        gateway.signal("HUP")?;
        wait_until("the limit to be higher", || Ok(gateway.post(&[("action", "balance")])?.status == 200))?;
        assert_eq!(asked(&gateway, &format!("{link}/allowed"))?.0, 200, "the target is denied no longer");
        gateway.finish()
    })
}

#[test]
fn a_configuration_that_is_wrong_changes_nothing_and_is_told() -> Result<()> {
    let mut gateway = Gateway::prepare(Engine::Sqlite, &Setup::two().without("LIMITS__KEY_PER_MINUTE"))?;
    gateway.write("interline.toml", "[policy]\ndeny_targets = [\"*/denied\"]\n")?;
    gateway.serve()?;
    for (file, why) in [
        ("[policy]\ndeny_targets = []\n[limits]\nkey_per_minute = 0\n", "limits.key_per_minute must be at least 1"),
        ("[policy]\ndeny_targets = [\"a{b\"]\n", "policy.deny_targets"),
        ("[policy]\ndeny_target = []\n", "deny_target"),
        ("[secrets]\nmaster_key = \"bm90IG91cnM\n", "TOML parse error at line 2"),
    ] {
        gateway.write("interline.toml", file)?;
        let refused = |log: &str| log.lines().filter(|line| line.contains("nothing has changed")).count();
        let before = refused(&gateway.log()?);
        gateway.signal("HUP")?;
        wait_until("a line about the file", || Ok(refused(&gateway.log()?) > before))?;
        let log = gateway.log()?;
        let last = log.lines().rfind(|line| line.contains("nothing has changed")).unwrap_or_default();
        assert!(last.contains(why), "{file}: {last}");
        assert!(!log.contains("bm90IG91cnM"), "a secret of the file is in the log");
        assert_eq!(asked(&gateway, "https://example.com/denied")?.0, 400, "{file}");
        assert_eq!(gateway.post(&[("action", "balance")])?.status, 200, "{file}");
    }
    // A file that has gone is no reason to take the defaults.
    std::fs::remove_file(gateway.folder().join("interline.toml"))?;
    gateway.signal("HUP")?;
    wait_until("a line about the missing file", || {
        Ok(gateway.log()?.lines().any(|line| line.contains("nothing has changed") && line.contains("interline.toml")))
    })?;
    assert_eq!(asked(&gateway, "https://example.com/denied")?.0, 400);
    gateway.finish()
}

/// Holds a `serve` that must not start to a text, and to ending by itself.
fn refuses(output: &Output, text: &str) {
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains(text) && output.stdout.is_empty(), "{output:?}");
}

/// On Postgres, where a test can write what a later program would have; the store's suite does it on both engines.
#[test]
fn a_database_of_a_newer_program_is_refused() -> Result<()> {
    let gateway = Gateway::prepare(Engine::Postgres, &Setup::two())?;
    gateway.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         SELECT 999, 'later', success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1",
    )?;
    refuses(&gateway.cli(&["serve"])?, "schema version 999, which is newer than this program");
    gateway.sql("DELETE FROM _sqlx_migrations WHERE version = 999")?;
    gateway.finish()
}

#[test]
fn a_database_that_cannot_be_written_is_refused_with_advice() -> Result<()> {
    let gateway = Gateway::prepare(Engine::Postgres, &Setup::two())?;
    let name = gateway.sql("SELECT current_database()")?;
    gateway.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"))?;
    let deposit = ["account", "deposit", "panel-a", "5", "--reference", "r"];
    for words in [&["serve"][..], &deposit] {
        refuses(&gateway.cli(words)?, "can be read but not written");
    }
    gateway.sql(&format!("SET transaction_read_only = off; ALTER DATABASE {name} RESET ALL"))?;
    gateway.finish()?;

    // Modes of files mean nothing to root, whom a test may run as: a folder is no file to anybody.
    let mut gateway = Gateway::prepare(Engine::Sqlite, &Setup::two())?;
    let folder = gateway.folder().join("folder");
    std::fs::create_dir(&folder)?;
    gateway.set("DATABASE__URL", &format!("sqlite://{}", folder.display()));
    refuses(&gateway.cli(&["serve"])?, "must name a file in a folder that exists");
    gateway.set("DATABASE__URL", "sqlite://interline.db");
    gateway.finish()
}
