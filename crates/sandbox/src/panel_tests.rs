//! The panel's arithmetic and its answers, with the time as an argument.

use super::*;
use crate::config::Life;

const NEVER: Life = Life { start_ms: u64::MAX, finish_ms: u64::MAX };

fn service(id: &str, rate: &str, cancel: bool) -> Service {
    Service {
        id: id.to_owned(),
        name: "Placement, standard".to_owned(),
        category: "Placements".to_owned(),
        service_type: "Default".to_owned(),
        rate: rate.to_owned(),
        min: 10,
        max: 10_000,
        refill: false,
        cancel,
        dripfeed: false,
    }
}

fn config(life: Life) -> Config {
    Config {
        key: "k".to_owned(),
        balance: "10".to_owned(),
        services: vec![service("1", "0.90", true), service("fast", "1.000001", false)],
        life,
        ..Config::default()
    }
}

fn panel(life: Life) -> Panel {
    Panel::new(config(life)).unwrap()
}

fn call_at(panel: &mut Panel, query: &str, now_ms: u64) -> Value {
    let fields = wire::fields(&format!("key=k&{query}"), "", b"");
    panel.answer(&wire::action(&fields), &fields, now_ms, false).body
}

fn call(panel: &mut Panel, query: &str) -> Value {
    call_at(panel, query, 0)
}

fn order(panel: &mut Panel, quantity: u64) -> String {
    let answer = call(panel, &format!("action=add&service=1&link=example.com/a&quantity={quantity}"));
    answer["order"].as_u64().unwrap().to_string()
}

#[test]
fn the_catalogue_and_the_balance_read_as_from_a_panel() {
    let mut panel = panel(NEVER);
    let services = call(&mut panel, "action=services");
    assert_eq!(services[0]["service"], 1);
    assert_eq!(services[1]["service"], "fast");
    assert_eq!((&services[0]["rate"], &services[0]["min"]), (&json!("0.90"), &json!("10")));
    assert_eq!(call(&mut panel, "action=balance"), json!({ "balance": "10", "currency": "USD" }));
}

#[test]
fn an_order_is_charged_once_and_reported() {
    let mut panel = panel(NEVER);
    assert_eq!(call(&mut panel, "action=add&service=1&link=x&quantity=1000"), json!({ "order": 1_001 }));
    assert_eq!(call(&mut panel, "action=add&service=fast&link=x&quantity=1500"), json!({ "order": 1_002 }));
    assert_eq!(panel.balance(), "7.599998");
    let wanted =
        json!({ "charge": "0.9", "start_count": "0", "status": "Pending", "remains": "1000", "currency": "USD" });
    assert_eq!(call(&mut panel, "action=status&order=1001"), wanted);
    let several = call(&mut panel, "action=status&orders=1001,7,x");
    assert_eq!(several["1001"], wanted);
    assert_eq!((&several["7"], &several["x"]), (&error("Incorrect order ID"), &error("Incorrect order ID")));
    assert_eq!(several.as_object().map(Map::len), Some(3));
}

#[test]
fn a_package_is_charged_once_and_its_parameters_are_kept() {
    let package = Service { service_type: "Package".to_owned(), min: 500, max: 500, ..service("9", "2.50", true) };
    let mut panel = Panel::new(Config { services: vec![package], ..config(NEVER) }).unwrap();
    assert_eq!(call(&mut panel, "action=add&service=9&link=x&quantity=7"), json!({ "order": 1_001 }));
    let order = panel.journal_of("1001", 0).unwrap();
    assert_eq!((order.quantity, order.charge.as_str(), panel.balance().as_str()), (500, "2.5", "7.5"));
    let params: Vec<(&str, &str)> = order.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(params, [("link", "x"), ("quantity", "7")]);
}

