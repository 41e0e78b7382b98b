//! What the gateway is compared with: the same web framework, the same reading of a form, and an answer from memory.

use std::{borrow::Cow, collections::HashMap, fs, path::Path};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderName, StatusCode, header},
    routing,
};
use tokio::net::TcpListener;

use crate::process;

/// Answers every call with what is in the file, on a free port that it says on stdout.
pub(crate) async fn serve(body: &Path) -> Result<()> {
    let body = Bytes::from(fs::read(body).with_context(|| body.display().to_string())?);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    process::say(&format!("listening on http://{}", listener.local_addr()?))?;
    let router = Router::new().route("/api/v2", routing::any(answer)).with_state(body);
    Ok(axum::serve(listener, router).await?)
}

async fn answer(
    State(body): State<Bytes>,
    form: Bytes,
) -> Result<([(HeaderName, &'static str); 1], Bytes), StatusCode> {
    let fields: HashMap<Cow<'_, str>, Cow<'_, str>> = form_urlencoded::parse(&form).collect();
    if fields.contains_key("key") && fields.contains_key("action") {
        Ok(([(header::CONTENT_TYPE, "application/json")], body))
    } else {
        Err(StatusCode::BAD_REQUEST)
    }
}
