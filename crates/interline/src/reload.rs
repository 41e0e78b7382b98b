//! SIGHUP: a running server reads its configuration anew, and takes on what can change while it runs.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use interline_api::{ApiSettings, Faces};
use interline_orders::Gateway;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    config::{self, Config, changes::is_reloaded},
    telemetry::Telemetry,
};

/// Waits for SIGHUP. From when it is made, the signal no longer ends the process.
pub(crate) struct Reloads<'a> {
    signal: Signal,
    /// The file that was read at the start. One that has gone since is an error, and not a reason to take the defaults.
    file: Option<PathBuf>,
    /// What the process was made with.
    started: Config,
    telemetry: &'a Telemetry,
}

impl<'a> Reloads<'a> {
    /// Of the configuration that was read from `file`, or from where it is found if none was named.
    pub(crate) fn new(file: Option<&Path>, started: &Config, telemetry: &'a Telemetry) -> anyhow::Result<Self> {
        let (file, _) = config::origins(file);
        Ok(Self { signal: signal(SignalKind::hangup()).context("SIGHUP")?, file, started: started.clone(), telemetry })
    }

    /// Reloads at each signal. What cannot be read changes nothing.
    pub(crate) async fn run(mut self, gateway: &Gateway, faces: &Faces, live: &ArcSwap<Config>) -> Infallible {
        while self.signal.recv().await.is_some() {
            if let Err(error) = self.reload(gateway, faces, live).await {
                tracing::error!(error = one_line(&error), "the configuration was not taken on; nothing has changed");
            }
        }
        std::future::pending().await
    }

    async fn reload(&self, gateway: &Gateway, faces: &Faces, live: &ArcSwap<Config>) -> anyhow::Result<()> {
        let config = config::load(self.file.as_deref())?;
        // Whatever may be wrong with it is found before anything changes.
        let (api, settings) = (ApiSettings { panel: config.panel(), limits: config.limits()? }, config.settings()?);
        self.telemetry.reload(&config.telemetry.log)?;
        faces.reload(api);
        let needs_restart = keys(self.started.differences(&config), false);
        let changed = keys(live.load().differences(&config), true);
        live.store(config.into());
        if changed.is_empty() {
            tracing::info!("the configuration was read anew: nothing has changed that takes effect now");
        } else {
            tracing::info!(changed, "the configuration was read anew");
        }
        if !needs_restart.is_empty() {
            tracing::warn!(keys = needs_restart, "what differs from the start in these keys needs a restart");
        }
        if let Err(error) = gateway.reload_settings(settings).await {
            tracing::warn!(%error, "the upstreams are read at their next turn");
        }
        Ok(())
    }
}

/// Those of the keys that take effect without a restart, or those that do not.
fn keys(keys: Vec<String>, reloaded: bool) -> String {
    keys.into_iter().filter(|key| is_reloaded(key) == reloaded).collect::<Vec<_>>().join(", ")
}

/// An error as one line of the log, without the line of the file that it may show: a secret may stand in it.
fn one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let is_shown = |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    let lines = text.lines().filter(|line| !is_shown(line)).map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_and_shows_none_of_the_file() {
        let wrong = toml::from_str::<Config>("[secrets]\nmaster_key = \"c2VjcmV0\n").unwrap_err();
        let line = one_line(&anyhow::anyhow!("interline.toml: {wrong}"));
        assert!(line.starts_with("interline.toml: TOML parse error at line 2, column"), "{line}");
        assert!(!line.contains('\n') && !line.contains("c2VjcmV0"), "{line}");
    }
}
