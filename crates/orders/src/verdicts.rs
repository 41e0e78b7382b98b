//! Who waits for the verdict on an order that was just placed.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use interline_domain::OrderId;
use moka::sync::Cache;
use tokio::sync::oneshot;

/// Verdicts remembered for those who begin to wait a moment too late.
const REMEMBERED_MAX: u64 = 10_000;
const REMEMBERED_FOR: Duration = Duration::from_secs(30);

/// What became of an order's submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// An upstream took it, or may have: the order stands.
    Stands,
    /// Nobody took it; it has ended and was refunded.
    Refused,
}

/// Waiters and the latest verdicts.
pub(crate) struct Verdicts {
    waiting: Mutex<HashMap<OrderId, oneshot::Sender<Verdict>>>,
    remembered: Cache<OrderId, Verdict>,
}

impl Verdicts {
    pub(crate) fn new() -> Self {
        let remembered = Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(REMEMBERED_FOR).build();
        Self { waiting: Mutex::new(HashMap::new()), remembered }
    }

    /// Tells whoever waits.
    pub(crate) fn tell(&self, order: OrderId, verdict: Verdict) {
        self.remembered.insert(order, verdict);
        if let Some(waiter) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&order) {
            // The customer may have hung up.
            let _ = waiter.send(verdict);
        }
    }

    /// The verdict, if it comes within `wait`.
    pub(crate) async fn wait(&self, order: OrderId, wait: Duration) -> Option<Verdict> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(order, sender);
        // Told between the commit and the line above.
        if let Some(verdict) = self.remembered.get(&order) {
            self.forget(order);
            return Some(verdict);
        }
        let verdict = tokio::time::timeout(wait, receiver).await.ok().and_then(Result::ok);
        self.forget(order);
        verdict
    }

    fn forget(&self, order: OrderId) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&order);
    }
}
