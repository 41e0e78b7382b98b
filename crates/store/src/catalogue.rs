//! The catalogue as it is stored: upstreams, what they list, our services, their offers, currencies, accounts.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use interline_domain::{Currency, Micros, ServiceId, ServiceType, Timestamp, UpstreamId, price::PriceModel};
use interline_ledger::ChargeAfterPartial;
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    AccountRecord, Store,
    accounts::read_account,
    db::{Row, Tx, q},
    error::StoreError,
    rows::{DueKind, DueRow, time_opt},
    services::ServiceRows,
    staging::{ROWS_MAX, give_way},
    tables,
};

/// Rows of upstreams' lists that are read at a time: a row takes many times the room of what is read from it.
const LISTED_ROWS: i64 = 1_000;

/// A currency and its rate to the base currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrencyRecord {
    /// Its code.
    pub code: Currency,
    /// What one unit is worth in the base currency.
    pub rate: Decimal,
}

/// Where an upstream's key comes from.
#[derive(Debug, Clone)]
pub enum UpstreamKey {
    /// `env:NAME` or `file:PATH`, read by the process that calls the upstream.
    Reference(String),
    /// A key that is stored sealed, opened here.
    Plain(SecretString),
    /// None was ever given.
    Missing,
}

/// A supplier.
#[derive(Debug, Clone)]
pub struct UpstreamRecord {
    /// Its id.
    pub id: UpstreamId,
    /// The dialect it speaks.
    pub adapter: String,
    /// Its address.
    pub url: String,
    /// Its key.
    pub key: UpstreamKey,
    /// The currency of its balance and prices.
    pub currency: Currency,
    /// Whether it is used.
    pub enabled: bool,
    /// How it is used.
    pub settings: UpstreamSettings,
}

/// How an upstream is used. Defaults are those of the catalogue file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamSettings {
    /// Whether loopback and private addresses are allowed.
    pub allow_private_address: bool,
    /// How long an answer is waited for, in milliseconds.
    pub timeout_ms: u64,
    /// Requests per second.
    pub requests_per_second: u32,
    /// Requests at once after a quiet time.
    pub burst: u32,
    /// Requests under way at once.
    pub concurrency: u32,
    /// What `charge` means after a partial.
    #[serde(with = "meaning")]
    pub charge_after_partial: ChargeAfterPartial,
    /// Whether it takes a second order on a target that has one.
    pub parallel_targets: bool,
    /// How far a balance reading may lie below the books.
    pub drift_allowance: Micros,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            allow_private_address: false,
            timeout_ms: 15_000,
            requests_per_second: 10,
            burst: 20,
            concurrency: 8,
            charge_after_partial: ChargeAfterPartial::Unknown,
            parallel_targets: true,
            drift_allowance: Micros::ZERO,
        }
    }
}

/// What the last calls to an upstream brought.
#[derive(Debug, Clone, Default)]
pub struct UpstreamStateRecord {
    /// When its catalogue was last read in full.
    pub catalogue_at: Option<Timestamp>,
    /// Why the last read of the catalogue failed.
    pub catalogue_fault: Option<String>,
    /// The last balance.
    pub reading: Option<Micros>,
    /// When it was asked for.
    pub reading_asked_at: Option<Timestamp>,
    /// When it was answered.
    pub reading_at: Option<Timestamp>,
    /// Why the last balance could not be read.
    pub balance_fault: Option<String>,
}

/// A service in an upstream's catalogue, as it was last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListingRecord {
    /// The upstream.
    pub upstream: UpstreamId,
    /// The upstream's service id.
    pub service: String,
    /// Its name there.
    pub name: String,
    /// Its category there.
    pub category: String,
    /// Its type; `None` for one we do not know.
    #[serde(serialize_with = "label")]
    pub service_type: Option<ServiceType>,
    /// Price per 1000 in the upstream's currency.
    pub rate: Decimal,
    /// How its price follows from an order, where the rate does not say it all.
    pub price: Option<PriceModel>,
    /// Smallest quantity.
    pub min: u64,
    /// Largest quantity.
    pub max: u64,
    /// Whether it can be refilled.
    pub refill: Option<bool>,
    /// Whether it can be canceled.
    pub cancel: Option<bool>,
    /// Whether it does drip-feed.
    pub dripfeed: Option<bool>,
    /// What may be changed about its orders, by the upstream's own names.
    pub changes: BTreeSet<String>,
    /// What may be upgraded about its orders, by the upstream's own names.
    pub upgrades: BTreeSet<String>,
    /// Whether the last reading had it.
    pub present: bool,
}

