//! Names of things. Numeric ids are what panels can store (MySQL `int`); text ids are part of ledger account names.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The largest order or service id: panels keep them in a signed 32-bit column.
pub const ID_MAX: i64 = 2_147_483_647;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a whole number from 1 up to the largest.
    #[error("`{0}` is not a whole number from 1 to {1}")]
    Number(String, i64),
    /// Not a name of a customer, an upstream or the like.
    #[error("`{0}` must be 1 to 64 characters of a-z, 0-9, `.`, `_` and `-`, and start with a letter or a digit")]
    Name(String),
}

/// A number that names one thing; every numeric id has the same shape.
macro_rules! numeric_id {
    ($(#[$doc:meta])* $name:ident up to $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let number = || text.trim().parse::<i64>().ok().filter(|id| (1..=$max).contains(id));
                number().map(Self).ok_or_else(|| IdError::Number(text.chars().take(40).collect(), $max))
            }
        }
    };
}

/// A text that names one thing, cheap to clone; every text id has the same shape.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                checked_name(text).map(|name| Self(name.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }
    };
}

numeric_id!(
    /// An order of a customer.
    OrderId up to ID_MAX
);
numeric_id!(
    /// One try to place an order at one upstream.
    AttemptId up to i64::MAX
);
numeric_id!(
    /// A service that we sell.
    ServiceId up to ID_MAX
);
numeric_id!(
    /// A refill of an order.
    RefillId up to ID_MAX
);
numeric_id!(
    /// A case that a person may have to decide.
    CaseId up to i64::MAX
);
text_id!(
    /// A customer: a downstream panel.
    AccountId
);
text_id!(
    /// A supplier of ours.
    UpstreamId
);

/// The one spelling of text ids. A colon would break a ledger account's name, so it is not allowed.
fn checked_name(text: &str) -> Result<&str, IdError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = (1..=64).contains(&text.len())
        && text.starts_with(plain)
        && text.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-'));
    if good { Ok(text) } else { Err(IdError::Name(text.chars().take(64).collect())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_checked() {
        assert_eq!("101".parse(), Ok(ServiceId(101)));
        for bad in ["0", "-1", "2147483648", "1.0", "", "ten"] {
            assert!(bad.parse::<OrderId>().is_err(), "{bad}");
        }
        assert!("panel-a".parse::<AccountId>().is_ok());
        for bad in ["", "A", "a:b", "-a", "a b", &"x".repeat(65)] {
            assert!(bad.parse::<UpstreamId>().is_err(), "{bad}");
        }
    }
}
