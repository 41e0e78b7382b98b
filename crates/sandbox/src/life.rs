//! The life of an order at the simulated upstream: by the clock, or as a script says.

use crate::config::Life;

/// How an order stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The status word as it is sent.
    pub(crate) status: String,
    /// What is sent as `remains`; `None` leaves it out of the answer.
    pub(crate) remains: Option<i64>,
}

impl Standing {
    pub(crate) fn new(status: &str, remains: u64) -> Self {
        Self { status: status.to_owned(), remains: Some(signed(remains)) }
    }

    /// What a script said. Without `remains`: 0 when completed, the quantity when canceled, left out where the word
    /// ends an order short without saying by how much, and as it was for every other word.
    pub(crate) fn scripted(status: &str, remains: Option<i64>, quantity: u64, before: &Self) -> Self {
        let implied = match word(status) {
            Word::Completed => Some(0),
            Word::Canceled => Some(signed(quantity)),
            Word::Short => None,
            Word::Running => before.remains,
        };
        Self { status: status.to_owned(), remains: remains.or(implied) }
    }

    /// Units not delivered, within 0 and `quantity`; what was left out counts as none.
    pub(crate) fn remaining(&self, quantity: u64) -> u64 {
        u64::try_from(self.remains.unwrap_or(0)).unwrap_or(0).min(quantity)
    }

    /// Units that are refunded: everything when canceled, unless a part is said to remain.
    pub(crate) fn undelivered(&self, quantity: u64) -> u64 {
        match (word(&self.status), self.remaining(quantity)) {
            (Word::Completed | Word::Running, _) => 0,
            (Word::Canceled, 0) => quantity,
            (Word::Canceled | Word::Short, remaining) => remaining,
        }
    }

    /// Whether the order was delivered in full.
    pub(crate) fn is_completed(&self) -> bool {
        matches!(word(&self.status), Word::Completed)
    }

    /// Whether the order has ended.
    pub(crate) fn has_ended(&self) -> bool {
        !matches!(word(&self.status), Word::Running)
    }
}

/// The clock that orders live by. It can be paused.
pub(crate) struct LifeClock {
    life: Life,
    paused_since_ms: Option<u64>,
    paused_total_ms: u64,
}

impl LifeClock {
    pub(crate) fn new(life: Life) -> Self {
        Self { life, paused_since_ms: None, paused_total_ms: 0 }
    }

    /// The reading of this clock: it stands still while it is paused.
    pub(crate) fn at(&self, now_ms: u64) -> u64 {
        self.paused_since_ms.unwrap_or(now_ms).saturating_sub(self.paused_total_ms)
    }

    pub(crate) fn pause(&mut self, paused: bool, now_ms: u64) {
        match (self.paused_since_ms, paused) {
            (None, true) => self.paused_since_ms = Some(now_ms),
            (Some(since_ms), false) => {
                self.paused_total_ms += now_ms.saturating_sub(since_ms);
                self.paused_since_ms = None;
            }
            _ => {}
        }
    }

    /// How an unscripted order stands that was taken when this clock read `born_ms`.
    pub(crate) fn standing(&self, born_ms: u64, quantity: u64, now_ms: u64) -> Standing {
        self.standing_at(born_ms, quantity, self.at(now_ms))
    }

    /// How it stands when this clock reads `reading_ms`.
    pub(crate) fn standing_at(&self, born_ms: u64, quantity: u64, reading_ms: u64) -> Standing {
        let age_ms = reading_ms.saturating_sub(born_ms);
        let Life { start_ms, finish_ms } = self.life;
        let unborn = age_ms == 0 && self.paused_since_ms.is_some();
        if age_ms < start_ms || unborn {
            Standing::new("Pending", quantity)
        } else if age_ms >= finish_ms {
            Standing::new("Completed", 0)
        } else {
            let delivered = u128::from(quantity) * u128::from(age_ms - start_ms) / u128::from(finish_ms - start_ms);
            let delivered = u64::try_from(delivered).unwrap_or(quantity);
            Standing::new("In progress", quantity.saturating_sub(delivered))
        }
    }
}

/// What a status word means to a panel's own books.
enum Word {
    Completed,
    Canceled,
    /// Ended with a part undelivered: partial, and the ways to fail.
    Short,
    Running,
}

fn word(status: &str) -> Word {
    let plain: String = status.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect();
    match plain.as_str() {
        "completed" | "complete" | "done" => Word::Completed,
        "canceled" | "cancelled" | "canelled" | "refunded" | "refunds" => Word::Canceled,
        "partial" | "fail" | "failed" | "error" | "rejected" | "expired" | "deleted" => Word::Short,
        _ => Word::Running,
    }
}

fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Life = Life { start_ms: 100, finish_ms: 1_100 };

    #[test]
    fn delivery_rises_in_a_straight_line() {
        let clock = LifeClock::new(LIFE);
        for (now_ms, status, remains) in [
            (5_000, "Pending", 1_000),
            (5_099, "Pending", 1_000),
            (5_100, "In progress", 1_000),
            (5_600, "In progress", 500),
            (6_099, "In progress", 1),
            (6_100, "Completed", 0),
        ] {
            assert_eq!(clock.standing(5_000, 1_000, now_ms), Standing::new(status, remains), "at {now_ms}");
        }
    }

    #[test]
    fn nothing_happens_while_the_clock_is_paused() {
        let mut clock = LifeClock::new(LIFE);
        clock.pause(true, 400);
        clock.pause(true, 500);
        assert_eq!(clock.standing(0, 1_000, 9_000), Standing::new("In progress", 700));
        clock.pause(false, 10_400);
        assert_eq!(clock.standing(0, 1_000, 10_500), Standing::new("In progress", 600));

        let mut at_once = LifeClock::new(Life { start_ms: 0, finish_ms: 0 });
        assert_eq!(at_once.standing(0, 10, 0), Standing::new("Completed", 0));
        at_once.pause(true, 50);
        assert_eq!(at_once.standing(at_once.at(70), 10, 90), Standing::new("Pending", 10));
    }

    #[test]
    fn a_script_implies_what_it_leaves_out() {
        let before = Standing::new("In progress", 400);
        let said = |status: &str, remains| Standing::scripted(status, remains, 1_000, &before);
        assert_eq!(said("Completed", None).remains, Some(0));
        assert_eq!(said("Cancelled", None).remains, Some(1_000));
        assert_eq!(said("Partial", None).remains, None);
        assert_eq!(said("Processing", None).remains, Some(400));
        assert_eq!(said("Partial", Some(-3)).remains, Some(-3));
        assert!(said("Partial", None).has_ended() && !said("Awaiting", None).has_ended());
    }

    #[test]
    fn what_is_refunded_follows_the_word() {
        let before = Standing::new("In progress", 400);
        for (status, remains, undelivered) in [
            ("Completed", Some(10), 0),
            ("In progress", None, 0),
            ("Partial", Some(157), 157),
            ("Partial", Some(2_000), 1_000),
            ("Partial", Some(-1), 0),
            ("Partial", None, 0),
            ("Failed", Some(1_000), 1_000),
            ("Canceled", None, 1_000),
            ("Canceled", Some(0), 1_000),
            ("Refunded", Some(300), 300),
        ] {
            let standing = Standing::scripted(status, remains, 1_000, &before);
            assert_eq!(standing.undelivered(1_000), undelivered, "{status} {remains:?}");
        }
    }
}
