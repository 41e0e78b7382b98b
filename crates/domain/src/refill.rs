//! The life of a refill: asked for at most once, then followed to its end.

use serde::{Deserialize, Serialize};

/// What customers see of a refill (`protocol.md` §1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RefillStatus {
    /// Asked for.
    Pending,
    /// Being delivered.
    #[serde(rename = "In progress")]
    InProgress,
    /// Delivered.
    Completed,
    /// The upstream will not do it.
    Rejected,
}

impl RefillStatus {
    /// The word that panels compare.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "In progress",
            Self::Completed => "Completed",
            Self::Rejected => "Rejected",
        }
    }

    /// Reads an upstream's word; `None` for one that is not listed, which is no news.
    pub fn parse(text: &str) -> Option<Self> {
        let plain: String =
            text.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect();
        match plain.as_str() {
            "pending" | "awaiting" => Some(Self::Pending),
            "inprogress" | "processing" => Some(Self::InProgress),
            "completed" | "complete" | "success" | "done" => Some(Self::Completed),
            "rejected" | "canceled" | "cancelled" | "fail" | "failed" | "error" => Some(Self::Rejected),
            _ => None,
        }
    }
}

/// Where a refill stands with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefillState {
    /// One owner may write it to the wire, once.
    Sending,
    /// It may have been taken; only a person can tell. It is never asked for again meanwhile.
    Unknown,
    /// The upstream gave a refill id.
    Accepted,
    /// Delivered.
    Completed,
    /// Certainly not taken, or given up by the upstream.
    Rejected,
}

impl RefillState {
    /// Every state there is.
    pub const ALL: [Self; 5] = [Self::Sending, Self::Unknown, Self::Accepted, Self::Completed, Self::Rejected];

    /// The name it is stored under.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Accepted => "accepted",
            Self::Completed => "completed",
            Self::Rejected => "rejected",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it may still be delivered: an order has at most one such refill.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Sending | Self::Unknown | Self::Accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_leniently_and_unlisted_ones_are_no_news() {
        for (word, status) in [
            ("Pending", Some(RefillStatus::Pending)),
            ("in_progress", Some(RefillStatus::InProgress)),
            ("COMPLETED", Some(RefillStatus::Completed)),
            ("Fail", Some(RefillStatus::Rejected)),
            ("Cancelled", Some(RefillStatus::Rejected)),
            ("perhaps", None),
            ("", None),
        ] {
            assert_eq!(RefillStatus::parse(word), status, "{word}");
        }
    }

    #[test]
    fn names_are_one_to_one() {
        for state in RefillState::ALL {
            assert_eq!(RefillState::from_name(state.name()), Some(state));
        }
    }
}
