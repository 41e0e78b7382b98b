//! Our services and their offers as rows: of each service the newest row that counts, with its generation's offers.

use std::collections::{BTreeMap, HashMap};

use interline_domain::{Micros, ServiceId, ServiceType};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    OfferRecord, SellPrice, ServiceRecord, Store,
    db::{Row, Tx, q},
    error::StoreError,
};

impl Store {
    /// Every service that we have, sold or not, in the operator's order.
    pub async fn services(&self) -> Result<Vec<ServiceRecord>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let rows = ServiceRows::load(&mut tx).await?;
        tx.rollback().await?;
        rows.read()
    }
}

/// The rows of services and offers up to the generation that counts.
pub(crate) struct ServiceRows {
    services: Vec<Row>,
    offers: Vec<Row>,
}

impl ServiceRows {
    pub(crate) async fn load(tx: &mut Tx) -> Result<Self, StoreError> {
        let text = "SELECT * FROM services
                    WHERE generation <= (SELECT value FROM versions WHERE name = 'services') ORDER BY id, generation";
        let services = q(text).all(&mut *tx).await?;
        let text = "SELECT * FROM offers
                    WHERE generation <= (SELECT value FROM versions WHERE name = 'services')
                    ORDER BY service, generation, position";
        Ok(Self { services, offers: q(text).all(tx).await? })
    }

    /// The services that count, in the operator's order.
    pub(crate) fn read(&self) -> Result<Vec<ServiceRecord>, StoreError> {
        let mut offers: HashMap<(ServiceId, i64), Vec<OfferRecord>> = HashMap::new();
        for row in &self.offers {
            let of = (ServiceId(row.get("service")?), row.get("generation")?);
            offers.entry(of).or_default().push(read_offer(row)?);
        }
        let mut newest: BTreeMap<ServiceId, (i64, ServiceRecord)> = BTreeMap::new();
        for row in &self.services {
            let mut service = read_service(row)?;
            service.offers = offers.remove(&(service.id, row.get("generation")?)).unwrap_or_default();
            // Of one service the newer row comes later.
            newest.insert(service.id, (row.get("position")?, service));
        }
        let mut services: Vec<(i64, ServiceRecord)> = newest.into_values().collect();
        services.sort_by_key(|(position, service)| (*position, service.id));
        Ok(services.into_iter().map(|(_, service)| service).collect())
    }
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
pub(crate) fn service_json(generation: i64, position: usize, service: &ServiceRecord) -> Value {
    let (rate, markup) = match service.price {
        SellPrice::Rate(rate) => (Some(rate), None),
        SellPrice::Markup(markup) => (None, Some(markup.to_string())),
    };
    json!({
        "id": service.id, "generation": generation, "position": position, "name": service.name,
        "category": service.category, "service_type": service.service_type.label(), "rate": rate,
        "markup_percent": markup, "min": service.min, "max": service.max, "refill": service.refill,
        "cancel": service.cancel, "dripfeed": service.dripfeed, "enabled": service.enabled,
        "description": service.description,
    })
}

/// The row of a service's offer, for the set that writes it.
pub(crate) fn offer_json(service: ServiceId, generation: i64, position: usize, offer: &OfferRecord) -> Value {
    json!({
        "service": service, "generation": generation, "position": position, "upstream": offer.upstream,
        "upstream_service": offer.service, "enabled": offer.enabled, "params": offer.params,
    })
}
