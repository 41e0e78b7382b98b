//! What the fixtures must show: an answer of each kind to each call that the dialect offers.

use super::{Fixtures, Told};
use crate::{Answer, Call, CancelAnswer, Consent, Reported, SubmitOutcome};

type Asks = fn(&Call) -> bool;
type Shows = fn(&Told) -> bool;

/// Kinds of answers, with the calls that have them.
const KINDS: [(&str, Asks, Shows); 19] = [
    ("an accepted submission", |call| matches!(call, Call::Submit(_)), |told| is_accepted(submitted(told))),
    ("a refused submission", |call| matches!(call, Call::Submit(_)), |told| is_refused(submitted(told))),
    (
        "a submission put off",
        |call| matches!(call, Call::Submit(_)),
        |told| matches!(submitted(told), Some(SubmitOutcome::Busy { .. })),
    ),
    (
        "a catalogue",
        |call| matches!(call, Call::Catalogue),
        |told| matches!(&told.answer, Answer::Catalogue(listings) if !listings.is_empty()),
    ),
    ("a balance", |call| matches!(call, Call::Balance), |told| matches!(told.answer, Answer::Balance(_))),
    ("states of several orders, one of them unknown", |call| matches!(call, Call::Status(_)), is_mixed_status),
    (
        "a granted cancellation",
        |call| matches!(call, Call::Cancel(_)),
        |told| says_of_cancel(told, |said| *said == CancelAnswer::Requested),
    ),
    (
        "a refused cancellation",
        |call| matches!(call, Call::Cancel(_)),
        |told| says_of_cancel(told, |said| *said != CancelAnswer::Requested),
    ),
    ("an accepted refill", |call| matches!(call, Call::Refill(_)), |told| is_accepted(refilled(told))),
    ("a refused refill", |call| matches!(call, Call::Refill(_)), |told| is_refused(refilled(told))),
    (
        "states of refills",
        |call| matches!(call, Call::RefillStatus(_)),
        |told| matches!(&told.answer, Answer::RefillStatus(said) if !said.is_empty()),
    ),
    (
        "a list of orders",
        |call| matches!(call, Call::Orders { .. }),
        |told| matches!(&told.answer, Answer::Orders(orders) if !orders.is_empty()),
    ),
    ("consent", is_asked_plainly, |told| told.answer == Answer::Consent(Consent::Given)),
    ("refused consent", is_asked_plainly, |told| matches!(&told.answer, Answer::Consent(Consent::Refused(_)))),
    ("a quote", |call| matches!(call, Call::Quote(_)), |told| matches!(told.answer, Answer::Quote(_))),
    (
        "an accepted upgrade",
        |call| matches!(call, Call::Upgrade(_)),
        |told| matches!(told.call, Call::Upgrade(_)) && is_accepted(altered(told)),
    ),
    (
        "an accepted change",
        |call| matches!(call, Call::Change(_)),
        |told| matches!(told.call, Call::Change(_)) && is_accepted(altered(told)),
    ),
    (
        "an accepted prolongation",
        |call| matches!(call, Call::Prolong { .. }),
        |told| matches!(told.call, Call::Prolong { .. }) && is_accepted(altered(told)),
    ),
    (
        "a refused upgrade, change or prolongation",
        |call| matches!(call, Call::Upgrade(_) | Call::Change(_) | Call::Prolong { .. }),
        |told| is_refused(altered(told)),
    ),
];

/// The fixtures show every kind of answer that the dialect must read.
pub(super) fn assert_covered(fixtures: &Fixtures, offered: &[Call]) {
    for (kind, asks, shows) in KINDS {
        let shown = fixtures.told.iter().any(shows);
        assert!(shown || !offered.iter().any(asks), "the fixtures lack {kind}");
    }
    assert!(!fixtures.unlisted.is_empty(), "the fixtures lack an error that is not listed");
}

fn is_asked_plainly(call: &Call) -> bool {
    matches!(call, Call::Pause(_) | Call::Resume(_) | Call::Delete(_) | Call::Validate(_))
}

fn submitted(told: &Told) -> Option<&SubmitOutcome> {
    if let Answer::Submit(outcome) = &told.answer { Some(outcome) } else { None }
}

fn refilled(told: &Told) -> Option<&SubmitOutcome> {
    if let Answer::Refill(outcome) = &told.answer { Some(outcome) } else { None }
}

fn altered(told: &Told) -> Option<&SubmitOutcome> {
    if let Answer::Alter(outcome) = &told.answer { Some(outcome) } else { None }
}

fn is_accepted(outcome: Option<&SubmitOutcome>) -> bool {
    matches!(outcome, Some(SubmitOutcome::Accepted { .. }))
}

fn is_refused(outcome: Option<&SubmitOutcome>) -> bool {
    matches!(outcome, Some(SubmitOutcome::Rejected(_)))
}

fn is_mixed_status(told: &Told) -> bool {
    let (Call::Status(asked), Answer::Status(said)) = (&told.call, &told.answer) else { return false };
    let known = |id: &String| matches!(said.get(id), Some(Reported::Known(_)));
    asked.iter().any(known) && !asked.iter().all(known)
}

fn says_of_cancel(told: &Told, says: impl Fn(&CancelAnswer) -> bool) -> bool {
    matches!(&told.answer, Answer::Cancel(said) if said.values().any(&says))
}
