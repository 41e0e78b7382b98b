//! Parameters and orders are each other's image.

use proptest::prelude::*;

use super::*;
use crate::kind::{ANSWER_MAX, Fields, PAUSE_MINUTES_MAX, POSTS_MAX, RUNS_MAX, ServiceType, Style, Terms, UNITS_MAX};

fn line() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9é#@:/.?&=+%,\u{1F600}][a-zA-Z0-9é ,]{0,12}[a-z]"
}

fn items() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[a-z,][a-z0-9 é\u{1F600}\t]{0,12}[a-z]", 1..5)
}

fn units() -> impl Strategy<Value = u64> {
    1..=UNITS_MAX
}

fn drip() -> impl Strategy<Value = Option<Drip>> {
    proptest::option::of(
        (1..=RUNS_MAX, 1..=PAUSE_MINUTES_MAX).prop_map(|(runs, interval_min)| Drip { runs, interval_min }),
    )
}

fn counted_kind() -> impl Strategy<Value = OrderKind> {
    let default =
        (line(), 1u64..100_000, drip(), proptest::option::of(1..=PAUSE_MINUTES_MAX), proptest::option::of(line()));
    let visits =
        (line(), 1u64..100_000, drip(), line(), proptest::sample::select(Device::ALL.to_vec()), line(), 0usize..3);
    prop_oneof![
        default.prop_map(|(link, quantity, drip, interval, period_amount)| {
            let interval_min = interval.filter(|_| drip.is_none());
            OrderKind::Default { link, quantity, drip, interval_min, period_amount }
        }),
        (line(), units(), proptest::collection::vec("[a-z][a-z é]{0,8}[a-z]", 1..5))
            .prop_map(|(link, quantity, keywords)| OrderKind::Seo { link, quantity, keywords }),
        (line(), units(), items(), items()).prop_map(|(link, quantity, usernames, hashtags)| {
            OrderKind::MentionsWithHashtags { link, quantity, usernames, hashtags }
        }),
        (line(), units(), line()).prop_map(|(link, quantity, hashtag)| OrderKind::MentionsHashtag {
            link,
            quantity,
            hashtag
        }),
        (line(), units(), line()).prop_map(|(link, quantity, username)| OrderKind::MentionsUserFollowers {
            link,
            quantity,
            username
        }),
        (line(), units(), line()).prop_map(|(link, quantity, media)| OrderKind::MentionsMediaLikers {
            link,
            quantity,
            media
        }),
        (line(), units(), items()).prop_map(|(link, quantity, usernames)| OrderKind::Mentions {
            link,
            quantity,
            usernames
        }),
        (line(), units(), line()).prop_map(|(link, quantity, username)| OrderKind::CommentLikes {
            link,
            quantity,
            username
        }),
        (line(), units(), 1..=ANSWER_MAX).prop_map(|(link, quantity, answer_number)| OrderKind::Poll {
            link,
            quantity,
            answer_number
        }),
        visits.prop_map(|(link, quantity, drip, country, device, more, source)| {
            let source =
                [TrafficSource::GoogleKeyword(more.clone()), TrafficSource::Referrer(more), TrafficSource::Blank]
                    .into_iter()
                    .nth(source)
                    .unwrap();
            OrderKind::WebTraffic { link, quantity, drip, country, device, source }
        }),
    ]
}

fn listed_kind() -> impl Strategy<Value = OrderKind> {
    let per_post =
        (line(), 1u64..100, 0u64..100, 0..=PAUSE_MINUTES_MAX, 1..=POSTS_MAX, proptest::option::of(1..=POSTS_MAX));
    prop_oneof![
        (line(), items()).prop_map(|(link, comments)| OrderKind::CustomComments { link, quantity: None, comments }),
        (line(), units(), proptest::collection::vec("[a-z]{1,9}", 0..3)).prop_map(|(link, quantity, comments)| {
            OrderKind::CustomComments { link, quantity: Some(quantity), comments }
        }),
        (line(), items()).prop_map(|(link, usernames)| OrderKind::MentionsCustomList { link, usernames }),
        (line(), units()).prop_map(|(link, quantity)| OrderKind::Package { link, quantity }),
        (line(), units(), items()).prop_map(|(link, quantity, comments)| OrderKind::CustomCommentsPackage {
            link,
            quantity,
            comments
        }),
        (line(), line(), items()).prop_map(|(link, username, comments)| OrderKind::CommentReplies {
            link,
            username,
            comments
        }),
        (line(), units(), items()).prop_map(|(link, quantity, groups)| OrderKind::InvitesFromGroups {
            link,
            quantity,
            groups
        }),
        per_post.prop_map(|(username, min, more, delay_min, posts, old_posts)| {
            let (max, expiry) = (min + more, old_posts.map(|day| format!("2031-01-{:02}", day % 28 + 1)));
            OrderKind::CommentsPerPost { username, min, max, delay_min, posts, old_posts, expiry }
        }),
    ]
}

/// A service that sells `kind`.
fn terms_of(kind: &OrderKind) -> Terms {
    let streamrise = matches!(
        kind,
        OrderKind::CustomComments { quantity: Some(_), .. }
            | OrderKind::Default { interval_min: Some(_), .. }
            | OrderKind::Default { period_amount: Some(_), .. }
    );
    Terms {
        service_type: kind.service_type(),
        package_quantity: kind.quantity(),
        dripfeed: kind.drip().is_some(),
        style: if streamrise { Style::Streamrise } else { Style::Panel },
    }
}

proptest! {
    /// What is sent to an upstream reads as the order that it was made from.
    #[test]
    fn an_order_is_its_fields(kind in prop_oneof![counted_kind(), listed_kind()]) {
        let mut fields = Fields::new();
        for (name, value) in kind.fields() {
            prop_assert_eq!(fields.insert(name.to_ascii_lowercase(), value), None, "{} stands there twice", name);
        }
        prop_assert_eq!(OrderKind::parse(&terms_of(&kind), &fields), Ok(kind));
    }

    /// Whatever is sent, an order that is taken has a quantity that panels can hold.
    #[test]
    fn no_order_is_beyond_the_bounds(
        service_type in proptest::sample::select(ServiceType::ALL.to_vec()),
        values in proptest::collection::vec(
            prop_oneof![Just("1"), Just("3"), Just("70000"), Just("2147483647"), Just("a\nb")],
            20,
        ),
    ) {
        let names = "link quantity runs interval keywords comments usernames hashtags hashtag username media groups \
                     answer_number country device type_of_traffic min max posts delay";
        let named = names.split_whitespace().zip(values);
        let fields: Fields = named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for style in [Style::Panel, Style::Streamrise] {
            let terms = Terms { service_type, package_quantity: 5, dripfeed: true, style };
            if let Ok(kind) = OrderKind::parse(&terms, &fields) {
                prop_assert!((1..=UNITS_MAX).contains(&kind.quantity()), "{kind:?}");
                prop_assert!(!kind.target().is_empty());
            }
        }
    }
}
