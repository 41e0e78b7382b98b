//! Making the database match a catalogue file: what is in it is created or updated, what is missing from a section that
//! occurs is disabled, all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{AccountId, Currency, ServiceId, Timestamp, UpstreamId};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;

use crate::{
    AccountRecord, CurrencyRecord, OfferRecord, ServiceRecord, Store, UpstreamKey, UpstreamRecord, UpstreamSettings,
    catalogue::{service_json, upstream_key_row},
    db::{Tx, q},
    error::StoreError,
    tables,
};

/// What a catalogue file asks for. `None` is a section that does not occur.
#[derive(Debug, Default)]
pub struct Desired {
    /// `[[currency]]`: code and rate.
    pub currencies: Vec<(Currency, Decimal)>,
    /// `[[upstream]]`.
    pub upstreams: Option<Vec<DesiredUpstream>>,
    /// `[[service]]`, with its offers.
    pub services: Option<Vec<DesiredService>>,
    /// `[[account]]`: id, currency, discount in percent.
    pub accounts: Vec<(AccountId, Currency, Decimal)>,
}

/// An upstream as a file wants it.
#[derive(Debug)]
pub struct DesiredUpstream {
    /// Its id.
    pub id: UpstreamId,
    /// Its dialect.
    pub adapter: String,
    /// Its address.
    pub url: String,
    /// Its key; `None` keeps the one there is.
    pub key: Option<DesiredKey>,
    /// Its currency.
    pub currency: Currency,
    /// Whether it is used.
    pub enabled: bool,
    /// How it is used.
    pub settings: UpstreamSettings,
}

/// A key as a file gives it.
#[derive(Debug)]
pub enum DesiredKey {
    /// `env:NAME` or `file:PATH`, stored as such.
    Reference(String),
    /// `plain:VALUE`, stored sealed.
    Plain(SecretString),
}

/// A service as a file wants it.
pub type DesiredService = ServiceRecord;

/// What an application of a file did, by name (`upstream alpha`, `service 101` …).
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// New ones.
    pub created: Vec<String>,
    /// Changed ones.
    pub updated: Vec<String>,
    /// Those that were so already.
    pub unchanged: Vec<String>,
    /// Those that the file left out.
    pub disabled: Vec<String>,
}

impl Applied {
    fn note(&mut self, name: String, existed: bool, same: bool) {
        match (existed, same) {
            (false, _) => self.created.push(name),
            (true, false) => self.updated.push(name),
            (true, true) => self.unchanged.push(name),
        }
    }
}

impl Store {
    /// Makes the database match `desired`, in one transaction; a dry run does all of it and gives it up at the end.
    pub async fn apply(&self, desired: &Desired, dry_run: bool, now: Timestamp) -> Result<Applied, StoreError> {
        let held = self.catalogue().await?;
        let mut applied = Applied::default();
        let mut tx = self.db.begin().await?;
        apply_currencies(&mut tx, &desired.currencies, &held.currencies, now, &mut applied).await?;
        if let Some(upstreams) = &desired.upstreams {
            let held: Vec<&UpstreamRecord> = held.upstreams.iter().map(|u| &u.0).collect();
            self.apply_upstreams(&mut tx, upstreams, &held, now, &mut applied).await?;
        }
        if let Some(services) = &desired.services {
            let wanted = desired.upstreams.iter().flatten().map(|u| &u.id);
            check_upstreams(services, &wanted.chain(held.upstreams.iter().map(|u| &u.0.id)).collect())?;
            apply_services(&mut tx, services, &held.services, &mut applied).await?;
        }
        apply_accounts(&mut tx, &desired.accounts, &held.accounts, now, &mut applied).await?;
        if applied.created.len() + applied.updated.len() + applied.disabled.len() > 0 {
            Self::touch(&mut tx, "catalogue").await?;
        }
        if dry_run {
            tx.rollback().await?;
        } else {
            tx.commit().await?;
        }
        Ok(applied)
    }

