//! `interline sandbox`

use std::fs;

use anyhow::{Context as _, anyhow};
use interline_domain::{Currency, Micros};
use interline_sandbox::{Adapter, Config, Fault, FaultKind, Sandbox, read_faults};

use crate::{
    cli::SandboxArgs,
    output::{self, Usage, parse_amount, parse_id},
    serve,
};

/// Names of faults, and of actions, in a line of the help.
const NAMES_PER_LINE: usize = 5;
const ACTIONS_PER_LINE: usize = 9;

/// What `sandbox --help` ends with: an example, and what a faults file may say.
pub(crate) fn help() -> String {
    let lines: Vec<String> = FaultKind::ALL
        .chunks(NAMES_PER_LINE)
        .map(|kinds| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", "))
        .collect();
    let actions: Vec<String> = Fault::ACTIONS.chunks(ACTIONS_PER_LINE).map(|actions| actions.join(", ")).collect();
    format!(
        "Example:\n  interline sandbox --adapter perfectpanel --listen 127.0.0.1:9001 --faults faults.toml\n\n\
         A faults file:\n  [[fault]]\n  action = \"add\"\n  kind = \"take_and_drop\"\n  count = 1             # 0: until removed\n  \
         delay_ms = 0\n\nWhile it runs: GET, POST and DELETE /__faults, the same as JSON.\n\n\
         Actions (* is every one but feed, the push feed):\n  {}\n\nKinds:\n  {}",
        actions.join(",\n  "),
        lines.join(",\n  ")
    )
}

/// Serves one simulated upstream until Ctrl-C.
pub(crate) async fn run(args: &SandboxArgs) -> anyhow::Result<()> {
    let (mut config, rate) = config(args)?;
    if let Some(file) = &args.faults {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        config.faults = read_faults(&text).map_err(|e| anyhow!("{}: {e}", file.display()))?;
    }
    let (adapter, key) = (config.adapter, config.key.clone());
    let sandbox =
        Sandbox::start(config, args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    if let Some(rate) = rate {
        sandbox.set_rate(adapter.first_service(), &rate.to_string());
    }
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

/// The upstream that the options make, with no faults yet, and what its first service is to cost instead.
fn config(args: &SandboxArgs) -> Result<(Config, Option<Micros>), Usage> {
    let named = |option: &str, wrong: Usage| Usage(format!("{option}: {wrong}"));
    let currency: Currency = parse_id(&args.currency).map_err(|wrong| named("--currency", wrong))?;
    let balance: Micros = parse_id(&args.balance).map_err(|wrong| named("--balance", wrong))?;
    if balance.is_negative() {
        return Err(Usage("--balance must not be negative".to_owned()));
    }
    let rate = args.rate.as_deref().map(parse_amount).transpose().map_err(|wrong| named("--rate", wrong))?;
    let adapter: Adapter = args.adapter.parse().map_err(Usage)?;
    let config = Config {
        key: args.key.clone(),
        currency: currency.to_string(),
        balance: balance.to_string(),
        ..Config::of(adapter, 100)
    };
    Ok((config, rate))
}
