//! The command line: shapes of `--json`, exit codes, references that count once.

use acceptance::{
    ACCOUNT, Engine, Gateway, Setup, on_both,
    sandbox::{Fault, FaultKind},
};
use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::support::{case_of, entry, has, text};

/// An entry of `order list`.
const ORDER: &str = "id account service target quantity status charge refund remains currency upstream \
                     upstream_order created_at";

/// An entry of `review list`.
const CASE: &str = "case kind status order attempt upstream amount currency opened_at age_s suggested";

/// Every command that exists, as its words.
const COMMANDS: [&str; 32] = [
    "demo",
    "serve",
    "apply",
    "export-catalogue",
    "service list",
    "service import",
    "upstream list",
    "upstream sync",
    "upstream balance",
    "upstream topup",
    "account create",
    "account list",
    "account show",
    "account deposit",
    "account adjust",
    "key create",
    "key list",
    "key revoke",
    "order list",
    "order show",
    "order retry-status",
    "review list",
    "review show",
    "review resolve",
    "route explain",
    "ledger verify",
    "ledger trial-balance",
    "ledger statement",
    "ledger journal",
    "doctor",
    "completions",
    "sandbox",
];

#[test]
fn every_command_explains_itself_with_an_example() -> Result<()> {
    let gateway = Gateway::empty(Engine::Sqlite, &Setup::two())?;
    for command in COMMANDS {
        let mut words: Vec<&str> = command.split(' ').collect();
        words.push("--help");
        let help = gateway.done(&words)?;
        assert!(help.contains("Example") && help.contains(&format!("interline {command}")), "{command}:\n{help}");
    }
    Ok(())
}

#[test]
fn the_sandbox_names_every_fault_and_where_it_may_strike() -> Result<()> {
    let gateway = Gateway::empty(Engine::Sqlite, &Setup::two())?;
    let help = gateway.done(&["sandbox", "--help"])?;
    for name in FaultKind::ALL.map(FaultKind::name).into_iter().chain(Fault::ACTIONS) {
        assert!(help.contains(name), "{name} is missing:\n{help}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_meant_is_wrong_usage_and_says_why() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::prepare(engine, &Setup::two())?;
        let sandbox = |more: &[&'static str]| {
            [&["sandbox", "--adapter", "perfectpanel", "--listen", "127.0.0.1:0"][..], more].concat()
        };
        let backwards = ["--from", "2026-11-22", "--to", "2026-11-21"];
        for (words, says) in [
            (vec!["demo", "--json"], "--json"),
            (sandbox(&["--json"]), "--json"),
            (sandbox(&["--rate", "0"]), "--rate"),
            (sandbox(&["--balance", "much"]), "--balance"),
            (sandbox(&["--currency", "dollars"]), "--currency"),
            (vec!["key", "create", ACCOUNT, "--expires", "2020-01-01"], "--expires"),
            ([&["ledger", "journal"][..], &backwards].concat(), "--from"),
            ([&["ledger", "trial-balance"][..], &backwards].concat(), "--from"),
            ([&["ledger", "statement", ACCOUNT][..], &backwards].concat(), "--from"),
        ] {
            let output = gateway.cli(&words)?;
            assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{words:?}: {output:?}");
            assert!(output.stderr.contains(says), "{words:?}: {output:?}");
        }
        // An empty span is a span.
        assert_eq!(gateway.json(&["ledger", "journal", "--from", "2020-01-01", "--to", "2020-01-01"])?, json!([]));
        assert_eq!(gateway.json(&["key", "list", ACCOUNT])?.as_array().map(Vec::len), Some(1));
        gateway.finish()
    })
}

