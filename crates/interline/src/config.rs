//! The configuration: a file, then the environment over it. No other module reads the environment.
//!
//! `config/interline.toml` documents every key; a test holds the two together.

pub(crate) mod changes;

use std::{
    env, fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use globset::{Glob, GlobSetBuilder};
use interline_api::{Dialect, HttpStatus, LimitSettings, PanelSettings, TrustedProxies};
use interline_domain::{Currency, Micros};
use interline_orders::{Settings, UnknownPolicy};
use interline_routing::Policy;
use rust_decimal::Decimal;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::traces;

/// What every variable of ours begins with.
const PREFIX: &str = "INTERLINE_";
/// The file that is read when none is named.
const DEFAULT_FILE: &str = "interline.toml";

/// What is wrong with the configuration: names the key, where it stands and what is allowed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(String);

/// Every key, with its default.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) secrets: Secrets,
    pub(crate) money: MoneyKeys,
    pub(crate) panel: Panel,
    pub(crate) limits: Limits,
    pub(crate) routing: Routing,
    pub(crate) dispatch: Dispatch,
    pub(crate) sync: Sync,
    pub(crate) policy: TargetPolicy,
    pub(crate) telemetry: Telemetry,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    pub(crate) listen: std::net::SocketAddr,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) request_body_bytes_max: usize,
    pub(crate) drain_ms: u64,
}

impl Default for Server {
    fn default() -> Self {
        let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 8080));
        Self { listen, trusted_proxies: Vec::new(), request_body_bytes_max: 4_194_304, drain_ms: 10_000 }
    }
}

/// `[database]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    pub(crate) url: String,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "sqlite://interline.db".to_owned() }
    }
}

/// `[secrets]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Secrets {
    #[serde(serialize_with = "hidden")]
    pub(crate) master_key: SecretString,
}

impl Default for Secrets {
    fn default() -> Self {
        Self { master_key: String::new().into() }
    }
}

fn hidden<S: serde::Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    // The only serialisation is that of the defaults and of the merged table, which stays in this module.
    serializer.serialize_str(secret.expose_secret())
}

/// `[money]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MoneyKeys {
    pub(crate) base_currency: String,
}

impl Default for MoneyKeys {
    fn default() -> Self {
        Self { base_currency: "USD".to_owned() }
    }
}

/// `[panel]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Panel {
    pub(crate) dialect: PanelDialect,
    pub(crate) http_status: PanelStatus,
    pub(crate) dispatch_wait_ms: u64,
    pub(crate) duplicate_window_s: u32,
}

/// `panel.dialect`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PanelDialect {
    Seed,
    Classic,
}

/// `panel.http_status`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PanelStatus {
    Auto,
    Codes,
    #[serde(rename = "always-200")]
    Always200,
}

impl Default for Panel {
    fn default() -> Self {
        Self {
            dialect: PanelDialect::Seed,
            http_status: PanelStatus::Auto,
            dispatch_wait_ms: 2_000,
            duplicate_window_s: 0,
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    pub(crate) ip_per_minute: u32,
    pub(crate) key_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ip_per_minute: 1_000, key_per_minute: 6_000 }
    }
}

/// `[routing]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Routing {
    pub(crate) policy: RoutingPolicy,
    pub(crate) margin_floor_percent: String,
    pub(crate) price_max_age_s: u32,
}

/// `routing.policy`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoutingPolicy {
    Cheapest,
}

impl Default for Routing {
    fn default() -> Self {
        Self { policy: RoutingPolicy::Cheapest, margin_floor_percent: "0".to_owned(), price_max_age_s: 86_400 }
    }
}

/// `[dispatch]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Dispatch {
    pub(crate) queue_deadline_s: u32,
    pub(crate) unknown_max_count: u32,
    pub(crate) unknown_max: String,
    pub(crate) unknown_deadline_s: u32,
    pub(crate) unknown_policy: OnUnknown,
    pub(crate) quiet_s: u32,
    pub(crate) charge_factor_max: String,
}

