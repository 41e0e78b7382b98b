//! Each fault on each of the other two protocols, on a real socket: what the caller sees, and what was really done.

use std::io::ErrorKind;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::*;
use crate::{
    config::{Life, RateLimit},
    fault::FaultKind,
};

const PATIENCE: Duration = Duration::from_secs(10);
const NOT_TAKEN: bool = false;
const TAKEN: bool = true;

/// What each fault does to an order: the first line of the answer, what stands in its body, and whether it was taken.
type Row = (FaultKind, &'static str, &'static str, bool);

const OK: &str = "HTTP/1.1 200";

/// A protocol with the request that orders, and what it answers when nothing is wrong.
struct Dialect {
    adapter: Adapter,
    add: (&'static str, &'static str, &'static str),
    accepted: &'static str,
    charges: (&'static str, &'static str),
    rows: [Row; 11],
}

const STREAMRISE: Dialect = Dialect {
    adapter: Adapter::Streamrise,
    add: ("GET", "/api/newOrder?key=k&service=twitchViewers&channel=a&amount=1000", ""),
    accepted: "{\"order\":{\"amount\":1000,\"channel\":\"a\",\"id\":1001,",
    charges: ("9.2", "9.1628"),
    rows: [
        (FaultKind::UnknownError, OK, "{\"error\":{\"service\":\"Something nobody has listed 17\"}}", NOT_TAKEN),
        (FaultKind::Refusal, OK, "{\"error\":{\"channel\":\"Invalid channel name\"}}", NOT_TAKEN),
        (FaultKind::RefusalUnder502, "HTTP/1.1 502", "{\"error\":{\"channel\":\"Invalid channel name\"}}", NOT_TAKEN),
        (FaultKind::NoFunds, OK, "{\"error\":\"Not enough funds on balance\"}", NOT_TAKEN),
        (FaultKind::BadLink, OK, "{\"error\":{\"channel\":\"Channel not found\"}}", NOT_TAKEN),
        (FaultKind::TooManyRequests, "HTTP/1.1 429", "{\"error\":\"Rate limit exceeded\"}", NOT_TAKEN),
        (FaultKind::ActiveOrder, OK, "You have active order with this link", NOT_TAKEN),
        (FaultKind::WrongId, OK, "\"id\":\"not an id\",", TAKEN),
        (FaultKind::Html, OK, "<!DOCTYPE html>", NOT_TAKEN),
        (FaultKind::Empty, OK, "", NOT_TAKEN),
        (FaultKind::TakeAndDrop, "", "", TAKEN),
    ],
};

const STREAMSKILL: Dialect = Dialect {
    adapter: Adapter::Streamskill,
    add: (
        "POST",
        "/v1/purchases/create",
        "{\"tarif\":{\"id\":1,\"quantity\":1000,\"duration\":1},\"channel\":\"a\",\"start\":true}",
    ),
    accepted: "\"id\":1001,",
    charges: ("8.5", "8.43025"),
    rows: [
        (FaultKind::UnknownError, "HTTP/1.1 500", "Something nobody has listed 17", NOT_TAKEN),
        (FaultKind::Refusal, "HTTP/1.1 422", "{\"quantity\":[\"quantity is invalid.\"]}", NOT_TAKEN),
        (FaultKind::RefusalUnder502, "HTTP/1.1 502", "\"status\":422", NOT_TAKEN),
        (FaultKind::NoFunds, "HTTP/1.1 402", "\"status\":402", NOT_TAKEN),
        (FaultKind::BadLink, "HTTP/1.1 422", "{\"channel\":[\"channel is invalid.\"]}", NOT_TAKEN),
        (FaultKind::TooManyRequests, "HTTP/1.1 429", "\"status\":429", NOT_TAKEN),
        (FaultKind::ActiveOrder, "HTTP/1.1 409", "\"status\":409", NOT_TAKEN),
        (FaultKind::WrongId, OK, "\"id\":\"not an id\",", TAKEN),
        (FaultKind::Html, OK, "<!DOCTYPE html>", NOT_TAKEN),
        (FaultKind::Empty, OK, "", NOT_TAKEN),
        (FaultKind::TakeAndDrop, "", "", TAKEN),
    ],
};

fn fault(action: &str, kind: FaultKind, count: u32) -> Fault {
    Fault { action: action.to_owned(), kind, count, delay_ms: 0 }
}

async fn start(adapter: Adapter, faults: Vec<Fault>) -> Sandbox {
    let config = Config {
        key: "k".to_owned(),
        balance: "10".to_owned(),
        life: Life { start_ms: u64::MAX, finish_ms: u64::MAX },
        faults,
        ..Config::of(adapter, 100)
    };
    Sandbox::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap()
}

/// What came back, byte for byte; nothing when the connection was closed without an answer.
async fn send(sandbox: &Sandbox, (method, path, body): (&str, &str, &str)) -> Vec<u8> {
    let mut stream = TcpStream::connect(sandbox.addr()).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer k\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(format!("{head}{body}").as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    match timeout(PATIENCE, exchange).await.unwrap() {
        Ok(_) => {}
        Err(error) => assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}"),
    }
    answer
}

async fn text(sandbox: &Sandbox, request: (&str, &str, &str)) -> String {
    String::from_utf8(send(sandbox, request).await).unwrap()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn each_fault_takes_the_order_or_does_not() {
    for dialect in [STREAMRISE, STREAMSKILL] {
        let mut rows = dialect.rows.to_vec();
        rows.extend([
            (FaultKind::TakeAnd502, "HTTP/1.1 502", "502 Bad Gateway", TAKEN),
            (FaultKind::DuplicateId, OK, dialect.accepted, TAKEN),
            (FaultKind::ChargeDrift, OK, dialect.accepted, TAKEN),
            (FaultKind::Slow, OK, dialect.accepted, TAKEN),
            (FaultKind::Deep, OK, "[[[[", TAKEN),
        ]);
        for (kind, status, wanted, is_taken) in rows {
            let sandbox = start(dialect.adapter, vec![fault("add", kind, 1)]).await;
            let answer = text(&sandbox, dialect.add).await;
            assert!(answer.starts_with(status), "{kind:?}: {answer}");
            let is_told = body(&answer).contains(wanted) && (body(&answer).is_empty() == wanted.is_empty());
            assert!(is_told, "{kind:?}: {answer}");
            let journal = sandbox.journal();
            assert_eq!(journal.orders.len(), usize::from(is_taken), "{kind:?}");
            assert_eq!(journal.calls.len(), 1);
            assert_eq!((journal.calls[0].action.as_str(), journal.calls[0].order.is_some()), ("add", is_taken));
            // Without an earlier order an id cannot be given twice, so that fault is still to come.
            let met = (kind != FaultKind::DuplicateId).then(|| kind.name().to_owned());
            assert_eq!(journal.calls[0].fault, met);
            let (charged, drifted) = dialect.charges;
            let left = if kind == FaultKind::ChargeDrift { drifted } else { charged };
            assert_eq!(journal.balance, if is_taken { left } else { "10" }, "{kind:?}");
            sandbox.stop().await;
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_answer_are_sent_as_they_are() {
    for dialect in [STREAMRISE, STREAMSKILL] {
        let sandbox = start(dialect.adapter, vec![fault("add", FaultKind::Garbage, 1)]).await;
        let answer = send(&sandbox, dialect.add).await;
        assert!(answer.starts_with(b"HTTP/1.1 200") && String::from_utf8(answer).is_err());
        assert_eq!(sandbox.journal().orders.len(), 1);
        sandbox.add_fault(fault("services", FaultKind::Huge, 1));
        let path = if dialect.adapter == Adapter::Streamrise { "/api/getServices?key=k" } else { "/v1/tarifs" };
        assert!(send(&sandbox, ("GET", path, "")).await.len() > 100 << 20);
    }
}

#[tokio::test]
async fn an_id_is_given_twice_without_a_second_order() {
    for dialect in [STREAMRISE, STREAMSKILL] {
        let sandbox = start(dialect.adapter, Vec::new()).await;
        let first = text(&sandbox, dialect.add).await;
        sandbox.add_fault(fault("add", FaultKind::DuplicateId, 1));
        assert_eq!(body(&text(&sandbox, dialect.add).await), body(&first));
        assert_eq!(sandbox.journal().orders.len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_leads_back_under_another_name() {
    for dialect in [STREAMRISE, STREAMSKILL] {
        let sandbox = start(dialect.adapter, vec![fault("add", FaultKind::Redirect, 1)]).await;
        let answer = text(&sandbox, dialect.add).await;
        let location = format!("location: http://localhost:{}{}\r\n", sandbox.addr().port(), dialect.add.1);
        assert!(answer.starts_with("HTTP/1.1 307") && answer.contains(&location), "{answer}");
        assert!(sandbox.journal().orders.is_empty());
    }
}

#[tokio::test]
async fn faults_strike_at_the_action_whatever_it_is_called() {
    let cases = [
        (Adapter::Streamrise, "status", ("POST", "/perfectPanel", "{\"key\":\"k\",\"action\":\"status\",\"order\":1}")),
        (Adapter::Streamrise, "balance", ("POST", "/perfectPanel", "{\"key\":\"k\",\"action\":\"balance\"}")),
        (Adapter::Streamrise, "add", ("POST", "/perfectPanel", "{\"key\":\"k\",\"action\":\"add\"}")),
        (Adapter::Streamrise, "services", ("GET", "/api/availableToSend?key=k", "")),
        (Adapter::Streamrise, "orders", ("GET", "/api/getOrdersPage?key=k", "")),
        (Adapter::Streamrise, "pause", ("GET", "/api/pauseOrder?key=k&id=1", "")),
        (Adapter::Streamrise, "resume", ("GET", "/api/resumeOrder?key=k&id=1", "")),
        (Adapter::Streamrise, "delete", ("GET", "/api/deleteOrder?key=k&id=1", "")),
        (Adapter::Streamrise, "validate", ("GET", "/api/validateOrderProperty?service=a", "")),
        (Adapter::Streamrise, "quote", ("POST", "/api/calculateUpgradePrice?key=k", "{\"id\":1}")),
        (Adapter::Streamrise, "upgrade", ("POST", "/api/upgradeOrder?key=k", "{\"id\":1}")),
        (Adapter::Streamrise, "change", ("POST", "/api/changeOrder?key=k", "{\"id\":1}")),
        (Adapter::Streamskill, "services", ("GET", "/v1/tarifs/1", "")),
        (Adapter::Streamskill, "status", ("GET", "/v1/purchases/1", "")),
        (Adapter::Streamskill, "status", ("GET", "/v1/purchases/bulk?ids=1", "")),
        (Adapter::Streamskill, "orders", ("GET", "/v1/purchases/uncomplete", "")),
        (Adapter::Streamskill, "resume", ("POST", "/v1/purchases/1/start", "")),
        (Adapter::Streamskill, "pause", ("POST", "/v1/purchases/bulk-stop", "{\"ids\":[1]}")),
        (Adapter::Streamskill, "prolong", ("POST", "/v1/purchases/1/prolong", "{\"count\":1}")),
    ];
    for (adapter, action, request) in cases {
        let sandbox = start(adapter, vec![fault(action, FaultKind::Html, 1)]).await;
        assert!(text(&sandbox, request).await.contains("<!DOCTYPE html>"), "{action} {request:?}");
        assert!(!text(&sandbox, request).await.contains("<!DOCTYPE html>"), "{action} {request:?}");
        let calls = sandbox.journal().calls;
        assert_eq!((calls.len(), calls[0].action.as_str()), (2, action), "{request:?}");
    }
}

#[tokio::test]
async fn who_calls_too_fast_is_told_so_and_how_much_is_left() {
    let config = Config {
        key: "k".to_owned(),
        rate_limit: Some(RateLimit { burst: 2, per_second: 1 }),
        ..Config::of(Adapter::Streamskill, 100)
    };
    let sandbox = Sandbox::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let first = text(&sandbox, ("GET", "/v1/purchases", "")).await;
    assert!(first.contains("x-rate-limit-limit: 2\r\n") && first.contains("x-rate-limit-remaining: 1\r\n"), "{first}");
    assert!(first.contains("x-rate-limit-reset: 1\r\n"), "{first}");
    let slowed = async {
        loop {
            let answer = text(&sandbox, STREAMSKILL.add).await;
            if answer.starts_with("HTTP/1.1 429") {
                return answer;
            }
        }
    };
    let answer = timeout(PATIENCE, slowed).await.unwrap();
    assert!(answer.contains("x-rate-limit-remaining: 0\r\n") && !answer.contains("retry-after"), "{answer}");
    assert!(body(&answer).contains("\"status\":429"), "{answer}");
    let journal = sandbox.journal();
    let limited = journal.calls.iter().filter(|call| call.fault.as_deref() == Some("rate_limit")).count();
    let added = journal.calls.iter().filter(|call| call.action == "add").count();
    assert_eq!((limited, journal.orders.len()), (1, added - 1));
}

#[tokio::test]
async fn an_address_is_that_of_the_protocol_and_its_clock_its_own() {
    for (adapter, path) in
        [(Adapter::PerfectPanel, "/api/v2"), (Adapter::Streamrise, ""), (Adapter::Streamskill, "/v1")]
    {
        assert_eq!(adapter.name().parse(), Ok(adapter));
        let sandbox = start(adapter, Vec::new()).await;
        assert_eq!(sandbox.url(), format!("http://{}{path}", sandbox.addr()));
    }
    assert!("smoke".parse::<Adapter>().unwrap_err().contains("streamskill"));
    let day_ms = 86_400_000;
    let config = Config { key: "k".to_owned(), clock_off_ms: -365 * day_ms, ..Config::of(Adapter::Streamskill, 100) };
    let sandbox = Sandbox::start(config, SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let answer = text(&sandbox, STREAMSKILL.add).await;
    let purchase: Value = serde_json::from_str(body(&answer)).unwrap();
    let behind_ms = unix_ms() - purchase["created_at"].as_i64().unwrap() * 1_000;
    assert!((364 * day_ms..366 * day_ms).contains(&behind_ms), "{answer}");
}

#[tokio::test]
async fn a_process_tells_whatever_it_is_told_to() {
    let sandbox = start(Adapter::Streamskill, Vec::new()).await;
    text(&sandbox, STREAMSKILL.add).await;
    let script = "{\"status\":\"working\",\"tell\":{\"price\":\"NaN\",\"currency\":\"RUB\"}}";
    assert!(text(&sandbox, ("POST", "/__orders/1001", script)).await.starts_with(OK));
    let shown = text(&sandbox, ("GET", "/v1/purchases/1001", "")).await;
    assert!(shown.contains("\"price\":\"NaN\"") && shown.contains("\"currency\":\"RUB\""), "{shown}");
    sandbox.tell("1001", "id", Value::Null);
    assert!(text(&sandbox, ("GET", "/v1/purchases/1001", "")).await.contains("\"id\":null"));
}
