//! What is counted of customers' calls. Labels are of a few names each: no key, account, link or id is among them.

use std::time::Instant;

use interline_orders::CacheMeter;
use interline_panel_protocol::{Command, Refused, Reply};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::Face;

/// What a call goes under that names another action, or cannot be read.
const OTHER: &str = "other";
/// The actions that calls are counted under.
const ACTIONS: [&str; 8] = ["add", "status", "balance", "services", "cancel", "refill", "refill_status", OTHER];
/// The results that they are counted under.
const RESULTS: [&str; 8] =
    ["ok", "bad_request", "unauthorized", "not_found", "no_funds", "too_fast", "no_upstream", "busy"];

/// The handles, made once: to count a call looks nothing up.
pub(super) struct Meters {
    api_v2: [ActionMeters; ACTIONS.len()],
    perfect_panel: [ActionMeters; ACTIONS.len()],
    in_progress: Gauge,
    /// Calls that were sent away because we were too busy.
    busy: Counter,
    pub(super) price_lists: CacheMeter,
}

struct ActionMeters {
    action: &'static str,
    results: [(&'static str, Counter); RESULTS.len()],
    seconds: Histogram,
}

impl ActionMeters {
    fn new(face: &'static str, action: &'static str) -> Self {
        let counted = |result: &'static str| {
            (result, counter!("interline_requests_total", "face" => face, "action" => action, "result" => result))
        };
        let seconds = histogram!("interline_request_seconds", "face" => face, "action" => action);
        Self { action, results: RESULTS.map(counted), seconds }
    }
}

impl Meters {
    /// The handles. What they count is lost when no exporter was installed before.
    pub(super) fn new() -> Self {
        Self {
            api_v2: ACTIONS.map(|action| ActionMeters::new(Face::ApiV2.name(), action)),
            perfect_panel: ACTIONS.map(|action| ActionMeters::new(Face::PerfectPanel.name(), action)),
            in_progress: gauge!("interline_requests_in_progress"),
            busy: counter!("interline_limited_total", "limit" => "busy"),
            price_lists: CacheMeter::new("price_list"),
        }
    }

    /// A call came in.
    pub(super) fn begin(&self, face: Face) -> Begun<'_> {
        self.in_progress.increment(1.0);
        let actions = match face {
            Face::ApiV2 => &self.api_v2,
            Face::PerfectPanel => &self.perfect_panel,
        };
        Begun { meters: self, actions, at: Instant::now() }
    }
}

/// A call in progress, until this is dropped: a caller that hangs up ends it too.
pub(super) struct Begun<'a> {
    meters: &'a Meters,
    actions: &'a [ActionMeters],
    at: Instant,
}

impl Begun<'_> {
    /// The call is answered.
    pub(super) fn answered(self, action: &str, result: &str) {
        let Some(meters) = self.actions.iter().find(|meters| meters.action == action) else { return };
        meters.seconds.record(self.at.elapsed());
        if let Some((_, count)) = meters.results.iter().find(|(name, _)| *name == result) {
            count.increment(1);
        }
        if result == "busy" {
            self.meters.busy.increment(1);
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.meters.in_progress.decrement(1.0);
    }
}

/// The action that a call is counted under; `None` is one of which nothing could be read.
pub(super) fn action(command: Option<&Result<Command, Refused>>) -> &'static str {
    command.and_then(|command| command.as_ref().ok()).map_or(OTHER, Command::action)
}

/// The result that an answer is counted under. A list is an answer, whatever stands in it.
pub(super) fn result(reply: &Reply) -> &'static str {
    match reply {
        Reply::Refused(refused) => refused.result(),
        _ => "ok",
    }
}

#[cfg(test)]
mod tests {
    use interline_panel_protocol::GivenId;

    use super::*;

    #[test]
    fn every_refusal_and_every_action_has_a_counter() {
        let again = 1;
        for refused in [
            Refused::InvalidKey,
            Refused::BadRequest(String::new()),
            Refused::IncorrectService,
            Refused::IncorrectOrder,
            Refused::NotEnoughFunds,
            Refused::TooFast { retry_after_s: again },
            Refused::NoUpstream,
            Refused::TryLater { retry_after_s: again },
            Refused::NoCancel,
            Refused::NotRefillable,
            Refused::NoRefill,
            Refused::StatusUnavailable { retry_after_s: again },
            Refused::StatusTooFast { retry_after_s: again },
        ] {
            assert!(RESULTS[1..].contains(&result(&Reply::Refused(refused.clone()))), "{refused:?}");
        }
        assert_eq!(result(&Reply::Canceled), RESULTS[0]);
        for command in [
            Command::Services,
            Command::Balance,
            Command::Add { service: String::new(), fields: interline_domain::Fields::new() },
            Command::Status(GivenId::new("1")),
            Command::Refill(GivenId::new("1")),
            Command::RefillStatusMany(Vec::new()),
            Command::CancelMany(Vec::new()),
        ] {
            assert!(ACTIONS[..7].contains(&action(Some(&Ok(command.clone())))), "{command:?}");
        }
        assert_eq!((action(None), action(Some(&Err(Refused::InvalidKey)))), (OTHER, OTHER));
    }
}
