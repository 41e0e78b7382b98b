//! The catalogue as a server uses it: an immutable snapshot in memory, replaced when its version changes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use interline_domain::{AccountId, Currency, Micros, OrderKind, ServiceId, Timestamp, UpstreamId, price};
use interline_egress::{Lane, LaneSettings};
use interline_ledger::BaseRate;
use interline_routing::{Listed, Offer};
use interline_store::{
    AccountRecord, CatalogueRows, ListingRecord, OfferRecord, SellPrice, ServiceRecord, UpstreamRecord,
    UpstreamStateRecord,
};
use interline_upstream::{Call, Dialect, Endpoint};
use rust_decimal::Decimal;

use crate::{health::UpstreamHealth, meters::UpstreamMeters};

/// What is sold, to whom, by whom it can be delivered.
pub struct Catalogue {
    /// The version it was read at.
    pub version: i64,
    base: Currency,
    rates: HashMap<Currency, Decimal>,
    accounts: HashMap<AccountId, AccountRecord>,
    upstreams: BTreeMap<UpstreamId, Arc<Upstream>>,
    services: Vec<ServiceRecord>,
    places: HashMap<ServiceId, usize>,
}

/// A supplier, ready to be called.
pub struct Upstream {
    /// What the operator entered.
    pub record: UpstreamRecord,
    /// What the last calls brought.
    pub state: UpstreamStateRecord,
    /// How it is spoken to; `None` for a dialect that this program does not know.
    pub dialect: Option<Arc<dyn Dialect>>,
    /// The way to it.
    pub lane: Arc<Lane>,
    pub(crate) meters: UpstreamMeters,
    listings: HashMap<String, ListingRecord>,
}

impl Upstream {
    /// What its catalogue says about a service.
    pub fn listing(&self, service: &str) -> Option<&ListingRecord> {
        self.listings.get(service)
    }

    /// Whether its protocol tells a balance. Where it does not, what is spent there is known from the books alone.
    pub fn tells_balance(&self) -> bool {
        // Nobody sends it, so it needs no key.
        let endpoint = || Endpoint { url: self.record.url.clone(), key: String::new().into() };
        self.dialect.as_ref().is_none_or(|dialect| dialect.encode(&endpoint(), &Call::Balance).is_some())
    }
}

/// A service with the rate for one account.
#[derive(Debug, Clone, Copy)]
pub struct Priced<'a> {
    /// The service.
    pub service: &'a ServiceRecord,
    /// What the account is charged per 1000, or per package, in its currency.
    pub rate: Micros,
}

impl Catalogue {
    /// A snapshot from what is stored. Lanes of `old` whose settings did not change are kept with their limits.
    pub(crate) fn new(rows: CatalogueRows, base: Currency, dialects: &[Arc<dyn Dialect>], old: Option<&Self>) -> Self {
        let mut listings: HashMap<UpstreamId, HashMap<String, ListingRecord>> = HashMap::new();
        for listing in rows.listings {
            listings.entry(listing.upstream.clone()).or_default().insert(listing.service.clone(), listing);
        }
        let upstream = |(record, state): (UpstreamRecord, UpstreamStateRecord)| {
            let lane = lane(&record, old);
            let dialect = dialects.iter().find(|d| d.name() == record.adapter).cloned();
            let listings = listings.remove(&record.id).unwrap_or_default();
            let meters = UpstreamMeters::new(&record.id);
            (record.id.clone(), Arc::new(Upstream { record, state, dialect, lane, meters, listings }))
        };
        Self {
            version: rows.version,
            base,
            rates: rows.currencies.into_iter().map(|c| (c.code, c.rate)).collect(),
            accounts: rows.accounts.into_iter().map(|a| (a.id.clone(), a)).collect(),
            upstreams: rows.upstreams.into_iter().map(upstream).collect(),
            places: rows.services.iter().enumerate().map(|(place, s)| (s.id, place)).collect(),
            services: rows.services,
        }
    }

    /// A customer.
    pub fn account(&self, id: &AccountId) -> Option<&AccountRecord> {
        self.accounts.get(id)
    }

