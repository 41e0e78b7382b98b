//! An order as the panel keeps it, from whichever face it came.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::pace::Pace;
use crate::life::Standing;

/// An order. Amounts are micro-units.
pub(super) struct Order {
    pub(super) service: String,
    pub(super) target: String,
    pub(super) quantity: u64,
    /// Everything that it was ordered with.
    pub(super) params: BTreeMap<String, String>,
    pub(super) cancelable: bool,
    pub(super) refillable: bool,
    /// Its latest refill.
    pub(super) refill: Option<u64>,
    pub(super) start_count: u64,
    pub(super) charge: i64,
    pub(super) refunded: i64,
    pub(super) taken_at_ms: u64,
    /// The reading of the life clock when delivery began, less all the time that it was paused.
    pub(super) born_ms: u64,
    /// Whether it is being delivered.
    pub(super) pace: Pace,
    /// How it was made to stand; until then it lives by the clock.
    pub(super) made: Option<Standing>,
    /// Not there any more for whoever asks.
    pub(super) removed: bool,
    /// What every answer about it says, whatever is true.
    pub(super) told: Map<String, Value>,
}

impl Order {
    /// An order before it is taken.
    pub(super) fn new(service: &str, target: &str, quantity: u64, charge: i64) -> Self {
        Self {
            service: service.to_owned(),
            target: target.to_owned(),
            quantity,
            params: BTreeMap::new(),
            cancelable: false,
            refillable: false,
            refill: None,
            start_count: 0,
            charge,
            refunded: 0,
            taken_at_ms: 0,
            born_ms: 0,
            pace: Pace::Runs,
            made: None,
            removed: false,
            told: Map::new(),
        }
    }

    /// An answer about it, with what it is made to say.
    pub(super) fn tell(&self, mut answer: Value) -> Value {
        if let Some(fields) = answer.as_object_mut() {
            fields.extend(self.told.clone());
        }
        answer
    }
}
