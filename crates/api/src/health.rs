//! `/healthz` and `/readyz`: whether the process lives, and whether it can take orders.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use interline_orders::Gateway;

pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready)).with_state(gateway)
}

/// Ready while the database answers. Upstreams are not waited for: orders are routed around those that are away.
async fn ready(State(gateway): State<Arc<Gateway>>) -> (StatusCode, &'static str) {
    match gateway.is_ready().await {
        Ok(()) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready: the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
    }
}
