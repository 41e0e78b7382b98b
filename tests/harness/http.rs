//! HTTP as panel software speaks it: any method, any body, and every answer is looked at as it came.

use std::{
    io,
    sync::LazyLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// The header of a form.
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

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

/// What one of a crowd heard, and when.
#[derive(Debug)]
pub struct Heard {
    /// The answer.
    pub reply: Reply,
    /// How long it took, the connection included.
    pub took: Duration,
}

/// Parameters as a form or a query.
pub fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Where the simulated upstreams and the HTTP client run, so that scenarios are plain blocking code.
pub(crate) fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
        // A crowd needs a file for each of its members.
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        Builder::new_multi_thread().worker_threads(4).enable_all().build()
    });
    RUNTIME.as_ref().map_err(|error| anyhow!("no runtime: {error}"))
}

/// Sends a request and reads the answer whole.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Result<Reply> {
    let mut request = client()?.request(method.parse()?, url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    runtime()?.block_on(receive(request)).with_context(|| format!("{method} {url}"))
}

/// The answer to a request, whole.
async fn receive(request: reqwest::RequestBuilder) -> Result<Reply> {
    let response = request.send().await?;
    let header = |name: &str| response.headers().get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()));
    let (content_type, retry_after) = (header("content-type").unwrap_or_default(), header("retry-after"));
    Ok(Reply { status: response.status().as_u16(), content_type, retry_after, body: response.text().await? })
}

/// Calls the panel face at `address` as most clients do, by a form. For software that must not hold the [`crate::Gateway`]:
/// many customers at once, or one that outlives the server.
pub fn call(address: &str, key: &str, pairs: &[(&str, &str)]) -> Result<Reply> {
    let mut all = vec![("key", key)];
    all.extend_from_slice(pairs);
    send("POST", &format!("{address}/api/v2"), &[FORM], &form(&all))
}

/// Makes all these calls, each of them a form, at the same time; the answers in the order of the calls. One that is not
/// answered within the client's half minute is an error.
pub fn crowd(address: &str, key: &str, calls: &[Vec<(&str, &str)>]) -> Result<Vec<Heard>> {
    let (client, url, runtime) = (client()?, format!("{address}/api/v2"), runtime()?);
    let mut under_way = Vec::new();
    for pairs in calls {
        let all: Vec<_> = [("key", key)].iter().chain(pairs).copied().collect();
        let request = client.post(&url).header(FORM.0, FORM.1).body(form(&all));
        under_way.push(runtime.spawn(async move {
            let begun = Instant::now();
            let reply = receive(request).await?;
            Ok::<_, anyhow::Error>(Heard { reply, took: begun.elapsed() })
        }));
    }
    runtime.block_on(async {
        let mut heard = Vec::new();
        for call in under_way {
            heard.push(call.await??);
        }
        Ok(heard)
    })
}

fn client() -> Result<&'static reqwest::Client> {
    static CLIENT: LazyLock<reqwest::Result<reqwest::Client>> = LazyLock::new(|| {
        let plain = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        plain.timeout(Duration::from_secs(30)).build()
    });
    CLIENT.as_ref().map_err(|error| anyhow!("no HTTP client: {error}"))
}
