//! Traces and logs: an order's whole way is one trace, also past a restart; a failure is one line that a machine can read;
//! and no secret is in either.

use std::{collections::BTreeMap, net::TcpListener};

use acceptance::{ACCOUNT, Collector, Gateway, SERVICE, Setup, Span, form, on_both, sandbox::FaultKind, wait_until};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::support::text;

/// The trace and the span of a caller.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Two upstreams, and traces for `collector`.
fn traced(collector: &Collector) -> Setup {
    Setup::two().setting("TELEMETRY__OTLP_ENDPOINT", &collector.endpoint())
}

/// Places an order as software does that traces itself.
fn place(gateway: &Gateway, link: &str, traceparent: &str) -> Result<i64> {
    let pairs = [("key", gateway.key()), ("action", "add"), ("service", SERVICE), ("link", link), ("quantity", "1000")];
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("traceparent", traceparent)];
    let answer = gateway.http("POST", "/api/v2", &headers, &form(&pairs))?.json()?;
    answer["order"].as_i64().with_context(|| format!("no order id in {answer}"))
}

fn traceparent() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

/// What upstream `alpha` was told in its latest submission.
fn told(gateway: &Gateway) -> Result<Option<String>> {
    let calls = gateway.upstream("alpha")?.journal().calls;
    Ok(calls.into_iter().rfind(|call| call.action == "add").context("no submission arrived")?.traceparent)
}

/// The spans of the caller's trace by id. All of them must hang on the one `request`, and that on the caller.
fn of_trace(spans: &[Span]) -> Result<BTreeMap<&str, &Span>> {
    let mine: BTreeMap<&str, &Span> = spans.iter().filter(|s| s.trace == TRACE).map(|s| (s.id.as_str(), s)).collect();
    for span in mine.values() {
        let mut top = span;
        while let Some(parent) = mine.get(top.parent.as_str()) {
            top = parent;
        }
        ensure!((top.name.as_str(), top.parent.as_str()) == ("request", CALLER), "{span:?} hangs on {top:?}");
    }
    Ok(mine)
}

/// The one span of that name whose parent has the other name.
fn one<'a>(trace: &BTreeMap<&str, &'a Span>, name: &str, under: &str) -> Result<&'a Span> {
    let parent = |span: &Span| trace.get(span.parent.as_str()).map_or("", |parent| parent.name.as_str());
    let mut found = trace.values().copied().filter(|span| span.name == name && parent(span) == under);
    let first = found.next().with_context(|| format!("no {name} under {under} in {trace:#?}"))?;
    ensure!(found.next().is_none(), "more than one {name} under {under}");
    Ok(first)
}

#[test]
fn the_whole_way_of_an_order_is_one_trace() -> Result<()> {
    on_both(|engine| {
        let collector = Collector::start()?;
        let mut gateway = Gateway::start(engine, &traced(&collector))?;
        let (alpha, link) = (gateway.upstream("alpha")?, "https://example.com/traced");
        let id = place(&gateway, link, &traceparent())?;
        gateway.wait_attempt(id, "accepted")?;
        alpha.say(link, "Partial", Some(400))?;
        gateway.wait_status(id, "Partial")?;
        gateway.stop()?;

        let spans = collector.spans()?;
        let trace = of_trace(&spans)?;
        let request = trace.values().find(|span| span.name == "request").context("no request")?;
        for (name, value) in [("face", "api_v2"), ("action", "add"), ("result", "ok"), ("status", "200")] {
            assert_eq!(request.field(name), value, "{request:?}");
        }
        assert_eq!((request.kind, request.service.as_str()), ("server", "interline"));
        let order = id.to_string();
        let placed = one(&trace, "place", "request")?;
        assert_eq!(
            (placed.field("account"), placed.field("service"), placed.field("order")),
            (ACCOUNT, SERVICE, &*order)
        );
        let route = one(&trace, "route", "place")?;
        assert_eq!((route.field("candidates"), route.field("taken")), ("2", "alpha"));
        let write = one(&trace, "write", "place")?;
        assert_eq!(write.field("lane"), "customer");
        assert!(write.field("operations").parse::<u32>()? >= 1, "{write:?}");
        let submit = one(&trace, "submit", "place")?;
        assert_eq!((submit.field("order"), submit.field("upstream")), (&*order, "alpha"));
        let call = one(&trace, "call", "submit")?;
        for (name, value) in
            [("upstream", "alpha"), ("call", "submit"), ("http_status", "200"), ("outcome", "accepted")]
        {
            assert_eq!(call.field(name), value, "{call:?}");
        }
        assert_eq!(call.kind, "client");
        assert_eq!(told(&gateway)?, Some(format!("00-{TRACE}-{}-01", call.id)), "what the upstream was told");
        assert_eq!(one(&trace, "verdict", "submit")?.field("state"), "accepted");
        one(&trace, "write", "verdict")?;

        let end = one(&trace, "end", "follow")?;
        assert_eq!((end.field("order"), end.field("status"), end.field("refund")), (&*order, "Partial", "1 USD"));
        let follow = trace[end.parent.as_str()];
        assert_eq!((follow.field("order"), follow.field("status")), (&*order, "Partial"));
        assert_eq!(trace[follow.parent.as_str()].name, "place");
        // The batch that brought the news is a trace of its own.
        let brought = spans.iter().find(|span| follow.links.contains(&span.id)).context("it follows from no call")?;
        assert_eq!((brought.name.as_str(), brought.field("call")), ("call", "status"));
        assert!(brought.trace != TRACE && brought.parent.is_empty(), "{brought:?}");
        gateway.finish()
    })
}

