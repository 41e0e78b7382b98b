//! The example of the documentation, and what is said about mistakes.

use super::*;
use crate::wiring::dialects;

const EXAMPLE: &str = r#"
[[currency]]
code = "EUR"
rate = "1.10"

[[upstream]]
id = "alpha"
url = "http://127.0.0.1:9001/api/v2"
key = "env:ALPHA_KEY"
currency = "EUR"
allow_private_address = true

[[service]]
id = 101
name = "Placement, standard"
rate = "2.50"
min = 10
max = 10000
cancel = true
[[service.offer]]
upstream = "alpha"
service = "1"
params = { duration = 24 }

[[account]]
id = "panel-a"
"#;

fn parsed(text: &str) -> Result<Desired, String> {
    read(text, &dialects(), "USD".parse().unwrap()).map_err(|e| format!("{e:#}"))
}

#[test]
fn the_example_is_read_with_its_defaults() {
    let desired = parsed(EXAMPLE).unwrap();
    let upstream = &desired.upstreams.unwrap()[0];
    assert_eq!(
        (upstream.adapter.as_str(), upstream.settings.timeout_ms, upstream.enabled),
        ("perfectpanel", 15_000, true)
    );
    let service = &desired.services.unwrap()[0];
    assert_eq!(service.price, SellPrice::Rate("2.5".parse().unwrap()));
    assert_eq!(service.offers[0].params["duration"], "24");
    assert_eq!(desired.accounts[0].1.as_str(), "USD");
}

#[test]
fn limits_that_are_left_out_are_those_of_the_adapter() {
    let limits = |lines: &str| {
        let text = EXAMPLE.replacen("[[service]]", &format!("{lines}\n[[service]]"), 1);
        let settings = &parsed(&text).unwrap().upstreams.unwrap()[0].settings;
        (settings.requests_per_second, settings.burst)
    };
    assert_eq!(limits(""), (10, 20));
    assert_eq!(limits("adapter = \"streamrise\""), (10, 20));
    assert_eq!(limits("adapter = \"streamskill\""), (2, 30));
    assert_eq!(limits("adapter = \"streamskill\"\nburst = 7"), (2, 7));
}

#[test]
fn a_section_that_does_not_occur_is_not_emptied() {
    let desired = parsed("[[account]]\nid = \"a\"\n").unwrap();
    assert!(desired.upstreams.is_none() && desired.services.is_none());
}

#[test]
fn a_mistake_is_named_with_its_place_and_what_is_allowed() {
    let changed = |from: &str, to: &str| parsed(&EXAMPLE.replacen(from, to, 1)).unwrap_err();
    for (from, to, says) in [
        ("rate = \"2.50\"", "rate = \"2,50\"", "service 101: `rate`"),
        ("rate = \"2.50\"", "", "exactly one of `rate` and `markup_percent`"),
        ("min = 10\n", "min = 0\n", "`min` and `max` must be"),
        ("min = 10\n", "type = \"Package\"\nmin = 10\n", "service 101: `min` and `max` of a Package must be the same"),
        ("min = 10\n", "type = \"Hologram\"\nmin = 10\n", "`type` must be one of Default, SEO, Custom Comments"),
        ("id = \"alpha\"", "id = \"Alpha\"", "`id`"),
        ("key = \"env:ALPHA_KEY\"", "key = \"s3cret\"", "`key` must be env:NAME"),
        ("http://127", "ftp://127", "`url` must begin with http"),
        ("allow_private", "adapter = \"smoke\"\nallow_private", "one of perfectpanel, streamrise, streamskill, not"),
        ("cancel = true", "cancle = true", "cancle"),
        ("rate = \"1.10\"", "rate = \"0\"", "currency EUR: `rate` must be above 0"),
        (
            "id = \"panel-a\"",
            "id = \"panel-a\"\ndiscount_percent = \"101\"",
            "account panel-a: `discount_percent` must be from 0 to 100",
        ),
    ] {
        let error = changed(from, to);
        assert!(error.contains(says), "{error}");
    }
    assert!(!changed("key = \"env:ALPHA_KEY\"", "key = \"s3cret\"").contains("s3cret"));
    assert!(parsed(&format!("{EXAMPLE}\n[[account]]\nid = \"panel-a\"\n")).unwrap_err().contains("twice"));
}
