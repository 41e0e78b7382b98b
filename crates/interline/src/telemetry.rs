//! Logs: to stderr, as text or JSON.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Telemetry};

/// Starts logging. A filter that cannot be read was refused with the configuration.
pub(crate) fn start(settings: &Telemetry) {
    let mut filter = EnvFilter::new(&settings.log);
    if let Ok(quieter) = "sqlx::postgres::notice=warn".parse() {
        // At every start: that the table of migrations is there already.
        filter = filter.add_directive(quieter);
    }
    // A log that nobody reads any more must not stop what it tells of.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    match settings.log_format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().init(),
    }
}