    async fn apply_upstreams(
        &self,
        tx: &mut Tx,
        wanted: &[DesiredUpstream],
        held: &[&UpstreamRecord],
        now: Timestamp,
        applied: &mut Applied,
    ) -> Result<(), StoreError> {
        let held: BTreeMap<&UpstreamId, &UpstreamRecord> = held.iter().map(|u| (&u.id, *u)).collect();
        for upstream in wanted {
            let old = held.get(&upstream.id);
            if let Some(old) = old.filter(|old| old.currency != upstream.currency) {
                let text = format!("upstream {} is kept in {}: its currency cannot change", old.id, old.currency);
                return Err(StoreError::Refused(text));
            }
            if old.is_none() && upstream.key.is_none() {
                return Err(StoreError::Refused(format!("upstream {} is new and has no `key`", upstream.id)));
            }
            let same = old.is_some_and(|old| same_upstream(old, upstream));
            if !same {
                self.write_upstream(tx, upstream, now).await?;
            }
            applied.note(format!("upstream {}", upstream.id), old.is_some(), same);
        }
        let named: BTreeSet<&UpstreamId> = wanted.iter().map(|u| &u.id).collect();
        for old in held.values().filter(|u| u.enabled && !named.contains(&u.id)) {
            q("UPDATE upstreams SET enabled = FALSE WHERE id = $1").bind(old.id.as_str()).run(&mut *tx).await?;
            applied.disabled.push(format!("upstream {}", old.id));
        }
        Ok(())
    }

    async fn write_upstream(&self, tx: &mut Tx, upstream: &DesiredUpstream, now: Timestamp) -> Result<(), StoreError> {
        let settings =
            serde_json::to_value(&upstream.settings).map_err(|e| StoreError::corrupt("settings", &e.to_string()))?;
        let text = "INSERT INTO upstreams (id, adapter, url, currency, enabled, settings, created_at)
                    VALUES ($1, $2, $3, $4, $5, $6, $7)
                    ON CONFLICT (id) DO UPDATE SET adapter = excluded.adapter, url = excluded.url,
                    enabled = excluded.enabled, settings = excluded.settings";
        q(text)
            .bind(upstream.id.as_str())
            .bind(upstream.adapter.as_str())
            .bind(upstream.url.as_str())
            .bind(upstream.currency.as_str())
            .bind(upstream.enabled)
            .bind(settings)
            .bind(now.millis())
            .run(&mut *tx)
            .await?;
        let (reference, sealed) = match &upstream.key {
            None => return Ok(()),
            Some(DesiredKey::Reference(reference)) => (Some(reference.clone()), None),
            Some(DesiredKey::Plain(key)) => (None, Some(self.master_key.seal(&upstream_key_row(&upstream.id), key)?)),
        };
        q("UPDATE upstreams SET key_reference = $1, key_sealed = $2 WHERE id = $3")
            .bind(reference)
            .bind(sealed)
            .bind(upstream.id.as_str())
            .run(&mut *tx)
            .await
            .map(drop)
    }
}

/// Every offer names an upstream that there is.
fn check_upstreams(services: &[DesiredService], known: &BTreeSet<&UpstreamId>) -> Result<(), StoreError> {
    for service in services {
        if let Some(offer) = service.offers.iter().find(|o| !known.contains(&o.upstream)) {
            let text = format!("service {}: there is no upstream `{}`", service.id, offer.upstream);
            return Err(StoreError::Refused(text));
        }
    }
    Ok(())
}

fn same_upstream(old: &UpstreamRecord, new: &DesiredUpstream) -> bool {
    use secrecy::ExposeSecret as _;
    let same_key = match (&old.key, &new.key) {
        (_, None) => true,
        (UpstreamKey::Reference(old), Some(DesiredKey::Reference(new))) => old == new,
        (UpstreamKey::Plain(old), Some(DesiredKey::Plain(new))) => old.expose_secret() == new.expose_secret(),
        _ => false,
    };
    same_key
        && old.adapter == new.adapter
        && old.url == new.url
        && old.enabled == new.enabled
        && old.settings == new.settings
}

