//! The PerfectPanel "API v2" dialect as a client of upstream panels (`protocol.md` §1 and §3, seed `panel-api-v2.txt`):
//! pure encoding of calls and decoding of answers.
//!
//! Panels of this dialect answer in many shapes, and their errors are translated texts. The readers here are lenient
//! about the shape and strict about the meaning: only a listed error is a refusal, only an id is an acceptance, and
//! the rest is unknown or a fault.
//!
//! A decoder does not know the key, but a panel may echo it. Texts and excerpts in answers are one line of at most 512
//! characters without control characters; whoever made the call removes the key from them before they are kept or
//! shown.

mod balance;
mod cancel;
mod catalogue;
mod complaint;
mod encode;
mod entries;
mod errors;
mod heard;
mod refill;
mod status;
mod submit;

use interline_domain::OrderKind;
use interline_upstream::{Answer, Call, Capabilities, Dialect, Endpoint, Fault, Request, Response, value};

pub use crate::{complaint::Complaint, errors::Listed, heard::Heard};

/// The dialect; it has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct PerfectPanel;

impl Dialect for PerfectPanel {
    fn name(&self) -> &'static str {
        "perfectpanel"
    }

    fn capabilities(&self) -> Capabilities {
        // Above a hundred ids, panels answer an error or cut the list without a word. `action=orders` exists on too few
        // of them to be counted on.
        Capabilities { status_batch_max: 100, cancel_batch_max: 100, lists_orders: false }
    }

    fn takes(&self, kind: &OrderKind) -> Result<(), &'static str> {
        encode::takes(kind)
    }

    fn encode(&self, endpoint: &Endpoint, call: &Call) -> Option<Request> {
        encode::request(endpoint, call)
    }

    fn unknown_action(&self, endpoint: &Endpoint) -> Option<Request> {
        Some(encode::unknown_action(endpoint))
    }

    fn decode(&self, call: &Call, response: &Response) -> Answer {
        let heard = Heard::new(response);
        match call {
            Call::Catalogue => catalogue::read(&heard),
            Call::Balance => balance::read(&heard),
            Call::Submit(_) => Answer::Submit(submit::read(&heard)),
            Call::Status(asked) => status::read(&heard, asked),
            Call::Cancel(asked) => cancel::read(&heard, asked),
            Call::Refill(_) => Answer::Refill(refill::read(&heard)),
            Call::RefillStatus(asked) => refill::read_statuses(&heard, asked),
            // Never asked, so there is nothing to read.
            Call::Orders { .. }
            | Call::Pause(_)
            | Call::Resume(_)
            | Call::Delete(_)
            | Call::Quote(_)
            | Call::Upgrade(_)
            | Call::Change(_)
            | Call::Prolong { .. }
            | Call::Validate(_) => Answer::Fault(Fault::Unsupported),
        }
    }
}

#[cfg(test)]
#[path = "dialect_tests.rs"]
mod tests;
