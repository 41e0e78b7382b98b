//! `interline sandbox`

use std::fs;

use anyhow::{Context as _, anyhow};
use interline_domain::{Currency, Micros};
use interline_sandbox::{Config, Fault, FaultKind, Sandbox, demo_services, read_faults};

use crate::{
    cli::SandboxArgs,
    output::{self, Usage, parse_amount, parse_id},
    serve,
};

/// Names of faults in a line of the help.
const NAMES_PER_LINE: usize = 5;

/// What `sandbox --help` ends with: an example, and what a faults file may say.
pub(crate) fn help() -> String {
    let lines: Vec<String> = FaultKind::ALL
        .chunks(NAMES_PER_LINE)
        .map(|kinds| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", "))
        .collect();
    format!(
        "Example:\n  interline sandbox --adapter perfectpanel --listen 127.0.0.1:9001 --faults faults.toml\n\n\
         A faults file:\n  [[fault]]\n  action = \"add\"\n  kind = \"take_and_drop\"\n  count = 1             # 0: until removed\n  \
         delay_ms = 0\n\nActions (* is every one):\n  {}\n\nKinds:\n  {}",
        Fault::ACTIONS.join(", "),
        lines.join(",\n  ")
    )
}

/// Serves one simulated upstream until Ctrl-C.
pub(crate) async fn run(args: &SandboxArgs) -> anyhow::Result<()> {
    let mut config = config(args)?;
    if let Some(file) = &args.faults {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        config.faults = read_faults(&text).map_err(|e| anyhow!("{}: {e}", file.display()))?;
    }
    let key = config.key.clone();
    let sandbox =
        Sandbox::start(config, args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    output::line(&format!("listening on http://{}", sandbox.addr()))?;
    output::line(&format!(
        "{} sandbox at {} with key {key}; journal at http://{}/__journal",
        args.adapter,
        sandbox.url(),
        sandbox.addr()
    ))?;
    serve::stop_signal()?.cancelled().await;
    sandbox.stop().await;
    Ok(())
}

/// The upstream that the options make, with no faults yet.
fn config(args: &SandboxArgs) -> Result<Config, Usage> {
    let named = |option: &str, wrong: Usage| Usage(format!("{option}: {wrong}"));
    let currency: Currency = parse_id(&args.currency).map_err(|wrong| named("--currency", wrong))?;
    let balance: Micros = parse_id(&args.balance).map_err(|wrong| named("--balance", wrong))?;
    if balance.is_negative() {
        return Err(Usage("--balance must not be negative".to_owned()));
    }
    let rate = parse_amount(&args.rate).map_err(|wrong| named("--rate", wrong))?;
    let mut services = demo_services(100);
    if let Some(first) = services.first_mut() {
        first.rate = rate.to_string();
    }
    Ok(Config {
        key: args.key.clone(),
        currency: currency.to_string(),
        balance: balance.to_string(),
        services,
        ..Config::default()
    })
}
