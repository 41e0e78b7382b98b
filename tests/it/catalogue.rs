//! The catalogue from the command line: exported and applied back, imported, looked at by the doctor, and a large file
//! applied while orders are taken.

use std::{
    fmt::Write as _,
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    process::Stdio,
    time::{Duration, Instant},
};

use acceptance::{
    Engine, Gateway, Setup, UpstreamSetup, on_both,
    sandbox::{FaultKind, Service},
    wait_until,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::support::{entry, has, text};

/// Entries with everything that a catalogue file can say, and texts that must be escaped.
const MORE: &str = r#"
[[currency]]
code = "EUR"
rate = "1.10"

[[service]]
id = 7
name = "Odd \"name\" \\ \t of\n'two' lines ✓ # no comment"
category = ""
type = "Custom Comments"
markup_percent = "-2.5"
min = 1
max = 2147483647
refill = true
dripfeed = true
enabled = false
description = "'''"
[[service.offer]]
upstream = "beta"
service = "likes-and-views"
enabled = false
params = { duration = 24, "a key" = "a \"value\"", fast = true }
[[service.offer]]
upstream = "beta"
service = "likes-and-views"

[[account]]
id = "panel-b"
currency = "EUR"
discount_percent = "12.5"
"#;

/// Services in the large file.
const LARGE: usize = 50_000;
/// How long an `add` may take meanwhile. This is an unoptimised build on a busy machine; the 100 ms of the contract are
/// measured with a release build.
const ADD_MAX: Duration = Duration::from_secs(1);

#[test]
fn what_is_exported_applies_back_without_a_change() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::prepare(engine, &Setup::two().more(MORE))?;
        let file = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        let (alpha, beta) = (gateway.upstream("alpha")?.key(), gateway.upstream("beta")?.key());
        gateway.write("catalogue.toml", &file.replace(&format!("plain:{alpha}"), "env:ALPHA_KEY"))?;
        gateway.done(&["apply", "catalogue.toml"])?;

        let written = gateway.json(&["export-catalogue", "--output", "exported.toml"])?;
        assert_eq!(
            (&written["upstreams"], &written["services"], &written["accounts"]),
            (&json!(2), &json!(2), &json!(2))
        );
        let exported = fs::read_to_string(gateway.folder().join("exported.toml"))?;
        assert!(exported.contains("key = \"env:ALPHA_KEY\"") && !exported.contains(beta), "{exported}");
        assert_eq!(gateway.done(&["export-catalogue"])?.trim(), exported.trim());

        let report = gateway.json(&["apply", "exported.toml"])?;
        assert_eq!([&report["created"], &report["updated"], &report["disabled"]], [&json!([]); 3], "{report}");
        assert_eq!(report["unchanged"].as_array().map(Vec::len), Some(7), "{report}");
        assert_eq!(gateway.done(&["export-catalogue"])?.trim(), exported.trim());

        let document = gateway.json(&["export-catalogue"])?;
        has(&document, "currency upstream service account");
        let odd = document["service"].as_array().and_then(|services| services.last()).context("no service")?;
        assert_eq!(text(odd, "name"), "Odd \"name\" \\ \t of\n'two' lines ✓ # no comment");
        assert_eq!(odd["offer"][0]["params"], json!({"duration": "24", "a key": "a \"value\"", "fast": "true"}));
        assert_eq!(odd["offer"][1]["params"], json!({}));
        gateway.finish()
    })
}

#[test]
fn an_export_replaces_its_file_whole_or_not_at_all() -> Result<()> {
    let gateway = Gateway::prepare(Engine::Sqlite, &Setup::two())?;
    gateway.write("exported.toml", &"x".repeat(100_000))?;
    gateway.done(&["export-catalogue", "--output", "exported.toml"])?;
    let exported = fs::read_to_string(gateway.folder().join("exported.toml"))?;
    assert!(!exported.contains("xx") && exported.ends_with('\n'), "{exported}");
    fs::create_dir(gateway.folder().join("folder"))?;
    for nowhere in ["folder", "missing/exported.toml", "/dev/null"] {
        let refused = gateway.cli(&["export-catalogue", "--output", nowhere])?;
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains(nowhere), "{refused:?}");
    }
    for file in fs::read_dir(gateway.folder())? {
        let name = file?.file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with(".exported"), "{name} was left behind");
    }
    gateway.finish()
}

