//! `interline apply`

use std::fs;

use anyhow::Context as _;

use crate::{catalogue_file, cli::ApplyArgs, config::Config, output, wiring};

/// Makes the database match the file.
pub(crate) async fn run(config: &Config, args: &ApplyArgs, as_json: bool) -> anyhow::Result<()> {
    let name = args.file.display().to_string();
    let text = fs::read_to_string(&args.file).with_context(|| name.clone())?;
    let gateway = wiring::gateway(config).await?;
    let desired = catalogue_file::read(&text, gateway.dialects(), gateway.settings().base_currency)
        .with_context(|| name.clone())?;
    let applied = gateway.store().apply(&desired, args.dry_run, wiring::now()).await.with_context(|| name.clone())?;
    if as_json {
        return output::json(&serde_json::to_value(&applied)?);
    }
    for (word, names) in [
        ("created", &applied.created),
        ("updated", &applied.updated),
        ("unchanged", &applied.unchanged),
        ("disabled", &applied.disabled),
    ] {
        output::line(&format!(
            "{word}: {}{}{}",
            names.len(),
            if names.is_empty() { "" } else { ": " },
            names.join(", ")
        ))?;
    }
    Ok(())
}
