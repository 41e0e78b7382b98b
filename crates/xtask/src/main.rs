//! The developers' commands, run as `cargo xtask …`.

mod fuzz;
mod postgres;
mod product;
mod step;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{
    postgres::{Binaries, Cluster},
    product::Workspace,
};

/// Developers' commands of Interline.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the product, starts a throw-away Postgres and runs every test on both engines.
    #[command(after_help = "Example: cargo xtask test -- failover")]
    Test {
        /// Handed to the test binaries: names to run, or options such as `--nocapture`.
        #[arg(value_name = "FILTER")]
        filters: Vec<String>,
    },
    /// Runs the fuzz targets of tests/fuzz, one after the other.
    #[command(after_help = "Example: cargo xtask fuzz --seconds 600")]
    Fuzz {
        /// How long each target runs, in seconds.
        #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Test { filters } => test(&filters),
        Task::Fuzz { seconds } => fuzz::run(seconds),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all tests against the built product and both engines; false if one failed.
fn test(filters: &[String]) -> Result<bool> {
    let binaries = Binaries::find_or_install()?;
    let workspace = Workspace::here()?;
    let sabotaged = workspace.build("interline-sabotage", &["--features", "sabotage"])?;
    let product = workspace.build("interline", &[])?;
    let cluster = Cluster::start(&binaries)?;
    let mut tests = workspace.cargo(&["test", "--workspace", "--no-fail-fast"]);
    tests
        .arg("--")
        .args(filters)
        .env("INTERLINE_TEST_POSTGRES", cluster.url())
        .env("INTERLINE_TEST_PSQL", binaries.client())
        .env("INTERLINE_TEST_BIN", product)
        .env("INTERLINE_TEST_SABOTAGE_BIN", sabotaged);
    step::announce(&tests);
    Ok(tests.status()?.success())
}
