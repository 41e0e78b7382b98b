//! What push feeds stand on: one of them for an upstream, and looks that come sooner.

use interline_domain::{AttemptState, Timestamp};

use super::{
    NOW, Site, on_both,
    operations::{attempt, deposit, place},
    upstream_id,
};
use crate::{DueKind, DueRow, Engine, Lane, NextLook, Store};

/// Broken: two nodes take an upstream's sockets from each other, or a node that died keeps its feed from the others.
#[tokio::test]
async fn a_lease_is_held_by_one() {
    on_both(async |site: &Site| {
        let stores = [site.open().await, site.open().await];
        let take = async |node: usize, name: &str, now: i64| {
            let owner = ["here", "there"][node];
            stores[node].hold_lease(name, owner, at(now), at(now + 100)).await.unwrap()
        };
        assert!(take(0, "feed:alpha", 0).await);
        assert!(take(0, "feed:alpha", 50).await, "it is kept by whoever has it");
        assert!(take(1, "feed:beta", 50).await, "another lease");
        // On SQLite only one process serves, and whoever held a lease before it is gone.
        assert_eq!(take(1, "feed:alpha", 149).await, site.engine == Engine::Sqlite);
        assert!(take(1, "feed:alpha", 250).await, "it had run out");
        stores[1].give_up_leases("there").await.unwrap();
        assert!(take(0, "feed:alpha", 251).await && take(0, "feed:beta", 251).await, "they were given up");
    })
    .await;
}

/// Broken: news of one upstream's order moves another upstream's, a read that is under way is done twice, or news make
/// an order wait for longer.
#[tokio::test]
async fn news_make_looks_due_now_and_no_others() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let subjects = placed(&store, &["77", "78", "79"]).await;
        let names = ["77", "78", "79", "80"].map(str::to_owned);
        let unseen = store.next_looks(&upstream_id("alpha"), &names).await.unwrap();
        assert_eq!(unseen.len(), 3, "an order that is not ours was found: {unseen:?}");
        assert!(unseen.iter().all(|look| (look.due_at, look.lease_until) == (None, None)), "{unseen:?}");
        assert_eq!(store.next_looks(&upstream_id("beta"), &names).await.unwrap(), []);

        let rows = [due(&subjects[0], 500), due(&subjects[1], 900), due(&subjects[2], 100)];
        store.add_due(&rows).await.unwrap();
        assert_eq!(taken(&store, 100, 1).await, [subjects[2].clone()]);
        let mut looks = store.next_looks(&upstream_id("alpha"), &names).await.unwrap();
        looks.sort_by(|a, b| a.upstream_order.cmp(&b.upstream_order));
        let expected = NextLook {
            upstream_order: "78".to_owned(),
            subject: subjects[1].clone(),
            due_at: Some(at(900)),
            lease_until: Some(Timestamp::from_millis(0)),
        };
        assert_eq!(looks[1], expected);
        assert_eq!(looks[2].lease_until, Some(at(LEASE)));

        let all: Vec<&str> = subjects.iter().map(String::as_str).chain(["no attempt"]).collect();
        assert_eq!(store.look_now(&all, at(600)).await.unwrap(), 1, "one was due, and one is being looked at");
        assert_eq!(store.look_now(&[], at(600)).await.unwrap(), 0);
        let mut first_two = subjects[..2].to_vec();
        first_two.sort();
        assert_eq!(taken(&store, 600, 10).await, first_two);
    })
    .await;
}

/// Broken: what happened while a feed was away is seen late, a long list is asked for in one burst, or it is asked for
/// again and again.
#[tokio::test]
async fn after_a_gap_everything_is_looked_at_once_and_in_turn() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let elsewhere = DueRow { upstream: upstream_id("beta"), ..due("e", 9_000) };
        let otherwise = DueRow { kind: DueKind::Cancel, ..due("c", 9_000) };
        let ours = [("a", 5_000), ("b", 6_000), ("c", 7_000), ("d", 1_005), ("f", 900)].map(|(s, ms)| due(s, ms));
        store.add_due(&[elsewhere, otherwise]).await.unwrap();
        store.add_due(&ours).await.unwrap();
        assert_eq!(taken(&store, 900, 1).await, ["f"], "it is being looked at");
        let alpha = upstream_id("alpha");
        // In turn, two at once: `d` and `a` now, `b` and `c` ten milliseconds later.
        assert_eq!(store.look_at_all(&alpha, at(1_000), 2, 10).await.unwrap(), 4);
        assert_eq!(taken(&store, 1_000, 10).await, ["a", "d"]);
        assert_eq!(taken(&store, 1_009, 10).await, [""; 0]);
        assert_eq!(taken(&store, 1_010, 10).await, ["b", "c"]);
        // They were looked at, and are looked at again after their interval.
        for subject in ["a", "b", "c", "d"] {
            store.reschedule(DueKind::Status, subject, at(4_020), 3_000).await.unwrap();
        }
        assert_eq!(store.look_at_all(&alpha, at(1_000), 2, 10).await.unwrap(), 0, "asked for again");
        assert_eq!(store.look_at_all(&alpha, at(1_500), 100, 10).await.unwrap(), 4, "after the next gap");
        assert_eq!(taken(&store, 1_500, 10).await, ["a", "b", "c", "d"]);
    })
    .await;
}

/// Until when the suite's worker has what it took.
const LEASE: i64 = 100_000;

/// Orders that run at `alpha` under these ids; their attempts as what is due names them.
async fn placed(store: &Store, held: &[&'static str]) -> Vec<String> {
    assert!(store.writer().run(Lane::Customer, deposit("100", "r")).await.unwrap());
    let mut subjects = Vec::new();
    for id in held {
        let order = place("1").with(attempt("alpha", AttemptState::Accepted).held_as(id));
        assert!(store.writer().run(Lane::Customer, order).await.unwrap().new_order().is_some());
        let looks = store.next_looks(&upstream_id("alpha"), &[(*id).to_owned()]).await.unwrap();
        subjects.push(looks[0].subject.clone());
    }
    subjects
}

/// Takes what is due at `alpha`; its subjects in their order.
async fn taken(store: &Store, now: i64, limit: i64) -> Vec<String> {
    let rows = store.take_due(DueKind::Status, &upstream_id("alpha"), at(now), at(LEASE), limit).await.unwrap();
    let mut subjects: Vec<String> = rows.into_iter().map(|row| row.subject).collect();
    subjects.sort();
    subjects
}

fn at(millis: i64) -> Timestamp {
    NOW.plus_ms(millis)
}

fn due(subject: &str, due_at: i64) -> DueRow {
    DueRow {
        kind: DueKind::Status,
        subject: subject.to_owned(),
        upstream: upstream_id("alpha"),
        due_at: at(due_at),
        interval_ms: 30_000,
        lease_until: Timestamp::from_millis(0),
    }
}
