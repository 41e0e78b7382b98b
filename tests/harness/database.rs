//! A database for one scenario.

use std::{
    env,
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, ensure};

use crate::engine::Engine;

/// What the scenario's commands find their database by.
pub(crate) struct Database {
    /// The address; none with SQLite, whose default is a file in the working directory.
    pub(crate) url: Option<String>,
}

impl Database {
    /// An empty database on `engine`.
    pub(crate) fn create(engine: Engine) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if engine == Engine::Sqlite {
            return Ok(Self { url: None });
        }
        let name = format!("it_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        of_server(&format!("CREATE DATABASE {name}"))?;
        Ok(Self { url: Some(format!("{}/{name}", needed("INTERLINE_TEST_POSTGRES")?)) })
    }

    /// What Postgres answers to a statement in this database.
    pub(crate) fn ask(&self, statement: &str) -> Result<String> {
        psql(self.url.as_ref().context("SQLite has no server to ask")?, statement)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((_, name)) = self.url.as_ref().and_then(|url| url.rsplit_once('/')) {
            // The server is removed after the run anyway; this only keeps it small meanwhile.
            let _ = of_server(&format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

/// What the test run must have set.
pub(crate) fn needed(variable: &str) -> Result<String> {
    env::var(variable).ok().with_context(|| format!("{variable} is not set: run the tests by `cargo xtask test`"))
}

/// Runs one statement on the server itself.
fn of_server(statement: &str) -> Result<String> {
    psql(&format!("{}/postgres", needed("INTERLINE_TEST_POSTGRES")?), statement)
}

/// Runs one statement; the value that it returns.
fn psql(address: &str, statement: &str) -> Result<String> {
    let mut psql = Command::new(needed("INTERLINE_TEST_PSQL")?);
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]).arg(address);
    let output = psql.output().context("cannot run psql")?;
    ensure!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