/// `dispatch.unknown_policy`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnUnknown {
    Wait,
    Refund,
}

impl Default for Dispatch {
    fn default() -> Self {
        Self {
            queue_deadline_s: 3_600,
            unknown_max_count: 50,
            unknown_max: "100".to_owned(),
            unknown_deadline_s: 86_400,
            unknown_policy: OnUnknown::Wait,
            quiet_s: 600,
            charge_factor_max: "2".to_owned(),
        }
    }
}

/// `[sync]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "names end in their unit")]
pub(crate) struct Sync {
    pub(crate) status_first_ms: u32,
    pub(crate) status_max_ms: u32,
    pub(crate) catalogue_ms: u32,
    pub(crate) balance_ms: u32,
}

impl Default for Sync {
    fn default() -> Self {
        Self { status_first_ms: 15_000, status_max_ms: 900_000, catalogue_ms: 900_000, balance_ms: 60_000 }
    }
}

/// `[policy]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TargetPolicy {
    pub(crate) deny_targets: Vec<String>,
}

/// `[telemetry]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) metrics_listen: String,
    pub(crate) otlp_endpoint: String,
}

/// `telemetry.log_format`
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Default for Telemetry {
    fn default() -> Self {
        let (metrics_listen, otlp_endpoint) = (String::new(), String::new());
        Self { log: "info".to_owned(), log_format: LogFormat::Text, metrics_listen, otlp_endpoint }
    }
}

/// Reads `file`, or `./interline.toml` if it is there, lays the environment over it and checks every value.
pub(crate) fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    let (file, _) = origins(file);
    let mut table = toml::Table::new();
    if let Some(file) = &file {
        let name = file.display();
        let text = fs::read_to_string(file).map_err(|e| ConfigError(format!("{name}: {e}")))?;
        // Read once as it stands, for an error that shows the line.
        toml::from_str::<Config>(&text).map_err(|e| ConfigError(format!("{name}: {e}")))?;
        table = toml::from_str(&text).map_err(|e| ConfigError(format!("{name}: {e}")))?;
    }
    let variables = env::vars().filter(|(name, _)| name.starts_with(PREFIX));
    overlay(&mut table, variables)?;
    let config: Config = table.try_into().map_err(|e| ConfigError(format!("configuration: {e}")))?;
    config.settings()?;
    config.limits()?;
    config.metrics_listen()?;
    // It may hold a password, so it is not repeated.
    traces::url(&config.telemetry.otlp_endpoint).map_err(|e| ConfigError(format!("telemetry.otlp_endpoint {e}")))?;
    Ok(config)
}

/// Where the configuration comes from: the file that is read, if any, and the names of the variables laid over it.
pub(crate) fn origins(file: Option<&Path>) -> (Option<PathBuf>, Vec<String>) {
    let file = file.map(Path::to_path_buf).or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|f| f.exists()));
    let mut names: Vec<String> =
        env::vars().map(|(name, _)| name).filter(|n| n.starts_with(PREFIX) && n.contains("__")).collect();
    names.sort();
    (file, names)
}

/// Lays `INTERLINE_SECTION__KEY` over the table. A value takes the type of the key's default; a list is comma-separated.
fn overlay(table: &mut toml::Table, variables: impl Iterator<Item = (String, String)>) -> Result<(), ConfigError> {
    let defaults = toml::Table::try_from(Config::default()).map_err(|e| ConfigError(e.to_string()))?;
    for (name, text) in variables {
        let Some((section, key)) = name.trim_start_matches(PREFIX).split_once("__") else { continue };
        let (section, key) = (section.to_lowercase(), key.to_lowercase());
        let known = defaults.get(&section).and_then(toml::Value::as_table);
        let default = known.and_then(|keys| keys.get(&key)).ok_or_else(|| unknown_key(&name, &section, &defaults))?;
        let value = typed(default, &text)
            .map_err(|allowed| ConfigError(format!("{name}: `{text}` is not {allowed} ({section}.{key})")))?;
        let keys = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let Some(keys) = keys.as_table_mut() {
            keys.insert(key, value);
        }
    }
    Ok(())
}

