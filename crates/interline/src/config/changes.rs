//! What differs between two readings of the configuration, and what of it a running server takes on.

use super::Config;

/// Keys, and sections whose every key, take effect when a running server reads its configuration anew. All others, and
/// those that are yet to come, need a restart.
const RELOADED: [&str; 10] = [
    "server.trusted_proxies",
    "server.request_body_bytes_max",
    "server.drain_ms",
    "panel",
    "limits",
    "routing",
    "dispatch",
    "sync",
    "policy",
    "telemetry.log",
];

/// Whether a change of this key takes effect without a restart.
pub(crate) fn is_reloaded(key: &str) -> bool {
    let section = key.split('.').next().unwrap_or_default();
    RELOADED.iter().any(|reloaded| *reloaded == key || *reloaded == section)
}

impl Config {
    /// The keys, as `section.key`, that have another value in `other`. The values stay here: some of them are secret.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let table = |config: &Self| toml::Table::try_from(config).unwrap_or_default();
        let (ours, theirs) = (table(self), table(other));
        let mut keys = Vec::new();
        for (section, ours) in &ours {
            for (key, value) in ours.as_table().into_iter().flatten() {
                if theirs.get(section).and_then(|theirs| theirs.get(key)) != Some(value) {
                    keys.push(format!("{section}.{key}"));
                }
            }
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named_by_key_and_never_by_value() {
        let (old, mut new) = (Config::default(), Config::default());
        assert!(old.differences(&new).is_empty());
        new.secrets.master_key = "c2VjcmV0".to_owned().into();
        new.policy.deny_targets = vec!["*.gov".to_owned()];
        new.limits.key_per_minute = 7;
        assert_eq!(old.differences(&new), ["limits.key_per_minute", "policy.deny_targets", "secrets.master_key"]);
    }

    #[test]
    fn what_a_start_is_made_of_needs_another_start() {
        for key in
            ["limits.ip_per_minute", "sync.balance_ms", "policy.deny_targets", "telemetry.log", "server.drain_ms"]
        {
            assert!(is_reloaded(key), "{key}");
        }
        for key in [
            "server.listen",
            "database.url",
            "secrets.master_key",
            "money.base_currency",
            "telemetry.log_format",
            "telemetry.otlp_endpoint",
            "telemetry.metrics_listen",
        ] {
            assert!(!is_reloaded(key), "{key}");
        }
    }
}
