//! Why a call is refused: the texts of the panel faces and, here alone, their HTTP statuses.

use crate::command::Command;

/// The status of everything that is answered, lists with errors in them too.
pub(crate) const ANSWERED: u16 = 200;

/// A refusal; its text is what the customer reads. Clients compare these texts, so they stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The key is missing, unknown, revoked or sent in two versions.
    #[error("Invalid API key")]
    InvalidKey,
    /// The call makes no sense; the text names the field and its bound, and never repeats a key.
    #[error("{0}")]
    BadRequest(String),
    /// There is no such service for this account.
    #[error("Incorrect service ID")]
    IncorrectService,
    /// There is no such order of this account.
    #[error("Incorrect order ID")]
    IncorrectOrder,
    /// The wallet is too small.
    #[error("Not enough funds on balance")]
    NotEnoughFunds,
    /// Too many calls.
    #[error("Rate limit exceeded")]
    TooFast {
        /// Seconds until a call may succeed.
        retry_after_s: u64,
    },
    /// No candidate can take the order, or all refused.
    #[error("No upstream can take this order now")]
    NoUpstream,
    /// Too busy, or the database is away, before anything was committed.
    #[error("Try again later")]
    TryLater {
        /// Seconds until a call may succeed.
        retry_after_s: u64,
    },
    /// The upstream of this order cannot cancel.
    #[error("Service doesn't support cancel")]
    NoCancel,
    /// A status cannot be answered now: the code with an empty body.
    #[error("Try again later")]
    StatusUnavailable {
        /// Seconds until a call may succeed.
        retry_after_s: u64,
    },
    /// Too many calls, the last of them for a status: the code with an empty body.
    #[error("Rate limit exceeded")]
    StatusTooFast {
        /// Seconds until a call may succeed.
        retry_after_s: u64,
    },
}

impl Refused {
    /// This refusal as it may be said to `command`: panels take any `error` in a status for the end of the order
    /// (`protocol.md` §4), so of a passing fault only the code is said there.
    #[must_use]
    pub fn said_to(self, command: &Command) -> Self {
        match (self, command) {
            (Self::TooFast { retry_after_s }, Command::Status(_) | Command::StatusMany(_)) => {
                Self::StatusTooFast { retry_after_s }
            }
            (Self::TryLater { retry_after_s }, Command::Status(_) | Command::StatusMany(_)) => {
                Self::StatusUnavailable { retry_after_s }
            }
            (refused, _) => refused,
        }
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) | Self::NoCancel => 400,
            Self::InvalidKey => 401,
            Self::NotEnoughFunds => 402,
            Self::IncorrectService | Self::IncorrectOrder => 404,
            Self::TooFast { .. } | Self::StatusTooFast { .. } => 429,
            Self::NoUpstream => 502,
            Self::TryLater { .. } | Self::StatusUnavailable { .. } => 503,
        }
    }

    /// The seconds for a `Retry-After` header.
    pub const fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::TooFast { retry_after_s }
            | Self::TryLater { retry_after_s }
            | Self::StatusUnavailable { retry_after_s }
            | Self::StatusTooFast { retry_after_s } => Some(*retry_after_s),
            _ => None,
        }
    }

    /// Whether only the code is said, with an empty body.
    pub(crate) const fn is_bare(&self) -> bool {
        matches!(self, Self::StatusUnavailable { .. } | Self::StatusTooFast { .. })
    }
}
