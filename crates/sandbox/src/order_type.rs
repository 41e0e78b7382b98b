//! What an `add` asks for, by the type of its service (`protocol.md` §1.4): what it needs, how much it is, and whether
//! its rate is charged once. Written down here on its own: what is shared with a gateway would hide its mistakes.

use crate::{
    config::Service,
    wire::{Fields, field},
};

/// An order as the panel understands it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked<'a> {
    /// The link, or the user whose posts are meant.
    pub(crate) target: &'a str,
    /// Units in all.
    pub(crate) quantity: u64,
    /// Whether the rate is charged once, whatever the quantity.
    pub(crate) flat: bool,
}

/// How much an order is.
enum Amount {
    /// What `quantity` says, times `runs`.
    Stated,
    /// One for each line of this field.
    Lines(&'static str),
    /// One for each comment; without comments what `quantity` says, as at Streamrise, which speaks the same protocol.
    Comments,
    /// What the service says, at a flat rate.
    Package,
    /// Comments at a flat rate; with `username` instead, the most that the posts can take.
    CommentsPackage,
}

/// A type: its label as it is compared, how much its orders are, and what they need beside that.
type OrderType = (&'static str, Amount, &'static [&'static str]);

static TYPES: [OrderType; 16] = [
    ("default", Amount::Stated, &[]),
    ("seo", Amount::Stated, &["keywords"]),
    ("customcomments", Amount::Comments, &[]),
    ("mentionswithhashtags", Amount::Stated, &["usernames", "hashtags"]),
    ("mentionscustomlist", Amount::Lines("usernames"), &[]),
    ("mentionshashtag", Amount::Stated, &["hashtag"]),
    ("mentionsuserfollowers", Amount::Stated, &["username"]),
    ("mentionsmedialikers", Amount::Stated, &["media"]),
    ("mentions", Amount::Stated, &["usernames"]),
    ("package", Amount::Package, &[]),
    ("customcommentspackage", Amount::CommentsPackage, &[]),
    ("commentlikes", Amount::Stated, &["username"]),
    ("poll", Amount::Stated, &["answer_number"]),
    ("commentreplies", Amount::Lines("comments"), &["username"]),
    ("invitesfromgroups", Amount::Stated, &["groups"]),
    ("webtraffic", Amount::Stated, &["country", "device", "type_of_traffic"]),
];

/// Reads an order for `service`; the error is what a panel answers. A label that is not known is taken as Default, as
/// panel software does; subscriptions are not taken.
pub(crate) fn read<'a>(service: &Service, fields: &'a Fields) -> Result<Asked<'a>, &'static str> {
    let label: String = service.service_type.chars().filter(char::is_ascii_alphanumeric).collect();
    let label = label.to_ascii_lowercase();
    if label == "subscriptions" {
        return Err("Incorrect request");
    }
    let (_, amount, needed) = TYPES.iter().find(|(known, ..)| *known == label).unwrap_or(&TYPES[0]);
    let per_post = matches!(amount, Amount::CommentsPackage) && field(fields, "comments").is_empty();
    let target = field(fields, if per_post { "username" } else { "link" });
    if target.is_empty() {
        return Err("Link is invalid");
    }
    if needed.iter().any(|name| field(fields, name).is_empty()) {
        return Err("Incorrect request");
    }
    let quantity = match amount {
        Amount::Stated => stated(service, fields)?,
        Amount::Lines(name) => lines(fields, name),
        Amount::Comments if field(fields, "comments").is_empty() => {
            number(fields, "quantity").ok_or("Incorrect comments")?
        }
        Amount::Package => service.min,
        Amount::CommentsPackage if per_post => posts(fields).ok_or("Incorrect request")?,
        Amount::CommentsPackage if service.min == service.max => service.min,
        Amount::Comments | Amount::CommentsPackage => lines(fields, "comments"),
    };
    let flat = matches!(amount, Amount::Package | Amount::CommentsPackage) && !per_post;
    Ok(Asked { target, quantity, flat })
}

/// The quantity of every run together. An `interval` alone is no drip-feed.
fn stated(service: &Service, fields: &Fields) -> Result<u64, &'static str> {
    let quantity = number(fields, "quantity").ok_or("Incorrect quantity")?;
    if matches!(field(fields, "runs"), "" | "0") {
        return Ok(quantity);
    }
    let runs = number(fields, "runs").filter(|_| service.dripfeed).ok_or("Incorrect runs")?;
    number(fields, "interval").ok_or("Incorrect interval")?;
    quantity.checked_mul(runs).ok_or("Incorrect runs")
}

/// The most comments that the posts can take.
fn posts(fields: &Fields) -> Option<u64> {
    let posts = if field(fields, "posts").is_empty() { 1 } else { number(fields, "posts")? };
    let (min, max, delay) = (number(fields, "min")?, number(fields, "max")?, field(fields, "delay").parse::<u64>());
    posts.checked_mul(max).filter(|_| min <= max && delay.is_ok())
}

/// A whole number above zero.
fn number(fields: &Fields, name: &str) -> Option<u64> {
    field(fields, name).parse().ok().filter(|number| *number > 0)
}

fn lines(fields: &Fields, name: &str) -> u64 {
    let lines = field(fields, name).split(['\r', '\n']).filter(|line| !line.trim().is_empty());
    u64::try_from(lines.count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(service_type: &str, bounds: (u64, u64)) -> Service {
        Service {
            id: "1".to_owned(),
            name: String::new(),
            category: String::new(),
            service_type: service_type.to_owned(),
            rate: "1".to_owned(),
            min: bounds.0,
            max: bounds.1,
            refill: false,
            cancel: false,
            dripfeed: service_type == "Default",
        }
    }

    fn asked(service: &Service, query: &str) -> Result<(String, u64, bool), &'static str> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let fields = pairs.map(|(name, value)| (name.to_owned(), value.replace('|', "\n"))).collect();
        read(service, &fields).map(|asked| (asked.target.to_owned(), asked.quantity, asked.flat))
    }

    #[test]
    fn every_type_has_its_quantity_and_its_rate() {
        for (label, query, wanted) in [
            ("Default", "link=x&quantity=10", ("x", 10, false)),
            ("Default", "link=x&quantity=10&runs=3&interval=5", ("x", 30, false)),
            ("Default", "link=x&quantity=10&runs=0&interval=5", ("x", 10, false)),
            ("Hologram", "link=x&quantity=10", ("x", 10, false)),
            ("SEO", "link=x&quantity=10&keywords=a", ("x", 10, false)),
            ("Custom Comments", "link=x&quantity=10&comments=a|b, c", ("x", 2, false)),
            ("Custom Comments", "link=x&quantity=10", ("x", 10, false)),
            ("Mentions with Hashtags", "link=x&quantity=10&usernames=u&hashtags=h", ("x", 10, false)),
            ("Mentions Custom List", "link=x&usernames=u|v||w", ("x", 3, false)),
            ("Mentions Hashtag", "link=x&quantity=10&hashtag=h", ("x", 10, false)),
            ("Mentions User Followers", "link=x&quantity=10&username=u", ("x", 10, false)),
            ("Mentions Media Likers", "link=x&quantity=10&media=m", ("x", 10, false)),
            ("mentions", "link=x&quantity=10&usernames=u", ("x", 10, false)),
            ("Package", "link=x&quantity=3", ("x", 5, true)),
            ("Custom Comments Package", "link=x&comments=a|b|c", ("x", 3, true)),
            ("Custom Comments Package", "username=u&min=1&max=20&delay=0&posts=4", ("u", 80, false)),
            ("Custom Comments Package", "username=u&min=1&max=20&delay=0", ("u", 20, false)),
            ("Comment Likes", "link=x&quantity=10&username=u", ("x", 10, false)),
            ("Poll", "link=x&quantity=10&answer_number=2", ("x", 10, false)),
            ("comment_replies", "link=x&username=u&comments=a|b", ("x", 2, false)),
            ("Invites from Groups", "link=x&quantity=10&groups=g", ("x", 10, false)),
            ("Web Traffic", "link=x&quantity=10&country=US&device=1&type_of_traffic=3", ("x", 10, false)),
        ] {
            let (target, quantity, flat) = wanted;
            assert_eq!(
                asked(&service(label, (5, 500)), query),
                Ok((target.to_owned(), quantity, flat)),
                "{label} {query}"
            );
        }
        let one = service("Custom Comments Package", (1, 1));
        assert_eq!(asked(&one, "link=x&comments=a|b|c"), Ok(("x".to_owned(), 1, true)));
    }

    #[test]
    fn what_is_missing_is_refused_in_a_panels_words() {
        for (label, query, text) in [
            ("Default", "quantity=10", "Link is invalid"),
            ("Default", "link=x", "Incorrect quantity"),
            ("Default", "link=x&quantity=1&runs=2", "Incorrect interval"),
            ("Poll", "link=x&quantity=1&answer_number=1&runs=2&interval=5", "Incorrect runs"),
            ("Poll", "link=x&quantity=1", "Incorrect request"),
            ("Custom Comments", "link=x", "Incorrect comments"),
            ("Custom Comments Package", "username=u&min=2&max=1&delay=0", "Incorrect request"),
            ("Custom Comments Package", "username=u&min=1&max=1", "Incorrect request"),
            ("Subscriptions", "username=u&min=1&max=1&delay=0", "Incorrect request"),
        ] {
            assert_eq!(asked(&service(label, (1, 9)), query), Err(text), "{label} {query}");
        }
    }
}
