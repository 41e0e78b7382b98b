//! The sandbox on a real socket: what each fault does to the caller, and what the journal says was really done.

use std::io::ErrorKind;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::*;
use crate::{
    config::{Life, Service, demo_services},
    fault::FaultKind,
};

const ADD: &str = "key=k&action=add&service=1&link=https%3A%2F%2Fexample.com%2Fa&quantity=1000";
const PATIENCE: Duration = Duration::from_secs(10);

fn fault(action: &str, kind: FaultKind, count: u32, delay_ms: u64) -> Fault {
    Fault { action: action.to_owned(), kind, count, delay_ms }
}

/// A sandbox whose services can all be refilled.
async fn start(faults: Vec<Fault>) -> Sandbox {
    let config = Config {
        key: "k".to_owned(),
        balance: "10".to_owned(),
        services: demo_services(100).into_iter().map(|service| Service { refill: true, ..service }).collect(),
        life: Life { start_ms: u64::MAX, finish_ms: u64::MAX },
        faults,
        ..Config::default()
    };
    Sandbox::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap()
}

/// What came back, byte for byte; nothing when the connection was closed or reset without an answer.
async fn send(sandbox: &Sandbox, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(format!("{head}{body}").as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    match timeout(PATIENCE, exchange).await.unwrap() {
        Ok(_) => {}
        Err(error) => assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}"),
    }
    String::from_utf8(answer).unwrap()
}

async fn call(sandbox: &Sandbox, form: &str) -> String {
    send(sandbox, "POST", "/api/v2", form).await
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn every_way_to_call_is_understood() {
    let sandbox = start(Vec::new()).await;
    let balance = "{\"balance\":\"10\",\"currency\":\"USD\"}";
    let form = "key=k&action=balance";
    assert_eq!(body(&call(&sandbox, form).await), balance);
    assert_eq!(body(&send(&sandbox, "POST", "/api/v2/", form).await), balance);
    assert_eq!(body(&send(&sandbox, "GET", &format!("/api/v2?{form}"), "").await), balance);
    let json = "{\"key\":\"k\",\"action\":\"balance\"}";
    let answer = send(&sandbox, "POST", "/api/v2", json).await;
    assert_eq!(body(&answer), balance);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("content-type: application/json\r\n"), "{answer}");
    assert!(send(&sandbox, "GET", "/api/v3", "").await.starts_with("HTTP/1.1 404"));
    assert_eq!(sandbox.url(), format!("http://{}/api/v2", sandbox.addr()));
}

#[tokio::test]
async fn each_fault_takes_the_order_or_does_not() {
    let taken = "{\"order\":1001}";
    for (kind, status, text, is_taken) in [
        (FaultKind::TakeAndDrop, "", "", true),
        (FaultKind::TakeAnd502, "HTTP/1.1 502", "502 Bad Gateway", true),
        (FaultKind::Html, "HTTP/1.1 200", "<!DOCTYPE html>", false),
        (FaultKind::Empty, "HTTP/1.1 200", "", false),
        (FaultKind::UnknownError, "HTTP/1.1 200", "Something nobody has listed 17", false),
        (FaultKind::Refusal, "HTTP/1.1 200", "{\"error\":\"Incorrect service ID\"}", false),
        (FaultKind::RefusalUnder502, "HTTP/1.1 502", "{\"error\":\"Incorrect service ID\"}", false),
        (FaultKind::NoFunds, "HTTP/1.1 200", "{\"error\":\"Not enough funds on balance\"}", false),
        (FaultKind::BadLink, "HTTP/1.1 200", "{\"error\":\"Link is invalid\"}", false),
        (FaultKind::WrongId, "HTTP/1.1 200", "{\"order\":\"not an id\"}", true),
        (FaultKind::DuplicateId, "HTTP/1.1 200", taken, true),
        (FaultKind::ChargeDrift, "HTTP/1.1 200", taken, true),
        (FaultKind::Slow, "HTTP/1.1 200", taken, true),
        (FaultKind::TooManyRequests, "HTTP/1.1 429", "Rate limit exceeded", false),
        (FaultKind::ActiveOrder, "HTTP/1.1 200", "You have active order with this link", false),
    ] {
        let sandbox = start(vec![fault("add", kind, 1, 0)]).await;
        assert!(call(&sandbox, "key=k&action=balance").await.contains("\"10\""), "{kind:?} is not for balances");
        let answer = call(&sandbox, ADD).await;
        assert!(answer.starts_with(status), "{kind:?}: {answer}");
        assert!(body(&answer).contains(text) && (body(&answer).is_empty() == text.is_empty()), "{kind:?}: {answer}");
        let journal = sandbox.journal();
        assert_eq!(journal.orders.len(), usize::from(is_taken), "{kind:?}");
        assert_eq!(journal.calls.len(), 2);
        assert_eq!(journal.calls[1].order, is_taken.then(|| "1001".to_owned()), "{kind:?}");
        // Without an earlier order an id cannot be given twice, so that fault is still to come.
        let met = (kind != FaultKind::DuplicateId).then(|| kind.name().to_owned());
        assert_eq!(journal.calls[1].fault, met);
        let charged = if kind == FaultKind::ChargeDrift { "9.05815" } else { "9.1" };
        assert_eq!(journal.balance, if is_taken { charged } else { "10" }, "{kind:?}");
        sandbox.stop().await;
    }
}

