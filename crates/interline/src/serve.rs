//! The life of the server: bind, work, drain, stop.

use std::{future, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use interline_api::{ApiSettings, CONNECTIONS_MAX, TURNED_AWAY_MAX, router};
use interline_orders::Gateway;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use crate::{config::Config, metrics::Metrics, output, reload::Reloads, telemetry::Telemetry, wiring};

/// Connections that the system keeps for us until they are taken in: a crowd that comes at once waits there for a moment.
const BACKLOG: u32 = 4_096;
/// Files that are kept for everything but customers: the database, upstreams, and those who are turned away.
const OTHER_FILES: usize = 512 + TURNED_AWAY_MAX;
/// How long the end waits for the database to let go. What was answered is durable, whatever comes of this.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// `interline serve`, of the configuration in `file`.
pub(crate) async fn run(config: Config, file: Option<&Path>, telemetry: &Telemetry) -> anyhow::Result<()> {
    let reloads = Reloads::new(file, &config, telemetry)?;
    let metrics = Metrics::start(&config).await?;
    let gateway = wiring::gateway(&config).await?;
    let _lock = gateway.store().lock_for_serving()?;
    let listener = bind(config.server.listen)?;
    let stop = stop_signal()?;
    output::line(&format!("listening on http://{}", listener.local_addr()?))?;
    serve(gateway, listener, config, metrics, stop, Some(reloads)).await
}

/// Binds, or says who may be in the way.
pub(crate) fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = || -> io::Result<TcpListener> {
        let socket = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(listen)?;
        socket.listen(BACKLOG)
    };
    bound().with_context(|| format!("cannot listen on {listen} (server.listen or --listen; port 0 takes a free one)"))
}

/// Serves until `stop`, then takes no more, and gives what is under way `drain_ms` to finish.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    config: Config,
    metrics: Metrics,
    stop: CancellationToken,
    reloads: Option<Reloads<'_>>,
) -> anyhow::Result<()> {
    let settings = ApiSettings { panel: config.panel(), limits: config.limits()? };
    let (app, faces) = router(gateway.clone(), settings);
    let app = app.merge(metrics.serve(gateway.store().engine(), &stop));
    let serving = tokio::spawn(interline_api::serve(listener, app, connections_max(), stop.clone()));
    let closed = stop.clone();
    let answered = async move {
        // A worker that ended by itself stops the faces too.
        closed.cancel();
        if let Err(error) = serving.await {
            tracing::error!(%error, "the faces stopped");
        }
    };
    let live = ArcSwap::from_pointee(config);
    let drain = || Duration::from_millis(live.load().server.drain_ms);
    let reloading = async {
        match reloads {
            Some(reloads) => reloads.run(&gateway, &faces, &live).await,
            None => future::pending().await,
        }
    };
    let worked = tokio::select! {
        worked = gateway.work(stop.cancelled_owned(), answered, drain) => worked,
        never = reloading => match never {},
    };
    if tokio::time::timeout(CLOSE_WITHIN, gateway.store().close()).await.is_err() {
        tracing::warn!("the database did not let go in time");
    }
    worked.map_err(Into::into)
}

/// How many connections there is room for: raises the limit on open files as far as this process may.
fn connections_max() -> usize {
    let wanted = u64::try_from(CONNECTIONS_MAX + OTHER_FILES).unwrap_or(u64::MAX);
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if limit.current.is_some_and(|current| current < allowed) {
        // If it may not be raised, it stays as it is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum: limit.maximum });
    }
    let files =
        getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let connections_max = connections(files);
    if connections_max < CONNECTIONS_MAX {
        tracing::warn!(files, connections_max, "room for few connections: raise the limit on open files (ulimit -n)");
    }
    connections_max
}

/// How many connections so many open files leave room for. A few there must be, or nobody could be served at all.
fn connections(files: usize) -> usize {
    files.saturating_sub(OTHER_FILES).clamp(64, CONNECTIONS_MAX)
}

/// Cancelled by SIGTERM or Ctrl-C; a second one ends the process at once.
pub(crate) fn stop_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let stop = token.clone();
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::spawn(async move {
        let mut signals = 0;
        loop {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            signals += 1;
            if signals > 1 {
                tracing::warn!("stopped at once; what was under way is recovered at the next start");
                std::process::exit(1);
            }
            stop.cancel();
            tracing::info!("stopping: finishing what is under way");
        }
    });
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_for_the_database_and_the_upstreams() {
        assert_eq!(connections(usize::MAX), CONNECTIONS_MAX);
        assert_eq!(connections(1_024), 1_024 - OTHER_FILES);
        assert_eq!(connections(256), 64);
    }
}
