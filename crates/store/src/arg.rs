//! The values that statements are run with, the same on both engines.

use serde_json::{Value, value::RawValue};

/// A value handed to a statement.
#[derive(Debug, Clone)]
pub(crate) enum Arg {
    /// BIGINT.
    Int(Option<i64>),
    /// TEXT.
    Text(Option<String>),
    /// BOOLEAN.
    Bool(bool),
    /// JSONB.
    Json(Value),
    /// JSONB, in writing.
    Written(Box<RawValue>),
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Arg {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Arg {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<bool> for Arg {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Box<RawValue>> for Arg {
    fn from(value: Box<RawValue>) -> Self {
        Self::Written(value)
    }
}

impl From<Value> for Arg {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}
