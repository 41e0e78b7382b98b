//! Push feeds: what an upstream has news of is looked at now instead of later. A feed is trusted for nothing else: how
//! an order stands, and what it costs, is asked for as ever.
//!
//! Each upstream that has one has a task of its own, and a lease lets one node at a time hold its socket. After each
//! gap everything that runs there is looked at once. Hints never pass through the writer, so no order waits for them.

mod backoff;
mod hints;
mod meters;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use interline_domain::UpstreamId;
use interline_egress::{FeedError, FeedEvent};
use interline_store::{StoreError, UpstreamKey};
use interline_upstream::Feed;
use secrecy::ExposeSecret as _;
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, timeout},
};

use self::{
    backoff::Backoff,
    hints::{Hinted, Hints, Pace},
    meters::FeedMeters,
};
use crate::{catalogue::Upstream, gateway::Gateway, streak::Streak};

/// How often the catalogue is looked at for feeds that are to be opened, opened anew or given up.
const LOOK: Duration = Duration::from_millis(500);
/// How long a node that died keeps a feed from the others, and how often one that lives says so.
const LEASE_MS: i64 = 15_000;
const LEASE: Duration = Duration::from_millis(LEASE_MS.unsigned_abs());
const RENEW: Duration = Duration::from_secs(4);
/// How long hints are gathered before they are passed on together, and the pause before what waits is tried again.
const GATHER: Duration = Duration::from_millis(100);
const TRY_AGAIN: Duration = Duration::from_millis(400);
/// Most orders in one statement.
const ORDERS_AT_ONCE: usize = 500;

/// Why a feed was lost, or could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// The server lacks what it takes to call the upstream.
    #[error("{0}")]
    Unready(String),
    /// The socket.
    #[error(transparent)]
    Socket(#[from] FeedError),
}

impl Lost {
    /// The name of a loss that no socket is to blame for.
    const UNREADY: &str = "unready";

    /// Why, in a word.
    const fn name(&self) -> &'static str {
        match self {
            Self::Unready(_) => Self::UNREADY,
            Self::Socket(error) => error.name(),
        }
    }
}

/// How a socket went.
#[derive(Default)]
struct Course {
    /// Since when news came, if they ever did.
    subscribed: Option<Instant>,
    /// The upstream said that this was the last socket that the key may open.
    is_last: bool,
}

impl Gateway {
    /// Keeps a task for each feed, until the gateway stops.
    pub(crate) async fn feeds(self: Arc<Self>) {
        let (mut tasks, mut running) = (JoinSet::new(), BTreeMap::<UpstreamId, AbortHandle>::new());
        loop {
            for upstream in self.catalogue().upstreams().filter(|upstream| feed_of(upstream).is_some()) {
                let id = &upstream.record.id;
                if running.get(id).is_none_or(AbortHandle::is_finished) {
                    running.insert(id.clone(), tasks.spawn(Arc::clone(&self).follow_feed(id.clone())));
                }
            }
            // One that panicked is begun again, too.
            while tasks.try_join_next().is_some() {}
            sleep(LOOK).await;
        }
    }

    /// Follows the feed of one upstream, for as long as the upstream has one.
    async fn follow_feed(self: Arc<Self>, id: UpstreamId) {
        let (hints, meters) = (Hints::default(), FeedMeters::new(&id));
        tokio::select! {
            () = self.hold_feed(&id, &hints, &meters) => {}
            () = self.pass_on(&id, &hints, &meters) => {}
        }
    }

    /// Holds its socket, and opens another when it is lost.
    async fn hold_feed(&self, id: &UpstreamId, hints: &Hints, meters: &FeedMeters) {
        let (mut backoff, mut told, lease) = (Backoff::default(), None, format!("feed:{id}"));
        loop {
            let catalogue = self.catalogue();
            let Some((upstream, feed)) = catalogue.upstream(id).and_then(|u| Some((Arc::clone(u), feed_of(u)?))) else {
                return;
            };
            drop(catalogue);
            // A database that cannot be asked is told of by whoever else asks it.
            if !self.take_feed(&lease).await.unwrap_or(false) {
                sleep(RENEW).await;
                continue;
            }
            let mut course = Course::default();
            let lost = tokio::select! {
                lost = self.listen(&upstream, feed, hints, meters, &mut course) => Some(lost),
                () = self.until_changed(&upstream) => None,
                () = self.until_taken(&lease) => None,
            };
            meters.connected(false);
            let subscribed_for = course.subscribed.map(|since| since.elapsed());
            if subscribed_for.is_some() {
                told = None;
            }
            let Some(lost) = lost else {
                backoff = Backoff::default();
                continue;
            };
            meters.lost(&lost);
            let wait = backoff.after(&lost, course.is_last, subscribed_for);
            // Of a row of losses for one reason the first is told.
            if told.replace(lost.name()) != Some(lost.name()) {
                let again_in_ms = wait.as_millis();
                tracing::warn!(upstream = %id, error = %lost, again_in_ms, "its feed is lost; it is polled as ever");
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = self.until_changed(&upstream) => backoff = Backoff::default(),
            }
        }
    }

