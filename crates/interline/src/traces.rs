//! Traces: our spans go to an OpenTelemetry collector, by OTLP over HTTP, if the operator names one.
//!
//! They get there by a bounded queue and a thread of its own: when the queue is full spans are dropped, and no order ever
//! waits for a collector.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use interline_orders::{Traceparent, Tracing};
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _},
};
use opentelemetry_otlp::{Protocol, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    resource::TelemetryResourceDetector,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
};
use url::Url;

use crate::telemetry::Logged;

/// Spans that wait to be exported; an order makes about a dozen.
const QUEUE_MAX: usize = 8_192;
/// Spans in one call of the collector.
const BATCH_MAX: usize = 1_024;
/// How often spans are exported, if there is no full batch before.
const EXPORT_EVERY: Duration = Duration::from_secs(1);
/// How long the collector may take for a batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the last spans may take at the end of the program.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is said that the collector cannot be reached.
const COMPLAIN_EVERY: Duration = Duration::from_mins(10);
/// What is said about an address that is none.
const ALLOWED: &str = "must be empty or the base address of an OTLP/HTTP collector such as http://127.0.0.1:4318, \
                       without a user, a password or a query";

/// How spans meet the traces of others. Where no layer of ours was started they have no names, and this costs nothing.
pub(crate) const TRACING: Tracing = Tracing { traceparent, continue_from };

fn traceparent(span: &Span) -> Option<Traceparent> {
    let context = span.context();
    let span = context.span();
    let named = span.span_context();
    let (trace, id, flags) = (named.trace_id(), named.span_id(), named.trace_flags().to_u8());
    // Of a span that nobody exports all of it is zero, which is no name.
    Traceparent::parse(&format!("00-{trace}-{id}-{flags:02x}"))
}

fn continue_from(span: &Span, parent: &Traceparent) {
    let (Ok(trace), Ok(id)) = (TraceId::from_hex(parent.trace_id()), SpanId::from_hex(parent.span_id())) else {
        return;
    };
    let flags = if parent.is_recorded() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let parent = SpanContext::new(trace, id, flags, true, TraceState::default());
    // It fails where nobody exports the span.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// Where traces go: a base address with the path of OTLP's signal added, as its standard says; `None` for nowhere.
pub(crate) fn url(base: &str) -> Result<Option<Url>, &'static str> {
    let base = base.trim();
    if base.is_empty() {
        return Ok(None);
    }
    let mut url = Url::parse(base).map_err(|_| ALLOWED)?;
    let secretless = url.username().is_empty() && url.password().is_none();
    let unadorned = url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !secretless || !unadorned {
        return Err(ALLOWED);
    }
    let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(Some(url))
}

/// Starts the exporter.
pub(crate) fn start(url: &Url) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(url.as_str())
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(EXPORT_TIMEOUT)
        .build()?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE_MAX)
        .with_max_export_batch_size(BATCH_MAX)
        .with_scheduled_delay(EXPORT_EVERY)
        .build();
    let collector = Collector { exporter, complained: Mutex::new(None) };
    let resource = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_service_name("interline")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(collector).with_batch_config(batches).build())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_resource(resource)
        .build())
}

/// The layer that hands our own spans to the exporter, with what is logged within them.
pub(crate) fn layer(provider: &SdkTracerProvider) -> Box<dyn Layer<Logged> + Send + Sync> {
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("interline"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        // A span is begun by its first child or its end, so that its parent may be set after it was made.
        .with_context_activation(false)
        .with_filter(Targets::new().with_target("interline", LevelFilter::INFO))
        .boxed()
}

/// Exports what is left. It blocks.
pub(crate) fn stop(provider: &SdkTracerProvider) {
    if let Err(error) = provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
        tracing::warn!(%error, "the last traces did not reach the collector");
    }
}

/// The collector, about which is complained once in a while and not for every batch.
#[derive(Debug)]
struct Collector {
    exporter: opentelemetry_otlp::SpanExporter,
    /// When it was last said that spans do not get there; `None` while they do.
    complained: Mutex<Option<Instant>>,
}

impl Collector {
    fn note(&self, spans: usize, exported: &OTelSdkResult) {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        match exported {
            Ok(()) if complained.take().is_some() => tracing::info!("traces reach the collector again"),
            Err(error) if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) => {
                *complained = Some(Instant::now());
                tracing::warn!(spans, %error, "traces do not reach the collector (telemetry.otlp_endpoint); orders go on");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        self.note(spans, &exported);
        exported
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_signal_is_added_to_the_base_address() {
        for (base, to) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            (" http://127.0.0.1:4318/ ", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example/otlp", "https://collector.example/otlp/v1/traces"),
            ("https://collector.example/otlp/", "https://collector.example/otlp/v1/traces"),
        ] {
            assert_eq!(url(base).unwrap().unwrap().as_str(), to);
        }
        assert_eq!(url(" "), Ok(None));
    }

    #[test]
    fn what_is_no_base_address_is_refused() {
        for base in [
            "127.0.0.1:4318",
            "collector:4318",
            "grpc://collector:4317",
            "http://",
            "http://user@collector:4318",
            "http://:secret@collector:4318",
            "http://collector:4318?token=secret",
            "http://collector:4318/#x",
        ] {
            assert_eq!(url(base), Err(ALLOWED), "{base}");
        }
    }

    #[test]
    fn a_span_that_nobody_exports_has_no_name() {
        let parent = Traceparent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        let subscriber = tracing_subscriber::registry();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("place");
            (TRACING.continue_from)(&span, &parent);
            assert!(!span.is_disabled());
            assert_eq!((TRACING.traceparent)(&span), None);
        });
        assert_eq!((TRACING.traceparent)(&Span::none()), None);
    }

    #[test]
    fn a_span_continues_the_trace_that_is_named() {
        let parent = Traceparent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        let provider = SdkTracerProvider::builder().build();
        let tracer = provider.tracer("test");
        let subscriber = tracing_subscriber::layer::SubscriberExt::with(
            tracing_subscriber::registry(),
            tracing_opentelemetry::layer().with_tracer(tracer).with_context_activation(false),
        );
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("place");
            (TRACING.continue_from)(&span, &parent);
            let named = (TRACING.traceparent)(&span).unwrap();
            assert_eq!((named.trace_id(), named.is_recorded()), (parent.trace_id(), true));
            assert_ne!(named.span_id(), parent.span_id());
            let child = span.in_scope(|| (TRACING.traceparent)(&tracing::info_span!("route")).unwrap());
            assert_eq!(child.trace_id(), parent.trace_id());
            let other = (TRACING.traceparent)(&tracing::info_span!("call")).unwrap();
            assert_ne!(other.trace_id(), parent.trace_id());
        });
    }
}
