//! `interline`: one binary, one subcommand per task. This file turns the outcome into an exit code; what a command does
//! stands in the module of its name, and what the program is made of in [`wiring`].

mod catalogue_file;
mod cli;
mod clock;
mod commands;
mod config;
mod demo;
mod metrics;
mod output;
mod reload;
mod serve;
mod telemetry;
mod traces;
mod wiring;

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;

use cli::{Cli, Command};
use config::Config;
use telemetry::Telemetry;

/// Orders are many small pieces of memory, made on one thread and dropped on another.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Something went wrong that is not the caller's wording.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong.
const WRONG_USAGE: u8 = 2;
/// How long the end waits for threads that still do something that nobody waits for, such as looking up a name.
const END_WITHIN: Duration = Duration::from_millis(250);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(Box::pin(run(cli)));
            runtime.shutdown_timeout(END_WITHIN);
            outcome
        }
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            let usage = error.is::<config::ConfigError>() || error.is::<output::Usage>();
            ExitCode::from(if usage { WRONG_USAGE } else { FAILED })
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    if cli.json && matches!(cli.command, Command::Demo(_) | Command::Sandbox(_)) {
        let text = "--json is for commands that print data; this one serves until it is stopped";
        return Err(output::Usage(text.to_owned()).into());
    }
    let config = config::load(cli.config.as_deref())?;
    let serves = matches!(cli.command, Command::Demo(_) | Command::Serve);
    let telemetry = telemetry::start(&config.telemetry, serves)?;
    let done = Box::pin(execute(cli, config, &telemetry)).await;
    telemetry.shutdown().await;
    done
}

async fn execute(cli: Cli, config: Config, telemetry: &Telemetry) -> anyhow::Result<()> {
    match cli.command {
        Command::Demo(args) => Box::pin(demo::run(config, args)).await,
        Command::Serve => Box::pin(serve::run(config, cli.config.as_deref(), telemetry)).await,
        Command::Sandbox(args) => commands::sandbox::run(&args).await,
        Command::Apply(args) => commands::apply::run(&config, &args, cli.json).await,
        Command::ExportCatalogue(args) => commands::export::run(&config, &args, cli.json).await,
        Command::Service(command) => commands::service::run(&config, command, cli.json).await,
        Command::Upstream(command) => commands::upstream::run(&config, command, cli.json).await,
        Command::Account(command) => commands::account::run(&config, command, cli.json).await,
        Command::Key(command) => commands::key::run(&config, command, cli.json).await,
        Command::Order(command) => commands::order::run(&config, command, cli.json).await,
        Command::Review(command) => commands::review::run(&config, command, cli.json).await,
        Command::Route(command) => commands::route::run(&config, command, cli.json).await,
        Command::Ledger(command) => commands::ledger::run(&config, command, cli.json).await,
        Command::Doctor => commands::doctor::run(&config, cli.config.as_deref(), cli.json).await,
        Command::Completions { shell } => commands::completions::run(shell),
    }
}