#[tokio::test]
async fn each_fault_takes_the_refill_or_does_not() {
    let taken = "{\"refill\":\"1001001\"}";
    let not_eligible = "{\"error\":\"Order not eligible for refill\"}";
    for (kind, status, text, is_taken) in [
        (FaultKind::TakeAndDrop, "", "", true),
        (FaultKind::TakeAnd502, "HTTP/1.1 502", "502 Bad Gateway", true),
        (FaultKind::Html, "HTTP/1.1 200", "<!DOCTYPE html>", false),
        (FaultKind::Empty, "HTTP/1.1 200", "", false),
        (FaultKind::UnknownError, "HTTP/1.1 200", "Something nobody has listed 17", false),
        (FaultKind::Refusal, "HTTP/1.1 200", not_eligible, false),
        (FaultKind::RefusalUnder502, "HTTP/1.1 502", not_eligible, false),
        (FaultKind::Slow, "HTTP/1.1 200", taken, true),
        (FaultKind::TooManyRequests, "HTTP/1.1 429", "Rate limit exceeded", false),
    ] {
        let sandbox = start(vec![fault("refill", kind, 1, 0)]).await;
        call(&sandbox, ADD).await;
        sandbox.progress("1001", "Completed", None);
        let answer = call(&sandbox, "key=k&action=refill&order=1001").await;
        assert!(answer.starts_with(status), "{kind:?}: {answer}");
        assert!(body(&answer).contains(text) && (body(&answer).is_empty() == text.is_empty()), "{kind:?}: {answer}");
        let journal = sandbox.journal();
        assert_eq!(journal.refills.len(), usize::from(is_taken), "{kind:?}");
        assert_eq!((journal.calls[1].action.as_str(), journal.calls[1].order.as_deref()), ("refill", Some("1001")));
        assert_eq!(journal.calls[1].fault.as_deref(), Some(kind.name()));
        assert_eq!(journal.balance, "9.1", "{kind:?}");
        sandbox.stop().await;
    }
}

#[tokio::test]
async fn an_id_is_given_twice_without_a_second_order() {
    let sandbox = start(Vec::new()).await;
    assert_eq!(body(&call(&sandbox, ADD).await), "{\"order\":1001}");
    sandbox.add_fault(fault("*", FaultKind::DuplicateId, 1, 0));
    assert_eq!(body(&call(&sandbox, ADD).await), "{\"order\":1001}");
    assert_eq!(body(&call(&sandbox, ADD).await), "{\"order\":1002}");
    let journal = sandbox.journal();
    assert_eq!((journal.orders.len(), journal.balance.as_str()), (2, "8.2"));
    assert_eq!(journal.calls[1].fault.as_deref(), Some("duplicate_id"));
    assert_eq!(journal.calls[1].order, None);
}

