//! Three systems behind one service: whatever protocol an upstream speaks, an order goes to the cheapest, to one at a time
//! and to each at most once, is followed to its end, and nobody can read an upstream's key anywhere.

use acceptance::{
    Engine, Gateway, Setup, UpstreamSetup, on_both,
    sandbox::{Adapter, FaultKind},
    wait_until,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::support::{case_of, entry, has, journey, text};

/// The upstreams of [`setup`], the cheapest first.
const RANKED: [&str; 3] = ["skill", "rise", "panel"];

/// What a submission may meet, whether it is taken all the same, and what is known of it then.
const FAULTS: [(FaultKind, bool, Known); 16] = [
    (FaultKind::TakeAndDrop, true, Known::Nothing),
    (FaultKind::TakeAndHang, true, Known::Nothing),
    (FaultKind::TakeAnd502, true, Known::Nothing),
    (FaultKind::WrongId, true, Known::Nothing),
    (FaultKind::Garbage, true, Known::Nothing),
    (FaultKind::Huge, true, Known::Nothing),
    (FaultKind::Deep, true, Known::Nothing),
    (FaultKind::Html, false, Known::Nothing),
    (FaultKind::Empty, false, Known::Nothing),
    (FaultKind::UnknownError, false, Known::Nothing),
    (FaultKind::Redirect, false, Known::Nothing),
    (FaultKind::Refusal, false, Known::Refused),
    (FaultKind::RefusalUnder502, false, Known::Refused),
    (FaultKind::NoFunds, false, Known::Refused),
    (FaultKind::BadLink, false, Known::Refused),
    (FaultKind::TooManyRequests, false, Known::Later),
];

/// What an answer, or none, says about a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It may have been taken: it stays there.
    Nothing,
    /// It was not taken: the next upstream gets it.
    Refused,
    /// It was not taken now: the same upstream gets it later.
    Later,
}

/// One upstream of each system, at three prices.
fn setup() -> Setup {
    Setup::of([
        UpstreamSetup::new("panel", "1.20"),
        UpstreamSetup::new("rise", "0.90").adapter(Adapter::Streamrise),
        UpstreamSetup::new("skill", "0.80").adapter(Adapter::Streamskill),
    ])
}

/// One upstream of a system.
fn one(adapter: Adapter) -> UpstreamSetup {
    UpstreamSetup::new("alpha", "0.90").adapter(adapter)
}

#[test]
fn the_cheapest_system_takes_it_and_the_next_one_when_that_breaks() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        for (broken, taker) in RANKED.iter().enumerate() {
            let before = &RANKED[..broken];
            for id in before {
                gateway.upstream(id)?.fail(FaultKind::Refusal, 1);
            }
            let link = format!("https://example.com/{taker}");
            let id = gateway.place(&link, 1000)?;
            let order = gateway.wait_attempt(id, "accepted")?;
            let wanted: Vec<_> = before.iter().map(|id| (*id, "released")).chain([(*taker, "accepted")]).collect();
            assert_eq!(journey(&order), wanted, "{order}");
            assert_eq!(gateway.upstream(taker)?.order(&link)?.quantity, 1000);
            for (rank, upstream) in (1_i64..).zip(RANKED) {
                let candidate = entry(&order["plan"], "upstream", upstream)?;
                assert_eq!(candidate["rank"], rank, "{order}");
                let told = if rank == 1 { "takes it".to_owned() } else { format!("rank {rank}") };
                assert!(text(candidate, "reason").contains(&told), "{candidate}");
            }
            let refused = order["timeline"].as_array().into_iter().flatten();
            let refused = refused.filter(|event| text(event, "text").contains("refused (")).count();
            assert_eq!(refused, broken, "a reason for each that did not take it: {order}");
            let shown = gateway.done(&["order", "show", &id.to_string()])?;
            assert!(RANKED.iter().all(|upstream| shown.contains(upstream)) && shown.contains("takes it"), "{shown}");
        }
        for id in RANKED {
            gateway.upstream(id)?.fail(FaultKind::Refusal, 1);
        }
        assert_eq!(gateway.add("https://example.com/nobody", 1000)?.0, 502);
        assert_eq!(gateway.balance()?, "92.5");
        assert_eq!(gateway.json(&["review", "list"])?, json!([]));
        gateway.finish()
    })
}

