//! Faults that tests switch on to see that they would notice them. Only builds with the feature `sabotage` have this.

use std::sync::OnceLock;

use interline_upstream::{Refusal, SubmitOutcome};

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