#[test]
fn a_trace_goes_on_after_a_restart() -> Result<()> {
    on_both(|engine| {
        let collector = Collector::start()?;
        let mut gateway = Gateway::start(engine, &traced(&collector))?;
        let link = "https://example.com/restarted";
        let id = place(&gateway, link, &traceparent())?;
        gateway.wait_attempt(id, "accepted")?;
        gateway.restart()?;
        gateway.upstream("alpha")?.say(link, "Completed", None)?;
        gateway.wait_status(id, "Completed")?;
        gateway.stop()?;

        let spans = collector.spans()?;
        let end = one(&of_trace(&spans)?, "end", "follow")?.clone();
        assert_eq!((end.field("order"), end.field("status")), (&*id.to_string(), "Completed"));
        gateway.finish()
    })
}

#[test]
fn an_order_that_waits_is_sent_in_the_trace_it_was_placed_in() -> Result<()> {
    on_both(|engine| {
        let collector = Collector::start()?;
        let mut gateway = Gateway::start(engine, &traced(&collector).setting("PANEL__DISPATCH_WAIT_MS", "100"))?;
        gateway.upstream("alpha")?.fail(FaultKind::TooManyRequests, 0);
        let id = place(&gateway, "https://example.com/waits", &traceparent())?;
        gateway.wait_attempt(id, "queued")?;
        gateway.restart()?;
        gateway.upstream("alpha")?.heal();
        gateway.wait_attempt(id, "accepted")?;
        gateway.stop()?;

        let spans = collector.spans()?;
        let trace = of_trace(&spans)?;
        let outcomes: Vec<&str> = trace.values().filter(|s| s.name == "call").map(|s| s.field("outcome")).collect();
        assert!(outcomes.contains(&"busy") && outcomes.contains(&"accepted"), "{outcomes:?}");
        gateway.finish()
    })
}

#[test]
fn without_an_exporter_the_callers_trace_is_handed_on() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two())?;
        for (number, (sent, arrives)) in [
            (traceparent(), Some(traceparent())),
            // Malformed, so that nobody may believe it.
            (format!("00-{}-{CALLER}-01", "0".repeat(32)), None),
            ("4bf92f35".to_owned(), None),
        ]
        .into_iter()
        .enumerate()
        {
            let id = place(&gateway, &format!("https://example.com/handed-on/{number}"), &sent)?;
            gateway.wait_attempt(id, "accepted")?;
            assert_eq!(told(&gateway)?, arrives, "{sent}");
        }
        gateway.finish()
    })
}

