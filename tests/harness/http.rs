//! HTTP as panel software speaks it: any method, any body, and every answer is looked at as it came.

use std::{io, sync::LazyLock, time::Duration};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The content type; empty for none.
    pub content_type: String,
    /// How long to wait, if it was told.
    pub retry_after: Option<String>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("no JSON in {self:?}"))
    }

    /// The text of the error in it; empty for none.
    pub fn error(&self) -> Result<String> {
        Ok(self.json()?["error"].as_str().unwrap_or_default().to_owned())
    }
}

/// Parameters as a form or a query.
pub fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Where the simulated upstreams and the HTTP client run, so that scenarios are plain blocking code.
pub(crate) fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: LazyLock<io::Result<Runtime>> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(4).enable_all().build());
    RUNTIME.as_ref().map_err(|error| anyhow!("no runtime: {error}"))
}

/// Sends a request and reads the answer whole.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Result<Reply> {
    let mut request = client()?.request(method.parse()?, url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    runtime()?.block_on(async {
        let response = request.send().await.with_context(|| format!("{method} {url}"))?;
        let header = |name: &str| response.headers().get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let (content_type, retry_after) = (header("content-type").unwrap_or_default(), header("retry-after"));
        Ok(Reply { status: response.status().as_u16(), content_type, retry_after, body: response.text().await? })
    })
}

fn client() -> Result<&'static reqwest::Client> {
    static CLIENT: LazyLock<reqwest::Result<reqwest::Client>> = LazyLock::new(|| {
        let plain = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        plain.timeout(Duration::from_secs(30)).build()
    });
    CLIENT.as_ref().map_err(|error| anyhow!("no HTTP client: {error}"))
}
