//! What can be seen from outside: the numbers of `/metrics`, and why orders are slow.

use std::collections::{BTreeMap, BTreeSet};

use acceptance::{Engine, Gateway, SERVICE, Setup, UpstreamSetup, form, on_both, sandbox::FaultKind, send, wait_until};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::support::{case_of, entry, text};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Every number that there is, with its type. Dashboards and alarms go by these names.
const METRICS: [(&str, &str); 26] = [
    ("interline_requests_total", "counter"),
    ("interline_request_seconds", "histogram"),
    ("interline_requests_in_progress", "gauge"),
    ("interline_limited_total", "counter"),
    ("interline_orders", "gauge"),
    ("interline_attempts_total", "counter"),
    ("interline_upstream_seconds", "histogram"),
    ("interline_upstream_errors_total", "counter"),
    ("interline_upstream_held_back_total", "counter"),
    ("interline_dispatch_wait_seconds", "histogram"),
    ("interline_attempts_queued", "gauge"),
    ("interline_write_group_operations", "histogram"),
    ("interline_write_seconds", "histogram"),
    ("interline_writer_queue", "gauge"),
    ("interline_due", "gauge"),
    ("interline_due_late_seconds", "gauge"),
    ("interline_cache_total", "counter"),
    ("interline_cases_open", "gauge"),
    ("interline_cases_open_amount", "gauge"),
    ("interline_earned", "gauge"),
    ("interline_upstream_balance", "gauge"),
    ("interline_upstream_available", "gauge"),
    ("interline_upstream_committed", "gauge"),
    ("interline_upstream_unknown", "gauge"),
    ("interline_resident_memory_bytes", "gauge"),
    ("interline_build_info", "gauge"),
];

/// What labels may say, where that is fixed; the others hold upstreams, currencies and kinds of cases.
const LABELS: [(&str, &str); 13] = [
    ("face", "api_v2 perfect_panel"),
    ("action", "add balance cancel other refill refill_status services status"),
    ("result", "bad_request busy hit miss no_funds no_upstream not_found ok too_fast unauthorized"),
    ("limit", "busy concurrency ip key rate wrong_key"),
    ("status", "Canceled Completed In_progress Partial Pending"),
    ("outcome", "accepted busy not_sent rejected unknown"),
    (
        "call",
        "balance cancel catalogue change delete orders pause prolong quote refill refill_status resume status submit \
         upgrade validate",
    ),
    ("stage", "commit prepare"),
    ("lane", "background customer"),
    ("cache", "balance key price_list status"),
    ("upstream", "alpha beta"),
    ("account", "cost loss revenue"),
    ("engine", "postgres sqlite"),
];

/// What `/metrics` says.
struct Numbers(String);

impl Numbers {
    fn of(gateway: &Gateway) -> Result<Self> {
        let reply = gateway.http("GET", "/metrics", &[], "")?;
        ensure!(reply.status == 200 && reply.content_type.starts_with("text/plain; version=0.0.4"), "{reply:?}");
        Ok(Self(reply.body))
    }

    /// The value of a series as it is written; empty if there is none.
    fn get(&self, series: &str) -> &str {
        self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).unwrap_or_default()
    }

    /// The value of a series that there must be.
    fn number(&self, series: &str) -> Result<f64> {
        self.get(series).parse().with_context(|| format!("no {series} in {}", self.0))
    }

    /// What each label says anywhere.
    fn labels(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let mut labels: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let series = self.0.lines().filter_map(|line| line.split_once('{')?.1.split_once("\"} "));
        for (name, value) in series.flat_map(|(pairs, _)| pairs.split("\",")).filter_map(|pair| pair.split_once("=\""))
        {
            labels.entry(name).or_default().insert(value.replace(' ', "_"));
        }
        labels
    }
}

/// Waits until a series has a value.
fn wait_number(gateway: &Gateway, series: &str, value: &str) -> Result<()> {
    let mut last = String::new();
    wait_until(&format!("{series} to be {value}"), || {
        Numbers::of(gateway)?.get(series).clone_into(&mut last);
        Ok(last == value)
    })
    .with_context(|| format!("it is `{last}`"))
}

/// What `doctor` found under that name.
fn found(gateway: &Gateway, check: &str) -> Result<Value> {
    Ok(entry(&gateway.json(&["doctor"])?, "check", check)?.clone())
}

