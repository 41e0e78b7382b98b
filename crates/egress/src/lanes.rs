//! A lane per upstream: how fast and how many at once.

use std::{num::NonZeroU32, sync::Arc};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use interline_domain::UpstreamId;
use metrics::{Counter, counter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{guard::Guard, submit::IdleConnections};

/// How an upstream may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneSettings {
    /// Requests per second, at least 1.
    pub requests_per_second: u32,
    /// Requests at once after a quiet time, at least 1.
    pub burst: u32,
    /// Requests under way at once, at least 1.
    pub concurrency: u32,
    /// How long an answer is waited for, in milliseconds.
    pub timeout_ms: u64,
    /// Whether loopback and private addresses may be called.
    pub allow_private_address: bool,
}

/// The way to one upstream.
pub struct Lane {
    pub(crate) settings: LaneSettings,
    pub(crate) idle: IdleConnections,
    rate: DefaultDirectRateLimiter,
    slots: Arc<Semaphore>,
    held_back: HeldBack,
}

/// How often something could not go at once, by the limit.
struct HeldBack {
    rate: Counter,
    concurrency: Counter,
}

/// The right to make one request now: a rate token was spent and a slot is held until this is dropped.
#[derive(Debug)]
pub struct Permit {
    _slot: OwnedSemaphorePermit,
}

impl Lane {
    /// A lane with its own limits; what it holds back is counted under the upstream's name.
    pub fn new(upstream: &UpstreamId, settings: LaneSettings) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota =
            Quota::per_second(at_least_one(settings.requests_per_second)).allow_burst(at_least_one(settings.burst));
        let slots = Arc::new(Semaphore::new(usize::try_from(settings.concurrency.max(1)).unwrap_or(1)));
        let held_back = HeldBack {
            rate: counter!("interline_upstream_held_back_total", "upstream" => upstream.to_string(), "limit" => "rate"),
            concurrency: counter!(
                "interline_upstream_held_back_total", "upstream" => upstream.to_string(), "limit" => "concurrency"
            ),
        };
        Self { rate: RateLimiter::direct(quota), slots, held_back, idle: IdleConnections::default(), settings }
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &LaneSettings {
        &self.settings
    }

    /// A permit, if one can be had at once.
    pub fn try_permit(&self) -> Option<Permit> {
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            self.held_back.concurrency.increment(1);
            return None;
        };
        if self.rate.check().is_err() {
            self.held_back.rate.increment(1);
            return None;
        }
        Some(Permit { _slot: slot })
    }

    /// A permit, as soon as there is one.
    pub async fn permit(&self) -> Option<Permit> {
        // The semaphore is never closed.
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        self.rate.until_ready().await;
        Some(Permit { _slot: slot })
    }

    pub(crate) fn guard(&self) -> Guard {
        Guard { allow_private: self.settings.allow_private_address }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(burst: u32, concurrency: u32) -> Lane {
        let settings =
            LaneSettings { requests_per_second: 1, burst, concurrency, timeout_ms: 1, allow_private_address: false };
        Lane::new(&"alpha".parse().unwrap(), settings)
    }

    #[test]
    fn slots_and_tokens_both_limit() {
        let few_slots = lane(10, 2);
        let held = (few_slots.try_permit().unwrap(), few_slots.try_permit().unwrap());
        assert!(few_slots.try_permit().is_none());
        drop(held);
        assert!(few_slots.try_permit().is_some());
        let few_tokens = lane(1, 8);
        drop(few_tokens.try_permit().unwrap());
        assert!(few_tokens.try_permit().is_none());
    }
}
