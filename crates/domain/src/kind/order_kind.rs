//! An order with everything its type needs, and what follows from that: its target, its quantity, what its rate is for.

use serde::{Deserialize, Serialize};

use super::{Device, ServiceType, TrafficSource};
use crate::price::Basis;

/// Delivery in equal runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drip {
    /// How often the quantity is delivered.
    pub runs: u64,
    /// The pause between two runs, in minutes.
    pub interval_min: u64,
}

/// What is to be delivered, with everything its type needs. Lists have no empty items and at least one item, unless it
/// is said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum OrderKind {
    /// `quantity` units to `link`.
    Default {
        /// The target, as the customer wrote it (trimmed).
        link: String,
        /// Units to deliver; with drip-feed in each run.
        quantity: u64,
        /// Delivery in runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drip: Option<Drip>,
        /// A pause in minutes without a number of runs, as Streamrise takes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interval_min: Option<u64>,
        /// How long the order runs, in Streamrise's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        period_amount: Option<String>,
    },
    /// Visits to `link` that search for keywords.
    Seo {
        /// The target.
        link: String,
        /// Units to deliver.
        quantity: u64,
        /// What is searched for.
        keywords: Vec<String>,
    },
    /// The customer's own comments.
    CustomComments {
        /// The target.
        link: String,
        /// Units to deliver, where the customer said so; else each comment is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quantity: Option<u64>,
        /// The comments; none are needed beside a quantity.
        #[serde(default)]
        comments: Vec<String>,
    },
    /// Mentions of users, with hashtags.
    MentionsWithHashtags {
        /// The target.
        link: String,
        /// Units to deliver.
        quantity: u64,
        /// Who is mentioned.
        usernames: Vec<String>,
        /// With which hashtags.
        hashtags: Vec<String>,
    },
    /// Mentions of these users, each once.
    MentionsCustomList {
        /// The target.
        link: String,
        /// Who is mentioned; each is a unit.
        usernames: Vec<String>,
    },
    /// Mentions of the users of a hashtag.
    MentionsHashtag {
        /// The target.
        link: String,
        /// Units to deliver.
        quantity: u64,
        /// Whose users are mentioned.
        hashtag: String,
    },
    /// Mentions of somebody's followers.
    MentionsUserFollowers {
        /// The target.
        link: String,
        /// Units to deliver.
        quantity: u64,
        /// Whose followers; panels document an address here.
        username: String,
    },
    /// Mentions of those who like something.
    MentionsMediaLikers {
        /// The target.
        link: String,
        /// Units to deliver.
        quantity: u64,
        /// The address of what they like.
        media: String,
    },
    /// Mentions of users.
    Mentions {
        /// The target.
        link: String,
        /// Units to deliver.
        quantity: u64,
        /// Who is mentioned.
        usernames: Vec<String>,
    },
    /// What the service defines, once.
    Package {
        /// The target.
        link: String,
        /// The service's own quantity.
        quantity: u64,
    },
    /// The customer's own comments, at a flat rate.
    CustomCommentsPackage {
        /// The target.
        link: String,
        /// The service's own quantity if it has one, else the number of comments.
        quantity: u64,
        /// The comments.
        comments: Vec<String>,
    },
    /// Comments on each of somebody's next posts: a Custom Comments Package with `username`
    /// (`seeds/panel-api-v2.txt`). What the posts did not need is refunded.
    CommentsPerPost {
        /// Whose posts.
        username: String,
        /// Fewest comments on a post.
        min: u64,
        /// Most comments on a post; the charge is for these.
        max: u64,
        /// The pause after a post, in minutes.
        delay_min: u64,
        /// How many posts.
        posts: u64,
        /// How many posts that are there already are done as well.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        old_posts: Option<u64>,
        /// The last day, as YYYY-MM-DD.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expiry: Option<String>,
    },
    /// Likes for somebody's comment.
    CommentLikes {
        /// The target.
        link: String,
        /// Units to deliver.
        quantity: u64,
        /// Who wrote the comment.
        username: String,
    },
    /// Votes in a poll.
    Poll {
        /// The target.
        link: String,
        /// Units to deliver.
        quantity: u64,
        /// The answer that is voted for, counted from 1.
        answer_number: u64,
    },
    /// Answers to somebody's comment.
    CommentReplies {
        /// The target.
        link: String,
        /// Who wrote the comment.
        username: String,
        /// The answers; each is a unit.
        comments: Vec<String>,
    },
    /// Invitations of the members of groups.
    InvitesFromGroups {
        /// The target.
        link: String,
        /// Units to deliver.
        quantity: u64,
        /// From where they are invited.
        groups: Vec<String>,
    },
    /// Visits to a page.
    WebTraffic {
        /// The target.
        link: String,
        /// Units to deliver; with drip-feed in each run.
        quantity: u64,
        /// Delivery in runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drip: Option<Drip>,
        /// The visitors' country: its code or its name.
        country: String,
        /// What they use.
        device: Device,
        /// Where they come from.
        source: TrafficSource,
    },
}