#[test]
fn exit_codes_tell_failure_from_wrong_usage() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::empty(engine, &Setup::two())?;
        let cases: [(&[&str], i32); 12] = [
            (&["account", "create", "panel-z", "--currency", "USD"], 0),
            (&["account", "list", "--json"], 0),
            (&["account", "show", "nobody"], 1),
            (&["account", "deposit", "nobody", "1", "--reference", "r"], 1),
            (&["key", "create", "nobody"], 1),
            (&["key", "revoke", "999999"], 1),
            (&["order", "show", "999999"], 1),
            (&["apply", "missing.toml"], 1),
            (&["route", "explain", "--service", "999", "--quantity", "100"], 1),
            (&["explode"], 2),
            (&["account", "deposit", "panel-z"], 2),
            (&["account", "deposit", "panel-z", "a lot", "--reference", "r"], 2),
        ];
        for (words, code) in cases {
            let output = gateway.cli(words)?;
            assert_eq!(output.code, code, "{words:?}: {output:?}");
            assert!(code == 0 || !output.stderr.is_empty(), "{words:?} fails without a word");
        }
        gateway.finish()
    })
}

#[test]
fn a_reference_counts_once() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::prepare(engine, &Setup::two())?;
        let deposit = |amount: &str| gateway.cli(&["account", "deposit", ACCOUNT, amount, "--reference", "wire-7"]);
        let topup = |amount: &str| gateway.cli(&["upstream", "topup", "alpha", amount, "--reference", "wire-8"]);
        let adjust = |amount: &str| {
            gateway.cli(&["account", "adjust", ACCOUNT, amount, "--reason", "goodwill", "--reference", "sorry-1"])
        };
        assert_eq!((deposit("12.50")?.code, topup("40")?.code, adjust("-2")?.code), (0, 0, 0));
        for again in [deposit("12.5")?, topup("40.00")?, adjust("-2")?] {
            assert_eq!(again.code, 0, "{again:?}");
            assert!(again.stdout.contains("already booked"), "{again:?}");
        }
        for other in [deposit("13")?, topup("41")?, adjust("2")?] {
            assert_eq!(other.code, 1, "{other:?}");
        }
        let account = gateway.json(&["account", "show", ACCOUNT])?;
        assert_eq!(account, json!({"id": ACCOUNT, "currency": "USD", "balance": "110.5", "enabled": true}));
        assert_eq!(gateway.ledger("assets:upstream:alpha:USD")?, "540");
        assert_eq!(gateway.ledger("expenses:goodwill:USD")?, "-2");
        gateway.finish()
    })
}

#[test]
fn json_has_the_shapes_of_the_contract() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let id = gateway.place("https://example.com/shape", 1000)?;
        gateway.wait_attempt(id, "accepted")?;
        gateway.upstream("alpha")?.fail(FaultKind::TakeAndDrop, 1);
        let lost = gateway.place("https://example.com/lost", 1000)?;
        gateway.wait_attempt(lost, "unknown")?;
        let first = |words: &[&str]| -> Result<Value> { Ok(gateway.json(words)?[0].clone()) };

        has(&first(&["order", "list", "--account", ACCOUNT])?, ORDER);
        let shown = gateway.order(id)?;
        has(&shown, &format!("{ORDER} attempts timeline postings plan"));
        has(&shown["attempts"][0], "id upstream state upstream_order reserve cost currency");
        has(&shown["timeline"][0], "at kind text data");
        has(&shown["postings"][0], "key at entries");
        has(&shown["postings"][0]["entries"][0], "account currency amount");

        let upstream = "id adapter enabled currency book reading reading_at committed claims disputed unknown_count \
                        available reason";
        has(&first(&["upstream", "list"])?, upstream);
        has(&first(&["review", "list"])?, CASE);
        has(&gateway.json(&["review", "show", &case_of(&gateway, lost)?])?, &format!("{CASE} evidence"));
        let plan = gateway.json(&["route", "explain", "--service", "101", "--quantity", "1000"])?;
        has(&plan, "candidates");
        has(&plan["candidates"][0], "rank upstream service cost currency cost_base margin_percent taken reason");

        has(&gateway.json(&["key", "create", ACCOUNT])?, "id key account label");
        has(&first(&["key", "list", ACCOUNT])?, "id label prefix created_at revoked_at");
        has(&first(&["account", "list"])?, "id currency balance enabled");
        let verified = gateway.json(&["ledger", "verify"])?;
        has(&verified, "ok invariants");
        has(&verified["invariants"][0], "number name ok violations examples");
        gateway.finish()
    })
}

