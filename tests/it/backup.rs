//! Backup and restore, by the very lines that `deploy/README.md` tells people to type.

use std::{fs, path::Path};

use acceptance::{Engine, Gateway, Setup, installed, on_both, sandbox::FaultKind, wait_until};
use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{case_of, text};

#[test]
fn a_backup_of_a_running_gateway_is_restored_where_nothing_is_left() -> Result<()> {
    on_both(|engine| {
        let mut gateway = start(engine)?;
        let [ended, accepted, unknown, queued] = in_every_state(&gateway)?;
        let seen = |gateway: &Gateway| -> Result<Vec<Value>> {
            let mut all =
                [ended, unknown, queued].map(|id| gateway.order(id)).into_iter().collect::<Result<Vec<_>>>()?;
            all.push(status(gateway, &[ended, accepted, unknown, queued])?);
            all.push(gateway.panel(&[("action", "balance")])?.1);
            all.push(case_of(gateway, unknown)?.into());
            Ok(all)
        };
        let (before, place) = (seen(&gateway)?, TempDir::new()?);
        type_under(&gateway, &format!("### Back up {}", name(engine)), place.path())?;
        gateway.kill()?;
        gateway.lose_everything()?;
        type_under(&gateway, &format!("### Restore {}", name(engine)), place.path())?;
        gateway.done(&["ledger", "verify"])?;
        gateway.serve()?;
        assert_eq!(seen(&gateway)?, before);

        // And it goes on: with the upstreams' keys, with what runs, with what waits, and with new orders.
        gateway.upstream("alpha")?.say(&link("accepted"), "Completed", None)?;
        gateway.wait_status(accepted, "Completed")?;
        cancel(&gateway, queued)?;
        let next = gateway.place(&link("next"), 1000)?;
        assert!(next > queued, "{next} was given before");
        gateway.wait_attempt(next, "accepted")?;
        gateway.finish()
    })
}

#[test]
fn after_an_older_backup_no_order_is_made_twice_and_no_id_given_twice() -> Result<()> {
    on_both(|engine| {
        let mut gateway = start(engine)?;
        let catalogue = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        let followed = gateway.place(&link("followed"), 1000)?;
        gateway.wait_attempt(followed, "accepted")?;
        let queued = queue(&gateway, 5_000)?;
        let place = TempDir::new()?;
        type_under(&gateway, &format!("### Back up {}", name(engine)), place.path())?;
        // What the backup does not know: what waited was sent, and another order came.
        gateway.wait_attempt(queued, "accepted")?;
        let lost = gateway.place(&link("lost"), 1000)?;
        gateway.wait_attempt(lost, "accepted")?;
        gateway.kill()?;
        gateway.lose_everything()?;
        type_under(&gateway, &format!("### Restore {}", name(engine)), place.path())?;
        type_under(&gateway, "### Before it serves again", place.path())?;
        type_under(&gateway, &format!("On {}:", name(engine)), place.path())?;
        gateway.serve()?;

        let (code, refused) = gateway.add(&link("closed"), 1000)?;
        assert_eq!((code, text(&refused, "error")), (502, "No upstream can take this order now"));
        gateway.upstream("alpha")?.say(&link("followed"), "Completed", None)?;
        gateway.wait_status(followed, "Completed")?;
        assert_eq!(gateway.order(queued)?["attempts"][0]["state"], "queued");
        assert_eq!(gateway.upstream("alpha")?.orders().len(), 3, "what waited was sent again");

        cancel(&gateway, queued)?;
        gateway.write("catalogue.toml", &catalogue)?;
        gateway.done(&["apply", "catalogue.toml"])?;
        let mut next = 0;
        wait_until("an order to be taken again", || {
            let (code, answer) = gateway.add(&link("next"), 1000)?;
            next = answer["order"].as_i64().unwrap_or_default();
            Ok(code == 200)
        })?;
        assert!(next > lost, "{next} was given before");
        gateway.finish()
    })
}

fn start(engine: Engine) -> Result<Gateway> {
    installed("sqlite3", "sqlite3")?;
    // An order whose upstream is busy is answered soon.
    Gateway::start(engine, &Setup::two().setting("PANEL__DISPATCH_WAIT_MS", "100"))
}

/// What the README calls an engine.
fn name(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "Postgres",
    }
}

/// Orders that have ended, that run, of which nobody knows, and that wait; nothing about them changes by itself.
fn in_every_state(gateway: &Gateway) -> Result<[i64; 4]> {
    let alpha = gateway.upstream("alpha")?;
    let ended = gateway.place(&link("ended"), 1000)?;
    gateway.wait_attempt(ended, "accepted")?;
    alpha.say(&link("ended"), "Partial", Some(500))?;
    gateway.wait_status(ended, "Partial")?;
    let accepted = gateway.place(&link("accepted"), 1000)?;
    gateway.wait_attempt(accepted, "accepted")?;
    alpha.say(&link("accepted"), "In progress", None)?;
    gateway.wait_status(accepted, "In progress")?;
    alpha.fail(FaultKind::TakeAndDrop, 1);
    let unknown = gateway.place(&link("unknown"), 1000)?;
    gateway.wait_attempt(unknown, "unknown")?;
    Ok([ended, accepted, unknown, queue(gateway, 600_000)?])
}

/// An order that waits, because alpha wants to be asked again after `wait_ms` only.
fn queue(gateway: &Gateway, wait_ms: u64) -> Result<i64> {
    let alpha = gateway.upstream("alpha")?;
    let calls = alpha.calls("add");
    alpha.meet("add", FaultKind::TooManyRequests, 1, wait_ms);
    let id = gateway.place(&link("queued"), 1000)?;
    // It is queued before its first call, too.
    wait_until("alpha to refuse to be asked now", || Ok(alpha.calls("add") > calls))?;
    gateway.wait_attempt(id, "queued")?;
    Ok(id)
}

fn cancel(gateway: &Gateway, order: i64) -> Result<()> {
    gateway.panel(&[("action", "cancel"), ("order", &order.to_string())])?;
    gateway.wait_status(order, "Canceled").map(drop)
}

/// What the panel face says of these orders.
fn status(gateway: &Gateway, orders: &[i64]) -> Result<Value> {
    let ids = orders.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    Ok(gateway.panel(&[("action", "status"), ("orders", &ids)])?.1)
}

fn link(name: &str) -> String {
    format!("https://example.com/{name}")
}

/// Runs the first lines of shell that `deploy/README.md` gives under that line. Who types them has set the variables that it
/// names before.
fn type_under(gateway: &Gateway, line: &str, place: &Path) -> Result<()> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/README.md"))?;
    let lines = readme.split_once(&format!("\n{line}\n")).and_then(|(_, rest)| {
        let (_, block) = rest.split_once("```sh\n")?;
        Some(block.split_once("\n```")?.0)
    });
    let lines = lines.with_context(|| format!("deploy/README.md has nothing to type under `{line}`"))?;
    let (state, backup) = (gateway.folder().display().to_string(), place.join("backup").display().to_string());
    let database = gateway.database_url().unwrap_or_default();
    let variables = [("STATE", state.as_str()), ("BACKUP", &backup), ("DATABASE", database)];
    gateway.shell(&format!("OWNER=$(id -un)\n{lines}"), &variables).map(drop)
}
