//! The dashboard and the alarms of `deploy/`: whatever they ask Prometheus for, a running gateway exports.

use std::collections::{BTreeMap, BTreeSet};

use acceptance::{
    Gateway, Setup, UpstreamSetup, on_both,
    sandbox::{Adapter, FaultKind},
    wait_until,
};
use anyhow::{Context, Result};
use serde_json::Value;

use crate::deploy::{read, yaml};

const DASHBOARD: &str = "grafana/dashboards/interline.json";
const ALERTS: &str = "alerts.yml";

/// The metrics of a page by their names, with the names of their labels.
type Exported = BTreeMap<String, BTreeSet<String>>;

#[test]
fn what_the_dashboard_and_the_alarms_ask_for_is_exported() -> Result<()> {
    let asked = metrics_in(&[read(DASHBOARD)?, read(ALERTS)?].concat());
    let questions = [dashboard_questions()?, alarm_questions()?].concat();
    assert!(asked.len() > 25 && questions.len() > 40, "the files were not understood: {asked:?}");
    on_both(|engine| {
        // The third has a feed, of which some panels tell.
        let upstreams = [
            UpstreamSetup::new("alpha", "0.90"),
            UpstreamSetup::new("beta", "1.20"),
            UpstreamSetup::new("gamma", "1.50").adapter(Adapter::Streamrise),
        ];
        let gateway = Gateway::start(engine, &Setup::of(upstreams).setting("PANEL__DISPATCH_WAIT_MS", "100"))?;
        live_a_little(&gateway)?;
        let (mut exported, mut missing) = (Exported::new(), Vec::new());
        wait_until("every metric to be exported", || {
            let page = gateway.http("GET", "/metrics", &[], "")?;
            assert_eq!(page.status, 200, "{page:?}");
            exported = read_page(&page.body);
            missing = asked.iter().filter(|name| !exported.contains_key(*name)).cloned().collect();
            Ok(missing.is_empty())
        })
        .with_context(|| format!("not exported: {missing:?}"))?;
        for question in &questions {
            let known: BTreeSet<&String> = metrics_in(question).iter().flat_map(|name| &exported[name]).collect();
            // A question about Prometheus' own `up` has labels of its own.
            let strange: Vec<_> = labels_of(question).into_iter().filter(|label| !known.contains(label)).collect();
            assert!(known.is_empty() || strange.is_empty(), "no metric has {strange:?}: {question}");
        }
        gateway.finish()
    })
}

#[test]
fn every_panel_asks_something_and_says_what_it_is() -> Result<()> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)?)?;
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().context("no panels")? {
        assert!(ids.insert(panel["id"].as_i64().context("a panel has no id")?), "two panels have one id: {panel}");
        assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{panel}");
        let asks = panel["targets"].as_array().is_some_and(|targets| !targets.is_empty());
        assert_eq!(asks, panel["type"] != "row", "{panel}");
    }
    Ok(())
}

/// An order that ended, one of which nobody knows, and one that waits: money, a case and a queue.
fn live_a_little(gateway: &Gateway) -> Result<()> {
    let alpha = gateway.upstream("alpha")?;
    let ended = gateway.place("https://example.com/ended", 1000)?;
    gateway.wait_attempt(ended, "accepted")?;
    alpha.say("https://example.com/ended", "Completed", None)?;
    gateway.wait_status(ended, "Completed")?;
    alpha.fail(FaultKind::TakeAndDrop, 1);
    let unknown = gateway.place("https://example.com/unknown", 1000)?;
    gateway.wait_attempt(unknown, "unknown")?;
    alpha.meet("add", FaultKind::TooManyRequests, 1, 600_000);
    gateway.place("https://example.com/queued", 1000).map(drop)
}

/// What the panels ask.
fn dashboard_questions() -> Result<Vec<String>> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)?)?;
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    targets
        .map(|target| Ok(target["expr"].as_str().with_context(|| format!("nothing asked: {target}"))?.to_owned()))
        .collect()
}

/// What the alarms ask.
fn alarm_questions() -> Result<Vec<String>> {
    let alerts = yaml(ALERTS)?;
    let groups = alerts["groups"].as_array().into_iter().flatten();
    let rules = groups.filter_map(|group| group["rules"].as_array()).flatten();
    rules.map(|rule| Ok(rule["expr"].as_str().with_context(|| format!("nothing asked: {rule}"))?.to_owned())).collect()
}

/// The names of metrics of ours in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let name = |at: usize| text[at..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
    text.match_indices("interline_").map(|(at, _)| name(at)).collect()
}

/// What a page in Prometheus' text format holds.
fn read_page(page: &str) -> Exported {
    let mut exported = Exported::new();
    for line in page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let end = line.find(['{', ' ']).unwrap_or(line.len());
        exported.entry(line[..end].to_owned()).or_default().extend(labels_of(&line[end..]));
    }
    exported
}

/// The names of the labels that a question or a line of the page chooses or groups by.
fn labels_of(text: &str) -> BTreeSet<String> {
    let between = |open: &str, close: char| {
        let ends = text.split(open).skip(1).filter_map(move |rest| Some(rest.split_once(close)?.0));
        ends.flat_map(|inside| inside.split(',')).map(str::to_owned).collect::<Vec<_>>()
    };
    let chosen = between("{", '}').into_iter();
    let chosen = chosen.filter_map(|pair| Some(pair.split_once('=')?.0.trim_end_matches('!').to_owned()));
    chosen.chain(between(" by (", ')')).map(|label| label.trim().to_owned()).collect()
}
