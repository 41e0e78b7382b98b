//! Every order type: how it is asked for, what its upstream is sent, how much it is and what it costs.

use std::collections::BTreeMap;

use acceptance::{Gateway, Reply, Setup, UpstreamSetup, form, on_both, sandbox::Service, wait_until};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::support::{entry, text};

type Pairs = &'static [(&'static str, &'static str)];

/// A service that is sold at 2.50 and costs 0.90: its number, its type and its bounds. Those that end in `9` take
/// drip-feed.
const SERVICES: [(&str, &str, u64, u64); 19] = [
    ("201", "Default", 10, 10_000),
    ("209", "Default", 10, 10_000),
    ("211", "SEO", 10, 10_000),
    ("212", "Custom Comments", 1, 10_000),
    ("213", "Mentions with Hashtags", 10, 10_000),
    ("214", "Mentions Custom List", 1, 10_000),
    ("215", "Mentions Hashtag", 10, 10_000),
    ("216", "Mentions User Followers", 10, 10_000),
    ("217", "Mentions Media Likers", 10, 10_000),
    ("218", "Mentions", 10, 10_000),
    ("221", "Package", 500, 500),
    ("222", "Custom Comments Package", 1, 1_000),
    ("223", "Comment Likes", 10, 10_000),
    ("224", "Poll", 10, 10_000),
    ("225", "Comment Replies", 1, 10_000),
    ("226", "Invites from Groups", 10, 10_000),
    ("227", "Subscriptions", 1, 10_000),
    ("228", "Web Traffic", 10, 10_000),
    ("229", "Web Traffic", 10, 10_000),
];

/// An order: its service, what is asked beside the target, what the upstream is sent beside the target if that is
/// something else, its quantity, and what it costs the customer and us.
struct Case {
    service: &'static str,
    asked: Pairs,
    sent: Pairs,
    quantity: u64,
    charge: &'static str,
    cost: &'static str,
}

/// A case of a hundred units.
const fn hundred(service: &'static str, asked: Pairs) -> Case {
    few(service, asked, 100, "0.25", "0.09")
}

const fn few(service: &'static str, asked: Pairs, quantity: u64, charge: &'static str, cost: &'static str) -> Case {
    Case { service, asked, sent: asked, quantity, charge, cost }
}

#[rustfmt::skip]
const CASES: [Case; 20] = [
    hundred("201", &[("quantity", "100")]),
    Case {
        sent: &[("quantity", "100")],
        ..hundred("201", &[("quantity", "100"), ("comments", ""), ("runs", "0"), ("interval", "0"), ("usernames", "u")])
    },
    hundred("209", &[("quantity", "100")]),
    hundred("209", &[("quantity", "50"), ("runs", "2"), ("interval", "60")]),
    Case {
        sent: &[("quantity", "100"), ("keywords", "one\ntwo three\nfour")],
        ..hundred("211", &[("quantity", "100"), ("keywords", "one,two three\nfour")])
    },
    Case {
        asked: &[("quantity", "999"), ("comments", "first, with a comma\nsecond + 100%\n\nthird \u{1F600}")],
        sent: &[("comments", "first, with a comma\nsecond + 100%\nthird \u{1F600}")],
        ..few("212", &[], 3, "0.0075", "0.0027")
    },
    hundred("213", &[("quantity", "100"), ("usernames", "u\nv"), ("hashtags", "#a\n#b")]),
    few("214", &[("usernames", "u\nv\nw\nx")], 4, "0.01", "0.0036"),
    hundred("215", &[("quantity", "100"), ("hashtag", "a")]),
    hundred("216", &[("quantity", "100"), ("username", "https://example.com/u")]),
    hundred("217", &[("quantity", "100"), ("media", "https://example.com/p")]),
    hundred("218", &[("quantity", "100"), ("usernames", "u\nv")]),
    Case { asked: &[("quantity", "7")], ..few("221", &[], 500, "2.5", "0.9") },
    few("222", &[("comments", "one\ntwo")], 2, "2.5", "0.9"),
    Case {
        asked: &[("min", "5"), ("max", "20"), ("delay", "30"), ("posts", "4"), ("expiry", "31/12/2031")],
        sent: &[("min", "5"), ("max", "20"), ("delay", "30"), ("posts", "4"), ("expiry", "2031-12-31")],
        ..few("222", &[], 80, "0.2", "0.072")
    },
    hundred("223", &[("quantity", "100"), ("username", "u")]),
    hundred("224", &[("quantity", "100"), ("answer_number", "2")]),
    few("225", &[("username", "u"), ("comments", "one\ntwo")], 2, "0.005", "0.0018"),
    hundred("226", &[("quantity", "100"), ("groups", "g\nh")]),
    hundred("229", &[
        ("quantity", "50"), ("runs", "2"), ("interval", "60"), ("country", "US"), ("device", "1"),
        ("type_of_traffic", "1"), ("google_keyword", "shoes"),
    ]),
];

