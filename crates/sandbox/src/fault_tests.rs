//! Faults are read strictly and used up in order.

use super::*;

fn fault(action: &str, kind: FaultKind, count: u32) -> Fault {
    Fault { action: action.to_owned(), kind, count, delay_ms: 0 }
}

fn active(faults: impl IntoIterator<Item = Fault>) -> Faults {
    let mut active = Faults::default();
    for fault in faults {
        active.add(fault, 0).unwrap();
    }
    active
}

#[test]
fn a_file_is_read_with_its_defaults() {
    let text = r#"
[[fault]]
action = "add"
kind = "take_and_502"
count = 2
delay_ms = 50

[[fault]]
kind = "html"
"#;
    let wanted = vec![
        Fault { action: "add".to_owned(), kind: FaultKind::TakeAnd502, count: 2, delay_ms: 50 },
        Fault { action: "*".to_owned(), kind: FaultKind::Html, count: 0, delay_ms: 0 },
    ];
    assert_eq!(read_faults(text), Ok(wanted));
    assert_eq!(read_faults(""), Ok(Vec::new()));
}

#[test]
fn an_error_names_the_line_and_what_is_allowed() {
    let error = read_faults("[[fault]]\naction = \"add\"\nkind = \"explode\"\n").unwrap_err();
    assert!(error.contains("line 3"), "{error}");
    assert!(error.contains("explode") && error.contains("take_and_hang"), "{error}");

    let error = read_faults("[[fault]]\naction = \"refund\"\nkind = \"html\"\n").unwrap_err();
    assert!(error.contains("line 2") && error.contains("refund") && error.contains("refill_status"), "{error}");

    assert!(read_faults("[[fault]]\nkind = \"html\"\ntimes = 3\n").unwrap_err().contains("times"));
    assert!(read_faults("[[faults]]\nkind = \"html\"\n").unwrap_err().contains("faults"));
    assert!(read_faults("[[fault]]\naction = \"add\"\n").unwrap_err().contains("kind"));
}

#[test]
fn every_kind_is_written_as_it_is_read() {
    for kind in FaultKind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
        let written = serde_json::to_string(&fault("*", kind, 0)).unwrap();
        assert!(written.contains(kind.name()), "{written}");
        assert_eq!(serde_json::from_str::<Fault>(&written).unwrap().kind, kind);
    }
    assert_eq!("take_and502".parse(), Ok(FaultKind::TakeAnd502));
}

#[test]
fn faults_are_met_in_order_and_used_up() {
    let mut faults = active([
        fault("add", FaultKind::Html, 1),
        fault("*", FaultKind::Empty, 2),
        fault("status", FaultKind::Slow, 0),
        fault("*", FaultKind::DropBeforeReading, 1),
    ]);
    let mut met = |action: &str| faults.take_for_call(action, true).map(|fault| fault.kind);
    assert_eq!(met("balance"), Some(FaultKind::Empty));
    assert_eq!(met("add"), Some(FaultKind::Html));
    assert_eq!(met("add"), Some(FaultKind::Empty));
    assert_eq!(met("add"), None);
    assert_eq!(met("status"), Some(FaultKind::Slow));
    assert_eq!(met("status"), Some(FaultKind::Slow));
    assert_eq!(faults.take_for_connection().map(|fault| fault.kind), Some(FaultKind::DropBeforeReading));
    assert_eq!(faults.take_for_connection(), None);
}

#[test]
fn faults_of_an_order_need_one() {
    let mut faults = active([fault("*", FaultKind::DuplicateId, 1), fault("*", FaultKind::ChargeDrift, 1)]);
    assert_eq!(faults.take_for_call("status", true), None);
    assert_eq!(faults.take_for_call("add", false), None);
    assert_eq!(faults.take_for_call("add", true).map(|fault| fault.kind), Some(FaultKind::DuplicateId));
    assert!(faults.drifts());
    faults.spend_drift();
    assert!(!faults.drifts());
}

#[test]
fn the_feed_meets_what_can_happen_to_it_and_nothing_else() {
    let mut faults = active([
        fault("*", FaultKind::TakeAndDrop, 0),
        fault("feed", FaultKind::TakeAndDrop, 1),
        fault("feed", FaultKind::Refusal, 1),
    ]);
    let kind = |fault: Option<Fault>| fault.map(|fault| fault.kind);
    assert_eq!(kind(faults.take_for_feed(FaultKind::turns_away)), Some(FaultKind::Refusal));
    assert_eq!(kind(faults.take_for_feed(FaultKind::turns_away)), None);
    assert_eq!(kind(faults.take_for_feed(FaultKind::disturbs)), Some(FaultKind::TakeAndDrop));
    assert_eq!(kind(faults.take_for_feed(FaultKind::disturbs)), None, "every action is not the feed's");
    for refused in FaultKind::ALL.into_iter().filter(|kind| !kind.turns_away() && !kind.disturbs()) {
        let added = Faults::default().add(fault("feed", refused, 0), 0);
        assert_eq!(added.is_err(), !refused.is_of_connection(), "{refused:?}");
    }
}

#[test]
fn refused_connections_end_by_time_or_by_removal() {
    let mut faults = Faults::default();
    let timed = Fault { delay_ms: 50, ..fault("*", FaultKind::RefuseConnection, 0) };
    assert_eq!(faults.add(timed, 100), Ok(Some(150)));
    faults.expire(149);
    assert!(faults.refuse_connections());
    faults.expire(150);
    assert!(!faults.refuse_connections());

    assert_eq!(faults.add(fault("*", FaultKind::RefuseConnection, 0), 200), Ok(None));
    faults.expire(u64::MAX);
    assert!(faults.refuse_connections());
    faults.clear();
    assert!(!faults.refuse_connections());
}
