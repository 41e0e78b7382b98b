//! The gateway that is measured: a database and a folder of its own, 1,000 services, one account with enough money.

use std::{
    env, fmt, fs,
    path::PathBuf,
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use tempfile::TempDir;

use crate::{
    RunArgs,
    call::{Call, QUANTITY},
    commits::create_database,
    http, load,
    process::Server,
    upstream::{FUNDS, SERVICES},
};

/// Thirty-two bytes, as `[secrets] master_key` wants them.
const MASTER_KEY: &str = "aW50ZXJsaW5lLXRlc3QtbWFzdGVyLWtleS0zMi1ieSE=";
/// The upstream's id and its key.
const UPSTREAM: &str = "bench";
/// Whoever orders.
const ACCOUNT: &str = "bench";
/// How long orders may take to end that are said to end at once.
const END_MAX: Duration = Duration::from_secs(30);
/// Pause between two looks at them.
const PAUSE: Duration = Duration::from_millis(50);

/// No limit is met, and what happens by itself stays away from what is measured.
const SETTINGS: [(&str, &str); 6] = [
    ("SERVER__LISTEN", "127.0.0.1:0"),
    ("LIMITS__IP_PER_MINUTE", "1000000000"),
    ("LIMITS__KEY_PER_MINUTE", "1000000000"),
    ("SYNC__CATALOGUE_MS", "86400000"),
    ("SYNC__BALANCE_MS", "86400000"),
    ("TELEMETRY__LOG", "warn"),
];

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Engine {
    /// An embedded file.
    #[serde(rename = "SQLite")]
    Sqlite,
    /// A server.
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        })
    }
}

/// How soon accepted orders are asked after.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Following {
    /// At once, so that they end at once.
    AtOnce,
    /// As configured by default.
    Default,
    /// Not while something else is measured.
    Later,
}

/// A gateway and the upstream behind it. Fields are in the order in which they must be dropped.
pub(crate) struct Gateway {
    server: Option<Server>,
    /// The upstream, which the load can also call directly.
    pub(crate) upstream: Server,
    binary: PathBuf,
    database: Option<String>,
    /// The customer's key.
    pub(crate) key: String,
    /// Its folder, which goes with it.
    pub(crate) folder: TempDir,
}

impl Gateway {
    /// Makes everything by the command line; the server does not run yet.
    pub(crate) async fn prepare(args: &RunArgs, engine: Engine) -> Result<Self> {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(create_database(&args.postgres, &name()).await?),
        };
        let mut gateway = Self {
            server: None,
            upstream: Server::part(&["upstream"])?,
            binary: std::path::absolute(&args.gateway)?,
            database,
            key: String::new(),
            folder: TempDir::with_prefix("interline-bench-")?,
        };
        fs::write(gateway.folder.path().join("catalogue.toml"), gateway.catalogue())?;
        gateway.done(&["apply", "catalogue.toml"])?;
        let funds = FUNDS.to_string();
        gateway.done(&["upstream", "topup", UPSTREAM, &funds, "--reference", "start"])?;
        gateway.done(&["account", "deposit", ACCOUNT, &funds, "--reference", "start"])?;
        gateway.done(&["key", "create", ACCOUNT])?.trim().clone_into(&mut gateway.key);
        gateway.done(&["upstream", "sync"])?;
        Ok(gateway)
    }

    /// Starts the server, again if it runs.
    pub(crate) fn serve(&mut self, following: Following) -> Result<()> {
        self.stop()?;
        let (first, max) = match following {
            Following::AtOnce => ("100", "200"),
            Following::Default => ("15000", "900000"),
            Following::Later => ("86400000", "86400000"),
        };
        let mut serve = self.command();
        serve.arg("serve").env("INTERLINE_SYNC__STATUS_FIRST_MS", first).env("INTERLINE_SYNC__STATUS_MAX_MS", max);
        self.server = Some(Server::spawn(&mut serve)?);
        Ok(())
    }

    /// Ends the server in order, if it runs.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.server.take().map_or(Ok(()), Server::stop).context("the gateway")
    }

    /// The running server.
    pub(crate) fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("the gateway does not run")
    }

    /// Places so many orders, one after the other; their ids.
    pub(crate) async fn place(&self, count: usize, end: bool) -> Result<Vec<i64>> {
        let (call, mut ids) = (Call::add(&self.key, end), Vec::with_capacity(count));
        let mut request = call.requests.first().context("no request")?.clone();
        for _ in 0..count {
            load::fresh(&call, &mut request);
            let answer = http::ask(self.server()?.address, &request).await?;
            let answer: serde_json::Value = serde_json::from_str(&answer)?;
            ids.push(answer["order"].as_i64().with_context(|| format!("no order in {answer}"))?);
        }
        Ok(ids)
    }

    /// Waits until the gateway knows that these orders have ended.
    pub(crate) async fn wait_for_the_end(&self, ids: &[i64]) -> Result<()> {
        let call = Call::statuses("", &self.key, ids);
        let request = call.requests.first().context("no request")?;
        let begun = Instant::now();
        loop {
            let answer = http::ask(self.server()?.address, request).await?;
            if answer.matches("\"Completed\"").count() == ids.len() {
                return Ok(());
            }
            ensure!(begun.elapsed() < END_MAX, "orders that should have ended: {answer}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The catalogue file: the hot service first.
    fn catalogue(&self) -> String {
        let address = self.upstream.address;
        let upstream = format!(
            "[[upstream]]\nid = \"{UPSTREAM}\"\nurl = \"http://{address}/api/v2\"\nkey = \"plain:{UPSTREAM}\"\n\
             allow_private_address = true\nrequests_per_second = 100000\nburst = 100000\nconcurrency = 1000\n\
             [[account]]\nid = \"{ACCOUNT}\"\n"
        );
        let service = |id: u32| {
            format!(
                "[[service]]\nid = {id}\nname = \"Placement {id}\"\ncategory = \"Placements\"\nrate = \"2.50\"\n\
                 min = {QUANTITY}\nmax = 10000\ncancel = true\n\
                 [[service.offer]]\nupstream = \"{UPSTREAM}\"\nservice = \"{id}\"\n"
            )
        };
        upstream + &(1..=SERVICES).map(service).collect::<String>()
    }

    /// The product with this gateway's folder and settings, for arguments to be added.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("INTERLINE_")) {
            command.env_remove(name);
        }
        command.current_dir(self.folder.path());
        if let Some(url) = &self.database {
            command.env("INTERLINE_DATABASE__URL", url).env("INTERLINE_SECRETS__MASTER_KEY", MASTER_KEY);
        }
        command.envs(SETTINGS.map(|(key, value)| (format!("INTERLINE_{key}"), value)));
        command
    }

    /// Runs one command that must succeed; what it printed.
    fn done(&self, words: &[&str]) -> Result<String> {
        let output = self.command().args(words).output().with_context(|| format!("cannot run {words:?}"))?;
        ensure!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// A name for a database that this run has not used.
fn name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("bench_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
