//! Every type: what it needs, what it ignores, how much it is and what it is charged for.

use super::*;
use crate::price::Basis;

/// A service whose orders say how much they are.
const fn panel(service_type: ServiceType) -> Terms {
    Terms { service_type, package_quantity: 0, dripfeed: false, style: Style::Panel }
}

const fn dripfeed(service_type: ServiceType) -> Terms {
    Terms { dripfeed: true, ..panel(service_type) }
}

const fn streamrise(service_type: ServiceType) -> Terms {
    Terms { style: Style::Streamrise, ..panel(service_type) }
}

const fn package(service_type: ServiceType, package_quantity: u64) -> Terms {
    Terms { package_quantity, ..panel(service_type) }
}

/// Parameters as they are written in a query, with `|` for a line end.
fn fields(query: &str) -> Fields {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.replace('|', "\r\n"))).collect()
}

fn parsed(terms: Terms, query: &str) -> Result<OrderKind, FieldError> {
    OrderKind::parse(&terms, &fields(query))
}

fn refusal(terms: Terms, query: &str) -> String {
    parsed(terms, query).unwrap_err().to_string()
}

const WEB: &str = "link=x&quantity=10&country=US&device=1&type_of_traffic=";
const WEB_FROM_GOOGLE: &str = "link=x&quantity=10&country=US&device=1&type_of_traffic=1&google_keyword=k";

/// A service, an order for it, its quantity, and what an upstream is sent if that is not what came in.
type Row = (Terms, &'static str, u64, &'static str);

#[rustfmt::skip]
const TABLE: [Row; 24] = [
    (panel(ServiceType::Default), "link=x&quantity=10", 10, ""),
    (dripfeed(ServiceType::Default), "link=x&quantity=10&runs=3&interval=60", 30, ""),
    (streamrise(ServiceType::Default), "link=x&quantity=10&interval=5&periodAmount=7", 10, ""),
    (panel(ServiceType::Seo), "link=x&quantity=10&keywords=a, b,|c d||", 10, "link=x&quantity=10&keywords=a|b|c d"),
    (panel(ServiceType::CustomComments), "link=x&comments=a, b||c|", 2, "link=x&comments=a, b|c"),
    (streamrise(ServiceType::CustomComments), "link=x&quantity=10&comments=a|b", 10, ""),
    (streamrise(ServiceType::CustomComments), "link=x&quantity=10", 10, ""),
    (streamrise(ServiceType::CustomComments), "link=x&comments=a|b", 2, ""),
    (panel(ServiceType::MentionsWithHashtags), "link=x&quantity=10&usernames=u|v&hashtags=#a|#b", 10, ""),
    (panel(ServiceType::MentionsCustomList), "link=x&usernames=u|v, w|x", 3, ""),
    (panel(ServiceType::MentionsHashtag), "link=x&quantity=10&hashtag=a", 10, ""),
    (panel(ServiceType::MentionsUserFollowers), "link=x&quantity=10&username=https://a.example/u", 10, ""),
    (panel(ServiceType::MentionsMediaLikers), "link=x&quantity=10&media_url=m", 10, "link=x&quantity=10&media=m"),
    (panel(ServiceType::Mentions), "link=x&quantity=10&usernames=u|v", 10, ""),
    (package(ServiceType::Package, 500), "link=x", 500, ""),
    (panel(ServiceType::CustomCommentsPackage), "link=x&comments=a|b|c", 3, ""),
    (package(ServiceType::CustomCommentsPackage, 1), "link=x&comments=a|b|c", 1, ""),
    (panel(ServiceType::CustomCommentsPackage),
        "username=u&min=5&max=20&delay=30&posts=4&old_posts=2&expiry=1/2/2031", 80,
        "username=u&min=5&max=20&delay=30&posts=4&old_posts=2&expiry=2031-02-01"),
    (panel(ServiceType::CustomCommentsPackage), "username=u&min=5&max=20&delay=0&old_posts=0", 20,
        "username=u&min=5&max=20&delay=0&posts=1"),
    (panel(ServiceType::CommentLikes), "link=x&quantity=10&username=u", 10, ""),
    (panel(ServiceType::Poll), "link=x&quantity=10&answer_number=3", 10, ""),
    (panel(ServiceType::CommentReplies), "link=x&username=u&comments=a|b", 2, ""),
    (panel(ServiceType::InvitesFromGroups), "link=x&quantity=10&group_link=g|h", 10, "link=x&quantity=10&groups=g|h"),
    (dripfeed(ServiceType::WebTraffic),
        "link=x&quantity=10&runs=2&interval=60&country=United States&device=5&type_of_traffic=2&referring_url=r",
        20, ""),
];

