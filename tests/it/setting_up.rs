//! From nothing to a running gateway: configuration, secrets, the catalogue file, the demo and the sandbox.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use acceptance::{Engine, Gateway, Server, Setup, on_both, sandbox::FaultKind, send, wait_until};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::support::{entry, has, text};

#[test]
fn applying_a_file_twice_changes_nothing() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::prepare(engine, &Setup::two())?;
        let count = |report: &Value| {
            ["created", "updated", "unchanged", "disabled"].map(|n| report[n].as_array().map(Vec::len))
        };
        let again = gateway.json(&["apply", "catalogue.toml"])?;
        has(&again, "created updated unchanged disabled");
        let [created, updated, unchanged, disabled] = count(&again);
        assert_eq!((created, updated, disabled), (Some(0), Some(0), Some(0)), "{again}");
        assert!(unchanged > Some(0), "{again}");

        let file = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        gateway.write("dearer.toml", &file.replace("rate = \"2.50\"", "rate = \"2.60\""))?;
        let dry = gateway.json(&["apply", "dearer.toml", "--dry-run"])?;
        assert_eq!(count(&dry)[1], Some(1), "{dry}");
        let wet = gateway.json(&["apply", "dearer.toml"])?;
        assert_eq!(wet, dry, "a dry run tells what a run does, and does nothing");
        assert_eq!(count(&gateway.json(&["apply", "dearer.toml"])?)[1], Some(0));
        gateway.finish()
    })
}

#[test]
fn what_a_file_leaves_out_of_a_section_is_disabled() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::prepare(engine, &Setup::two())?;
        let file = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        let (head, rest) = file.split_once("[[upstream]]\nid = \"beta\"").context("no beta")?;
        let (_, services) = rest.split_once("[[service]]").context("no service")?;
        let alone = format!(
            "{head}[[service]]{}",
            services.replace("[[service.offer]]\nupstream = \"beta\"\nservice = \"1\"\n", "")
        );
        gateway.write("alone.toml", &alone)?;
        let report = gateway.json(&["apply", "alone.toml"])?;
        assert!(report["disabled"].to_string().contains("beta"), "{report}");
        let enabled = |id: &str| -> Result<Value> {
            Ok(entry(&gateway.json(&["upstream", "list"])?, "id", id)?["enabled"].clone())
        };
        assert_eq!((enabled("alpha")?, enabled("beta")?), (json!(true), json!(false)));

        // All or nothing: a file with one mistake changes nothing, and this one would enable beta again.
        for (right, wrong, named) in [
            ("max = 10000", "max = 10000\ncolour = \"red\"", "colour"),
            ("[[service.offer]]\nupstream = \"alpha\"", "[[service.offer]]\nupstream = \"gamma\"", "gamma"),
        ] {
            gateway.write("wrong.toml", &file.replace(right, wrong))?;
            let refused = gateway.cli(&["apply", "wrong.toml"])?;
            assert_eq!(refused.code, 1, "{refused:?}");
            assert!(refused.stderr.contains(named) && refused.stderr.contains("wrong.toml"), "{refused:?}");
            assert_eq!(enabled("beta")?, false);
        }
        gateway.finish()
    })
}

#[test]
fn a_mistake_in_the_configuration_is_named() -> Result<()> {
    let gateway = Gateway::empty(Engine::Sqlite, &Setup::two())?;
    for (text, words) in [
        ("[panel]\ndispatch_wait = 5\n", ["dispatch_wait", "interline.toml"]),
        ("[panel]\nhttp_status = \"sometimes\"\n", ["http_status", "always-200"]),
        ("[sync]\ncatalogue_ms = \"often\"\n", ["catalogue_ms", "interline.toml"]),
        ("[routing]\nprice_max_age_s = 0\n", ["routing.price_max_age_s", "at least 1"]),
        ("[paint]\ncolour = \"red\"\n", ["paint", "interline.toml"]),
    ] {
        gateway.write("interline.toml", text)?;
        let output = gateway.command().env_remove("INTERLINE_SYNC__CATALOGUE_MS").args(["account", "list"]).output()?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_ne!(output.status.code(), Some(0), "{text}");
        assert!(words.iter().all(|word| told.contains(word)), "{text}: {told}");
    }
    gateway.write("interline.toml", "[panel]\ndispatch_wait_ms = 5\n")?;
    let with = |name: &str, value: &str| gateway.command().env(name, value).args(["account", "list"]).output();
    assert!(with("INTERLINE_HOME", "ignored, for it has no section")?.status.success());
    for name in ["INTERLINE_PANEL__DISPATCH_WAIT_MS", "INTERLINE_PANEL__DISPATCH", "INTERLINE_PAINT__COLOUR"] {
        let output = with(name, "soon")?;
        let told = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(!output.status.success(), "{name}");
        let key = name.rsplit("__").next().unwrap_or_default().to_lowercase();
        assert!(told.contains(&key), "{name}: {told}");
    }
    Ok(())
}

