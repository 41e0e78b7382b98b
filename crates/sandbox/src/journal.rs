//! The sandbox's own memory of what really happened, to be held against what others believe.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// The most calls that are remembered; older ones are forgotten first.
const CALLS_MAX: usize = 100_000;

/// What `GET /__journal` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Every order that was really taken, in order of taking.
    pub orders: Vec<JournalOrder>,
    /// Every refill that was really taken, in order of taking.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refills: Vec<JournalRefill>,
    /// The latest calls, at most 100,000, in order of arrival.
    pub calls: Vec<JournalCall>,
    /// The balance now, as decimal text.
    pub balance: String,
}

/// An order that was really taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalOrder {
    /// Its id.
    pub id: String,
    /// Its service's id.
    pub service: String,
    /// The target, as it was sent: the link, or for comments per post the user.
    pub link: String,
    /// Units ordered, in every run and on every post together.
    pub quantity: u64,
    /// Every parameter that was sent, but the key, the action and the service.
    pub params: BTreeMap<String, String>,
    /// What was taken from the balance for it, refunds not deducted, as decimal text.
    pub charge: String,
    /// What was given back, as decimal text.
    pub refunded: String,
    /// The status word that it reports now.
    pub status: String,
    /// Units not delivered, within 0 and the quantity.
    pub remains: u64,
    /// When it was taken, in milliseconds since the sandbox started.
    pub taken_at_ms: i64,
}

/// A refill that was really taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRefill {
    /// Its id; no order's.
    pub id: String,
    /// The id of the order that it refills.
    pub order: String,
    /// The status word that it reports now.
    pub status: String,
}

/// A call that arrived. Connections that were refused are never seen and so are not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalCall {
    /// The action under the name that faults know it by (`multiStatus` is `status`), or `connect` for a connection that
    /// was dropped before anything was read. `feed`: a socket of the push feed gave a key, or met a fault later.
    pub action: String,
    /// The name of the fault that it met, or `rate_limit` for a call that was faster than the key may be.
    pub fault: Option<String>,
    /// The order that an `add` took, or the one `order` that another action named.
    pub order: Option<String>,
    /// The trace that the caller told of, as the header `traceparent` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// The ring of remembered calls.
#[derive(Default)]
pub(crate) struct Calls(VecDeque<JournalCall>);

impl Calls {
    pub(crate) fn push(&mut self, call: JournalCall) {
        if self.0.len() >= CALLS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(call);
    }

    pub(crate) fn to_vec(&self) -> Vec<JournalCall> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_call_is_forgotten_first() {
        let mut calls = Calls::default();
        for number in 0..=CALLS_MAX {
            calls.push(JournalCall { action: number.to_string(), fault: None, order: None, traceparent: None });
        }
        let kept = calls.to_vec();
        assert_eq!(kept.len(), CALLS_MAX);
        assert_eq!(kept.first().map(|call| call.action.as_str()), Some("1"));
    }
}
