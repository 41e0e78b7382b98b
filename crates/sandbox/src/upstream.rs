//! The simulated upstream as a whole: a panel, the faults in front of it, and the journal of its calls. It reads no
//! clock.

use std::time::Duration;

use crate::{
    bucket::Bucket,
    call::Call,
    config::RateLimit,
    fault::{Fault, FaultKind, Faults},
    journal::{Calls, Journal, JournalCall},
    panel::Panel,
    reply::Reply,
};

/// Everything that the sandbox knows.
pub(crate) struct Upstream {
    pub(crate) panel: Panel,
    pub(crate) faults: Faults,
    bucket: Option<Bucket>,
    calls: Calls,
}

impl Upstream {
    /// An upstream whose faults are still to come.
    pub(crate) fn new(panel: Panel, rate_limit: Option<RateLimit>) -> Self {
        Self { panel, faults: Faults::default(), bucket: rate_limit.map(Bucket::new), calls: Calls::default() }
    }

    /// Takes a call, as far as the rate and the faults let it. What is to be carried out has been when this returns.
    pub(crate) fn call(&mut self, call: &Call, traceparent: Option<String>, now_ms: u64) -> Reply {
        let (face, action) = (call.asked.face(), call.action.as_str());
        let metered = self.bucket.as_mut().map(|bucket| bucket.take(now_ms));
        if metered.is_some_and(|metered| !metered.passed) {
            self.note(action, Some("rate_limit"), call.order.clone(), traceparent);
            return Reply::too_fast(face, action).metered(metered);
        }
        let earlier = self.panel.latest_order();
        let fault = self.faults.take_for_call(action, earlier.is_some());
        let kind = fault.as_ref().map(|fault| fault.kind);
        let drift = action == "add" && self.faults.drifts();
        let carried_out = kind.is_none_or(FaultKind::carries_out);
        let answered = carried_out.then(|| self.panel.carry_out(call, now_ms, drift));
        let taken = answered.as_ref().and_then(|answered| answered.taken);
        let drifted = drift && taken.is_some();
        if drifted {
            self.faults.spend_drift();
        }
        let earlier = earlier.filter(|_| kind == Some(FaultKind::DuplicateId));
        let earlier = earlier.map(|number| self.panel.acceptance(face, number, now_ms));
        let reply = Reply::new(face, action, fault.as_ref(), answered, earlier).metered(metered);
        let met = kind.or(drifted.then_some(FaultKind::ChargeDrift));
        let order = taken.map(|number| number.to_string()).or_else(|| call.order.clone());
        self.note(action, met.map(FaultKind::name), order, traceparent);
        reply
    }

    /// Meets a new connection: with how much delay it is to be dropped unread, if it is.
    pub(crate) fn connection(&mut self) -> Option<Duration> {
        let fault = self.faults.take_for_connection()?;
        self.note("connect", Some(fault.kind.name()), None, None);
        Some(Duration::from_millis(fault.delay_ms))
    }

    /// A socket of the feed gives a key: whether it is ours, and the fault that turns it away all the same.
    pub(crate) fn admit(&mut self, key: &str) -> (bool, Option<Fault>) {
        let fault = self.faults.take_for_feed(FaultKind::turns_away);
        self.note("feed", fault.as_ref().map(|fault| fault.kind.name()), None, None);
        (self.panel.knows(key), fault)
    }

    /// The fault that a socket of the feed meets now that it has subscribed.
    pub(crate) fn disturb(&mut self) -> Option<Fault> {
        let fault = self.faults.take_for_feed(FaultKind::disturbs)?;
        self.note("feed", Some(fault.kind.name()), None, None);
        Some(fault)
    }

    /// What really happened.
    pub(crate) fn journal(&self, now_ms: u64) -> Journal {
        Journal {
            orders: self.panel.journal(now_ms),
            refills: self.panel.refill_journal(now_ms),
            calls: self.calls.to_vec(),
            balance: self.panel.balance(),
        }
    }

    fn note(&mut self, action: &str, fault: Option<&str>, order: Option<String>, traceparent: Option<String>) {
        let (action, fault) = (action.to_owned(), fault.map(str::to_owned));
        self.calls.push(JournalCall { action, fault, order, traceparent });
    }
}
