//! `interline sandbox`

use std::fs;

use anyhow::{Context as _, anyhow};
use interline_sandbox::{Config, Sandbox, demo_services, read_faults};

use crate::{cli::SandboxArgs, output, serve};

/// Serves one simulated upstream until Ctrl-C.
pub(crate) async fn run(args: SandboxArgs) -> anyhow::Result<()> {
    let mut config = Config { key: args.key, services: demo_services(100), ..Config::default() };
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