#[test]
fn no_secret_and_no_link_is_in_any_span() -> Result<()> {
    on_both(|engine| {
        let collector = Collector::start()?;
        let mut gateway = Gateway::start(engine, &traced(&collector))?;
        let alpha = gateway.upstream("alpha")?;
        let wrong = "a-wrong-key-7e21";
        let taken = gateway.place("https://example.com/taken", 1000)?;
        gateway.wait_attempt(taken, "accepted")?;
        alpha.fail(FaultKind::TakeAndDrop, 1);
        let lost = gateway.place("https://example.com/lost", 1000)?;
        gateway.wait_attempt(lost, "unknown")?;
        alpha.fail(FaultKind::Refusal, 1);
        let refused = gateway.place("https://example.com/refused", 1000)?;
        gateway.wait_attempt(refused, "accepted")?;
        gateway.add("https://example.com/too-many", 99_999)?;
        gateway.http("GET", &format!("/api/v2?action=balance&key={wrong}"), &[], "")?;
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        gateway.http("POST", "/perfectPanel", &headers, &format!("key={wrong}&action=add&service={wrong}"))?;
        gateway.balance()?;
        gateway.stop()?;

        assert!(collector.spans()?.len() > 20, "too few spans to prove anything");
        for secret in gateway.secrets()?.iter().map(String::as_str).chain([wrong, "example.com"]) {
            assert!(!collector.holds(secret), "a span holds `{secret}`");
        }
        gateway.finish()
    })
}

#[test]
fn an_unreachable_collector_is_complained_of_once_and_holds_nobody_up() -> Result<()> {
    on_both(|engine| {
        // A port that was free a moment ago.
        let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let setup = Setup::two().setting("TELEMETRY__OTLP_ENDPOINT", &format!("http://{nobody}"));
        let mut gateway = Gateway::start(engine, &setup)?;
        let complaint = "traces do not reach the collector";
        let mut count = 0;
        wait_until("the complaint", || {
            count += 1;
            gateway.place(&format!("https://example.com/alone/{count}"), 10)?;
            Ok(gateway.log()?.contains(complaint))
        })?;
        let last = gateway.place("https://example.com/alone/last", 10)?;
        gateway.wait_attempt(last, "accepted")?;
        // The spans that are left are tried once more at the end.
        gateway.stop()?;
        assert_eq!(gateway.log()?.matches(complaint).count(), 1, "{}", gateway.log()?);
        gateway.finish()
    })
}

#[test]
fn an_endpoint_that_is_no_address_is_a_mistake_in_the_configuration() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::prepare(engine, &Setup::two())?;
        for wrong in ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://user:f3a9c1@127.0.0.1:4318"] {
            let output = gateway.command().env("INTERLINE_TELEMETRY__OTLP_ENDPOINT", wrong).arg("serve").output()?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{wrong}: {said}");
            assert!(said.contains("telemetry.otlp_endpoint") && !said.contains("f3a9c1"), "{wrong}: {said}");
        }
        gateway.finish()
    })
}

#[test]
fn a_failure_is_one_line_of_json_with_its_ids() -> Result<()> {
    on_both(|engine| {
        let mut gateway = Gateway::start(engine, &Setup::two().setting("TELEMETRY__LOG_FORMAT", "json"))?;
        let taken = gateway.place("https://example.com/fine", 1000)?;
        gateway.wait_attempt(taken, "accepted")?;
        gateway.upstream("alpha")?.fail(FaultKind::TakeAndDrop, 1);
        let lost = gateway.place("https://example.com/lost", 1000)?;
        let order = gateway.wait_attempt(lost, "unknown")?;
        gateway.stop()?;

        let log = gateway.log()?;
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: `{line}`")))
            .collect::<Result<_>>()?;
        let about = |id: i64| -> Vec<&Value> { lines.iter().filter(|line| line["order"] == id).collect() };
        assert!(about(taken).is_empty(), "an order that goes well is not logged: {log}");
        let [line] = about(lost)[..] else { anyhow::bail!("not one line about order {lost}: {log}") };
        assert_eq!((text(line, "level"), text(line, "upstream")), ("WARN", "alpha"), "{line}");
        assert_eq!(line["attempt"].as_i64(), order["attempts"][0]["id"].as_i64(), "{line}");
        assert!(text(line, "message").contains("unknown") && !text(line, "error").is_empty(), "{line}");
        assert_eq!(text(&line["span"], "name"), "verdict", "{line}");
        assert!(text(line, "target").starts_with("interline") && !text(line, "timestamp").is_empty(), "{line}");
        gateway.finish()
    })
}
