//! The one file that names every concrete type: which database, which dialects, which clock.

use std::{path::PathBuf, sync::Arc};

use anyhow::bail;
use interline_domain::Timestamp;
use interline_egress::Egress;
use interline_orders::{Clock as _, Gateway, Parts};
use interline_store::{MasterKey, Store};
use interline_upstream::Dialect;
use interline_upstream_perfectpanel::PerfectPanel;
use interline_upstream_streamrise::Streamrise;
use interline_upstream_streamskill::Streamskill;
use secrecy::ExposeSecret as _;

use crate::{
    clock::SystemClock,
    config::{Config, resolve_key},
    traces::TRACING,
};

/// Every dialect that this program speaks. A further one is a crate of its own and a line here.
pub(crate) fn dialects() -> Vec<Arc<dyn Dialect>> {
    vec![Arc::new(PerfectPanel), Arc::new(Streamrise), Arc::new(Streamskill)]
}

/// The gateway over the configured database; nothing works in the background until it is told to.
pub(crate) async fn gateway(config: &Config) -> anyhow::Result<Arc<Gateway>> {
    #[cfg(feature = "sabotage")]
    if let Some(name) = crate::config::sabotage() {
        interline_orders::sabotage::choose(&name);
        interline_store::sabotage::choose(&name);
    }
    let parts = Parts {
        store: Store::open(&config.database.url, master_key(config)?, now()).await?,
        egress: Egress::new()?,
        dialects: dialects(),
        settings: config.settings()?,
        clock: Arc::new(SystemClock),
        resolve_key: Box::new(resolve_key),
        tracing: TRACING,
        boot: format!("{:016x}", rand::random::<u64>()),
    };
    Ok(Gateway::open(parts).await?)
}

/// Now.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// The file that holds the master key, if it stands in one: beside the SQLite file.
pub(crate) fn key_file(config: &Config) -> Option<PathBuf> {
    if !config.secrets.master_key.expose_secret().is_empty() {
        return None;
    }
    let path = config.database.url.strip_prefix("sqlite:")?;
    Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)).with_file_name("interline.key"))
}

fn master_key(config: &Config) -> anyhow::Result<MasterKey> {
    let text = config.secrets.master_key.expose_secret();
    if !text.is_empty() {
        return Ok(MasterKey::from_base64(text)?);
    }
    match key_file(config) {
        Some(file) => {
            // A new key would not open an old database, and might be kept in the place of the one that does.
            let database = file.with_file_name(config.database.url.rsplit('/').next().unwrap_or_default());
            if std::fs::metadata(&database).is_ok_and(|f| f.len() > 0) && !file.exists() {
                bail!(
                    "{} is missing, and {} was made with it: restore it from your backup",
                    file.display(),
                    database.display()
                );
            }
            Ok(MasterKey::load_or_create(&file)?)
        }
        None => bail!(
            "secrets.master_key must be set with Postgres: 32 bytes in base64. Make one and keep it safe:\n  \
             export INTERLINE_SECRETS__MASTER_KEY=\"$(head -c 32 /dev/urandom | base64)\""
        ),
    }
}
