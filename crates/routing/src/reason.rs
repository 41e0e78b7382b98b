//! Why a candidate was passed over.

use std::fmt;

use interline_domain::price::PriceError;
use serde::{Deserialize, Serialize};

/// Why an offer cannot take an order. The text is for operators; customers never see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The operator disabled the offer or its upstream.
    Disabled,
    /// The upstream's catalogue does not list it (any more), or was never read.
    NotListed,
    /// The catalogue was last read too long ago to trust the price.
    StalePrice,
    /// The quantity is outside the upstream's bounds.
    Quantity {
        /// Smallest quantity there.
        min: u64,
        /// Largest quantity there.
        max: u64,
    },
    /// The upstream's service is of another type, or takes other parameters.
    Type,
    /// The upstream's protocol cannot say such an order.
    Protocol {
        /// What the order would have to be, in the words of its parameters.
        allowed: String,
    },
    /// The order is delivered in runs, and the upstream does not say that it does that.
    Dripfeed,
    /// The upstream's currency has no rate to the base currency.
    NoRate,
    /// What the upstream lists makes no price for this order.
    NoPrice {
        /// Why not.
        why: String,
    },
    /// Too many submissions there are unknown.
    Exposure,
    /// The upstream's balance does not cover the cost.
    Balance,
    /// It would be sold below the margin floor.
    Margin,
    /// This order was already tried there.
    Tried,
    /// The cost leaves the range of the books.
    TooLarge,
}

impl From<PriceError> for Reason {
    fn from(error: PriceError) -> Self {
        match error {
            PriceError::Amount(_) => Self::TooLarge,
            PriceError::NoStep(_) | PriceError::NoTier { .. } | PriceError::NoDuration | PriceError::Malformed => {
                Self::NoPrice { why: error.to_string() }
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("disabled"),
            Self::NotListed => f.write_str("missing from the upstream's catalogue"),
            Self::StalePrice => f.write_str("price too old (sync the catalogue)"),
            Self::Quantity { min, max } => write!(f, "quantity outside {min} to {max}"),
            Self::Type => f.write_str("type or parameters it does not take"),
            Self::Protocol { allowed } => write!(f, "its protocol cannot say this order: {allowed}"),
            Self::Dripfeed => f.write_str("no drip-feed there"),
            Self::NoRate => f.write_str("its currency has no rate"),
            Self::NoPrice { why } => write!(f, "its cost cannot be computed: {why}"),
            Self::Exposure => f.write_str("exposure cap reached: too many unknown submissions"),
            Self::Balance => f.write_str("upstream balance too small"),
            Self::Margin => f.write_str("margin below the floor"),
            Self::Tried => f.write_str("already tried for this order"),
            Self::TooLarge => f.write_str("cost too large"),
        }
    }
}
