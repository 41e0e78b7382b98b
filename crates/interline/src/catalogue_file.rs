//! The catalogue file: TOML in, what the database should hold out, and back. An error names the line, the entry, the
//! key and what is allowed.

mod export;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use interline_domain::{AccountId, Currency, Micros, ServiceId, ServiceType, UpstreamId};
use interline_ledger::ChargeAfterPartial;
use interline_store::{Desired, DesiredKey, DesiredService, DesiredUpstream, OfferRecord, SellPrice, UpstreamSettings};
use interline_upstream::{Dialect, Limits};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use toml::Spanned;

pub(crate) use export::{to_json, to_toml};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    currency: Vec<CurrencyEntry>,
    upstream: Option<Vec<UpstreamEntry>>,
    service: Option<Vec<ServiceEntry>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    account: Vec<AccountEntry>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct CurrencyEntry {
    code: Spanned<String>,
    rate: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct UpstreamEntry {
    id: Spanned<String>,
    #[serde(default = "perfectpanel")]
    adapter: String,
    url: String,
    key: Option<String>,
    currency: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    allow_private_address: bool,
    timeout_ms: Option<u64>,
    requests_per_second: Option<u32>,
    burst: Option<u32>,
    concurrency: Option<u32>,
    charge_after_partial: Option<String>,
    #[serde(default = "yes")]
    parallel_targets: bool,
    drift_allowance: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the file's own keys")]
struct ServiceEntry {
    id: Spanned<i64>,
    name: String,
    #[serde(default)]
    category: String,
    #[serde(default = "default_type")]
    r#type: String,
    rate: Option<String>,
    markup_percent: Option<String>,
    min: u64,
    max: u64,
    #[serde(default)]
    refill: bool,
    #[serde(default)]
    cancel: bool,
    #[serde(default)]
    dripfeed: bool,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    description: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    offer: Vec<OfferEntry>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct OfferEntry {
    upstream: String,
    service: String,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    params: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct AccountEntry {
    id: Spanned<String>,
    currency: Option<String>,
    #[serde(default = "zero")]
    discount_percent: String,
}

fn perfectpanel() -> String {
    "perfectpanel".to_owned()
}

fn default_type() -> String {
    ServiceType::Default.label().to_owned()
}

fn zero() -> String {
    "0".to_owned()
}

const fn yes() -> bool {
    true
}

/// Reads a catalogue file. `dialects` are those that are spoken; `base` is the currency where none is named.
pub(crate) fn read(text: &str, dialects: &[Arc<dyn Dialect>], base: Currency) -> anyhow::Result<Desired> {
    let file: File = toml::from_str(text)?;
    unique(text, "currency", file.currency.iter().map(|c| &c.code))?;
    let currencies = file.currency.iter().map(|c| currency(c, base).with_context(|| place(text, "currency", &c.code)));
    let currencies = currencies.collect::<Result<Vec<_>, _>>()?;
    let upstreams = file.upstream.map(|entries| {
        unique(text, "upstream", entries.iter().map(|u| &u.id))?;
        entries
            .iter()
            .map(|u| upstream(u, dialects, base).with_context(|| place(text, "upstream", &u.id)))
            .collect::<anyhow::Result<Vec<_>>>()
    });
    let services = file.service.map(|entries| {
        unique(text, "service", entries.iter().map(|s| &s.id))?;
        entries
            .iter()
            .map(|s| service(s).with_context(|| place(text, "service", &s.id)))
            .collect::<anyhow::Result<Vec<_>>>()
    });
    unique(text, "account", file.account.iter().map(|a| &a.id))?;
    let accounts = file.account.iter().map(|a| account(a, base).with_context(|| place(text, "account", &a.id)));
    Ok(Desired {
        currencies,
        upstreams: upstreams.transpose()?,
        services: services.transpose()?,
        accounts: accounts.collect::<Result<_, _>>()?,
    })
}

fn unique<'a, T: Display + Ord + 'a>(
    text: &str,
    what: &str,
    ids: impl Iterator<Item = &'a Spanned<T>>,
) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for id in ids {
        ensure!(seen.insert(id.get_ref()), "{} stands in the file twice", place(text, what, id));
    }
    Ok(())
}

/// Where an entry stands, and which it is.
fn place<T: Display>(text: &str, what: &str, id: &Spanned<T>) -> String {
    let before = text.get(..id.span().start).unwrap_or(text);
    format!("line {}: {what} {}", before.matches('\n').count() + 1, id.get_ref())
}

fn currency(entry: &CurrencyEntry, base: Currency) -> anyhow::Result<(Currency, Decimal)> {
    let code: Currency = entry.code.get_ref().parse()?;
    let rate = decimal("rate", &entry.rate)?;
    ensure!(
        rate > Decimal::ZERO && rate <= Decimal::from(1_000_000_000),
        "`rate` must be above 0 and at most 1000000000"
    );
    ensure!(code != base || rate == Decimal::ONE, "`rate` of the base currency is 1");
    Ok((code, rate))
}

fn upstream(entry: &UpstreamEntry, dialects: &[Arc<dyn Dialect>], base: Currency) -> anyhow::Result<DesiredUpstream> {
    let dialect = dialects.iter().find(|dialect| dialect.name() == entry.adapter).with_context(|| {
        let names: Vec<&str> = dialects.iter().map(|dialect| dialect.name()).collect();
        format!("`adapter` must be one of {}, not `{}`", names.join(", "), entry.adapter)
    })?;
    let url = url::Url::parse(&entry.url).with_context(|| format!("`url` is not an address: {}", entry.url))?;
    ensure!(matches!(url.scheme(), "http" | "https"), "`url` must begin with http:// or https://");
    let defaults = UpstreamSettings::default();
    let limits = dialect
        .default_limits()
        .unwrap_or(Limits { requests_per_second: defaults.requests_per_second, burst: defaults.burst });
    let settings = UpstreamSettings {
        allow_private_address: entry.allow_private_address,
        timeout_ms: within("timeout_ms", entry.timeout_ms.unwrap_or(defaults.timeout_ms), 100, 120_000)?,
        requests_per_second: within(
            "requests_per_second",
            entry.requests_per_second.unwrap_or(limits.requests_per_second),
            1,
            100_000,
        )?,
        burst: within("burst", entry.burst.unwrap_or(limits.burst), 1, 100_000)?,
        concurrency: within("concurrency", entry.concurrency.unwrap_or(defaults.concurrency), 1, 1_000)?,
        charge_after_partial: entry
            .charge_after_partial
            .as_deref()
            .map_or(Ok(defaults.charge_after_partial), meaning)?,
        parallel_targets: entry.parallel_targets,
        drift_allowance: entry
            .drift_allowance
            .as_deref()
            .map_or(Ok(defaults.drift_allowance), |a| amount("drift_allowance", a))?,
    };
    Ok(DesiredUpstream {
        id: entry.id.get_ref().parse::<UpstreamId>().context("`id`")?,
        adapter: entry.adapter.clone(),
        url: entry.url.clone(),
        key: entry.key.as_deref().map(key).transpose()?,
        currency: entry.currency.as_deref().map_or(Ok(base), str::parse).context("`currency`")?,
        enabled: entry.enabled,
        settings,
    })
}

fn key(text: &str) -> anyhow::Result<DesiredKey> {
    match text.split_once(':') {
        Some(("env" | "file", rest)) if !rest.is_empty() => Ok(DesiredKey::Reference(text.to_owned())),
        Some(("plain", rest)) if !rest.is_empty() => Ok(DesiredKey::Plain(rest.to_owned().into())),
        // The text may be a key that was pasted bare, so it is not repeated.
        _ => bail!("`key` must be env:NAME, file:PATH or plain:VALUE"),
    }
}

fn meaning(text: &str) -> anyhow::Result<ChargeAfterPartial> {
    ChargeAfterPartial::from_name(text)
        .with_context(|| format!("`charge_after_partial` must be net, gross or unknown, not `{text}`"))
}

fn service(entry: &ServiceEntry) -> anyhow::Result<DesiredService> {
    let known = ServiceType::ALL.map(ServiceType::label).join(", ");
    let service_type = ServiceType::from_label(&entry.r#type)
        .with_context(|| format!("`type` must be one of {known}, not `{}`", entry.r#type))?;
    for (key, text) in [("name", &entry.name), ("category", &entry.category), ("description", &entry.description)] {
        // Postgres cannot keep it, and no panel can show it.
        ensure!(!text.contains('\0'), "`{key}` must not hold a NUL character");
    }
    ensure!(
        entry.min >= 1 && entry.min <= entry.max && entry.max <= 2_147_483_647,
        "`min` and `max` must be 1 to 2147483647, and `min` at most `max`"
    );
    ensure!(
        service_type != ServiceType::Package || entry.min == entry.max,
        "`min` and `max` of a Package must be the same: what one package delivers"
    );
    let price = match (&entry.rate, &entry.markup_percent) {
        (Some(rate), None) => SellPrice::Rate(amount("rate", rate)?),
        (None, Some(text)) => SellPrice::Markup(markup("markup_percent", text)?),
        _ => bail!("exactly one of `rate` and `markup_percent` must be set"),
    };
    let offers: Vec<OfferRecord> = entry.offer.iter().map(offer).collect::<Result<_, _>>()?;
    for (index, offer) in offers.iter().enumerate() {
        let twice = offers[..index]
            .iter()
            .any(|o| (&o.upstream, &o.service, &o.params) == (&offer.upstream, &offer.service, &offer.params));
        ensure!(
            !twice,
            "the offer of {} at {} stands there twice with the same `params`",
            offer.service,
            offer.upstream
        );
    }
    Ok(DesiredService {
        id: entry.id.to_string().parse::<ServiceId>().context("`id`")?,
        name: entry.name.clone(),
        category: entry.category.clone(),
        service_type,
        price,
        min: entry.min,
        max: entry.max,
        refill: entry.refill,
        cancel: entry.cancel,
        dripfeed: entry.dripfeed,
        enabled: entry.enabled,
        description: entry.description.clone(),
        offers,
    })
}

fn offer(entry: &OfferEntry) -> anyhow::Result<OfferRecord> {
    ensure!(!entry.service.is_empty() && entry.service.len() <= 128, "offer: `service` must be 1 to 128 bytes");
    let mut params = BTreeMap::new();
    for (name, value) in &entry.params {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            _ => bail!("offer: `params.{name}` must be a text, a whole number, true or false"),
        };
        params.insert(name.clone(), text);
    }
    let upstream = entry.upstream.parse().context("offer: `upstream`")?;
    Ok(OfferRecord { upstream, service: entry.service.clone(), enabled: entry.enabled, params })
}

fn account(entry: &AccountEntry, base: Currency) -> anyhow::Result<(AccountId, Currency, Decimal)> {
    let currency = entry.currency.as_deref().map_or(Ok(base), str::parse).context("`currency`")?;
    Ok((
        entry.id.get_ref().parse().context("`id`")?,
        currency,
        percent("discount_percent", &entry.discount_percent, 0, 100)?,
    ))
}

fn amount(key: &str, text: &str) -> anyhow::Result<Micros> {
    let amount: Micros = text.parse().with_context(|| format!("`{key}`"))?;
    ensure!(!amount.is_negative(), "`{key}` must not be negative");
    Ok(amount)
}

/// A markup in percent; `key` is what it is called where it stands.
pub(crate) fn markup(key: &str, text: &str) -> anyhow::Result<Decimal> {
    percent(key, text, -100, 100_000)
}

fn decimal(key: &str, text: &str) -> anyhow::Result<Decimal> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    let parsed = text.parse::<Decimal>().ok().filter(|_| plain);
    parsed.with_context(|| format!("`{key}` must be a decimal such as \"1.10\", not `{text}`"))
}

fn percent(key: &str, text: &str, min: i64, max: i64) -> anyhow::Result<Decimal> {
    let value = decimal(key, text)?;
    ensure!(value >= Decimal::from(min) && value <= Decimal::from(max), "`{key}` must be from {min} to {max}");
    Ok(value)
}

fn within<T: PartialOrd + std::fmt::Display + Copy>(key: &str, value: T, min: T, max: T) -> anyhow::Result<T> {
    ensure!(value >= min && value <= max, "`{key}` must be from {min} to {max}, not {value}");
    Ok(value)
}

#[cfg(test)]
#[path = "catalogue_file_tests.rs"]
mod tests;