#[test]
fn every_type_takes_its_own_parameters() {
    for (terms, query, quantity, sent) in TABLE {
        let kind = parsed(terms, query).unwrap();
        assert_eq!((kind.quantity(), kind.service_type()), (quantity, terms.service_type), "{query}");
        assert_eq!(kind.target(), fields(query)[kind.target_field()], "{query}");
        let named: Vec<String> = kind.fields().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let wanted = if sent.is_empty() { query } else { sent };
        assert_eq!(named.join("&").replace('\n', "|"), wanted, "{query}");
    }
}

#[test]
fn only_packages_of_a_fixed_amount_have_a_flat_rate() {
    for (terms, query, ..) in TABLE {
        let flat = terms.service_type == ServiceType::Package || query.starts_with("link=x&comments=a|b|c");
        let basis = if flat { Basis::Flat } else { Basis::PerThousand };
        assert_eq!(parsed(terms, query).unwrap().basis(), basis, "{query}");
    }
}

#[test]
fn the_table_leaves_no_type_out() {
    for kind in ServiceType::ALL {
        let shown = TABLE.iter().any(|(terms, ..)| terms.service_type == kind);
        assert_eq!(shown, kind != ServiceType::Subscriptions, "{kind:?}");
    }
}

#[test]
fn every_parameter_that_is_needed_is_missed_by_its_name() {
    const OPTIONAL: [&str; 6] = ["runs", "interval", "periodAmount", "posts", "old_posts", "expiry"];
    for (terms, query, ..) in TABLE.into_iter().chain([(panel(ServiceType::WebTraffic), WEB_FROM_GOOGLE, 10, "")]) {
        let kind = parsed(terms, query).unwrap();
        let stated = matches!(kind, OrderKind::CustomComments { quantity: Some(_), .. });
        for (name, _) in kind.fields().into_iter().filter(|(name, _)| !OPTIONAL.contains(name) && !stated) {
            let mut fields: Fields = kind.fields().into_iter().map(|(n, v)| (n.to_ascii_lowercase(), v)).collect();
            fields.remove(name);
            let per_post = matches!(kind, OrderKind::CommentsPerPost { .. }) && name == "username";
            let missing = if per_post { "link" } else { name };
            assert_eq!(OrderKind::parse(&terms, &fields), Err(FieldError::Missing(missing)), "{query} without {name}");
        }
    }
    let nothing = refusal(streamrise(ServiceType::CustomComments), "link=x");
    assert_eq!(nothing, "`comments` is missing");
}

#[test]
fn what_a_type_does_not_use_is_ignored() {
    for (terms, query, ..) in TABLE.into_iter().filter(|(terms, ..)| terms.style == Style::Panel) {
        let kind = parsed(terms, query).unwrap();
        let mut all = fields("quantity=7&answer_number=x&hashtag=y&runs=0&interval=0&periodAmount=2&device=9");
        if kind.service_type() != ServiceType::CustomCommentsPackage {
            all.extend(fields("posts=9&expiry=never&min=5"));
        }
        all.extend(fields(query));
        assert_eq!(OrderKind::parse(&terms, &all), Ok(kind), "{query}");
    }
    let counted = parsed(panel(ServiceType::CustomComments), "link=x&quantity=5000&comments=a|b").unwrap();
    assert_eq!(counted.quantity(), 2);
    let linked = parsed(panel(ServiceType::CustomCommentsPackage), "link=x&comments=a&username=u").unwrap();
    assert_eq!((linked.target(), linked.basis()), ("x", Basis::Flat));
}

