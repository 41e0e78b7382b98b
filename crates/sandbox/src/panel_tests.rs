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