/// How a service is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SellPrice {
    /// A rate per 1000 in the base currency.
    Rate(Micros),
    /// A markup in percent on the cheapest enabled offer.
    Markup(Decimal),
}

/// A service that we sell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the flags that panels list")]
pub struct ServiceRecord {
    /// Its id.
    pub id: ServiceId,
    /// Its name.
    pub name: String,
    /// Its category.
    pub category: String,
    /// Its type.
    pub service_type: ServiceType,
    /// Its price.
    pub price: SellPrice,
    /// Smallest quantity.
    pub min: u64,
    /// Largest quantity.
    pub max: u64,
    /// Whether we offer refills.
    pub refill: bool,
    /// Whether we offer cancellation.
    pub cancel: bool,
    /// Whether we offer drip-feed.
    pub dripfeed: bool,
    /// Whether it is sold.
    pub enabled: bool,
    /// What customers are told about it.
    pub description: String,
    /// Who can deliver it, in the operator's order.
    pub offers: Vec<OfferRecord>,
}

/// An upstream's service behind one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferRecord {
    /// The upstream.
    pub upstream: UpstreamId,
    /// The upstream's service id.
    pub service: String,
    /// Whether it is used.
    pub enabled: bool,
    /// Fixed extra parameters.
    pub params: BTreeMap<String, String>,
}

/// Everything a server keeps of the catalogue in memory.
#[derive(Debug, Clone, Default)]
pub struct CatalogueRows {
    /// The version it was read at.
    pub version: i64,
    /// Currencies, by code.
    pub currencies: Vec<CurrencyRecord>,
    /// Customers, by id.
    pub accounts: Vec<AccountRecord>,
    /// Upstreams, by id, with what their last calls brought.
    pub upstreams: Vec<(UpstreamRecord, UpstreamStateRecord)>,
    /// What upstreams list.
    pub listings: Vec<ListingRecord>,
    /// Our services, in the operator's order.
    pub services: Vec<ServiceRecord>,
}

