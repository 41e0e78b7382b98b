//! The dialects of the panel faces: which one a caller is answered in, and what it looks like on the wire.

use acceptance::{ACCOUNT, Gateway, Reply, Setup, form, on_both, wait_until};
use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::support::{has, text};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

/// Asks by a form.
fn ask(gateway: &Gateway, path: &str, key: &str, pairs: &[(&str, &str)]) -> Result<Reply> {
    let all: Vec<(&str, &str)> = [("key", key)].into_iter().chain(pairs.iter().copied()).collect();
    gateway.http("POST", path, &[FORM], &form(&all))
}

/// Asks `/perfectPanel` as Streamrise's documentation does: by a JSON object, answered with 200 whatever happens.
fn ask_json(gateway: &Gateway, mut body: Value) -> Result<Value> {
    body["key"] = gateway.key().into();
    let reply = gateway.http("POST", "/perfectPanel", &[JSON], &body.to_string())?;
    assert_eq!((reply.status, reply.content_type.as_str()), (200, "application/json"), "{body}: {reply:?}");
    reply.json()
}

#[test]
fn perfect_panel_speaks_as_streamrise_does() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let ask = |body: Value| ask_json(&gateway, body);
        let query = form(&[("key", gateway.key()), ("action", "services")]);
        let services = gateway.http("GET", &format!("/perfectPanel?{query}"), &[], "")?;
        let wanted = concat!(
            r#"[{"service":101,"name":"Placement, standard","type":"Default","category":"Placements","rate":"2.50","#,
            r#""min":"10","max":"10000","cancel":true,"refill":false,"dripfeed":false,"desc":""}]"#,
        );
        assert_eq!(services.body, wanted);
        assert_eq!(ask(json!({"action": "balance"}))?, json!({"balance": "100.00", "currency": "USD"}));

        let link = "https://twitch.tv/username";
        let added = ask(json!({"action": "add", "service": 101, "link": link, "quantity": 1000}))?;
        has(&added, "order");
        let id = added["order"].as_i64().context("no id")?;
        gateway.wait_attempt(id, "accepted")?;
        assert_eq!(gateway.upstream("alpha")?.order(link)?.quantity, 1000);
        let status = ask(json!({"action": "status", "order": id}))?;
        has(&status, "charge start_count status remains currency");
        assert_eq!((text(&status, "charge"), text(&status, "remains")), ("2.50", "1000"), "{status}");
        let many = ask(json!({"action": "status", "orders": format!("{id},99999")}))?;
        has(&many, &format!("{id} 99999"));
        assert_eq!(text(&many[id.to_string()], "charge"), "2.50");
        assert_eq!(many["99999"], json!({"error": "Incorrect order ID"}));

        let canceled = ask(json!({"action": "cancel", "orders": format!("{id},99999")}))?;
        let wanted = json!([{"order": id, "cancel": 1}, {"order": 99999, "cancel": {"error": "Incorrect order ID"}}]);
        assert_eq!(canceled, wanted);
        for (call, error) in [
            (json!({"action": "status", "order": 99999}), "Incorrect order ID"),
            (json!({"action": "add", "service": 999, "link": link, "quantity": 100}), "Incorrect service ID"),
            (json!({"action": "add", "service": 101, "quantity": 100}), "`link` is missing"),
            (json!({"action": "add", "service": 101, "link": link, "quantity": 50_000}), "10000"),
        ] {
            let answer = ask(call.clone())?;
            has(&answer, "error");
            assert!(text(&answer, "error").contains(error), "{call}: {answer}");
        }
        gateway.finish()
    })
}

/// How a key is answered at a path: whether service ids are numbers there, what a cancellation of nothing looks like, and
/// the code of a refusal.
fn manner(gateway: &Gateway, path: &str, key: &str) -> Result<(bool, Value, u16)> {
    let services = ask(gateway, path, key, &[("action", "services")])?.json()?;
    let canceled = ask(gateway, path, key, &[("action", "cancel"), ("orders", "99999")])?.json()?;
    let refused = ask(gateway, path, key, &[("action", "status"), ("order", "99999")])?;
    assert_eq!(refused.error()?, "Incorrect order ID", "{path}");
    Ok((services[0]["service"].is_i64(), canceled[0].clone(), refused.status))
}