#[test]
fn what_cannot_be_taken_is_refused_and_costs_nothing() {
    let mut panel = panel(NEVER);
    for (query, text) in [
        ("action=add&service=9&link=x&quantity=10", "Incorrect service ID"),
        ("action=add&service=1&quantity=10", "Link is invalid"),
        ("action=add&service=1&link=x&quantity=ten", "Incorrect quantity"),
        ("action=add&service=1&link=x&quantity=9", "Quantity less than minimal 10"),
        ("action=add&service=1&link=x&quantity=10001", "Quantity more than maximum 10000"),
        ("action=add&service=1&link=x&quantity=10&runs=2&interval=5", "Incorrect runs"),
        ("action=refund", "Incorrect request"),
        ("action=status", "Incorrect order ID"),
        ("action=status&order=5", "Incorrect order ID"),
        ("key=other&action=balance", "Invalid API key"),
    ] {
        assert_eq!(call(&mut panel, query), error(text), "{query}");
    }
    panel.set_balance("0.008999").unwrap();
    let refused = call(&mut panel, "action=add&service=1&link=x&quantity=10");
    assert_eq!(refused, error("Not enough funds on balance"));
    assert_eq!((panel.balance().as_str(), panel.latest_order()), ("0.008999", None));
    panel.set_balance("0.009").unwrap();
    assert_eq!(order(&mut panel, 10), "1001");
    assert_eq!(panel.balance(), "0");

    let many = (0..=IDS_MAX).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let refused = call(&mut panel, &format!("action=status&orders={many}"));
    assert_eq!(refused, error("No more than 100 orders at a time"));
}

#[test]
fn a_partial_by_script_refunds_its_share_and_reports_net_or_gross() {
    for (mode, reported) in [(ChargeAfterPartial::Net, "0.7587"), (ChargeAfterPartial::Gross, "0.9")] {
        let mut panel = Panel::new(Config { charge_after_partial: mode, ..config(NEVER) }).unwrap();
        let id = order(&mut panel, 1_000);
        panel.progress(&id, "Partial", Some(157), 0).unwrap();
        let status = call(&mut panel, &format!("action=status&order={id}"));
        assert_eq!((&status["charge"], &status["remains"]), (&json!(reported), &json!("157")));
        let entry = panel.journal_of(&id, 0).unwrap();
        assert_eq!((entry.charge.as_str(), entry.refunded.as_str(), entry.remains), ("0.9", "0.1413", 157));
        assert_eq!(panel.balance(), "9.2413");
    }
}

#[test]
fn a_later_script_corrects_the_refund_of_the_earlier_one() {
    let mut panel = panel(NEVER);
    let id = order(&mut panel, 1_000);
    panel.progress(&id, "Canceled", None, 0).unwrap();
    assert_eq!(panel.balance(), "10");
    assert_eq!(call(&mut panel, &format!("action=status&order={id}"))["charge"], "0");
    panel.progress(&id, "Partial", Some(500), 0).unwrap();
    assert_eq!(panel.balance(), "9.55");
    panel.progress(&id, "Partial", None, 0).unwrap();
    assert_eq!(panel.balance(), "9.1");
    assert_eq!(call(&mut panel, &format!("action=status&order={id}")).get("remains"), None);
    assert!(panel.progress("5", "Completed", None, 0).is_err());
}

#[test]
fn a_scripted_charge_moves_the_balance_by_the_difference() {
    let mut panel = panel(NEVER);
    let id = order(&mut panel, 1_000);
    panel.set_charge(&id, "0.94185").unwrap();
    assert_eq!(panel.balance(), "9.05815");
    panel.progress(&id, "Partial", Some(157), 0).unwrap();
    assert_eq!(panel.balance(), "9.20602");
    panel.set_charge(&id, "0.8").unwrap();
    assert_eq!(call(&mut panel, &format!("action=status&order={id}"))["charge"], "0.8");
    assert_eq!(panel.balance(), "9.2");
    assert!(panel.set_charge("5", "1").is_err());
}

