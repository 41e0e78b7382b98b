//! `interline order`

use std::collections::BTreeMap;

use anyhow::{anyhow, bail};
use interline_domain::{AttemptState, OrderId, OrderStatus, Timestamp};
use interline_orders::Gateway;
use interline_store::{AttemptRow, DueKind, DueRow, JournalEntry, OrderFilter, OrderRow};
use serde_json::{Value, json};

use crate::{
    cli::OrderCommand,
    config::Config,
    output::{self, Usage, parse_id, time},
    wiring,
};

const COLUMNS: [&str; 9] = ["id", "account", "service", "target", "quantity", "status", "charge", "refund", "upstream"];

/// Runs one of the commands.
pub(crate) async fn run(config: &Config, command: OrderCommand, as_json: bool) -> anyhow::Result<()> {
    let gateway = wiring::gateway(config).await?;
    match command {
        OrderCommand::Show { id } => show(&gateway, parse_id(&id)?, as_json).await,
        OrderCommand::List { status, account, page } => {
            let wrong = |s: &str| {
                Usage(format!("--status must be Pending, \"In progress\", Partial, Completed or Canceled, not {s}"))
            };
            let filter = OrderFilter {
                status: status.map(|s| OrderStatus::from_name(&s).ok_or_else(|| wrong(&s))).transpose()?,
                account: account.as_deref().map(parse_id).transpose()?,
                after: page.after.as_deref().map(parse_id).transpose()?,
                limit: page.limit.and_then(|n| i64::try_from(n).ok()),
            };
            let orders = gateway.store().list_orders(&filter).await?;
            let rows = with_attempts(&gateway, &orders).await?;
            output::list(rows, &COLUMNS, as_json)
        }
        OrderCommand::RetryStatus { id } => retry_status(&gateway, parse_id(&id)?, as_json).await,
    }
}

async fn with_attempts(gateway: &Gateway, orders: &[OrderRow]) -> anyhow::Result<Vec<Value>> {
    // In pages, so that a long list does not become one long statement.
    const PAGE: usize = 1_000;
    let mut rows = Vec::with_capacity(orders.len());
    for page in orders.chunks(PAGE) {
        let ids: Vec<OrderId> = page.iter().map(|o| o.id).collect();
        let mut last: BTreeMap<OrderId, AttemptRow> = BTreeMap::new();
        for attempt in gateway.store().attempts_of(&ids).await? {
            last.insert(attempt.order_id, attempt);
        }
        rows.extend(page.iter().map(|order| shown(order, last.get(&order.id))));
    }
    Ok(rows)
}

fn shown(order: &OrderRow, last: Option<&AttemptRow>) -> Value {
    json!({
        "id": order.id, "account": order.account, "service": order.service, "target": order.target,
        "quantity": order.quantity, "status": order.status.name(), "charge": order.charge.to_string(),
        "refund": order.refund.to_string(), "remains": order.remains, "currency": order.currency,
        "upstream": last.map(|a| &a.upstream), "upstream_order": last.and_then(|a| a.upstream_order.as_ref()),
        "created_at": time(order.created_at),
    })
}

async fn show(gateway: &Gateway, id: OrderId, as_json: bool) -> anyhow::Result<()> {
    let store = gateway.store();
    let order = store.order(id).await?.ok_or_else(|| anyhow!("there is no order {id}"))?;
    let attempts = store.attempts_of(&[id]).await?;
    let timeline: Vec<Value> = store
        .timeline(id)
        .await?
        .into_iter()
        .map(|e| json!({"at": time(e.at), "kind": e.kind, "text": e.text, "data": e.data.map(readable)}))
        .collect();
    let mut shown = shown(&order, attempts.last());
    shown["attempts"] = attempts.iter().map(attempt).collect();
    shown["timeline"] = json!(timeline);
    shown["postings"] = store.postings_of(id).await?.iter().map(posting).collect();
    shown["plan"] =
        order.plan["candidates"].as_array().map_or(Value::Null, |c| c.iter().map(super::route::candidate).collect());
    if as_json { output::json(&shown) } else { for_people(&shown) }
}

