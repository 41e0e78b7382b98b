//! `interline key`

use anyhow::{anyhow, bail};
use interline_domain::{AccountId, Timestamp};
use interline_store::NewKey;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::{
    cli::KeyCommand,
    config::Config,
    output::{self, Usage, parse_id, parse_time, time},
    wiring,
};

/// Runs one of the commands.
pub(crate) async fn run(config: &Config, command: KeyCommand, as_json: bool) -> anyhow::Result<()> {
    let gateway = wiring::gateway(config).await?;
    let store = gateway.store();
    match command {
        KeyCommand::Create { account, label, scope, dialect, expires } => {
            let account: AccountId = parse_id(&account)?;
            let now = wiring::now();
            let expires_at = expires.as_deref().map(|text| to_come(text, now)).transpose()?;
            let terms = NewKey { label, dialect, read_only: scope == "read", expires_at };
            let (record, key) = store.create_key(&account, terms, now).await?;
            if !as_json {
                return output::line(key.expose_secret());
            }
            output::json(&json!({
                "id": record.id, "key": key.expose_secret(), "account": record.account, "label": record.label
            }))
        }
        KeyCommand::List { account, page } => {
            super::account::find(&gateway, &account).await?;
            let keys = store.keys(&parse_id(&account)?).await?;
            let before = match &page.after {
                Some(after) => {
                    let place = keys.iter().position(|key| key.id == *after);
                    place.ok_or_else(|| anyhow!("account {account} has no key {after}"))? + 1
                }
                None => 0,
            };
            let row = |key: &interline_store::KeyRecord| {
                json!({
                    "id": key.id, "label": key.label, "prefix": key.prefix, "created_at": time(key.created_at),
                    "revoked_at": key.revoked_at.map(time),
                })
            };
            output::list(
                keys.iter().skip(before).take(page.limit.unwrap_or(usize::MAX)).map(row).collect(),
                &["id", "label", "prefix", "created_at", "revoked_at"],
                as_json,
            )
        }
        KeyCommand::Revoke { key_id } => {
            if !store.revoke_key(&key_id, wiring::now()).await? {
                bail!("there is no key {key_id}");
            }
            if as_json {
                output::json(&json!({"id": key_id, "revoked": true}))
            } else {
                output::line(&format!("{key_id} revoked"))
            }
        }
    }
}

/// When a key is to end: a key that never holds is a mistake.
fn to_come(text: &str, now: Timestamp) -> Result<Timestamp, Usage> {
    let at = parse_time(text)?;
    if at > now { Ok(at) } else { Err(Usage(format!("--expires must be a time to come, and {text} is past"))) }
}