#[test]
fn every_call_is_counted_by_what_came_of_it() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two().setting("LIMITS__KEY_PER_MINUTE", "20"))?;
        let order = gateway.place("https://example.com/counted", 1000)?.to_string();
        let add = |service, quantity| {
            vec![("action", "add"), ("service", service), ("link", "https://example.com/no"), ("quantity", quantity)]
        };
        for (pairs, status) in [
            (add(SERVICE, "1"), 400),
            (add("999", "100"), 404),
            (vec![("action", "dance")], 400),
            (vec![("action", "status"), ("order", order.as_str())], 200),
            (vec![("action", "status"), ("order", "999999")], 404),
            (vec![("action", "services")], 200),
            (vec![("action", "services")], 200),
        ] {
            assert_eq!(gateway.post(&pairs)?.status, status, "{pairs:?}");
        }
        let other_face = json!({"key": gateway.key(), "action": "balance"}).to_string();
        assert_eq!(gateway.http("POST", "/perfectPanel", &[], &other_face)?.status, 200);
        let stranger = form(&[("key", "nobody"), ("action", "balance")]);
        assert_eq!(gateway.http("POST", "/api/v2", &[FORM], &stranger)?.status, 401);
        let mut balances = 0;
        loop {
            match gateway.post(&[("action", "balance")])?.status {
                200 if balances < 1_000 => balances += 1,
                429 => break,
                other => bail!("{other} after {balances} calls"),
            }
        }
        let seen = Numbers::of(&gateway)?;
        for (face, action, result, times) in [
            ("api_v2", "add", "ok", 1),
            ("api_v2", "add", "bad_request", 1),
            ("api_v2", "add", "not_found", 1),
            ("api_v2", "other", "bad_request", 1),
            ("api_v2", "status", "ok", 1),
            ("api_v2", "status", "not_found", 1),
            ("api_v2", "services", "ok", 2),
            ("api_v2", "balance", "ok", balances),
            ("api_v2", "balance", "unauthorized", 1),
            ("api_v2", "balance", "too_fast", 1),
            ("api_v2", "balance", "busy", 0),
            ("perfect_panel", "balance", "ok", 1),
            ("perfect_panel", "add", "ok", 0),
        ] {
            let series = format!("interline_requests_total{{face=\"{face}\",action=\"{action}\",result=\"{result}\"}}");
            assert_eq!(seen.get(&series), times.to_string(), "{series}");
        }
        for (series, value) in [
            ("interline_request_seconds_count{face=\"api_v2\",action=\"add\"}", "3"),
            ("interline_requests_in_progress", "0"),
            ("interline_limited_total{limit=\"key\"}", "1"),
            ("interline_limited_total{limit=\"ip\"}", "0"),
            ("interline_limited_total{limit=\"wrong_key\"}", "0"),
        ] {
            assert_eq!(seen.get(series), value, "{series}");
        }
        for (cache, result) in [("key", "hit"), ("key", "miss"), ("price_list", "miss"), ("status", "miss")] {
            let series = format!("interline_cache_total{{cache=\"{cache}\",result=\"{result}\"}}");
            assert!(seen.number(&series)? > 0.0, "{series}");
        }
        gateway.finish()
    })
}

#[test]
fn the_numbers_tell_of_orders_upstreams_and_money() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let alpha = gateway.upstream("alpha")?;
        let (done, refused, lost) =
            ("https://example.com/done", "https://example.com/refused", "https://example.com/lost");
        let first = gateway.place(done, 1000)?;
        alpha.fail(FaultKind::Refusal, 1);
        gateway.place(refused, 1000)?;
        alpha.fail(FaultKind::TakeAndDrop, 1);
        let unknown = gateway.place(lost, 1000)?;
        gateway.wait_attempt(unknown, "unknown")?;
        assert_eq!(gateway.post(&[("action", "dance")])?.status, 400);
        alpha.say(done, "Completed", Some(0))?;
        gateway.wait_status(first, "Completed")?;
        for (series, value) in [
            ("interline_attempts_total{upstream=\"alpha\",outcome=\"accepted\"}", "1"),
            ("interline_attempts_total{upstream=\"alpha\",outcome=\"rejected\"}", "1"),
            ("interline_attempts_total{upstream=\"alpha\",outcome=\"unknown\"}", "1"),
            ("interline_attempts_total{upstream=\"beta\",outcome=\"accepted\"}", "1"),
            ("interline_upstream_errors_total{upstream=\"alpha\",call=\"submit\",kind=\"network\"}", "1"),
            ("interline_upstream_seconds_count{upstream=\"alpha\",call=\"submit\"}", "3"),
            ("interline_dispatch_wait_seconds_count{upstream=\"beta\"}", "1"),
            ("interline_orders{status=\"Completed\"}", "1"),
            ("interline_orders{status=\"Pending\"}", "2"),
            ("interline_cases_open{kind=\"unknown\"}", "1"),
            ("interline_cases_open_amount{kind=\"unknown\",currency=\"USD\"}", "0.9"),
            ("interline_upstream_unknown{upstream=\"alpha\"}", "1"),
            ("interline_upstream_committed{upstream=\"alpha\",currency=\"USD\"}", "0.9"),
            ("interline_upstream_balance{upstream=\"alpha\",currency=\"USD\"}", "498.2"),
            ("interline_earned{account=\"revenue\",currency=\"USD\"}", "2.5"),
            ("interline_earned{account=\"cost\",currency=\"USD\"}", "0.9"),
        ] {
            wait_number(&gateway, series, value)?;
        }

        // What is over is shown as none, not as what it last was.
        gateway.done(&["review", "resolve", &case_of(&gateway, unknown)?, "--write-off"])?;
        wait_number(&gateway, "interline_cases_open{kind=\"unknown\"}", "0")?;
        wait_number(&gateway, "interline_upstream_unknown{upstream=\"alpha\"}", "0")?;
        wait_number(&gateway, "interline_earned{account=\"loss\",currency=\"USD\"}", "0.9")?;
        holds_the_contract(&gateway, &Numbers::of(&gateway)?)?;
        gateway.finish()
    })
}

