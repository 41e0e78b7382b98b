//! `interline export-catalogue`

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Write as _,
    path::Path,
    process,
};

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::{
    catalogue_file::{to_json, to_toml},
    cli::ExportArgs,
    config::Config,
    output, wiring,
};

/// Writes the catalogue as `apply` reads it.
pub(crate) async fn run(config: &Config, args: &ExportArgs, as_json: bool) -> anyhow::Result<()> {
    let gateway = wiring::gateway(config).await?;
    let rows = gateway.store().catalogue().await?;
    let Some(file) = &args.output else {
        return if as_json { output::json(&to_json(&rows)?) } else { output::line(to_toml(&rows)?.trim_end()) };
    };
    let name = file.display().to_string();
    replace(file, &to_toml(&rows)?).with_context(|| name.clone())?;
    let (upstreams, services, accounts) = (rows.upstreams.len(), rows.services.len(), rows.accounts.len());
    if as_json {
        return output::json(&json!({
            "output": name, "currencies": rows.currencies.len(), "upstreams": upstreams, "services": services,
            "accounts": accounts,
        }));
    }
    output::line(&format!("{name}: {upstreams} upstreams, {services} services, {accounts} accounts"))
}

/// Writes a file whole or not at all: beside it, and then over it.
fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    // A link is followed, not replaced.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    ensure!(!file.exists() || file.is_file(), "it is not a file; leave --output out to print");
    let mut draft = OsString::from(".");
    draft.push(file.file_name().context("it names no file")?);
    draft.push(format!(".{}", process::id()));
    let draft = file.with_file_name(draft);
    let written = File::create(&draft).and_then(|mut f| f.write_all(text.as_bytes()).and_then(|()| f.sync_all()));
    let replaced = written.and_then(|()| fs::rename(&draft, &file));
    if replaced.is_err() {
        // Half a file is nobody's; if it was never made there is nothing to remove.
        let _ = fs::remove_file(&draft);
    }
    Ok(replaced?)
}
