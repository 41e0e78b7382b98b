//! `interline upstream`

use std::sync::Arc;

use anyhow::{bail, ensure};
use interline_domain::{Micros, Money, UpstreamId};
use interline_orders::{Capability, Found, Gateway, Upstream};
use serde_json::{Value, json};

use crate::{
    cli::UpstreamCommand,
    config::Config,
    output::{self, check_reference, parse_amount, parse_id, time},
    wiring,
};

const COLUMNS: [&str; 9] =
    ["id", "adapter", "currency", "book", "reading", "committed", "unknown_count", "available", "reason"];

/// Runs one of the commands.
pub(crate) async fn run(config: &Config, command: UpstreamCommand, as_json: bool) -> anyhow::Result<()> {
    let gateway = wiring::gateway(config).await?;
    match command {
        UpstreamCommand::List(page) => {
            let after = page.after.as_deref().map(parse_id::<UpstreamId>).transpose()?;
            let catalogue = gateway.catalogue();
            let rest = catalogue.upstreams().filter(|u| after.as_ref().is_none_or(|after| u.record.id > *after));
            let rows = rest.take(page.limit.unwrap_or(usize::MAX)).map(|u| shown(&gateway, u)).collect();
            output::list(rows, &COLUMNS, as_json)
        }
        UpstreamCommand::Sync { id } => each(&gateway, id.as_deref(), as_json, true).await,
        UpstreamCommand::Balance { id } => each(&gateway, id.as_deref(), as_json, false).await,
        UpstreamCommand::Check { id } => check(&gateway, &id, as_json).await,
        UpstreamCommand::Topup { id, amount, reference } => {
            let amount = parse_amount(&amount)?;
            let upstream = gateway.upstream(&id)?;
            let money = Money::new(amount, upstream.record.currency);
            let booking = gateway.topup(&upstream.record.id, money, check_reference(&reference)?).await?;
            let said = super::account::booked(booking, &reference)?;
            if as_json {
                output::json(&shown(&gateway, &upstream))
            } else {
                output::line(&format!("{said}: {money} at {id}"))
            }
        }
    }
}

/// Asks one upstream, or all that are enabled; tries all, and fails if one failed.
async fn each(gateway: &Arc<Gateway>, id: Option<&str>, as_json: bool, catalogue: bool) -> anyhow::Result<()> {
    let upstreams: Vec<Arc<Upstream>> = match id {
        Some(id) => vec![gateway.upstream(id)?],
        None => gateway.catalogue().upstreams().filter(|u| u.record.enabled).cloned().collect(),
    };
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    for upstream in &upstreams {
        let mut row = json!({"id": upstream.record.id, "currency": upstream.record.currency, "services": null, "balance": null, "error": null});
        let mut errors = Vec::new();
        if catalogue {
            match gateway.sync_catalogue(upstream).await {
                Ok(services) => row["services"] = json!(services),
                Err(error) => errors.push(error.to_string()),
            }
        }
        match gateway.read_balance(upstream).await {
            Ok(read) => row["balance"] = json!(read.map(|read| read.reading.to_string())),
            Err(error) => errors.push(error.to_string()),
        }
        if !errors.is_empty() {
            row["error"] = json!(errors.join("; "));
            failures.push(upstream.record.id.to_string());
        }
        rows.push(row);
    }
    output::list(rows, &["id", "services", "balance", "currency", "error"], as_json)?;
    if failures.is_empty() { Ok(()) } else { bail!("failed for {}", failures.join(", ")) }
}

/// Prints what a live upstream can do; fails if it cannot be used.
async fn check(gateway: &Gateway, id: &str, as_json: bool) -> anyhow::Result<()> {
    let upstream = gateway.upstream(id)?;
    let found = gateway.try_out(&upstream).await;
    let row = |capability: &Capability| {
        let Capability { name, found, text, latency_ms } = capability;
        json!({"capability": name, "found": found.name(), "latency_ms": latency_ms, "text": text})
    };
    output::list(found.iter().map(row).collect(), &["capability", "found", "latency_ms", "text"], as_json)?;
    let unusable = found.iter().filter(|capability| capability.found == Found::Unusable);
    let unusable: Vec<&str> = unusable.map(|capability| capability.name).collect();
    ensure!(unusable.is_empty(), "{id} cannot be used as it is: {}", unusable.join(", "));
    Ok(())
}

fn shown(gateway: &Gateway, upstream: &Upstream) -> Value {
    let record = &upstream.record;
    let health = gateway.health(&record.id);
    json!({
        "id": record.id, "adapter": record.adapter, "enabled": record.enabled, "currency": record.currency,
        "book": health.book.book.to_string(), "reading": health.exposure.reading.map(|r| r.to_string()),
        "reading_at": health.exposure.reading_at.map(time), "committed": health.book.committed.to_string(),
        "claims": health.book.claims.to_string(), "disputed": health.book.disputed.to_string(),
        "unknown_count": health.exposure.count, "available": health.available.to_string(),
        "reason": reason(gateway, upstream),
    })
}

/// Why it takes no orders now, or else what is not known of it; nothing if all is well.
fn reason(gateway: &Gateway, upstream: &Upstream) -> Option<String> {
    let health = gateway.health(&upstream.record.id);
    if !upstream.record.enabled {
        Some("disabled".to_owned())
    } else if upstream.dialect.is_none() {
        Some(format!("adapter {} is not known here", upstream.record.adapter))
    } else if health.exposed {
        Some("exposure cap reached: too many unknown submissions; see review list".to_owned())
    } else if upstream.state.catalogue_at.is_none() {
        Some(format!(
            "its catalogue was never read: {}",
            upstream.state.catalogue_fault.as_deref().unwrap_or("run upstream sync")
        ))
    } else if health.available <= Micros::ZERO {
        Some("no money there: book it with upstream topup".to_owned())
    } else if let Some(fault) = &upstream.state.catalogue_fault {
        Some(format!("catalogue: {fault}"))
    } else {
        let untold = "it takes orders; its protocol tells no balance, so the book alone counts";
        (!upstream.tells_balance()).then(|| untold.to_owned())
    }
}
