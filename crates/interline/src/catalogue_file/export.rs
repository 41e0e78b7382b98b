//! The catalogue as a file that applies back without a change.

use interline_domain::Micros;
use interline_store::{
    AccountRecord, CatalogueRows, CurrencyRecord, OfferRecord, SellPrice, ServiceRecord, UpstreamKey, UpstreamRecord,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use toml::Spanned;

use super::{AccountEntry, CurrencyEntry, File, OfferEntry, ServiceEntry, UpstreamEntry};

/// Everything that a catalogue file can say, as one. Keys that are stored sealed are left out, and the file says so.
pub(crate) fn to_toml(rows: &CatalogueRows) -> anyhow::Result<String> {
    let keyless: Vec<&str> = rows
        .upstreams
        .iter()
        .filter(|(upstream, _)| reference(&upstream.key).is_none())
        .map(|(upstream, _)| upstream.id.as_str())
        .collect();
    let mut text = "# Written by `interline export-catalogue`; `interline apply` takes it back.\n".to_owned();
    if !keyless.is_empty() {
        text.push_str("# Stored keys are left out. Before it makes a new database, these need a `key`: ");
        text.push_str(&keyless.join(", "));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&toml::to_string(&file(rows))?);
    Ok(text)
}

/// The same as a JSON document, in which what is empty is not left out.
pub(crate) fn to_json(rows: &CatalogueRows) -> anyhow::Result<Value> {
    let mut document = serde_json::to_value(file(rows))?;
    for section in ["currency", "upstream", "service", "account"] {
        fill(&mut document, section, json!([]));
    }
    for service in document["service"].as_array_mut().into_iter().flatten() {
        fill(service, "offer", json!([]));
        for offer in service["offer"].as_array_mut().into_iter().flatten() {
            fill(offer, "params", json!({}));
        }
    }
    Ok(document)
}

fn fill(object: &mut Value, key: &str, empty: Value) {
    if object[key].is_null() {
        object[key] = empty;
    }
}

fn file(rows: &CatalogueRows) -> File {
    let upstreams: Vec<UpstreamEntry> = rows.upstreams.iter().map(|(upstream, _)| upstream_entry(upstream)).collect();
    let services: Vec<ServiceEntry> = rows.services.iter().map(service_entry).collect();
    File {
        currency: rows.currencies.iter().map(currency_entry).collect(),
        // A section that is there and empty would say that there shall be none.
        upstream: Some(upstreams).filter(|entries| !entries.is_empty()),
        service: Some(services).filter(|entries| !entries.is_empty()),
        account: rows.accounts.iter().map(account_entry).collect(),
    }
}

fn currency_entry(currency: &CurrencyRecord) -> CurrencyEntry {
    CurrencyEntry { code: nowhere(currency.code.to_string()), rate: decimal(currency.rate) }
}

fn upstream_entry(upstream: &UpstreamRecord) -> UpstreamEntry {
    let settings = &upstream.settings;
    UpstreamEntry {
        id: nowhere(upstream.id.to_string()),
        adapter: upstream.adapter.clone(),
        url: upstream.url.clone(),
        key: reference(&upstream.key).map(str::to_owned),
        currency: Some(upstream.currency.to_string()),
        enabled: upstream.enabled,
        allow_private_address: settings.allow_private_address,
        timeout_ms: Some(settings.timeout_ms),
        requests_per_second: Some(settings.requests_per_second),
        burst: Some(settings.burst),
        concurrency: Some(settings.concurrency),
        charge_after_partial: Some(settings.charge_after_partial.name().to_owned()),
        parallel_targets: settings.parallel_targets,
        drift_allowance: Some(settings.drift_allowance.to_string()),
    }
}

fn service_entry(service: &ServiceRecord) -> ServiceEntry {
    let (rate, markup) = match service.price {
        SellPrice::Rate(rate) => (Some(rate), None),
        SellPrice::Markup(percent) => (None, Some(percent)),
    };
    ServiceEntry {
        id: nowhere(service.id.0),
        name: service.name.clone(),
        category: service.category.clone(),
        r#type: service.service_type.label().to_owned(),
        rate: rate.as_ref().map(Micros::to_string),
        markup_percent: markup.map(decimal),
        min: service.min,
        max: service.max,
        refill: service.refill,
        cancel: service.cancel,
        dripfeed: service.dripfeed,
        enabled: service.enabled,
        description: service.description.clone(),
        offer: service.offers.iter().map(offer_entry).collect(),
    }
}

fn offer_entry(offer: &OfferRecord) -> OfferEntry {
    let text = |(name, value): (&String, &String)| (name.clone(), toml::Value::String(value.clone()));
    OfferEntry {
        upstream: offer.upstream.to_string(),
        service: offer.service.clone(),
        enabled: offer.enabled,
        params: offer.params.iter().map(text).collect(),
    }
}

fn account_entry(account: &AccountRecord) -> AccountEntry {
    AccountEntry {
        id: nowhere(account.id.to_string()),
        currency: Some(account.currency.to_string()),
        discount_percent: decimal(account.discount_percent),
    }
}

/// Where a key is read from, if it may be shown.
fn reference(key: &UpstreamKey) -> Option<&str> {
    match key {
        UpstreamKey::Reference(reference) => Some(reference),
        UpstreamKey::Plain(_) | UpstreamKey::Missing => None,
    }
}

fn decimal(value: Decimal) -> String {
    value.normalize().to_string()
}

/// What we write stands on no line yet.
fn nowhere<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
