//! Reading upstream catalogues, on a schedule and on demand.

use std::{collections::BTreeMap, sync::Arc};

use interline_domain::UpstreamId;
use interline_store::{DueKind, ListingRecord, StoreError};
use interline_upstream::{Answer, Call, Listing};

use crate::{
    catalogue::Upstream,
    gateway::{Gateway, GatewayError},
    remote::describe,
};

impl Gateway {
    pub(crate) async fn sync_when_due(self: &Arc<Self>, upstream: &Upstream) -> Result<(), StoreError> {
        for due in self.take_due(DueKind::Catalogue, upstream, 1).await? {
            self.keep_lack(upstream, DueKind::Catalogue).await?;
            match self.sync_catalogue(upstream).await {
                Ok(_) => {}
                Err(GatewayError::Store(error)) => return Err(error),
                Err(error) => tracing::warn!(upstream = %due.subject, %error, "a catalogue could not be read"),
            }
            let interval_ms = self.settings().catalogue_ms;
            let next = self.now().plus_ms(interval_ms);
            self.store.reschedule(DueKind::Catalogue, &due.subject, next, interval_ms).await?;
        }
        Ok(())
    }

    /// Reads an upstream's catalogue; returns how many services it lists. What cannot be read, and an empty list, change
    /// nothing: prices grow old, but nothing is taken from our own list.
    pub async fn sync_catalogue(self: &Arc<Self>, upstream: &Upstream) -> Result<usize, GatewayError> {
        let id = &upstream.record.id;
        self.endpoint(upstream).map_err(|text| GatewayError::Upstream { upstream: id.clone(), text })?;
        let read = match self.ask(upstream, &Call::Catalogue).await {
            Ok(Answer::Catalogue(listings)) if listings.is_empty() => Err("its catalogue is empty".to_owned()),
            Ok(Answer::Catalogue(listings)) => Ok(listings),
            Ok(Answer::Fault(fault)) => Err(describe(&fault)),
            Ok(_) => Err("the answer was no catalogue".to_owned()),
            Err(text) => Err(text),
        };
        match read {
            Ok(listings) => {
                let of = id.clone();
                // A large one takes a while; no customer's call waits on this thread until it is done.
                let listings = tokio::task::spawn_blocking(move || records(&of, listings));
                // It is given up only when the process ends.
                let listings = listings.await.map_err(|_| StoreError::Busy)?;
                self.store.keep_listings(id, &listings, self.now()).await?;
                self.reload_catalogue().await?;
                Ok(listings.len())
            }
            Err(text) => {
                self.store.keep_fault(id, DueKind::Catalogue, &text).await?;
                Err(GatewayError::Upstream { upstream: id.clone(), text })
            }
        }
    }

    /// The upstream of that id.
    pub fn upstream(&self, id: &str) -> Result<Arc<Upstream>, GatewayError> {
        let missing = || GatewayError::NoUpstream(id.to_owned());
        let id: UpstreamId = id.parse().map_err(|_| missing())?;
        self.catalogue().upstream(&id).cloned().ok_or_else(missing)
    }
}

/// Listings as they are stored; of two with one id the last counts.
fn records(upstream: &UpstreamId, listings: Vec<Listing>) -> Vec<ListingRecord> {
    let record = |listing: Listing| ListingRecord {
        upstream: upstream.clone(),
        service: listing.service,
        name: listing.name,
        category: listing.category,
        service_type: listing.service_type,
        rate: listing.rate.normalize(),
        price: listing.price,
        min: listing.min,
        max: listing.max,
        refill: listing.refill,
        cancel: listing.cancel,
        dripfeed: listing.dripfeed,
        changes: listing.changes,
        upgrades: listing.upgrades,
        present: true,
    };
    let by_id: BTreeMap<String, ListingRecord> = listings.into_iter().map(|l| (l.service.clone(), record(l))).collect();
    by_id.into_values().collect()
}
