//! The parameters of an order as PerfectPanel names them.

use super::{Device, Drip, OrderKind, TrafficSource};

/// A parameter and its value.
type Field = (&'static str, String);

impl OrderKind {
    /// Its parameters as PerfectPanel names them, without those that follow from others: what an upstream of that
    /// protocol is sent, and what [`Self::parse`] reads as this very order again. Lists are written an item a line.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![(self.target_field(), self.target().to_owned())];
        fields.extend(self.stated_quantity().map(|quantity| number("quantity", quantity)));
        fields.extend(self.own_fields());
        fields
    }

    /// What is sent as `quantity`.
    const fn stated_quantity(&self) -> Option<u64> {
        match self {
            Self::CustomComments { quantity, .. } => *quantity,
            Self::MentionsCustomList { .. }
            | Self::Package { .. }
            | Self::CustomCommentsPackage { .. }
            | Self::CommentsPerPost { .. }
            | Self::CommentReplies { .. } => None,
            Self::Default { quantity, .. }
            | Self::Seo { quantity, .. }
            | Self::MentionsWithHashtags { quantity, .. }
            | Self::MentionsHashtag { quantity, .. }
            | Self::MentionsUserFollowers { quantity, .. }
            | Self::MentionsMediaLikers { quantity, .. }
            | Self::Mentions { quantity, .. }
            | Self::CommentLikes { quantity, .. }
            | Self::Poll { quantity, .. }
            | Self::InvitesFromGroups { quantity, .. }
            | Self::WebTraffic { quantity, .. } => Some(*quantity),
        }
    }

    /// What its type has beside the target and the quantity.
    fn own_fields(&self) -> Vec<Field> {
        match self {
            Self::Default { drip, interval_min, period_amount, .. } => {
                let interval = interval_min.map(|minutes| number("interval", minutes));
                let period = period_amount.as_ref().map(|period| text("periodAmount", period));
                in_runs(*drip).chain(interval).chain(period).collect()
            }
            Self::Seo { keywords, .. } => vec![list("keywords", keywords)],
            Self::CustomComments { comments, .. } if comments.is_empty() => Vec::new(),
            Self::CustomComments { comments, .. } | Self::CustomCommentsPackage { comments, .. } => {
                vec![list("comments", comments)]
            }
            Self::MentionsWithHashtags { usernames, hashtags, .. } => {
                vec![list("usernames", usernames), list("hashtags", hashtags)]
            }
            Self::MentionsCustomList { usernames, .. } | Self::Mentions { usernames, .. } => {
                vec![list("usernames", usernames)]
            }
            Self::MentionsHashtag { hashtag, .. } => vec![text("hashtag", hashtag)],
            Self::MentionsUserFollowers { username, .. } | Self::CommentLikes { username, .. } => {
                vec![text("username", username)]
            }
            Self::MentionsMediaLikers { media, .. } => vec![text("media", media)],
            Self::Package { .. } => Vec::new(),
            Self::CommentsPerPost { min, max, delay_min, posts, old_posts, expiry, .. } => {
                let needed = [("min", *min), ("max", *max), ("delay", *delay_min), ("posts", *posts)];
                let old_posts = old_posts.map(|posts| number("old_posts", posts));
                let expiry = expiry.as_ref().map(|date| text("expiry", date));
                needed.map(|(name, value)| number(name, value)).into_iter().chain(old_posts).chain(expiry).collect()
            }
            Self::Poll { answer_number, .. } => vec![number("answer_number", *answer_number)],
            Self::CommentReplies { username, comments, .. } => {
                vec![text("username", username), list("comments", comments)]
            }
            Self::InvitesFromGroups { groups, .. } => vec![list("groups", groups)],
            Self::WebTraffic { drip, country, device, source, .. } => {
                in_runs(*drip).chain(visits(country, *device, source)).collect()
            }
        }
    }
}

fn text(name: &'static str, value: &str) -> Field {
    (name, value.to_owned())
}

fn number(name: &'static str, value: u64) -> Field {
    (name, value.to_string())
}

fn list(name: &'static str, items: &[String]) -> Field {
    (name, items.join("\n"))
}

fn in_runs(drip: Option<Drip>) -> impl Iterator<Item = Field> {
    drip.into_iter().flat_map(|drip| [number("runs", drip.runs), number("interval", drip.interval_min)])
}

fn visits(country: &str, device: Device, source: &TrafficSource) -> Vec<Field> {
    let mut fields =
        vec![text("country", country), text("device", device.code()), text("type_of_traffic", source.code())];
    fields.extend(match source {
        TrafficSource::GoogleKeyword(keyword) => Some(text("google_keyword", keyword)),
        TrafficSource::Referrer(url) => Some(text("referring_url", url)),
        TrafficSource::Blank => None,
    });
    fields
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
