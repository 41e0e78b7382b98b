//! Requests: the seed's examples letter by letter, and that whatever is sent is what is read.

use interline_domain::{
    Timestamp,
    kind::{Drip, ServiceType, Terms},
};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn endpoint(key: &str) -> Endpoint {
    Endpoint { url: "https://stream-rise.com/".to_owned(), key: key.into() }
}

fn sent(call: &Call) -> Request {
    request(&endpoint("YOUR_API_KEY"), call).unwrap()
}

fn order(service: &str, kind: OrderKind, params: &[(&str, &str)]) -> Call {
    let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Call::Submit(Submission { service: service.to_owned(), kind, params })
}

fn altered(quantity: Option<u64>, target: Option<&str>) -> Alteration {
    let params = [("Amount".to_owned(), "7".to_owned()), ("period".to_owned(), "week".to_owned())].into();
    Alteration { order: "12345".to_owned(), quantity, target: target.map(str::to_owned), params }
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn native_calls_are_queries() {
    let id = || "12345".to_owned();
    let property =
        Property { service: "twitchViewers".to_owned(), field: "channel".to_owned(), value: "user name".to_owned() };
    for (call, wanted) in [
        (
            order("twitchViewers", OrderKind::plain("yourchannel", 100), &[]),
            "newOrder?key=YOUR_API_KEY&service=twitchViewers&channel=yourchannel&amount=100",
        ),
        (Call::Pause(id()), "pauseOrder?key=YOUR_API_KEY&id=12345"),
        (Call::Resume(id()), "resumeOrder?key=YOUR_API_KEY&id=12345"),
        (Call::Delete(id()), "deleteOrder?key=YOUR_API_KEY&id=12345"),
        (
            Call::Orders { since: Timestamp::from_millis(7) },
            "getOrdersPage?key=YOUR_API_KEY&start=0&end=100&total=true&sortKey=orderTime&sortDirection=desc",
        ),
        (Call::Validate(property), "validateOrderProperty?service=twitchViewers&field=channel&value=user+name"),
    ] {
        let request = sent(&call);
        assert_eq!(&*request.url, format!("https://stream-rise.com/api/{wanted}"));
        assert!(request.method == Method::Get && request.body.is_empty());
    }
}

#[test]
fn panel_calls_are_json() {
    let comments = || vec!["one".to_owned(), "two & three".to_owned()];
    let link = || "https://twitch.tv/username".to_owned();
    let drip_minutes = OrderKind::Default {
        link: link(),
        quantity: 100,
        drip: None,
        interval_min: Some(5),
        period_amount: Some("2".to_owned()),
    };
    for (call, wanted) in [
        (Call::Catalogue, json!({ "action": "services" })),
        (Call::Balance, json!({ "action": "balance" })),
        (Call::Status(ids(&["12345"])), json!({ "action": "status", "order": 12345 })),
        (Call::Status(ids(&["12345", "a-7"])), json!({ "action": "status", "orders": "12345,a-7" })),
        (Call::Cancel(ids(&["23501", "23502"])), json!({ "action": "cancel", "orders": "23501,23502" })),
        (
            order("1", OrderKind::plain(link(), 100), &[]),
            json!({ "action": "add", "service": 1, "link": link(), "quantity": 100 }),
        ),
        (
            order(
                "1",
                drip_minutes,
                &[("interval", "9"), ("Quantity", "9"), ("KEY", "9"), ("channel", "9"), ("geo", "us")],
            ),
            json!({ "action": "add", "service": 1, "link": link(), "quantity": 100, "interval": "5", "periodAmount": "2",
                    "geo": "us" }),
        ),
        (
            order("2", OrderKind::CustomComments { link: link(), quantity: None, comments: comments() }, &[]),
            json!({ "action": "add", "service": 2, "link": link(), "quantity": 2, "comments": "one\ntwo & three" }),
        ),
    ] {
        let request = sent(&call);
        assert!(request.method == Method::Post && &*request.url == "https://stream-rise.com/perfectPanel");
        let mut body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body.as_object_mut().and_then(|body| body.remove("key")), Some(json!("YOUR_API_KEY")));
        assert_eq!(body, wanted, "{call:?}");
    }
}

