//! Whether many open orders are followed when they are due.

use std::{net::SocketAddr, pin::pin, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    RunArgs,
    call::Call,
    gateway::{Engine, Following, Gateway},
    http, load,
    process::Memory,
};

/// Connections that place the orders.
const PLACERS: usize = 64;
/// Looks at the gateway after the last order, so far apart.
const LOOKS: u32 = 60;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// What the gateway says of itself.
const METRICS: &[u8] = b"GET /metrics HTTP/1.1\r\nhost: bench\r\n\r\n";
const LATE: &str = "interline_due_late_seconds";

/// How well open orders were followed.
#[derive(Debug, Serialize)]
pub(crate) struct Open {
    /// What the gateway stores on.
    pub(crate) engine: Engine,
    /// How many.
    pub(crate) orders: u32,
    /// Orders placed a second, while those that were there already were followed.
    pub(crate) placed_per_second: f64,
    /// The longest that one was overdue while orders were placed, in seconds.
    pub(crate) late_placing_s: f64,
    /// The same in the minute after.
    pub(crate) late_after_s: f64,
    /// The gateway's memory at the end.
    pub(crate) memory: Memory,
}

/// Places `orders` that never end, and looks every second how late the follower is, until a minute after the last.
pub(crate) async fn run(args: &RunArgs, engine: Engine, orders: u32) -> Result<Open> {
    let mut gateway = Gateway::prepare(args, engine).await?;
    gateway.serve(Following::Default)?;
    let server = gateway.server()?;
    let call = Call::add(&gateway.key, false);
    eprintln!("bench: {engine}, {orders} open orders");
    let (mut late_placing_s, mut late_after_s) = (0.0_f64, 0.0_f64);
    let mut placing = pin!(load::repeat(&call, server.address, PLACERS, orders.into()));
    let placed = loop {
        tokio::select! {
            placed = &mut placing => break placed?,
            () = sleep(BETWEEN_LOOKS) => late_placing_s = late_placing_s.max(late(server.address).await?),
        }
    };
    ensure!(placed.errors == 0, "{} orders were not taken: {:?}", placed.errors, placed.error);
    for _ in 0..LOOKS {
        sleep(BETWEEN_LOOKS).await;
        late_after_s = late_after_s.max(late(server.address).await?);
    }
    let memory = server.memory()?;
    gateway.stop()?;
    Ok(Open { engine, orders, placed_per_second: placed.per_second, late_placing_s, late_after_s, memory })
}

/// How late the order is that is overdue longest.
async fn late(gateway: SocketAddr) -> Result<f64> {
    let metrics = http::ask(gateway, METRICS).await?;
    overdue(&metrics).with_context(|| format!("/metrics has no {LATE} of kind status"))
}

/// The follower's lateness in the text of the metrics.
fn overdue(metrics: &str) -> Option<f64> {
    let of_status = |line: &&str| line.starts_with(LATE) && line.contains("kind=\"status\"");
    metrics.lines().find(of_status)?.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lateness_is_found_among_the_metrics() {
        let metrics = "# TYPE interline_due_late_seconds gauge\n\
                       interline_due_late_seconds{kind=\"balance\"} 3\n\
                       interline_due_late_seconds{kind=\"status\"} 0.25\n";
        assert_eq!(overdue(metrics).map(|late| late.to_string()), Some("0.25".to_owned()));
        assert!(overdue("interline_due{kind=\"status\"} 1\n").is_none());
    }
}
