//! The sandbox as its users hold it: start, watch, script, stop.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    call::Call,
    config::{Adapter, Config},
    door::Door,
    fault::{Fault, Faults},
    feed::{self, Feed, Pushed},
    journal::{Journal, JournalOrder, JournalRefill},
    panel::Panel,
    reply::Reply,
    server::{self, Script},
    upstream::Upstream,
};

/// A running simulated upstream. It serves until it is stopped or dropped.
pub struct Sandbox {
    shared: Arc<Shared>,
}

impl Sandbox {
    /// Starts serving on `listen`; port 0 takes a free one. An amount in `config` that cannot be read is
    /// [`io::ErrorKind::InvalidInput`].
    pub async fn start(config: Config, listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let (adapter, faults, rate_limit) = (config.adapter, config.faults.clone(), config.rate_limit);
        let (feed, epoch_ms) = (Feed::new(config.feed_sockets), unix_ms().saturating_add(config.clock_off_ms));
        let mut panel = Panel::new(config).map_err(invalid)?;
        panel.begin_at(epoch_ms);
        let shared = Arc::new(Shared {
            adapter,
            feed,
            upstream: Mutex::new(Upstream::new(panel, rate_limit)),
            retired: Mutex::new(CancellationToken::new()),
            door: Door::new(listener)?,
            started: Instant::now(),
            stopped: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        for fault in faults {
            shared.add_fault(fault).map_err(invalid)?;
        }
        shared.tasks.spawn(server::serve(Arc::clone(&shared)));
        if adapter == Adapter::Streamrise {
            shared.tasks.spawn(feed::beat(Arc::clone(&shared)));
        }
        Ok(Self { shared })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.shared.door.addr()
    }

    /// The panel's address, as an upstream's `url` wants it.
    pub fn url(&self) -> String {
        let path = match self.shared.adapter {
            Adapter::PerfectPanel => "/api/v2",
            Adapter::Streamrise => "",
            Adapter::Streamskill => "/v1",
        };
        format!("http://{}{path}", self.addr())
    }

    /// Closes the port and every connection, and returns when all is gone.
    pub async fn stop(self) {
        self.shared.shut();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// What really happened; the same as `GET /__journal`.
    pub fn journal(&self) -> Journal {
        self.shared.journal()
    }

    /// Adds a fault behind those that are active. A fault of the connection is in force when this returns, and closes
    /// idle connections, so that the next call meets it.
    ///
    /// # Panics
    /// When a thousand faults are active already.
    pub fn add_fault(&self, fault: Fault) {
        done(&self.shared.add_fault(fault));
    }

    /// Removes every fault; a closed port is open again when this returns.
    pub fn clear_faults(&self) {
        self.shared.clear_faults();
    }

    /// Changes the price per 1000 of a service, for orders to come; of a tarif for one unit of time. It is the same for
    /// every quantity from then on.
    ///
    /// # Panics
    /// When there is no such service or `rate` is no decimal amount: a script that changes nothing proves nothing.
    pub fn set_rate(&self, service: &str, rate: &str) {
        done(&self.shared.upstream().panel.set_rate(service, rate));
    }

    /// Sets the balance.
    ///
    /// # Panics
    /// When `balance` is no decimal amount.
    pub fn set_balance(&self, balance: &str) {
        done(&self.shared.upstream().panel.set_balance(balance));
    }

    /// Scripts an order: from then on it reports `status` and `remains`, whatever the clock says. What a canceled,
    /// partial or failed order leaves undelivered is refunded to the balance. Without `remains` it is 0 for a
    /// completed order, the quantity for a canceled one, left out of the answer for a partial or failed one, and as
    /// it was for every other word.
    ///
    /// # Panics
    /// When there is no such order.
    pub fn progress(&self, order: &str, status: &str, remains: Option<i64>) {
        done(&self.shared.progress(order, status, remains));
    }

    /// Makes an order report `charge`; the balance moves by the difference to what it reported before.
    ///
    /// # Panics
    /// When there is no such order or `charge` is no decimal amount.
    pub fn set_charge(&self, order: &str, charge: &str) {
        done(&self.shared.upstream().panel.set_charge(order, charge));
    }

    /// Scripts a refill: from then on it reports `status`, whatever the clock says.
    ///
    /// # Panics
    /// When there is no such refill.
    pub fn refill_progress(&self, refill: &str, status: &str) {
        done(&self.shared.upstream().panel.refill_progress(refill, status));
    }

    /// Takes `amount` from the balance for a refill; the status of its order reports that much more as charge.
    ///
    /// # Panics
    /// When there is no such refill or `amount` is no decimal amount.
    pub fn charge_refill(&self, refill: &str, amount: &str) {
        done(&self.shared.upstream().panel.charge_refill(refill, amount));
    }

    /// Makes every answer about an order say `value` in `field`, whatever is true: what a hostile upstream would say.
    ///
    /// # Panics
    /// When there is no such order.
    pub fn tell(&self, order: &str, field: &str, value: Value) {
        done(&self.shared.upstream().panel.tell(order, field, value));
    }

    /// How many sockets of the push feed have subscribed.
    pub fn feed_sockets(&self) -> usize {
        self.shared.feed.subscribed()
    }

    /// Sends a text, as it is, to every socket of the push feed that has subscribed.
    pub fn push(&self, frame: &str) {
        self.shared.feed.push(Pushed::Frame(frame.into()));
    }

    /// Stops or resumes the clock that unscripted orders and refills live by. Those that are taken while it stands are
    /// Pending.
    pub fn pause_life(&self, paused: bool) {
        let now_ms = self.shared.now_ms();
        self.shared.upstream().panel.pause_life(paused, now_ms);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.shut();
    }
}

/// What the handle, the connections and the timers share.
pub(crate) struct Shared {
    pub(crate) adapter: Adapter,
    pub(crate) feed: Feed,
    upstream: Mutex<Upstream>,
    /// Canceled, and replaced, to close the connections that are idle.
    retired: Mutex<CancellationToken>,
    pub(crate) door: Door,
    started: Instant,
    /// Canceled once, at the end.
    pub(crate) stopped: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    /// Takes a call of the upstream's protocol.
    pub(crate) fn call(&self, call: &Call, traceparent: Option<String>) -> Reply {
        let now_ms = self.now_ms();
        self.upstream().call(call, traceparent, now_ms)
    }

    /// A socket of the feed gives a key: whether it is ours, and the fault that turns it away all the same.
    pub(crate) fn admit(&self, key: &str) -> (bool, Option<Fault>) {
        self.upstream().admit(key)
    }

    /// The fault that a socket of the feed meets now that it has subscribed.
    pub(crate) fn disturb(&self) -> Option<Fault> {
        self.upstream().disturb()
    }

    /// The orders that changed since this was last asked, with the fields that did.
    pub(crate) fn news(&self) -> BTreeMap<u64, Value> {
        let now_ms = self.now_ms();
        self.upstream().panel.news(now_ms)
    }

    /// Meets a new connection: with how much delay it is to be dropped unread, if it is, and what tells it to close.
    pub(crate) fn greet(&self) -> (Option<Duration>, CancellationToken) {
        let dropped_after = self.upstream().connection();
        (dropped_after, self.retired.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    pub(crate) fn journal(&self) -> Journal {
        let now_ms = self.now_ms();
        self.upstream().journal(now_ms)
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.upstream().faults.to_vec()
    }

    pub(crate) fn add_fault(self: &Arc<Self>, fault: Fault) -> Result<(), String> {
        let (of_connection, delay) = (fault.kind.is_of_connection(), Duration::from_millis(fault.delay_ms));
        let now_ms = self.now_ms();
        let ends_at_ms = self.change_faults(|faults| faults.add(fault, now_ms))?;
        if of_connection {
            self.retire_connections();
        }
        self.feed.push(Pushed::Fault);
        if let Some(ends_at_ms) = ends_at_ms {
            let shared = Arc::clone(self);
            let expiry = async move {
                shared.unless_stopped(tokio::time::sleep(delay)).await;
                shared.change_faults(|faults| faults.expire(ends_at_ms));
            };
            self.tasks.spawn_on(expiry, self.door.runtime());
        }
        Ok(())
    }

    pub(crate) fn clear_faults(&self) {
        self.change_faults(Faults::clear);
    }

    /// Applies a script to an order and says how it stands then.
    pub(crate) fn script(&self, id: &str, script: &Script) -> Result<JournalOrder, String> {
        match (&script.status, script.remains) {
            (Some(status), remains) => self.progress(id, status, remains)?,
            (None, Some(_)) => return Err("`remains` needs a `status`".to_owned()),
            (None, None) => {}
        }
        let now_ms = self.now_ms();
        let mut upstream = self.upstream();
        if let Some(charge) = &script.charge {
            upstream.panel.set_charge(id, charge)?;
        }
        for (field, value) in &script.tell {
            upstream.panel.tell(id, field, value.clone())?;
        }
        upstream.panel.journal_of(id, now_ms).ok_or_else(|| format!("there is no order `{id}`"))
    }

    /// Applies a script to a refill and says how it stands then.
    pub(crate) fn script_refill(&self, id: &str, status: &str) -> Result<JournalRefill, String> {
        let now_ms = self.now_ms();
        let mut upstream = self.upstream();
        upstream.panel.refill_progress(id, status)?;
        upstream.panel.refill_journal_of(id, now_ms).ok_or_else(|| format!("there is no refill `{id}`"))
    }

    /// Waits for `work`, but not beyond the end of the sandbox.
    pub(crate) async fn unless_stopped(&self, work: impl Future<Output = ()>) {
        tokio::select! {
            () = work => {}
            () = self.stopped.cancelled() => {}
        }
    }

    fn progress(&self, id: &str, status: &str, remains: Option<i64>) -> Result<(), String> {
        let now_ms = self.now_ms();
        self.upstream().panel.progress(id, status, remains, now_ms)
    }

    fn shut(&self) {
        self.stopped.cancel();
        self.door.shut();
    }

    /// Changes the faults and moves the door accordingly, both under one lock.
    fn change_faults<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        let mut upstream = self.upstream();
        let changed = change(&mut upstream.faults);
        self.door.set_open(!upstream.faults.refuse_connections());
        changed
    }

    fn retire_connections(&self) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.cancel();
        *retired = CancellationToken::new();
    }

    fn upstream(&self) -> MutexGuard<'_, Upstream> {
        self.upstream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the start.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// What the clock on the wall shows, in Unix milliseconds.
#[expect(clippy::disallowed_methods, reason = "an upstream has a clock of its own, and says when an order was made")]
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A script that cannot be followed is a mistake of whoever wrote it, and must not pass unseen.
fn done(result: &Result<(), String>) {
    assert!(result.is_ok(), "the sandbox cannot follow: {result:?}");
}

#[cfg(test)]
#[path = "sandbox_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "dialect_fault_tests.rs"]
mod dialect_faults;
