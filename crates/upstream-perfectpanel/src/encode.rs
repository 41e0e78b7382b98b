//! Calls as the form that panels take: `key`, `action` and the action's fields (`protocol.md` §1.2, §1.4).

use interline_domain::OrderKind;
use interline_upstream::{Call, Endpoint, Method, Request, Submission};
use secrecy::ExposeSecret;

/// Whether a panel reads such an order as it was meant: of Custom Comments it counts the lines, whatever `quantity` says
/// (`protocol.md`, trap 12).
pub(crate) fn takes(kind: &OrderKind) -> Result<(), &'static str> {
    if let OrderKind::CustomComments { quantity: Some(units), comments, .. } = kind
        && usize::try_from(*units) != Ok(comments.len())
    {
        return Err("`quantity` must be the number of lines in `comments`");
    }
    Ok(())
}

/// The request that makes `call`, if panels can do it.
pub(crate) fn request(endpoint: &Endpoint, call: &Call) -> Option<Request> {
    Some(form(endpoint, fields(call)?))
}

/// A request for an action that no panel has.
pub(crate) fn unknown_action(endpoint: &Endpoint) -> Request {
    form(endpoint, vec![action("interline_check")])
}

fn form(endpoint: &Endpoint, fields: Vec<(&str, String)>) -> Request {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("key", endpoint.key.expose_secret());
    for (name, value) in fields {
        form.append_pair(name, &value);
    }
    Request {
        method: Method::Post,
        url: endpoint.url.clone().into(),
        headers: vec![
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("accept", "application/json".to_owned()),
        ],
        body: form.finish().into_bytes(),
    }
}

/// Everything but the key.
fn fields(call: &Call) -> Option<Vec<(&str, String)>> {
    Some(match call {
        Call::Catalogue => vec![action("services")],
        Call::Balance => vec![action("balance")],
        Call::Submit(order) => submission(order),
        // Not every panel takes a list of one, so one order is asked for by the older form.
        Call::Status(ids) => match ids.as_slice() {
            [id] => vec![action("status"), ("order", id.clone())],
            _ => vec![action("status"), ("orders", ids.join(","))],
        },
        Call::Cancel(ids) => vec![action("cancel"), ("orders", ids.join(","))],
        Call::Refill(order) => vec![action("refill"), ("order", order.clone())],
        Call::RefillStatus(ids) => match ids.as_slice() {
            [id] => vec![action("refill_status"), ("refill", id.clone())],
            _ => vec![action("refill_status"), ("refills", ids.join(","))],
        },
        // Some panels list orders by `action=orders` (`protocol.md` §1.10), too few to count on it.
        Call::Orders { .. }
        | Call::Pause(_)
        | Call::Resume(_)
        | Call::Delete(_)
        | Call::Quote(_)
        | Call::Upgrade(_)
        | Call::Change(_)
        | Call::Prolong { .. }
        | Call::Validate(_) => return None,
    })
}

/// The field that names the action.
fn action(name: &str) -> (&'static str, String) {
    ("action", name.to_owned())
}

