//! Importing what an upstream lists: services of ours that are disabled until somebody enables them.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{ServiceId, ServiceType, Timestamp, UpstreamId, ids::ID_MAX, kind::UNITS_MAX};
use rust_decimal::Decimal;

use crate::{
    CatalogueRows, ListingRecord, OfferRecord, SellPrice, ServiceRecord, Store, error::StoreError, staging::Staging,
};

/// What to import.
#[derive(Debug, Clone)]
pub struct Import {
    /// From where.
    pub upstream: UpstreamId,
    /// Only services with this text in their name or category, whatever its case; empty for all.
    pub matching: String,
    /// The markup of the new services, in percent.
    pub markup_percent: Decimal,
    /// The fixed parameters of the new offers, on which prices may depend: for how long, say.
    pub params: BTreeMap<String, String>,
}

/// What an import did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The new services, disabled, each with one offer.
    pub created: Vec<ServiceRecord>,
    /// How many that match are offered by a service already.
    pub offered: usize,
    /// How many were passed over because their type is not known.
    pub unknown_type: usize,
    /// How many were passed over because no quantity lies within their bounds.
    pub out_of_bounds: usize,
}

impl Store {
    /// Makes a service of everything that an upstream lists, that fits and that no service offers yet; all or nothing.
    pub async fn import(&self, import: &Import, now: Timestamp) -> Result<Imported, StoreError> {
        let staging = Staging::begin(&self.db, now).await?;
        let outcome = self.import_staged(import, &staging).await;
        staging.finish(outcome).await
    }

    async fn import_staged(&self, import: &Import, staging: &Staging<'_>) -> Result<Imported, StoreError> {
        let held = self.catalogue().await?;
        let imported = choose(import, &held)?;
        if !imported.created.is_empty() {
            // Behind every other, so that nothing moves in the list.
            let places = held.services.len()..;
            let rows: Vec<(usize, ServiceRecord)> = places.zip(imported.created.iter().cloned()).collect();
            staging.stage(&rows).await?;
            staging.flip(staging.transaction().await?).await?;
        }
        Ok(imported)
    }
}

/// What an import makes, given everything that there is.
fn choose(import: &Import, held: &CatalogueRows) -> Result<Imported, StoreError> {
    let id = &import.upstream;
    let (_, state) = held
        .upstreams
        .iter()
        .find(|(upstream, _)| upstream.id == *id)
        .ok_or_else(|| StoreError::Refused(format!("there is no upstream `{id}`")))?;
    if state.catalogue_at.is_none() {
        let text = format!("the catalogue of {id} was never read; run: interline upstream sync {id}");
        return Err(StoreError::Refused(text));
    }
    let offers = held.services.iter().flat_map(|s| &s.offers).filter(|o| o.upstream == *id);
    let offered: BTreeSet<&str> = offers.map(|o| o.service.as_str()).collect();
    let mut listed: Vec<&ListingRecord> =
        held.listings.iter().filter(|l| l.upstream == *id && l.present && fits(l, &import.matching)).collect();
    // Numbers as numbers, names behind them.
    listed.sort_by_cached_key(|l| (l.service.parse::<u64>().unwrap_or(u64::MAX), l.service.clone()));
    let mut imported = Imported::default();
    let mut last = held.services.iter().map(|s| s.id.0).max().unwrap_or(0);
    for listing in listed {
        if offered.contains(listing.service.as_str()) {
            imported.offered += 1;
        } else if listing.service_type.is_none() {
            imported.unknown_type += 1;
        } else if last == ID_MAX {
            return Err(StoreError::Refused(format!("no service id is free behind {ID_MAX}")));
        } else if let Some(service) = service(listing, ServiceId(last + 1), import) {
            last += 1;
            imported.created.push(service);
        } else {
            imported.out_of_bounds += 1;
        }
    }
    Ok(imported)
}

fn fits(listing: &ListingRecord, text: &str) -> bool {
    let text = text.to_lowercase();
    listing.name.to_lowercase().contains(&text) || listing.category.to_lowercase().contains(&text)
}

