//! `interline route`

use std::collections::BTreeMap;

use anyhow::anyhow;
use interline_domain::{
    AccountId, ServiceId,
    price::{self, Basis},
};
use interline_orders::AccountRecord;
use interline_routing::{Reason, Wanted};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    cli::RouteCommand,
    config::Config,
    output::{self, parse_id},
    wiring,
};

const COLUMNS: [&str; 8] = ["rank", "upstream", "service", "cost", "currency", "cost_base", "margin_percent", "reason"];

/// Runs the command.
pub(crate) async fn run(config: &Config, command: RouteCommand, as_json: bool) -> anyhow::Result<()> {
    let RouteCommand::Explain { service, quantity, account } = command;
    let gateway = wiring::gateway(config).await?;
    let catalogue = gateway.catalogue();
    let id: ServiceId = parse_id(&service)?;
    let record = catalogue.service(id).ok_or_else(|| anyhow!("there is no service {id}"))?;
    let account = match account {
        Some(account) => super::account::find(&gateway, &account).await?,
        None => undiscounted(gateway.settings().base_currency)?,
    };
    let priced = catalogue
        .priced(record, &account)
        .ok_or_else(|| anyhow!("service {id} is disabled or has no price; see upstream list"))?;
    let basis = record.service_type.basis();
    let charge = price::price(priced.rate.to_decimal(), quantity, basis)?;
    let worth = catalogue.worth(account.currency).ok_or_else(|| anyhow!("{} has no rate", account.currency))?;
    let charge_base = charge.convert(worth)?;
    // What an order may say beside its quantity is left to the offers' own parameters.
    let (service_type, fields) = (record.service_type, BTreeMap::new());
    let wanted = Wanted { service_type, quantity, basis, dripfeed: false, fields, charge_base };
    let plan = gateway.route(&catalogue, record, &wanted, None, &[]);
    let rows: Vec<Value> =
        json!(plan)["candidates"].as_array().map(|c| c.iter().map(candidate).collect()).unwrap_or_default();
    if as_json {
        return output::json(&json!({"candidates": rows}));
    }
    let per = match basis {
        Basis::PerThousand => "1000",
        Basis::Flat => "order",
    };
    output::line(&format!(
        "{quantity} of service {id} at {} per {per}: charge {charge} {}",
        priced.rate, account.currency
    ))?;
    if !(record.min..=record.max).contains(&quantity) {
        output::line(&format!(
            "the quantity is outside the service's bounds, {} to {}: an order would be refused",
            record.min, record.max
        ))?;
    }
    output::table(&rows, &COLUMNS)
}

/// Nobody in particular: the base currency, no discount.
fn undiscounted(currency: interline_domain::Currency) -> anyhow::Result<AccountRecord> {
    let id: AccountId = parse_id("anybody")?;
    Ok(AccountRecord { id, currency, discount_percent: Decimal::ZERO, enabled: true })
}

/// A candidate of a stored or fresh plan, as every command prints it; the first of the ranked ones is taken.
pub(crate) fn candidate(stored: &Value) -> Value {
    let amount = |name: &str| stored[name].as_i64().map(|micros| interline_domain::Micros::new(micros).to_string());
    let reason: Option<Reason> = serde_json::from_value(stored["passed"].clone()).ok();
    let rank = stored["rank"].as_u64();
    let reason = match (reason, rank) {
        (Some(reason), _) => reason.to_string(),
        (None, Some(1)) => "takes it: the cheapest that can".to_owned(),
        (None, Some(rank)) => format!("would take it at rank {rank}, if those before it do not"),
        (None, None) => String::new(),
    };
    json!({
        "rank": stored["rank"], "upstream": stored["upstream"], "service": stored["service"], "cost": amount("cost"),
        "currency": stored["currency"], "cost_base": amount("cost_base"), "margin_percent": stored["margin_percent"],
        "taken": rank == Some(1), "reason": reason,
    })
}