/// The order's own fields, then those parameters of the offer that the order does not name.
fn submission(order: &Submission) -> Vec<(&str, String)> {
    let mut fields = vec![action("add"), ("service", order.service.clone())];
    fields.extend(order.kind.fields());
    for (name, value) in &order.params {
        // A panel that ignores case would see `Key` or `Link` as a second value of a field that is already there.
        let taken =
            name.eq_ignore_ascii_case("key") || fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !taken {
            fields.push((name.as_str(), value.clone()));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use interline_domain::{Fields, ServiceType, Style, Terms};
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "k+e&y=%7";

    fn sent(call: &Call) -> Vec<(String, String)> {
        let endpoint = Endpoint { url: "https://panel.example/api/v2".to_owned(), key: KEY.into() };
        let request = request(&endpoint, call).unwrap();
        assert!(request.method == Method::Post && *request.url == endpoint.url);
        form_urlencoded::parse(&request.body).into_owned().collect()
    }

    fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_call_sends_its_documented_fields() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        for (call, fields) in [
            (Call::Catalogue, vec![("key", KEY), ("action", "services")]),
            (Call::Balance, vec![("key", KEY), ("action", "balance")]),
            (Call::Status(ids(&["7"])), vec![("key", KEY), ("action", "status"), ("order", "7")]),
            (Call::Status(ids(&["7", "ord_8"])), vec![("key", KEY), ("action", "status"), ("orders", "7,ord_8")]),
            (Call::Cancel(ids(&["7"])), vec![("key", KEY), ("action", "cancel"), ("orders", "7")]),
            (Call::Cancel(ids(&["7", "8"])), vec![("key", KEY), ("action", "cancel"), ("orders", "7,8")]),
        ] {
            assert_eq!(sent(&call), pairs(&fields), "{call:?}");
        }
    }

    #[test]
    fn parameters_of_an_offer_do_not_override_the_order() {
        let params = ["KEY", "Action", "service", "link", "Quantity", "country", "runs"];
        let call = Call::Submit(Submission {
            service: "12".to_owned(),
            kind: OrderKind::plain("https://a.example/?q=1&r=+%2B", 50),
            params: params.iter().map(|name| ((*name).to_owned(), "offer".to_owned())).collect(),
        });
        let fields = [
            ("key", KEY),
            ("action", "add"),
            ("service", "12"),
            ("link", "https://a.example/?q=1&r=+%2B"),
            ("quantity", "50"),
            ("country", "offer"),
            ("runs", "offer"),
        ];
        assert_eq!(sent(&call), pairs(&fields));
    }

    /// The parameters of `protocol.md` §1.4, in their order there.
    #[rustfmt::skip]
    const TYPES: [(ServiceType, &[(&str, &str)]); 18] = [
        (ServiceType::Default, &[("link", "x"), ("quantity", "10")]),
        (ServiceType::Default, &[("link", "x"), ("quantity", "10"), ("runs", "3"), ("interval", "60")]),
        (ServiceType::Seo, &[("link", "x"), ("quantity", "10"), ("keywords", "a\nb c")]),
        (ServiceType::CustomComments, &[("link", "x"), ("comments", "one & two, three\nfour")]),
        (ServiceType::MentionsWithHashtags,
            &[("link", "x"), ("quantity", "10"), ("usernames", "u\nv"), ("hashtags", "#a\n#b")]),
        (ServiceType::MentionsCustomList, &[("link", "x"), ("usernames", "u\nv")]),
        (ServiceType::MentionsHashtag, &[("link", "x"), ("quantity", "10"), ("hashtag", "a")]),
        (ServiceType::MentionsUserFollowers, &[("link", "x"), ("quantity", "10"), ("username", "u")]),
        (ServiceType::MentionsMediaLikers, &[("link", "x"), ("quantity", "10"), ("media", "https://a.example/p")]),
        (ServiceType::Mentions, &[("link", "x"), ("quantity", "10"), ("usernames", "u\nv")]),
        (ServiceType::Package, &[("link", "x")]),
        (ServiceType::CustomCommentsPackage, &[("link", "x"), ("comments", "one\ntwo")]),
        (ServiceType::CustomCommentsPackage, &[("username", "u"), ("min", "5"), ("max", "20"), ("delay", "30"),
            ("posts", "4"), ("old_posts", "2"), ("expiry", "2031-02-01")]),
        (ServiceType::CommentLikes, &[("link", "x"), ("quantity", "10"), ("username", "u")]),
        (ServiceType::Poll, &[("link", "x"), ("quantity", "10"), ("answer_number", "3")]),
        (ServiceType::CommentReplies, &[("link", "x"), ("username", "u"), ("comments", "one\ntwo")]),
        (ServiceType::InvitesFromGroups, &[("link", "x"), ("quantity", "10"), ("groups", "g\nh")]),
        (ServiceType::WebTraffic, &[("link", "x"), ("quantity", "10"), ("runs", "2"), ("interval", "60"),
            ("country", "US"), ("device", "5"), ("type_of_traffic", "1"), ("google_keyword", "k")]),
    ];

    #[test]
    fn each_type_sends_its_documented_parameters_and_no_others() {
        for (service_type, wanted) in TYPES {
            let terms = Terms { service_type, package_quantity: 500, dripfeed: true, style: Style::Panel };
            // What an order was asked for with, superfluous parameters too, is not what is sent.
            let mut asked: Fields =
                wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            asked.insert("answer".to_owned(), "7".to_owned());
            let kind = OrderKind::parse(&terms, &asked).unwrap();
            let call = Call::Submit(Submission { service: "12".to_owned(), kind, params: [].into() });
            let fields: Vec<(&str, &str)> =
                [("key", KEY), ("action", "add"), ("service", "12")].iter().chain(wanted).copied().collect();
            assert_eq!(sent(&call), pairs(&fields), "{service_type:?}");
        }
    }

    #[test]
    fn what_a_panel_would_count_otherwise_is_not_taken_and_all_else_is() {
        let (link, two) = (|| "x".to_owned(), vec!["a".to_owned(), "b".to_owned()]);
        let counted = |quantity: Option<u64>, comments: &[String]| OrderKind::CustomComments {
            link: link(),
            quantity,
            comments: comments.to_vec(),
        };
        for (kind, taken) in [
            (counted(None, &two), true),
            (counted(Some(2), &two), true),
            (counted(Some(3), &two), false),
            (counted(Some(1), &two), false),
            (counted(Some(100), &[]), false),
            (OrderKind::CustomCommentsPackage { link: link(), quantity: 500, comments: two.clone() }, true),
            (OrderKind::CommentReplies { link: link(), username: "u".to_owned(), comments: two.clone() }, true),
            (OrderKind::MentionsCustomList { link: link(), usernames: two }, true),
            (OrderKind::plain("x", 10), true),
        ] {
            let (service_type, package_quantity) = (kind.service_type(), kind.quantity());
            let terms = Terms { service_type, package_quantity, dripfeed: false, style: Style::Panel };
            let sent: Fields = kind.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let as_meant = OrderKind::parse(&terms, &sent).is_ok_and(|read| read.quantity() == kind.quantity());
            assert_eq!((takes(&kind).is_ok(), as_meant), (taken, taken), "{kind:?}");
        }
    }

    proptest! {
        /// Whatever a link, a service id or a parameter is made of, the panel reads exactly that, once.
        #[test]
        fn what_is_sent_is_what_is_read(
            service in any::<String>(),
            link in prop_oneof![any::<String>(), "[+%&=;,#?/ a-zé\u{1F600}]{0,40}"],
            quantity in any::<u64>(),
            extra in any::<String>(),
        ) {
            let params = [("extra".to_owned(), extra.clone())].into();
            let kind = OrderKind::plain(link.clone(), quantity);
            let fields = sent(&Call::Submit(Submission { service: service.clone(), kind, params }));
            let quantity = quantity.to_string();
            let wanted = [
                ("key", KEY),
                ("action", "add"),
                ("service", service.as_str()),
                ("link", link.as_str()),
                ("quantity", quantity.as_str()),
                ("extra", extra.as_str()),
            ];
            prop_assert_eq!(fields, pairs(&wanted));
        }
    }
}