#[test]
fn an_order_is_followed_to_its_end_by_what_its_system_tells() -> Result<()> {
    on_both(|engine| {
        for adapter in Adapter::ALL {
            let gateway = Gateway::start(engine, &Setup::of([one(adapter)]))?;
            let alpha = gateway.upstream("alpha")?;
            let place = |name: &str| -> Result<(i64, String)> {
                let link = format!("https://example.com/{name}");
                let id = gateway.place(&link, 1000)?;
                gateway.wait_attempt(id, "accepted")?;
                Ok((id, link))
            };
            let (whole, link) = place("whole")?;
            alpha.say(&link, "In progress", Some(400))?;
            gateway.wait_status(whole, "In progress")?;
            alpha.say(&link, "Completed", None)?;
            let said = gateway.wait_status(whole, "Completed")?;
            assert_eq!((text(&said, "charge"), text(&said, "remains")), ("2.5", "0"), "{adapter:?}");

            let (part, link) = place("part")?;
            alpha.say(&link, "Partial", Some(157))?;
            if adapter == Adapter::Streamskill {
                // Nothing says how much was delivered, so nobody guesses it: a person is asked.
                wait_until("a case about the end", || Ok(case_of(&gateway, part).is_ok()))?;
                let (_, said) = gateway.panel(&[("action", "status"), ("order", &part.to_string())])?;
                assert!(["Pending", "In progress"].contains(&text(&said, "status")), "{said}");
                assert_eq!(text(&said, "charge"), "2.5");
            } else {
                let said = gateway.wait_status(part, "Partial")?;
                assert_eq!((text(&said, "charge"), text(&said, "remains")), ("2.1075", "157"), "{adapter:?}");
            }

            // All of it given back is told by every system.
            let (none, link) = place("none")?;
            alpha.say(&link, "Canceled", None)?;
            let said = gateway.wait_status(none, "Canceled")?;
            assert_eq!((text(&said, "charge"), text(&said, "remains")), ("0", "1000"), "{adapter:?}");
            gateway.finish()?;
        }
        Ok(())
    })
}

#[test]
fn an_order_is_canceled_where_its_system_can() -> Result<()> {
    on_both(|engine| {
        for adapter in Adapter::ALL {
            let gateway = Gateway::start(engine, &Setup::of([one(adapter)]))?;
            let id = gateway.place("https://example.com/unwanted", 1000)?;
            gateway.wait_attempt(id, "accepted")?;
            let answer = gateway.panel(&[("action", "cancel"), ("order", &id.to_string())])?;
            if adapter == Adapter::Streamskill {
                assert_eq!(answer, (400, json!({"error": "Service doesn't support cancel"})));
                gateway.wait_status(id, "Pending")?;
            } else {
                assert_eq!(answer, (200, json!({"status": "success"})), "{adapter:?}");
                gateway.wait_status(id, "Canceled")?;
                assert_eq!(gateway.balance()?, "100", "{adapter:?}");
            }
            gateway.finish()?;
        }
        Ok(())
    })
}

/// Whatever a submission meets at an upstream of that system: it is made once there, and elsewhere only if it was certainly
/// not taken.
fn no_second_order(adapter: Adapter) -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::of([one(adapter), UpstreamSetup::new("beta", "1.20")]))?;
        let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
        for (kind, taken, known) in FAULTS {
            let (sent, link) = (alpha.calls("add"), format!("https://example.com/{}", kind.name()));
            alpha.fail(kind, 1);
            let id = gateway.place(&link, 1000)?;
            let (state, wanted) = match known {
                Known::Nothing => ("unknown", vec![("alpha", "unknown")]),
                Known::Refused => ("accepted", vec![("alpha", "released"), ("beta", "accepted")]),
                Known::Later => ("accepted", vec![("alpha", "accepted")]),
            };
            let order = gateway.wait_attempt(id, state).with_context(|| kind.name())?;
            assert_eq!(journey(&order), wanted, "{kind:?}");
            assert_eq!(alpha.order(&link).is_ok(), taken || known == Known::Later, "{kind:?}");
            assert_eq!(beta.order(&link).is_ok(), known == Known::Refused, "{kind:?}");
            let times = if known == Known::Later { 2 } else { 1 };
            assert_eq!(alpha.calls("add") - sent, times, "{kind:?}");
        }
        connection_faults(&gateway)?;
        // However long it is looked at, nothing is sent again.
        let (sent, rounds) = (alpha.calls("add"), beta.calls("balance"));
        wait_until("a few more rounds of work", || Ok(beta.calls("balance") > rounds + 5))?;
        assert_eq!(alpha.calls("add"), sent);
        gateway.finish()
    })
}