impl Store {
    /// The whole catalogue.
    pub async fn catalogue(&self) -> Result<CatalogueRows, StoreError> {
        // As of one moment: no server ever sees a part of a change.
        let mut tx = self.db.snapshot().await?;
        let version = q("SELECT value FROM versions WHERE name = 'catalogue'").one(&mut tx).await?.get("value")?;
        let currencies = q("SELECT * FROM currencies ORDER BY code").all(&mut tx).await?;
        let accounts = q("SELECT * FROM accounts ORDER BY id").all(&mut tx).await?;
        let upstreams = q("SELECT u.*, s.catalogue_at, s.catalogue_fault, s.reading, s.reading_asked_at, s.reading_at, s.balance_fault
             FROM upstreams u LEFT JOIN upstream_state s ON s.upstream = u.id ORDER BY u.id")
        .all(&mut tx)
        .await?;
        let listings = listings(&mut tx).await?;
        let services = ServiceRows::load(&mut tx).await?;
        tx.rollback().await?;
        let services = aside(move || services.read()).await?;
        Ok(CatalogueRows {
            version,
            currencies: currencies.iter().map(read_currency).collect::<Result<_, _>>()?,
            accounts: accounts.iter().map(read_account).collect::<Result<_, _>>()?,
            upstreams: upstreams
                .iter()
                .map(|row| Ok((self.read_upstream(row)?, read_state(row)?)))
                .collect::<Result<_, StoreError>>()?,
            listings,
            services,
        })
    }

    fn read_upstream(&self, row: &Row) -> Result<UpstreamRecord, StoreError> {
        let id: UpstreamId = row.parse("id")?;
        let reference: Option<String> = row.get("key_reference")?;
        let sealed: Option<String> = row.get("key_sealed")?;
        let key = match (reference, sealed) {
            (Some(reference), _) => UpstreamKey::Reference(reference),
            (None, Some(sealed)) => UpstreamKey::Plain(self.master_key.open(&upstream_key_row(&id), &sealed)?),
            (None, None) => UpstreamKey::Missing,
        };
        Ok(UpstreamRecord {
            id,
            adapter: row.get("adapter")?,
            url: row.get("url")?,
            key,
            currency: row.parse("currency")?,
            enabled: row.get("enabled")?,
            settings: row.json("settings")?,
        })
    }

    /// Keeps what an upstream's catalogue says now: rows that changed, rows that are gone, and when it was read. It is
    /// written piece by piece, for each row stands for itself; the time of the reading comes last.
    pub async fn keep_listings(
        &self,
        upstream: &UpstreamId,
        listings: &[ListingRecord],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for piece in self.changed_listings(upstream, listings).await?.chunks(ROWS_MAX) {
            let mut tx = self.db.begin().await?;
            let began = Instant::now();
            tables::UPSTREAM_SERVICES.write(&mut tx, piece).await?;
            tx.commit().await?;
            give_way(&self.db, began.elapsed()).await;
        }
        let mut tx = self.db.begin().await?;
        let text = "INSERT INTO upstream_state (upstream, catalogue_at, catalogue_fault) VALUES ($1, $2, NULL)
                    ON CONFLICT (upstream) DO UPDATE SET catalogue_at = excluded.catalogue_at, catalogue_fault = NULL";
        q(text).bind(upstream.as_str()).bind(now.millis()).run(&mut tx).await?;
        Self::touch(&mut tx, "catalogue").await?;
        tx.commit().await
    }

    /// What of `listings` is not held as it stands there, and what is held and no longer listed. Neither list is ever held
    /// twice.
    async fn changed_listings<'l>(
        &self,
        upstream: &UpstreamId,
        listings: &'l [ListingRecord],
    ) -> Result<Vec<Cow<'l, ListingRecord>>, StoreError> {
        let text = "SELECT * FROM upstream_services WHERE upstream = $1 AND service > $2 ORDER BY service LIMIT $3";
        let mut new: BTreeMap<&str, &ListingRecord> = listings.iter().map(|l| (l.service.as_str(), l)).collect();
        let (mut changed, mut last) = (Vec::new(), String::new());
        loop {
            let rows = q(text).bind(upstream.as_str()).bind(last.as_str()).bind(LISTED_ROWS).all(&*self.db).await?;
            let Some(end) = rows.last() else { break };
            last = end.get("service")?;
            for row in &rows {
                let held = read_listing(row)?;
                match new.remove(held.service.as_str()) {
                    Some(listing) if *listing == held => {}
                    Some(listing) => changed.push(Cow::Borrowed(listing)),
                    None if held.present => changed.push(Cow::Owned(ListingRecord { present: false, ..held })),
                    None => {}
                }
            }
        }
        changed.extend(new.into_values().map(Cow::Borrowed));
        Ok(changed)
    }

    /// Notes that a catalogue (or else a balance) could not be read; what was known before stays.
    pub async fn keep_fault(&self, upstream: &UpstreamId, kind: DueKind, fault: &str) -> Result<(), StoreError> {
        let text = match kind {
            DueKind::Catalogue => {
                "INSERT INTO upstream_state (upstream, catalogue_fault) VALUES ($1, $2)
                 ON CONFLICT (upstream) DO UPDATE SET catalogue_fault = excluded.catalogue_fault"
            }
            _ => {
                "INSERT INTO upstream_state (upstream, balance_fault) VALUES ($1, $2)
                 ON CONFLICT (upstream) DO UPDATE SET balance_fault = excluded.balance_fault"
            }
        };
        q(text).bind(upstream.as_str()).bind(fault).run(&*self.db).await.map(drop)
    }

    /// Puts something on the list of what is due, unless it is on it.
    pub async fn add_due(&self, due: &[DueRow]) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        tables::NEW_DUE.write(&mut tx, due).await?;
        tx.commit().await
    }
}

