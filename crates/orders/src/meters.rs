//! What is counted and measured of each upstream: calls, verdicts, and how long attempts waited.

use std::time::Duration;

use interline_domain::UpstreamId;
use interline_egress::{CallError, SubmitError};
use interline_upstream::{Answer, Call, Fault, SubmitOutcome};
use metrics::{Counter, Histogram, counter, histogram};

use crate::decide::Decision;

/// The handles of one upstream, made when its catalogue entry is read; those made before go on counting together with them.
pub(crate) struct UpstreamMeters {
    calls: [(&'static str, CallMeters); Call::NAMES.len()],
    wait: Histogram,
    accepted: Counter,
    rejected: Counter,
    busy: Counter,
    unknown: Counter,
    not_sent: Counter,
}

/// What is measured of one kind of call.
pub(crate) struct CallMeters {
    seconds: Histogram,
    network: Counter,
    timeout: Counter,
    refused: Counter,
    unreadable: Counter,
}

impl UpstreamMeters {
    /// The handles of that upstream. What they count is lost when no exporter was installed before.
    pub(crate) fn new(upstream: &UpstreamId) -> Self {
        let verdict = |outcome: &'static str| {
            let upstream = upstream.to_string();
            counter!("interline_attempts_total", "upstream" => upstream, "outcome" => outcome)
        };
        Self {
            calls: Call::NAMES.map(|name| (name, CallMeters::new(upstream, name))),
            wait: histogram!("interline_dispatch_wait_seconds", "upstream" => upstream.to_string()),
            accepted: verdict("accepted"),
            rejected: verdict("rejected"),
            busy: verdict("busy"),
            unknown: verdict("unknown"),
            not_sent: verdict("not_sent"),
        }
    }

    /// An attempt is handed over after it waited so many milliseconds.
    pub(crate) fn handed_over(&self, waited_ms: i64) {
        self.wait.record(Duration::from_millis(u64::try_from(waited_ms).unwrap_or(0)));
    }

    /// A submission has its verdict.
    pub(crate) fn verdict(&self, decision: &Decision) {
        let counter = match decision {
            Decision::NotSent { .. } => &self.not_sent,
            Decision::Verdict { outcome, .. } => match outcome {
                SubmitOutcome::Accepted { .. } => &self.accepted,
                SubmitOutcome::Rejected(_) => &self.rejected,
                SubmitOutcome::Busy { .. } => &self.busy,
                SubmitOutcome::Unknown(_) => &self.unknown,
            },
            // Not what a submission brought, but a clock or a person.
            _ => return,
        };
        counter.increment(1);
    }

    /// A call was made and brought `answer` or an error, after `took`.
    pub(crate) fn called(&self, call: &Call, took: Duration, answer: Result<&Answer, CallFault>) {
        let Some((_, meters)) = self.calls.iter().find(|(name, _)| *name == call.name()) else { return };
        meters.seconds.record(took);
        let fault = match answer {
            Ok(answer) => CallFault::of(answer),
            Err(fault) => Some(fault),
        };
        match fault {
            None => {}
            Some(CallFault::Network) => meters.network.increment(1),
            Some(CallFault::Timeout) => meters.timeout.increment(1),
            Some(CallFault::Refused) => meters.refused.increment(1),
            Some(CallFault::Unreadable) => meters.unreadable.increment(1),
        }
    }
}

impl CallMeters {
    fn new(upstream: &UpstreamId, call: &'static str) -> Self {
        let fault = |kind: &'static str| {
            let upstream = upstream.to_string();
            counter!("interline_upstream_errors_total", "upstream" => upstream, "call" => call, "kind" => kind)
        };
        Self {
            seconds: histogram!("interline_upstream_seconds", "upstream" => upstream.to_string(), "call" => call),
            network: fault("network"),
            timeout: fault("timeout"),
            refused: fault("refused"),
            unreadable: fault("unreadable"),
        }
    }
}

/// Why a call brought no usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallFault {
    /// It did not get there, or its answer not back.
    Network,
    /// No answer came in time.
    Timeout,
    /// The upstream answered with an error.
    Refused,
    /// What came could not be read.
    Unreadable,
}

impl CallFault {
    /// What is wrong with an answer. A refused submission is none: that is a verdict.
    fn of(answer: &Answer) -> Option<Self> {
        match answer {
            Answer::Submit(SubmitOutcome::Unknown(_))
            | Answer::Refill(SubmitOutcome::Unknown(_))
            | Answer::Alter(SubmitOutcome::Unknown(_))
            | Answer::Fault(Fault::Unreadable(_)) => Some(Self::Unreadable),
            Answer::Fault(Fault::Busy(_) | Fault::Refused(_)) => Some(Self::Refused),
            _ => None,
        }
    }
}

impl From<&CallError> for CallFault {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::TimedOut(_) => Self::Timeout,
            CallError::TooLarge(_) => Self::Unreadable,
            CallError::Address(_) | CallError::Network(_) => Self::Network,
        }
    }
}

impl From<&SubmitError> for CallFault {
    fn from(error: &SubmitError) -> Self {
        match error {
            SubmitError::TimedOut(_) => Self::Timeout,
            SubmitError::NotSent(_) | SubmitError::Uncertain(_) => Self::Network,
        }
    }
}

#[cfg(test)]
mod tests {
    use interline_upstream::{Evidence, Refusal};

    use super::*;

    #[test]
    fn only_what_cannot_be_used_is_an_error() {
        let evidence = || Evidence { status: Some(200), reason: "no JSON".to_owned(), excerpt: String::new() };
        let refusal = || Refusal::Funds("no money".to_owned());
        for (answer, expected) in [
            (Answer::Submit(SubmitOutcome::Accepted { order: "1".to_owned(), charge: None }), None),
            (Answer::Submit(SubmitOutcome::Rejected(refusal())), None),
            (Answer::Submit(SubmitOutcome::Unknown(evidence())), Some(CallFault::Unreadable)),
            (Answer::Fault(Fault::Refused(refusal())), Some(CallFault::Refused)),
            (Answer::Fault(Fault::Busy(None)), Some(CallFault::Refused)),
            (Answer::Fault(Fault::Unreadable(evidence())), Some(CallFault::Unreadable)),
        ] {
            assert_eq!(CallFault::of(&answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn every_call_has_its_meters() {
        let meters = UpstreamMeters::new(&"alpha".parse().unwrap());
        for call in [
            Call::Catalogue,
            Call::Balance,
            Call::Status(Vec::new()),
            Call::Cancel(Vec::new()),
            Call::Refill(String::new()),
            Call::RefillStatus(Vec::new()),
        ] {
            assert!(meters.calls.iter().any(|(name, _)| *name == call.name()), "{call:?}");
        }
    }
}