impl OrderKind {
    /// An order of type Default without extras.
    pub fn plain(link: impl Into<String>, quantity: u64) -> Self {
        Self::Default { link: link.into(), quantity, drip: None, interval_min: None, period_amount: None }
    }

    /// The type of service that delivers it.
    pub const fn service_type(&self) -> ServiceType {
        match self {
            Self::Default { .. } => ServiceType::Default,
            Self::Seo { .. } => ServiceType::Seo,
            Self::CustomComments { .. } => ServiceType::CustomComments,
            Self::MentionsWithHashtags { .. } => ServiceType::MentionsWithHashtags,
            Self::MentionsCustomList { .. } => ServiceType::MentionsCustomList,
            Self::MentionsHashtag { .. } => ServiceType::MentionsHashtag,
            Self::MentionsUserFollowers { .. } => ServiceType::MentionsUserFollowers,
            Self::MentionsMediaLikers { .. } => ServiceType::MentionsMediaLikers,
            Self::Mentions { .. } => ServiceType::Mentions,
            Self::Package { .. } => ServiceType::Package,
            Self::CustomCommentsPackage { .. } | Self::CommentsPerPost { .. } => ServiceType::CustomCommentsPackage,
            Self::CommentLikes { .. } => ServiceType::CommentLikes,
            Self::Poll { .. } => ServiceType::Poll,
            Self::CommentReplies { .. } => ServiceType::CommentReplies,
            Self::InvitesFromGroups { .. } => ServiceType::InvitesFromGroups,
            Self::WebTraffic { .. } => ServiceType::WebTraffic,
        }
    }

    /// Where it is delivered to: a link, or the user whose posts are meant.
    pub fn target(&self) -> &str {
        match self {
            Self::Default { link, .. }
            | Self::Seo { link, .. }
            | Self::CustomComments { link, .. }
            | Self::MentionsWithHashtags { link, .. }
            | Self::MentionsCustomList { link, .. }
            | Self::MentionsHashtag { link, .. }
            | Self::MentionsUserFollowers { link, .. }
            | Self::MentionsMediaLikers { link, .. }
            | Self::Mentions { link, .. }
            | Self::Package { link, .. }
            | Self::CustomCommentsPackage { link, .. }
            | Self::CommentLikes { link, .. }
            | Self::Poll { link, .. }
            | Self::CommentReplies { link, .. }
            | Self::InvitesFromGroups { link, .. }
            | Self::WebTraffic { link, .. } => link,
            Self::CommentsPerPost { username, .. } => username,
        }
    }

    /// The name of the field that holds the target.
    pub const fn target_field(&self) -> &'static str {
        if matches!(self, Self::CommentsPerPost { .. }) { "username" } else { "link" }
    }

    /// How many units are delivered in all: every run of a drip-feed, the most that posts can need.
    pub fn quantity(&self) -> u64 {
        match self {
            Self::Default { quantity, drip, .. } | Self::WebTraffic { quantity, drip, .. } => {
                drip.map_or(*quantity, |drip| quantity.saturating_mul(drip.runs))
            }
            Self::CustomComments { quantity, comments, .. } => quantity.unwrap_or_else(|| count(comments)),
            Self::CommentReplies { comments: list, .. } | Self::MentionsCustomList { usernames: list, .. } => {
                count(list)
            }
            Self::CommentsPerPost { posts, max, .. } => posts.saturating_mul(*max),
            Self::Seo { quantity, .. }
            | Self::MentionsWithHashtags { quantity, .. }
            | Self::MentionsHashtag { quantity, .. }
            | Self::MentionsUserFollowers { quantity, .. }
            | Self::MentionsMediaLikers { quantity, .. }
            | Self::Mentions { quantity, .. }
            | Self::Package { quantity, .. }
            | Self::CustomCommentsPackage { quantity, .. }
            | Self::CommentLikes { quantity, .. }
            | Self::Poll { quantity, .. }
            | Self::InvitesFromGroups { quantity, .. } => *quantity,
        }
    }

    /// What makes the quantity, in words for a customer whose quantity is out of bounds. Bounds hold for the total, as
    /// with SmartPanel.
    pub const fn quantity_words(&self) -> &'static str {
        match self {
            Self::Default { drip: Some(_), .. } | Self::WebTraffic { drip: Some(_), .. } => "`quantity` × `runs`",
            Self::CustomComments { quantity: None, .. }
            | Self::CustomCommentsPackage { .. }
            | Self::CommentReplies { .. } => "the number of `comments`",
            Self::MentionsCustomList { .. } => "the number of `usernames`",
            Self::CommentsPerPost { .. } => "`posts` × `max`",
            _ => "`quantity`",
        }
    }

    /// What a rate is a price for in this order.
    pub const fn basis(&self) -> Basis {
        match self {
            Self::CommentsPerPost { .. } => Basis::PerThousand,
            _ => self.service_type().basis(),
        }
    }

    /// Its runs, if it is delivered in runs.
    pub const fn drip(&self) -> Option<Drip> {
        match self {
            Self::Default { drip, .. } | Self::WebTraffic { drip, .. } => *drip,
            _ => None,
        }
    }
}

fn count(list: &[String]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}
