//! Why a call is refused: the texts of the panel faces and, here alone, their HTTP statuses.

/// The status of everything that is answered, lists with errors in them too; in some dialects of every refusal.
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
    /// This order is not refilled: its service does not, it is not completed, or a refill is under way.
    #[error("Order not eligible for refill")]
    NotRefillable,
    /// There is no such refill of this account.
    #[error("Refill not found")]
    NoRefill,
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
    /// This refusal as it may be said to a call that `asks_status`, or does not: panels take any `error` in a status for the
    /// end of the order (`protocol.md` §4), so of a passing fault only the code is said there.
    #[must_use]
    pub fn said_to(self, asks_status: bool) -> Self {
        match self {
            Self::TooFast { retry_after_s } if asks_status => Self::StatusTooFast { retry_after_s },
            Self::TryLater { retry_after_s } if asks_status => Self::StatusUnavailable { retry_after_s },
            refused => refused,
        }
    }

    /// The result that it is counted and traced under, one of a few names.
    pub const fn result(&self) -> &'static str {
        match self {
            Self::BadRequest(_) | Self::NoCancel | Self::NotRefillable => "bad_request",
            Self::InvalidKey => "unauthorized",
            Self::NotEnoughFunds => "no_funds",
            Self::IncorrectService | Self::IncorrectOrder | Self::NoRefill => "not_found",
            Self::TooFast { .. } | Self::StatusTooFast { .. } => "too_fast",
            Self::NoUpstream => "no_upstream",
            Self::TryLater { .. } | Self::StatusUnavailable { .. } => "busy",
        }
    }

    /// The HTTP status, where the dialect says it.
    pub const fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) | Self::NoCancel | Self::NotRefillable => 400,
            Self::InvalidKey => 401,
            Self::NotEnoughFunds => 402,
            Self::IncorrectService | Self::IncorrectOrder | Self::NoRefill => 404,
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

    /// Whether only the code is said, with an empty body, in every dialect.
    pub(crate) const fn is_bare(&self) -> bool {
        matches!(self, Self::StatusUnavailable { .. } | Self::StatusTooFast { .. })
    }
}
