//! The Streamrise dialect (seed `streamrise-api.txt`, `protocol.md` §6): pure encoding of calls and decoding of answers.
//!
//! Streamrise has two faces behind one key. `/perfectPanel` speaks PerfectPanel in JSON: balance, statuses,
//! cancellations, and orders of the services that have numbers; its answers are read by that dialect. The native `/api/…`
//! has the rest: orders of the services that have names (`twitchViewers`), the list of orders, pauses, upgrades and
//! changes, catalogue tables and the push feed. Native calls carry the key in the query.
//!
//! Where the seed is silent: an answer to a change without a body, or a bare `OK`, under 200 is consent; any other is
//! unknown, as is every error that the seed does not name.

mod catalogue;
mod encode;
mod feed;
mod native;
mod orders;
mod prices;

use interline_domain::OrderKind;
use interline_upstream::{
    Answer, Call, Capabilities, Dialect, Endpoint, Fault, Feed, Next, Request, Response, one_request,
};
use interline_upstream_perfectpanel::PerfectPanel;

/// The dialect; it has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Streamrise;

impl Dialect for Streamrise {
    fn name(&self) -> &'static str {
        "streamrise"
    }

    fn capabilities(&self) -> Capabilities {
        // The seed names no limit; this is the one that panels of the protocol have.
        Capabilities { status_batch_max: 100, cancel_batch_max: 100, lists_orders: true }
    }

    fn takes(&self, kind: &OrderKind) -> Result<(), &'static str> {
        encode::takes(kind)
    }

    fn encode(&self, endpoint: &Endpoint, call: &Call) -> Option<Request> {
        encode::request(endpoint, call)
    }

    fn decode(&self, call: &Call, response: &Response) -> Answer {
        match call {
            Call::Catalogue => catalogue::numbered(response),
            Call::Balance | Call::Status(_) | Call::Cancel(_) => PerfectPanel.decode(call, response),
            Call::Submit(order) if encode::is_numbered(&order.service) => PerfectPanel.decode(call, response),
            Call::Submit(_) => Answer::Submit(native::submitted(response)),
            Call::Orders { since } => orders::page(response, *since),
            Call::Pause(_) | Call::Resume(_) | Call::Delete(_) | Call::Validate(_) => native::consented(response),
            Call::Quote(_) => native::quoted(response),
            Call::Upgrade(altered) | Call::Change(altered) => Answer::Alter(native::altered(response, &altered.order)),
            // Never asked, so there is nothing to read.
            Call::Refill(_) | Call::RefillStatus(_) | Call::Prolong { .. } => Answer::Fault(Fault::Unsupported),
        }
    }

    fn next(&self, endpoint: &Endpoint, call: &Call, heard: &[Response]) -> Next {
        match call {
            Call::Catalogue => catalogue::next(endpoint, heard),
            Call::Orders { since } => orders::next(endpoint, *since, heard),
            _ => one_request(self, endpoint, call, heard),
        }
    }

    fn unknown_action(&self, endpoint: &Endpoint) -> Option<Request> {
        Some(encode::unknown_action(endpoint))
    }

    fn feed(&self) -> Option<Feed> {
        Some(feed::FEED)
    }
}

#[cfg(test)]
#[path = "dialect_tests.rs"]
mod tests;