/// The same of what strikes before anything is read.
fn connection_faults(gateway: &Gateway) -> Result<()> {
    let (alpha, beta) = (gateway.upstream("alpha")?, gateway.upstream("beta")?);
    alpha.fail(FaultKind::RefuseConnection, 0);
    let link = "https://example.com/closed";
    let order = gateway.wait_attempt(gateway.place(link, 1000)?, "accepted")?;
    assert_eq!(journey(&order), [("alpha", "released"), ("beta", "accepted")]);
    assert!(beta.order(link).is_ok());
    alpha.heal();

    // Late enough for the whole order to be written.
    alpha.meet("*", FaultKind::DropBeforeReading, 0, 500);
    let link = "https://example.com/unread";
    let order = gateway.wait_attempt(gateway.place(link, 1000)?, "unknown")?;
    assert_eq!(journey(&order), [("alpha", "unknown")]);
    alpha.heal();
    assert!(alpha.order(link).is_err() && beta.order(link).is_err());
    Ok(())
}

#[test]
fn no_fault_makes_a_second_order_at_a_panel() -> Result<()> {
    no_second_order(Adapter::PerfectPanel)
}

#[test]
fn no_fault_makes_a_second_order_at_streamrise() -> Result<()> {
    no_second_order(Adapter::Streamrise)
}

#[test]
fn no_fault_makes_a_second_order_at_streamskill() -> Result<()> {
    no_second_order(Adapter::Streamskill)
}

/// Orders that are taken, refused, lost and answered with nonsense at each of the upstreams, and asked about.
fn order_whatever_comes(gateway: &Gateway) -> Result<()> {
    let faults = [
        None,
        Some(FaultKind::TakeAndDrop),
        Some(FaultKind::UnknownError),
        Some(FaultKind::Redirect),
        Some(FaultKind::Html),
        Some(FaultKind::DropBeforeReading),
    ];
    for (number, kind) in faults.into_iter().enumerate() {
        for (place, id) in RANKED.iter().enumerate() {
            // Those before it refuse, so that it is its turn.
            for before in &RANKED[..place] {
                gateway.upstream(before)?.fail(FaultKind::Refusal, 1);
            }
            if let Some(kind) = kind {
                gateway.upstream(id)?.fail(kind, 1);
            }
            let order = gateway.place(&format!("https://example.com/{id}/{number}"), 1000)?;
            for action in ["status", "cancel"] {
                gateway.post(&[("action", action), ("order", &order.to_string())])?;
            }
        }
    }
    for id in RANKED {
        for action in ["services", "status", "balance", "orders"] {
            gateway.upstream(id)?.meet(action, FaultKind::Redirect, 1, 0);
        }
        gateway.upstream(id)?.meet("status", FaultKind::UnknownError, 1, 0);
    }
    Ok(())
}

