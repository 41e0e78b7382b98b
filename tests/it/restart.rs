//! Stopping, in order or not, at any moment: what is queued is sent once, what may have been sent is never sent again.

use acceptance::{Engine, Gateway, Server, Setup, on_both, sandbox::FaultKind, wait_until};
use anyhow::Result;

use crate::support::{case_of, text};

#[test]
fn orders_in_every_state_survive_a_restart() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &Setup::two())?;
        let link = |state: &str| format!("https://example.com/{state}");
        let ended = gateway.place(&link("ended"), 1000)?;
        gateway.wait_attempt(ended, "accepted")?;
        gateway.upstream("alpha")?.say(&link("ended"), "Partial", Some(500))?;
        gateway.wait_status(ended, "Partial")?;
        let accepted = gateway.place(&link("accepted"), 1000)?;
        gateway.wait_attempt(accepted, "accepted")?;
        gateway.upstream("alpha")?.fail(FaultKind::TakeAndDrop, 1);
        let unknown = gateway.place(&link("unknown"), 1000)?;
        gateway.wait_attempt(unknown, "unknown")?;
        gateway.upstream("alpha")?.fail(FaultKind::TooManyRequests, 0);
        let queued = gateway.place(&link("queued"), 1000)?;
        gateway.wait_attempt(queued, "queued")?;

        gateway.stop()?;
        let before = [gateway.order(ended)?, gateway.order(unknown)?];
        gateway.upstream("alpha")?.heal();
        gateway.serve()?;

        gateway.wait_attempt(queued, "accepted")?;
        assert_eq!([gateway.order(ended)?, gateway.order(unknown)?], before);
        case_of(&gateway, unknown)?;
        gateway.upstream("alpha")?.say(&link("accepted"), "Completed", None)?;
        gateway.wait_status(accepted, "Completed")?;
        assert!(gateway.upstream("beta")?.orders().is_empty());
        assert_eq!(gateway.upstream("alpha")?.orders().len(), 4);
        gateway.finish()
    })
}

#[test]
fn a_submission_that_hangs_when_the_power_fails_is_unknown_and_not_sent_again() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &Setup::two().setting("PANEL__DISPATCH_WAIT_MS", "100"))?;
        let link = "https://example.com/power-cut";
        gateway.upstream("alpha")?.fail(FaultKind::TakeAndHang, 1);
        let id = gateway.place(link, 1000)?;
        wait_until("alpha to have the order", || Ok(gateway.upstream("alpha")?.order(link).is_ok()))?;
        gateway.kill()?;
        assert_eq!(gateway.order(id)?["attempts"][0]["state"], "sending");

        gateway.serve()?;
        let order = gateway.wait_attempt(id, "unknown")?;
        assert_eq!(order["attempts"].as_array().map(Vec::len), Some(1), "{order}");
        gateway.wait_status(id, "Pending")?;
        case_of(&gateway, id)?;
        // The gateway goes on with others, and not with this one.
        let next = gateway.place("https://example.com/next", 1000)?;
        gateway.wait_attempt(next, "accepted")?;
        assert_eq!(gateway.upstream("alpha")?.calls("add"), 2);
        assert!(gateway.upstream("beta")?.orders().is_empty());
        gateway.finish()
    })
}

#[test]
fn money_that_was_taken_is_there_after_a_power_cut() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &Setup::two())?;
        let mut ids = Vec::new();
        for number in 0..8 {
            ids.push(gateway.place(&format!("https://example.com/cut/{number}"), 1000)?);
        }
        gateway.kill()?;
        gateway.serve()?;
        assert_eq!(gateway.balance()?, "80");
        for id in &ids {
            gateway.wait_attempt(*id, "accepted")?;
        }
        assert_eq!(gateway.upstream("alpha")?.orders().len(), ids.len());
        gateway.finish()
    })
}

#[test]
fn a_stop_lets_a_submission_finish() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &Setup::two().setting("PANEL__DISPATCH_WAIT_MS", "100"))?;
        gateway.upstream("alpha")?.meet("add", FaultKind::Slow, 1, 1_000);
        let id = gateway.place("https://example.com/drained", 1000)?;
        gateway.stop()?;
        assert_eq!(gateway.order(id)?["attempts"][0]["state"], "accepted");
        gateway.finish()
    })
}

#[test]
fn a_queued_order_is_canceled_without_asking_the_upstream() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &Setup::two())?;
        gateway.upstream("alpha")?.fail(FaultKind::TooManyRequests, 0);
        let id = gateway.place("https://example.com/queued", 1000)?;
        gateway.wait_attempt(id, "queued")?;
        gateway.restart()?;
        wait_until("the cancel to find it queued", || {
            gateway.panel(&[("action", "cancel"), ("order", &id.to_string())])?;
            let (_, status) = gateway.panel(&[("action", "status"), ("order", &id.to_string())])?;
            Ok(text(&status, "status") == "Canceled")
        })?;
        assert_eq!(gateway.balance()?, "100");
        assert_eq!(gateway.order(id)?["attempts"][0]["state"], "released");
        assert_eq!(gateway.upstream("alpha")?.calls("cancel"), 0);
        gateway.finish()
    })
}

#[test]
fn a_second_server_on_the_same_file_refuses_to_start() -> Result<()> {
    let gateway = Gateway::start(Engine::Sqlite, &Setup::two())?;
    let second = Server::spawn(gateway.command().arg("serve"), &gateway.folder().join("second.log"));
    assert!(second.is_err(), "two servers write one file");
    assert_eq!(gateway.balance()?, "100", "the first one goes on");
    gateway.finish()
}
