//! A change of the services, however large: seen as a whole or not at all, one at a time, and nothing of it stays behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use interline_domain::{ServiceId, ServiceType};

use super::{NOW, Site, money, number, on_both, upstream_id};
use crate::{
    Desired, Import, ListingRecord, OfferRecord, SellPrice, ServiceRecord, Store, StoreError, staging::Staging,
};

/// Services in a list; with their offers far more rows than one transaction may write.
const MANY: i64 = 700;

/// Broken: while a large file is applied, a server sells a part of the new list, or of both.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_change_is_seen_as_a_whole() {
    on_both(async |site: &Site| {
        let (store, reader) = (site.stocked().await, Arc::new(site.open().await));
        store.apply(&file("first"), false, NOW).await.unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let (watched, over) = (Arc::clone(&reader), Arc::clone(&done));
        let watching = tokio::spawn(async move {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                seen.insert(list(&watched).await);
            }
            seen
        });
        store.apply(&file("second"), false, NOW).await.unwrap();
        done.store(true, Ordering::Relaxed);
        let seen = watching.await.unwrap();
        assert!(seen.is_subset(&BTreeSet::from(["first".to_owned(), "second".to_owned()])), "{seen:?}");
        assert_eq!(list(&reader).await, "second");
        assert_tidy(&store).await;
    })
    .await;
}

/// Broken: what a process staged before it was killed is sold, stays for ever, or keeps everybody out.
#[tokio::test]
async fn a_change_that_died_leaves_nothing() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        store.apply(&file("first"), false, NOW).await.unwrap();
        let dead = Staging::begin(&store.db, NOW).await.unwrap();
        dead.stage(&placed("dead")).await.unwrap();
        drop(dead);
        assert_eq!(list(&store).await, "first");
        // Its lease is over by then.
        let later = NOW.plus_ms(60_000);
        store.apply(&file("second"), false, later).await.unwrap();
        assert_eq!(list(&store).await, "second");
        assert_tidy(&store).await;
    })
    .await;
}

/// Broken: a process that was asleep for longer than its lease goes on with its change beside another one's.
#[tokio::test]
async fn a_change_that_was_taken_over_changes_nothing() {
    on_both(async |site: &Site| {
        let (slow, quick) = (site.stocked().await, site.open().await);
        let asleep = Staging::begin(&slow.db, NOW).await.unwrap();
        asleep.stage(&placed("slow")).await.unwrap();
        quick.apply(&file("quick"), false, NOW.plus_ms(60_000)).await.unwrap();
        let refused = asleep.stage(&placed("slow")).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        assert!(matches!(asleep.transaction().await, Err(StoreError::Refused(_))));
        assert!(matches!(asleep.finish(Ok(())).await, Ok(())));
        assert_eq!(list(&quick).await, "quick");
        assert_tidy(&quick).await;
    })
    .await;
}

/// Broken: two files that are applied at the same time become a mixture of both.
#[tokio::test(flavor = "multi_thread")]
async fn two_changes_come_one_after_the_other() {
    on_both(async |site: &Site| {
        let stores = [Arc::new(site.stocked().await), Arc::new(site.open().await)];
        let [one, other] = ["one", "other"].map(file);
        let (first, second) = tokio::join!(stores[0].apply(&one, false, NOW), stores[1].apply(&other, false, NOW));
        let (first, second) = (first.unwrap(), second.unwrap());
        let many = usize::try_from(MANY).unwrap();
        assert_eq!(first.created.len() + second.created.len(), many, "the later one finds what the earlier one made");
        assert_eq!(first.updated.len() + second.updated.len(), many);
        let last = if first.updated.is_empty() { "other" } else { "one" };
        assert_eq!(list(&stores[0]).await, last);
        assert_tidy(&stores[1]).await;
    })
    .await;
}

