//! What a catalogue file changes: the differences between what it asks for and what the database holds. Nothing here
//! writes; a dry run tells what was found, and [`crate::Store::apply`] writes it.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{AccountId, Currency, ServiceId, Timestamp, UpstreamId};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    AccountRecord, Applied, CatalogueRows, CurrencyRecord, Desired, DesiredKey, DesiredService, DesiredUpstream,
    OfferRecord, ServiceRecord, UpstreamKey, UpstreamRecord, error::StoreError,
};

/// What has to be written.
#[derive(Debug, Default)]
pub(crate) struct Differences<'a> {
    /// The same by name, with what stays as it is.
    pub(crate) applied: Applied,
    /// Rows of currencies that are new or changed.
    pub(crate) currencies: Vec<Value>,
    /// Upstreams that are new or changed.
    pub(crate) upstreams: Vec<&'a DesiredUpstream>,
    /// Upstreams that the file leaves out.
    pub(crate) disabled: Vec<UpstreamId>,
    /// Services that are new, changed, left out or elsewhere in the list, with their places in it.
    pub(crate) services: Vec<(usize, ServiceRecord)>,
    /// Rows of accounts that are new or changed.
    pub(crate) accounts: Vec<Value>,
}

impl<'a> Differences<'a> {
    /// Compares; refuses what can never be done.
    pub(crate) fn find(desired: &'a Desired, held: &CatalogueRows, now: Timestamp) -> Result<Self, StoreError> {
        let mut found = Self::default();
        found.compare_currencies(&desired.currencies, &held.currencies, now);
        if let Some(upstreams) = &desired.upstreams {
            found.compare_upstreams(upstreams, held)?;
        }
        if let Some(services) = &desired.services {
            let wanted = desired.upstreams.iter().flatten().map(|u| &u.id);
            check_upstreams(services, &wanted.chain(held.upstreams.iter().map(|u| &u.0.id)).collect())?;
            found.compare_services(services, &held.services);
        }
        found.compare_accounts(&desired.accounts, &held.accounts, now)?;
        Ok(found)
    }