/// What an event keeps, with the route as every command prints it.
fn readable(mut data: Value) -> Value {
    if let Some(candidates) = data["plan"]["candidates"].as_array() {
        data["plan"] = candidates.iter().map(super::route::candidate).collect();
    }
    data
}

fn attempt(a: &AttemptRow) -> Value {
    json!({
        "id": a.id, "upstream": a.upstream, "state": a.state.name(), "upstream_order": a.upstream_order,
        "reserve": a.reserve.to_string(), "cost": a.cost.map(|c| c.to_string()), "currency": a.currency,
    })
}

/// A posting, as every command prints it.
pub(crate) fn posting(entry: &JournalEntry) -> Value {
    let line = |l: &interline_store::JournalLine| json!({"account": l.account, "currency": l.currency, "amount": l.amount.to_string()});
    json!({
        "key": entry.key, "at": time(entry.at),
        "entries": entry.lines.iter().map(line).collect::<Vec<_>>(),
    })
}

fn for_people(order: &Value) -> anyhow::Result<()> {
    let text = |name: &str| order[name].as_str().map_or_else(|| order[name].to_string(), str::to_owned);
    output::line(&format!(
        "order {} of {}: {} ({} of service {})",
        text("id"),
        text("account"),
        text("status"),
        text("quantity"),
        text("service")
    ))?;
    output::line(&format!("target {}", text("target")))?;
    output::line(&format!(
        "charge {} refund {} {}; remains {}\n",
        text("charge"),
        text("refund"),
        text("currency"),
        text("remains")
    ))?;
    output::line("the route as it was planned")?;
    output::table(
        array(&order["plan"]),
        &["rank", "upstream", "service", "cost", "currency", "margin_percent", "reason"],
    )?;
    output::line("\nattempts")?;
    output::table(
        array(&order["attempts"]),
        &["id", "upstream", "state", "upstream_order", "reserve", "cost", "currency"],
    )?;
    output::line("\ntimeline")?;
    output::table(array(&order["timeline"]), &["at", "kind", "text"])?;
    output::line("\npostings (debit positive)")?;
    for posting in array(&order["postings"]) {
        output::line(posting["key"].as_str().unwrap_or_default())?;
        for entry in array(&posting["entries"]) {
            let (account, amount) =
                (entry["account"].as_str().unwrap_or_default(), entry["amount"].as_str().unwrap_or_default());
            output::line(&format!("  {account:<40} {amount:>16}"))?;
        }
    }
    Ok(())
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Makes the status due now; a running server asks the upstream within a second.
async fn retry_status(gateway: &Gateway, id: OrderId, as_json: bool) -> anyhow::Result<()> {
    let store = gateway.store();
    store.order(id).await?.ok_or_else(|| anyhow!("there is no order {id}"))?;
    let running = store.attempts_of(&[id]).await?.into_iter().rfind(|a| a.upstream_order.is_some());
    let Some(attempt) = running else { bail!("no upstream has taken order {id}, so there is no status to ask for") };
    let (now, interval_ms) = (wiring::now(), gateway.settings().status_first_ms);
    let subject = attempt.id.to_string();
    let lease_until = Timestamp::from_millis(0);
    let due = DueRow {
        kind: DueKind::Status,
        subject: subject.clone(),
        upstream: attempt.upstream.clone(),
        due_at: now,
        interval_ms,
        lease_until,
    };
    store.add_due(&[due]).await?;
    store.reschedule(DueKind::Status, &subject, now, interval_ms).await?;
    let ended = attempt.state != AttemptState::Accepted;
    let note = if ended { " (it has ended: only its cost can still move)" } else { "" };
    if as_json {
        return output::json(&json!({"order": id, "upstream": attempt.upstream, "due_at": time(now)}));
    }
    output::line(&format!("order {id}: a running server asks {} now{note}", attempt.upstream))
}
