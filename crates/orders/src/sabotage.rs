//! Faults that tests switch on to see that they would notice them. Only builds with the feature `sabotage` have this.

use std::sync::OnceLock;

use interline_upstream::{ActiveTarget, Refusal, SubmitOutcome};

use crate::decide::Decision;

static CHOSEN: OnceLock<String> = OnceLock::new();

/// Chooses a sabotage by name, once per process.
pub fn choose(name: &str) {
    CHOSEN.get_or_init(|| name.to_owned());
}

fn is_chosen(name: &str) -> bool {
    CHOSEN.get().is_some_and(|chosen| chosen == name)
}

/// `failover_on_unknown`: takes an unknown for a refusal, as so many panels do.
pub(crate) fn failover_on_unknown(outcome: SubmitOutcome) -> SubmitOutcome {
    match outcome {
        SubmitOutcome::Unknown(evidence) if is_chosen("failover_on_unknown") => {
            SubmitOutcome::Rejected(Refusal::Service(evidence.reason))
        }
        other => other,
    }
}

/// `resend_on_recovery`: takes a send whose sender died for one that never left, and puts it into the queue again.
pub(crate) fn resend_on_recovery(send_number: i64) -> Decision {
    if is_chosen("resend_on_recovery") {
        let outcome = SubmitOutcome::Busy { retry_after_ms: None, active_target: ActiveTarget::No };
        return Decision::Verdict { send_number, outcome };
    }
    Decision::Orphaned { send_number }
}
