//! What is counted of an upstream's feed.

use interline_domain::UpstreamId;
use interline_egress::FeedError;
use metrics::{Counter, Gauge, counter, gauge};

use super::Lost;

/// The handles of one feed. All are made at once, so that what never happened is shown as 0.
pub(super) struct FeedMeters {
    connected: Gauge,
    updates: Counter,
    due: Counter,
    moot: Counter,
    unknown: Counter,
    dropped: Counter,
    lost: Vec<(&'static str, Counter)>,
}

impl FeedMeters {
    pub(super) fn new(upstream: &UpstreamId) -> Self {
        let hints = |outcome: &'static str| {
            let upstream = upstream.to_string();
            counter!("interline_feed_hints_total", "upstream" => upstream, "outcome" => outcome)
        };
        let lost = |reason: &'static str| {
            let upstream = upstream.to_string();
            (reason, counter!("interline_feed_reconnects_total", "upstream" => upstream, "reason" => reason))
        };
        let meters = Self {
            connected: gauge!("interline_feed_connected", "upstream" => upstream.to_string()),
            updates: counter!("interline_feed_updates_total", "upstream" => upstream.to_string()),
            due: hints("due"),
            moot: hints("moot"),
            unknown: hints("unknown"),
            dropped: hints("dropped"),
            lost: FeedError::NAMES.into_iter().chain([Lost::UNREADY]).map(lost).collect(),
        };
        meters.connected(false);
        meters
    }

    /// Whether news come.
    pub(super) fn connected(&self, is_connected: bool) {
        self.connected.set(if is_connected { 1.0 } else { 0.0 });
    }

    /// The feed was lost, or could not be had.
    pub(super) fn lost(&self, why: &Lost) {
        if let Some((_, counter)) = self.lost.iter().find(|(reason, _)| *reason == why.name()) {
            counter.increment(1);
        }
    }

    /// There is news of so many orders.
    pub(super) fn updated(&self, orders: usize) {
        self.updates.increment(count(orders));
    }

    /// There was no room for the hints at so many orders.
    pub(super) fn dropped(&self, orders: usize) {
        self.dropped.increment(count(orders));
    }

    /// Of so many orders some were known here, some were made due, and some are tried again, for they are being looked
    /// at. The others were due already, or are not looked at any more.
    pub(super) fn passed_on(&self, orders: usize, known: usize, due: usize, again: usize) {
        self.unknown.increment(count(orders.saturating_sub(known)));
        self.due.increment(count(due));
        self.moot.increment(count(known.saturating_sub(due).saturating_sub(again)));
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