fn unknown_key(name: &str, section: &str, defaults: &toml::Table) -> ConfigError {
    let (what, known) = match defaults.get(section).and_then(toml::Value::as_table) {
        Some(keys) => ("key", keys.keys().cloned().collect::<Vec<_>>()),
        None => ("section", defaults.keys().cloned().collect()),
    };
    ConfigError(format!("{name}: there is no such {what}; known are {}", known.join(", ")))
}

fn typed(default: &toml::Value, text: &str) -> Result<toml::Value, &'static str> {
    match default {
        toml::Value::Integer(_) => text.trim().parse().map(toml::Value::Integer).map_err(|_| "a whole number"),
        toml::Value::Boolean(_) => text.trim().parse().map(toml::Value::Boolean).map_err(|_| "true or false"),
        toml::Value::Array(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Ok(toml::Value::Array(parts.map(|part| toml::Value::String(part.to_owned())).collect()))
        }
        _ => Ok(toml::Value::String(text.to_owned())),
    }
}

impl Config {
    /// How the panel faces answer.
    pub(crate) fn panel(&self) -> PanelSettings {
        PanelSettings {
            dialect: match self.panel.dialect {
                PanelDialect::Seed => Dialect::Seed,
                PanelDialect::Classic => Dialect::Classic,
            },
            http_status: match self.panel.http_status {
                PanelStatus::Auto => HttpStatus::Auto,
                PanelStatus::Codes => HttpStatus::Codes,
                PanelStatus::Always200 => HttpStatus::Always200,
            },
            request_body_bytes_max: self.server.request_body_bytes_max,
        }
    }

    /// How fast callers may be; the values are checked here.
    pub(crate) fn limits(&self) -> Result<LimitSettings, ConfigError> {
        let trusted_proxies = TrustedProxies::read(&self.server.trusted_proxies)
            .map_err(|wrong| ConfigError(format!("server.trusted_proxies: {wrong}")))?;
        Ok(LimitSettings {
            ip_per_minute: positive("limits.ip_per_minute", self.limits.ip_per_minute)?,
            key_per_minute: positive("limits.key_per_minute", self.limits.key_per_minute)?,
            trusted_proxies,
        })
    }

    /// Where `/metrics` has a listener of its own; `None`: on the server's port, for callers on its machine alone.
    pub(crate) fn metrics_listen(&self) -> Result<Option<std::net::SocketAddr>, ConfigError> {
        let text = self.telemetry.metrics_listen.trim();
        let address = (!text.is_empty()).then(|| text.parse::<std::net::SocketAddr>()).transpose();
        address.map_err(|_| {
            let allowed = "an address and a port such as 127.0.0.1:9464, or empty: on the server's own port";
            ConfigError(format!("telemetry.metrics_listen: `{text}` is not {allowed}"))
        })
    }

