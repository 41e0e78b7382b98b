//! Making the database match a catalogue file: what is in it is created or updated, what is missing from a section that
//! occurs is disabled, all or nothing. Services, of which there may be many, are staged; the rest is one short commit.

use interline_domain::{AccountId, Currency, Timestamp, UpstreamId};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde::Serialize;

use crate::{
    ServiceRecord, Store, UpstreamSettings,
    catalogue::upstream_key_row,
    db::{Tx, q},
    differences::Differences,
    error::StoreError,
    staging::Staging,
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

impl Store {
    /// Makes the database match `desired`, all or nothing. A dry run tells the same and writes nothing.
    pub async fn apply(&self, desired: &Desired, dry_run: bool, now: Timestamp) -> Result<Applied, StoreError> {
        if dry_run {
            return Ok(Differences::find(desired, &self.catalogue().await?, now)?.applied);
        }
        let staging = Staging::begin(&self.db, now).await?;
        let outcome = self.apply_staged(desired, &staging, now).await;
        staging.finish(outcome).await
    }

    async fn apply_staged(
        &self,
        desired: &Desired,
        staging: &Staging<'_>,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let held = self.catalogue().await?;
        let found = Differences::find(desired, &held, now)?;
        if found.is_empty() {
            return Ok(found.applied);
        }
        staging.stage(&found.services).await?;
        let mut tx = staging.transaction().await?;
        tables::CURRENCIES.write(&mut tx, &found.currencies).await?;
        for upstream in &found.upstreams {
            self.write_upstream(&mut tx, upstream, now).await?;
        }
        for id in &found.disabled {
            q("UPDATE upstreams SET enabled = FALSE WHERE id = $1").bind(id.as_str()).run(&mut tx).await?;
        }
        tables::ACCOUNTS.write(&mut tx, &found.accounts).await?;
        staging.flip(tx).await?;
        Ok(found.applied)
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