/// Every number is there and says what it means, and nothing in it is a secret or without bounds.
fn holds_the_contract(gateway: &Gateway, seen: &Numbers) -> Result<()> {
    let known = BTreeMap::from(METRICS);
    for (name, kind) in METRICS {
        let help = seen.0.lines().find_map(|line| line.strip_prefix("# HELP ")?.strip_prefix(name)?.strip_prefix(' '));
        assert!(help.is_some_and(|help| help.len() > 10), "{name} does not say what it means: {help:?}");
        assert!(seen.0.contains(&format!("# TYPE {name} {kind}\n")), "{name} is no {kind}");
    }
    let types = seen.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let strange: Vec<_> = types.filter(|(name, _)| !known.contains_key(name)).collect();
    assert!(strange.is_empty(), "nobody knows of {strange:?}");
    let labels = seen.labels();
    for (label, allowed) in LABELS {
        let allowed: BTreeSet<_> = allowed.split(' ').map(str::to_owned).collect();
        let said = labels.get(label).with_context(|| format!("no label {label}"))?;
        assert!(said.is_subset(&allowed), "{label}: {said:?}");
    }
    // An id would begin with a digit, and bounds and the version alone do.
    for (label, values) in labels.iter().filter(|(label, _)| !["le", "version"].contains(label)) {
        assert!(values.iter().all(|value| value.starts_with(|c: char| c.is_ascii_alphabetic())), "{label}: {values:?}");
    }
    for secret in [gateway.key(), gateway.upstream("alpha")?.key(), "example.com", "dance"] {
        assert!(!seen.0.contains(secret), "{secret} stands in the numbers");
    }
    Ok(())
}

#[test]
fn the_numbers_are_for_this_machine_alone() -> Result<()> {
    let gateway = Gateway::start(Engine::Sqlite, &Setup::two())?;
    for header in [
        ("x-forwarded-for", "198.51.100.1"),
        // A proxy on this machine, whoever it calls for.
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=198.51.100.1"),
        ("x-real-ip", "198.51.100.1"),
    ] {
        let reply = gateway.http("GET", "/metrics", &[header], "")?;
        assert_eq!((reply.status, reply.body.as_str()), (404, ""), "{header:?}");
    }
    Numbers::of(&gateway)?;
    gateway.finish()
}

#[test]
fn the_numbers_may_have_an_address_of_their_own() -> Result<()> {
    let key = "TELEMETRY__METRICS_LISTEN";
    let gateway = Gateway::start(Engine::Sqlite, &Setup::two().setting(key, "127.0.0.1:0"))?;
    let log = gateway.log()?;
    let (_, rest) = log.split_once("metrics on ").context("the log does not say where")?;
    let address = rest.split_whitespace().next().unwrap_or_default();
    let reply = send("GET", address, &[("x-forwarded-for", "198.51.100.1")], "")?;
    assert!(reply.status == 200 && reply.body.contains("interline_build_info{"), "{address}: {reply:?}");
    assert_eq!(gateway.http("GET", "/metrics", &[], "")?.status, 404, "it is not on the server's own port then");

    let wrong = gateway.command().env(format!("INTERLINE_{key}"), "everywhere").args(["account", "list"]).output()?;
    let told = String::from_utf8_lossy(&wrong.stderr);
    assert!(wrong.status.code() == Some(2) && told.contains("telemetry.metrics_listen"), "{told}");
    gateway.finish()
}

