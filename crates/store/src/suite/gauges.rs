//! What is counted while orders come in: right on both engines, and read without looking at every row.

use interline_domain::{AttemptState, OrderStatus, Timestamp};
use interline_ledger::Account;

use super::{
    NOW, Site, execute, money, number, on_both,
    operations::{End, attempt, deposit, place},
    upstream_id, usd,
};
use crate::{
    DueKind, DueRow, Engine, Lane, OpenCases, Queued, Store,
    db::q,
    gauges::{DUE, EARNED, ORDERS, VERDICTS},
};

/// Broken: whoever watches sees another number of orders, another margin or another queue than there is.
#[tokio::test]
async fn what_is_shown_is_what_there_is() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let writer = store.writer();
        assert!(writer.run(Lane::Customer, deposit("100", "r")).await.unwrap());
        let mut placed = Vec::new();
        for one in [
            place("1").with(attempt("alpha", AttemptState::Queued)),
            place("1").with(attempt("alpha", AttemptState::Unknown).reserving("0.5")),
            place("1"),
        ] {
            placed.push(writer.run(Lane::Customer, one).await.unwrap().new_order().unwrap());
        }
        assert!(writer.run(Lane::Customer, End { order: placed[2], remains: 400 }).await.unwrap());
        for (status, orders) in [(OrderStatus::Pending, 2), (OrderStatus::Partial, 1), (OrderStatus::Completed, 0)] {
            assert_eq!(store.count_orders(status).await.unwrap(), orders, "{status:?}");
        }
        let queued: Vec<_> = store.queued().await.unwrap().into_iter().collect();
        assert_eq!(queued, [(upstream_id("alpha"), Queued { count: 1, since: NOW })]);
        let unknown = OpenCases { kind: "unknown".to_owned(), currency: Some(usd()), count: 1, amount: money("0.5") };
        assert_eq!(store.open_cases().await.unwrap(), [unknown]);
        let earned = store.earned().await.unwrap();
        let [(account, amount)] = &earned[..] else { panic!("{earned:?}") };
        assert_eq!((&account.account, account.currency, *amount), (&Account::Sales, usd(), money("-0.6")));
    })
    .await;
}

/// Broken: work that nobody will ever do rings the bell, or work that is late does not.
#[tokio::test]
async fn what_is_due_is_counted_but_not_for_disabled_upstreams() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let rows = [
            due(DueKind::Status, "1", "alpha", 100),
            due(DueKind::Status, "2", "beta", 200),
            due(DueKind::Status, "3", "beta", 900),
            due(DueKind::Balance, "alpha", "alpha", 300),
            due(DueKind::Balance, "beta", "beta", 100),
        ];
        store.add_due(&rows).await.unwrap();
        assert_eq!(counted(&store, DueKind::Balance).await, (2, Some(at(100))));
        assert_eq!(execute(&store, "UPDATE upstreams SET enabled = FALSE WHERE id = 'beta'").await.unwrap(), 1);
        assert_eq!(counted(&store, DueKind::Balance).await, (1, Some(at(300))));
        // Orders that run there are followed all the same.
        assert_eq!(counted(&store, DueKind::Status).await, (2, Some(at(100))));
        assert_eq!(counted(&store, DueKind::Cancel).await, (0, None));
    })
    .await;
}

/// Broken: the doctor blames an upstream for what it did yesterday, or for what was never sent.
#[tokio::test]
async fn the_last_verdicts_are_timed() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let writer = store.writer();
        assert!(writer.run(Lane::Customer, deposit("100", "r")).await.unwrap());
        for (ms, state) in [(0, AttemptState::Unknown), (10, AttemptState::Unknown), (20, AttemptState::Queued)] {
            let order = place("1").at(NOW.plus_ms(ms)).with(attempt("alpha", state));
            writer.run(Lane::Customer, order).await.unwrap();
        }
        let decided = "UPDATE attempts SET decided_at = queued_at + 240 WHERE state = 'unknown'";
        assert_eq!(execute(&store, decided).await.unwrap(), 2);
        let times = async |since: i64, limit| {
            store.verdict_times(&upstream_id("alpha"), NOW.plus_ms(since), limit).await.unwrap()
        };
        assert_eq!(times(0, 10).await, [240, 240]);
        assert_eq!(times(5, 10).await, [240]);
        assert_eq!(times(0, 1).await, [240]);
        assert!(store.verdict_times(&upstream_id("beta"), NOW, 10).await.unwrap().is_empty());
    })
    .await;
}

/// Broken: the doctor measures commits that write nothing, and calls a worn-out disk fast.
#[tokio::test]
async fn a_commit_that_is_timed_writes() {
    on_both(async |site: &Site| {
        let store = site.open().await;
        let query = "SELECT value AS n FROM counters WHERE name = 'rows'";
        let before = number(&store, query).await;
        assert_eq!(store.time_commits(3).await.unwrap().len(), 3);
        assert_eq!(number(&store, query).await, before + 3);
    })
    .await;
}

/// Broken: with a million orders every look at the numbers takes seconds. Postgres decides anew with its own statistics.
#[tokio::test]
async fn what_is_shown_is_read_from_indexes() {
    let site = Box::pin(Site::new(Engine::Sqlite)).await;
    let store = site.open().await;
    let queued = "SELECT upstream, MIN(not_before) AS first FROM attempts WHERE state = 'queued' GROUP BY upstream";
    for (statement, index) in [
        (ORDERS, "COVERING INDEX orders_status (status=?)"),
        (EARNED, "COVERING INDEX entries_earned (account>? AND account<?)"),
        (DUE, "COVERING INDEX due_when (kind=? AND upstream=? AND due_at<?)"),
        (VERDICTS, "INDEX attempts_recent (upstream=? AND queued_at>?)"),
        (queued, "INDEX attempts_queued_by_upstream"),
    ] {
        let rows = q(&format!("EXPLAIN QUERY PLAN {statement}")).all(&*store.db).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail").unwrap()).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{statement}: {plan:?}");
    }
}

fn due(kind: DueKind, subject: &str, upstream: &str, ms: i64) -> DueRow {
    let (subject, upstream) = (subject.to_owned(), upstream_id(upstream));
    DueRow { kind, subject, upstream, due_at: at(ms), interval_ms: 50, lease_until: Timestamp::from_millis(0) }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// What is due at 500.
async fn counted(store: &Store, kind: DueKind) -> (i64, Option<Timestamp>) {
    let due = store.due(kind, at(500)).await.unwrap();
    (due.count, due.first)
}
