//! The life of one attempt to place an order at one upstream, as a table.
//!
//! ```text
//! queued ⇄ sending → accepted → ended          unknown → accepted | released | disputed | settled
//!    ↘ released ↙         sending → unknown     disputed → settled
//! ```
//! At most one attempt of an order is live. Nothing leads from `unknown` back to `sending`: that would be a second submission.

use serde::{Deserialize, Serialize};

/// Where an attempt stands. What its reserve is booked under follows from it (see the ledger crate).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptState {
    /// Reserved; any node may claim it. Nothing was sent.
    Queued,
    /// One owner may write it to the wire, once, until its send deadline.
    Sending,
    /// It may have been taken; only evidence or a person can tell.
    Unknown,
    /// The upstream gave an order id.
    Accepted,
    /// The upstream's order came to its end and its cost is booked.
    Ended,
    /// Certainly not taken; the reserve went back.
    Released,
    /// Unknown past its deadline; the customer has been refunded.
    Disputed,
    /// A disputed or unknown attempt that was closed by evidence or a person.
    Settled,
}

/// What can happen to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEvent {
    /// A node takes it to send it.
    Claim,
    /// The upstream says it is busy: certainly not taken, to be sent later.
    Busy,
    /// The upstream took it, or proved to hold it.
    Accept,
    /// Proved not taken: refused, never sent, canceled while queued, or proved later.
    Release,
    /// Sent without a readable verdict.
    Lose,
    /// The upstream's order ended.
    End,
    /// The deadline for unknowns passed under the policy "refund".
    Dispute,
    /// Closed for good after a dispute, or written off.
    Settle,
}

impl AttemptState {
    /// Every state there is.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Sending,
        Self::Unknown,
        Self::Accepted,
        Self::Ended,
        Self::Released,
        Self::Disputed,
        Self::Settled,
    ];

    /// The state after `event`, or nothing if it cannot happen in this state.
    pub const fn on(self, event: AttemptEvent) -> Option<Self> {
        use AttemptEvent as E;
        Some(match (self, event) {
            (Self::Queued, E::Claim) => Self::Sending,
            (Self::Sending, E::Busy) => Self::Queued,
            (Self::Sending | Self::Unknown, E::Accept) => Self::Accepted,
            (Self::Queued | Self::Sending | Self::Unknown, E::Release) => Self::Released,
            (Self::Sending, E::Lose) => Self::Unknown,
            (Self::Accepted, E::End) => Self::Ended,
            (Self::Unknown, E::Dispute) => Self::Disputed,
            (Self::Unknown | Self::Disputed, E::Settle) => Self::Settled,
            _ => return None,
        })
    }

    /// Whether the attempt may still turn into a delivery: an order has at most one such attempt.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Sending | Self::Unknown | Self::Accepted)
    }

    /// Whether its reserve stands in `assets:committed`.
    pub const fn is_committed(self) -> bool {
        matches!(self, Self::Queued | Self::Sending | Self::Unknown)
    }

    /// The name it is stored and shown under.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Accepted => "accepted",
            Self::Ended => "ended",
            Self::Released => "released",
            Self::Disputed => "disputed",
            Self::Settled => "settled",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: [AttemptEvent; 8] = [
        AttemptEvent::Claim,
        AttemptEvent::Busy,
        AttemptEvent::Accept,
        AttemptEvent::Release,
        AttemptEvent::Lose,
        AttemptEvent::End,
        AttemptEvent::Dispute,
        AttemptEvent::Settle,
    ];

    #[test]
    fn nothing_that_may_have_been_taken_is_sent_again() {
        for state in [AttemptState::Unknown, AttemptState::Accepted, AttemptState::Disputed] {
            assert_eq!(state.on(AttemptEvent::Claim), None);
            assert_eq!(state.on(AttemptEvent::Busy), None);
        }
    }

    #[test]
    fn names_are_one_to_one() {
        for state in AttemptState::ALL {
            assert_eq!(AttemptState::from_name(state.name()), Some(state));
        }
    }

    proptest! {
        /// In any order of any events an attempt that is no longer live never becomes live again, and it is never
        /// claimed after it was sent without a verdict.
        #[test]
        fn any_history_is_sound(picks in proptest::collection::vec(0usize..EVENTS.len(), 0..40)) {
            let (mut state, mut lost) = (AttemptState::Queued, false);
            for pick in picks {
                let event = EVENTS[pick];
                let Some(next) = state.on(event) else { continue };
                prop_assert!(state.is_live() || !next.is_live());
                prop_assert!(!(lost && event == AttemptEvent::Claim));
                lost |= event == AttemptEvent::Lose;
                // Said twice, an event changes nothing more, or cannot happen.
                prop_assert!(next.on(event).is_none_or(|again| again == next));
                state = next;
            }
        }
    }
}
