//! The two database engines, on which every scenario runs.

use std::thread;

use anyhow::{Context, Result, bail};

/// A database engine that the product works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file beside the configuration, the default.
    Sqlite,
    /// A database of its own on the server that the test run started.
    Postgres,
}

/// Runs a scenario on both engines side by side; each of them must succeed.
pub fn on_both(scenario: impl Fn(Engine) -> Result<()> + Sync) -> Result<()> {
    let scenario = &scenario;
    let run = |engine: Engine| move || scenario(engine).with_context(|| format!("on {engine:?}"));
    thread::scope(|scope| {
        // Named, so that a panic tells which engine it was.
        let begin =
            |engine: Engine| thread::Builder::new().name(format!("{engine:?}")).spawn_scoped(scope, run(engine));
        let both = [begin(Engine::Sqlite)?, begin(Engine::Postgres)?];
        for outcome in both.map(thread::ScopedJoinHandle::join) {
            match outcome {
                Ok(result) => result?,
                Err(_) => bail!("the scenario failed an assertion"),
            }
        }
        Ok(())
    })
}
