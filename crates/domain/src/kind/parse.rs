//! Parameters to an order: each type takes what it needs and ignores the rest, as clients send superfluous ones.

use super::{
    ANSWER_MAX, Device, Drip, FieldError, Fields, OrderKind, PAUSE_MINUTES_MAX, POSTS_MAX, RUNS_MAX, ServiceType,
    Style, Terms, TrafficSource, UNITS_MAX,
    reader::{LINES, LINES_AND_COMMAS, Reader},
};

impl OrderKind {
    /// Reads an order for a service of these terms.
    pub fn parse(terms: &Terms, fields: &Fields) -> Result<Self, FieldError> {
        let read = Reader(fields);
        let (link, units) = (|| read.text("link"), || read.whole("quantity", 1..=UNITS_MAX));
        let lines = |field| read.list(field, LINES);
        Ok(match terms.service_type {
            ServiceType::Default => return default(terms, &read),
            ServiceType::Seo => {
                Self::Seo { link: link()?, quantity: units()?, keywords: read.list("keywords", LINES_AND_COMMAS)? }
            }
            ServiceType::CustomComments => return custom_comments(terms, &read),
            ServiceType::MentionsWithHashtags => Self::MentionsWithHashtags {
                link: link()?,
                quantity: units()?,
                usernames: lines("usernames")?,
                hashtags: lines("hashtags")?,
            },
            ServiceType::MentionsCustomList => {
                Self::MentionsCustomList { link: link()?, usernames: lines("usernames")? }
            }
            ServiceType::MentionsHashtag => {
                Self::MentionsHashtag { link: link()?, quantity: units()?, hashtag: read.text("hashtag")? }
            }
            ServiceType::MentionsUserFollowers => {
                Self::MentionsUserFollowers { link: link()?, quantity: units()?, username: read.text("username")? }
            }
            ServiceType::MentionsMediaLikers => {
                let media = read.text(read.name_of("media", "media_url"))?;
                Self::MentionsMediaLikers { link: link()?, quantity: units()?, media }
            }
            ServiceType::Mentions => {
                Self::Mentions { link: link()?, quantity: units()?, usernames: lines("usernames")? }
            }
            ServiceType::Package => Self::Package { link: link()?, quantity: terms.package_quantity },
            ServiceType::CustomCommentsPackage => return comments_package(terms, &read),
            ServiceType::CommentLikes => {
                Self::CommentLikes { link: link()?, quantity: units()?, username: read.text("username")? }
            }
            ServiceType::Poll => {
                let answer_number = read.whole("answer_number", 1..=ANSWER_MAX)?;
                Self::Poll { link: link()?, quantity: units()?, answer_number }
            }
            ServiceType::CommentReplies => {
                Self::CommentReplies { link: link()?, username: read.text("username")?, comments: lines("comments")? }
            }
            ServiceType::InvitesFromGroups => {
                let groups = lines(read.name_of("groups", "group_link"))?;
                Self::InvitesFromGroups { link: link()?, quantity: units()?, groups }
            }
            ServiceType::Subscriptions => return Err(FieldError::Subscription),
            ServiceType::WebTraffic => return web_traffic(terms, &read),
        })
    }
}

fn default(terms: &Terms, read: &Reader<'_>) -> Result<OrderKind, FieldError> {
    let (link, quantity) = (read.text("link")?, read.whole("quantity", 1..=UNITS_MAX)?);
    let streamrise = terms.style == Style::Streamrise;
    let period_amount = if streamrise { read.optional_text("periodAmount")? } else { None };
    if streamrise && read.above_zero("runs", RUNS_MAX)?.is_none() {
        let interval_min = read.above_zero("interval", PAUSE_MINUTES_MAX)?;
        return Ok(OrderKind::Default { link, quantity, drip: None, interval_min, period_amount });
    }
    let drip = drip(terms, read, quantity)?;
    Ok(OrderKind::Default { link, quantity, drip, interval_min: None, period_amount })
}