#[test]
fn alterations_say_what_is_to_be_different() {
    for (call, name, wanted) in [
        (
            Call::Quote(altered(Some(200), None)),
            "calculateUpgradePrice",
            json!({ "id": 12345, "order": { "amount": 200, "period": "week" } }),
        ),
        (
            Call::Upgrade(altered(Some(200), None)),
            "upgradeOrder",
            json!({ "id": 12345, "order": { "amount": 200, "period": "week" } }),
        ),
        (
            Call::Change(altered(None, Some("new_channel_name"))),
            "changeOrder",
            json!({ "id": 12345, "order": { "channel": "new_channel_name", "period": "week" } }),
        ),
    ] {
        let request = sent(&call);
        assert!(request.method == Method::Post);
        assert_eq!(&*request.url, format!("https://stream-rise.com/api/{name}?key=YOUR_API_KEY"));
        assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), wanted);
    }
}

#[test]
fn a_named_service_takes_comments_and_the_parameters_of_its_offer() {
    let comments = vec!["a".to_owned(), "b".to_owned()];
    let kind = OrderKind::CustomComments { link: "c".to_owned(), quantity: Some(50), comments };
    let call = order("twitchChatBots", kind, &[("period", "day"), ("Comments", "x"), ("amount", "1"), ("LINK", "x")]);
    let wanted = "newOrder?key=YOUR_API_KEY&service=twitchChatBots&channel=c&amount=50&comments=a%0Ab&period=day";
    assert_eq!(&*sent(&call).url, format!("https://stream-rise.com/api/{wanted}"));
}

#[test]
fn what_cannot_be_said_is_not_sent() {
    let endpoint = endpoint("YOUR_API_KEY");
    let drip = Some(Drip { runs: 3, interval_min: 60 });
    let in_runs =
        OrderKind::Default { link: "c".to_owned(), quantity: 10, drip, interval_min: None, period_amount: None };
    let package = OrderKind::Package { link: "c".to_owned(), quantity: 10 };
    for kind in [in_runs, package] {
        assert!(takes(&kind).is_err_and(|text| text.contains('`')));
        for service in ["1", "twitchViewers"] {
            assert!(request(&endpoint, &order(service, kind.clone(), &[])).is_none(), "{service} {kind:?}");
        }
    }
    for call in [Call::Refill("1".to_owned()), Call::RefillStatus(ids(&["1"]))] {
        assert!(request(&endpoint, &call).is_none(), "{call:?}");
    }
    let long = |lines: usize| OrderKind::CustomComments {
        link: "c".to_owned(),
        quantity: None,
        comments: vec!["0123456789".to_owned(); lines],
    };
    for (service, lines, said) in [("twitchChatBots", 500, true), ("twitchChatBots", 700, false), ("2", 10_000, true)] {
        let said_here = request(&endpoint, &order(service, long(lines), &[])).is_some();
        assert_eq!(said_here, said, "{lines} comments for {service}");
    }
}

#[test]
fn what_is_taken_is_what_a_server_of_this_protocol_reads_back() {
    let comments = |quantity, lines: usize| OrderKind::CustomComments {
        link: "https://twitch.tv/u".to_owned(),
        quantity,
        comments: vec!["hi".to_owned(); lines],
    };
    for kind in
        [OrderKind::plain("https://twitch.tv/u", 70), comments(Some(9), 2), comments(Some(9), 0), comments(None, 3)]
    {
        let body: Object = serde_json::from_slice(&sent(&order("1", kind.clone(), &[])).body).unwrap();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let fields = body.iter().map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect();
        let service_type: ServiceType = kind.service_type();
        let style = interline_domain::Style::Streamrise;
        let read =
            OrderKind::parse(&Terms { service_type, package_quantity: 0, dripfeed: false, style }, &fields).unwrap();
        assert_eq!((read.target(), read.quantity()), (kind.target(), kind.quantity()));
    }
}

proptest! {
    /// Whatever a channel, a service or a parameter is made of, the server reads exactly that, once, and the key first.
    #[test]
    fn what_is_sent_is_what_is_read(
        key in "\\PC{1,20}",
        service in "[a-zA-Z]{1,12}",
        link in prop_oneof![any::<String>(), "[+%&=;,#?/ a-zé\u{1F600}]{0,40}"],
        quantity in any::<u64>(),
        extra in any::<String>(),
    ) {
        let call = order(&service, OrderKind::plain(link.clone(), quantity), &[("extra", &extra)]);
        prop_assume!(link.len() + extra.len() < 1_000);
        let request = request(&endpoint(&key), &call).unwrap();
        let (_, query) = request.url.split_once('?').unwrap();
        let read: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let quantity = quantity.to_string();
        let wanted =
            [("key", &key), ("service", &service), ("channel", &link), ("amount", &quantity), ("extra", &extra)];
        let wanted: Vec<(String, String)> =
            wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())).collect();
        prop_assert_eq!(read, wanted);
        prop_assert_eq!(format!("{:?}", request.url), "https://stream-rise.com/api/newOrder\u{2026}");
    }
}
