//! Logs to stderr, as text or JSON, and traces for a collector, if one is named.
//!
//! A line of the log is a sentence for people and fields for machines: `order`, `attempt`, `upstream` and `account` are ids,
//! `error` is what went wrong. ERROR is what somebody has to do something about, WARN a failure that is provided for, INFO
//! the life of the program, DEBUG the way of an order. A failure is one line, written where it is handled. No line and no
//! span holds a key, a link or a comment. JSON lines have the fields of the span they were written in (`span`); text has
//! none, so that without an exporter spans are never made.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Metadata;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt as _, LevelFilter, filter_fn},
    fmt,
    layer::{Layered, SubscriberExt as _},
    reload,
    util::SubscriberInitExt as _,
};

use crate::{
    config::{LogFormat, Telemetry as Settings},
    traces,
};

type Logs = Box<dyn Layer<Registry> + Send + Sync>;
/// What the layer of the traces is laid over.
pub(crate) type Logged = Layered<Logs, Registry>;

/// Logs and traces that were started.
pub(crate) struct Telemetry {
    filter: reload::Handle<EnvFilter, Registry>,
    traces: Option<SdkTracerProvider>,
}

/// Starts logging; and the export of traces, if this is a server's process and a collector is named. Settings that cannot be
/// read were refused with the configuration.
pub(crate) fn start(settings: &Settings, serves: bool) -> anyhow::Result<Telemetry> {
    let (filter, handle) = reload::Layer::new(env_filter(&settings.log));
    let logged = Registry::default().with(logs(settings.log_format, filter));
    let url = traces::url(&settings.otlp_endpoint).ok().flatten().filter(|_| serves);
    let traces = url.map(|url| traces::start(&url)).transpose().context("telemetry.otlp_endpoint")?;
    match &traces {
        Some(provider) => logged.with(traces::layer(provider)).init(),
        None => logged.init(),
    }
    Ok(Telemetry { filter: handle, traces })
}

impl Telemetry {
    /// Takes another filter for the log from now on; it was read with the configuration.
    pub(crate) fn reload(&self, filter: &str) -> anyhow::Result<()> {
        self.filter.reload(env_filter(filter)).context("telemetry.log")
    }

    /// Exports the traces that are left.
    pub(crate) async fn shutdown(self) {
        if let Some(provider) = self.traces {
            // It waits for a thread that must not wait for us. A panic in it costs spans and nothing else.
            let _ = tokio::task::spawn_blocking(move || traces::stop(&provider)).await;
        }
    }
}

fn env_filter(text: &str) -> EnvFilter {
    let filter = EnvFilter::new(text);
    // At every start: that the table of migrations is there already.
    match "sqlx::postgres::notice=warn".parse() {
        Ok(quieter) => filter.add_directive(quieter),
        Err(_) => filter,
    }
}

fn logs(format: LogFormat, filter: reload::Layer<EnvFilter, Registry>) -> Logs {
    // A log that nobody reads any more must not stop what it tells of.
    let lines = fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    match format {
        LogFormat::Text => {
            let no_spans = filter_fn(|metadata| !metadata.is_span() && may_be_told(metadata))
                .with_max_level_hint(LevelFilter::TRACE);
            lines.with_ansi(std::io::stderr().is_terminal()).with_filter(no_spans.and(filter)).boxed()
        }
        LogFormat::Json => {
            let secretless = filter_fn(may_be_told).with_max_level_hint(LevelFilter::TRACE);
            let lines = lines.json().flatten_event(true).with_current_span(true).with_span_list(false);
            lines.with_filter(secretless.and(filter)).boxed()
        }
    }
}

/// The WebSocket library would tell every frame, and the first one on an upstream's feed holds the key: it is silent,
/// whatever filter the operator chose.
fn may_be_told(metadata: &Metadata<'_>) -> bool {
    !metadata.target().starts_with("tungstenite")
}
