//! The developers' commands, run as `cargo xtask …`.

mod bench;
mod debian;
mod fuzz;
mod postgres;
mod product;
mod step;
mod torture;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{
    postgres::{Binaries, Cluster, Durability},
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
    /// Builds the product for release and measures it on both engines; prints one table, in about eight minutes.
    #[command(
        after_help = "Examples:\n  cargo xtask bench --seconds 2 --json bench.json\n  cargo xtask bench --only-more --orders 1000000 --open 100000\n\nTMPDIR says on which disk. Every option: cargo xtask bench -- --help"
    )]
    Bench {
        /// Handed to the benchmark: --seconds, --json, --orders, --open, --only-more.
        #[arg(value_name = "OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Builds the product for release and kills it at random moments under load; afterwards the books, the customers'
    /// answers and the upstreams' journals must agree.
    #[command(
        after_help = "The throw-away Postgres runs without fsync, as for `test`: the gateway is killed, never the database.\n\nExample: cargo xtask torture --cycles 1000 --seed 7 --engine both"
    )]
    Torture(torture::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Test { filters } => test(&filters),
        Task::Fuzz { seconds } => fuzz::run(seconds),
        Task::Bench { options } => bench::run(&options),
        Task::Torture(options) => torture::run(&options),
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
    debian::install_missing()?;
    let workspace = Workspace::here()?;
    let sabotaged = workspace.build("interline-sabotage", &["--features", "sabotage"])?;
    let product = workspace.build("interline", &[])?;
    let cluster = Cluster::start(&binaries, Durability::Off)?;
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