/// Runs and interval: both or neither, and only where the service takes them.
fn drip(terms: &Terms, read: &Reader<'_>, quantity: u64) -> Result<Option<Drip>, FieldError> {
    let runs = read.above_zero("runs", RUNS_MAX)?;
    let interval = read.above_zero("interval", PAUSE_MINUTES_MAX)?;
    let alone = |field, other: &str| {
        Err(FieldError::Malformed { field, allowed: format!("sent together with `{other}`, or neither of them") })
    };
    match (runs, interval) {
        (None, None) => Ok(None),
        (Some(_), _) if !terms.dripfeed => Err(FieldError::NotOffered("runs")),
        (None, Some(_)) if !terms.dripfeed => Err(FieldError::NotOffered("interval")),
        (Some(_), None) => alone("runs", "interval"),
        (None, Some(_)) => alone("interval", "runs"),
        (Some(runs), Some(interval_min)) => {
            within_units("runs", quantity, runs)?;
            Ok(Some(Drip { runs, interval_min }))
        }
    }
}

fn custom_comments(terms: &Terms, read: &Reader<'_>) -> Result<OrderKind, FieldError> {
    let link = read.text("link")?;
    let quantity = match terms.style {
        Style::Panel => None,
        Style::Streamrise => read.optional_whole("quantity", 1..=UNITS_MAX)?,
    };
    let comments = match quantity {
        Some(_) => read.optional_list("comments", LINES)?,
        None => read.list("comments", LINES)?,
    };
    Ok(OrderKind::CustomComments { link, quantity, comments })
}

/// With `comments` they are for one link, with `username` instead they are for posts to come.
fn comments_package(terms: &Terms, read: &Reader<'_>) -> Result<OrderKind, FieldError> {
    if read.has("comments") || !read.has("username") {
        let (link, comments) = (read.text("link")?, read.list("comments", LINES)?);
        let quantity = match terms.package_quantity {
            0 => u64::try_from(comments.len()).unwrap_or(u64::MAX),
            fixed => fixed,
        };
        return Ok(OrderKind::CustomCommentsPackage { link, quantity, comments });
    }
    let (min, max) = (read.whole("min", 1..=UNITS_MAX)?, read.whole("max", 1..=UNITS_MAX)?);
    if min > max {
        return Err(FieldError::Malformed { field: "min", allowed: "at most `max`".to_owned() });
    }
    let posts = read.optional_whole("posts", 1..=POSTS_MAX)?.unwrap_or(1);
    within_units("posts", max, posts)?;
    Ok(OrderKind::CommentsPerPost {
        username: read.text("username")?,
        min,
        max,
        delay_min: read.whole("delay", 0..=PAUSE_MINUTES_MAX)?,
        posts,
        old_posts: read.above_zero("old_posts", POSTS_MAX)?,
        expiry: read.optional_date("expiry")?,
    })
}

fn web_traffic(terms: &Terms, read: &Reader<'_>) -> Result<OrderKind, FieldError> {
    let (link, quantity) = (read.text("link")?, read.whole("quantity", 1..=UNITS_MAX)?);
    let (country, device) = (read.text("country")?, read.text("device")?);
    let Some(device) = Device::ALL.into_iter().find(|known| known.code() == device) else {
        let allowed = "1 (desktop), 2 (Android), 3 (iOS), 4 (mixed mobile) or 5 (mixed)".to_owned();
        return Err(FieldError::Malformed { field: "device", allowed });
    };
    let source = match read.text("type_of_traffic")?.as_str() {
        "1" => TrafficSource::GoogleKeyword(read.text("google_keyword")?),
        "2" => TrafficSource::Referrer(read.text("referring_url")?),
        "3" => TrafficSource::Blank,
        _ => {
            let allowed = "1 (Google keyword), 2 (custom referrer) or 3 (blank referrer)".to_owned();
            return Err(FieldError::Malformed { field: "type_of_traffic", allowed });
        }
    };
    Ok(OrderKind::WebTraffic { link, quantity, drip: drip(terms, read, quantity)?, country, device, source })
}

/// Holds `times` deliveries of `units` to the most that one order may have.
fn within_units(field: &'static str, units: u64, times: u64) -> Result<(), FieldError> {
    if units.saturating_mul(times) <= UNITS_MAX {
        return Ok(());
    }
    Err(FieldError::Malformed {
        field,
        allowed: format!("so small that the order has at most {UNITS_MAX} units in all"),
    })
}
