//! What background work stands on: upstreams' lists and what is due.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use interline_domain::{ServiceType, Timestamp, price::PriceModel};
use rust_decimal::Decimal;
use tokio::task::JoinSet;

use super::{NOW, Site, on_both, upstream_id};
use crate::{DueKind, DueRow, ListingRecord, Store};

const NONE: [&str; 0] = [];

/// Broken: a service that the upstream no longer lists goes on being routed to, one that came back stays out, or a list
/// that was read wipes another upstream's.
#[tokio::test]
async fn a_new_list_marks_what_is_gone() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let (alpha, beta) = (upstream_id("alpha"), upstream_id("beta"));
        let other = listing("beta", "1", "0.8");
        store.keep_listings(&beta, std::slice::from_ref(&other), NOW).await.unwrap();
        let (gone, dearer) = (listing("alpha", "1", "0.9"), listing("alpha", "2", "1.5"));
        store.keep_listings(&alpha, &[gone.clone(), dearer.clone()], NOW).await.unwrap();
        store.keep_fault(&alpha, DueKind::Catalogue, "HTTP 500").await.unwrap();
        let before = store.catalogue().await.unwrap();
        assert_eq!(before.listings, [gone.clone(), dearer.clone(), other.clone()]);
        let state = &before.upstreams[0].1;
        assert_eq!((state.catalogue_at, state.catalogue_fault.as_deref()), (Some(NOW), Some("HTTP 500")));

        let later = NOW.plus_ms(60_000);
        let (dearer, new) = (listing("alpha", "2", "1.75"), listing("alpha", "3", "2"));
        store.keep_listings(&alpha, &[new.clone(), dearer.clone()], later).await.unwrap();
        let after = store.catalogue().await.unwrap();
        let absent = ListingRecord { present: false, ..gone.clone() };
        assert_eq!(after.listings, [absent, dearer, new, other.clone()]);
        assert!(after.version > before.version, "no server would see it");
        let state = &after.upstreams[0].1;
        assert_eq!((state.catalogue_at, state.catalogue_fault.as_deref()), (Some(later), None));

        store.keep_listings(&alpha, std::slice::from_ref(&gone), later).await.unwrap();
        let present: Vec<ListingRecord> =
            store.catalogue().await.unwrap().listings.into_iter().filter(|l| l.present).collect();
        assert_eq!(present, [gone, other]);
    })
    .await;
}

/// Broken: an order is priced by half of what the upstream said, or a form of price or a change of one is lost on the way.
#[tokio::test]
async fn a_price_is_kept_as_it_was_read() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let alpha = upstream_id("alpha");
        let table = |from: u64, value: &str| -> BTreeMap<u64, Decimal> { [(from, value.parse().unwrap())].into() };
        let models = [
            PriceModel::PerThousand { rate: "0.90".parse().unwrap() },
            PriceModel::Flat { price: "2.5".parse().unwrap() },
            PriceModel::Stepped {
                tiers: [("1".to_owned(), table(10, "0.9")), ("30".to_owned(), table(u64::MAX, "0.000000000001"))]
                    .into(),
                tier_option: "periodAmount".to_owned(),
            },
            PriceModel::TimedUnits { price: "0.3".parse().unwrap(), count: 100, discounts: table(500, "12.5") },
            PriceModel::TimedTiers { prices: table(0, "135") },
        ];
        let names = |all: &[&str]| -> BTreeSet<String> { all.iter().map(|name| (*name).to_owned()).collect() };
        let mut listed: Vec<ListingRecord> = (1..)
            .zip(models)
            .map(|(number, model)| {
                let plain = listing("alpha", &number.to_string(), "90");
                ListingRecord {
                    price: Some(model),
                    changes: names(&["amount", "channel"]),
                    upgrades: names(&["ämount"]),
                    ..plain
                }
            })
            .collect();
        listed.push(listing("alpha", "6", "0.9"));
        store.keep_listings(&alpha, &listed, NOW).await.unwrap();
        assert_eq!(store.catalogue().await.unwrap().listings, listed);

        listed[0].price = None;
        listed[1].price = Some(PriceModel::TimedTiers { prices: table(1, "2.5") });
        listed[2].changes = names(&[]);
        listed[5].upgrades = names(&["amount"]);
        store.keep_listings(&alpha, &listed, NOW).await.unwrap();
        assert_eq!(store.catalogue().await.unwrap().listings, listed);
    })
    .await;
}

/// Broken: a list that is longer than what is read at a time is kept or read in part.
#[tokio::test]
async fn a_long_list_is_read_whole_piece_by_piece() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let all = |rate: &str| -> Vec<ListingRecord> {
            (0..2_500).map(|number| listing("alpha", &format!("{number:04}"), rate)).collect()
        };
        let (first, beta) = (all("0.9"), listing("beta", "0000", "1"));
        store.keep_listings(&upstream_id("beta"), std::slice::from_ref(&beta), NOW).await.unwrap();
        store.keep_listings(&upstream_id("alpha"), &first, NOW).await.unwrap();
        let held = store.catalogue().await.unwrap().listings;
        assert!(held[..2_500] == first && held[2_500..] == [beta.clone()], "{} are held", held.len());

        // Every other one is gone, and the rest is dearer.
        let second: Vec<ListingRecord> = all("1.1").into_iter().step_by(2).collect();
        store.keep_listings(&upstream_id("alpha"), &second, NOW).await.unwrap();
        let held = store.catalogue().await.unwrap().listings;
        assert_eq!((held.len(), held.last()), (2_501, Some(&beta)));
        let (present, gone): (Vec<_>, Vec<_>) = held[..2_500].iter().cloned().partition(|listing| listing.present);
        assert!(present == second && gone.iter().all(|listing| listing.rate == first[0].rate));
    })
    .await;
}

