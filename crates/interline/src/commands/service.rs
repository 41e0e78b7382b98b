//! `interline service`

use interline_domain::{Micros, ServiceId};
use interline_orders::{Catalogue, Gateway};
use interline_store::{Import, SellPrice, ServiceRecord};
use serde_json::{Value, json};

use crate::{
    catalogue_file,
    cli::{ImportArgs, ListArgs, ServiceCommand},
    config::Config,
    output::{self, Usage, parse_id},
    wiring,
};

const COLUMNS: [&str; 10] =
    ["id", "name", "category", "type", "rate", "markup_percent", "min", "max", "enabled", "offers"];

/// Runs one of the commands.
pub(crate) async fn run(config: &Config, command: ServiceCommand, as_json: bool) -> anyhow::Result<()> {
    let gateway = wiring::gateway(config).await?;
    match command {
        ServiceCommand::List(page) => list(&gateway, &page, as_json),
        ServiceCommand::Import(args) => import(&gateway, args, as_json).await,
    }
}

fn list(gateway: &Gateway, page: &ListArgs, as_json: bool) -> anyhow::Result<()> {
    let after = page.after.as_deref().map(parse_id::<ServiceId>).transpose()?;
    let catalogue = gateway.catalogue();
    let mut services: Vec<&ServiceRecord> =
        catalogue.services().iter().filter(|s| after.is_none_or(|after| s.id > after)).collect();
    services.sort_by_key(|s| s.id);
    let page = services.into_iter().take(page.limit.unwrap_or(usize::MAX));
    output::list(page.map(|service| shown(&catalogue, service)).collect(), &COLUMNS, as_json)
}

fn shown(catalogue: &Catalogue, service: &ServiceRecord) -> Value {
    let rate = catalogue.base_rate_of(service).and_then(|rate| Micros::from_decimal(rate).ok());
    let markup = match service.price {
        SellPrice::Rate(_) => None,
        SellPrice::Markup(percent) => Some(percent.normalize().to_string()),
    };
    json!({
        "id": service.id, "name": service.name, "category": service.category,
        "type": service.service_type.label(), "rate": rate.map(|rate| rate.to_string()), "markup_percent": markup,
        "min": service.min, "max": service.max, "enabled": service.enabled, "offers": service.offers.len(),
    })
}

async fn import(gateway: &Gateway, args: ImportArgs, as_json: bool) -> anyhow::Result<()> {
    let import = Import {
        upstream: parse_id(&args.upstream)?,
        matching: args.matching,
        markup_percent: catalogue_file::markup("--markup", &args.markup).map_err(|e| Usage(e.to_string()))?,
        params: args.params.iter().map(|text| param(text)).collect::<Result<_, _>>()?,
    };
    let imported = gateway.store().import(&import, wiring::now()).await?;
    let catalogue = gateway.catalogue();
    let unpriced = imported.created.iter().filter(|service| catalogue.base_rate_of(service).is_none()).count();
    let created = imported.created.iter().map(|service| {
        let from = service.offers.first().map(|offer| offer.service.as_str());
        json!({"id": service.id, "name": service.name, "category": service.category, "upstream_service": from})
    });
    if as_json {
        return output::json(&json!({
            "created": created.collect::<Vec<_>>(), "offered": imported.offered,
            "unknown_type": imported.unknown_type, "out_of_bounds": imported.out_of_bounds, "unpriced": unpriced,
        }));
    }
    for service in &imported.created {
        output::line(&format!("service {} {}", service.id, service.name))?;
    }
    output::line(&format!("created: {}, all disabled", imported.created.len()))?;
    if unpriced > 0 {
        let advice = "say in the offers' params what it depends on, such as duration";
        output::line(&format!("without a price: {unpriced}; {advice}"))?;
    }
    output::line(&format!(
        "passed over: {} offered already, {} of a type that is not known, {} without a quantity that fits",
        imported.offered, imported.unknown_type, imported.out_of_bounds
    ))
}

/// A parameter of an offer as it is typed.
fn param(text: &str) -> Result<(String, String), Usage> {
    let (name, value) = text.split_once('=').unwrap_or_default();
    if name.is_empty() {
        return Err(Usage(format!("--param must be NAME=VALUE, such as duration=24, not `{text}`")));
    }
    Ok((name.to_owned(), value.to_owned()))
}