const LINK: (&str, &str) = ("link", "https://example.com/a");

/// Orders that cannot be taken, and what the error says.
#[rustfmt::skip]
const REFUSED: [(&str, Pairs, &[&str]); 14] = [
    ("227", &[("username", "u"), ("min", "1"), ("max", "2"), ("delay", "0")], &["subscription", "API"]),
    ("227", &[], &["subscription", "API"]),
    ("221", &[], &["`link`", "missing"]),
    ("224", &[LINK, ("quantity", "100")], &["`answer_number`", "missing"]),
    ("224", &[LINK, ("quantity", "100"), ("answer_number", "second")], &["`answer_number`", "from 1 to 1000"]),
    ("212", &[LINK, ("quantity", "100")], &["`comments`", "missing"]),
    ("213", &[LINK, ("quantity", "9"), ("usernames", "u"), ("hashtags", "h")], &["`quantity`", "10 to 10000"]),
    ("222", &[("username", "u"), ("min", "1"), ("max", "300"), ("delay", "0"), ("posts", "4")],
        &["`posts` × `max`", "1 to 1000"]),
    ("201", &[LINK, ("quantity", "100"), ("runs", "2"), ("interval", "60")], &["`runs`", "not offered"]),
    ("209", &[LINK, ("quantity", "100"), ("runs", "2")], &["`runs`", "`interval`"]),
    ("209", &[LINK, ("quantity", "100"), ("interval", "60")], &["`interval`", "`runs`"]),
    ("209", &[LINK, ("quantity", "5001"), ("runs", "2"), ("interval", "60")], &["`quantity` × `runs`", "10 to 10000"]),
    ("228", &[LINK, ("quantity", "100"), ("country", "US"), ("device", "9"), ("type_of_traffic", "3")],
        &["`device`", "5"]),
    ("228", &[LINK, ("quantity", "100"), ("country", "US"), ("device", "1"), ("type_of_traffic", "2")],
        &["`referring_url`", "missing"]),
];

/// How a call is encoded.
#[derive(Debug, Clone, Copy)]
enum Way {
    Form,
    Json,
    Query,
}

fn dripfeed(service: &str) -> bool {
    service.ends_with('9')
}

/// An upstream that sells every service, those with drip-feed only if it `drips`.
fn upstream(id: &'static str, rate: &str, drips: bool) -> UpstreamSetup {
    SERVICES.iter().fold(UpstreamSetup::new(id, rate), |setup, (number, label, min, max)| {
        setup.also(Service {
            id: (*number).to_owned(),
            name: (*label).to_owned(),
            category: "Types".to_owned(),
            service_type: (*label).to_owned(),
            rate: rate.to_owned(),
            min: *min,
            max: *max,
            refill: false,
            cancel: true,
            dripfeed: drips && dripfeed(number),
        })
    })
}