#[test]
fn a_bad_field_is_named_with_what_is_allowed() {
    for quantity in ["0", "-5", "1.5", "1e3", "+1", "99999999999", "ten", "١"] {
        let error = refusal(panel(ServiceType::Default), &format!("link=x&quantity={quantity}"));
        assert_eq!(error, "`quantity` must be a whole number from 1 to 2147483647", "{quantity}");
    }
    let per_post = "username=u&min=5&max=20&delay=30";
    for (terms, query, text) in [
        (panel(ServiceType::Default), "link=a|b&quantity=1", "`link` must be one line of at most 2048 bytes"),
        (
            panel(ServiceType::Poll),
            "link=x&quantity=1&answer_number=0",
            "`answer_number` must be a whole number from 1",
        ),
        (panel(ServiceType::Mentions), "link=x&quantity=1&usernames=a\u{1}", "`usernames` must be at most 10000 lines"),
        (panel(ServiceType::CustomCommentsPackage), "username=u&min=9&max=8&delay=1", "`min` must be at most `max`"),
        (panel(ServiceType::CustomCommentsPackage), "username=u&min=1&max=8&delay=soon", "`delay` must be a whole"),
        (
            panel(ServiceType::CustomCommentsPackage),
            "username=u&min=1&max=2147483647&delay=1&posts=2",
            "`posts` must be so small",
        ),
        (panel(ServiceType::CustomCommentsPackage), "username=u", "`min` is missing"),
        (panel(ServiceType::WebTraffic), "link=x&quantity=1&country=US&device=6", "`device` must be 1 (desktop)"),
        (panel(ServiceType::Subscriptions), "username=u&min=1&max=2", "subscription orders cannot be placed by API"),
    ] {
        let error = refusal(terms, query);
        assert!(error.starts_with(text), "{query}: {error}");
    }
    for (more, text) in [
        ("&posts=0", "`posts` must be a whole number from 1 to 10000"),
        ("&expiry=31/02/2030", "`expiry` must be a date such as 2030-12-31 or 31/12/2030"),
    ] {
        assert_eq!(refusal(panel(ServiceType::CustomCommentsPackage), &format!("{per_post}{more}")), text);
    }
    for (source, text) in [
        ("0", "`type_of_traffic` must be 1 (Google keyword), 2 (custom referrer) or 3 (blank referrer)"),
        ("1", "`google_keyword` is missing"),
        ("2", "`referring_url` is missing"),
    ] {
        assert_eq!(refusal(panel(ServiceType::WebTraffic), &format!("{WEB}{source}")), text);
    }
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    assert!(refusal(panel(ServiceType::Package), &format!("link={long}")).contains("2048 bytes"));
}

#[test]
fn drip_feed_is_both_or_neither_and_only_where_it_is_offered() {
    for (query, offered, not_offered) in [
        ("runs=3", "`runs` must be sent together with `interval`, or neither of them", "`runs` is not offered"),
        ("interval=9", "`interval` must be sent together with `runs`, or neither of them", "`interval` is not offered"),
        ("runs=3&interval=0", "`runs` must be sent together with `interval`", "`runs` is not offered"),
        ("runs=3&interval=9", "", "`runs` is not offered by this service"),
        ("runs=0&interval=0", "", ""),
        ("runs=10001&interval=9", "`runs` must be a whole number from 0 to 10000", "`runs` must be a whole number"),
        ("runs=2&interval=43201", "`interval` must be a whole number from 0 to 43200", "`interval` must be a whole"),
    ] {
        for service_type in [ServiceType::Default, ServiceType::WebTraffic] {
            for (terms, wanted) in [(dripfeed(service_type), offered), (panel(service_type), not_offered)] {
                let answer = parsed(terms, &format!("{WEB}3&{query}"));
                let error = answer.map_or_else(|error| error.to_string(), |_| String::new());
                let fits = if wanted.is_empty() { error.is_empty() } else { error.starts_with(wanted) };
                assert!(fits, "{service_type:?} {query}: {error}");
            }
        }
    }
    let total = refusal(dripfeed(ServiceType::Default), "link=x&quantity=2000000000&runs=2&interval=5");
    assert!(total.starts_with("`runs` must be so small that the order has at most 2147483647 units"), "{total}");
    let both =
        parsed(Terms { dripfeed: true, ..streamrise(ServiceType::Default) }, "link=x&quantity=5&runs=2&interval=9");
    assert_eq!(both.unwrap().drip(), Some(Drip { runs: 2, interval_min: 9 }));
}

#[test]
fn what_the_quantity_is_made_of_is_said_in_the_customers_words() {
    for (terms, query, words) in [
        (panel(ServiceType::Default), "link=x&quantity=1", "`quantity`"),
        (dripfeed(ServiceType::Default), "link=x&quantity=1&runs=2&interval=5", "`quantity` × `runs`"),
        (panel(ServiceType::CustomComments), "link=x&comments=a", "the number of `comments`"),
        (streamrise(ServiceType::CustomComments), "link=x&quantity=1", "`quantity`"),
        (panel(ServiceType::MentionsCustomList), "link=x&usernames=a", "the number of `usernames`"),
        (panel(ServiceType::CustomCommentsPackage), "username=u&min=1&max=2&delay=0", "`posts` × `max`"),
    ] {
        assert_eq!(parsed(terms, query).unwrap().quantity_words(), words, "{query}");
    }
}

#[test]
fn orders_that_were_stored_earlier_are_still_read() {
    let stored = r#"{"type":"Default","link":"https://a.example/p","quantity":100}"#;
    let kind: OrderKind = serde_json::from_str(stored).unwrap();
    assert_eq!(kind, OrderKind::plain("https://a.example/p", 100));
    assert_eq!(serde_json::to_string(&kind).unwrap(), stored);
    for (terms, query, ..) in TABLE {
        let kind = parsed(terms, query).unwrap();
        let again = serde_json::from_value::<OrderKind>(serde_json::to_value(&kind).unwrap());
        assert_eq!(again.unwrap(), kind);
    }
}
