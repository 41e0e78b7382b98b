//! Whether an order is being delivered: some wait to be started, and some are paused.

use super::{Panel, order::Order};
use crate::life::Standing;

/// Whether an order's own clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// It is delivered.
    Runs,
    /// It was never started.
    Waits,
    /// It was paused when the life clock read this.
    Paused(u64),
}

impl Panel {
    /// How an order stands that nobody scripted.
    pub(super) fn standing_by_clock(&self, order: &Order, now_ms: u64) -> Standing {
        match order.pace {
            Pace::Runs => self.clock.standing(order.born_ms, order.quantity, now_ms),
            Pace::Waits => Standing::new("Pending", order.quantity),
            Pace::Paused(reading_ms) => self.clock.standing_at(order.born_ms, order.quantity, reading_ms),
        }
    }

    /// Stops the delivery of an order for now; one that stands still already is left as it is.
    pub(super) fn pause(&mut self, number: u64, now_ms: u64) {
        let reading_ms = self.clock.at(now_ms);
        if let Some(order) = self.orders.get_mut(&number).filter(|order| order.pace == Pace::Runs) {
            order.pace = Pace::Paused(reading_ms);
        }
        self.watch(number);
    }

    /// Starts the delivery of an order, or goes on with it.
    pub(super) fn start(&mut self, number: u64, now_ms: u64) {
        let reading_ms = self.clock.at(now_ms);
        if let Some(order) = self.orders.get_mut(&number) {
            order.born_ms = match order.pace {
                Pace::Runs => order.born_ms,
                Pace::Waits => reading_ms,
                Pace::Paused(since_ms) => order.born_ms.saturating_add(reading_ms.saturating_sub(since_ms)),
            };
            order.pace = Pace::Runs;
        }
        self.watch(number);
    }
}