/// A service of ours that sells what is listed; nothing if its type or its bounds cannot be ours.
fn service(listing: &ListingRecord, id: ServiceId, import: &Import) -> Option<ServiceRecord> {
    let service_type = listing.service_type?;
    let (min, max) = (listing.min.max(1), listing.max.min(UNITS_MAX));
    // What one package delivers is one number.
    let max = if service_type == ServiceType::Package { min } else { max };
    let offer = OfferRecord {
        upstream: listing.upstream.clone(),
        service: listing.service.clone(),
        enabled: true,
        params: import.params.clone(),
    };
    let service = ServiceRecord {
        id,
        name: listing.name.clone(),
        category: listing.category.clone(),
        service_type,
        price: SellPrice::Markup(import.markup_percent),
        min,
        max,
        refill: listing.refill.unwrap_or(false),
        cancel: listing.cancel.unwrap_or(false),
        dripfeed: listing.dripfeed.unwrap_or(false),
        enabled: false,
        description: String::new(),
        offers: vec![offer],
    };
    (min <= max && max <= UNITS_MAX).then_some(service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{UpstreamKey, UpstreamRecord, UpstreamSettings, UpstreamStateRecord};

    fn listing(service: &str, name: &str) -> ListingRecord {
        ListingRecord {
            upstream: "alpha".parse().unwrap(),
            service: service.to_owned(),
            name: name.to_owned(),
            category: "Placements".to_owned(),
            service_type: Some(ServiceType::Default),
            rate: Decimal::ONE,
            price: None,
            min: 10,
            max: 5_000,
            refill: None,
            cancel: Some(true),
            dripfeed: Some(false),
            changes: BTreeSet::new(),
            upgrades: BTreeSet::new(),
            present: true,
        }
    }

    fn held(listings: Vec<ListingRecord>) -> CatalogueRows {
        let record = UpstreamRecord {
            id: "alpha".parse().unwrap(),
            adapter: "perfectpanel".to_owned(),
            url: "https://alpha.example/api/v2".to_owned(),
            key: UpstreamKey::Missing,
            currency: "USD".parse().unwrap(),
            enabled: true,
            settings: UpstreamSettings::default(),
        };
        let state =
            UpstreamStateRecord { catalogue_at: Some(Timestamp::from_millis(1)), ..UpstreamStateRecord::default() };
        CatalogueRows { upstreams: vec![(record, state)], listings, ..CatalogueRows::default() }
    }

    fn import(matching: &str) -> Import {
        let upstream = "alpha".parse().unwrap();
        let params = [("duration".to_owned(), "24".to_owned())].into();
        Import { upstream, matching: matching.to_owned(), markup_percent: Decimal::from(30), params }
    }

    fn ids(imported: &Imported) -> Vec<(i64, &str)> {
        imported.created.iter().map(|s| (s.id.0, s.offers[0].service.as_str())).collect()
    }

    #[test]
    fn new_services_are_numbered_behind_the_last_and_disabled() {
        let mut there = held(vec![listing("10", "Ten"), listing("9", "Nine"), listing("likes", "Likes")]);
        let imported = choose(&import(""), &there).unwrap();
        assert_eq!(ids(&imported), [(1, "9"), (2, "10"), (3, "likes")]);
        assert!(imported.created.iter().all(|s| !s.enabled && s.cancel && !s.refill && s.offers[0].enabled));
        assert_eq!(imported.created[0].price, SellPrice::Markup(Decimal::from(30)));
        assert!(imported.created.iter().all(|s| s.offers[0].params["duration"] == "24"));

        there.services = imported.created;
        there.services[1].id = ServiceId(200);
        there.listings.push(listing("11", "Eleven"));
        let again = choose(&import(""), &there).unwrap();
        assert_eq!((ids(&again), again.offered), (vec![(201, "11")], 3));
    }

    #[test]
    fn what_does_not_match_is_not_listed_or_cannot_be_ours_is_passed_over() {
        let mut there = held(vec![
            listing("1", "Followers, fast"),
            listing("2", "Views"),
            ListingRecord { present: false, ..listing("3", "Followers, gone") },
            ListingRecord { service_type: None, ..listing("4", "Followers of a new kind") },
            ListingRecord { min: 10, max: 0, ..listing("5", "Followers, none") },
            ListingRecord { category: "FOLLOWERS".to_owned(), min: 0, max: u64::MAX, ..listing("6", "Slow") },
            ListingRecord { service_type: Some(ServiceType::Package), ..listing("7", "A package of followers") },
        ]);
        let imported = choose(&import("fOLLowers"), &there).unwrap();
        assert_eq!(ids(&imported), [(1, "1"), (2, "6"), (3, "7")]);
        assert_eq!((imported.unknown_type, imported.out_of_bounds), (1, 1));
        let bounds: Vec<(u64, u64)> = imported.created.iter().map(|s| (s.min, s.max)).collect();
        assert_eq!(bounds, [(10, 5_000), (1, UNITS_MAX), (10, 10)]);

        there.upstreams[0].1.catalogue_at = None;
        assert!(choose(&import(""), &there).unwrap_err().to_string().contains("never read"));
        let elsewhere = Import { upstream: "beta".parse().unwrap(), ..import("") };
        assert!(choose(&elsewhere, &there).unwrap_err().to_string().contains("beta"));
    }
}