#[tokio::test]
async fn a_drift_adds_itself_to_another_fault_and_shows_in_the_status() {
    let drift = fault("add", FaultKind::ChargeDrift, 1, 0);
    let sandbox =
        start(vec![drift, fault("add", FaultKind::Refusal, 1, 0), fault("add", FaultKind::TakeAnd502, 1, 0)]).await;
    call(&sandbox, ADD).await;
    assert!(call(&sandbox, ADD).await.starts_with("HTTP/1.1 502"));
    assert_eq!(body(&call(&sandbox, ADD).await), "{\"order\":1002}");
    let charges: Vec<_> = sandbox.journal().orders.into_iter().map(|order| order.charge).collect();
    assert_eq!(charges, ["0.94185", "0.9"]);
    assert!(call(&sandbox, "key=k&action=status&order=1001").await.contains("\"charge\":\"0.94185\""));
}

#[tokio::test]
async fn a_hung_call_has_taken_its_order_and_ends_with_the_sandbox() {
    let sandbox = start(vec![fault("add", FaultKind::TakeAndHang, 1, 0)]).await;
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    stream.write_all(format!("GET /api/v2?{ADD} HTTP/1.1\r\nHost: sandbox\r\n\r\n").as_bytes()).await.unwrap();
    let taken = async {
        while sandbox.journal().orders.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, taken).await.unwrap();
    let mut answer = Vec::new();
    timeout(Duration::from_millis(200), stream.read_to_end(&mut answer)).await.unwrap_err();
    timeout(PATIENCE, sandbox.stop()).await.unwrap();
    let closed = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    assert!(closed.is_err() || answer.is_empty());
}

