//! Hints on their way from a feed's socket to what is due: gathered without a wait, bounded, and passed on at a pace.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
    sync::{Mutex, PoisonError},
};

use interline_domain::Timestamp;
use tokio::sync::Notify;

/// Most orders that wait to be passed on. A hint beyond is dropped: it would have cost the database something, and
/// without it the order is looked at when its time comes.
const WAITING_MAX: usize = 10_000;
/// Most orders of which it is remembered when they were passed on last.
const PASSED_MAX: usize = 100_000;

/// What a feed said that was not passed on yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Hinted {
    /// Orders of the upstream that there is news of.
    pub(crate) orders: BTreeSet<String>,
    /// There was a gap: there may be news of every order.
    pub(crate) everything: bool,
}

/// What was hinted at, between the socket and whoever passes it on.
#[derive(Default)]
pub(crate) struct Hints {
    hinted: Mutex<Hinted>,
    stirred: Notify,
}

impl Hints {
    /// There is news of these orders. Returns of how many it was dropped.
    pub(crate) fn add(&self, orders: BTreeSet<String>) -> usize {
        let mut hinted = self.hinted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = 0;
        for order in orders {
            if hinted.orders.len() < WAITING_MAX {
                hinted.orders.insert(order);
            } else if !hinted.orders.contains(&order) {
                dropped += 1;
            }
        }
        drop(hinted);
        self.stirred.notify_one();
        dropped
    }

    /// There may be news of every order.
    pub(crate) fn add_everything(&self) {
        self.hinted.lock().unwrap_or_else(PoisonError::into_inner).everything = true;
        self.stirred.notify_one();
    }

    /// Waits until there is something.
    pub(crate) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    /// Takes what there is.
    pub(crate) fn take(&self) -> Hinted {
        mem::take(&mut *self.hinted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Passes an order on at once and not again within an interval. What comes meanwhile is kept until that is over, for it
/// may be of something that the look before did not see.
#[derive(Default)]
pub(crate) struct Pace {
    passed: HashMap<String, Timestamp>,
    waiting: BTreeSet<String>,
}

impl Pace {
    /// Whether nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Which of the orders that were hinted at, now and before, are passed on `now`; and of how many the hint was
    /// dropped.
    pub(crate) fn due(&mut self, hinted: BTreeSet<String>, now: Timestamp, interval_ms: i64) -> (Vec<String>, usize) {
        self.passed.retain(|_, at| now.since(*at) < interval_ms);
        let mut all = mem::take(&mut self.waiting);
        all.extend(hinted);
        let (mut due, mut dropped) = (Vec::new(), 0);
        for order in all {
            if !self.passed.contains_key(&order) {
                if self.passed.len() < PASSED_MAX {
                    self.passed.insert(order.clone(), now);
                }
                due.push(order);
            } else if self.waiting.len() < WAITING_MAX {
                self.waiting.insert(order);
            } else {
                dropped += 1;
            }
        }
        (due, dropped)
    }

    /// These could not be passed on after all: they wait, as if they had never been.
    pub(crate) fn take_back(&mut self, orders: impl IntoIterator<Item = String>) {
        for order in orders {
            self.passed.remove(&order);
            self.waiting.insert(order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[tokio::test]
    async fn what_is_hinted_at_is_gathered_and_bounded() {
        let hints = Hints::default();
        assert_eq!((hints.add(orders(&["1", "2"])), hints.add(orders(&["2", "3"]))), (0, 0));
        hints.add_everything();
        hints.stirred().await;
        assert_eq!(hints.take(), Hinted { orders: orders(&["1", "2", "3"]), everything: true });
        assert_eq!(hints.take(), Hinted::default(), "it was taken");

        let many = (0..WAITING_MAX + 7).map(|n| n.to_string()).collect();
        assert_eq!(hints.add(many), 7);
        let known = hints.take().orders;
        assert_eq!(known.len(), WAITING_MAX);
        assert_eq!(hints.add(known.clone()), 0);
        assert_eq!(hints.add(known), 0, "what waits already takes no room");
    }

    #[test]
    fn an_order_is_passed_on_once_in_an_interval_and_no_hint_is_forgotten() {
        let mut pace = Pace::default();
        let mut due = |ids: &[&str], now| pace.due(orders(ids), at(now), 100).0;
        assert_eq!(due(&["1", "2"], 0), ["1", "2"]);
        assert_eq!(due(&["1", "3"], 50), ["3"]);
        assert_eq!(due(&["1"], 99), [""; 0]);
        assert_eq!(due(&[], 100), ["1"], "its interval is over");
        assert_eq!(due(&["2"], 101), ["2"]);
        assert_eq!(due(&[], 1_000), [""; 0], "nothing was hinted at since");
        assert!(pace.is_idle());
    }

    #[test]
    fn what_was_not_passed_on_is_tried_again() {
        let mut pace = Pace::default();
        assert_eq!(pace.due(orders(&["1", "2"]), at(0), 100).0, ["1", "2"]);
        pace.take_back(["2".to_owned()]);
        assert!(!pace.is_idle());
        assert_eq!(pace.due(BTreeSet::new(), at(1), 100), (vec!["2".to_owned()], 0));
    }

    #[test]
    fn a_flood_takes_no_more_than_its_room() {
        let mut pace = Pace::default();
        let flood: BTreeSet<String> = (0..WAITING_MAX + 5).map(|n| n.to_string()).collect();
        assert_eq!(pace.due(flood.clone(), at(0), 100).0.len(), flood.len());
        assert_eq!(pace.due(flood, at(1), 100), (Vec::new(), 5));
        assert_eq!(pace.waiting.len(), WAITING_MAX);
    }
}