#[test]
fn a_slow_upstream_is_named() -> Result<()> {
    on_both(|engine| {
        let slow = UpstreamSetup::new("alpha", "0.90").timeout_ms(15_000);
        let setup = Setup::of([slow, UpstreamSetup::new("beta", "1.20")]).setting("PANEL__DISPATCH_WAIT_MS", "50");
        let gateway = Gateway::start(engine, &setup)?;
        gateway.upstream("alpha")?.meet("add", FaultKind::Slow, 0, 2_300);
        let place = |number: u32| gateway.place(&format!("https://example.com/slow/{number}"), 1000);
        for order in (0..3).map(place).collect::<Result<Vec<_>>>()? {
            gateway.wait_attempt(order, "accepted")?;
        }
        let verdicts = found(&gateway, "upstream alpha verdicts")?;
        assert_eq!(text(&verdicts, "level"), "warning", "{verdicts}");
        assert!(text(&verdicts, "finding").contains("its last 3") && text(&verdicts, "advice").contains("alpha"));
        assert_eq!(text(&found(&gateway, "upstream beta verdicts")?, "level"), "info");

        let seen = Numbers::of(&gateway)?;
        let of_submit = "{upstream=\"alpha\",call=\"submit\"";
        assert_eq!(seen.get(&format!("interline_upstream_seconds_bucket{of_submit},le=\"1\"}}")), "0");
        assert_eq!(seen.get(&format!("interline_upstream_seconds_count{of_submit}}}")), "3");
        gateway.finish()
    })
}

#[test]
fn a_slow_disk_is_named() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two().sabotage("slow_commit"))?;
        gateway.place("https://example.com/disk", 1000)?;
        let commits = found(&gateway, "commits")?;
        assert_eq!(text(&commits, "level"), "warning", "{commits}");
        let name = match engine {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "Postgres",
        };
        assert!(text(&commits, "finding").contains(name) && text(&commits, "advice").contains("database.url"));

        let seen = Numbers::of(&gateway)?;
        assert_eq!(seen.get("interline_write_seconds_bucket{stage=\"commit\",le=\"0.05\"}"), "0");
        assert!(seen.number("interline_write_seconds_count{stage=\"commit\"}")? > 0.0);
        assert!(seen.number("interline_write_group_operations_count")? > 0.0);
        gateway.finish()
    })
}

#[test]
fn a_limit_that_holds_orders_back_is_named() -> Result<()> {
    on_both(|engine| {
        // Nothing else is to take the one call a second.
        let quiet = ["SYNC__CATALOGUE_MS", "SYNC__BALANCE_MS", "SYNC__STATUS_FIRST_MS", "SYNC__STATUS_MAX_MS"];
        let setup = Setup::of([UpstreamSetup::new("alpha", "0.90").limits(1, 1)]);
        let setup = quiet.into_iter().fold(setup, |setup, key| setup.setting(key, "900000"));
        let gateway = Gateway::start(engine, &setup.setting("PANEL__DISPATCH_WAIT_MS", "50"))?;
        for number in 0..15 {
            gateway.place(&format!("https://example.com/limit/{number}"), 1000)?;
        }
        let mut queue = Value::Null;
        wait_until("the doctor to see what waits", || {
            queue = found(&gateway, "upstream alpha queue")?;
            Ok(text(&queue, "level") == "warning")
        })
        .with_context(|| format!("it said {queue}"))?;
        assert!(text(&queue, "finding").contains("a limit"), "{queue}");
        assert!(text(&queue, "advice").contains("requests_per_second (1), burst (1)"), "{queue}");

        let held_back = "interline_upstream_held_back_total{upstream=\"alpha\",limit=\"rate\"}";
        assert!(Numbers::of(&gateway)?.number(held_back)? > 0.0);
        assert_eq!(Numbers::of(&gateway)?.get(&held_back.replace("rate", "concurrency")), "0");
        wait_until("an order that waited for more than a second", || {
            let (seen, wait) = (Numbers::of(&gateway)?, "interline_dispatch_wait_seconds");
            let quick = seen.number(&format!("{wait}_bucket{{upstream=\"alpha\",le=\"1\"}}"))?;
            Ok(seen.number(&format!("{wait}_count{{upstream=\"alpha\"}}"))? > quick)
        })?;
        wait_until("the number of those that wait", || {
            Ok(Numbers::of(&gateway)?.number("interline_attempts_queued{upstream=\"alpha\"}")? > 0.0)
        })?;
        gateway.finish()
    })
}
