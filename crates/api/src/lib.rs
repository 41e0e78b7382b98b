//! The machine faces: bytes of HTTP become commands, commands become use-cases, and replies become bytes.
//!
//! A face is a module that knows its path and its dialect; what a command does is asked of `orders`, and the dialect's
//! words stand in `panel-protocol`.

mod health;
mod panel;

use std::sync::Arc;

use axum::{Router, routing};
use interline_orders::Gateway;
use tower_http::catch_panic::CatchPanicLayer;

/// What the faces are made with.
#[derive(Debug, Clone, Copy)]
pub struct ApiSettings {
    /// Largest request body, in bytes.
    pub request_body_bytes_max: usize,
}

/// Every face of the gateway.
pub fn router(gateway: Arc<Gateway>, settings: ApiSettings) -> Router {
    let panel = panel::Panel::new(gateway.clone(), settings.request_body_bytes_max);
    Router::new()
        // Both spellings: clients repeat a redirected POST as a GET without its body.
        .route("/api/v2", routing::any(panel::answer))
        .route("/api/v2/", routing::any(panel::answer))
        .with_state(Arc::new(panel))
        .merge(health::router(gateway))
        .layer(CatchPanicLayer::new())
}