    /// The settings of the use-cases; the values that have a form of their own are checked here.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let seconds = |s: u32| i64::from(s) * 1_000;
        // At 0 no price is ever young enough, and nothing could be sold.
        positive("routing.price_max_age_s", self.routing.price_max_age_s)?;
        positive("sync.status_first_ms", self.sync.status_first_ms)?;
        positive("sync.catalogue_ms", self.sync.catalogue_ms)?;
        positive("sync.balance_ms", self.sync.balance_ms)?;
        if self.sync.status_max_ms < self.sync.status_first_ms {
            return Err(ConfigError("sync.status_max_ms must be at least sync.status_first_ms".to_owned()));
        }
        tracing_subscriber::EnvFilter::try_new(&self.telemetry.log).map_err(|e| {
            ConfigError(format!(
                "telemetry.log: `{}` is not a log filter such as info or interline=debug: {e}",
                self.telemetry.log
            ))
        })?;
        let url = &self.database.url;
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            // It may hold a password, so it is not repeated.
            return Err(ConfigError("database.url must be sqlite://FILE or postgres://USER@HOST/DATABASE".to_owned()));
        }
        if parsed::<Micros>("dispatch.unknown_max", &self.dispatch.unknown_max)?.is_negative() {
            return Err(ConfigError("dispatch.unknown_max must not be negative".to_owned()));
        }
        let RoutingPolicy::Cheapest = self.routing.policy;
        Ok(Settings {
            base_currency: parsed::<Currency>("money.base_currency", &self.money.base_currency)?,
            dispatch_wait_ms: self.panel.dispatch_wait_ms,
            duplicate_window_ms: seconds(self.panel.duplicate_window_s),
            policy: Policy {
                margin_floor_percent: parsed::<Decimal>(
                    "routing.margin_floor_percent",
                    &self.routing.margin_floor_percent,
                )?,
                price_max_age_ms: seconds(self.routing.price_max_age_s),
            },
            queue_deadline_ms: seconds(self.dispatch.queue_deadline_s),
            unknown_max_count: i64::from(self.dispatch.unknown_max_count),
            unknown_max: parsed::<Micros>("dispatch.unknown_max", &self.dispatch.unknown_max)?,
            unknown_deadline_ms: seconds(self.dispatch.unknown_deadline_s),
            unknown_policy: match self.dispatch.unknown_policy {
                OnUnknown::Wait => UnknownPolicy::Wait,
                OnUnknown::Refund => UnknownPolicy::Refund,
            },
            quiet_ms: seconds(self.dispatch.quiet_s),
            charge_factor_max: self.charge_factor_max()?,
            status_first_ms: i64::from(self.sync.status_first_ms),
            status_max_ms: i64::from(self.sync.status_max_ms),
            catalogue_ms: i64::from(self.sync.catalogue_ms),
            balance_ms: i64::from(self.sync.balance_ms),
            deny_targets: self.deny_targets()?,
        })
    }

    fn charge_factor_max(&self) -> Result<Decimal, ConfigError> {
        let factor = parsed::<Decimal>("dispatch.charge_factor_max", &self.dispatch.charge_factor_max)?;
        if factor < Decimal::ONE {
            return Err(ConfigError("dispatch.charge_factor_max must be at least 1".to_owned()));
        }
        Ok(factor)
    }

    fn deny_targets(&self) -> Result<globset::GlobSet, ConfigError> {
        let wrong = |pattern: &str, e: &dyn std::fmt::Display| {
            ConfigError(format!("policy.deny_targets: `{pattern}` is not a glob: {e}"))
        };
        let mut set = GlobSetBuilder::new();
        for pattern in &self.policy.deny_targets {
            set.add(Glob::new(&pattern.to_lowercase()).map_err(|e| wrong(pattern, &e))?);
        }
        set.build().map_err(|e| wrong("*", &e))
    }
}

fn positive(key: &str, value: u32) -> Result<NonZeroU32, ConfigError> {
    NonZeroU32::new(value).ok_or_else(|| ConfigError(format!("{key} must be at least 1")))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(key: &str, text: &str) -> Result<T, ConfigError> {
    text.trim().parse().map_err(|e| ConfigError(format!("{key}: {e} (it is \"{text}\")")))
}

/// Reads a reference to a secret: `env:NAME` or `file:PATH`.
pub(crate) fn resolve_key(reference: &str) -> Result<SecretString, String> {
    let text = match reference.split_once(':') {
        Some(("env", name)) => {
            env::var(name).map_err(|_| format!("the environment variable {name} is not set here"))?
        }
        Some(("file", path)) => fs::read_to_string(path).map_err(|e| format!("key file {path}: {e}"))?,
        _ => return Err(format!("`{reference}` is neither env:NAME nor file:PATH")),
    };
    let text = text.trim();
    if text.is_empty() { Err(format!("the key at {reference} is empty")) } else { Ok(text.to_owned().into()) }
}

/// The sabotage that a test asks for. Only builds with the feature have it.
#[cfg(feature = "sabotage")]
pub(crate) fn sabotage() -> Option<String> {
    env::var("INTERLINE_SABOTAGE").ok()
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