    /// Opens the socket and gathers what it brings, until it is lost.
    async fn listen(
        &self,
        upstream: &Upstream,
        feed: Feed,
        hints: &Hints,
        meters: &FeedMeters,
        course: &mut Course,
    ) -> Lost {
        let (_, endpoint) = match self.endpoint(upstream) {
            Ok(found) => found,
            Err(text) => return Lost::Unready(text),
        };
        let mut socket = match self.egress.open_feed(&upstream.lane, feed, &endpoint).await {
            Ok(socket) => socket,
            Err(error) => return error.into(),
        };
        drop(endpoint);
        loop {
            match socket.next().await {
                Ok(FeedEvent::Subscribed) => {
                    course.subscribed = Some(Instant::now());
                    meters.connected(true);
                    hints.add_everything();
                    tracing::info!(upstream = %upstream.record.id, "its feed is connected");
                }
                Ok(FeedEvent::News(orders)) => {
                    meters.updated(orders.len());
                    meters.dropped(hints.add(orders));
                }
                Err(error) => {
                    course.is_last = socket.sockets_left() == Some(0);
                    return error.into();
                }
            }
        }
    }

    /// Passes on what was hinted at, for as long as it is asked to.
    async fn pass_on(&self, id: &UpstreamId, hints: &Hints, meters: &FeedMeters) {
        let (mut pace, mut streak) = (Pace::default(), Streak::default());
        loop {
            if pace.is_idle() {
                hints.stirred().await;
            } else {
                let _ = timeout(TRY_AGAIN, hints.stirred()).await;
            }
            sleep(GATHER).await;
            let Hinted { orders, everything } = hints.take();
            let mut done = Ok(());
            if everything {
                done = self.look_at_everything(id).await;
                if done.is_err() {
                    hints.add_everything();
                }
            }
            let (due, dropped) = pace.due(orders, self.now(), self.settings().status_first_ms);
            meters.dropped(dropped);
            for piece in due.chunks(ORDERS_AT_ONCE) {
                match self.look_at(id, piece, meters).await {
                    Ok(being_looked_at) => pace.take_back(being_looked_at),
                    Err(error) => {
                        pace.take_back(piece.iter().cloned());
                        done = Err(error);
                    }
                }
            }
            if let Some(error) = streak.begins(&done) {
                tracing::warn!(upstream = %id, %error, "news from its feed could not be passed on; it is tried again");
            }
        }
    }

    /// After a gap: makes everything due that runs at the upstream, at a pace that leaves half of its rate to others.
    async fn look_at_everything(&self, id: &UpstreamId) -> Result<(), StoreError> {
        let catalogue = self.catalogue();
        let Some(upstream) = catalogue.upstream(id).cloned() else { return Ok(()) };
        drop(catalogue);
        let Some(dialect) = &upstream.dialect else { return Ok(()) };
        let at_once = i64::try_from(dialect.capabilities().status_batch_max).unwrap_or(1);
        let pause_ms = 2_000 / i64::from(upstream.record.settings.requests_per_second.max(1));
        let moved = self.store.look_at_all(id, self.now(), at_once, pause_ms).await?;
        tracing::debug!(upstream = %id, orders = moved, "everything there is looked at after the gap");
        self.due.notify_one();
        Ok(())
    }

    /// Makes the looks at these orders due. Returns those that are being looked at now: what they are hinted to have
    /// become may be missing in the answer.
    async fn look_at(
        &self,
        id: &UpstreamId,
        orders: &[String],
        meters: &FeedMeters,
    ) -> Result<Vec<String>, StoreError> {
        let looks = self.store.next_looks(id, orders).await?;
        let (now, known) = (self.now(), looks.len());
        let (mut being_looked_at, mut later) = (Vec::new(), Vec::new());
        for look in &looks {
            if look.lease_until.is_some_and(|until| until > now) {
                being_looked_at.push(look.upstream_order.clone());
            } else if look.due_at.is_some_and(|due_at| due_at > now) {
                later.push(look.subject.as_str());
            }
        }
        if self.store.look_now(&later, now).await? > 0 {
            self.due.notify_one();
        }
        meters.passed_on(orders.len(), known, later.len(), being_looked_at.len());
        Ok(being_looked_at)
    }

    async fn take_feed(&self, lease: &str) -> Result<bool, StoreError> {
        let now = self.now();
        self.store.hold_lease(lease, &self.boot, now, now.plus_ms(LEASE_MS)).await
    }

    /// Keeps the lease; ends when another node has it, or may have.
    async fn until_taken(&self, lease: &str) {
        let mut held = Instant::now();
        while held.elapsed() < LEASE {
            sleep(RENEW).await;
            match self.take_feed(lease).await {
                Ok(true) => held = Instant::now(),
                Ok(false) => return,
                Err(_) => {}
            }
        }
    }

    /// Ends when the upstream is to be called otherwise than it was, or not at all.
    async fn until_changed(&self, upstream: &Upstream) {
        loop {
            sleep(LOOK).await;
            if self.catalogue().upstream(&upstream.record.id).is_none_or(|now| !is_called_alike(now, upstream)) {
                return;
            }
        }
    }
}

/// The feed of an upstream that is used and has one.
fn feed_of(upstream: &Upstream) -> Option<Feed> {
    upstream.dialect.as_ref().filter(|_| upstream.record.enabled)?.feed()
}

/// Whether two readings of an upstream's entry lead to the same socket.
fn is_called_alike(one: &Upstream, other: &Upstream) -> bool {
    let (a, b) = (&one.record, &other.record);
    let same_key = match (&a.key, &b.key) {
        (UpstreamKey::Reference(a), UpstreamKey::Reference(b)) => a == b,
        (UpstreamKey::Plain(a), UpstreamKey::Plain(b)) => a.expose_secret() == b.expose_secret(),
        (UpstreamKey::Missing, UpstreamKey::Missing) => true,
        _ => false,
    };
    let same_way = a.adapter == b.adapter && a.url == b.url && Arc::ptr_eq(&one.lane, &other.lane);
    same_key && same_way && a.enabled == b.enabled
}
