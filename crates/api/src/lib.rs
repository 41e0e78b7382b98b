//! The machine faces: bytes of HTTP become commands, commands become use-cases, and replies become bytes.
//!
//! A face is a module that knows its path and its dialect; what a command does is asked of `orders`, and the dialect's
//! words stand in `panel-protocol`.

mod client;
mod health;
mod limits;
mod often;
mod panel;
mod server;

use std::sync::Arc;

use axum::{Router, routing};
pub use client::TrustedProxies;
use interline_orders::Gateway;
pub use interline_panel_protocol::{Dialect, HttpStatus};
pub use limits::LimitSettings;
pub use panel::PanelSettings;
pub use server::{CONNECTIONS_MAX, TURNED_AWAY_MAX, serve};
use tower_http::catch_panic::CatchPanicLayer;

/// What the faces are made with.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// How the panel faces answer.
    pub panel: PanelSettings,
    /// How fast callers may be.
    pub limits: LimitSettings,
}

/// Changes the settings of the faces while they are served.
#[derive(Clone)]
pub struct Faces(Arc<panel::Panel>);

impl Faces {
    /// Takes other settings for the calls to come. If the limits changed, what callers have used up of them is forgotten.
    pub fn reload(&self, settings: ApiSettings) {
        self.0.reload(settings);
    }
}

/// Every face of the gateway, for [`serve`], and the handle on its settings. To be called in a runtime.
pub fn router(gateway: Arc<Gateway>, settings: ApiSettings) -> (Router, Faces) {
    let panel = Arc::new(panel::Panel::new(gateway.clone(), settings));
    let router = Router::new()
        // Both spellings: clients repeat a redirected POST as a GET without its body.
        .route("/api/v2", routing::any(panel::api_v2))
        .route("/api/v2/", routing::any(panel::api_v2))
        .route("/perfectPanel", routing::any(panel::perfect_panel))
        .route("/perfectPanel/", routing::any(panel::perfect_panel))
        .with_state(Arc::clone(&panel))
        .merge(health::router(gateway))
        .layer(CatchPanicLayer::new());
    (router, Faces(panel))
}