fn seed() -> (bool, Value, u16) {
    (false, json!({"order": 99999, "error": "Incorrect order ID"}), 404)
}

fn classic() -> (bool, Value, u16) {
    (true, json!({"order": 99999, "cancel": {"error": "Incorrect order ID"}}), 200)
}

#[test]
fn a_dialect_is_configured_and_a_key_may_have_its_own() -> Result<()> {
    on_both(|engine| {
        for (configured, usual) in [("seed", seed()), ("classic", classic())] {
            let setup = Setup::two().setting("PANEL__DIALECT", configured);
            let mut gateway = Gateway::prepare(engine, &setup)?;
            let of_seed = gateway.done(&["key", "create", ACCOUNT, "--dialect", "seed"])?;
            let of_classic = gateway.done(&["key", "create", ACCOUNT, "--dialect", "classic"])?;
            let wrong = gateway.cli(&["key", "create", ACCOUNT, "--dialect", "baroque"])?;
            assert_eq!(wrong.code, 2, "{wrong:?}");
            assert!(wrong.stderr.contains("seed") && wrong.stderr.contains("classic"), "{wrong:?}");
            gateway.serve()?;
            for (key, wanted) in [(gateway.key(), &usual), (of_seed.trim(), &seed()), (of_classic.trim(), &classic())] {
                assert_eq!(&manner(&gateway, "/api/v2", key)?, wanted, "configured {configured}");
                // The other face has one dialect, which numbers services and cancels as the classic one does.
                assert_eq!(manner(&gateway, "/perfectPanel", key)?, classic(), "configured {configured}");
            }
            // Who is not known yet is answered as it is configured.
            let stranger = ask(&gateway, "/api/v2", "nobody", &[("action", "balance")])?;
            let code = if configured == "seed" { 401 } else { 200 };
            assert_eq!((stranger.status, stranger.error()?.as_str()), (code, "Invalid API key"));
            gateway.finish()?;
        }
        Ok(())
    })
}

#[test]
fn a_cancellation_that_is_taken_looks_as_the_dialect_has_it() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::prepare(engine, &Setup::two())?;
        let of_classic = gateway.done(&["key", "create", ACCOUNT, "--dialect", "classic"])?;
        gateway.serve()?;
        let taken = json!({"status": "success"});
        let cases = [
            ("/api/v2", gateway.key(), taken.clone()),
            ("/api/v2", of_classic.trim(), json!(1)),
            ("/perfectPanel", gateway.key(), json!(1)),
        ];
        for (number, (path, key, wanted)) in cases.into_iter().enumerate() {
            let place = |name: &str| gateway.place(&format!("https://example.com/{name}/{number}"), 100);
            let (alone, listed) = (place("alone")?, place("listed")?);
            gateway.wait_attempt(alone, "accepted")?;
            gateway.wait_attempt(listed, "accepted")?;
            let many = ask(&gateway, path, key, &[("action", "cancel"), ("orders", &listed.to_string())])?;
            assert_eq!((many.status, many.json()?), (200, json!([{"order": listed, "cancel": wanted}])), "{path}");
            let one = ask(&gateway, path, key, &[("action", "cancel"), ("order", &alone.to_string())])?;
            assert_eq!((one.status, one.json()?), (200, taken.clone()), "{path}");
        }
        gateway.finish()
    })
}

#[test]
fn codes_are_sent_or_left_out_as_configured() -> Result<()> {
    on_both(|engine| {
        for (dialect, http_status, code) in [
            ("seed", "auto", 404),
            ("seed", "codes", 404),
            ("seed", "always-200", 200),
            ("classic", "codes", 404),
            ("classic", "always-200", 200),
        ] {
            let setup = Setup::two().setting("PANEL__DIALECT", dialect).setting("PANEL__HTTP_STATUS", http_status);
            let gateway = Gateway::start(engine, &setup)?;
            assert_eq!(manner(&gateway, "/api/v2", gateway.key())?.2, code, "{dialect} {http_status}");
            assert_eq!(manner(&gateway, "/perfectPanel", gateway.key())?.2, 200, "{dialect} {http_status}");
            assert_eq!(gateway.balance()?, "100", "an answer is the same with either");
            gateway.finish()?;
        }
        Ok(())
    })
}

