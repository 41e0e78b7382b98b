//! The catalogue as it is stored: upstreams, what they list, our services, their offers, currencies, accounts.

use std::collections::BTreeMap;

use interline_domain::{Currency, Micros, ServiceId, ServiceType, Timestamp, UpstreamId};
use interline_ledger::ChargeAfterPartial;
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    AccountRecord, Store,
    accounts::read_account,
    db::{Row, q},
    error::StoreError,
    rows::{DueKind, DueRow, time_opt},
    tables,
};

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
        // Read first: what changes meanwhile raises it again, and the catalogue is read once more.
        let (version, _) = self.versions().await?;
        let db = &*self.db;
        let currencies = q("SELECT * FROM currencies ORDER BY code").all(db).await?;
        let accounts = q("SELECT * FROM accounts ORDER BY id").all(db).await?;
        let upstreams = q("SELECT u.*, s.catalogue_at, s.catalogue_fault, s.reading, s.reading_asked_at, s.reading_at, s.balance_fault
             FROM upstreams u LEFT JOIN upstream_state s ON s.upstream = u.id ORDER BY u.id")
        .all(db)
        .await?;
        let listings = q("SELECT * FROM upstream_services ORDER BY upstream, service").all(db).await?;
        Ok(CatalogueRows {
            version,
            currencies: currencies.iter().map(read_currency).collect::<Result<_, _>>()?,
            accounts: accounts.iter().map(read_account).collect::<Result<_, _>>()?,
            upstreams: upstreams
                .iter()
                .map(|row| Ok((self.read_upstream(row)?, read_state(row)?)))
                .collect::<Result<_, StoreError>>()?,
            listings: listings.iter().map(read_listing).collect::<Result<_, _>>()?,
            services: self.services().await?,
        })
    }

    pub(crate) async fn services(&self) -> Result<Vec<ServiceRecord>, StoreError> {
        let mut offers: BTreeMap<ServiceId, Vec<OfferRecord>> = BTreeMap::new();
        for row in q("SELECT * FROM offers ORDER BY service, position").all(&*self.db).await? {
            offers.entry(ServiceId(row.get("service")?)).or_default().push(read_offer(&row)?);
        }
        let rows = q("SELECT * FROM services ORDER BY position, id").all(&*self.db).await?;
        let read = |row: &Row| {
            let service = read_service(row)?;
            let offers = offers.remove(&service.id).unwrap_or_default();
            Ok(ServiceRecord { offers, ..service })
        };
        rows.iter().map(read).collect()
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

    /// Keeps what an upstream's catalogue says now: rows that changed, rows that are gone, and when it was read.
    pub async fn keep_listings(
        &self,
        upstream: &UpstreamId,
        listings: &[ListingRecord],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let rows =
            q("SELECT * FROM upstream_services WHERE upstream = $1").bind(upstream.as_str()).all(&mut tx).await?;
        let mut held: BTreeMap<String, ListingRecord> = BTreeMap::new();
        for row in &rows {
            let listing = read_listing(row)?;
            held.insert(listing.service.clone(), listing);
        }
        let mut changed = Vec::new();
        for listing in listings {
            if held.remove(&listing.service).as_ref() != Some(listing) {
                changed.push(listing.clone());
            }
        }
        changed.extend(held.into_values().filter(|l| l.present).map(|l| ListingRecord { present: false, ..l }));
        tables::UPSTREAM_SERVICES.write(&mut tx, &changed).await?;
        let text = "INSERT INTO upstream_state (upstream, catalogue_at, catalogue_fault) VALUES ($1, $2, NULL)
                    ON CONFLICT (upstream) DO UPDATE SET catalogue_at = excluded.catalogue_at, catalogue_fault = NULL";
        q(text).bind(upstream.as_str()).bind(now.millis()).run(&mut tx).await?;
        Self::touch(&mut tx, "catalogue").await?;
        tx.commit().await
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
        min: row.count("min")?,
        max: row.count("max")?,
        refill: row.get("refill")?,
        cancel: row.get("cancel")?,
        dripfeed: row.get("dripfeed")?,
        present: row.get("present")?,
    })
}

fn read_service(row: &Row) -> Result<ServiceRecord, StoreError> {
    let label: String = row.get("service_type")?;
    let rate: Option<i64> = row.get("rate")?;
    let markup: Option<Decimal> = row.parse_opt("markup_percent")?;
    let price = match (rate, markup) {
        (Some(rate), _) => SellPrice::Rate(Micros::new(rate)),
        (None, markup) => SellPrice::Markup(markup.unwrap_or_default()),
    };
    Ok(ServiceRecord {
        id: ServiceId(row.get("id")?),
        name: row.get("name")?,
        category: row.get("category")?,
        service_type: ServiceType::from_label(&label).ok_or_else(|| StoreError::corrupt("service_type", &label))?,
        price,
        min: row.count("min")?,
        max: row.count("max")?,
        refill: row.get("refill")?,
        cancel: row.get("cancel")?,
        dripfeed: row.get("dripfeed")?,
        enabled: row.get("enabled")?,
        description: row.get("description")?,
        offers: Vec::new(),
    })
}

fn read_offer(row: &Row) -> Result<OfferRecord, StoreError> {
    Ok(OfferRecord {
        upstream: row.parse("upstream")?,
        service: row.get("upstream_service")?,
        enabled: row.get("enabled")?,
        params: row.json("params")?,
    })
}

/// A service's row, for the set that writes it.
pub(crate) fn service_json(position: usize, service: &ServiceRecord) -> Value {
    let (rate, markup) = match service.price {
        SellPrice::Rate(rate) => (Some(rate), None),
        SellPrice::Markup(markup) => (None, Some(markup.to_string())),
    };
    json!({
        "id": service.id, "position": position, "name": service.name, "category": service.category,
        "service_type": service.service_type.label(), "rate": rate, "markup_percent": markup, "min": service.min,
        "max": service.max, "refill": service.refill, "cancel": service.cancel, "dripfeed": service.dripfeed,
        "enabled": service.enabled, "description": service.description,
    })
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
