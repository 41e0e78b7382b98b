//! Every request, letter by letter.

use std::collections::BTreeMap;

use interline_domain::{Timestamp, kind::Drip};
use proptest::prelude::*;

use super::*;

fn endpoint() -> Endpoint {
    Endpoint { url: "https://api.upstream.example/v1/".to_owned(), key: "k3y".into() }
}

/// A request as `METHOD path body`.
fn sent(call: &Call) -> String {
    let request = request(&endpoint(), call).unwrap();
    let path = request.url.strip_prefix("https://api.upstream.example/v1").unwrap();
    format!("{:?} {path} {}", request.method, String::from_utf8(request.body).unwrap())
}

fn submission(target: &str, params: &[(&str, &str)]) -> Submission {
    let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Submission { service: "1".to_owned(), kind: OrderKind::plain(target, 1_000), params }
}

/// The body of a new purchase.
fn body(order: &Submission) -> Value {
    serde_json::from_slice(&purchase(&endpoint(), order).unwrap().body).unwrap()
}

#[test]
fn each_call_is_its_documented_request() {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    for (call, wanted) in [
        (Call::Catalogue, "Get /tarifs "),
        (Call::Status(ids(&["7"])), "Get /purchases/7 "),
        (Call::Status(ids(&["7", "8"])), "Get /purchases/bulk?ids=7,8 "),
        (Call::Status(ids(&["a/../b?c#d e"])), "Get /purchases/a%2F..%2Fb%3Fc%23d+e "),
        (Call::Orders { since: Timestamp::from_millis(0) }, "Get /purchases/uncomplete "),
        (Call::Pause("7".to_owned()), r#"Post /purchases/bulk-stop {"ids":[7]}"#),
        (Call::Resume("7".to_owned()), "Post /purchases/7/start "),
        (Call::Prolong { order: "7".to_owned(), count: 12 }, r#"Post /purchases/7/prolong {"count":12}"#),
        (
            Call::Submit(submission("twitch", &[("duration", "24")])),
            r#"Post /purchases/create {"channel":"twitch","tarif":{"duration":24,"id":1,"quantity":1000}}"#,
        ),
    ] {
        assert_eq!(sent(&call), wanted, "{call:?}");
    }
}

#[test]
fn the_key_and_the_language_stand_in_headers_and_a_body_says_that_it_is_json() {
    let headers = |call: &Call| {
        let request = request(&endpoint(), call).unwrap();
        request.headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
    };
    let common = ["authorization: Bearer k3y", "accept: application/json", "accept-language: en"];
    assert_eq!(headers(&Call::Catalogue), common);
    assert_eq!(headers(&Call::Resume("7".to_owned())), common, "there is no body");
    let [key, accept, language] = common;
    let wanted = [key, accept, language, "content-type: application/json"];
    assert_eq!(headers(&Call::Pause("7".to_owned())), wanted);
}

#[test]
fn the_seed_is_sent_as_it_stands() {
    let params = [
        ("duration", "24"),
        ("interval", "10"),
        ("comment", "Test comment"),
        ("start", "false"),
        ("expand", "tarif,parent"),
    ];
    let order = submission("https://www.twitch.tv/twitch", &params);
    let wanted = json!({
        "tarif": { "id": 1, "quantity": 1000, "duration": 24 },
        "channel": "twitch",
        "interval": 10,
        "comment": "Test comment",
        "start": false
    });
    assert_eq!(body(&order), wanted);
    let url = purchase(&endpoint(), &order).unwrap().url;
    assert_eq!(&*url, "https://api.upstream.example/v1/purchases/create?expand=tarif%2Cparent");
}

#[test]
fn parameters_of_an_offer_have_their_types_and_do_not_override_the_order() {
    let params = [
        ("duration", "1"),
        ("Quantity", "5"),
        ("CHANNEL", "mine"),
        ("tarif", "2"),
        ("comment", "123"),
        ("start", "true"),
        ("interval", "007"),
        ("geo", "auto"),
    ];
    let wanted = json!({
        "tarif": { "id": 1, "quantity": 1000, "duration": 1 },
        "channel": "x",
        "comment": "123",
        "start": true,
        "interval": "007",
        "geo": "auto"
    });
    assert_eq!(body(&submission("x", &params)), wanted);
}

#[test]
fn what_cannot_be_said_is_not_sent() {
    for (name, value) in
        [("start", "true"), ("duration", "0"), ("duration", "a day"), ("duration", "1.5"), ("Duration", "1")]
    {
        assert!(purchase(&endpoint(), &submission("x", &[(name, value)])).is_none(), "{name}: {value}");
    }
    let good = submission("x", &[("duration", "1")]);
    for service in ["", "twitchViewers", "01", "-1", "1.0"] {
        let order = Submission { service: service.to_owned(), ..good.clone() };
        assert!(purchase(&endpoint(), &order).is_none(), "{service}");
    }
    let drip = Some(Drip { runs: 2, interval_min: 60 });
    let default = |drip, interval_min, period_amount: Option<&str>| OrderKind::Default {
        link: "x".to_owned(),
        quantity: 10,
        drip,
        interval_min,
        period_amount: period_amount.map(str::to_owned),
    };
    for (kind, allowed) in [
        (default(drip, None, None), "`runs` must be left out"),
        (default(None, Some(5), None), "`interval` must be left out"),
        (default(None, None, Some("30")), "`periodAmount` must be left out"),
        (OrderKind::Package { link: "x".to_owned(), quantity: 10 }, "`service` must be of the type Default"),
        (
            OrderKind::CustomComments { link: "x".to_owned(), quantity: Some(7), comments: Vec::new() },
            "`service` must be of the type Default",
        ),
    ] {
        assert_eq!(takes(&kind), Err(allowed));
        assert!(purchase(&endpoint(), &Submission { kind, ..good.clone() }).is_none(), "{allowed}");
    }
    assert_eq!(takes(&default(None, None, None)), Ok(()));
    assert!(request(&endpoint(), &Call::Pause("seven".to_owned())).is_none());
}

#[test]
fn a_channel_is_named_without_its_address() {
    for (target, name) in [
        ("twitch", "twitch"),
        ("https://www.twitch.tv/Twitch/", "Twitch"),
        ("http://TWITCH.tv/a_b", "a_b"),
        ("kick.com/abc", "abc"),
        ("https://trovo.live/abc", "abc"),
        ("https://www.twitch.tv/videos/12345", "https://www.twitch.tv/videos/12345"),
        ("https://trovo.live/s/abc", "https://trovo.live/s/abc"),
        ("https://www.twitch.tv/abc?referrer=x", "https://www.twitch.tv/abc?referrer=x"),
        ("https://www.twitch.tv/", "https://www.twitch.tv/"),
        ("https://www.youtube.com/watch?v=AbC", "https://www.youtube.com/watch?v=AbC"),
        ("https://nottwitch.tv/abc", "https://nottwitch.tv/abc"),
    ] {
        assert_eq!(channel(target), name);
    }
}

proptest! {
    /// Whatever an order and its offer are made of, the body says exactly that.
    #[test]
    fn what_is_sent_is_what_is_read(
        target in any::<String>(),
        quantity in any::<u64>(),
        duration in 1u64..=720,
        comment in any::<String>(),
        expand in any::<String>(),
    ) {
        let params: BTreeMap<String, String> = [
            ("duration".to_owned(), duration.to_string()),
            ("comment".to_owned(), comment.clone()),
            ("expand".to_owned(), expand.clone()),
        ].into();
        let order = Submission { service: "4412".to_owned(), kind: OrderKind::plain(target.clone(), quantity), params };
        let tarif = json!({ "id": 4412, "quantity": quantity, "duration": duration });
        prop_assert_eq!(body(&order), json!({ "tarif": tarif, "channel": channel(&target), "comment": comment }));
        let url = purchase(&endpoint(), &order).unwrap().url;
        let query = url.split_once('?').map(|(_, query)| form_urlencoded::parse(query.as_bytes()).into_owned());
        prop_assert_eq!(query.unwrap().collect::<Vec<_>>(), [("expand".to_owned(), expand)]);
    }
}