#[test]
fn refills_are_answered_alike_on_both_faces() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let id = gateway.place("https://example.com/unfinished", 100)?;
        let (one, two) = (id.to_string(), format!("{id},Array"));
        for (path, has_codes) in [("/api/v2", true), ("/perfectPanel", false)] {
            let reply = |action: &str, field: &str, value: &str| -> Result<(u16, Value)> {
                let reply = ask(&gateway, path, gateway.key(), &[("action", action), (field, value)])?;
                Ok((reply.status, reply.json()?))
            };
            let code = |code: u16| if has_codes { code } else { 200 };
            let (not_eligible, no_order) = ("Order not eligible for refill", "Incorrect order ID");
            let no_refill = "Refill not found";
            for (action, field, value, status, wanted) in [
                ("refill", "order", one.as_str(), code(400), json!({"error": not_eligible})),
                ("refill", "order", "99999", code(404), json!({"error": no_order})),
                (
                    "refill",
                    "orders",
                    two.as_str(),
                    200,
                    json!([
                        {"order": id, "refill": {"error": not_eligible}},
                        {"order": "Array", "refill": {"error": no_order}},
                    ]),
                ),
                ("refill_status", "refill", "99999", code(404), json!({"error": no_refill})),
                ("refill_status", "refill", "ref_01H", code(404), json!({"error": no_refill})),
                (
                    "refill_status",
                    "refills",
                    "99999,Array",
                    200,
                    json!([
                        {"refill": 99999, "status": {"error": no_refill}},
                        {"refill": "Array", "status": {"error": no_refill}},
                    ]),
                ),
            ] {
                assert_eq!(reply(action, field, value)?, (status, wanted), "{path} {action} {field}={value}");
            }
        }
        gateway.finish()
    })
}

#[test]
fn a_passing_fault_is_never_an_error_of_a_status_whatever_the_dialect() -> Result<()> {
    on_both(|engine| {
        for path in ["/perfectPanel", "/api/v2"] {
            let setup = Setup::two().setting("PANEL__DIALECT", "classic").setting("LIMITS__KEY_PER_MINUTE", "3");
            let gateway = Gateway::start(engine, &setup)?;
            let mut last = None;
            wait_until("the limit", || {
                let reply = ask(&gateway, path, gateway.key(), &[("action", "balance")])?;
                let limited = reply.error()? == "Rate limit exceeded";
                last = Some(reply);
                Ok(limited)
            })?;
            let limited = last.context("no reply")?;
            assert_eq!((limited.status, limited.retry_after.is_some()), (200, true), "{path}: {limited:?}");
            // Whatever else is wrong with the question.
            let too_many = (1..=101).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
            for (action, field, value) in [
                ("status", "order", "1"),
                ("status", "orders", "1"),
                ("refill_status", "refill", "1"),
                ("multiStatus", "orders", too_many.as_str()),
                ("status", "orders", ""),
                ("status", "orders", "error"),
                ("refill_status", "order", "1"),
            ] {
                let bare = ask(&gateway, path, gateway.key(), &[("action", action), (field, value)])?;
                let told = (bare.status, bare.body.as_str(), bare.retry_after.is_some());
                assert_eq!(told, (429, "", true), "{path} {action} {field}={value}");
            }
            let json = json!({"key": gateway.key(), "action": "status", "orders": {"1": 1}}).to_string();
            let bare = gateway.http("POST", path, &[JSON], &json)?;
            assert_eq!((bare.status, bare.body.as_str()), (429, ""), "{path}");
            gateway.finish()?;
        }
        Ok(())
    })
}