#[test]
fn what_is_imported_is_not_sold_until_somebody_enables_it() -> Result<()> {
    on_both(|engine| {
        let listed = |id: &str, name: &str, category: &str, service_type: &str| Service {
            id: id.to_owned(),
            name: name.to_owned(),
            category: category.to_owned(),
            service_type: service_type.to_owned(),
            rate: "2.20".to_owned(),
            min: 20,
            max: 4_000,
            refill: false,
            cancel: true,
            dripfeed: false,
        };
        let alpha = UpstreamSetup::new("alpha", "0.90")
            .also(listed("12", "Reach, wide", "Reach", "Default"))
            .also(listed("9", "Reach, regional", "Reach", "Default"))
            .also(listed("13", "Views", "Far REACHING", "Custom Comments"))
            .also(listed("14", "Reach in space", "Reach", "Hologram"))
            .also(listed("15", "Views, slow", "Views", "Default"));
        let gateway = Gateway::start(engine, &Setup::of([alpha]))?;
        let import = |more: &[&str]| {
            let words = [&["service", "import", "--upstream", "alpha"][..], more].concat();
            gateway.json(&words)
        };
        let done = import(&["--match", "reach", "--markup", "40"])?;
        has(&done, "created offered unknown_type out_of_bounds unpriced");
        let names = |done: &Value| -> Vec<Value> {
            done["created"].as_array().into_iter().flatten().map(|s| json!([s["id"], s["upstream_service"]])).collect()
        };
        assert_eq!(names(&done), [json!([102, "9"]), json!([103, "12"]), json!([104, "13"])], "{done}");
        assert_eq!((&done["offered"], &done["unknown_type"]), (&json!(0), &json!(1)), "{done}");
        let again = import(&["--match", "reach"])?;
        assert_eq!((&again["created"], &again["offered"]), (&json!([]), &json!(3)), "{again}");
        assert_eq!(names(&import(&[])?), [json!([105, "15"])]);

        let services = gateway.json(&["service", "list"])?;
        has(&services[0], "id name category type rate markup_percent min max enabled offers");
        let ids: Vec<&Value> = services.as_array().into_iter().flatten().map(|s| &s["id"]).collect();
        assert_eq!(ids, [101, 102, 103, 104, 105]);
        let wide = json!({
            "id": 103, "name": "Reach, wide", "category": "Reach", "type": "Default", "rate": "3.08",
            "markup_percent": "40", "min": 20, "max": 4_000, "enabled": false, "offers": 1,
        });
        assert_eq!(services[2], wide);
        assert_eq!(text(&services[4], "markup_percent"), "30");
        assert_eq!(gateway.json(&["service", "list", "--after", "102", "--limit", "1"])?, json!([wide]));

        // The running server knows it and does not sell it.
        let shop = |service: &str| {
            gateway.panel(&[
                ("action", "add"),
                ("service", service),
                ("link", "https://example.com/i"),
                ("quantity", "100"),
            ])
        };
        assert_eq!(text(&shop("103")?.1, "error"), "Incorrect service ID");
        let exported = gateway.done(&["export-catalogue"])?;
        gateway.write("enabled.toml", &exported.replace("enabled = false", "enabled = true"))?;
        assert_eq!(gateway.json(&["apply", "enabled.toml"])?["updated"].as_array().map(Vec::len), Some(4));
        wait_until("service 103 to be sold", || Ok(shop("103")?.0 == 200))?;
        gateway.finish()
    })
}

#[test]
fn an_import_that_cannot_be_done_says_why() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::prepare(engine, &Setup::two())?;
        let file = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        let unread = "[[upstream]]\nid = \"gamma\"\nurl = \"https://gamma.example/api/v2\"\nkey = \"plain:x\"\n";
        gateway.write("more.toml", &format!("{file}\n{unread}"))?;
        gateway.done(&["apply", "more.toml"])?;
        let cases: [(&[&str], i32, &str); 4] = [
            (&["--upstream", "gamma"], 1, "interline upstream sync gamma"),
            (&["--upstream", "delta"], 1, "delta"),
            (&["--upstream", "alpha", "--markup", "-101"], 2, "-100"),
            (&["--upstream", "alpha", "--markup", "a lot"], 2, "--markup"),
        ];
        for (words, code, told) in cases {
            let output = gateway.cli(&[&["service", "import"][..], words].concat())?;
            assert_eq!(output.code, code, "{words:?}: {output:?}");
            assert!(output.stderr.contains(told), "{words:?}: {output:?}");
        }
        gateway.finish()
    })
}