    /// Whether nothing has to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.currencies.is_empty()
            && self.upstreams.is_empty()
            && self.disabled.is_empty()
            && self.services.is_empty()
            && self.accounts.is_empty()
    }

    fn note(&mut self, name: String, existed: bool, same: bool) {
        let names = match (existed, same) {
            (false, _) => &mut self.applied.created,
            (true, false) => &mut self.applied.updated,
            (true, true) => &mut self.applied.unchanged,
        };
        names.push(name);
    }

    fn compare_currencies(&mut self, wanted: &[(Currency, Decimal)], held: &[CurrencyRecord], now: Timestamp) {
        for (code, rate) in wanted {
            let old = held.iter().find(|c| c.code == *code);
            let same = old.is_some_and(|old| old.rate == *rate);
            if !same {
                let rate = rate.normalize().to_string();
                self.currencies.push(json!({"code": code, "rate": rate, "updated_at": now}));
            }
            self.note(format!("currency {code}"), old.is_some(), same);
        }
    }

    fn compare_upstreams(&mut self, wanted: &'a [DesiredUpstream], held: &CatalogueRows) -> Result<(), StoreError> {
        let held: BTreeMap<&UpstreamId, &UpstreamRecord> = held.upstreams.iter().map(|(u, _)| (&u.id, u)).collect();
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
                self.upstreams.push(upstream);
            }
            self.note(format!("upstream {}", upstream.id), old.is_some(), same);
        }
        let named: BTreeSet<&UpstreamId> = wanted.iter().map(|u| &u.id).collect();
        for left_out in held.values().filter(|u| u.enabled && !named.contains(&u.id)) {
            self.disabled.push(left_out.id.clone());
            self.applied.disabled.push(format!("upstream {}", left_out.id));
        }
        Ok(())
    }

    /// The order of the file is the order of our list; what it leaves out follows, in the order in which it stood. So
    /// the place of every service in the list is its position, and one that only moved is written too.
    fn compare_services(&mut self, wanted: &[DesiredService], held: &[ServiceRecord]) {
        let held_at: BTreeMap<ServiceId, (usize, &ServiceRecord)> =
            held.iter().enumerate().map(|(at, service)| (service.id, (at, service))).collect();
        for (place, service) in wanted.iter().enumerate() {
            let old = held_at.get(&service.id);
            let same = old.is_some_and(|(_, old)| *old == service);
            if !same || old.is_some_and(|(at, _)| *at != place) {
                self.services.push((place, service.clone()));
            }
            self.note(format!("service {}", service.id), old.is_some(), same);
        }
        let named: BTreeSet<ServiceId> = wanted.iter().map(|s| s.id).collect();
        let left_out = held.iter().enumerate().filter(|(_, service)| !named.contains(&service.id));
        for (behind, (at, service)) in left_out.enumerate() {
            let place = wanted.len() + behind;
            let was_used = service.enabled || service.offers.iter().any(|o| o.enabled);
            if was_used {
                self.applied.disabled.push(format!("service {}", service.id));
            }
            if was_used || at != place {
                self.services.push((place, disabled(service)));
            }
        }
    }

    fn compare_accounts(
        &mut self,
        wanted: &[(AccountId, Currency, Decimal)],
        held: &[AccountRecord],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let held: BTreeMap<&AccountId, &AccountRecord> = held.iter().map(|a| (&a.id, a)).collect();
        for (id, currency, discount) in wanted {
            let old = held.get(id);
            if let Some(old) = old.filter(|old| old.currency != *currency) {
                let text = format!("account {id} is kept in {}: its currency cannot change", old.currency);
                return Err(StoreError::Refused(text));
            }
            let same = old.is_some_and(|old| old.discount_percent == *discount);
            if !same {
                let discount = discount.normalize().to_string();
                self.accounts.push(json!({
                    "id": id, "currency": currency, "discount_percent": discount, "enabled": true, "created_at": now,
                }));
            }
            self.note(format!("account {id}"), old.is_some(), same);
        }
        Ok(())
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

/// The service and all its offers, no longer used.
fn disabled(service: &ServiceRecord) -> ServiceRecord {
    let offers = service.offers.iter().map(|offer| OfferRecord { enabled: false, ..offer.clone() }).collect();
    ServiceRecord { enabled: false, offers, ..service.clone() }
}

#[cfg(test)]
mod tests {
    use interline_domain::{Micros, ServiceType};

    use super::*;
    use crate::SellPrice;

    fn service(id: i64) -> ServiceRecord {
        ServiceRecord {
            id: ServiceId(id),
            name: format!("Service {id}"),
            category: String::new(),
            service_type: ServiceType::Default,
            price: SellPrice::Rate(Micros::new(2_500_000)),
            min: 10,
            max: 100,
            refill: false,
            cancel: false,
            dripfeed: false,
            enabled: true,
            description: String::new(),
            offers: Vec::new(),
        }
    }

    /// What a file with these services writes over a list of those: (place, id, enabled).
    fn written(wanted: &[i64], held: &[ServiceRecord]) -> Vec<(usize, i64, bool)> {
        let desired = Desired { services: Some(wanted.iter().map(|id| service(*id)).collect()), ..Desired::default() };
        let held = CatalogueRows { services: held.to_vec(), ..CatalogueRows::default() };
        let found = Differences::find(&desired, &held, Timestamp::from_millis(0)).unwrap();
        found.services.iter().map(|(place, s)| (*place, s.id.0, s.enabled)).collect()
    }

    #[test]
    fn only_what_changes_or_moves_is_written() {
        let held: Vec<ServiceRecord> = [1, 2, 3].map(service).into();
        assert!(written(&[1, 2, 3], &held).is_empty());
        assert_eq!(written(&[1, 2, 3, 4], &held), [(3, 4, true)]);
        assert_eq!(written(&[1, 3, 2], &held), [(1, 3, true), (2, 2, true)]);
        assert_eq!(written(&[4, 1, 2, 3], &held), [(0, 4, true), (1, 1, true), (2, 2, true), (3, 3, true)]);
    }

    #[test]
    fn what_is_left_out_is_disabled_once_and_keeps_its_place_behind_the_rest() {
        let held: Vec<ServiceRecord> = [1, 2, 3].map(service).into();
        assert_eq!(written(&[2, 3], &held), [(0, 2, true), (1, 3, true), (2, 1, false)]);
        let after = [service(2), service(3), disabled(&service(1))];
        assert!(written(&[2, 3], &after).is_empty());
        // One more before it moves it, and only that.
        assert_eq!(written(&[2, 3, 4], &after), [(2, 4, true), (3, 1, false)]);
    }
}
