//! Upstreams that mean harm, or are broken in ways that nobody thought of: whatever they answer is refused or clamped
//! for a reason that can be read, no other upstream waits for them, memory stays bounded and the books balance.

mod raw;

use std::{
    fs,
    io::ErrorKind,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use acceptance::{Engine, Gateway, Setup, UpstreamSetup, on_both, wait_until};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use self::raw::{Asked, Raw, Said};
use crate::support::{case_of, entry, text};

/// Its key, which it knows and may repeat wherever it likes.
const KEY: &str = "evil-key-3f9c0d77aa41";
/// The service that it alone sells.
const SERVICE: &str = "102";
/// What one order there costs.
const QUANTITY: &str = "1000";
/// How an order of it stands if nothing else is said.
const PENDING: &str = r#"{"charge":"1","start_count":"0","status":"Pending","remains":"1000","currency":"USD"}"#;
/// How long an order at another upstream may take meanwhile, on a busy machine.
const BESIDE_MAX: Duration = Duration::from_secs(8);
/// The most memory that a server may ever hold here. Several times as much would it be if all were read and parsed.
const MEMORY_BYTES_MAX: u64 = 600 * 1024 * 1024;

/// A field of a form; empty if it is not there.
fn field(asked: &Asked, name: &str) -> String {
    let mut fields = form_urlencoded::parse(asked.body.as_bytes());
    fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// What a panel answers that means well, whose every order stands as `state` says; it counts what it `taken` in.
fn panel(asked: &Asked, taken: &AtomicUsize, state: &str) -> Said {
    let orders = field(asked, "orders");
    Said::Body(match field(asked, "action").as_str() {
        "services" => {
            r#"[{"service":1,"name":"Evil","type":"Default","category":"C","rate":"1.00","min":"10","max":"10000"}]"#
                .to_owned()
        }
        "balance" => json!({"balance": 500 - taken.load(Ordering::Relaxed), "currency": "USD"}).to_string(),
        "add" => json!({"order": 7_001 + taken.fetch_add(1, Ordering::Relaxed)}).to_string(),
        "status" if orders.is_empty() => state.to_owned(),
        "status" => {
            let each: Vec<String> = orders.split(',').map(|id| format!("\"{id}\":{state}")).collect();
            format!("{{{}}}", each.join(","))
        }
        _ => json!({"error": "Incorrect request"}).to_string(),
    })
}

/// A gateway that sells service 101 at `alpha`, and 102 at `evil`, which behaves until its catalogue was read.
fn gateway(engine: Engine, adapter: &str, url: &str, offer: &str) -> Result<Gateway> {
    let setup = Setup::of([UpstreamSetup::new("alpha", "0.90")])
        .deposit("1000")
        // Whoever orders there is told so before the harm is done.
        .setting("PANEL__DISPATCH_WAIT_MS", "100");
    let gateway = Gateway::prepare(engine, &setup)?;
    let file = fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
    let evil = format!(
        "[[upstream]]\nid = \"evil\"\nadapter = \"{adapter}\"\nurl = \"{url}\"\nkey = \"plain:{KEY}\"\n\
         allow_private_address = true\ntimeout_ms = 4000\nrequests_per_second = 1000\nburst = 1000\nconcurrency = 32\n\n\
         [[service]]\nid = {SERVICE}\nname = \"Evil\"\nrate = \"2.50\"\nmin = 10\nmax = 10000\ncancel = true\n\
         [[service.offer]]\nupstream = \"evil\"\n{offer}\n"
    );
    gateway.write("evil.toml", &format!("{file}\n{evil}"))?;
    gateway.done(&["apply", "evil.toml"])?;
    gateway.done(&["upstream", "topup", "evil", "500", "--reference", "paid"])?;
    Ok(gateway)
}

/// The same with the server, when `evil` has a catalogue.
fn served(engine: Engine, evil: &Raw) -> Result<Gateway> {
    let mut gateway = gateway(engine, "perfectpanel", &evil.url("/api/v2"), "service = \"1\"")?;
    gateway.done(&["upstream", "sync", "evil"])?;
    gateway.serve()?;
    Ok(gateway)
}

/// Places an order that only `evil` can deliver.
fn order_there(gateway: &Gateway, name: &str) -> Result<i64> {
    let link = format!("https://example.com/{name}");
    let (status, body) =
        gateway.panel(&[("action", "add"), ("service", SERVICE), ("link", &link), ("quantity", QUANTITY)])?;
    ensure!(status == 200, "{name}: {status} {body}");
    body["order"].as_i64().with_context(|| format!("no order id in {body}"))
}

/// Holds the gateway to serve another upstream's customers all the while.
fn goes_on(gateway: &Gateway, name: &str) -> Result<()> {
    let begun = Instant::now();
    let id = gateway.place(&format!("https://example.com/beside/{name}"), 100)?;
    gateway.wait_attempt(id, "accepted")?;
    ensure!(begun.elapsed() < BESIDE_MAX, "{:?} for an order beside `{name}`", begun.elapsed());
    Ok(())
}

/// A door behind which nobody lives, and its address.
fn elsewhere() -> Result<(TcpListener, String)> {
    let door = TcpListener::bind("127.0.0.1:0")?;
    door.set_nonblocking(true)?;
    let address = format!("http://{}/api/v2", door.local_addr()?);
    Ok((door, address))
}

/// Holds that nobody came to a door.
fn nobody_came(door: &TcpListener) -> Result<()> {
    let nobody = door.accept().err().context("somebody followed a redirect")?;
    ensure!(nobody.kind() == ErrorKind::WouldBlock, "{nobody}");
    Ok(())
}

/// What is said of an order beside its states, such as what cannot be believed.
fn findings(order: &Value) -> String {
    let events = order["timeline"].as_array().into_iter().flatten();
    let texts: Vec<&str> = events.filter(|event| event["kind"] == "finding").map(|event| text(event, "text")).collect();
    texts.join("; ")
}

/// Waits until all of this is found about an order; what `order show` says then.
fn wait_findings(gateway: &Gateway, id: i64, wanted: &[&str]) -> Result<Value> {
    let mut last = Value::Null;
    wait_until("what cannot be believed to be found", || {
        last = gateway.order(id)?;
        Ok(wanted.iter().all(|wanted| findings(&last).contains(wanted)))
    })
    .with_context(|| format!("{wanted:?}: `order show` said {last}"))?;
    Ok(last)
}

/// Ends a scenario: memory stayed bounded, the key stands in no log, and everything else that `finish` looks at.
fn finish(gateway: Gateway) -> Result<()> {
    let peak = gateway.memory_peak()?;
    ensure!(peak < MEMORY_BYTES_MAX, "the server held {} MiB", peak >> 20);
    ensure!(!gateway.log()?.contains(KEY), "its key is in the log");
    gateway.finish()
}

/// Answers to a submission from which nothing follows, by a name that ends the order's link, and why not.
fn submissions(elsewhere: &str) -> Vec<(&'static str, Said, &'static str)> {
    let body = |text: &str| Said::Body(text.to_owned());
    vec![
        ("flood", Said::Flood(r#"{"order":["#, "0,"), "the answer is larger than 1048576 bytes"),
        ("crowd", Said::Body(format!("[{}0]", "{},".repeat(300_000))), "more parts than are read"),
        ("nested", Said::Body("[".repeat(100_000)), "the answer is not JSON"),
        ("nested-objects", Said::Body(r#"{"order":"#.repeat(100_000)), "the answer is not JSON"),
        ("nan", body(r#"{"order":NaN}"#), "the answer is not JSON"),
        ("infinity", body(r#"{"order":-Infinity}"#), "the answer is not JSON"),
        ("object", body(r#"{"order":{"id":7}}"#), "no order id"),
        ("sentence", body(r#"{"order":"Your order, was placed"}"#), "no order id"),
        ("list", body(r#"{"order":[7,8]}"#), "no order id"),
        ("negative", body(r#"{"order":-7}"#), "no order id"),
        ("elsewhere", Said::Under(307, format!("location: {elsewhere}?key={KEY}\r\n"), String::new()), "is empty"),
        ("keys", Said::Body(KEY.repeat(40_000)), "the answer is not JSON"),
        ("drip", Said::Drip, "no answer in time"),
    ]
}

#[test]
fn no_harm_comes_of_what_answers_an_order() -> Result<()> {
    on_both(|engine| {
        let ((door, address), taken) = (elsewhere()?, Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&taken);
        let evil = Raw::start(move |asked| panel(asked, &counted, PENDING))?;
        let gateway = served(engine, &evil)?;
        let answers = submissions(&address);
        let scripted = answers.clone();
        evil.says(move |asked| {
            let link = field(asked, "link");
            let answer = scripted.iter().find(|(name, ..)| link.strip_prefix("https://example.com/") == Some(*name));
            answer.map_or_else(|| panel(asked, &taken, PENDING), |(_, said, _)| said.clone())
        });
        let mut placed = Vec::new();
        for (name, _, told) in &answers {
            placed.push((order_there(&gateway, name)?, *name, *told));
        }
        for number in 0..3 {
            goes_on(&gateway, &format!("orders/{number}"))?;
        }
        for (id, name, told) in placed {
            gateway.wait_attempt(id, "unknown").context(name)?;
            let case = gateway.json(&["review", "show", &case_of(&gateway, id)?])?;
            ensure!(text(&case["evidence"], "reason").contains(told), "{name}: {case}");
            ensure!(!case.to_string().contains(KEY), "{name}: its key is in the evidence");
            ensure!(gateway.log()?.contains(told), "{name}: the log does not say why");
        }
        let sent = evil.count(|asked| field(asked, "action") == "add");
        ensure!(sent == answers.len(), "{} orders were sent {sent} times", answers.len());
        nobody_came(&door)?;
        finish(gateway)
    })
}

/// Answers to a status from which nothing follows, and what the log says of them.
fn statuses(elsewhere: &str) -> Vec<(&'static str, Said, &'static str)> {
    let body = |text: &str| Said::Body(text.to_owned());
    vec![
        ("flood", Said::Flood(r#"{"charge":["#, "0,"), "the answer is larger than 1048576 bytes"),
        ("nested", Said::Body(r#"{"status":"#.repeat(100_000)), "the answer is not JSON"),
        ("nan", body(r#"{"charge":NaN,"status":"Completed"}"#), "the answer is not JSON"),
        ("objects", body(r#"{"order":{"id":{"x":7001}},"state":["Completed"]}"#), "no order that was asked for"),
        (
            "elsewhere",
            Said::Under(302, format!("location: {elsewhere}?key={KEY}\r\n"), r#"{"status":"Completed"}"#.to_owned()),
            "HTTP 302",
        ),
        ("keys", Said::Body(KEY.repeat(40_000)), "the answer is not JSON"),
        ("drip", Said::Drip, "timed out"),
    ]
}

#[test]
fn no_harm_comes_of_what_answers_a_status() -> Result<()> {
    on_both(|engine| {
        let ((door, address), taken) = (elsewhere()?, Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&taken);
        let evil = Raw::start(move |asked| panel(asked, &counted, PENDING))?;
        let gateway = served(engine, &evil)?;
        let id = order_there(&gateway, "followed")?;
        gateway.wait_attempt(id, "accepted")?;
        let statuses_of = |said: Option<Said>, state: &str| {
            let (taken, state) = (Arc::clone(&taken), state.to_owned());
            evil.says(move |asked| match &said {
                Some(said) if field(asked, "action") == "status" => said.clone(),
                _ => panel(asked, &taken, &state),
            });
        };
        for (name, said, told) in statuses(&address) {
            let before = gateway.log()?.len();
            statuses_of(Some(said), PENDING);
            goes_on(&gateway, &format!("status/{name}"))?;
            wait_until("the log to say why", || {
                let log = gateway.log()?;
                Ok(log
                    .get(before..)
                    .is_some_and(|since| since.contains("statuses could not be read") && since.contains(told)))
            })
            .with_context(|| format!("{name}: {told}"))?;
            let (_, status) = gateway.panel(&[("action", "status"), ("order", &id.to_string())])?;
            ensure!((text(&status, "status"), text(&status, "charge")) == ("Pending", "2.5"), "{name}: {status}");
        }
        statuses_of(None, r#"{"charge":"-3","start_count":"0","status":"In progress","remains":"5000"}"#);
        wait_findings(&gateway, id, &["a charge of -3", "5000 of 1000 cannot remain"])?;
        let said = gateway.wait_status(id, "In progress")?;
        ensure!((text(&said, "charge"), text(&said, "remains")) == ("2.5", "1000"), "{said}");
        statuses_of(None, r#"{"charge":1e30,"status":"Partial","remains":"999999999999"}"#);
        let said = gateway.wait_status(id, "Canceled")?;
        ensure!((text(&said, "charge"), text(&said, "remains")) == ("0", "1000"), "{said}");
        nobody_came(&door)?;
        finish(gateway)
    })
}

/// Answers to `services` and `balance` that are no use, and what is said of the catalogue then.
fn catalogues(elsewhere: &str) -> Vec<(&'static str, Said, &'static str)> {
    let one = |service: &str, rate: &str| {
        format!(r#"{{"service":{service},"name":"S","rate":{rate},"min":"1","max":"100"}}"#)
    };
    let odd = [one("1", "\"NaN\""), one("2", "\"-1\""), one("3", "\"Infinity\""), one("{\"id\":4}", "1")].join(",");
    vec![
        ("flood", Said::Flood("[", r#"{"service":1},"#), "the answer is larger than 33554432 bytes"),
        ("crowd", Said::Body(format!("[{}{{}}]", "{},".repeat(3_000_000))), "more parts than are read"),
        ("nested", Said::Body("[".repeat(100_000)), "the answer is not JSON"),
        ("nan", Said::Body(format!("[{}]", one("1", "NaN"))), "the answer is not JSON"),
        ("odd", Said::Body(format!("[{odd}]")), "no service that can be read"),
        ("nothing", Said::Body("[]".to_owned()), "its catalogue is empty"),
        (
            "elsewhere",
            Said::Under(301, format!("location: {elsewhere}?key={KEY}\r\n"), format!("[{}]", one("1", "1"))),
            "HTTP 301",
        ),
        ("keys", Said::Body(KEY.repeat(400_000)), "no readable answer"),
        ("drip", Said::Drip, "timed out"),
    ]
}

#[test]
fn no_harm_comes_of_what_answers_for_a_catalogue() -> Result<()> {
    on_both(|engine| {
        let ((door, address), taken) = (elsewhere()?, Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&taken);
        let evil = Raw::start(move |asked| panel(asked, &counted, PENDING))?;
        let gateway = served(engine, &evil)?;
        let reason = || -> Result<String> {
            let upstreams = gateway.json(&["upstream", "list"])?;
            Ok(text(entry(&upstreams, "id", "evil")?, "reason").to_owned())
        };
        for (name, said, told) in catalogues(&address) {
            let taken = Arc::clone(&taken);
            evil.says(move |asked| match field(asked, "action").as_str() {
                "services" | "balance" => said.clone(),
                _ => panel(asked, &taken, PENDING),
            });
            goes_on(&gateway, &format!("catalogue/{name}"))?;
            let mut last = String::new();
            wait_until("the fault of its catalogue", || {
                last = reason()?;
                Ok(last.contains(told))
            })
            .with_context(|| format!("{name}: {told}, but: {last}"))?;
        }
        ensure!(gateway.log()?.contains("a balance could not be read"), "nothing is said of its balance");
        nobody_came(&door)?;

        // And when it means well again, it is used again; its clock is nobody's business but the check's.
        let lines = "date: Sun, 01 Jan 2040 00:00:00 GMT\r\n";
        evil.says(move |asked| match panel(asked, &taken, PENDING) {
            Said::Body(body) => Said::Under(200, lines.to_owned(), body),
            other => other,
        });
        wait_until("its catalogue to be read", || Ok(reason()?.is_empty()))?;
        let id = order_there(&gateway, "well-again")?;
        gateway.wait_attempt(id, "accepted")?;
        let found = gateway.json(&["upstream", "check", "evil"])?;
        let clock = entry(&found, "capability", "clock")?;
        ensure!(text(clock, "found") == "odd" && text(clock, "text").contains("s ahead of ours"), "{clock}");
        finish(gateway)
    })
}

/// Streamrise's tables: so many services, each of which has limits of its own, and a text that fills each table.
fn tables(asked: &Asked, services: usize, filler: &str) -> Said {
    let names = || (0..services).map(|number| format!("viewers{number}"));
    let table = |of: &dyn Fn() -> Value| names().map(|name| (name, of())).collect::<serde_json::Map<_, _>>();
    let path = asked.target.split('?').next().unwrap_or_default();
    Said::Body(match path {
        "/perfectPanel" if asked.body.contains("balance") => r#"{"balance":"500","currency":"USD"}"#.to_owned(),
        "/perfectPanel" => "[]".to_owned(),
        "/api/getServices" => {
            let each = table(&|| json!({"enabled": true, "serviceType": "viewers"}));
            json!({"services": {"twitch": each}, "filler": filler}).to_string()
        }
        "/api/getPrices" => Value::Object(table(&|| json!({"1": {"10": 0.9}}))).to_string(),
        "/api/getParamsLimits" => r#"{"amount":{"min":10,"max":100}}"#.to_owned(),
        _ => json!({"filler": filler}).to_string(),
    })
}

#[test]
fn a_catalogue_of_many_tables_is_bounded_as_a_whole() -> Result<()> {
    let (door, address) = elsewhere()?;
    let evil = Raw::start(|asked| tables(asked, 3, ""))?;
    let gateway = gateway(Engine::Sqlite, "streamrise", &evil.url(""), "service = \"viewers1\"")?;
    let sync = || -> Result<String> {
        let output = gateway.cli(&["upstream", "sync", "evil", "--json"])?;
        ensure!(!format!("{output:?}").contains(KEY), "its key is told: {output:?}");
        let rows: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
        Ok(text(&rows[0], "error").to_owned())
    };
    ensure!(sync()?.is_empty(), "it cannot be read when it means well: {}", sync()?);

    evil.says(|asked| tables(asked, 3, &"x".repeat(8 * 1024 * 1024)));
    ensure!(sync()?.contains("its answers together are larger than 33554432 bytes"), "{}", sync()?);
    evil.says(|asked| tables(asked, 401, ""));
    ensure!(sync()?.contains("more services than are read"), "{}", sync()?);
    // The key stands in the query of what was asked, and it comes back in the address of another host.
    evil.says(move |asked| match asked.target.strip_prefix("/api/") {
        Some(rest) => Said::Under(302, format!("location: {address}/{rest}\r\n"), asked.target.clone()),
        None => tables(asked, 3, ""),
    });
    ensure!(sync()?.contains("HTTP 302"), "{}", sync()?);
    nobody_came(&door)?;
    gateway.finish()
}

/// What a purchase is answered by, by a name that ends the order's link; how the attempt stands then, and what is said.
const PURCHASES: [(&str, &str, &str, &str); 5] = [
    ("object-id", r#"{"id":{"x":1},"tarif":7}"#, "unknown", "no purchase"),
    ("sentence-id", r#"{"id":"one, two","tarif":7}"#, "unknown", "no purchase"),
    ("nan-price", r#"{"id":9001,"price":NaN,"tarif":7}"#, "unknown", "the answer is not JSON"),
    ("text-price", r#"{"id":9002,"price":"Infinity","tarif":7,"created_at":1e14}"#, "accepted", "a charge of 1000000"),
    ("negative-price", r#"{"id":9003,"price":-3,"currency":"usd","tarif":7}"#, "accepted", "a charge of -3"),
];

/// Streamskill with one tarif, whose purchases all stand as 9002 says.
fn purchases(asked: &Asked) -> Said {
    let body = match asked.target.as_str() {
        "/tarifs" => r#"[{"id":7,"title":"V","count":{"min":10,"max":10000},"price":0.01,"type":"v","hourly":true}]"#,
        "/purchases/create" => {
            let answer = PURCHASES.iter().find(|(name, ..)| asked.body.contains(name));
            answer.map_or("{}", |(_, body, ..)| *body)
        }
        _ => r#"{"items":[{"id":9002,"tarif":7,"status":"working","price":1e6},{"id":{},"tarif":7}]}"#,
    };
    Said::Body(body.to_owned())
}

#[test]
fn no_harm_comes_of_what_answers_a_purchase() -> Result<()> {
    on_both(|engine| {
        let evil = Raw::start(purchases)?;
        let offer = "service = \"7\"\nparams = { duration = 1 }";
        let mut gateway = gateway(engine, "streamskill", &evil.url(""), offer)?;
        // It has no balance that could be read, which is no fault of its catalogue.
        gateway.cli(&["upstream", "sync", "evil"])?;
        gateway.serve()?;
        for (name, _, state, told) in PURCHASES {
            let id = order_there(&gateway, name)?;
            gateway.wait_attempt(id, state).context(name)?;
            if state == "accepted" {
                wait_findings(&gateway, id, &[told])?;
            } else {
                let case = gateway.json(&["review", "show", &case_of(&gateway, id)?])?;
                ensure!(text(&case["evidence"], "reason") == told, "{name}: {case}");
            }
            goes_on(&gateway, name)?;
        }
        finish(gateway)
    })
}