#[test]
fn the_doctor_says_what_is_wrong_and_changes_nothing() -> Result<()> {
    on_both(|engine| {
        // No server reads the catalogues meanwhile, and nobody is to say that they grow old.
        let gateway = Gateway::prepare(engine, &Setup::two().setting("SYNC__CATALOGUE_MS", "900000"))?;
        let before = gateway.json(&["ledger", "journal"])?;
        let healthy = doctor(&gateway, 0)?;
        has(&healthy[0], "check ok level finding advice");
        for check in
            ["configuration", "master key", "clock", "upstream alpha balance", "upstream beta catalogue", "cases"]
        {
            assert_eq!(level(&healthy, check)?, "info", "{healthy}");
        }
        let shown = entry(&healthy, "check", "database")?;
        assert!(text(shown, "finding").contains("schema version"), "{shown}");

        // Money that is booked there and is not there.
        gateway.done(&["upstream", "topup", "beta", "40", "--reference", "never-paid"])?;
        let booked = gateway.json(&["ledger", "journal"])?;
        let wrong = doctor(&gateway, 1)?;
        let balance = entry(&wrong, "check", "upstream beta balance")?;
        assert_eq!((text(balance, "level"), &balance["ok"]), ("error", &json!(false)), "{balance}");
        assert!(text(balance, "finding").contains("40 USD less") && !text(balance, "advice").is_empty(), "{balance}");
        assert_eq!(level(&wrong, "upstream alpha balance")?, "info");

        // A key that is not where the catalogue says, and an upstream that does not answer.
        let file = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        let alpha = gateway.upstream("alpha")?;
        gateway.write("named.toml", &file.replace(&format!("plain:{}", alpha.key()), "env:ALPHA_KEY"))?;
        gateway.done(&["apply", "named.toml"])?;
        gateway.upstream("beta")?.fail(FaultKind::RefuseConnection, 0);
        let wrong = doctor(&gateway, 1)?;
        let key = entry(&wrong, "check", "upstream alpha key")?;
        assert!(text(key, "level") == "error" && text(key, "finding").contains("ALPHA_KEY"), "{key}");
        assert_eq!(level(&wrong, "upstream beta answer")?, "error");
        let people = gateway.cli(&["doctor"])?;
        assert!(people.code == 1 && people.stdout.contains("error") && people.stdout.contains("->"), "{people:?}");

        if engine == Engine::Sqlite {
            fs::set_permissions(gateway.folder().join("interline.key"), Permissions::from_mode(0o644))?;
            let open = doctor(&gateway, 1)?;
            let open = entry(&open, "check", "master key")?;
            assert!(text(open, "level") == "error" && text(open, "advice").contains("chmod 600"), "{open}");
        }
        assert_ne!(booked, before);
        assert_eq!(gateway.json(&["ledger", "journal"])?, booked, "the doctor booked something");
        gateway.finish()
    })
}

#[test]
fn the_doctor_knows_the_server_and_the_open_cases() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        gateway.upstream("alpha")?.fail(FaultKind::TakeAndDrop, 1);
        let lost = gateway.place("https://example.com/lost", 1000)?;
        gateway.wait_attempt(lost, "unknown")?;
        let found = doctor(&gateway, 0)?;
        assert!(text(entry(&found, "check", "server")?, "finding").contains("runs on this database"), "{found}");
        let cases = entry(&found, "check", "cases")?;
        assert!(
            text(cases, "level") == "warning" && text(cases, "finding").contains("1 open, over 0.9 USD"),
            "{cases}"
        );
        assert!(text(cases, "advice").contains("review list"), "{cases}");
        assert_eq!(level(&found, "upstream alpha exposure")?, "warning");
        assert_eq!(level(&found, "upstream alpha balance")?, "info");
        gateway.finish()
    })
}

#[test]
fn a_database_that_is_away_is_a_finding() -> Result<()> {
    let gateway = Gateway::empty(Engine::Sqlite, &Setup::two())?;
    let mut command = gateway.command();
    let output = command
        .env("INTERLINE_DATABASE__URL", "postgres://u:s3cret@127.0.0.1:1/d")
        .args(["doctor", "--json"])
        .output()?;
    let found: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((output.status.code(), level(&found, "database")?), (Some(1), "error"), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("s3cret"), "{output:?}");
    Ok(())
}

#[test]
fn a_mistake_in_the_last_entry_changes_nothing() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::prepare(engine, &Setup::two())?;
        let file = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        let many = many_services(2_000)?;
        let lines = format!("{file}{many}").lines().count();
        let exported = gateway.done(&["export-catalogue"])?;
        for (mistake, told) in [
            ("rate = \"2,50\"\n[[service.offer]]\nupstream = \"alpha\"", "`rate`"),
            ("rate = \"1\"\n[[service.offer]]\nupstream = \"gamma\"", "there is no upstream `gamma`"),
        ] {
            let last =
                format!("\n[[service]]\nid = 9999\nname = \"Last\"\nmin = 1\nmax = 2\n{mistake}\nservice = \"1\"\n");
            gateway.write("wrong.toml", &format!("{file}{many}{last}"))?;
            let refused = gateway.cli(&["apply", "wrong.toml"])?;
            assert_eq!(refused.code, 1, "{refused:?}");
            let names = ["wrong.toml", "service 9999", told];
            assert!(names.iter().all(|name| refused.stderr.contains(name)), "{refused:?}");
            let line = format!("line {}", lines + 3);
            assert!(told != "`rate`" || refused.stderr.contains(&line), "{line}: {refused:?}");
            assert_eq!(gateway.done(&["export-catalogue"])?, exported, "{mistake}");
        }
        gateway.write("many.toml", &format!("{file}{many}"))?;
        let told = gateway.json(&["apply", "many.toml", "--dry-run"])?;
        assert_eq!(gateway.done(&["export-catalogue"])?, exported, "a dry run changed something");
        assert_eq!(gateway.json(&["apply", "many.toml"])?, told);
        assert_eq!(gateway.json(&["apply", "many.toml"])?["unchanged"].as_array().map(Vec::len), Some(2_004));
        assert_eq!(gateway.json(&["service", "list"])?.as_array().map(Vec::len), Some(2_001));
        gateway.finish()
    })
}

