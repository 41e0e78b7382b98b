//! Grouped writing: many operations in one commit, none of which harms another.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use interline_domain::Micros;

use super::{
    Site, assert_sound, at_once, money, number, on_both,
    operations::{Placed, deposit, place},
    wallet,
};
use crate::{
    Lane, StoreError,
    writer::{LOSE_AFTER, LOSE_BEFORE},
};

/// Broken: members of a group do not see each other's charges and the wallet is overdrawn, or a charge that fits is
/// refused; or every operation is a commit of its own and the gateway is slow.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_pays_for_exactly_what_is_in_it() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        store.writer().run(Lane::Customer, deposit("321", "r")).await.unwrap();
        let orders = (0..500).map(|_| (store.writer().clone(), place("1"))).collect();
        let placed: Vec<Placed> = at_once(orders).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(placed.iter().filter_map(Placed::new_order).count(), 321);
        assert_eq!(placed.iter().filter(|p| **p == Placed::Refused).count(), 500 - 321);
        assert_eq!(number(&store, "SELECT COUNT(*) AS n FROM orders").await, 321);
        assert_eq!(wallet(&store).await, Micros::ZERO);
        assert_sound(&store).await;
        // Every commit that books anything has one first.
        let commits = placed.iter().filter(|p| matches!(p, Placed::New { leads: true, .. })).count();
        assert!(commits < 321 / 4, "{commits} commits for 321 orders");
    })
    .await;
}

/// Broken: one operation that the database refuses takes down the customers' operations that wait beside it, or is
/// answered as if it were booked.
#[tokio::test]
async fn a_bad_operation_fails_alone() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        assert!(store.writer().run(Lane::Customer, deposit("1", "twice")).await.unwrap());
        let decided = Arc::new(AtomicU32::new(0));
        let mut group: Vec<_> = (0..20).map(|n| deposit("1", &format!("good-{n}")).counted_in(&decided)).collect();
        group.insert(10, deposit("1", "twice").forgetful());
        let replies = at_once(group.into_iter().map(|book| (store.writer().clone(), book)).collect()).await;
        assert_eq!(replies.iter().filter(|reply| matches!(reply, Ok(true))).count(), 20, "{replies:?}");
        let failed: Vec<&StoreError> = replies.iter().filter_map(|reply| reply.as_ref().err()).collect();
        assert!(matches!(failed.as_slice(), [StoreError::Sql(_)]), "{failed:?}");
        // The good ones were done again, so they did stand in a group with the bad one.
        assert!(decided.load(Ordering::Relaxed) > 20);
        assert_eq!(wallet(&store).await, money("21"));
        assert_sound(&store).await;
    })
    .await;
}

/// Broken: a customer is told of an order that is not in the database, or an order is in it whose customer was refused.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_what_the_next_process_finds() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        store.writer().run(Lane::Customer, deposit("1", "r")).await.unwrap();
        let placed = store.writer().run(Lane::Background, place("1")).await.unwrap();
        let refused = store.writer().run(Lane::Background, place("1")).await.unwrap();
        store.close().await;
        let next = site.open().await;
        let order = next.order(placed.new_order().unwrap()).await.unwrap().unwrap();
        assert_eq!((order.charge, order.ended_at), (money("1"), None));
        assert_eq!(next.timeline(order.id).await.unwrap().len(), 1);
        assert_eq!(refused, Placed::Refused);
        assert_eq!(number(&next, "SELECT COUNT(*) AS n FROM orders").await, 1);
        assert_eq!(wallet(&next).await, Micros::ZERO);
    })
    .await;
}

/// Broken: a commit whose acknowledgement got lost is taken for a failure, and the customer orders again; or one that
/// never happened is taken for done, and the order is lost. Seen to fail with `read_back` answering either without looking.
#[tokio::test]
async fn a_commit_without_an_acknowledgement_is_read_back() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        store.writer().lose.store(LOSE_AFTER, Ordering::Relaxed);
        assert!(store.writer().run(Lane::Customer, deposit("5", "kept")).await.unwrap());
        assert_eq!(wallet(&store).await, money("5"));
        store.writer().lose.store(LOSE_BEFORE, Ordering::Relaxed);
        let lost = store.writer().run(Lane::Customer, deposit("7", "lost")).await;
        assert!(matches!(lost, Err(StoreError::Sql(_))), "{lost:?}");
        assert_eq!(wallet(&store).await, money("5"));
        assert!(store.writer().run(Lane::Customer, deposit("7", "lost")).await.unwrap(), "it was never booked");
        assert_sound(&store).await;
    })
    .await;
}
