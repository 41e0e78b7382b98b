//! The Streamskill dialect (`protocol.md` §6, seed `streamskill-purchases-create.txt`): pure encoding of calls and
//! decoding of answers.
//!
//! Streamskill sells tarifs, mostly a number of viewers for some time, and what is bought is a purchase. An offer there
//! says in its parameters what an order does not: `duration` (hours, or days where the tarif is not hourly; 1 where it
//! is not sold by time) without which nothing is sent, `start = true` where the tarif can be started, and `interval`
//! (seconds), `comment`, `expand` as in the seed.
//!
//! What it cannot say is not made up. A purchase has no `remains`, so no partial delivery is ever read: one that failed
//! or was deleted or refunded is a failure, which a price of nothing turns into a refund and a person decides
//! otherwise. A stop is a pause and no cancellation, for nothing is paid back. There is no balance, no refill and no
//! cancellation.
//!
//! Errors are HTTP codes that stand in the body too, and the body is what counts: 400, 401, 402, 422, and for a new
//! purchase 404, are certain refusals, 429 is "slow down". 405 and 409 speak of a purchase that is there, so they
//! refuse what was asked of one, but to a new purchase they are as unknown as 500 and whatever is not documented.

mod actions;
mod encode;
mod errors;
mod orders;
mod purchase;
mod status;
mod submit;
mod tarifs;

use interline_domain::{OrderKind, target};
use interline_upstream::{
    Answer, Call, Capabilities, Dialect, Endpoint, Fault, Heard, Limits, Next, Request, Response, one_request, value,
};
use serde_json::Value;

/// The dialect; it has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Streamskill;

impl Dialect for Streamskill {
    fn name(&self) -> &'static str {
        "streamskill"
    }

    fn capabilities(&self) -> Capabilities {
        // Nothing is ever canceled, so the size of that batch is of no account.
        Capabilities { status_batch_max: 100, cancel_batch_max: 1, lists_orders: true }
    }

    fn default_limits(&self) -> Option<Limits> {
        // A bucket of 30 tokens that fills at 2 a second, for each key.
        Some(Limits { requests_per_second: 2, burst: 30 })
    }

    fn takes(&self, kind: &OrderKind) -> Result<(), &'static str> {
        encode::takes(kind)
    }

    fn encode(&self, endpoint: &Endpoint, call: &Call) -> Option<Request> {
        encode::request(endpoint, call)
    }

    fn decode(&self, call: &Call, response: &Response) -> Answer {
        let heard = Heard::new(response);
        match call {
            Call::Catalogue => tarifs::read(&heard),
            Call::Submit(_) => Answer::Submit(submit::read(&heard)),
            Call::Status(asked) => status::read(&heard, asked),
            Call::Orders { since } => orders::read(&heard, *since),
            Call::Pause(order) => actions::stopped(&heard, order),
            Call::Resume(_) => actions::started(&heard),
            Call::Prolong { order, .. } => Answer::Alter(actions::prolonged(&heard, order)),
            // Never asked, so there is nothing to read.
            Call::Balance
            | Call::Cancel(_)
            | Call::Refill(_)
            | Call::RefillStatus(_)
            | Call::Delete(_)
            | Call::Quote(_)
            | Call::Upgrade(_)
            | Call::Change(_)
            | Call::Validate(_) => Answer::Fault(Fault::Unsupported),
        }
    }

    fn next(&self, endpoint: &Endpoint, call: &Call, heard: &[Response]) -> Next {
        if let Call::Orders { since } = call {
            return orders::next(endpoint, *since, heard);
        }
        one_request(self, endpoint, call, heard)
    }

    fn unknown_action(&self, endpoint: &Endpoint) -> Option<Request> {
        Some(encode::get(endpoint, "/interline-check"))
    }

    /// A channel is listed by its name or by its address, however it was ordered.
    fn is_target(&self, ours: &str, listed: &str) -> bool {
        let [ours, listed] = [ours, listed].map(|text| target::normalise(text).to_ascii_lowercase());
        let (long, short) = if ours.len() >= listed.len() { (ours, listed) } else { (listed, ours) };
        let before = long.strip_suffix(short.as_str()).filter(|_| !short.is_empty());
        before.is_some_and(|before| before.is_empty() || before.ends_with(['/', '=', '@']))
    }
}

/// The list in an answer, bare or as its `items`.
fn items(body: &Value) -> Option<&[Value]> {
    match body {
        Value::Array(items) => Some(items),
        Value::Object(object) => value::field(object, "items").and_then(Value::as_array).map(Vec::as_slice),
        _ => None,
    }
}

#[cfg(test)]
#[path = "dialect_tests.rs"]
mod tests;
