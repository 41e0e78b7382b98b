//! The gateway: the store, the way out, the dialects and the clock, with what is kept in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
};

use arc_swap::ArcSwap;
use interline_domain::{OrderKind, Timestamp, UpstreamId};
use interline_egress::Egress;
use interline_routing::{Plan, Wanted, plan};
use interline_store::{DueKind, DueRow, ServiceRecord, Store, StoreError};
use interline_upstream::Dialect;
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::field::{Empty, display};

use crate::{
    admission::Admission, catalogue::Catalogue, health::UpstreamHealth, settings::Settings, trace::Tracing,
    verdicts::Verdicts,
};

/// Tells the time. Everything that acts takes it from here, so that a test can tell another time.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Reads a reference to a secret (`env:NAME`, `file:PATH`); the error says what is missing, never the secret.
pub type KeyResolver = Box<dyn Fn(&str) -> Result<SecretString, String> + Send + Sync>;

/// What a gateway is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The way out.
    pub egress: Egress,
    /// Every dialect that is spoken.
    pub dialects: Vec<Arc<dyn Dialect>>,
    /// The operator's settings.
    pub settings: Settings,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Reads references to upstream keys.
    pub resolve_key: KeyResolver,
    /// How spans meet the traces of others.
    pub tracing: Tracing,
    /// Names this start of this process.
    pub boot: String,
}

/// Why something could not be done, beyond what the caller asked for.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A worker ended by itself; the process has to be started anew.
    #[error("a background worker ended; start again and report what the log says")]
    WorkerEnded,
    /// There is no upstream of that id.
    #[error("there is no upstream `{0}`")]
    NoUpstream(String),
    /// An upstream did not answer, or not readably.
    #[error("upstream {upstream}: {text}")]
    Upstream {
        /// Which.
        upstream: UpstreamId,
        /// What was wrong.
        text: String,
    },
}

/// Everything the use-cases share. Its methods are the use-cases; each stands in the file of its name.
pub struct Gateway {
    pub(crate) store: Store,
    pub(crate) egress: Egress,
    settings: ArcSwap<Settings>,
    pub(crate) admission: Admission,
    /// From now on nobody is kept waiting for a verdict: the gateway is about to stop.
    pub(crate) closing: CancellationToken,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) resolve_key: KeyResolver,
    pub(crate) tracing: Tracing,
    pub(crate) boot: String,
    pub(crate) health: ArcSwap<BTreeMap<UpstreamId, UpstreamHealth>>,
    pub(crate) verdicts: Verdicts,
    /// Wakes the dispatcher: something was queued, or a slot came free.
    pub(crate) queued: Notify,
    /// Whether the dispatcher found attempts that wait when it last looked.
    pub(crate) waiting: AtomicBool,
    /// Wakes the follower: something is due sooner than it thought.
    pub(crate) due: Notify,
    /// Submissions and calls under way.
    pub(crate) under_way: TaskTracker,
    dialects: Vec<Arc<dyn Dialect>>,
    catalogue: ArcSwap<Catalogue>,
}

impl Gateway {
    /// Makes a gateway and reads its catalogue.
    pub async fn open(parts: Parts) -> Result<Arc<Self>, StoreError> {
        parts.store.keep_base_currency(parts.settings.base_currency).await?;
        let rows = parts.store.catalogue().await?;
        let catalogue = Catalogue::new(rows, parts.settings.base_currency, &parts.dialects, None);
        let gateway = Arc::new(Self {
            store: parts.store,
            egress: parts.egress,
            settings: ArcSwap::from_pointee(parts.settings),
            admission: Admission::new(),
            closing: CancellationToken::new(),
            clock: parts.clock,
            resolve_key: parts.resolve_key,
            tracing: parts.tracing,
            boot: parts.boot,
            health: ArcSwap::default(),
            verdicts: Verdicts::new(),
            queued: Notify::new(),
            waiting: AtomicBool::new(true),
            due: Notify::new(),
            under_way: TaskTracker::new(),
            dialects: parts.dialects,
            catalogue: ArcSwap::from_pointee(catalogue),
        });
        gateway.refresh_health().await?;
        Ok(gateway)
    }

    /// The database, for reads.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The settings as they are now. A use-case takes them once, so that a reload never changes them in its midst.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Takes other settings; the currency of the books stays. Where the intervals of catalogues and balances changed, those
    /// are read anew at once; an order's next status read is the first to follow the new intervals.
    pub async fn reload_settings(&self, settings: Settings) -> Result<(), StoreError> {
        let old = self.settings();
        let new = Settings { base_currency: old.base_currency, ..settings };
        let intervals = (new.catalogue_ms, new.balance_ms) != (old.catalogue_ms, old.balance_ms);
        self.settings.store(Arc::new(new));
        if intervals { self.sync_now().await } else { Ok(()) }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The catalogue as it is now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    /// Reads the catalogue afresh, and puts new upstreams on the list of what is due.
    pub async fn reload_catalogue(&self) -> Result<(), StoreError> {
        let rows = self.store.catalogue().await?;
        let settings = self.settings();
        let (base, dialects, old) = (settings.base_currency, self.dialects.clone(), self.catalogue());
        // A large one takes a while; no customer's call waits on this thread until it is made.
        let made = tokio::task::spawn_blocking(move || Catalogue::new(rows, base, &dialects, Some(&old)));
        // It is given up only when the process ends.
        let catalogue = made.await.map_err(|_| StoreError::Busy)?;
        let now = self.now();
        let mut due = Vec::new();
        for upstream in catalogue.upstreams().filter(|u| u.record.enabled) {
            for (kind, interval_ms) in
                [(DueKind::Catalogue, settings.catalogue_ms), (DueKind::Balance, settings.balance_ms)]
            {
                let id = &upstream.record.id;
                let (subject, never) = (id.to_string(), Timestamp::from_millis(0));
                due.push(DueRow { kind, subject, upstream: id.clone(), due_at: now, interval_ms, lease_until: never });
            }
        }
        self.catalogue.store(Arc::new(catalogue));
        self.store.add_due(&due).await?;
        self.due.notify_one();
        Ok(())
    }

    /// Every dialect that is spoken.
    pub fn dialects(&self) -> &[Arc<dyn Dialect>] {
        &self.dialects
    }

    /// The route of an order, now. Without its `kind` nothing is held against anyone but what `wanted` says.
    pub fn route(
        &self,
        catalogue: &Catalogue,
        service: &ServiceRecord,
        wanted: &Wanted,
        kind: Option<&OrderKind>,
        tried: &[(UpstreamId, String)],
    ) -> Plan {
        let span = tracing::info_span!("route", candidates = Empty, taken = Empty).entered();
        let offers = catalogue.offers(service, kind, |id| self.health(id), tried);
        let planned = plan(wanted, &offers, &self.settings().policy, self.now());
        span.record("candidates", i64::try_from(planned.candidates.len()).unwrap_or(i64::MAX));
        if let Some(first) = planned.takers().next() {
            span.record("taken", display(&first.upstream));
        }
        planned
    }
}
