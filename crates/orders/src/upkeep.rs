//! What goes on beside the orders: recovery at start, deadlines, the heartbeat, and keeping what is in memory fresh.

use std::{sync::Arc, time::Duration};

use interline_domain::AttemptId;
use interline_store::{DueKind, Lane, StoreError};

use crate::{
    decide::Decision,
    gateway::{Gateway, GatewayError},
    settings::UnknownPolicy,
    streak::Streak,
};

/// How often it is looked at balances and for what another process changed, which then shows within a second.
const REFRESH: Duration = Duration::from_millis(250);
/// How often deadlines are looked at, and the heartbeat is written.
const DEADLINES: Duration = Duration::from_secs(1);

impl Gateway {
    /// Does everything that is not asked for by a customer, until `stop` completes. Then it waits, at most as long as `drain`
    /// says then, for the `faces` to answer what they have taken in, and for what that set going. Whoever waits for a verdict
    /// is answered without one after half of that. What is still on its way to an upstream at the end is recovered at the
    /// next start.
    pub async fn work(
        self: &Arc<Self>,
        stop: impl Future<Output = ()>,
        faces: impl Future<Output = ()>,
        drain: impl FnOnce() -> Duration,
    ) -> Result<(), GatewayError> {
        self.store.heartbeat(&self.boot, self.now()).await?;
        self.recover().await?;
        self.reload_catalogue().await?;
        self.sync_now().await?;
        let mut workers = tokio::task::JoinSet::new();
        workers.spawn(Arc::clone(self).dispatch());
        workers.spawn(Arc::clone(self).follow());
        workers.spawn(Arc::clone(self).feeds());
        workers.spawn(Arc::clone(self).notice_others());
        workers.spawn(Arc::clone(self).refresh());
        workers.spawn(Arc::clone(self).deadlines());
        workers.spawn(Arc::clone(self).observe());
        let ended = tokio::select! {
            () = stop => Ok(()),
            // None of them ends by itself: a server that takes orders and sends none must not go on.
            _ = workers.join_next() => Err(GatewayError::WorkerEnded),
        };
        workers.abort_all();
        let drain = drain();
        let closing = async {
            tokio::time::sleep(drain / 2).await;
            self.closing.cancel();
            std::future::pending::<()>().await;
        };
        let drained = tokio::time::timeout(drain, async {
            tokio::select! { () = faces => {}, () = closing => {} }
            self.under_way.close();
            self.under_way.wait().await;
        });
        if drained.await.is_err() {
            tracing::warn!("stopped with work under way; it is recovered at the next start");
        }
        if let Err(error) = self.store.give_up_leases(&self.boot).await {
            tracing::warn!(%error, "other servers wait until the leases of this one have run out");
        }
        ended
    }

    /// Whatever was being sent by a process that is gone is unknown: it is never sent again.
    async fn recover(self: &Arc<Self>) -> Result<(), StoreError> {
        self.recover_refills().await?;
        for (attempt, send_number) in self.store.orphaned_sends(&self.boot, self.now()).await? {
            self.decide_each(vec![attempt], &orphaned(send_number)).await?;
        }
        Ok(())
    }

    /// Has catalogues and balances read at once, whenever they were due before.
    pub(crate) async fn sync_now(&self) -> Result<(), StoreError> {
        let settings = self.settings();
        for upstream in self.catalogue().upstreams() {
            let id = upstream.record.id.as_str();
            self.store.reschedule(DueKind::Catalogue, id, self.now(), settings.catalogue_ms).await?;
            self.store.reschedule(DueKind::Balance, id, self.now(), settings.balance_ms).await?;
        }
        self.due.notify_one();
        Ok(())
    }

    /// A task of its own: what is remembered of wallets and orders does not wait for a large catalogue to be read.
    async fn notice_others(self: Arc<Self>) {
        loop {
            self.store.notice_others().await;
            tokio::time::sleep(REFRESH).await;
        }
    }

    async fn refresh(self: Arc<Self>) {
        let (mut keys, mut streak) = (0, Streak::default());
        loop {
            let refreshed = self.refresh_once(keys).await;
            if let Some(error) = streak.begins(&refreshed) {
                tracing::warn!(%error, "what is in memory could not be refreshed; it is tried until it can");
            }
            keys = refreshed.unwrap_or(keys);
            tokio::time::sleep(REFRESH).await;
        }
    }

    /// Looks whether catalogue or keys changed; returns the version of the keys.
    async fn refresh_once(self: &Arc<Self>, keys_before: i64) -> Result<i64, StoreError> {
        let (catalogue, keys) = self.store.versions().await?;
        if catalogue != self.catalogue().version {
            self.reload_catalogue().await?;
        }
        if keys != keys_before {
            self.store.forget_keys();
        }
        self.refresh_health().await?;
        Ok(keys)
    }

    /// Ends only when the writer has: then nothing that is decided can be kept any more.
    async fn deadlines(self: Arc<Self>) {
        let mut streak = Streak::default();
        while self.store.writer().is_alive() {
            if let Some(error) = streak.begins(&self.deadlines_once().await) {
                tracing::warn!(%error, "deadlines could not be looked at; it is tried until they can");
            }
            tokio::time::sleep(DEADLINES).await;
        }
    }

    async fn deadlines_once(self: &Arc<Self>) -> Result<(), StoreError> {
        let (now, settings) = (self.now(), self.settings());
        self.store.heartbeat(&self.boot, now).await?;
        self.store.forget_recent(now).await?;
        self.recover().await?;
        let queued = self.store.queued_since(now.plus_ms(-settings.queue_deadline_ms)).await?;
        self.decide_each(queued, &Decision::QueueDeadline).await?;
        if settings.unknown_policy == UnknownPolicy::Refund {
            let unknown = self.store.unknown_since(now.plus_ms(-settings.unknown_deadline_ms)).await?;
            self.decide_each(unknown, &Decision::UnknownDeadline).await?;
        }
        Ok(())
    }

    /// Decides attempt by attempt; one that cannot be decided now holds up no other.
    async fn decide_each(self: &Arc<Self>, attempts: Vec<AttemptId>, decision: &Decision) -> Result<(), StoreError> {
        for attempt in self.store.attempts(&attempts).await? {
            if let Err(error) = self.decide_later(&attempt, decision.clone(), Lane::Background).await {
                let (order, attempt, upstream) = (attempt.order_id.0, attempt.id.0, &attempt.upstream);
                tracing::error!(order, attempt, %upstream, %error, "an attempt could not be decided");
            }
        }
        Ok(())
    }
}

/// What becomes of a send whose sender is gone. The negative control of the crash tests puts it into the queue again; a
/// release build has none of that.
#[cfg(feature = "sabotage")]
fn orphaned(send_number: i64) -> Decision {
    crate::sabotage::resend_on_recovery(send_number)
}

#[cfg(not(feature = "sabotage"))]
const fn orphaned(send_number: i64) -> Decision {
    Decision::Orphaned { send_number }
}