#[test]
fn fifty_thousand_services_apply_while_orders_are_taken() -> Result<()> {
    // One engine after the other: how long an `add` takes is what is looked at.
    for engine in [Engine::Sqlite, Engine::Postgres] {
        apply_a_large_file(engine).with_context(|| format!("on {engine:?}"))?;
    }
    Ok(())
}

fn apply_a_large_file(engine: Engine) -> Result<()> {
    // Nothing but the file and the orders keeps it busy.
    let setup = Setup::two()
        .deposit("1000")
        .setting("SYNC__STATUS_FIRST_MS", "600000")
        .setting("SYNC__STATUS_MAX_MS", "900000")
        .setting("SYNC__CATALOGUE_MS", "900000")
        .setting("SYNC__BALANCE_MS", "60000");
    let gateway = Gateway::start(engine, &setup)?;
    let file = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
    gateway.write("large.toml", &format!("{file}{}", many_services(LARGE)?))?;
    // What it prints goes to a file, so that it never waits for a reader.
    let printed = File::create(gateway.folder().join("applied.json"))?;
    let mut apply = gateway.command();
    let mut apply = apply.args(["apply", "large.toml", "--json"]).stdout(Stdio::from(printed)).spawn()?;

    let (mut adds, mut slowest) = (0, Duration::ZERO);
    let mut add = || -> Result<Duration> {
        let began = Instant::now();
        gateway.place(&format!("https://example.com/large/{adds}"), 10)?;
        adds += 1;
        Ok(began.elapsed())
    };
    while apply.try_wait()?.is_none() {
        slowest = slowest.max(add()?);
    }
    ensure!(apply.wait()?.success(), "apply failed");
    // The server reads the new list while it takes orders, too.
    let last = (1_000 + LARGE).to_string();
    wait_until("the last service to be sold", || {
        slowest = slowest.max(add()?);
        let order =
            [("action", "add"), ("service", last.as_str()), ("link", "https://example.com/last"), ("quantity", "10")];
        Ok(gateway.panel(&order)?.0 == 200)
    })?;
    ensure!(adds >= 10 && slowest < ADD_MAX, "the slowest of {adds} `add` took {slowest:?}");

    let applied: Value = serde_json::from_slice(&fs::read(gateway.folder().join("applied.json"))?)?;
    assert_eq!(applied["created"].as_array().map(Vec::len), Some(LARGE));
    gateway.finish()
}

#[test]
fn every_shell_gets_its_completions() -> Result<()> {
    let gateway = Gateway::empty(Engine::Sqlite, &Setup::two())?;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = gateway.done(&["completions", shell])?;
        assert!(script.contains("interline") && script.contains("export-catalogue"), "{shell}: {script}");
    }
    assert_eq!(gateway.cli(&["completions", "tcsh"])?.code, 2);
    Ok(())
}

/// Services from 1001 on that `alpha` delivers, as entries of a catalogue file.
fn many_services(count: usize) -> Result<String> {
    let mut entries = String::new();
    for id in 1_001..=1_000 + count {
        write!(
            entries,
            "\n[[service]]\nid = {id}\nname = \"Placement {id}\"\nrate = \"2.50\"\nmin = 10\nmax = 10000\n\
             [[service.offer]]\nupstream = \"alpha\"\nservice = \"1\"\n"
        )?;
    }
    Ok(entries)
}

/// What `doctor --json` says; it ends with that exit code.
fn doctor(gateway: &Gateway, code: i32) -> Result<Value> {
    let output = gateway.cli(&["doctor", "--json"])?;
    assert_eq!(output.code, code, "{output:?}");
    serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))
}

/// How bad one check turned out.
fn level<'a>(found: &'a Value, check: &str) -> Result<&'a str> {
    Ok(text(entry(found, "check", check)?, "level"))
}
