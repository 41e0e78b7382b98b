//! The load: N connections, each of which sends its next call as soon as the last one is answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

use crate::{
    call::{Call, number},
    http::{Messages, OK},
};

/// Before a measurement counts: connections open, caches fill, the processor wakes up.
const WARM_UP: Duration = Duration::from_secs(1);
/// Longest answer that is told apart, in nanoseconds.
const LATENCY_MAX_NS: u64 = 60_000_000_000;
/// How much of an answer is shown when it is not a success.
const SHOWN_BYTES: usize = 200;
/// Longer than any run.
const FOR_EVER: Duration = Duration::from_hours(24);

/// The number of the next order, for the whole run.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What came of a load.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    /// Calls that were measured.
    pub(crate) calls: u64,
    /// Calls per second.
    pub(crate) per_second: f64,
    /// Half of the calls took no longer, in nanoseconds.
    pub(crate) p50_ns: u64,
    /// 99 of 100 calls took no longer, in nanoseconds.
    pub(crate) p99_ns: u64,
    /// Calls without a success, those of the warm-up included.
    pub(crate) errors: u64,
    /// What was answered to one of them.
    pub(crate) error: Option<String>,
}

/// When a load is measured and when it ends.
#[derive(Debug, Clone)]
struct Window {
    from: Instant,
    until: Instant,
    /// Calls that may still be made.
    left: Arc<AtomicI64>,
}

/// Numbers handed out so far: how many orders were asked for.
pub(crate) fn numbers() -> u64 {
    NEXT.load(Ordering::Relaxed)
}

/// The request with a number that no other has, if it needs one.
pub(crate) fn fresh(call: &Call, request: &mut [u8]) {
    if call.numbered {
        number(request, NEXT.fetch_add(1, Ordering::Relaxed));
    }
}

/// Makes a call on `connections` at a time for so many seconds.
pub(crate) async fn measure(call: &Call, to: SocketAddr, connections: usize, seconds: u32) -> Result<Measured> {
    let from = Instant::now() + WARM_UP;
    let until = from + Duration::from_secs(seconds.into());
    run(call, to, connections, Window { from, until, left: Arc::new(AtomicI64::new(i64::MAX)) }).await
}

/// Makes a call so many times, on `connections` at a time.
pub(crate) async fn repeat(call: &Call, to: SocketAddr, connections: usize, times: i64) -> Result<Measured> {
    let from = Instant::now();
    run(call, to, connections, Window { from, until: from + FOR_EVER, left: Arc::new(AtomicI64::new(times)) }).await
}

async fn run(call: &Call, to: SocketAddr, connections: usize, window: Window) -> Result<Measured> {
    let call = Arc::new(call.clone());
    let mut tasks = JoinSet::new();
    for place in 0..connections {
        tasks.spawn(connection(Arc::clone(&call), to, place, window.clone()));
    }
    let mut all = Tally::new()?;
    while let Some(ended) = tasks.join_next().await {
        all.add(ended?.with_context(|| format!("{} at {to}", call.name))?)?;
    }
    let took = all.last.saturating_duration_since(window.from).as_secs_f64();
    let calls = all.latencies.len();
    Ok(Measured {
        calls,
        per_second: f64::from(u32::try_from(calls)?) / took.max(f64::MIN_POSITIVE),
        p50_ns: all.latencies.value_at_quantile(0.50),
        p99_ns: all.latencies.value_at_quantile(0.99),
        errors: all.errors,
        error: all.error,
    })
}

/// One connection's part of the load.
async fn connection(call: Arc<Call>, to: SocketAddr, place: usize, window: Window) -> Result<Tally> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (mut messages, mut tally) = (Messages::new(), Tally::new()?);
    let mut requests = call.requests.clone();
    let mut turn = place;
    loop {
        let begun = Instant::now();
        if begun >= window.until || window.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Ok(tally);
        }
        let count = requests.len();
        let request = &mut requests[turn % count];
        turn += 1;
        fresh(&call, request);
        stream.write_all(request).await?;
        let answer = messages.next(&mut stream).await?.context("the connection was closed")?;
        let ended = Instant::now();
        if begun >= window.from {
            tally.latencies.saturating_record(u64::try_from((ended - begun).as_nanos())?);
            tally.last = ended;
        }
        if !(answer.head.starts_with(OK) && answer.body.starts_with(call.success.as_bytes())) {
            tally.refused(answer.body);
        }
    }
}

/// What one connection saw.
struct Tally {
    latencies: Histogram<u64>,
    last: Instant,
    errors: u64,
    error: Option<String>,
}

impl Tally {
    fn new() -> Result<Self> {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).context("histogram")?;
        Ok(Self { latencies, last: Instant::now(), errors: 0, error: None })
    }

    fn refused(&mut self, body: &[u8]) {
        self.errors += 1;
        let shown = &body[..body.len().min(SHOWN_BYTES)];
        self.error.get_or_insert_with(|| String::from_utf8_lossy(shown).into_owned());
    }

    fn add(&mut self, other: Self) -> Result<()> {
        self.latencies.add(&other.latencies).context("histogram")?;
        self.last = self.last.max(other.last);
        self.errors += other.errors;
        self.error = self.error.take().or(other.error);
        Ok(())
    }
}