async fn apply_currencies(
    tx: &mut Tx,
    wanted: &[(Currency, Decimal)],
    held: &[CurrencyRecord],
    now: Timestamp,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    for (code, rate) in wanted {
        let old = held.iter().find(|c| c.code == *code);
        let same = old.is_some_and(|old| old.rate == *rate);
        if !same {
            let text = "INSERT INTO currencies (code, rate, updated_at) VALUES ($1, $2, $3)
                        ON CONFLICT (code) DO UPDATE SET rate = excluded.rate, updated_at = excluded.updated_at";
            q(text).bind(code.as_str()).bind(rate.normalize().to_string()).bind(now.millis()).run(&mut *tx).await?;
        }
        applied.note(format!("currency {code}"), old.is_some(), same);
    }
    Ok(())
}

async fn apply_accounts(
    tx: &mut Tx,
    wanted: &[(AccountId, Currency, Decimal)],
    held: &[AccountRecord],
    now: Timestamp,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    for (id, currency, discount) in wanted {
        let old = held.iter().find(|a| a.id == *id);
        if let Some(old) = old.filter(|old| old.currency != *currency) {
            let text = format!("account {id} is kept in {}: its currency cannot change", old.currency);
            return Err(StoreError::Refused(text));
        }
        let same = old.is_some_and(|old| old.discount_percent == *discount);
        if !same {
            let text = "INSERT INTO accounts (id, currency, discount_percent, enabled, created_at) VALUES ($1, $2, $3, TRUE, $4)
                        ON CONFLICT (id) DO UPDATE SET discount_percent = excluded.discount_percent";
            let discount = discount.normalize().to_string();
            q(text).bind(id.as_str()).bind(currency.as_str()).bind(discount).bind(now.millis()).run(&mut *tx).await?;
        }
        applied.note(format!("account {id}"), old.is_some(), same);
    }
    Ok(())
}

async fn apply_services(
    tx: &mut Tx,
    wanted: &[DesiredService],
    held: &[ServiceRecord],
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let old: BTreeMap<ServiceId, (usize, &ServiceRecord)> =
        held.iter().enumerate().map(|(i, s)| (s.id, (i, s))).collect();
    let (mut changed, mut offers, mut replaced) = (Vec::new(), Vec::new(), Vec::new());
    for (position, service) in wanted.iter().enumerate() {
        let held = old.get(&service.id);
        let same = held.is_some_and(|(_, held)| *held == service);
        // A service that only moved in the file is written too, for the order of the file is the order of our list.
        if !same || held.is_some_and(|(index, _)| *index != position) {
            changed.push(service_json(position, service));
        }
        if held.is_none_or(|(_, held)| held.offers != service.offers) {
            replaced.push(service.id);
            offers.extend(service.offers.iter().enumerate().map(|(index, offer)| offer_json(service.id, index, offer)));
        }
        applied.note(format!("service {}", service.id), held.is_some(), same);
    }
    let named: BTreeSet<ServiceId> = wanted.iter().map(|s| s.id).collect();
    for (position, left_out) in held.iter().enumerate().filter(|(_, s)| !named.contains(&s.id)) {
        if left_out.enabled || left_out.offers.iter().any(|o| o.enabled) {
            changed.push(service_json(wanted.len() + position, &ServiceRecord { enabled: false, ..left_out.clone() }));
            replaced.push(left_out.id);
            let disabled = |offer: &OfferRecord| OfferRecord { enabled: false, ..offer.clone() };
            offers.extend(left_out.offers.iter().enumerate().map(|(i, o)| offer_json(left_out.id, i, &disabled(o))));
            applied.disabled.push(format!("service {}", left_out.id));
        }
    }
    tables::SERVICES.write(tx, &changed).await?;
    q("DELETE FROM offers WHERE service IN {ids}").bind(json!(replaced)).run(&mut *tx).await?;
    tables::OFFERS.write(tx, &offers).await
}

fn offer_json(service: ServiceId, position: usize, offer: &OfferRecord) -> serde_json::Value {
    json!({
        "service": service, "position": position, "upstream": offer.upstream, "upstream_service": offer.service,
        "enabled": offer.enabled, "params": offer.params,
    })
}