#[test]
fn a_cancel_ends_the_order_where_it_stands() {
    let mut panel = panel(Life { start_ms: 100, finish_ms: 1_100 });
    let (fresh, begun, done) = (order(&mut panel, 1_000), order(&mut panel, 1_000), order(&mut panel, 1_000));
    let answer = call_at(&mut panel, &format!("action=cancel&orders={fresh}"), 50);
    assert_eq!(answer, json!([{ "order": 1_001, "cancel": 1 }]));
    let answer = call_at(&mut panel, &format!("action=cancel&orders={begun},{fresh},77"), 350);
    let wanted = json!([
        { "order": 1_002, "cancel": 1 },
        { "order": 1_001, "cancel": { "error": "Cannot cancel" } },
        { "order": 77, "cancel": { "error": "Incorrect order ID" } },
    ]);
    assert_eq!(answer, wanted);
    let answer = call_at(&mut panel, &format!("action=cancel&order={done}"), 2_000);
    assert_eq!(answer[0]["cancel"], error("Cannot cancel"));

    let stands: Vec<_> =
        panel.journal(9_000).into_iter().map(|order| (order.status, order.remains, order.refunded)).collect();
    let wanted = [("Canceled", 1_000, "0.9"), ("Partial", 750, "0.675"), ("Completed", 0, "0")];
    assert_eq!(stands, wanted.map(|(status, remains, refunded)| (status.to_owned(), remains, refunded.to_owned())));
    assert_eq!(panel.balance(), "8.875");
}

#[test]
fn a_service_without_cancel_says_so() {
    let mut panel = panel(NEVER);
    call(&mut panel, "action=add&service=fast&link=x&quantity=10");
    let answer = call(&mut panel, "action=cancel&orders=1001");
    assert_eq!(answer[0]["cancel"], error("Service doesn't support cancel"));
    assert_eq!(panel.journal(0)[0].status, "Pending");
}

/// A panel whose service `1` refills, with a completed and a running order of it.
fn refilling(life: Life) -> (Panel, String, String) {
    let refillable = Service { refill: true, ..service("1", "0.90", true) };
    let services = vec![refillable, service("fast", "1.000001", false)];
    let mut panel = Panel::new(Config { services, ..config(life) }).unwrap();
    let (done, running) = (order(&mut panel, 1_000), order(&mut panel, 1_000));
    panel.progress(&done, "Completed", None, 0).unwrap();
    panel.progress(&running, "In progress", Some(5), 0).unwrap();
    (panel, done, running)
}

#[test]
fn a_completed_order_has_at_most_one_open_refill() {
    let (mut panel, done, running) = refilling(NEVER);
    assert_eq!(call(&mut panel, "action=services")[0]["refill"], true);
    call(&mut panel, "action=add&service=fast&link=x&quantity=10");
    panel.progress("1003", "Completed", None, 0).unwrap();
    for refused in [running.as_str(), "1003"] {
        let answer = call(&mut panel, &format!("action=refill&order={refused}"));
        assert_eq!(answer, error("Order not eligible for refill"), "{refused}");
    }
    assert_eq!(call(&mut panel, "action=refill&order=7"), error("Incorrect order ID"));
    assert_eq!(call(&mut panel, "action=refill"), error("Incorrect order ID"));
    assert!(panel.refill_journal(0).is_empty());

    let ask = format!("action=refill&order={done}");
    assert_eq!(call(&mut panel, &ask), json!({ "refill": "1001001" }));
    for (word, is_open) in [("Pending", true), ("In progress", true), ("Rejected", false), ("Completed", false)] {
        let refill = panel.refill_journal(0).last().unwrap().id.clone();
        panel.refill_progress(&refill, word).unwrap();
        let is_refused = call(&mut panel, &ask) == error("Order not eligible for refill");
        assert_eq!(is_refused, is_open, "{word}");
    }
    let kept: Vec<_> =
        panel.refill_journal(0).into_iter().map(|refill| (refill.id, refill.order, refill.status)).collect();
    let wanted = [("1001001", "Rejected"), ("1001002", "Completed"), ("1001003", "Pending")];
    assert_eq!(kept, wanted.map(|(id, status)| (id.to_owned(), done.clone(), status.to_owned())));
}

