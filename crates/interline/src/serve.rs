//! The life of the server: bind, work, drain, stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use interline_api::{ApiSettings, router};
use interline_orders::Gateway;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{config::Config, output, wiring};

/// `interline serve`
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let gateway = wiring::gateway(&config).await?;
    let _lock = gateway.store().lock_for_serving()?;
    let listener = bind(config.server.listen).await?;
    output::line(&format!("listening on http://{}", listener.local_addr()?))?;
    serve(gateway, listener, &config, stop_signal()?).await
}

/// Binds, or says who may be in the way.
pub(crate) async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} (server.listen or --listen; port 0 takes a free one)"))
}

/// Serves until `stop`, then takes no more, and gives what is under way `drain_ms` to finish.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    config: &Config,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let settings = ApiSettings { panel: config.panel(), limits: config.limits()? };
    let app = router(gateway.clone(), settings).into_make_service_with_connect_info::<SocketAddr>();
    let drain = Duration::from_millis(config.server.drain_ms);
    let closing = stop.clone();
    let faces =
        tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(closing.cancelled_owned()).await });
    let (stopped, closed) = (stop.clone(), stop.clone());
    let answered = async move {
        // A worker that ended by itself stops the faces too.
        closed.cancel();
        if let Ok(Err(error)) = faces.await {
            tracing::error!(%error, "the faces stopped");
        }
    };
    let worked = gateway.work(stopped.cancelled_owned(), answered, drain).await;
    gateway.store().close().await;
    worked.map_err(Into::into)
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
