//! `interline doctor`

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::ensure;
use interline_orders::{Finding, Level};
use serde_json::{Value, json};
use url::Url;

use crate::{
    config::{self, Config},
    output, wiring,
};

/// The bits of a file's mode that let others than its owner at it.
const OTHERS: u32 = 0o077;

/// Looks at everything and says what to do; fails if something does not work.
pub(crate) async fn run(config: &Config, file: Option<&Path>, as_json: bool) -> anyhow::Result<()> {
    let mut found = vec![configuration(config, file)];
    match wiring::gateway(config).await {
        Ok(gateway) => {
            found.push(master_key(config));
            found.extend(gateway.checkup().await?);
        }
        Err(error) => {
            let advice = "check database.url and secrets.master_key, and whether the database is up";
            found.push(Finding::error("database", format!("{error:#}"), advice));
        }
    }
    if as_json {
        output::json(&Value::Array(found.iter().map(shown).collect()))?;
    } else {
        for finding in &found {
            output::line(&format!("{:<8} {}: {}", word(finding.level), finding.check, finding.text))?;
            if let Some(advice) = &finding.advice {
                output::line(&format!("{:<8} -> {advice}", ""))?;
            }
        }
    }
    let errors = found.iter().filter(|finding| finding.level == Level::Error).count();
    ensure!(errors == 0, "{errors} of {} checks found an error", found.len());
    Ok(())
}

fn shown(finding: &Finding) -> Value {
    json!({
        "check": finding.check, "ok": finding.level == Level::Info, "level": finding.level.name(),
        "finding": finding.text, "advice": finding.advice,
    })
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Info => "ok",
        Level::Warning | Level::Error => level.name(),
    }
}

fn configuration(config: &Config, file: Option<&Path>) -> Finding {
    let (file, variables) = config::origins(file);
    let file = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    let variables = if variables.is_empty() { "no variables".to_owned() } else { variables.join(", ") };
    let text = format!(
        "from {file} and {variables}: server.listen {}, database.url {}, money.base_currency {}",
        config.server.listen,
        without_password(&config.database.url),
        config.money.base_currency
    );
    Finding::info("configuration", text)
}

/// A database's address as it may be shown.
fn without_password(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) if url.password().is_some() => {
            // Refused only by addresses without a host, which have no password either.
            let _ = url.set_password(Some("***"));
            url.to_string()
        }
        _ => address.to_owned(),
    }
}

/// The master key, which has opened the database by now.
fn master_key(config: &Config) -> Finding {
    const CHECK: &str = "master key";
    let Some(file) = wiring::key_file(config) else {
        return Finding::info(CHECK, "from secrets.master_key; it fits the database");
    };
    let name = file.display();
    match fs::metadata(&file).map(|data| data.permissions().mode()) {
        Ok(mode) if mode & OTHERS == 0 => Finding::info(CHECK, format!("from {name}; it fits the database")),
        Ok(mode) => Finding::error(
            CHECK,
            format!("others than its owner may read {name} (mode {:o})", mode & 0o777),
            format!("run: chmod 600 {name}"),
        ),
        Err(error) => Finding::error(CHECK, format!("{name}: {error}"), "restore it from a backup"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (address, shown) in [
            ("postgres://user:s3cret@host:5432/books", "postgres://user:***@host:5432/books"),
            ("postgres://user@host/books", "postgres://user@host/books"),
            ("sqlite://interline.db", "sqlite://interline.db"),
        ] {
            assert_eq!(without_password(address), shown);
        }
    }
}