/// Broken: an import sells what it made, makes it twice, or moves what was there.
#[tokio::test]
async fn an_import_adds_what_is_new_behind_the_rest() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let listed: Vec<ListingRecord> = (1..=MANY).map(listing).collect();
        store.keep_listings(&upstream_id("alpha"), &listed, NOW).await.unwrap();
        let kept = store.catalogue().await.unwrap().listings;
        assert_eq!(kept.len(), listed.len(), "a long list is kept whole");
        store
            .apply(&Desired { services: Some(vec![service(50, "kept")]), ..Desired::default() }, false, NOW)
            .await
            .unwrap();
        let import = Import {
            upstream: upstream_id("alpha"),
            matching: String::new(),
            markup_percent: 30.into(),
            params: BTreeMap::new(),
        };
        let (version, _) = store.versions().await.unwrap();
        let imported = store.import(&import, NOW).await.unwrap();
        // Two of them are offered by service 50.
        assert_eq!((imported.created.len(), imported.offered), (listed.len() - 2, 2));
        assert!(store.versions().await.unwrap().0 > version, "no server would see it");
        let services = store.services().await.unwrap();
        assert_eq!((services.len(), services[0].clone()), (listed.len() - 1, service(50, "kept")));
        assert!(services[1..].iter().zip(51..).all(|(s, id)| s.id == ServiceId(id) && !s.enabled));
        let again = store.import(&import, NOW).await.unwrap();
        assert_eq!((again.created.len(), again.offered), (0, listed.len()));
        assert_eq!(store.services().await.unwrap(), services);
        assert_tidy(&store).await;
    })
    .await;
}

/// The one name that every service has; the whole list must be there.
async fn list(store: &Store) -> String {
    let services = store.services().await.unwrap();
    let names: BTreeSet<&str> = services.iter().map(|service| service.name.as_str()).collect();
    let offers: usize = services.iter().map(|service| service.offers.len()).sum();
    let mut names = names.into_iter();
    let (name, other) = (names.next().unwrap_or_default(), names.next());
    let many = usize::try_from(MANY).unwrap();
    assert_eq!((services.len(), offers, other), (many, 2 * many, None), "{name}");
    name.to_owned()
}

/// There is a row for everything that counts and for nothing else, and nobody holds the lease.
async fn assert_tidy(store: &Store) {
    let services = store.services().await.unwrap();
    let offers: usize = services.iter().map(|service| service.offers.len()).sum();
    let held = [services.len(), offers, 0].map(|count| i64::try_from(count).unwrap());
    let rows = [
        number(store, "SELECT COUNT(*) AS n FROM services").await,
        number(store, "SELECT COUNT(*) AS n FROM offers").await,
        number(store, "SELECT COUNT(*) AS n FROM leases").await,
    ];
    assert_eq!(rows, held);
}

fn file(name: &str) -> Desired {
    let services = placed(name).into_iter().map(|(_, service)| service).collect();
    Desired { services: Some(services), ..Desired::default() }
}

fn placed(name: &str) -> Vec<(usize, ServiceRecord)> {
    (1..=MANY).map(|id| service(id, name)).enumerate().collect()
}

/// A service with two offers.
fn service(id: i64, name: &str) -> ServiceRecord {
    let offer = |service: &str| OfferRecord {
        upstream: upstream_id("alpha"),
        service: service.to_owned(),
        enabled: true,
        params: BTreeMap::new(),
    };
    ServiceRecord {
        id: ServiceId(id),
        name: name.to_owned(),
        category: String::new(),
        service_type: ServiceType::Default,
        price: SellPrice::Rate(money("2.5")),
        min: 10,
        max: 100_000,
        refill: false,
        cancel: false,
        dripfeed: false,
        enabled: true,
        description: String::new(),
        offers: vec![offer("1"), offer("2")],
    }
}

fn listing(number: i64) -> ListingRecord {
    ListingRecord {
        upstream: upstream_id("alpha"),
        service: number.to_string(),
        name: format!("Listed {number}"),
        category: "Placements".to_owned(),
        service_type: Some(ServiceType::Default),
        rate: "0.9".parse().unwrap(),
        price: None,
        min: 10,
        max: 5_000,
        refill: None,
        cancel: None,
        dripfeed: None,
        changes: BTreeSet::new(),
        upgrades: BTreeSet::new(),
        present: true,
    }
}
