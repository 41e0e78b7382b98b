//! The documented file, the environment, and what is said about mistakes.

use super::*;

fn overlaid(name: &str, value: &str) -> Result<Config, String> {
    let mut table = toml::Table::new();
    overlay(&mut table, std::iter::once((name.to_owned(), value.to_owned()))).map_err(|e| e.to_string())?;
    table.try_into().map_err(|e: toml::de::Error| e.to_string())
}

#[test]
fn the_documented_file_has_every_key_with_its_default_and_no_other() {
    let text = include_str!("../../../config/interline.toml");
    let documented: toml::Table = toml::from_str(text).unwrap();
    assert_eq!(documented, toml::Table::try_from(Config::default()).unwrap());
}

#[test]
fn the_environment_is_laid_over_with_the_types_of_the_keys() {
    assert_eq!(overlaid("INTERLINE_DATABASE__URL", "postgres://x").unwrap().database.url, "postgres://x");
    assert_eq!(overlaid("INTERLINE_SYNC__BALANCE_MS", "5").unwrap().sync.balance_ms, 5);
    assert_eq!(overlaid("INTERLINE_POLICY__DENY_TARGETS", "*.gov, a/*").unwrap().policy.deny_targets, ["*.gov", "a/*"]);
    assert!(overlaid("INTERLINE_BIN", "ignored").is_ok());
}

#[test]
fn what_is_wrong_is_named() {
    for (name, value, says) in [
        ("INTERLINE_SYNC__BALANCE_MS", "soon", "sync.balance_ms"),
        ("INTERLINE_SYNC__BALANCES_MS", "5", "balance_ms"),
        ("INTERLINE_SINK__BALANCE_MS", "5", "known are"),
        ("INTERLINE_DISPATCH__UNKNOWN_POLICY", "hope", "`wait` or `refund`"),
        ("INTERLINE_PANEL__DIALECT", "streamrise", "`seed` or `classic`"),
        ("INTERLINE_PANEL__HTTP_STATUS", "404", "`auto`, `codes`, `always-200`"),
    ] {
        let error = overlaid(name, value).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    let mut config = Config::default();
    config.dispatch.unknown_max = "1e3".to_owned();
    assert!(config.settings().unwrap_err().to_string().contains("dispatch.unknown_max"));
    let config = overlaid("INTERLINE_ROUTING__PRICE_MAX_AGE_S", "0").unwrap();
    let error = config.settings().unwrap_err().to_string();
    assert_eq!(error, "routing.price_max_age_s must be at least 1");
    for (name, value, says) in [
        ("INTERLINE_LIMITS__IP_PER_MINUTE", "0", "limits.ip_per_minute must be at least 1"),
        ("INTERLINE_LIMITS__KEY_PER_MINUTE", "0", "limits.key_per_minute must be at least 1"),
        ("INTERLINE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1, lb", "server.trusted_proxies: `lb` is neither"),
    ] {
        let error = overlaid(name, value).unwrap().limits().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let config = overlaid("INTERLINE_TELEMETRY__METRICS_LISTEN", "9464").unwrap();
    let error = config.metrics_listen().unwrap_err().to_string();
    assert!(error.contains("telemetry.metrics_listen: `9464` is not an address and a port"), "{error}");
}
