//! The product under test: its folder, its database, its server and the upstreams around it.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write as _,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    database::{Database, needed},
    engine::Engine,
    http::{self, Reply},
    server::Server,
    setup::{ACCOUNT, SERVICE, Setup},
    upstream::{Upstream, target},
    wait::wait_until,
};

/// Thirty-two bytes, as `[secrets] master_key` wants them.
const MASTER_KEY: &str = "aW50ZXJsaW5lLXRlc3QtbWFzdGVyLWtleS0zMi1ieSE=";

/// What a command said.
#[derive(Debug)]
pub struct Output {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// One gateway in a folder of its own. Fields are in the order in which they must be dropped.
pub struct Gateway {
    server: Option<Server>,
    upstreams: Vec<Upstream>,
    database: Database,
    binary: PathBuf,
    settings: Vec<(String, String)>,
    key: String,
    engine: Engine,
    folder: TempDir,
}

impl Gateway {
    /// Makes everything that `setup` names and starts the server.
    pub fn start(engine: Engine, setup: &Setup) -> Result<Self> {
        let mut gateway = Self::prepare(engine, setup)?;
        gateway.serve()?;
        Ok(gateway)
    }

    /// Makes everything that `setup` names by the command line; no server runs yet.
    pub fn prepare(engine: Engine, setup: &Setup) -> Result<Self> {
        let mut gateway = Self::empty(engine, setup)?;
        gateway.upstreams = setup.start_upstreams()?;
        gateway.write("catalogue.toml", &setup.catalogue(&gateway.upstreams)?)?;
        gateway.done(&["apply", "catalogue.toml"])?;
        for upstream in &gateway.upstreams {
            let reference = format!("start-{}", upstream.id());
            gateway.done(&[
                "upstream",
                "topup",
                upstream.id(),
                upstream.balance_at_start(),
                "--reference",
                &reference,
            ])?;
        }
        gateway.done(&["account", "deposit", ACCOUNT, setup.funds(), "--reference", "start"])?;
        gateway.done(&["key", "create", ACCOUNT])?.trim().clone_into(&mut gateway.key);
        gateway.done(&["upstream", "sync"])?;
        Ok(gateway)
    }

    /// A folder and an empty database, as a new user has them.
    pub fn empty(engine: Engine, setup: &Setup) -> Result<Self> {
        let variable = if setup.is_sabotaged() { "INTERLINE_TEST_SABOTAGE_BIN" } else { "INTERLINE_TEST_BIN" };
        Ok(Self {
            server: None,
            upstreams: Vec::new(),
            database: Database::create(engine)?,
            binary: needed(variable)?.into(),
            settings: setup.settings(),
            key: String::new(),
            engine,
            folder: TempDir::with_prefix("interline-it-")?,
        })
    }

