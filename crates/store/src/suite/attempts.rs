//! What the database itself refuses about attempts, whatever the code above it decides.

use interline_domain::AttemptState::{self, Queued};

use super::{
    Site, assert_sound, number, on_both,
    operations::{Place, Placed, attempt, deposit, place},
};
use crate::{Lane, Store, StoreError};

/// Broken: an order can be delivered twice, by two attempts that may both have been taken.
#[tokio::test]
async fn an_order_has_one_live_attempt() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        store.writer().run(Lane::Customer, deposit("100", "r")).await.unwrap();
        let mut placed = 0;
        for first in AttemptState::ALL {
            for second in AttemptState::ALL {
                let order = place("1").with(attempt("alpha", first)).with(attempt("beta", second));
                let reply = store.writer().run(Lane::Customer, order).await;
                if first.is_live() && second.is_live() {
                    assert!(matches!(reply, Err(StoreError::Sql(_))), "{first:?} and {second:?}: {reply:?}");
                } else {
                    assert!(matches!(reply, Ok(Placed::New { .. })), "{first:?} and {second:?}: {reply:?}");
                    placed += 1;
                }
            }
        }
        assert_eq!((placed, orders(&store).await), (48, 48));
        assert_sound(&store).await;
    })
    .await;
}

/// Broken: one order at an upstream is booked for two of ours, and one of them is never delivered.
#[tokio::test]
async fn an_upstreams_order_belongs_to_one_attempt() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let writer = store.writer();
        writer.run(Lane::Customer, deposit("100", "r")).await.unwrap();
        let held = |upstream, id| place("1").with(attempt(upstream, AttemptState::Accepted).held_as(id));
        assert!(matches!(writer.run(Lane::Customer, held("alpha", "77")).await, Ok(Placed::New { .. })));
        let twice = writer.run(Lane::Customer, held("alpha", "77")).await;
        assert!(matches!(twice, Err(StoreError::Sql(_))), "{twice:?}");
        // Another upstream counts on its own, and an attempt without an id is in nobody's way.
        for other in [held("beta", "77"), held("alpha", "78"), nameless(), nameless()] {
            assert!(matches!(writer.run(Lane::Customer, other).await, Ok(Placed::New { .. })));
        }
        assert_eq!(orders(&store).await, 5);
        assert_sound(&store).await;
    })
    .await;
}

fn nameless() -> Place {
    place("1").with(attempt("alpha", Queued))
}

async fn orders(store: &Store) -> i64 {
    number(store, "SELECT COUNT(*) AS n FROM orders").await
}
