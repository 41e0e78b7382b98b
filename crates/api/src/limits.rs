//! How fast a caller may be: token buckets for addresses, for keys, and for wrong keys.
//!
//! A bucket holds a minute's worth of calls and fills evenly, so a caller that was quiet may send a minute's calls at
//! once. What is kept about callers is bounded, and none of it is a key.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use axum::http::HeaderMap;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock, Reference as _},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use interline_panel_protocol::Refused;
use metrics::{Counter, counter};
use moka::sync::Cache;

use crate::client::{Client, TrustedProxies};

/// Callers that are counted at a time, for each of the limits.
const TRACKED_MAX: usize = 100_000;
/// How often those that are as good as new are forgotten.
const TIDY_EVERY: Duration = Duration::from_mins(1);
/// Wrong keys that an address may try in a minute.
const WRONG_KEYS_PER_MINUTE: u32 = 20;
/// How long it is remembered that a key was right.
const KNOWN_FOR: Duration = Duration::from_hours(1);

/// The limits on callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    /// Calls per minute from one address, or from one /64 network of IPv6.
    pub ip_per_minute: NonZeroU32,
    /// Calls per minute with one key.
    pub key_per_minute: NonZeroU32,
    /// Whose word about a caller's address is taken.
    pub trusted_proxies: TrustedProxies,
}

/// Counts calls, for all faces together.
///
/// Guessing keys is slowed per address: once it has sent too many wrong ones, a key that was not yet seen to be right
/// *from this address* is refused unseen until the next token is there. So the other customers behind one proxy or
/// router go on while one of them guesses; only a key that comes from there for the first time since the start, or
/// after an hour's pause, is told to come back like a guess.
pub(crate) struct Limits<C: Clock = DefaultClock> {
    settings: LimitSettings,
    addresses: Buckets<Client, C>,
    keys: Buckets<u64, C>,
    wrong_keys: Buckets<Client, C>,
    /// Addresses that sent too many wrong keys, and until when they may not try another.
    barred: Cache<Client, C::Instant>,
    /// Keys that were right, each with the address it came from, hashed together.
    known: Cache<u64, ()>,
    /// Seeded anew by every process, so that nobody can make two keys that are counted as one.
    hasher: RandomState,
    limited: Limited,
    clock: C,
}

/// Calls that were refused, by the limit.
struct Limited {
    address: Counter,
    key: Counter,
    wrong_key: Counter,
}

impl Limits {
    /// Limits that nobody has used up any of.
    pub(crate) fn new(settings: LimitSettings) -> Self {
        Self::with_clock(settings, DefaultClock::default())
    }
}

