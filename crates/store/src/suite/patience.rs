//! What customers and operators are told while the database hangs, is full, or may not be written.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use super::{NOW, Site, ask, assert_sound, execute, money, number, on_both, operations::deposit, wallet};
use crate::{
    Engine, Lane, Store, StoreError,
    db::{Tx, q},
    queue::PATIENCE,
    writer::GATHER_TWO,
};

/// What a busy machine adds to a wait.
const SLACK: Duration = Duration::from_secs(2);

/// Holds what every group needs, as another process may.
async fn hold(store: &Store) -> Tx {
    let mut tx = store.db.begin().await.unwrap();
    // On SQLite a transaction that will write is the lock.
    if store.engine() == Engine::Postgres {
        q("LOCK TABLE balances IN ACCESS EXCLUSIVE MODE").run(&mut tx).await.unwrap();
    }
    tx
}

/// Broken: a customer waits for as long as the database hangs; or he is told that nothing was done, and it is done later.
#[tokio::test]
async fn what_was_given_up_is_not_done_later() {
    on_both(async |site: &Site| {
        let (store, other) = (site.stocked().await, site.open().await);
        let writer = store.writer();
        assert!(writer.run(Lane::Customer, deposit("1", "before")).await.unwrap());
        let held = hold(&other).await;

        let decided = Arc::new(AtomicU32::new(0));
        writer.lose.store(GATHER_TWO, Ordering::Relaxed);
        let (of_verdict, verdict) = (writer.clone(), deposit("10", "verdict").counted_in(&decided));
        let verdict = tokio::spawn(async move { of_verdict.run(Lane::Urgent, verdict).await });
        let begun = Instant::now();
        let given_up = writer.run(Lane::Customer, deposit("100", "given-up")).await;
        assert!(matches!(given_up, Err(StoreError::Busy)), "{given_up:?}");
        assert!((PATIENCE..PATIENCE + SLACK).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        let begun = Instant::now();
        let sent_away = writer.run(Lane::Customer, deposit("1000", "sent-away")).await;
        assert!(matches!(sent_away, Err(StoreError::Busy)), "{sent_away:?}");
        assert!(begun.elapsed() < SLACK, "it waited behind a group that hangs: {:?}", begun.elapsed());

        held.rollback().await.unwrap();
        assert!(verdict.await.unwrap().unwrap(), "what must not be lost waits");
        assert!(decided.load(Ordering::Relaxed) > 1, "it did not stand in one group with what was given up");
        assert!(writer.run(Lane::Customer, deposit("10000", "after")).await.unwrap());
        assert_eq!(wallet(&store).await, money("10011"));
        assert_sound(&store).await;
    })
    .await;
}

/// Broken: the disk is full or the database may only be read, and the log speaks of error 13; or each of many operations
/// is tried by itself meanwhile. A file system that is full, or a file that even root may not write, is not to be had in
/// a test; SQLite raises the very same errors by bounds of its own.
#[tokio::test]
async fn what_keeps_a_database_from_being_written_is_named() {
    let site = Box::pin(Site::new(Engine::Sqlite)).await;
    let store = site.stocked().await;
    execute(&store, "PRAGMA query_only = ON").await.unwrap();
    let refused = store.writer().run(Lane::Customer, deposit("1", "read-only")).await.unwrap_err();
    assert!(refused.to_string().contains("can be read but not written") && refused.is_away(), "{refused}");
    execute(&store, "PRAGMA query_only = OFF").await.unwrap();

    let pages = number(&store, "SELECT page_count AS n FROM pragma_page_count").await;
    execute(&store, &format!("PRAGMA max_page_count = {pages}")).await.unwrap();
    let mut booked = 0;
    let refused = loop {
        match store.writer().run(Lane::Customer, deposit("1", &format!("full-{booked}"))).await {
            Ok(done) => assert!(done && booked < 10_000, "it never filled up"),
            Err(error) => break error,
        }
        booked += 1;
    };
    assert!(refused.to_string().contains("disk of the database is full") && refused.is_away(), "{refused}");
    execute(&store, "PRAGMA max_page_count = 1073741823").await.unwrap();
    assert!(store.writer().run(Lane::Customer, deposit("1", "room again")).await.unwrap());
    assert_eq!(wallet(&store).await, money(&(booked + 1).to_string()));
    assert_sound(&store).await;
}

/// Broken: whoever names a folder that is not there, or a server that only reads, is not told what is wrong.
#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_with_advice() {
    on_both(async |site: &Site| {
        drop(site.open().await);
        let opened = async |url: &str| Box::pin(Store::open(url, site.master_key.clone(), NOW)).await.err();
        let Some((folder, name)) = site.url.rsplit_once('/') else { panic!("{}", site.url) };
        if site.engine == Engine::Sqlite {
            for url in [folder.to_owned(), format!("{folder}/nowhere/interline.db")] {
                let refused = opened(&url).await.unwrap().to_string();
                assert!(refused.contains("must name a file in a folder that exists"), "{url}: {refused}");
            }
            return;
        }
        ask(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
        let refused = opened(&site.url).await.unwrap().to_string();
        assert!(refused.contains("name the server that takes writes"), "{refused}");
    })
    .await;
}
