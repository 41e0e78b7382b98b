//! The machine faces: bytes of HTTP become commands, commands become use-cases, and replies become bytes.
//!
//! A face is a module that knows its path and its dialect; what a command does is asked of `orders`, and the dialect's
//! words stand in `panel-protocol`.

mod client;
mod health;
mod limits;
mod panel;

use std::sync::Arc;

use axum::{Router, routing};
pub use client::TrustedProxies;
use interline_orders::Gateway;
pub use interline_panel_protocol::{Dialect, HttpStatus};
pub use limits::LimitSettings;
pub use panel::PanelSettings;
use tower_http::catch_panic::CatchPanicLayer;

/// What the faces are made with.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// How the panel faces answer.
    pub panel: PanelSettings,
    /// How fast callers may be.
    pub limits: LimitSettings,
}

/// Every face of the gateway. To be called in a runtime, and served with the address of each connection
/// (`into_make_service_with_connect_info::<SocketAddr>()`), by which callers are counted.
pub fn router(gateway: Arc<Gateway>, settings: ApiSettings) -> Router {
    let limits = Arc::new(limits::Limits::new(settings.limits));
    limits::keep_tidy(&limits);
    let panel = panel::Panel::new(gateway.clone(), limits, settings.panel);
    Router::new()
        // Both spellings: clients repeat a redirected POST as a GET without its body.
        .route("/api/v2", routing::any(panel::api_v2))
        .route("/api/v2/", routing::any(panel::api_v2))
        .route("/perfectPanel", routing::any(panel::perfect_panel))
        .route("/perfectPanel/", routing::any(panel::perfect_panel))
        .with_state(Arc::new(panel))
        .merge(health::router(gateway))
        .layer(CatchPanicLayer::new())
}
