//! What nobody may read: keys, in the most talkative of logs and in what commands say.

use acceptance::{ACCOUNT, Gateway, Setup, form, on_both, sandbox::FaultKind};
use anyhow::Result;
use serde_json::json;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn no_key_is_logged_however_much_is() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &Setup::two().setting("TELEMETRY__LOG", "trace"))?;
        let (key, guess) = (gateway.key().to_owned(), format!("il_{}", "5".repeat(48)));
        for (tried, status) in [(key.as_str(), 200), (&key[..key.len() - 1], 401), (guess.as_str(), 401)] {
            ask_in_every_way(&gateway, tried, status)?;
        }
        order_whatever_comes(&gateway)?;
        gateway.stop()?;

        let made = gateway.cli(&["key", "create", ACCOUNT])?;
        let mut read = vec![gateway.log()?, made.stderr];
        assert!(read[0].contains("TRACE") && read[1].contains("DEBUG"), "this is not the most that can be logged");
        let commands: [&[&str]; 4] =
            [&["apply", "catalogue.toml"], &["upstream", "sync"], &["upstream", "list"], &["key", "list", ACCOUNT]];
        for words in commands {
            let said = gateway.cli(words)?;
            assert_eq!(said.code, 0, "{words:?}: {said:?}");
            read.extend([said.stdout, said.stderr]);
        }
        // How a customer's key begins is no secret; the rest of it is one in every part.
        let mut secrets = [key.as_str(), guess.as_str(), made.stdout.trim()].map(|key| key[12..36].to_owned()).to_vec();
        for id in ["alpha", "beta"] {
            secrets.push(gateway.upstream(id)?.key().to_owned());
        }
        for secret in &secrets {
            assert!(!read.iter().any(|text| text.contains(secret.as_str())), "{secret} can be read");
        }
        gateway.finish()
    })
}

/// Asks for the balance with `key` wherever a key may stand.
fn ask_in_every_way(gateway: &Gateway, key: &str, status: u16) -> Result<()> {
    let (in_form, in_json) =
        (form(&[("key", key), ("action", "balance")]), json!({"key": key, "action": "balance"}).to_string());
    let (query, bearer, cookie) = (format!("/api/v2?{in_form}"), format!("Bearer {key}"), format!("key={key}"));
    for (method, path, headers, body) in [
        ("POST", "/api/v2", vec![FORM], in_form.as_str()),
        ("POST", "/api/v2", vec![JSON], in_json.as_str()),
        ("GET", query.as_str(), vec![], ""),
        ("POST", "/api/v2", vec![FORM, ("authorization", bearer.as_str())], "action=balance"),
        ("POST", "/api/v2", vec![FORM, ("cookie", cookie.as_str())], "action=balance"),
    ] {
        let reply = gateway.http(method, path, &headers, body)?;
        assert_eq!(reply.status, status, "{method} {headers:?}: {reply:?}");
    }
    // A path that is none, and a body that breaks off.
    assert_eq!(gateway.http("GET", &format!("/nowhere?{in_form}"), &[], "")?.status, 404);
    let broken = gateway.http("POST", "/api/v2", &[JSON], &in_json[..in_json.len() - 1])?;
    assert!([400, 401].contains(&broken.status), "{broken:?}");
    Ok(())
}

/// Orders that are taken, refused, lost, answered with nonsense, and whose upstream hangs up.
fn order_whatever_comes(gateway: &Gateway) -> Result<()> {
    let taken = gateway.place("https://example.com/taken", 1000)?;
    gateway.wait_attempt(taken, "accepted")?;
    let faults = [
        FaultKind::Refusal,
        FaultKind::TakeAndDrop,
        FaultKind::TakeAnd502,
        FaultKind::UnknownError,
        FaultKind::DropBeforeReading,
    ];
    for fault in faults {
        gateway.upstream("alpha")?.fail(fault, 1);
        gateway.place(&format!("https://example.com/{}", fault.name()), 1000)?;
    }
    for action in ["status", "cancel", "refill"] {
        gateway.post(&[("action", action), ("order", &taken.to_string())])?;
    }
    Ok(())
}
