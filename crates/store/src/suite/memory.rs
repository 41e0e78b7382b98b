//! What is answered from memory is what the database holds, and never goes back.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use interline_domain::{Micros, OrderId, OrderStatus};
use interline_ledger::LedgerAccount;
use tokio::task::JoinSet;

use super::{
    NOW, Site, assert_sound, customer, money, on_both,
    operations::{End, deposit, place},
    wallet,
};
use crate::{
    AccountRecord, Engine, Lane, Needs, Operation, StatusView, Store, Work,
    db::Db,
    order_tags,
    writer::{LOSE_AFTER, LOSE_BEFORE},
};

/// Changes by the server, and half as many by another process.
const CHANGES: i64 = 120;
const READERS: usize = 8;

/// Counts an order on; its reply is how far.
struct Step(OrderId);

impl Operation for Step {
    type Reply = i64;

    fn needs(&self, needs: &mut Needs) {
        needs.orders.insert(self.0);
    }

    fn accounts(&self, _work: &Work, _accounts: &mut BTreeSet<LedgerAccount>) {}

    fn decide(&self, work: &mut Work) -> i64 {
        let Some(order) = work.order_mut(self.0) else { return 0 };
        let next = order.start_count.unwrap_or(0) + 1;
        order.start_count = Some(next);
        let tags = order_tags(order);
        work.event(&tags, NOW, "counted", next.to_string(), None);
        next
    }
}

/// The server, what customers ask it, and the least that everybody must be told from now on.
struct World {
    store: Store,
    account: AccountRecord,
    order: OrderId,
    counted: AtomicI64,
    balance: AtomicI64,
    ends: AtomicBool,
}

impl World {
    /// A server that has the file for itself, with an order and with 100 in the wallet.
    async fn new(site: &Site) -> Self {
        let store = site.stocked().await;
        // The lock lasts as long as the process that took it, and nobody else wants it here.
        drop(store.lock_for_serving().unwrap());
        store.writer().run(Lane::Customer, deposit("101", "start")).await.unwrap();
        let order = store.writer().run(Lane::Customer, place("1")).await.unwrap().new_order().unwrap();
        let account = store.accounts().await.unwrap().into_iter().find(|a| a.id == customer()).unwrap();
        let (counted, balance, ends) = (AtomicI64::new(0), AtomicI64::new(0), AtomicBool::new(false));
        Self { store, account, order, counted, balance, ends }
    }

