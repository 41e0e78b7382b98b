//! The table of status words, and any history of them.

use proptest::prelude::*;

use super::*;

fn report(word: &str, remains: Option<i64>) -> Report {
    Report { word: StatusWord::parse(word), remains, start_count: None, charge: None, currency: None }
}

fn end_of(step: Step) -> Option<(OrderStatus, Option<u64>)> {
    match step {
        Step::Ended(end) => Some((end.status, end.remains)),
        _ => None,
    }
}

#[test]
fn the_words_that_end_an_order() {
    let cases = [
        ("Completed", None, OrderStatus::Completed, 0),
        ("done", Some(7), OrderStatus::Completed, 0),
        ("COMPLETE", Some(-3), OrderStatus::Completed, 0),
        ("Canceled", None, OrderStatus::Canceled, 100),
        ("cancelled", Some(0), OrderStatus::Canceled, 100),
        ("canelled", Some(100), OrderStatus::Canceled, 100),
        ("Refunded", Some(40), OrderStatus::Partial, 40),
        ("Partial", Some(40), OrderStatus::Partial, 40),
        ("Partial", Some(0), OrderStatus::Completed, 0),
        ("Partial", Some(-1), OrderStatus::Completed, 0),
        ("Partial", Some(100), OrderStatus::Canceled, 100),
        ("Partial", Some(999), OrderStatus::Canceled, 100),
        ("Failed", Some(100), OrderStatus::Canceled, 100),
    ];
    for (word, remains, status, left) in cases {
        let end = end_of(step(Progress::NEW, 100, &report(word, remains)));
        assert_eq!(end, Some((status, Some(left))), "{word} {remains:?}");
    }
}

#[test]
fn a_failure_refunds_only_when_nothing_was_charged_or_delivered() {
    let mut failed = report("fail", Some(30));
    assert!(matches!(step(Progress::NEW, 100, &failed), Step::Unclear(..)));
    failed.charge = Some(Micros::ZERO);
    assert_eq!(end_of(step(Progress::NEW, 100, &failed)), Some((OrderStatus::Canceled, Some(100))));
}

#[test]
fn an_unlisted_word_is_no_news() {
    for word in ["Paused", "Suspended", "Holding", "", "Abgeschlossen", "completed!", "2", "5", "Partially Completed"] {
        assert_eq!(step(Progress::NEW, 100, &report(word, Some(0))), Step::NoNews, "{word}");
    }
}

#[test]
fn partial_without_remains_asks_a_person_at_the_third_reading() {
    let mut now = Progress::NEW;
    for reading in 1..=VAGUE_PARTIALS_MAX {
        match step(now, 100, &report("Partial", None)) {
            Step::Running(next) if reading < VAGUE_PARTIALS_MAX => now = next,
            Step::Unclear(..) if reading == VAGUE_PARTIALS_MAX => {}
            other => panic!("reading {reading}: {other:?}"),
        }
    }
}

#[test]
fn status_names_are_one_to_one() {
    for status in OrderStatus::ALL {
        assert_eq!(OrderStatus::from_name(status.name()), Some(status));
    }
}

fn any_report() -> impl Strategy<Value = Report> {
    let words = prop_oneof![
        Just("pending"),
        Just("In_Progress"),
        Just("processing"),
        Just("completed"),
        Just("partial"),
        Just("canceled"),
        Just("failed"),
        Just("paused"),
        Just("???"),
    ];
    (words, proptest::option::of(-50i64..250), proptest::option::of(0i64..9), proptest::option::of(0i64..9)).prop_map(
        |(word, remains, start_count, charge)| Report {
            start_count,
            charge: charge.map(Micros::new),
            ..report(word, remains)
        },
    )
}

proptest! {
    /// Any reports in any order, each of them replayed: the status never falls, an end is final, and what remains stays
    /// within the quantity and agrees with the status.
    #[test]
    fn any_history_only_moves_forward(reports in proptest::collection::vec(any_report(), 0..30), quantity in 1u64..200) {
        let mut now = Progress::NEW;
        for report in reports.iter().flat_map(|r| [r, r]) {
            let next = match step(now, quantity, report) {
                Step::NoNews => now,
                Step::Running(next) | Step::Unclear(next, _) => {
                    prop_assert!(!next.status.is_terminal());
                    next
                }
                Step::Ended(end) => {
                    prop_assert!(!now.status.is_terminal());
                    let left = end.remains.unwrap_or(u64::MAX);
                    match end.status {
                        OrderStatus::Completed => prop_assert_eq!(left, 0),
                        OrderStatus::Canceled => prop_assert_eq!(left, quantity),
                        _ => prop_assert!(0 < left && left < quantity),
                    }
                    end
                }
            };
            prop_assert!(next.status >= now.status);
            prop_assert!(next.remains.is_none_or(|left| left <= quantity));
            now = next;
        }
    }
}
