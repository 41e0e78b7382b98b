//! Whatever the database holds, its export is read back as just that.

use std::collections::BTreeMap;

use interline_domain::{Currency, Micros, ServiceId, ServiceType, money::AMOUNT_MAX};
use interline_ledger::ChargeAfterPartial;
use interline_store::{DesiredKey, UpstreamSettings, UpstreamStateRecord};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
};

use super::*;
use crate::{catalogue_file::read, wiring::dialects};

const SECRET: &str = "k3y-that-nobody-may-see";

proptest! {
    #[test]
    fn what_is_exported_is_read_back_as_it_was(rows in catalogue()) {
        let text = to_toml(&rows).unwrap();
        prop_assert!(!text.contains(SECRET) && !to_json(&rows).unwrap().to_string().contains(SECRET));
        let read = read(&text, &dialects(), usd()).map_err(|e| TestCaseError::fail(format!("{e:#}\n{text}")))?;
        prop_assert_eq!(read.services.unwrap_or_default(), rows.services);
        let currencies: Vec<(Currency, Decimal)> = rows.currencies.iter().map(|c| (c.code, c.rate)).collect();
        prop_assert_eq!(read.currencies, currencies);
        let accounts: Vec<_> = rows.accounts.iter().map(|a| (a.id.clone(), a.currency, a.discount_percent)).collect();
        prop_assert_eq!(read.accounts, accounts);
        let upstreams = read.upstreams.unwrap_or_default();
        prop_assert_eq!(upstreams.len(), rows.upstreams.len());
        for (read, (held, _)) in upstreams.iter().zip(&rows.upstreams) {
            prop_assert_eq!((&read.id, &read.adapter, &read.url), (&held.id, &held.adapter, &held.url));
            prop_assert_eq!((read.currency, read.enabled), (held.currency, held.enabled));
            prop_assert_eq!(&read.settings, &held.settings);
            let kept = match (&read.key, &held.key) {
                (Some(DesiredKey::Reference(read)), UpstreamKey::Reference(held)) => read == held,
                (None, UpstreamKey::Plain(_) | UpstreamKey::Missing) => true,
                _ => false,
            };
            prop_assert!(kept, "{:?} of {:?}", read.key, held.key);
        }
    }
}

#[test]
fn what_is_not_there_is_no_section() {
    let text = to_toml(&CatalogueRows::default()).unwrap();
    let desired = read(&text, &dialects(), usd()).unwrap();
    assert!(desired.upstreams.is_none() && desired.services.is_none(), "{text}");
}

fn usd() -> Currency {
    "USD".parse().unwrap()
}

fn catalogue() -> impl Strategy<Value = CatalogueRows> {
    let upstreams = (upstream("alpha"), upstream("beta")).prop_map(|(alpha, beta)| vec![alpha, beta]);
    let accounts = vec(hundredths(0, 100), 0..4);
    let rate = (1_i64..=1_000_000_000_000).prop_map(|micros| Decimal::new(micros, 6));
    (upstreams, vec(service(), 0..5), accounts, rate).prop_map(|(upstreams, services, discounts, rate)| CatalogueRows {
        currencies: vec![CurrencyRecord { code: "EUR".parse().unwrap(), rate }],
        accounts: discounts.into_iter().enumerate().map(|(n, discount)| account(n, discount)).collect(),
        upstreams,
        services: (1..).zip(services).map(|(id, service)| ServiceRecord { id: ServiceId(id), ..service }).collect(),
        ..CatalogueRows::default()
    })
}

fn account(number: usize, discount_percent: Decimal) -> AccountRecord {
    let id = format!("panel-{number}").parse().unwrap();
    AccountRecord { id, currency: usd(), discount_percent, enabled: true }
}

fn upstream(id: &'static str) -> impl Strategy<Value = (UpstreamRecord, UpstreamStateRecord)> {
    let key = prop_oneof![
        Just(UpstreamKey::Missing),
        Just(UpstreamKey::Plain(SECRET.to_owned().into())),
        Just(UpstreamKey::Reference("env:ALPHA_KEY".to_owned())),
        Just(UpstreamKey::Reference("file:/keys/\"alpha\" \\ one".to_owned())),
    ];
    (key, any::<bool>(), settings()).prop_map(move |(key, enabled, settings)| {
        let record = UpstreamRecord {
            id: id.parse().unwrap(),
            adapter: "perfectpanel".to_owned(),
            url: format!("https://{id}.example/api/v2"),
            key,
            currency: "EUR".parse().unwrap(),
            enabled,
            settings,
        };
        (record, UpstreamStateRecord::default())
    })
}

fn settings() -> impl Strategy<Value = UpstreamSettings> {
    let numbers = (100_u64..=120_000, 1_u32..=100_000, 1_u32..=100_000, 1_u32..=1_000);
    let drift = (0..=AMOUNT_MAX.get()).prop_map(Micros::new);
    let rest = (any::<bool>(), any::<bool>(), select(ChargeAfterPartial::ALL.to_vec()), drift);
    (numbers, rest).prop_map(|(numbers, (allow_private_address, parallel_targets, charge_after_partial, drift))| {
        let (timeout_ms, requests_per_second, burst, concurrency) = numbers;
        UpstreamSettings {
            allow_private_address,
            timeout_ms,
            requests_per_second,
            burst,
            concurrency,
            charge_after_partial,
            parallel_targets,
            drift_allowance: drift,
        }
    })
}

fn service() -> impl Strategy<Value = ServiceRecord> {
    let price = prop_oneof![
        (0..=AMOUNT_MAX.get()).prop_map(|rate| SellPrice::Rate(Micros::new(rate))),
        hundredths(-100, 100_000).prop_map(SellPrice::Markup),
    ];
    let bounds = (1_u64..=1_000, 0_u64..=1_000_000);
    let texts = (text(), text(), text());
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let offers = vec((any::<bool>(), text(), btree_map(text(), text(), 0..3)), 0..4);
    (price, bounds, texts, flags, select(ServiceType::ALL.to_vec()), offers).prop_map(
        |(price, (min, more), (name, category, description), flags, service_type, offers)| ServiceRecord {
            id: ServiceId(1),
            name,
            category,
            service_type,
            price,
            min,
            max: if service_type == ServiceType::Package { min } else { min + more },
            refill: flags.0,
            cancel: flags.1,
            dripfeed: flags.2,
            enabled: flags.3,
            description,
            offers: offers.into_iter().enumerate().map(|(number, offer)| self::offer(number, offer)).collect(),
        },
    )
}

fn offer(number: usize, (enabled, name, params): (bool, String, BTreeMap<String, String>)) -> OfferRecord {
    let upstream = if number.is_multiple_of(2) { "alpha" } else { "beta" };
    // No two of them are one.
    OfferRecord { upstream: upstream.parse().unwrap(), service: format!("{number}{name}"), enabled, params }
}

/// Any text, with what has to be escaped in TOML among it.
fn text() -> impl Strategy<Value = String> {
    let odd = select(vec!['"', '\'', '\\', '\n', '\r', '\t', '\u{1}', '\u{7f}', '#']);
    // NUL is refused: Postgres cannot keep it.
    vec(prop_oneof![any::<char>().prop_filter("no NUL", |c| *c != '\0'), odd], 0..24)
        .prop_map(|characters| characters.into_iter().collect())
}

fn hundredths(min: i64, max: i64) -> impl Strategy<Value = Decimal> {
    (min * 100..=max * 100).prop_map(|hundredths| Decimal::new(hundredths, 2))
}
