//! Traces: the way of an order as spans, from the customer's call to its end.
//!
//! ```text
//! request ▶ place ▶ route, write, submit ▶ call, verdict ▶ route, write        hours later: follow ▶ write, end
//! ```
//! An order's row keeps the trace that it was placed in, so that what happens later, or in another process, joins it. Work
//! that no order asked for (catalogues, balances, a batch of statuses) is a `call` in a trace of its own.
//! Spans are made with `tracing`. Who exports them, if anybody does, is known to the two functions of [`Tracing`] alone.

use interline_domain::{Money, OrderId, OrderStatus, UpstreamId};
use interline_store::OrderRow;
use interline_upstream::{Answer, Call, Fault, Request, SubmitOutcome};
use tracing::{Span, field::Empty};

use crate::gateway::Gateway;

/// Characters of a `traceparent` of version 00.
const LENGTH: usize = 55;

/// A W3C `traceparent` (<https://www.w3.org/TR/trace-context/#traceparent-header>): a span, its trace, and whether that is
/// recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traceparent(String);

impl Traceparent {
    /// Reads one. `None` is a malformed one, which the standard says to ignore; of a later version what version 00 knows is
    /// kept.
    pub fn parse(text: &str) -> Option<Self> {
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let mut parts = known.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_id = |part: &str, length: usize| is_hex(part, length) && part.bytes().any(|byte| byte != b'0');
        let ends = rest.is_empty() || (version != "00" && rest.starts_with('-'));
        if !is_hex(version, 2) || version == "ff" || !is_id(trace, 32) || !is_id(span, 16) || !is_hex(flags, 2) || !ends
        {
            return None;
        }
        let recorded = u8::from_str_radix(flags, 16).ok()? & 1;
        Some(Self(format!("00-{trace}-{span}-0{recorded}")))
    }

    /// As it is sent and kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace, in 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.0[3..35]
    }

    /// The span, in 16 hexadecimal digits.
    pub fn span_id(&self) -> &str {
        &self.0[36..52]
    }

    /// Whether whoever began the trace has it recorded.
    pub fn is_recorded(&self) -> bool {
        self.0.ends_with('1')
    }
}

/// How spans meet the traces of others. The library that exports them stays behind these two functions.
#[derive(Debug, Clone, Copy)]
pub struct Tracing {
    /// What others call a span; `None` if nobody exports it.
    pub traceparent: fn(&Span) -> Option<Traceparent>,
    /// Puts a span that has no children yet under the one that is named, whoever made that.
    pub continue_from: fn(&Span, &Traceparent),
}

impl Gateway {
    /// Puts a new span under the one that is named.
    pub fn continue_trace(&self, span: &Span, parent: Option<&Traceparent>) {
        if let Some(parent) = parent.filter(|_| !span.is_disabled()) {
            (self.tracing.continue_from)(span, parent);
        }
    }

    /// Puts a new span into the trace that an order was placed in.
    pub(crate) fn continue_order(&self, span: &Span, order: &OrderRow) {
        if !span.is_disabled() {
            self.continue_trace(span, kept(order).as_ref());
        }
    }

    /// What others call a span, if it is exported.
    pub(crate) fn traceparent(&self, span: &Span) -> Option<Traceparent> {
        if span.is_disabled() { None } else { (self.tracing.traceparent)(span) }
    }

    /// Tells an upstream which span calls it; where none is exported, the trace that the order came in is handed on.
    pub(crate) fn tell_upstream(&self, request: &mut Request, span: &Span, order: Option<&Traceparent>) {
        if let Some(caller) = self.traceparent(span).or_else(|| order.cloned()) {
            request.headers.push(("traceparent", caller.0));
        }
    }
}

/// The trace that an order was placed in.
pub(crate) fn kept(order: &OrderRow) -> Option<Traceparent> {
    order.trace.as_deref().and_then(Traceparent::parse)
}

/// The span of a call to an upstream.
pub(crate) fn call_span(upstream: &UpstreamId, call: &Call) -> Span {
    tracing::info_span!(
        "call",
        %upstream,
        call = call.name(),
        http_status = Empty,
        outcome = Empty,
        otel.kind = "client",
        otel.status_code = Empty
    )
}

/// Notes what a call brought.
pub(crate) fn call_answered(span: &Span, http_status: u16, answer: &Answer) {
    span.record("http_status", i64::from(http_status));
    let outcome = match answer {
        Answer::Submit(verdict) | Answer::Refill(verdict) => match verdict {
            SubmitOutcome::Accepted { .. } => "accepted",
            SubmitOutcome::Rejected(_) => "rejected",
            SubmitOutcome::Busy { .. } => "busy",
            SubmitOutcome::Unknown(_) => return call_failed(span, "unknown"),
        },
        Answer::Fault(Fault::Unreadable(_)) => return call_failed(span, "unreadable"),
        Answer::Fault(_) => "refused",
        _ => "ok",
    };
    span.record("outcome", outcome);
}

/// Notes that a call brought nothing that can be read: an error to whoever looks at the trace.
pub(crate) fn call_failed(span: &Span, outcome: &'static str) {
    span.record("outcome", outcome);
    span.record("otel.status_code", "error");
}

/// The end of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    order: OrderId,
    status: OrderStatus,
    refund: Money,
    /// Whether the customer had asked to cancel it.
    pub(crate) asked_for: bool,
}

impl Ended {
    /// How an order ended; `None` while it goes on.
    pub(crate) fn of(order: &OrderRow) -> Option<Self> {
        let (refund, asked_for) = (Money::new(order.refund, order.currency), order.cancel_requested_at.is_some());
        order.status.is_terminal().then_some(Self { order: order.id, status: order.status, refund, asked_for })
    }

    /// Leaves a span in the trace that goes on here. It takes no time.
    pub(crate) fn note(&self) {
        let (order, status) = (self.order.0, self.status.name());
        drop(tracing::info_span!("end", order, status, refund = %self.refund));
        tracing::debug!(order, status, refund = %self.refund, "an order ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn a_traceparent_is_read_as_the_standard_says() {
        let plain = format!("00-{TRACE}-{SPAN}-01");
        let read = Traceparent::parse(&plain).unwrap();
        assert_eq!((read.trace_id(), read.span_id(), read.is_recorded()), (TRACE, SPAN, true));
        assert_eq!(read.as_str(), plain);
        // Flags and fields of later versions are not ours to hand on.
        for (text, recorded) in [
            (format!("00-{TRACE}-{SPAN}-00"), false),
            (format!("00-{TRACE}-{SPAN}-fe"), false),
            (format!("00-{TRACE}-{SPAN}-ff"), true),
            (format!("cc-{TRACE}-{SPAN}-01"), true),
            (format!("cc-{TRACE}-{SPAN}-01-what-comes"), true),
        ] {
            let kept = format!("00-{TRACE}-{SPAN}-0{}", u8::from(recorded));
            assert_eq!(Traceparent::parse(&text).unwrap().as_str(), kept, "{text}");
        }
    }

    #[test]
    fn a_malformed_traceparent_is_ignored() {
        for text in [
            String::new(),
            "traceparent".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("cc-{TRACE}-{SPAN}-01more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0x-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("00-{SPAN}-{TRACE}-01"),
            format!("00 {TRACE} {SPAN} 01"),
            format!("{}é-01", &format!("00-{TRACE}-{SPAN}")[..51]),
        ] {
            assert_eq!(Traceparent::parse(&text), None, "{text}");
        }
    }
}
