//! `/metrics`: what is counted and measured, in Prometheus' text format. Each crate counts where things happen; here stands
//! what the numbers mean, who may read them, and how they are kept from growing.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::get,
};
use interline_store::Engine;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// Upper bounds of durations, in seconds.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of how many operations share a commit.
const OPERATIONS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// How often measured values are put into their buckets; until then each takes memory of its own.
const UPKEEP: Duration = Duration::from_secs(5);
/// The text format, as scrapers ask for it.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Connections to the listener of its own.
const SCRAPERS_MAX: usize = 64;
/// What only a proxy writes: the call comes from somewhere else, whoever the connection is from.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

const COUNTERS: [(&str, &str); 9] = [
    (
        "interline_requests_total",
        "Calls of customers' software that were answered. action `other`: an unknown action, or a call that could not be read",
    ),
    (
        "interline_limited_total",
        "Calls refused by a limit: of an address (ip), of a key, of wrong keys, or because the gateway was too busy",
    ),
    ("interline_attempts_total", "Verdicts on submissions to an upstream"),
    ("interline_upstream_errors_total", "Calls to an upstream that brought no usable answer"),
    (
        "interline_upstream_held_back_total",
        "Times that a submission could not go at once because of requests_per_second or burst (rate) or concurrency of \
         its upstream. What still waits is tried, and counted, again about twice a second",
    ),
    ("interline_cache_total", "Questions that were answered from memory (hit), or not (miss)"),
    ("interline_feed_updates_total", "Orders that an upstream's push feed had news of, each time that it had"),
    (
        "interline_feed_hints_total",
        "What came of that, the news of an order within sync.status_first_ms taken together: it is looked at now (due), it \
         was due already or is not looked at any more (moot), it is no order of ours (unknown), there were too many (dropped)",
    ),
    (
        "interline_feed_reconnects_total",
        "Times that an upstream's push feed was lost or could not be had, and is tried again",
    ),
];

const HISTOGRAMS: [(&str, Unit, &str); 5] = [
    ("interline_request_seconds", Unit::Seconds, "Time from the head of a customer's call to its answer"),
    ("interline_upstream_seconds", Unit::Seconds, "Time of one call to an upstream, without waiting for its limits"),
    (
        "interline_dispatch_wait_seconds",
        Unit::Seconds,
        "Time that an attempt waited between being queued and being handed over to its upstream",
    ),
    ("interline_write_group_operations", Unit::Count, "Operations in one commit"),
    (
        "interline_write_seconds",
        Unit::Seconds,
        "Time of a group's statements (prepare), and of its commit: the database's disk",
    ),
];

const GAUGES: [(&str, Unit, &str); 16] = [
    ("interline_requests_in_progress", Unit::Count, "Calls of customers' software that are being answered"),
    (
        "interline_orders",
        Unit::Count,
        "Orders by status, read every few seconds; those that ended (Partial, Completed, Canceled) less often when there are \
         very many, so that counting them takes at most 1 % of the time",
    ),
    ("interline_attempts_queued", Unit::Count, "Attempts that wait to be sent to an upstream"),
    ("interline_writer_queue", Unit::Count, "Operations that wait for the writer, customers' and background ones"),
    ("interline_due", Unit::Count, "Work whose time has come: status, cancel, refill, catalogue and balance calls"),
    ("interline_due_late_seconds", Unit::Seconds, "How late the oldest of the work is whose time has come"),
    ("interline_cases_open", Unit::Count, "Open cases: what a machine must not decide"),
    ("interline_cases_open_amount", Unit::Count, "Money in open cases, in whole units of the currency"),
    (
        "interline_earned",
        Unit::Count,
        "Totals of the books' accounts of income and expenses, in whole units; revenue - cost is the margin. With very many \
         entries read less often, so that it takes at most 1 % of the time",
    ),
    ("interline_upstream_balance", Unit::Count, "The last balance that an upstream told, in whole units"),
    ("interline_upstream_available", Unit::Count, "What routing may spend at an upstream, in whole units"),
    ("interline_upstream_committed", Unit::Count, "Money in submissions under way at an upstream, in whole units"),
    ("interline_upstream_unknown", Unit::Count, "Submissions of which nobody knows whether the upstream took them"),
    (
        "interline_feed_connected",
        Unit::Count,
        "1 while an upstream's push feed brings news to this process; one process at a time holds it",
    ),
    ("interline_resident_memory_bytes", Unit::Bytes, "Memory of this process"),
    ("interline_build_info", Unit::Count, "Always 1; its labels are the program's version and its database"),
];