    /// The engine it stores on.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The folder that its commands run in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The API key of [`ACCOUNT`].
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Writes a file beside the configuration.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.folder().join(name), text).with_context(|| format!("cannot write {name}"))
    }

    /// The simulated upstream of that id.
    pub fn upstream(&self, id: &str) -> Result<&Upstream> {
        self.upstreams.iter().find(|upstream| upstream.id() == id).with_context(|| format!("no upstream {id}"))
    }

    /// Starts the server and waits until it is ready.
    pub fn serve(&mut self) -> Result<()> {
        let server = Server::spawn(self.command().arg("serve"), &self.log_path())?;
        let ready = format!("{}/readyz", server.address);
        self.server = Some(server);
        wait_until("/readyz to say yes", || Ok(http::send("GET", &ready, &[], "")?.status == 200))
    }

    /// Ends the server in order (SIGTERM) and holds it to exit code 0.
    pub fn stop(&mut self) -> Result<()> {
        let status = self.server.take().context("no server runs")?.stop()?;
        ensure!(status.code() == Some(0), "after SIGTERM the server ended with {status}:\n{}", self.log()?);
        Ok(())
    }

    /// Sends the server a signal, such as `HUP`.
    pub fn signal(&self, name: &str) -> Result<()> {
        self.server.as_ref().context("no server runs")?.signal(name)
    }

    /// The most memory that the server ever held, in bytes.
    pub fn memory_peak(&self) -> Result<u64> {
        self.server.as_ref().context("no server runs")?.memory_peak()
    }

    /// Waits until the server has ended, and says with which exit code: -1 if a signal ended it.
    pub fn ended(&mut self) -> Result<i32> {
        Ok(self.server.take().context("no server runs")?.ended()?.code().unwrap_or(-1))
    }

    /// Sets one key of the configuration, written as `SECTION__KEY`, for what is started later.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.push((format!("INTERLINE_{key}"), value.to_owned()));
    }

    /// Ends the server as a power cut would (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        self.server.take().context("no server runs")?.kill()
    }

    /// Ends the server in order and starts it again.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.serve()
    }

    /// Starts the server and ends it as a power cut would, `after` that, however far it has come.
    pub fn start_and_kill(&self, after: Duration) -> Result<()> {
        Server::interrupt(self.command().arg("serve"), &self.log_path(), after)
    }

    /// Where the server listens: `http://ADDR`.
    pub fn address(&self) -> Result<&str> {
        Ok(&self.server.as_ref().context("no server runs")?.address)
    }

    /// Goes on with an empty folder and an empty database, as after the loss of the machine, of which upstreams know nothing.
    pub fn lose_everything(&mut self) -> Result<()> {
        ensure!(self.server.is_none(), "the server still runs");
        (self.database, self.folder) = (Database::create(self.engine)?, TempDir::with_prefix("interline-it-")?);
        Ok(())
    }

    /// The database's address; none with SQLite, which has a file in the folder.
    pub fn database_url(&self) -> Option<&str> {
        self.database.url.as_deref()
    }

    /// What Postgres answers to a statement in this database: for what it alone knows, such as how often it found a deadlock.
    pub fn sql(&self, statement: &str) -> Result<String> {
        self.database.ask(statement)
    }

    /// What the servers logged so far.
    pub fn log(&self) -> Result<String> {
        let path = self.log_path();
        // Text even if somebody logged bytes.
        Ok(if path.exists() { String::from_utf8_lossy(&fs::read(path)?).into_owned() } else { String::new() })
    }

    /// The product with this gateway's folder and settings, for arguments to be added.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("INTERLINE_")) {
            command.env_remove(name);
        }
        command.current_dir(self.folder());
        if let Some(url) = &self.database.url {
            command.env("INTERLINE_DATABASE__URL", url).env("INTERLINE_SECRETS__MASTER_KEY", MASTER_KEY);
        }
        command.envs(self.settings.iter().cloned());
        command
    }

    /// Runs one command.
    pub fn cli(&self, words: &[&str]) -> Result<Output> {
        let output = self.command().args(words).output().with_context(|| format!("cannot run {words:?}"))?;
        Ok(Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs one command that must succeed; what it printed.
    pub fn done(&self, words: &[&str]) -> Result<String> {
        let output = self.cli(words)?;
        ensure!(output.code == 0, "{words:?}: {output:?}");
        Ok(output.stdout)
    }

    /// Runs one command that must succeed, with `--json`; the document that it printed.
    pub fn json(&self, words: &[&str]) -> Result<Value> {
        let mut all = words.to_vec();
        all.push("--json");
        let printed = self.done(&all)?;
        serde_json::from_str(&printed).with_context(|| format!("{words:?} printed `{printed}`"))
    }

    /// Sends a request to the server.
    pub fn http(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Reply> {
        http::send(method, &format!("{}{path}", self.address()?), headers, body)
    }

    /// Sends `body` to the panel face as a form and hangs up at once, without waiting for an answer.
    pub fn hang_up(&self, body: &str) -> Result<()> {
        let address = self.address()?.strip_prefix("http://").context("not an address")?;
        let request = format!(
            "POST /api/v2 HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(TcpStream::connect(address)?.write_all(request.as_bytes())?)
    }

    /// Calls the panel face as most clients do, by a form, with [`ACCOUNT`]'s key.
    pub fn post(&self, pairs: &[(&str, &str)]) -> Result<Reply> {
        http::call(self.address()?, self.key(), pairs)
    }

    /// The same; status and body.
    pub fn panel(&self, pairs: &[(&str, &str)]) -> Result<(u16, Value)> {
        let reply = self.post(pairs)?;
        Ok((reply.status, reply.json()?))
    }

    /// Asks for an order of [`SERVICE`].
    pub fn add(&self, link: &str, quantity: u32) -> Result<(u16, Value)> {
        let quantity = quantity.to_string();
        self.panel(&[("action", "add"), ("service", SERVICE), ("link", link), ("quantity", &quantity)])
    }

    /// Places an order of [`SERVICE`] that must be taken; its id.
    pub fn place(&self, link: &str, quantity: u32) -> Result<i64> {
        let (status, body) = self.add(link, quantity)?;
        ensure!(status == 200, "add: {status} {body}");
        body["order"].as_i64().with_context(|| format!("no order id in {body}"))
    }

    /// What is in [`ACCOUNT`]'s wallet, by the panel face.
    pub fn balance(&self) -> Result<String> {
        let (_, body) = self.panel(&[("action", "balance")])?;
        Ok(body["balance"].as_str().with_context(|| format!("no balance in {body}"))?.to_owned())
    }

    /// `order show`.
    pub fn order(&self, id: i64) -> Result<Value> {
        self.json(&["order", "show", &id.to_string()])
    }

    /// Waits until the panel face says `status` of an order; everything that it says then.
    pub fn wait_status(&self, id: i64, status: &str) -> Result<Value> {
        let (text, mut last) = (id.to_string(), Value::Null);
        wait_until(&format!("order {id} to be {status}"), || {
            last = self.panel(&[("action", "status"), ("order", &text)])?.1;
            Ok(last["status"] == status)
        })
        .with_context(|| format!("the last word was {last}"))?;
        Ok(last)
    }

    /// Waits until an order's last attempt is in `state`; what `order show` says then.
    pub fn wait_attempt(&self, id: i64, state: &str) -> Result<Value> {
        let mut last = Value::Null;
        wait_until(&format!("the last attempt of order {id} to be {state}"), || {
            last = self.order(id)?;
            Ok(last["attempts"].as_array().and_then(|attempts| attempts.last()).is_some_and(|a| a["state"] == state))
        })
        .with_context(|| format!("`order show` said {last}"))?;
        Ok(last)
    }

    /// What a ledger account holds by the trial balance; "0" if it is not in it.
    pub fn ledger(&self, account: &str) -> Result<String> {
        let lines = self.json(&["ledger", "trial-balance"])?;
        let line = lines.as_array().into_iter().flatten().find(|line| line["account"] == account);
        Ok(line.and_then(|line| line["balance"].as_str()).unwrap_or("0").to_owned())
    }

    /// The targets that more than one upstream order was made for, with how many.
    pub fn duplicates(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for upstream in &self.upstreams {
            for order in upstream.orders() {
                *counts.entry(target(&order.link).to_owned()).or_insert(0) += 1;
            }
        }
        counts.retain(|_, count| *count > 1);
        counts
    }

    /// Holds the books to every invariant.
    pub fn verify(&self) -> Result<()> {
        let verified = self.cli(&["ledger", "verify", "--json"])?;
        let report: Value = serde_json::from_str(&verified.stdout).with_context(|| format!("{verified:?}"))?;
        let broken: Vec<&Value> =
            report["invariants"].as_array().into_iter().flatten().filter(|i| i["ok"] != true).collect();
        ensure!(verified.code == 0 && report["ok"] == true, "the books do not hold: {broken:#?}");
        Ok(())
    }

    /// Holds the upstreams' journals to at most one order for each target.
    pub fn nothing_twice(&self) -> Result<()> {
        let duplicates = self.duplicates();
        ensure!(duplicates.is_empty(), "made more than once: {duplicates:?}");
        Ok(())
    }

    /// Ends the scenario: the server ends in order, the books hold every invariant, no order was made twice anywhere, and
    /// no secret is in the log.
    pub fn finish(mut self) -> Result<()> {
        if self.server.is_some() {
            self.stop()?;
        }
        self.verify()?;
        self.nothing_twice()?;
        let log = self.log()?;
        for secret in self.secrets()? {
            ensure!(!log.contains(&secret), "the log holds a secret");
        }
        Ok(())
    }

    /// What must never be shown: the upstreams' keys, the customer's and the master key.
    pub fn secrets(&self) -> Result<Vec<String>> {
        let keys = self.upstreams.iter().map(Upstream::key).chain([self.key(), MASTER_KEY]);
        let mut secrets: Vec<String> = keys.map(str::to_owned).collect();
        let file = self.folder().join("interline.key");
        if file.exists() {
            secrets.push(fs::read_to_string(&file)?.trim().to_owned());
        }
        secrets.retain(|secret| !secret.is_empty());
        Ok(secrets)
    }

    fn log_path(&self) -> PathBuf {
        self.folder().join("server.log")
    }
}
