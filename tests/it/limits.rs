//! What is bounded: calls per address, guesses at keys, the size of a call, and where an upstream's address may lead.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use acceptance::{ACCOUNT, Engine, Gateway, Reply, Setup, form, on_both, wait_until};
use anyhow::{Context, Result};
use serde_json::Value;

use crate::support::{entry, text};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
/// `server.request_body_bytes_max`
const BODY_BYTES_MAX: usize = 4_194_304;

/// Calls `path` by a form with `key`.
fn ask(gateway: &Gateway, path: &str, key: &str, action: &str) -> Result<Reply> {
    gateway.http("POST", path, &[FORM], &form(&[("key", key), ("action", action), ("order", "1")]))
}

/// Holds an answer to "too fast, come back in so many seconds", within `seconds_max`.
fn is_too_fast(reply: &Reply, status: u16, seconds_max: u32) -> Result<()> {
    assert_eq!((reply.status, reply.error()?.as_str()), (status, "Rate limit exceeded"), "{reply:?}");
    let seconds: u32 = reply.retry_after.as_deref().context("no Retry-After")?.parse()?;
    assert!((1..=seconds_max).contains(&seconds), "{reply:?}");
    Ok(())
}

#[test]
fn an_address_has_one_limit_for_all_keys_and_faces() -> Result<()> {
    let gateway = Gateway::start(Engine::Sqlite, &Setup::two().setting("LIMITS__IP_PER_MINUTE", "1"))?;
    let other = gateway.done(&["key", "create", ACCOUNT])?;
    assert_eq!(gateway.balance()?, "100");
    for key in [gateway.key(), other.trim(), "nobody"] {
        is_too_fast(&ask(&gateway, "/api/v2", key, "balance")?, 429, 60)?;
        is_too_fast(&ask(&gateway, "/perfectPanel", key, "balance")?, 200, 60)?;
        for path in ["/api/v2", "/perfectPanel"] {
            // An error in a status would end the order in the client's books.
            let bare = ask(&gateway, path, key, "status")?;
            assert_eq!((bare.status, bare.body.as_str(), bare.retry_after.is_some()), (429, "", true), "{bare:?}");
        }
    }
    assert_eq!(gateway.http("GET", "/readyz", &[], "")?.status, 200, "who watches the server is not counted");
    gateway.finish()
}

#[test]
fn a_forwarded_address_is_believed_from_trusted_proxies_only() -> Result<()> {
    for (trusted, calls) in [
        ("10.0.0.0/8", vec![(("x-forwarded-for", "198.51.100.1"), 200), (("x-forwarded-for", "198.51.100.2"), 429)]),
        (
            "10.0.0.0/8, 127.0.0.1",
            vec![
                (("x-forwarded-for", "198.51.100.1"), 200),
                (("x-forwarded-for", "198.51.100.1"), 429),
                (("x-forwarded-for", "203.0.113.9, 198.51.100.1"), 429),
                (("x-forwarded-for", "198.51.100.1, 10.1.2.3"), 429),
                (("forwarded", "for=198.51.100.1;proto=https"), 429),
                (("x-forwarded-for", "198.51.100.2"), 200),
                (("forwarded", "for=\"[2001:db8:1:2::1]:4711\""), 200),
                (("x-forwarded-for", "2001:db8:1:2:3:4:5:6"), 429),
                (("x-forwarded-for", "2001:db8:1:3::1"), 200),
                // What cannot be read is counted with the proxy's own calls.
                (("x-forwarded-for", "somewhere"), 200),
                (("accept", "*/*"), 429),
            ],
        ),
    ] {
        let setup = Setup::two().setting("LIMITS__IP_PER_MINUTE", "1").setting("SERVER__TRUSTED_PROXIES", trusted);
        let gateway = Gateway::start(Engine::Sqlite, &setup)?;
        let body = form(&[("key", gateway.key()), ("action", "balance")]);
        for (header, expected) in calls {
            let reply = gateway.http("POST", "/api/v2", &[FORM, header], &body)?;
            assert_eq!(reply.status, expected, "{header:?}, trusted {trusted}: {reply:?}");
        }
        gateway.finish()?;
    }
    Ok(())
}

