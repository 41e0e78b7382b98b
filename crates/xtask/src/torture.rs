//! Killing the gateway, built as it ships, at random moments under load, for as long as wanted.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::{
    postgres::{Binaries, Cluster, Durability},
    product::Workspace,
    step,
};

/// The acceptance test that does it.
const TEST: &str = "crash::killed_at_any_moment_it_loses_nothing_and_makes_nothing_twice";

/// What the line begins with that the test prints for each engine when all is well.
const REPORT: &str = "torture: ";

// What is handed to the test. Not a doc comment: the help would print it in place of the command's own.
#[derive(Args)]
pub(crate) struct Options {
    /// How often the gateway is started, put under load and killed, on each engine.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    cycles: u32,
    /// Chooses kill times, faults and orders; a failure is repeated by its seed, as far as two runs can be alike.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The database engines that it runs on, side by side.
    #[arg(long, value_enum, default_value_t = Engine::Both)]
    engine: Engine,
}

/// A choice of database engines.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
    Both,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Both => "both",
        }
    }

    /// How many engines that is.
    fn count(self) -> usize {
        if self == Self::Both { 2 } else { 1 }
    }
}

/// Runs the test against a release build; false if it found something.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let Options { cycles, seed, engine } = options;
    let binaries = Binaries::find_or_install()?;
    let workspace = Workspace::here()?;
    let release = workspace.build_release(&["interline"])?;
    let cluster = Cluster::start(&binaries, Durability::Off)?;
    let mut test = workspace.cargo(&["test", "--package", "acceptance", "--test", "it", "--", "--exact", TEST]);
    test.arg("--nocapture")
        .env("INTERLINE_TEST_POSTGRES", cluster.url())
        .env("INTERLINE_TEST_PSQL", binaries.client())
        .env("INTERLINE_TEST_BIN", release.join("interline"))
        .env("INTERLINE_TORTURE_CYCLES", cycles.to_string())
        .env("INTERLINE_TORTURE_SEED", seed.to_string())
        .env("INTERLINE_TORTURE_ENGINE", engine.name());
    step::announce(&test);
    let begun = Instant::now();
    let mut running = test.stderr(Stdio::piped()).spawn().context("cannot run cargo")?;
    let mut reports = Vec::new();
    for line in BufReader::new(running.stderr.take().context("no stderr")?).lines() {
        let line = line?;
        eprintln!("{line}");
        reports.extend(line.strip_prefix(REPORT).map(str::to_owned));
    }
    // A name that fits no test succeeds without a report.
    let passed = running.wait()?.success() && reports.len() == engine.count();
    let (seconds, engine) = (begun.elapsed().as_secs(), engine.name());
    if passed {
        eprintln!("torture passed in {seconds} s: {}", reports.join("; "));
    } else {
        let again = format!("cargo xtask torture --cycles {cycles} --seed {seed} --engine {engine}");
        eprintln!("torture FAILED after {seconds} s; once more: {again}");
    }
    Ok(passed)
}