#[test]
fn secrets_are_kept_and_not_shown() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::prepare(engine, &Setup::two())?;
        let key = gateway.upstream("alpha")?.key();
        for words in [&["upstream", "list"][..], &["upstream", "list", "--json"], &["apply", "catalogue.toml"]] {
            let output = gateway.cli(words)?;
            assert!(!output.stdout.contains(key) && !output.stderr.contains(key), "{words:?}: {output:?}");
        }
        if engine == Engine::Sqlite {
            let mode = fs::metadata(gateway.folder().join("interline.key"))?.permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            for name in ["interline.db", "interline.db-wal"] {
                let bytes = fs::read(gateway.folder().join(name)).unwrap_or_default();
                let stored = String::from_utf8_lossy(&bytes);
                assert!(!stored.contains(key) && !stored.contains(gateway.key()), "{name} holds a key in plain text");
            }
        } else {
            let mut bare = gateway.command();
            let output = bare.env_remove("INTERLINE_SECRETS__MASTER_KEY").args(["account", "list"]).output()?;
            let told = String::from_utf8_lossy(&output.stderr).to_lowercase();
            assert_eq!(output.status.code(), Some(1), "{told}");
            assert!(told.contains("master_key") && told.contains("base64"), "it says how to make one: {told}");
        }
        gateway.finish()
    })
}

#[test]
fn a_referenced_key_is_read_by_whoever_calls_the_upstream() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::prepare(engine, &Setup::two())?;
        let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
        let file = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        let named = file.replace(&format!("plain:{}", alpha.key()), "env:ALPHA_KEY");
        let named = named.replace(&format!("plain:{}", beta.key()), "file:beta.secret");
        gateway.write("named.toml", &named)?;
        gateway.write("beta.secret", &format!("{}\n", beta.key()))?;
        gateway.done(&["apply", "named.toml"])?;
        let lacking = gateway.cli(&["upstream", "sync", "alpha", "--json"])?;
        assert!(lacking.code == 1 && lacking.stdout.contains("ALPHA_KEY"), "{lacking:?}");
        let reason = |gateway: &Gateway| -> Result<Value> {
            Ok(entry(&gateway.json(&["upstream", "list"])?, "id", "alpha")?["reason"].clone())
        };
        assert_eq!(reason(&gateway)?, Value::Null, "what this shell lacks stops nobody else");
        let mut sync = gateway.command();
        let output = sync.env("ALPHA_KEY", alpha.key()).args(["upstream", "sync"]).output()?;
        assert!(output.status.success(), "{output:?}");
        // What the server lacks stops orders.
        gateway.serve()?;
        let wanted = "the server cannot call it: the environment variable ALPHA_KEY";
        wait_until("the server to say what it lacks", || Ok(reason(&gateway)?.to_string().contains(wanted)))?;
        gateway.finish()
    })
}

#[test]
fn a_sync_tries_all_and_a_private_address_needs_leave() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::prepare(engine, &Setup::two())?;
        let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
        alpha.fail(FaultKind::RefuseConnection, 0);
        let before = beta.calls("services");
        assert_eq!(gateway.cli(&["upstream", "sync"])?.code, 1);
        assert!(beta.calls("services") > before);
        alpha.heal();
        assert!(gateway.done(&["upstream", "balance", "alpha"])?.contains("500"));

        let file = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        gateway.write("public.toml", &file.replace("allow_private_address = true\n", ""))?;
        gateway.done(&["apply", "public.toml"])?;
        let before = alpha.journal().calls.len();
        assert_eq!(gateway.cli(&["upstream", "sync", "alpha"])?.code, 1);
        assert_eq!(alpha.journal().calls.len(), before, "a private address was called without leave");
        gateway.finish()
    })
}

#[test]
fn a_sandbox_runs_by_itself() -> Result<()> {
    let gateway = Gateway::empty(Engine::Sqlite, &Setup::two())?;
    gateway.write("faults.toml", "[[fault]]\naction = \"services\"\nkind = \"too_many_requests\"\ncount = 1\n")?;
    let mut command = gateway.command();
    command.args(["sandbox", "--adapter", "perfectpanel", "--listen", "127.0.0.1:0", "--faults", "faults.toml"]);
    command.args(["--currency", "EUR", "--balance", "250", "--rate", "0.50"]);
    let server = Server::spawn(&mut command, &gateway.folder().join("sandbox.log"))?;
    let ask =
        |action: &str| send("GET", &format!("{}/api/v2?key=sandbox-key&action={action}", server.address), &[], "");
    assert_eq!(ask("services")?.status, 429);
    let services = ask("services")?.json()?;
    assert_eq!((&services[0]["service"], text(&services[0], "rate")), (&json!(1), "0.5"), "{services}");
    assert_eq!(ask("balance")?.json()?, json!({"balance": "250", "currency": "EUR"}));
    let journal = send("GET", &format!("{}/__journal", server.address), &[], "")?.json()?;
    has(&journal, "orders calls balance");
    assert_eq!(journal["calls"][0]["fault"], "too_many_requests");
    Ok(())
}

