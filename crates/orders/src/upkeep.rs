//! What goes on beside the orders: recovery at start, deadlines, the heartbeat, and keeping what is in memory fresh.

use std::{sync::Arc, time::Duration};

use interline_domain::AttemptId;
use interline_store::{DueKind, Lane, StoreError};

use crate::{
    decide::Decision,
    gateway::{Gateway, GatewayError},
    settings::UnknownPolicy,
};

/// How often versions and balances are looked at: a change by another process shows within a second.
const REFRESH: Duration = Duration::from_millis(250);
/// How often deadlines are looked at, and the heartbeat is written.
const DEADLINES: Duration = Duration::from_secs(1);

impl Gateway {
    /// Does everything that is not asked for by a customer, until `stop` completes. Then it waits, at most `drain` in all,
    /// for the `faces` to answer what they have taken in, and for what that set going. What is still on its way to an
    /// upstream after that is recovered at the next start.
    pub async fn work(
        self: &Arc<Self>,
        stop: impl Future<Output = ()>,
        faces: impl Future<Output = ()>,
        drain: Duration,
    ) -> Result<(), GatewayError> {
        self.store.heartbeat(&self.boot, self.now()).await?;
        self.recover().await?;
        self.due_at_start().await?;
        let mut workers = tokio::task::JoinSet::new();
        workers.spawn(Arc::clone(self).dispatch());
        workers.spawn(Arc::clone(self).follow());
        workers.spawn(Arc::clone(self).refresh());
        workers.spawn(Arc::clone(self).deadlines());
        let ended = tokio::select! {
            () = stop => Ok(()),
            // None of them ends by itself: a server that takes orders and sends none must not go on.
            _ = workers.join_next() => Err(GatewayError::WorkerEnded),
        };
        workers.abort_all();
        let drained = tokio::time::timeout(drain, async {
            faces.await;
            self.under_way.close();
            self.under_way.wait().await;
        });
        if drained.await.is_err() {
            tracing::warn!("stopped with work under way; it is recovered at the next start");
        }
        ended
    }

    /// Whatever was being sent by a process that is gone is unknown: it is never sent again.
    async fn recover(self: &Arc<Self>) -> Result<(), StoreError> {
        self.recover_refills().await?;
        let orphans = self.store.orphaned_sends(&self.boot, self.now()).await?;
        if !orphans.is_empty() {
            tracing::warn!(attempts = orphans.len(), "attempts whose sender is gone are unknown now");
        }
        for (attempt, send_number) in orphans {
            self.decide_each(vec![attempt], &Decision::Orphaned { send_number }).await?;
        }
        Ok(())
    }

    /// Reads catalogues and balances at once at start, whenever they were due before.
    async fn due_at_start(self: &Arc<Self>) -> Result<(), StoreError> {
        self.reload_catalogue().await?;
        for upstream in self.catalogue().upstreams() {
            let id = upstream.record.id.as_str();
            self.store.reschedule(DueKind::Catalogue, id, self.now(), self.settings.catalogue_ms).await?;
            self.store.reschedule(DueKind::Balance, id, self.now(), self.settings.balance_ms).await?;
        }
        Ok(())
    }

    async fn refresh(self: Arc<Self>) {
        let mut keys = 0;
        loop {
            match self.refresh_once(keys).await {
                Ok(now) => keys = now,
                Err(error) => tracing::warn!(%error, "what is in memory could not be refreshed"),
            }
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
        while self.store.writer().is_alive() {
            if let Err(error) = self.deadlines_once().await {
                tracing::warn!(%error, "deadlines could not be looked at");
            }
            tokio::time::sleep(DEADLINES).await;
        }
    }

    async fn deadlines_once(self: &Arc<Self>) -> Result<(), StoreError> {
        let now = self.now();
        self.store.heartbeat(&self.boot, now).await?;
        self.store.forget_recent(now).await?;
        self.recover().await?;
        let queued = self.store.queued_since(now.plus_ms(-self.settings.queue_deadline_ms)).await?;
        self.decide_each(queued, &Decision::QueueDeadline).await?;
        if self.settings.unknown_policy == UnknownPolicy::Refund {
            let unknown = self.store.unknown_since(now.plus_ms(-self.settings.unknown_deadline_ms)).await?;
            self.decide_each(unknown, &Decision::UnknownDeadline).await?;
        }
        Ok(())
    }

    /// Decides attempt by attempt; one that cannot be decided now holds up no other.
    async fn decide_each(self: &Arc<Self>, attempts: Vec<AttemptId>, decision: &Decision) -> Result<(), StoreError> {
        for attempt in self.store.attempts(&attempts).await? {
            if let Err(error) = self.decide(attempt.id, &attempt.upstream, decision.clone(), Lane::Background).await {
                tracing::error!(attempt = attempt.id.0, order = attempt.order_id.0, %error, "an attempt could not be decided");
            }
        }
        Ok(())
    }
}