#[test]
fn no_upstreams_key_can_be_read_anywhere() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &setup().setting("TELEMETRY__LOG", "trace"))?;
        order_whatever_comes(&gateway)?;
        let (shown, cases) = (gateway.json(&["order", "list"])?, gateway.json(&["review", "list"])?);
        ensure!(!cases.as_array().context("no list")?.is_empty(), "nothing was lost, so nothing is shown of it");
        let mut read = vec![gateway.http("GET", "/metrics", &[], "")?.body, shown.to_string(), cases.to_string()];
        let mut commands: Vec<Vec<String>> = Vec::new();
        for order in shown.as_array().into_iter().flatten() {
            commands.push(vec!["order".to_owned(), "show".to_owned(), order["id"].to_string()]);
        }
        for case in cases.as_array().into_iter().flatten() {
            commands.push(vec!["review".to_owned(), "show".to_owned(), case["case"].to_string()]);
        }
        let plain = ["upstream list", "upstream sync", "review list", "doctor", "export-catalogue", "service list"];
        let checks = RANKED.iter().map(|id| format!("upstream check {id}"));
        for line in plain.iter().map(|line| (*line).to_owned()).chain(checks) {
            commands.push(line.split(' ').map(str::to_owned).collect());
        }
        for command in &commands {
            for more in [None, Some("--json")] {
                let words: Vec<&str> = command.iter().map(String::as_str).chain(more).collect();
                let said = gateway.cli(&words)?;
                read.extend([said.stdout, said.stderr]);
            }
        }
        gateway.stop()?;
        let log = gateway.log()?;
        ensure!(log.contains("TRACE"), "this is not the most that can be logged");
        read.push(log);
        for id in RANKED {
            let key = gateway.upstream(id)?.key();
            let told = read.iter().find(|text| text.contains(key));
            let around = told.and_then(|text| text.split(key).next()).map(|before| before.lines().next_back());
            ensure!(told.is_none(), "the key of {id} can be read behind {around:?}");
        }
        gateway.finish()
    })
}

/// What `upstream check` finds of each system; what is left out of a row is not looked at.
const CAPABILITIES: [(&str, [&str; 3]); 12] = [
    ("connection", ["odd", "odd", "odd"]),
    ("catalogue", ["ok", "ok", "ok"]),
    ("prices", ["ok", "ok", "ok"]),
    ("balance", ["not offered", "ok", "ok"]),
    ("status", ["ok", "ok", "ok"]),
    ("errors", ["ok", "ok", "ok"]),
    ("list of orders", ["ok", "ok", "not offered"]),
    ("feed", ["not offered", "ok", "not offered"]),
    ("cancel", ["not offered", "not tried", "not tried"]),
    ("refill", ["not offered", "not offered", "not tried"]),
    ("pause", ["not tried", "not tried", "not offered"]),
    ("prolong", ["not tried", "not offered", "not offered"]),
];

/// Actions that change something at an upstream.
const CHANGES: [&str; 9] = ["add", "cancel", "refill", "pause", "resume", "delete", "upgrade", "change", "prolong"];

#[test]
fn a_check_says_what_each_system_can_do_and_changes_nothing() -> Result<()> {
    let gateway = Gateway::prepare(Engine::Sqlite, &setup())?;
    for (place, id) in RANKED.iter().enumerate() {
        let found = gateway.json(&["upstream", "check", id])?;
        has(&found[0], "capability found latency_ms text");
        for (capability, wanted) in CAPABILITIES {
            let row = entry(&found, "capability", capability)?;
            assert_eq!(text(row, "found"), wanted[place], "{id}: {row}");
        }
        assert!(entry(&found, "capability", "catalogue")?["latency_ms"].is_u64(), "{id}: {found}");
        for action in CHANGES {
            assert_eq!(gateway.upstream(id)?.calls(action), 0, "{id}: {action}");
        }
        let shown = gateway.done(&["upstream", "check", id])?;
        assert!(shown.contains("catalogue") && shown.contains("not offered"), "{shown}");
    }

    // A catalogue that cannot be read, and a key that is not taken: nothing can be bought there.
    gateway.upstream("rise")?.meet("services", FaultKind::Html, 0, 0);
    let mut changed = std::fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
    for id in ["panel", "skill"] {
        changed = changed.replace(gateway.upstream(id)?.key(), "another-key");
    }
    gateway.write("changed.toml", &changed)?;
    gateway.done(&["apply", "changed.toml"])?;
    for id in RANKED {
        let output = gateway.cli(&["upstream", "check", id, "--json"])?;
        assert_eq!(output.code, 1, "{id}: {output:?}");
        assert!(output.stderr.contains("catalogue"), "{id}: {output:?}");
        let found: Value = serde_json::from_str(&output.stdout)?;
        assert_eq!(text(entry(&found, "capability", "catalogue")?, "found"), "unusable", "{id}: {found}");
    }
    let nobody = gateway.cli(&["upstream", "check", "nobody"])?;
    assert!(nobody.code == 1 && nobody.stderr.contains("nobody"), "{nobody:?}");
    gateway.finish()
}