#[test]
fn the_ledger_can_be_read_back() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        let id = gateway.place("https://example.com/books", 1000)?;
        let order = gateway.wait_attempt(id, "accepted")?;
        let attempt = &order["attempts"][0]["id"];

        let trial = gateway.json(&["ledger", "trial-balance"])?;
        has(&trial[0], "account currency debit credit balance");
        let journal = gateway.json(&["ledger", "journal"])?;
        for key in [
            format!("deposit:{ACCOUNT}:start"),
            "topup:alpha:start-alpha".to_owned(),
            format!("order:{id}:charge"),
            format!("attempt:{attempt}:reserve"),
            format!("attempt:{attempt}:accept"),
        ] {
            let posting = entry(&journal, "key", &key)?;
            assert!(posting["entries"].as_array().context("no entries")?.len() >= 2, "{posting}");
        }
        let statement = gateway.json(&["ledger", "statement", ACCOUNT])?;
        has(&statement, "account currency opening closing lines");
        let lines = statement["lines"].as_array().context("no lines")?;
        assert_eq!((text(&statement, "opening"), lines.len()), ("0", 2), "{statement}");
        has(&lines[1], "at key amount balance");
        assert_eq!(lines[1]["balance"], statement["closing"]);
        assert_eq!(text(&statement, "closing").trim_start_matches('-'), "97.5");

        let past = gateway.json(&["ledger", "statement", ACCOUNT, "--to", "2020-01-01"])?;
        assert_eq!((&past["lines"], text(&past, "closing")), (&json!([]), "0"));
        let wip = gateway.json(&["ledger", "statement", "assets:wip:alpha:USD", "--from", "2020-01-01"])?;
        assert_eq!(text(&wip, "closing"), "0.9");
        gateway.finish()
    })
}

#[test]
fn lists_can_be_taken_in_parts() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &Setup::two())?;
        for number in 0..3 {
            gateway.place(&format!("https://example.com/list/{number}"), 100)?;
        }
        let all = gateway.json(&["order", "list"])?;
        let two = gateway.json(&["order", "list", "--limit", "2"])?;
        assert_eq!((all.as_array().map(Vec::len), two.as_array().map(Vec::len)), (Some(3), Some(2)));
        let rest = gateway.json(&["order", "list", "--after", &two[1]["id"].to_string()])?;
        assert_eq!(rest, json!([all[2]]));
        assert_eq!(gateway.json(&["order", "list", "--status", "Completed"])?, json!([]));
        assert_eq!(gateway.json(&["order", "list", "--account", "nobody"])?, json!([]));

        // Every other list too, while nothing moves.
        gateway.stop()?;
        gateway.done(&["key", "create", ACCOUNT, "--label", "second"])?;
        gateway.done(&["account", "create", "panel-z"])?;
        for (words, id) in [
            (vec!["key", "list", ACCOUNT], "id"),
            (vec!["upstream", "list"], "id"),
            (vec!["service", "list"], "id"),
            (vec!["account", "list"], "id"),
            (vec!["ledger", "journal"], "key"),
        ] {
            let ids = |more: &[&str]| -> Result<Vec<String>> {
                let listed = gateway.json(&[&words[..], more].concat())?;
                let entries = listed.as_array().context("no list")?.iter();
                Ok(entries.map(|one| one[id].as_str().map_or_else(|| one[id].to_string(), str::to_owned)).collect())
            };
            let all = ids(&[])?;
            assert_eq!(ids(&["--limit", "1"])?, all[..1], "{words:?}");
            assert_eq!(ids(&["--after", &all[0]])?, all[1..], "{words:?}");
            assert_eq!(ids(&["--after", &all[0], "--limit", "1"])?, all[1..all.len().min(2)], "{words:?}");
        }
        for words in [vec!["key", "list", ACCOUNT, "--after", "none"], vec!["ledger", "journal", "--after", "none"]] {
            assert_eq!(gateway.cli(&words)?.code, 1, "{words:?}");
        }
        gateway.finish()
    })
}