    /// Every upstream, by id.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.values()
    }

    /// An upstream.
    pub fn upstream(&self, id: &UpstreamId) -> Option<&Arc<Upstream>> {
        self.upstreams.get(id)
    }

    /// A service that we have, sold or not.
    pub fn service(&self, id: ServiceId) -> Option<&ServiceRecord> {
        self.places.get(&id).and_then(|place| self.services.get(*place))
    }

    /// Every service that we have, sold or not, in the operator's order.
    pub fn services(&self) -> &[ServiceRecord] {
        &self.services
    }

    /// What is sold to an account, in the operator's order.
    pub fn price_list(&self, account: &AccountRecord) -> Vec<Priced<'_>> {
        self.services.iter().filter_map(|s| self.priced(s, account)).collect()
    }

    /// A service with the account's rate; `None` if it is not sold, or has no price that could be computed.
    pub fn priced<'a>(&'a self, service: &'a ServiceRecord, account: &AccountRecord) -> Option<Priced<'a>> {
        let base_rate = self.base_rate_of(service).filter(|_| service.enabled)?;
        let worth = self.worth(account.currency)?;
        let rate = price::account_rate(base_rate, account.discount_percent, worth).ok()?;
        Some(Priced { service, rate })
    }

    /// A service's rate per 1000 in the base currency. With a markup it follows the cheapest enabled offer as it was last
    /// read, whatever its age: our own list must not lose services because an upstream is away. An offer whose price depends
    /// on more than a rate counts with the most that a thousand of what is sold can cost there.
    pub fn base_rate_of(&self, service: &ServiceRecord) -> Option<Decimal> {
        match service.price {
            SellPrice::Rate(rate) => Some(rate.to_decimal()),
            SellPrice::Markup(markup) => {
                let cheapest = service.offers.iter().filter_map(|offer| self.cost_rate(service, offer)).min()?;
                price::marked_up(cheapest, markup).ok()
            }
        }
    }

    fn cost_rate(&self, service: &ServiceRecord, offer: &OfferRecord) -> Option<Decimal> {
        let upstream = self.upstream(&offer.upstream).filter(|u| offer.enabled && u.record.enabled)?;
        let listing = upstream.listing(&offer.service).filter(|l| l.present)?;
        let rate = match &listing.price {
            Some(model) => {
                let quantities = service.min.max(listing.min)..=service.max.min(listing.max);
                model.highest(&quantities, service.service_type.basis(), &offer.params).ok()?
            }
            None => listing.rate,
        };
        rate.checked_mul(self.worth(upstream.record.currency)?)
    }

    /// What one unit of a currency is worth in the base currency.
    pub fn worth(&self, currency: Currency) -> Option<Decimal> {
        if currency == self.base { Some(Decimal::ONE) } else { self.rates.get(&currency).copied() }
    }

    /// The rate at which a cost in `currency` is booked. Without one nothing is bought in that currency, and what was
    /// bought before is booked at par rather than not at all.
    pub(crate) fn base_rate(&self, currency: Currency) -> BaseRate {
        BaseRate { base: self.base, rate: self.worth(currency).unwrap_or(Decimal::ONE) }
    }

    /// The offers of a service, with everything that routing asks about; `kind` is the order that they are for.
    pub(crate) fn offers(
        &self,
        service: &ServiceRecord,
        kind: Option<&OrderKind>,
        health: impl Fn(&UpstreamId) -> UpstreamHealth,
        tried: &[(UpstreamId, String)],
    ) -> Vec<Offer<'_>> {
        let offer = |offer: &OfferRecord| {
            let upstream = self.upstream(&offer.upstream)?;
            let health = health(&offer.upstream);
            let listed = upstream.listing(&offer.service).filter(|l| l.present).zip(upstream.state.catalogue_at);
            Some(Offer {
                upstream: offer.upstream.clone(),
                service: offer.service.clone(),
                params: offer.params.clone(),
                enabled: offer.enabled && upstream.record.enabled && upstream.dialect.is_some(),
                currency: upstream.record.currency,
                base_rate: self.worth(upstream.record.currency),
                listed: listed.map(|(listing, read_at)| listed_as(listing, read_at)),
                unsayable: kind.and_then(|kind| upstream.dialect.as_ref()?.takes(kind).err()),
                available: health.available,
                exposed: health.exposed,
                tried: tried.iter().any(|(id, of)| *id == offer.upstream && *of == offer.service),
            })
        };
        service.offers.iter().filter_map(offer).collect()
    }
}

fn listed_as(listing: &ListingRecord, read_at: Timestamp) -> Listed<'_> {
    Listed {
        service_type: listing.service_type,
        rate: listing.rate,
        price: listing.price.as_ref(),
        min: listing.min,
        max: listing.max,
        dripfeed: listing.dripfeed,
        read_at,
    }
}

fn lane(record: &UpstreamRecord, old: Option<&Catalogue>) -> Arc<Lane> {
    let settings = LaneSettings {
        requests_per_second: record.settings.requests_per_second,
        burst: record.settings.burst,
        concurrency: record.settings.concurrency,
        timeout_ms: record.settings.timeout_ms,
        allow_private_address: record.settings.allow_private_address,
    };
    let kept =
        old.and_then(|old| old.upstream(&record.id)).map(|u| &u.lane).filter(|lane| *lane.settings() == settings);
    kept.map_or_else(|| Arc::new(Lane::new(&record.id, settings.clone())), Arc::clone)
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