/// The entries of the catalogue file that sell every service, by these upstreams.
fn services(upstreams: &[&str]) -> String {
    let entry = |(number, label, min, max): &(&str, &str, u64, u64)| {
        let drips = dripfeed(number);
        let offers: Vec<String> = upstreams
            .iter()
            .map(|id| format!("[[service.offer]]\nupstream = \"{id}\"\nservice = \"{number}\"\n"))
            .collect();
        format!(
            "\n[[service]]\nid = {number}\nname = \"{label}\"\ncategory = \"Types\"\ntype = \"{label}\"\n\
             rate = \"2.50\"\nmin = {min}\nmax = {max}\ndripfeed = {drips}\n{}",
            offers.concat()
        )
    };
    SERVICES.iter().map(entry).collect::<Vec<String>>().concat()
}

fn setup() -> Setup {
    Setup::of([upstream("alpha", "0.90", true)]).more(&services(&["alpha"]))
}

/// Asks for an order of `service`.
fn add(gateway: &Gateway, way: Way, service: &str, pairs: &[(&str, &str)]) -> Result<Reply> {
    let mut all = vec![("action", "add"), ("service", service)];
    all.extend_from_slice(pairs);
    if matches!(way, Way::Form) {
        // Line ends as a browser sends them.
        let all: Vec<(&str, String)> = all.iter().map(|(name, value)| (*name, value.replace('\n', "\r\n"))).collect();
        let borrowed: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        return gateway.post(&borrowed);
    }
    all.push(("key", gateway.key()));
    if matches!(way, Way::Query) {
        return gateway.http("GET", &format!("/api/v2?{}", form(&all)), &[], "");
    }
    let value = |value: &str| match value.parse::<u64>() {
        Ok(number) => json!(number),
        Err(_) if value.contains('\n') => json!(value.split('\n').collect::<Vec<_>>()),
        Err(_) => json!(value),
    };
    let body: Map<String, Value> = all.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect();
    gateway.http("POST", "/api/v2", &[("content-type", "application/json")], &Value::Object(body).to_string())
}

/// Places an order and holds the gateway's books and the upstream's journal to the case.
fn check(gateway: &Gateway, case: &Case, way: Way, number: usize) -> Result<()> {
    let per_post = case.asked.iter().any(|(name, _)| *name == "delay");
    let (field, target) = if per_post {
        ("username", format!("user-{number}-{way:?}"))
    } else {
        ("link", format!("https://example.com/{number}/{way:?}"))
    };
    let with_target = |pairs: Pairs| -> Vec<(&str, &str)> {
        [(field, target.as_str())].into_iter().chain(pairs.iter().copied()).collect()
    };
    let reply = add(gateway, way, case.service, &with_target(case.asked))?;
    let id = reply.json()?["order"].as_i64().with_context(|| format!("{reply:?}"))?;
    let order = gateway.wait_attempt(id, "accepted")?;
    for (name, value) in [("target", json!(target)), ("quantity", json!(case.quantity)), ("charge", json!(case.charge))]
    {
        assert_eq!(order[name], value, "{name} of {order}");
    }
    assert_eq!(text(entry(&order["attempts"], "upstream", "alpha")?, "reserve"), case.cost, "{order}");

    let made = gateway.upstream("alpha")?.order(&target)?;
    let wanted: BTreeMap<String, String> =
        with_target(case.sent).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(made.params, wanted);
    assert_eq!((made.service.as_str(), made.quantity, made.charge.as_str()), (case.service, case.quantity, case.cost));
    Ok(())
}

fn in_runs(link: &str) -> [(&str, &str); 4] {
    [("link", link), ("quantity", "100"), ("runs", "3"), ("interval", "60")]
}

#[test]
fn every_type_is_taken_in_every_encoding() -> Result<()> {
    for (service, label, ..) in SERVICES {
        // Web Traffic is shown with drip-feed alone.
        let shown = CASES.iter().any(|case| case.service == service);
        assert!(shown || matches!(service, "227" | "228"), "{label} is not shown");
    }
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        for (number, case) in CASES.iter().enumerate() {
            for way in [Way::Form, Way::Json, Way::Query] {
                check(&gateway, case, way, number).with_context(|| format!("case {number}, {way:?}"))?;
            }
        }
        gateway.finish()
    })
}

