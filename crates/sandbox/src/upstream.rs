//! The simulated upstream as a whole: a panel, the faults in front of it, and the journal of its calls. It reads no
//! clock.

use std::time::Duration;

use crate::{
    fault::{FaultKind, Faults},
    journal::{Calls, Journal, JournalCall},
    panel::Panel,
    reply::Reply,
    wire::{self, Fields},
};

/// Everything that the sandbox knows.
pub(crate) struct Upstream {
    pub(crate) panel: Panel,
    pub(crate) faults: Faults,
    calls: Calls,
}

impl Upstream {
    /// An upstream whose faults are still to come.
    pub(crate) fn new(panel: Panel) -> Self {
        Self { panel, faults: Faults::default(), calls: Calls::default() }
    }

    /// Takes a call, as far as the faults let it. What is to be carried out has been when this returns.
    pub(crate) fn call(&mut self, fields: &Fields, traceparent: Option<String>, now_ms: u64) -> Reply {
        let action = wire::action(fields);
        let earlier = self.panel.latest_order();
        let fault = self.faults.take_for_call(&action, earlier.is_some());
        let kind = fault.as_ref().map(|fault| fault.kind);
        let drift = action == "add" && self.faults.drifts();
        let carried_out = kind.is_none_or(FaultKind::carries_out);
        let answered = carried_out.then(|| self.panel.answer(&action, fields, now_ms, drift));
        let taken = answered.as_ref().and_then(|answered| answered.taken);
        let drifted = drift && taken.is_some();
        if drifted {
            self.faults.spend_drift();
        }
        let reply = Reply::new(&action, fault.as_ref(), answered, earlier);
        let met = kind.or(drifted.then_some(FaultKind::ChargeDrift));
        self.calls.push(JournalCall {
            action,
            fault: met.map(String::from),
            order: taken.map(|number| number.to_string()).or_else(|| fields.get("order").cloned()),
            traceparent,
        });
        reply
    }

    /// Meets a new connection: with how much delay it is to be dropped unread, if it is.
    pub(crate) fn connection(&mut self) -> Option<Duration> {
        let fault = self.faults.take_for_connection()?;
        let met = Some(fault.kind.into());
        self.calls.push(JournalCall { action: "connect".to_owned(), fault: met, order: None, traceparent: None });
        Some(Duration::from_millis(fault.delay_ms))
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
}
