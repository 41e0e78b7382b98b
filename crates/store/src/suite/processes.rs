//! Two processes on one database do not get in each other's way: what happens once happens once.

use std::collections::BTreeSet;

use interline_domain::OrderId;

use super::{
    NOW, Site, assert_sound, at_once, money, number, on_both,
    operations::{Placed, WINDOW_MS, deposit, place},
    wallet,
};
use crate::Lane;

/// Broken: a payment that is announced twice at the same time is credited twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_one_deposit_whoever_books_it() {
    on_both(async |site: &Site| {
        let stores = [site.stocked().await, site.open().await];
        let twins = (0..40_usize).map(|n| (stores[n % 2].writer().clone(), deposit("5", "bank-77"))).collect();
        let replies = at_once(twins).await;
        let booked = replies.iter().filter(|reply| matches!(reply, Ok(true))).count();
        let known = replies.iter().filter(|reply| matches!(reply, Ok(false))).count();
        assert_eq!((booked, known), (1, 39), "{replies:?}");
        assert_eq!(wallet(&stores[0]).await, money("5"));
        assert_eq!(wallet(&stores[1]).await, money("5"));
        assert_sound(&stores[0]).await;
    })
    .await;
}

/// Broken: a panel that sends an order again through another node pays for it twice and has it delivered twice; or an
/// order that is meant again, after the window, is never placed.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_sent_again_is_the_same_order() {
    on_both(async |site: &Site| {
        let stores = [site.stocked().await, site.open().await];
        stores[0].writer().run(Lane::Customer, deposit("100", "r")).await.unwrap();
        let twins = (0..40_usize).map(|n| (stores[n % 2].writer().clone(), place("1").once("print"))).collect();
        let placed: Vec<Placed> = at_once(twins).await.into_iter().map(Result::unwrap).collect();
        let new: Vec<OrderId> = placed.iter().filter_map(Placed::new_order).collect();
        let [order] = *new.as_slice() else { panic!("{placed:?}") };
        assert_eq!(placed.iter().filter(|p| **p == Placed::Known(order)).count(), 39, "{placed:?}");
        assert_eq!(wallet(&stores[1]).await, money("99"));

        let end = NOW.plus_ms(WINDOW_MS);
        let just_before = place("1").once("print").at(end.plus_ms(-1));
        assert_eq!(stores[1].writer().run(Lane::Customer, just_before).await.unwrap(), Placed::Known(order));
        let after = stores[1].writer().run(Lane::Customer, place("1").once("print").at(end)).await.unwrap();
        let again = after.new_order().unwrap();
        let twin = stores[0].writer().run(Lane::Customer, place("1").once("print").at(end)).await.unwrap();
        assert_eq!(twin, Placed::Known(again));
        assert_eq!(number(&stores[0], "SELECT COUNT(*) AS n FROM orders").await, 2);
        assert_sound(&stores[0]).await;
    })
    .await;
}

/// Broken: two nodes give two orders one id, and the later one overwrites the earlier.
#[tokio::test(flavor = "multi_thread")]
async fn no_two_orders_have_one_id() {
    on_both(async |site: &Site| {
        let stores = [site.stocked().await, site.open().await];
        stores[0].writer().run(Lane::Customer, deposit("600", "r")).await.unwrap();
        let orders = (0..600_usize).map(|n| (stores[n % 2].writer().clone(), place("1"))).collect();
        let placed = at_once(orders).await;
        let ids: BTreeSet<OrderId> = placed.into_iter().filter_map(|reply| reply.unwrap().new_order()).collect();
        assert_eq!(ids.len(), 600);
        assert_eq!(number(&stores[0], "SELECT COUNT(*) AS n FROM orders").await, 600);
        assert_sound(&stores[1]).await;
    })
    .await;
}
