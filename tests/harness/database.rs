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
        ask(&format!("CREATE DATABASE {name}"))?;
        Ok(Self { url: Some(format!("{}/{name}", needed("INTERLINE_TEST_POSTGRES")?)) })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((_, name)) = self.url.as_ref().and_then(|url| url.rsplit_once('/')) {
            // The server is removed after the run anyway; this only keeps it small meanwhile.
            let _ = ask(&format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

/// What the test run must have set.
pub(crate) fn needed(variable: &str) -> Result<String> {
    env::var(variable).ok().with_context(|| format!("{variable} is not set: run the tests by `cargo xtask test`"))
}

/// Runs one statement on the server.
fn ask(statement: &str) -> Result<()> {
    let (server, client) = (needed("INTERLINE_TEST_POSTGRES")?, needed("INTERLINE_TEST_PSQL")?);
    let mut psql = Command::new(client);
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement]).arg(format!("{server}/postgres"));
    let output = psql.output().context("cannot run psql")?;
    ensure!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
