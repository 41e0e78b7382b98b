//! The life of an order: what an upstream's status word makes of it, by "Status words that move money" of the ledger's
//! design. An order only ever moves forward, and an end is final.

use serde::{Deserialize, Serialize};

use crate::money::{Currency, Micros};

/// The statuses that customers see, and no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OrderStatus {
    /// Not begun, as far as is known.
    Pending,
    /// Being delivered.
    #[serde(rename = "In progress")]
    InProgress,
    /// Ended with a part undelivered and refunded.
    Partial,
    /// Ended, delivered.
    Completed,
    /// Ended with nothing delivered and all refunded.
    Canceled,
}

impl OrderStatus {
    /// Every status there is.
    pub const ALL: [Self; 5] = [Self::Pending, Self::InProgress, Self::Partial, Self::Completed, Self::Canceled];

    /// Whether the order has ended; an ended order never changes again.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Partial | Self::Completed | Self::Canceled)
    }

    /// The word that panels compare, letter by letter.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "In progress",
            Self::Partial => "Partial",
            Self::Completed => "Completed",
            Self::Canceled => "Canceled",
        }
    }

    /// The status of that name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name().eq_ignore_ascii_case(name))
    }
}

/// What an upstream's status word means. Whatever is not listed is [`StatusWord::Other`] and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StatusWord {
    /// Waiting to begin.
    Pending,
    /// Being delivered.
    InProgress,
    /// Delivered.
    Completed,
    /// Ended with a part undelivered.
    Partial,
    /// Ended and refunded.
    Canceled,
    /// Ended in an error of the upstream.
    Failed,
    /// Not listed: no news.
    Other,
}

impl StatusWord {
    /// Reads a word; case, spaces, `_` and `-` do not count. The words that end an order are those of the ledger's design
    /// and no others: they move money, and a number, say, means one thing here and another there.
    pub fn parse(text: &str) -> Self {
        let plain: String =
            text.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect();
        match plain.trim() {
            "pending" | "awaiting" | "created" => Self::Pending,
            "inprogress" | "processing" | "progress" | "active" | "working" => Self::InProgress,
            "completed" | "complete" | "done" => Self::Completed,
            "partial" => Self::Partial,
            "canceled" | "cancelled" | "canelled" | "refunded" | "refunds" => Self::Canceled,
            "fail" | "failed" | "error" | "rejected" | "expired" => Self::Failed,
            _ => Self::Other,
        }
    }
}

/// What an upstream said of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The status, understood.
    pub word: StatusWord,
    /// Units not delivered; `None` when it was missing or not a number. May be negative or above the quantity.
    pub remains: Option<i64>,
    /// The counter at the start; `None` when not known.
    pub start_count: Option<i64>,
    /// What the upstream says it charged.
    pub charge: Option<Micros>,
    /// The charge's currency, if it was named.
    pub currency: Option<Currency>,
}

/// How far an order has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What customers see.
    pub status: OrderStatus,
    /// The counter at the start.
    pub start_count: Option<i64>,
    /// Units not delivered; `None` until an upstream told.
    pub remains: Option<u64>,
    /// Readings in a row that said "partial" without saying how much remains.
    pub vague_partials: u32,
}

impl Progress {
    /// An order that was just placed.
    pub const NEW: Self = Self { status: OrderStatus::Pending, start_count: None, remains: None, vague_partials: 0 };
}

/// "Partial" without `remains` on so many readings becomes a case.
pub const VAGUE_PARTIALS_MAX: u32 = 3;

/// What a report makes of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing new.
    NoNews,
    /// It goes on.
    Running(Progress),
    /// It ended; `remains` of the progress is final and decides the refund.
    Ended(Progress),
    /// A person has to look: the words do not say what to refund. The progress is kept meanwhile.
    Unclear(Progress, &'static str),
}

/// What `report` makes of an order of `quantity` units that has come as far as `now`.
pub fn step(now: Progress, quantity: u64, report: &Report) -> Step {
    if now.status.is_terminal() {
        return Step::NoNews;
    }
    let remains = report.remains.map(|r| u64::try_from(r).unwrap_or(0).min(quantity));
    let seen = Progress {
        status: now.status,
        start_count: report.start_count.or(now.start_count),
        remains: remains.or(now.remains),
        vague_partials: 0,
    };
    let ended = |status, remains| Step::Ended(Progress { status, remains: Some(remains), ..seen });
    match (report.word, remains) {
        (StatusWord::Pending, _) => moved(now, seen),
        (StatusWord::InProgress, _) => moved(now, Progress { status: OrderStatus::InProgress, ..seen }),
        (StatusWord::Completed, _) | (StatusWord::Partial, Some(0)) => ended(OrderStatus::Completed, 0),
        (StatusWord::Partial | StatusWord::Canceled, Some(left)) if 0 < left && left < quantity => {
            ended(OrderStatus::Partial, left)
        }
        (StatusWord::Canceled, _) | (StatusWord::Partial, Some(_)) => ended(OrderStatus::Canceled, quantity),
        (StatusWord::Partial, None) => vague(now, seen),
        (StatusWord::Failed, left) if left == Some(quantity) || report.charge == Some(Micros::ZERO) => {
            ended(OrderStatus::Canceled, quantity)
        }
        (StatusWord::Failed, _) => Step::Unclear(
            Progress { status: now.status, ..seen },
            "failed, with a charge and without the whole quantity remaining",
        ),
        (StatusWord::Other, _) => Step::NoNews,
    }
}

/// "Partial", but not how much: kept running until it has been read often enough to ask a person.
fn vague(now: Progress, seen: Progress) -> Step {
    let vague_partials = now.vague_partials.saturating_add(1);
    let kept = Progress { status: now.status.max(OrderStatus::InProgress), vague_partials, ..seen };
    if vague_partials >= VAGUE_PARTIALS_MAX {
        Step::Unclear(kept, "partial, without saying how much remains")
    } else {
        Step::Running(kept)
    }
}

/// A running order never falls back to an earlier status.
fn moved(now: Progress, seen: Progress) -> Step {
    let next = Progress { status: now.status.max(seen.status), ..seen };
    if next == now { Step::NoNews } else { Step::Running(next) }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