/// Broken: two workers ask for one order at the same time; or what a worker took before it died is never done.
#[tokio::test]
async fn what_is_taken_is_left_alone_until_its_lease_ends() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let elsewhere = DueRow { upstream: upstream_id("beta"), ..due("4", 100) };
        let otherwise = DueRow { kind: DueKind::Cancel, ..due("1", 100) };
        store.add_due(&[due("1", 100), due("2", 200), due("3", 300), elsewhere, otherwise]).await.unwrap();
        // What is on the list keeps its time.
        store.add_due(&[due("3", 1)]).await.unwrap();
        assert_eq!(next(&store).await, Some(at(100)));
        assert_eq!(take(&store, 99, 1_000, 10).await, NONE);
        assert_eq!(take(&store, 250, 1_000, 1).await, ["1"], "not the one that is overdue the longest");
        assert_eq!(take(&store, 250, 1_000, 10).await, ["2"]);
        assert_eq!(take(&store, 250, 1_000, 10).await, NONE);
        assert_eq!(next(&store).await, Some(at(300)));
        assert_eq!(take(&store, 999, 2_000, 10).await, ["3"]);
        assert_eq!(next(&store).await, Some(at(1_000)), "what is taken is due again when its lease ends");
        assert_eq!(take(&store, 1_000, 3_000, 10).await, ["1", "2"]);
    })
    .await;
}

/// Broken: work that was put off is done at once, or never, or its interval does not grow.
#[tokio::test]
async fn what_is_put_off_comes_back_at_its_time() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        store.add_due(&[due("1", 100)]).await.unwrap();
        assert_eq!(take(&store, 100, 9_000, 10).await, ["1"]);
        store.reschedule(DueKind::Status, "1", at(500), 60).await.unwrap();
        assert_eq!(next(&store).await, Some(at(500)), "it is still leased");
        assert_eq!(take(&store, 499, 9_000, 10).await, NONE);
        let again = store.take_due(DueKind::Status, &upstream_id("alpha"), at(500), at(9_000), 10).await.unwrap();
        let [row] = again.as_slice() else { panic!("{again:?}") };
        assert_eq!((row.due_at, row.interval_ms, row.lease_until), (at(9_000), 60, at(9_000)));
        // What is not on the list is not put on it.
        store.reschedule(DueKind::Cancel, "1", at(500), 60).await.unwrap();
        assert!(store.next_due().await.unwrap().iter().all(|(kind, ..)| *kind == DueKind::Status));
    })
    .await;
}

/// Broken: nodes that share a list do the same work.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_divide_what_is_due() {
    on_both(async |site: &Site| {
        let stores = [Arc::new(site.open().await), Arc::new(site.open().await)];
        let all: Vec<DueRow> = (0..40).map(|n| due(&format!("{n:02}"), n)).collect();
        stores[0].add_due(&all).await.unwrap();
        let mut workers = JoinSet::new();
        for n in 0..10_usize {
            let store = Arc::clone(&stores[n % 2]);
            workers.spawn(async move { take(&store, 1_000, 9_000, 5).await });
        }
        let mut taken = workers.join_all().await.concat();
        // One that is locked by another is left out, so that some may remain.
        taken.extend(take(&stores[0], 1_000, 9_000, 40).await);
        taken.sort();
        let subjects: Vec<String> = all.into_iter().map(|row| row.subject).collect();
        assert_eq!(taken, subjects);
    })
    .await;
}

/// Takes what is due at `alpha`; its subjects in their order.
async fn take(store: &Store, now: i64, lease_until: i64, limit: i64) -> Vec<String> {
    let taken = store.take_due(DueKind::Status, &upstream_id("alpha"), at(now), at(lease_until), limit).await.unwrap();
    let mut subjects: Vec<String> = taken.into_iter().map(|row| row.subject).collect();
    subjects.sort();
    subjects
}

/// When something is due next at `alpha`.
async fn next(store: &Store) -> Option<Timestamp> {
    let all = store.next_due().await.unwrap();
    all.into_iter()
        .find(|(kind, id, _)| *kind == DueKind::Status && *id == upstream_id("alpha"))
        .map(|(.., first)| first)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn due(subject: &str, due_at: i64) -> DueRow {
    DueRow {
        kind: DueKind::Status,
        subject: subject.to_owned(),
        upstream: upstream_id("alpha"),
        due_at: at(due_at),
        interval_ms: 30,
        lease_until: at(0),
    }
}

fn listing(upstream: &str, service: &str, rate: &str) -> ListingRecord {
    ListingRecord {
        upstream: upstream_id(upstream),
        service: service.to_owned(),
        name: "Followers".to_owned(),
        category: "Social".to_owned(),
        service_type: Some(ServiceType::Default),
        rate: rate.parse().unwrap(),
        price: None,
        min: 10,
        max: 100_000,
        refill: Some(true),
        cancel: None,
        dripfeed: Some(false),
        changes: BTreeSet::new(),
        upgrades: BTreeSet::new(),
        present: true,
    }
}