/// The numbers, and where they are read.
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    /// The listener of its own.
    listener: Option<TcpListener>,
}

impl Metrics {
    /// Begins to count, and binds the listener of `telemetry.metrics_listen`. To be called before anything is made that
    /// counts: what was made before does not.
    pub(crate) async fn start(config: &Config) -> anyhow::Result<Self> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_operations".to_owned()), &OPERATIONS)?;
        let handle = builder.install_recorder()?;
        describe();
        let listener = match config.metrics_listen()? {
            None => None,
            Some(listen) => {
                let bound = TcpListener::bind(listen).await;
                Some(bound.with_context(|| format!("cannot listen on {listen} (telemetry.metrics_listen)"))?)
            }
        };
        Ok(Self { handle, listener })
    }

    /// Serves the numbers until `stop`: on the listener of its own to everybody who reaches it, or else by the routes that
    /// are returned, which are the server's own, to callers on this machine.
    pub(crate) fn serve(self, engine: Engine, stop: &CancellationToken) -> Router {
        let engine = match engine {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        };
        gauge!("interline_build_info", "version" => env!("CARGO_PKG_VERSION"), "engine" => engine).set(1.0);
        tokio::spawn(upkeep(self.handle.clone()));
        let handle = self.handle;
        let Some(listener) = self.listener else {
            let answer = move |ConnectInfo(peer): ConnectInfo<SocketAddr>, headers: HeaderMap| async move {
                page_for(peer.ip(), &headers, &handle)
            };
            return Router::new().route("/metrics", get(answer));
        };
        if let Ok(address) = listener.local_addr() {
            tracing::info!("metrics on http://{address}/metrics");
        }
        let app = Router::new().route("/metrics", get(move || async move { page(&handle) }));
        tokio::spawn(interline_api::serve(listener, app, SCRAPERS_MAX, stop.clone()));
        Router::new()
    }
}

/// What each number means.
fn describe() {
    for (name, help) in COUNTERS {
        describe_counter!(name, Unit::Count, help);
    }
    for (name, unit, help) in HISTOGRAMS {
        describe_histogram!(name, unit, help);
    }
    for (name, unit, help) in GAUGES {
        describe_gauge!(name, unit, help);
    }
}

/// Puts what was measured into its buckets, and looks at the process itself.
async fn upkeep(handle: PrometheusHandle) {
    loop {
        if let Some(bytes) = resident_bytes() {
            gauge!("interline_resident_memory_bytes").set(bytes);
        }
        handle.run_upkeep();
        tokio::time::sleep(UPKEEP).await;
    }
}

/// The memory of this process, as Linux tells it.
fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(f64::from(kibibytes) * 1_024.0)
}

/// The numbers as they are now.
fn page(handle: &PrometheusHandle) -> Response {
    ([(CONTENT_TYPE, TEXT_FORMAT)], handle.render()).into_response()
}

/// The numbers for callers on this machine; to everybody else there is no such page.
fn page_for(peer: IpAddr, headers: &HeaderMap, handle: &PrometheusHandle) -> Response {
    if is_local(peer, headers) { page(handle) } else { StatusCode::NOT_FOUND.into_response() }
}

/// Whether a call comes from this machine, and not through a proxy on it.
fn is_local(peer: IpAddr, headers: &HeaderMap) -> bool {
    peer.to_canonical().is_loopback() && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_itself_is_local() {
        let with = |name: Option<&'static str>| {
            name.into_iter().map(|name| (name.parse().unwrap(), "127.0.0.1".parse().unwrap())).collect::<HeaderMap>()
        };
        for (peer, header, local) in [
            ("127.0.0.1", None, true),
            ("::1", None, true),
            ("::ffff:127.0.0.1", None, true),
            ("127.0.0.1", Some("x-forwarded-for"), false),
            ("127.0.0.1", Some("forwarded"), false),
            ("::1", Some("x-real-ip"), false),
            ("10.0.0.1", None, false),
            ("198.51.100.1", None, false),
        ] {
            assert_eq!(is_local(peer.parse().unwrap(), &with(header)), local, "{peer} {header:?}");
        }
    }

    #[test]
    fn the_memory_of_this_process_is_read() {
        assert!(resident_bytes().unwrap() > 100_000.0);
    }
}