#[tokio::test]
async fn a_slow_answer_is_late_and_right() {
    let sandbox = start(vec![fault("*", FaultKind::Slow, 1, 120)]).await;
    let asked = Instant::now();
    assert_eq!(body(&call(&sandbox, ADD).await), "{\"order\":1001}");
    assert!(asked.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn too_many_requests_say_when_to_come_back() {
    let sandbox = start(vec![fault("*", FaultKind::TooManyRequests, 2, 1_001)]).await;
    assert!(call(&sandbox, ADD).await.contains("retry-after: 2\r\n"));
    assert!(call(&sandbox, ADD).await.starts_with("HTTP/1.1 429"));
    assert_eq!(body(&call(&sandbox, ADD).await), "{\"order\":1001}");
}

#[tokio::test]
async fn a_dropped_connection_reads_nothing() {
    let sandbox = start(vec![fault("add", FaultKind::DropBeforeReading, 1, 0)]).await;
    assert_eq!(call(&sandbox, ADD).await, "");
    let journal = sandbox.journal();
    assert!(journal.orders.is_empty());
    assert_eq!(journal.calls.len(), 1);
    assert_eq!(journal.calls[0].action, "connect");
    assert_eq!(journal.calls[0].fault.as_deref(), Some("drop_before_reading"));
    assert_eq!(body(&call(&sandbox, ADD).await), "{\"order\":1001}");
}

#[tokio::test]
async fn a_closed_port_refuses_until_the_fault_is_removed() {
    let sandbox = start(Vec::new()).await;
    for _ in 0..3 {
        sandbox.add_fault(fault("*", FaultKind::RefuseConnection, 0, 0));
        let refused = TcpStream::connect(sandbox.addr()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        sandbox.clear_faults();
        assert!(call(&sandbox, "key=k&action=balance").await.contains("\"10\""));
    }
    assert_eq!(sandbox.journal().calls.len(), 3);
}

#[tokio::test]
async fn a_closed_port_opens_again_after_its_delay() {
    let started = Instant::now();
    let sandbox = start(vec![fault("*", FaultKind::RefuseConnection, 0, 300)]).await;
    let opened = async {
        while TcpStream::connect(sandbox.addr()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, opened).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(sandbox.shared.faults().is_empty());
}

#[tokio::test]
async fn idle_connections_are_closed_by_a_fault_of_the_connection() {
    let sandbox = start(Vec::new()).await;
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    let request = "GET /api/v2?key=k&action=balance HTTP/1.1\r\nHost: sandbox\r\n\r\n";
    let mut answer = [0; 1_024];
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap() > 0);
    }
    sandbox.add_fault(fault("*", FaultKind::DropBeforeReading, 1, 0));
    assert_eq!(timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_process_is_scripted_over_http() {
    let sandbox = start(Vec::new()).await;
    let listed = |answer: String| serde_json::from_str::<Vec<Fault>>(body(&answer)).unwrap();
    let html = fault("add", FaultKind::Html, 2, 0);
    let added = send(&sandbox, "POST", "/__faults", "{\"action\":\"add\",\"kind\":\"html\",\"count\":2}").await;
    assert_eq!(listed(added), std::slice::from_ref(&html));
    assert_eq!(listed(send(&sandbox, "GET", "/__faults", "").await), [html]);
    let bad = send(&sandbox, "POST", "/__faults", "{\"kind\":\"explode\"}").await;
    assert!(bad.starts_with("HTTP/1.1 400") && bad.contains("take_and_hang"), "{bad}");
    assert!(call(&sandbox, ADD).await.contains("<!DOCTYPE html>"));
    assert_eq!(body(&send(&sandbox, "DELETE", "/__faults", "").await), "[]");

    call(&sandbox, ADD).await;
    let script = "{\"status\":\"Partial\",\"remains\":157,\"charge\":\"0.7\"}";
    let scripted = send(&sandbox, "POST", "/__orders/1001", script).await;
    assert!(scripted.contains("\"status\":\"Partial\"") && scripted.contains("\"refunded\":\"0.1413\""), "{scripted}");
    assert!(call(&sandbox, "key=k&action=status&order=1001").await.contains("\"charge\":\"0.7\""));
    for (path, script) in [("/__orders/7", script), ("/__orders/1001", "{\"remains\":1}"), ("/__orders/1001", "{")] {
        assert!(send(&sandbox, "POST", path, script).await.starts_with("HTTP/1.1 400"), "{path} {script}");
    }

    sandbox.progress("1001", "Completed", None);
    assert_eq!(body(&call(&sandbox, "key=k&action=refill&order=1001").await), "{\"refill\":\"1001001\"}");
    let scripted = send(&sandbox, "POST", "/__refills/1001001", "{\"status\":\"Rejected\"}").await;
    assert_eq!(body(&scripted), "{\"id\":\"1001001\",\"order\":\"1001\",\"status\":\"Rejected\"}");
    for (path, script) in [("/__refills/1001", "{\"status\":\"Completed\"}"), ("/__refills/1001001", "{}")] {
        assert!(send(&sandbox, "POST", path, script).await.starts_with("HTTP/1.1 400"), "{path} {script}");
    }

    let journal: Journal = serde_json::from_str(body(&send(&sandbox, "GET", "/__journal", "").await)).unwrap();
    assert_eq!(journal, sandbox.journal());
    assert_eq!((journal.balance.as_str(), journal.refills.len()), ("9.1587", 1));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read() {
    let sandbox = start(Vec::new()).await;
    let answer = send(&sandbox, "POST", "/api/v2", &"x".repeat((4 << 20) + 1)).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(sandbox.journal().calls.is_empty());
}

#[tokio::test]
async fn a_stopped_sandbox_gives_its_port_back() {
    let sandbox = start(vec![fault("*", FaultKind::RefuseConnection, 0, 0)]).await;
    let addr = sandbox.addr();
    sandbox.stop().await;
    let again = Sandbox::start(Config::default(), addr).await.unwrap();
    assert!(call(&again, "key=sandbox&action=balance").await.contains("\"1000\""));
}

#[tokio::test]
async fn an_amount_that_cannot_be_read_is_an_error_at_the_start() {
    let config = Config { balance: "much".to_owned(), ..Config::default() };
    let error = Sandbox::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
#[should_panic(expected = "there is no order `7`")]
async fn a_script_for_no_order_does_not_pass_unseen() {
    start(Vec::new()).await.progress("7", "Completed", None);
}

#[tokio::test]
#[should_panic(expected = "there is no refill `1001`")]
async fn a_script_for_no_refill_does_not_pass_unseen() {
    let sandbox = start(Vec::new()).await;
    call(&sandbox, ADD).await;
    sandbox.refill_progress("1001", "Completed");
}