#[test]
fn who_guesses_keys_is_slowed_and_customers_behind_the_same_address_are_not() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        assert_eq!(gateway.balance()?, "100", "the key is known at this address from now on");
        let mut guesses = 0;
        let mut guess = |action: &str| {
            guesses += 1;
            ask(&gateway, "/api/v2", &format!("il_{guesses:048}"), action)
        };
        let mut wrong = 0;
        let reply = loop {
            let reply = guess("balance")?;
            if reply.status != 401 {
                break reply;
            }
            wrong += 1;
            assert!(wrong < 200, "guessing is not slowed");
        };
        assert!(wrong >= 20, "refused after {wrong} wrong keys");
        is_too_fast(&reply, 429, 3)?;
        assert_eq!(gateway.balance()?, "100");
        let mut last = None;
        wait_until("a guess with a status to be refused", || {
            let reply = guess("status")?;
            let limited = reply.status == 429;
            last = Some(reply);
            Ok(limited)
        })?;
        let bare = last.context("no reply")?;
        assert_eq!((bare.body.as_str(), bare.retry_after.is_some()), ("", true), "{bare:?}");

        // Nobody is shut out for longer than the guessing lasts.
        let fresh = gateway.done(&["key", "create", ACCOUNT])?;
        wait_until("a new key to be taken", || Ok(ask(&gateway, "/api/v2", fresh.trim(), "balance")?.status == 200))?;
        gateway.finish()
    })
}

#[test]
fn a_call_that_is_too_large_is_told_the_bound() -> Result<()> {
    let gateway = Gateway::start(Engine::Sqlite, &Setup::two())?;
    let sized = |bytes: usize| {
        let head = form(&[("key", gateway.key()), ("action", "balance"), ("comments", "")]);
        let body = format!("{head}{}", "a".repeat(bytes - head.len()));
        gateway.http("POST", "/api/v2", &[FORM], &body)
    };
    assert_eq!(sized(BODY_BYTES_MAX)?.status, 200);
    for bytes in [BODY_BYTES_MAX + 1, 5_000_000] {
        let reply = sized(bytes)?;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.error()?.contains("larger than 4194304 bytes"), "{reply:?}");
    }
    gateway.finish()
}

#[test]
fn headers_without_end_are_refused_and_hold_nobody_up() -> Result<()> {
    let gateway = Gateway::start(Engine::Sqlite, &Setup::two())?;
    assert_eq!(status_after(&gateway, &"X-Filler: a\r\n".repeat(20))?, Some(200));
    assert_eq!(status_after(&gateway, &"X-Filler: a\r\n".repeat(200))?, Some(431), "too many");
    let long = status_after(&gateway, &format!("X-Filler: {}\r\n", "a".repeat(5_000_000)))?;
    // It hangs up before it has read everything, which may cut off its answer.
    assert!(matches!(long, Some(431) | None), "too long: {long:?}");
    assert_eq!(gateway.balance()?, "100");
    gateway.finish()
}

/// What `/healthz` answers to a request with these headers; nothing if the connection is cut.
fn status_after(gateway: &Gateway, headers: &str) -> Result<Option<u16>> {
    let address = gateway.address()?.strip_prefix("http://").context("not an address")?;
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    let sent = connection.write_all(request.as_bytes());
    let mut answer = Vec::new();
    // Whatever came before the connection was cut is the answer; only silence is a failure.
    if let Err(error) = connection.read_to_end(&mut answer).and(sent)
        && matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
    {
        return Err(error.into());
    }
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()))
}

#[test]
fn an_upstream_address_must_not_lead_into_our_own_network() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::empty(engine, &Setup::two())?;
        // Nothing answers here: it only notes whether somebody comes.
        let door = TcpListener::bind("127.0.0.1:0")?;
        door.set_nonblocking(true)?;
        let port = door.local_addr()?.port();
        let sync = |permission: &str| -> Result<Value> {
            let upstream = |id: &str, host: &str| {
                format!(
                    "[[upstream]]\nid = \"{id}\"\nurl = \"http://{host}:{port}/api/v2\"\nkey = \"plain:door-key\"\n\
                     timeout_ms = 300\n{permission}\n"
                )
            };
            let file = [upstream("address", "127.0.0.1"), upstream("name", "localhost")].concat();
            gateway.write("catalogue.toml", &file)?;
            gateway.done(&["apply", "catalogue.toml"])?;
            let output = gateway.cli(&["upstream", "sync", "--json"])?;
            assert_eq!(output.code, 1, "{output:?}");
            assert!(output.stderr.contains("address") && output.stderr.contains("name"), "{output:?}");
            Ok(serde_json::from_str(&output.stdout)?)
        };
        let refused = sync("")?;
        for id in ["address", "name"] {
            let error = text(entry(&refused, "id", id)?, "error");
            assert!(error.contains("private address") && error.contains("allow_private_address"), "{refused}");
        }
        let nobody = door.accept().err().context("somebody came")?;
        assert_eq!(nobody.kind(), ErrorKind::WouldBlock);

        // And with permission somebody does come, so the door would have noticed.
        let failed = sync("allow_private_address = true")?;
        assert!(!failed.to_string().contains("allow_private_address"), "{failed}");
        door.accept().context("nobody came")?;
        gateway.finish()
    })
}