#[test]
fn what_a_type_cannot_take_names_the_field_and_costs_nothing() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        for (service, pairs, words) in REFUSED {
            let reply = add(&gateway, Way::Form, service, pairs)?;
            let error = reply.error()?;
            assert_eq!(reply.status, 400, "{service}: {error}");
            assert!(words.iter().all(|word| error.contains(word)), "{service}, {words:?}: {error}");
        }
        for (comments, bound) in [("x\n".repeat(10_001), "10000 lines"), ("x".repeat((2 << 20) + 1), "2097152 bytes")] {
            let reply = add(&gateway, Way::Form, "212", &[LINK, ("comments", &comments)])?;
            let error = reply.error()?;
            assert!(reply.status == 400 && error.contains("`comments`") && error.contains(bound), "{error}");
        }
        assert_eq!(gateway.json(&["order", "list"])?, json!([]));
        assert_eq!(gateway.balance()?, "100");
        assert!(gateway.upstream("alpha")?.orders().is_empty());
        gateway.finish()
    })
}

#[test]
fn comments_that_an_upstream_would_count_otherwise_are_not_sent_there() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &setup())?;
        // At this face a quantity counts, with comments or without.
        let ask = |link: &str, quantity: u64, comments: &str| -> Result<Value> {
            let order = json!({
                "key": gateway.key(), "action": "add", "service": 212, "link": link, "quantity": quantity,
                "comments": comments,
            });
            let headers = [("content-type", "application/json")];
            gateway.http("POST", "/perfectPanel", &headers, &order.to_string())?.json()
        };
        for (quantity, comments) in [(3, "one\ntwo"), (1, "one\ntwo"), (100, "")] {
            let refused = ask("https://example.com/miscounted", quantity, comments)?;
            assert_eq!(refused, json!({"error": "`quantity` must be the number of lines in `comments`"}));
        }
        assert_eq!(gateway.json(&["order", "list"])?, json!([]));
        assert_eq!(gateway.balance()?, "100");

        let link = "https://example.com/counted";
        let id = ask(link, 2, "one\ntwo")?["order"].as_i64().context("no id")?;
        gateway.wait_attempt(id, "accepted")?;
        let alpha = gateway.upstream("alpha")?;
        let made = alpha.order(link)?;
        assert_eq!((made.quantity, made.params["comments"].as_str(), alpha.orders().len()), (2, "one\ntwo", 1));
        gateway.finish()
    })
}

#[test]
fn drip_feed_goes_to_an_upstream_that_does_it_and_nowhere_else() -> Result<()> {
    on_both(|engine| {
        let upstreams = [upstream("alpha", "0.90", false), upstream("beta", "1.20", true)];
        let gateway = Gateway::start(engine, &Setup::of(upstreams).more(&services(&["alpha", "beta"])))?;
        let link = "https://example.com/drip";
        let reply = add(&gateway, Way::Form, "209", &in_runs(link))?;
        let id = reply.json()?["order"].as_i64().with_context(|| format!("{reply:?}"))?;
        let order = gateway.wait_attempt(id, "accepted")?;
        assert_eq!(
            (&order["upstream"], &order["quantity"], &order["charge"]),
            (&json!("beta"), &json!(300), &json!("0.75"))
        );
        let passed = entry(&order["plan"], "upstream", "alpha")?;
        assert_eq!(text(passed, "reason"), "no drip-feed there");
        let made = gateway.upstream("beta")?.order(link)?;
        assert_eq!((made.quantity, made.charge.as_str(), made.params["runs"].as_str()), (300, "0.36", "3"));

        let file = std::fs::read_to_string(gateway.folder().join("catalogue.toml"))?;
        gateway.write("off.toml", &file.replacen("id = \"beta\"", "id = \"beta\"\nenabled = false", 1))?;
        gateway.done(&["apply", "off.toml"])?;
        let (mut count, mut refused) = (0, String::new());
        wait_until("drip-feed to be refused", || {
            count += 1;
            let reply = add(&gateway, Way::Form, "209", &in_runs(&format!("https://example.com/none/{count}")))?;
            reply.error()?.clone_into(&mut refused);
            Ok(reply.status == 400)
        })?;
        assert_eq!(refused, "`runs` is not offered by this service");
        gateway.finish()
    })
}