impl<C: Clock + Clone + Send + Sync + 'static> Limits<C> {
    fn with_clock(settings: LimitSettings, clock: C) -> Self {
        let tracked_max = u64::try_from(TRACKED_MAX).unwrap_or(u64::MAX);
        Self {
            addresses: Buckets::new(settings.ip_per_minute, &clock),
            keys: Buckets::new(settings.key_per_minute, &clock),
            wrong_keys: Buckets::new(NonZeroU32::new(WRONG_KEYS_PER_MINUTE).unwrap_or(NonZeroU32::MIN), &clock),
            barred: Cache::builder().max_capacity(tracked_max).time_to_live(TIDY_EVERY).build(),
            known: Cache::builder().max_capacity(tracked_max).time_to_live(KNOWN_FOR).build(),
            hasher: RandomState::new(),
            settings,
            limited: Limited {
                address: counter!("interline_limited_total", "limit" => "ip"),
                key: counter!("interline_limited_total", "limit" => "key"),
                wrong_key: counter!("interline_limited_total", "limit" => "wrong_key"),
            },
            clock,
        }
    }

    /// What they were made with.
    pub(crate) fn settings(&self) -> &LimitSettings {
        &self.settings
    }

    /// Who is behind the connection from `peer`.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        self.settings.trusted_proxies.client(peer, headers)
    }

    /// Counts a call of an address.
    pub(crate) fn call(&self, client: Client) -> Result<(), Refused> {
        self.addresses.take(&client).map_err(|until| self.too_fast(&self.limited.address, until))
    }

    /// Whether an address may try this key now. To be asked before the key is looked up.
    pub(crate) fn may_try(&self, client: Client, key: &str) -> Result<(), Refused> {
        match self.barred.get(&client) {
            Some(until) if until > self.clock.now() && !self.known.contains_key(&self.pair(client, key)) => {
                Err(self.too_fast(&self.limited.wrong_key, until))
            }
            _ => Ok(()),
        }
    }

    /// Counts a wrong key of an address; what is said about it.
    pub(crate) fn wrong_key(&self, client: Client) -> Refused {
        match self.wrong_keys.take(&client) {
            Ok(()) => Refused::InvalidKey,
            Err(until) => {
                tracing::info!(?client, "too many wrong keys from one address");
                self.barred.insert(client, until);
                self.too_fast(&self.limited.wrong_key, until)
            }
        }
    }

    /// Counts a call with a key that was right.
    pub(crate) fn right_key(&self, client: Client, key: &str) -> Result<(), Refused> {
        let pair = self.pair(client, key);
        if !self.known.contains_key(&pair) {
            self.known.insert(pair, ());
        }
        self.keys.take(&self.hasher.hash_one(key)).map_err(|until| self.too_fast(&self.limited.key, until))
    }

    fn pair(&self, client: Client, key: &str) -> u64 {
        self.hasher.hash_one((client, key))
    }

    fn too_fast(&self, limited: &Counter, until: C::Instant) -> Refused {
        limited.increment(1);
        let wait = until.duration_since(self.clock.now()).as_u64();
        Refused::TooFast { retry_after_s: wait.div_ceil(1_000_000_000).max(1) }
    }

    fn tidy(&self) {
        self.addresses.tidy();
        self.keys.tidy();
        self.wrong_keys.tidy();
    }
}

/// Limits that forget idle callers from time to time, for as long as they are in use. Needs a runtime around it.
pub(crate) fn start(settings: LimitSettings) -> Arc<Limits> {
    let started = Arc::new(Limits::new(settings));
    let limits = Arc::downgrade(&started);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            let Some(limits) = limits.upgrade() else { return };
            limits.tidy();
        }
    });
    started
}

type Limiter<K, C> = RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A bucket for each of many callers.
struct Buckets<K: Hash + Eq + Clone, C: Clock> {
    quota: Quota,
    clock: C,
    limiter: ArcSwap<Limiter<K, C>>,
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Buckets<K, C> {
    fn new(per_minute: NonZeroU32, clock: &C) -> Self {
        let quota = Quota::per_minute(per_minute);
        let limiter = ArcSwap::from_pointee(RateLimiter::hashmap_with_clock(quota, clock.clone()));
        Self { quota, clock: clock.clone(), limiter }
    }

    /// Takes a token from a caller's bucket; when there will be one, if there is none.
    fn take(&self, caller: &K) -> Result<(), C::Instant> {
        self.with_room().check_key(caller).map_err(|until| until.earliest_possible())
    }

    /// The limiter, with room for one caller more. When it is full of callers that are all active, everybody is
    /// forgotten and gets a full bucket: whoever commands so many addresses is not held up by counting addresses, and
    /// customers who come in the midst of that must not be. At half full already, so that making room stays rare.
    fn with_room(&self) -> Guard<Arc<Limiter<K, C>>> {
        let limiter = self.limiter.load();
        if limiter.len() < TRACKED_MAX {
            return limiter;
        }
        limiter.retain_recent();
        if limiter.len() > TRACKED_MAX / 2 {
            self.limiter.store(Arc::new(RateLimiter::hashmap_with_clock(self.quota, self.clock.clone())));
        }
        self.limiter.load()
    }

    fn tidy(&self) {
        let limiter = self.limiter.load();
        limiter.retain_recent();
        limiter.shrink_to_fit();
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