/// What upstreams list, read piece by piece.
async fn listings(tx: &mut Tx) -> Result<Vec<ListingRecord>, StoreError> {
    let text = "SELECT * FROM upstream_services WHERE (upstream, service) > ($1, $2)
                ORDER BY upstream, service LIMIT $3";
    let mut all: Vec<ListingRecord> = Vec::new();
    loop {
        let (upstream, service) = all.last().map_or(("", ""), |l| (l.upstream.as_str(), l.service.as_str()));
        let rows = q(text).bind(upstream).bind(service).bind(LISTED_ROWS).all(&mut *tx).await?;
        if rows.is_empty() {
            return Ok(all);
        }
        all.extend(aside(move || rows.iter().map(read_listing).collect::<Result<Vec<_>, _>>()).await?);
    }
}

/// Reads many rows on a thread of its own, so that no customer's call waits on this one until it is done.
async fn aside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    // It is given up only when the process ends.
    tokio::task::spawn_blocking(read).await.unwrap_or(Err(StoreError::Busy))
}

/// The row that a sealed upstream key belongs to.
pub(crate) fn upstream_key_row(id: &UpstreamId) -> String {
    format!("upstreams/{id}/key")
}

pub(crate) fn read_currency(row: &Row) -> Result<CurrencyRecord, StoreError> {
    Ok(CurrencyRecord { code: row.parse("code")?, rate: row.parse("rate")? })
}

fn read_state(row: &Row) -> Result<UpstreamStateRecord, StoreError> {
    Ok(UpstreamStateRecord {
        catalogue_at: time_opt(row, "catalogue_at")?,
        catalogue_fault: row.get("catalogue_fault")?,
        reading: row.get::<Option<i64>>("reading")?.map(Micros::new),
        reading_asked_at: time_opt(row, "reading_asked_at")?,
        reading_at: time_opt(row, "reading_at")?,
        balance_fault: row.get("balance_fault")?,
    })
}

fn read_listing(row: &Row) -> Result<ListingRecord, StoreError> {
    let label: Option<String> = row.get("service_type")?;
    Ok(ListingRecord {
        upstream: row.parse("upstream")?,
        service: row.get("service")?,
        name: row.get("name")?,
        category: row.get("category")?,
        service_type: label.as_deref().and_then(ServiceType::from_label),
        rate: row.parse("rate")?,
        price: read_price(row)?,
        min: row.count("min")?,
        max: row.count("max")?,
        refill: row.get("refill")?,
        cancel: row.get("cancel")?,
        dripfeed: row.get("dripfeed")?,
        changes: row.json("changes")?,
        upgrades: row.json("upgrades")?,
        present: row.get("present")?,
    })
}

fn read_price(row: &Row) -> Result<Option<PriceModel>, StoreError> {
    let stored = row.json_opt("price")?;
    stored.map(serde_json::from_value).transpose().map_err(|e| StoreError::corrupt("price", &e.to_string()))
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
fn label<S: serde::Serializer>(kind: &Option<ServiceType>, serializer: S) -> Result<S::Ok, S::Error> {
    kind.map(ServiceType::label).serialize(serializer)
}

/// What `charge` means, by its name in the catalogue file.
mod meaning {
    use interline_ledger::ChargeAfterPartial;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
    pub(super) fn serialize<S: Serializer>(meaning: &ChargeAfterPartial, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(meaning.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ChargeAfterPartial, D::Error> {
        let name = String::deserialize(deserializer)?;
        ChargeAfterPartial::from_name(&name).ok_or_else(|| {
            D::Error::custom(format!("`charge_after_partial` must be net, gross or unknown, not `{name}`"))
        })
    }
}