#[test]
fn a_sandbox_speaks_each_protocol() -> Result<()> {
    let gateway = Gateway::empty(Engine::Sqlite, &Setup::two())?;
    for (adapter, path, pointer, price) in [
        ("streamrise", "/api/getPrices?key=sandbox-key", "/twitchViewers/1/10", 0.005),
        ("streamskill", "/v1/tarifs", "/0/price", 0.005),
    ] {
        let mut command = gateway.command();
        command.args(["sandbox", "--adapter", adapter, "--listen", "127.0.0.1:0", "--rate", "0.50"]);
        let server = Server::spawn(&mut command, &gateway.folder().join(format!("{adapter}.log")))?;
        let key = [("authorization", "Bearer sandbox-key")];
        let listed = send("GET", &format!("{}{path}", server.address), &key, "")?.json()?;
        assert_eq!(listed.pointer(pointer), Some(&json!(price)), "{listed}");
        let journal = send("GET", &format!("{}/__journal", server.address), &[], "")?.json()?;
        assert_eq!(journal["calls"][0]["action"], "services");
    }
    Ok(())
}

#[test]
fn the_demo_works_as_it_is_printed() -> Result<()> {
    let curl = Command::new("curl").arg("--version").output();
    ensure!(curl.is_ok(), "this test runs what the demo prints: apt-get install curl");
    let gateway = Gateway::empty(Engine::Sqlite, &Setup::two())?;
    let mut command = gateway.command();
    command.args(["demo", "--listen", "127.0.0.1:0"]);
    let server = Server::spawn(&mut command, &gateway.folder().join("demo.log"))?;
    let printed = || -> Vec<String> {
        let said = server.said();
        let to_try = |line: &&str| line.starts_with("curl ") || line.starts_with("INTERLINE_DATABASE__URL=");
        said.lines().map(str::trim).filter(to_try).map(str::to_owned).collect()
    };
    let ends = |line: &String| line.ends_with("ledger verify");
    wait_until("every line to try", || Ok(printed().last().is_some_and(ends)))?;
    // From any folder, and without being told where the program is.
    let run = |line: &str| Command::new("sh").args(["-c", line]).current_dir("/").output();
    let mut tried = Vec::new();
    for line in printed() {
        let output = run(&line)?;
        if !line.starts_with("curl ") {
            assert!(output.status.success(), "{line}: {output:?}");
            if line.contains(" order show ") {
                let order: Value = serde_json::from_slice(&run(&format!("{line} --json"))?.stdout)?;
                let attempts = order["attempts"].as_array().into_iter().flatten();
                tried.push(attempts.map(|attempt| text(attempt, "upstream").to_owned()).collect::<Vec<_>>());
            }
            continue;
        }
        let answer: Value = serde_json::from_slice(&output.stdout).with_context(|| format!("{line}: {output:?}"))?;
        assert!(output.status.success() && answer.get("error").is_none(), "{line}: {answer}");
    }
    // The cheapest, and the next when that is broken.
    assert_eq!(tried, [vec!["streamrise"], vec!["streamrise", "panel"]]);
    assert_eq!(send("GET", &format!("{}/healthz", server.address), &[], "")?.status, 200);
    // It is made of temporary things and leaves nothing in the folder that it was started in.
    assert!(!gateway.folder().join("interline.db").exists());
    Ok(())
}

#[test]
fn a_new_folder_is_all_it_takes() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::empty(engine, &Setup::two())?;
        gateway.serve()?;
        assert_eq!(gateway.http("GET", "/healthz", &[], "")?.status, 200);
        let reply = gateway.http("POST", "/api/v2", &[], "key=any&action=balance")?;
        assert_eq!((reply.status, reply.error()?.as_str()), (401, "Invalid API key"));
        // Whoever starts with the command line finds the running server's books.
        gateway.done(&["account", "create", "panel-n"])?;
        let made = gateway.json(&["key", "create", "panel-n"])?;
        let body = format!("key={}&action=balance", text(&made, "key"));
        wait_until("the server to know the key", || Ok(gateway.http("POST", "/api/v2", &[], &body)?.status == 200))?;
        gateway.finish()
    })
}
