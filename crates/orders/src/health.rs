//! What is known of upstreams beside their catalogue: money and unknowns. Read often, decides nothing by itself: a reserve
//! is checked again on the locked balance.

use std::collections::BTreeMap;

use interline_domain::{Micros, UpstreamId};
use interline_ledger::band::available;
use interline_store::{StoreError, UpstreamBookLine, UpstreamExposure};

use crate::gateway::Gateway;

/// An upstream's money and unknowns, in its own currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpstreamHealth {
    /// Its stored balances.
    pub book: UpstreamBookLine,
    /// Its open unknowns.
    pub exposure: UpstreamExposure,
    /// What routing may spend there.
    pub available: Micros,
    /// Whether the exposure cap is reached.
    pub exposed: bool,
}

impl Gateway {
    /// What is known of an upstream's money and unknowns.
    pub fn health(&self, upstream: &UpstreamId) -> UpstreamHealth {
        self.health.load().get(upstream).copied().unwrap_or_default()
    }

    /// Reads it afresh.
    pub async fn refresh_health(&self) -> Result<(), StoreError> {
        let (books, exposures) = (self.store.upstream_books().await?, self.store.exposure().await?);
        let (catalogue, settings) = (self.catalogue(), self.settings());
        let mut health = BTreeMap::new();
        for upstream in catalogue.upstreams() {
            let id = &upstream.record.id;
            let book = books.get(id).copied().unwrap_or_default();
            let exposure = exposures.get(id).copied().unwrap_or_default();
            let money = exposure.money.convert(catalogue.base_rate(upstream.record.currency).rate);
            let over = |money: Micros| money >= settings.unknown_max;
            let line = UpstreamHealth {
                book,
                exposure,
                available: available(book.book, exposure.reading.zip(exposure.reading_book)),
                exposed: exposure.count >= settings.unknown_max_count || money.map_or(true, over),
            };
            if line.exposed && !self.health(id).exposed {
                tracing::warn!(upstream = %id, unknown = exposure.count, "exposure cap reached: it takes no new orders; see interline review list");
            }
            health.insert(id.clone(), line);
        }
        self.health.store(health.into());
        Ok(())
    }
}
