//! Measures the built gateway from outside. Every part is a process of its own: the gateway, the upstream behind it, the bare
//! handler that it is compared with, and the load generator, which also runs the others and prints the table.

mod bare;
mod call;
mod commits;
mod gateway;
mod growth;
mod host;
mod http;
mod load;
mod open;
mod phases;
mod process;
mod table;
mod upstream;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use tokio::runtime::Builder;

/// The benchmark of Interline; `cargo xtask bench` builds everything and runs it.
#[derive(Parser)]
#[command(name = "interline-bench")]
struct Cli {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Starts everything, makes the load and prints the table
    Run(RunArgs),
    /// A handler that reads a form and answers the same bytes every time
    Bare {
        /// The bytes
        body: PathBuf,
    },
    /// An upstream that answers at once
    Upstream,
}

/// What a run is made of.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The built gateway
    #[arg(long, value_name = "FILE")]
    pub(crate) gateway: PathBuf,
    /// A Postgres server that makes commits durable, without a database: postgres://USER@HOST:PORT
    #[arg(long, value_name = "URL")]
    pub(crate) postgres: String,
    /// The program pgbench
    #[arg(long, value_name = "FILE")]
    pub(crate) pgbench: PathBuf,
    /// How long each row is measured, after a second of warm-up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
    /// Also place N orders on each engine, and measure an add among 1,000 and among N (minutes)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2_000..))]
    pub(crate) orders: Option<u32>,
    /// Also keep N orders open on each engine, and watch whether they are followed in time (minutes)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) open: Option<u32>,
    /// Leave the table out and only do what --orders and --open say
    #[arg(long)]
    pub(crate) only_more: bool,
    /// Also write all results to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match part(Cli::parse().part) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn part(part: Part) -> Result<()> {
    // The cores are shared by all of them, so what is not measured gets by with one thread.
    let one_thread = || Builder::new_current_thread().enable_all().build();
    match part {
        Part::Run(args) => one_thread()?.block_on(run(&args)),
        Part::Upstream => one_thread()?.block_on(upstream::serve()),
        // As the gateway itself does.
        Part::Bare { body } => Builder::new_multi_thread().enable_all().build()?.block_on(bare::serve(&body)),
    }
}

async fn run(args: &RunArgs) -> Result<()> {
    let report = phases::run(args).await?;
    process::say(&table::markdown(&report))?;
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_vec_pretty(&report)?).with_context(|| file.display().to_string())?;
    }
    Ok(())
}