    async fn read(&self) {
        while !self.ends.load(Ordering::SeqCst) {
            let least = self.counted.load(Ordering::SeqCst);
            let count = status(&self.store, self.order).await.start_count.unwrap_or(0);
            assert!(count >= least, "{count} is told after {least}");
            self.counted.fetch_max(count, Ordering::SeqCst);

            let least = self.balance.load(Ordering::SeqCst);
            let balance = match self.store.remembered_wallet(&self.account) {
                Some(balance) => balance,
                None => self.store.wallet(&self.account).await.unwrap(),
            };
            assert!(balance.get() >= least, "{balance} is told after {}", Micros::new(least));
            self.balance.fetch_max(balance.get(), Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    }

    /// Changes through the server are seen as soon as they are answered.
    async fn write(&self) {
        let _ends = EndsAtDrop(&self.ends);
        for number in 1..=CHANGES {
            let count = self.store.writer().run(Lane::Customer, Step(self.order)).await.unwrap();
            self.counted.fetch_max(count, Ordering::SeqCst);
            let paid = deposit("1", &format!("server-{number}"));
            assert!(self.store.writer().run(Lane::Customer, paid).await.unwrap());
            let least = money("100").get() + number * money("1").get();
            self.balance.fetch_max(least, Ordering::SeqCst);
        }
    }

    async fn notice(&self) {
        while !self.ends.load(Ordering::SeqCst) {
            self.store.notice_others().await;
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}

/// Ends the readers even when what they wait for fails.
struct EndsAtDrop<'a>(&'a AtomicBool);

impl Drop for EndsAtDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// How an order stands, from memory if it is there.
async fn status(store: &Store, order: OrderId) -> StatusView {
    let (remembered, unknown) = store.remembered_statuses(&customer(), &[Some(order)]);
    match remembered[0] {
        Some(view) => view,
        None => store.read_statuses(&customer(), unknown).await.unwrap()[&order],
    }
}

fn remembered(store: &Store, order: OrderId) -> Option<StatusView> {
    store.remembered_statuses(&customer(), &[Some(order)]).0[0]
}

/// Broken: a panel sees an order or its balance go back to what it was before, and refunds, or charges again; or a customer
/// who was told of a change does not find it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_sees_an_order_or_a_wallet_go_back() {
    on_both(async |site: &Site| {
        let world = Arc::new(World::new(site).await);
        let other = site.open().await;
        let mut tasks = JoinSet::new();
        for _ in 0..READERS {
            let world = Arc::clone(&world);
            tasks.spawn(async move { world.read().await });
        }
        let (writes, notices, order) = (Arc::clone(&world), Arc::clone(&world), world.order);
        tasks.spawn(async move { writes.write().await });
        tasks.spawn(async move { notices.notice().await });
        tasks.spawn(async move {
            for number in 0..CHANGES / 2 {
                other.writer().run(Lane::Urgent, Step(order)).await.unwrap();
                other.writer().run(Lane::Urgent, deposit("1", &format!("other-{number}"))).await.unwrap();
            }
        });
        tasks.join_all().await;

        world.store.notice_others().await;
        assert_eq!(status(&world.store, order).await.start_count, Some(CHANGES + CHANGES / 2));
        assert_eq!(wallet(&world.store).await.get(), money("100").get() + (CHANGES + CHANGES / 2) * money("1").get());
        assert_sound(&world.store).await;
    })
    .await;
}

/// Broken: what a person changes at the command line does not show while the server runs; or memory is emptied by the
/// server's own commits, and is of no use. With Postgres nothing that may change is in memory at all.
#[tokio::test]
async fn a_change_by_another_process_is_noticed_and_our_own_are_none() {
    on_both(async |site: &Site| {
        let World { store, account, order, .. } = World::new(site).await;
        let other = site.open().await;
        let in_memory = site.engine == Engine::Sqlite;
        store.notice_others().await;
        assert_eq!(wallet(&store).await, money("100"));
        let pending = status(&store, order).await;
        assert_eq!((pending.status, pending.charge, pending.remains), (OrderStatus::Pending, money("1"), 1_000));

        store.writer().run(Lane::Customer, deposit("1", "ours")).await.unwrap();
        store.writer().run(Lane::Customer, Step(order)).await.unwrap();
        store.heartbeat("boot", NOW).await.unwrap();
        store.notice_others().await;
        assert_eq!(store.remembered_wallet(&account), in_memory.then(|| money("101")));
        assert_eq!(remembered(&store, order), in_memory.then_some(StatusView { start_count: Some(1), ..pending }));

        other.writer().run(Lane::Urgent, deposit("2", "theirs")).await.unwrap();
        store.notice_others().await;
        assert_eq!((store.remembered_wallet(&account), remembered(&store, order)), (None, None));
        assert_eq!(wallet(&store).await, money("103"));

        // A connection in the place of the old one counts the commits of others anew.
        if let Db::Sqlite { writer, .. } = &*store.db {
            writer.lose().await;
        }
        other.writer().run(Lane::Urgent, Step(order)).await.unwrap();
        store.notice_others().await;
        assert_eq!((store.remembered_wallet(&account), remembered(&store, order)), (None, None));
        assert_eq!(status(&store, order).await.start_count, Some(2));
    })
    .await;
}

/// Broken: after a commit that nobody knows the outcome of, what was in memory before it is told for ever.
#[tokio::test]
async fn nothing_is_remembered_while_a_commit_is_in_doubt() {
    on_both(async |site: &Site| {
        let World { store, account, .. } = World::new(site).await;
        let in_memory = site.engine == Engine::Sqlite;
        assert_eq!(wallet(&store).await, money("100"));
        store.writer().lose.store(LOSE_BEFORE, Ordering::Relaxed);
        assert!(store.writer().run(Lane::Customer, deposit("7", "lost")).await.is_err());
        for _ in 0..2 {
            assert_eq!(store.remembered_wallet(&account), None);
            assert_eq!(wallet(&store).await, money("100"));
        }
        store.writer().lose.store(LOSE_AFTER, Ordering::Relaxed);
        assert!(store.writer().run(Lane::Customer, deposit("5", "kept")).await.unwrap());
        assert_eq!(wallet(&store).await, money("105"));
        assert_eq!(store.remembered_wallet(&account), in_memory.then(|| money("105")));
    })
    .await;
}

/// Broken: a process that is not alone tells from memory what others have changed; or it reads again and again what can
/// no longer change.
#[tokio::test]
async fn who_is_not_alone_remembers_what_has_ended_and_nothing_else() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        store.writer().run(Lane::Customer, deposit("2", "start")).await.unwrap();
        let open = store.writer().run(Lane::Customer, place("1")).await.unwrap().new_order().unwrap();
        let ended = store.writer().run(Lane::Customer, place("1")).await.unwrap().new_order().unwrap();
        assert!(store.writer().run(Lane::Customer, End { order: ended, remains: 250 }).await.unwrap());
        let asked = [Some(ended), None, Some(open), Some(OrderId(2_000_000))];
        let (told, unknown) = store.remembered_statuses(&customer(), &asked);
        assert_eq!((told, unknown.len()), (vec![None; 4], 3));
        let read = store.read_statuses(&customer(), unknown).await.unwrap();
        assert_eq!(read.keys().copied().collect::<Vec<_>>(), [open, ended]);

        let (told, unknown) = store.remembered_statuses(&customer(), &asked);
        assert_eq!(told.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, false]);
        assert_eq!(unknown, BTreeSet::from([open, OrderId(2_000_000)]));
        let partial = told[0].unwrap();
        assert_eq!((partial.status, partial.charge, partial.remains), (OrderStatus::Partial, money("0.75"), 250));
        // To another customer it is no order, and nothing has to be read to say so.
        let stranger = "panel-b".parse().unwrap();
        assert_eq!(store.remembered_statuses(&stranger, &[Some(ended)]), (vec![None], BTreeSet::new()));
        assert!(store.read_statuses(&stranger, BTreeSet::from([open, ended])).await.unwrap().is_empty());
    })
    .await;
}