#[test]
fn refills_are_asked_for_and_looked_at_in_lists() {
    let (mut panel, done, running) = refilling(NEVER);
    let answer = call(&mut panel, &format!("action=refill&orders={done},{running},{done},x"));
    let not_eligible = error("Order not eligible for refill");
    let wanted = json!([
        { "order": 1_001, "refill": 1_001_001 },
        { "order": 1_002, "refill": not_eligible },
        { "order": 1_001, "refill": not_eligible },
        { "order": "x", "refill": error("Incorrect order ID") },
    ]);
    assert_eq!(answer, wanted);
    let answer = call(&mut panel, "action=refill_status&refills=1001001,1001");
    let wanted =
        json!([{ "refill": 1_001_001, "status": "Pending" }, { "refill": 1_001, "status": error("Refill not found") }]);
    assert_eq!(answer, wanted);
    for nothing in ["refill=1001", "refill=x", "refills=,", ""] {
        let answer = call(&mut panel, &format!("action=refill_status&{nothing}"));
        assert_eq!(answer, error("Refill not found"), "{nothing}");
    }
}

#[test]
fn a_refill_lives_by_the_clock_until_a_script_says_otherwise() {
    let (mut panel, done, _) = refilling(Life { start_ms: 100, finish_ms: 1_100 });
    call_at(&mut panel, &format!("action=refill&order={done}"), 5_000);
    for (now_ms, status) in [(5_099, "Pending"), (5_100, "In progress"), (6_099, "In progress"), (6_100, "Completed")] {
        let answer = call_at(&mut panel, "action=refill_status&refill=1001001", now_ms);
        assert_eq!(answer, json!({ "status": status }), "at {now_ms}");
    }
    panel.refill_progress("1001001", "Rejected").unwrap();
    assert_eq!(call_at(&mut panel, "action=refill_status&refill=1001001", 9_000), json!({ "status": "Rejected" }));
    assert!(panel.refill_progress("1001", "Completed").is_err());

    panel.pause_life(true, 9_000);
    call_at(&mut panel, &format!("action=refill&order={done}"), 9_500);
    assert_eq!(call_at(&mut panel, "action=refill_status&refill=1001002", 99_000), json!({ "status": "Pending" }));
}

#[test]
fn what_a_refill_costs_shows_in_the_charge_of_its_order() {
    let (mut panel, done, _) = refilling(NEVER);
    call(&mut panel, &format!("action=refill&order={done}"));
    assert_eq!(panel.balance(), "8.2", "a refill is free until it is charged");
    panel.charge_refill("1001001", "0.2").unwrap();
    assert_eq!(call(&mut panel, &format!("action=status&order={done}"))["charge"], "1.1");
    assert_eq!((panel.balance().as_str(), panel.journal_of(&done, 0).unwrap().charge.as_str()), ("8", "1.1"));
    assert!(panel.charge_refill("1001", "0.2").is_err() && panel.charge_refill("1001001", "much").is_err());
}

#[test]
fn a_new_rate_is_listed_and_charged() {
    let mut panel = panel(NEVER);
    panel.set_rate("1", "1.80").unwrap();
    assert_eq!(call(&mut panel, "action=services")[0]["rate"], "1.80");
    order(&mut panel, 1_000);
    assert_eq!(panel.balance(), "8.2");
    assert!(panel.set_rate("9", "1").is_err() && panel.set_rate("1", "dear").is_err());
}

#[test]
fn amounts_in_the_configuration_are_checked() {
    assert!(Panel::new(Config { balance: "-1".to_owned(), ..config(NEVER) }).is_err());
    assert!(Panel::new(Config { services: vec![service("1", "1e3", true)], ..config(NEVER) }).is_err());
    assert!(Panel::new(Config::default()).is_ok());
}
