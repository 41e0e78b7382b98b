//! The type labels of services.

use serde::{Deserialize, Serialize};

use crate::price::Basis;

/// The type of a service: which parameters its orders take, what their quantity is and what its rate is for
/// (`protocol.md` §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceType {
    /// A link and a quantity.
    Default,
    /// Visits that search for keywords.
    Seo,
    /// Comments that the customer wrote.
    CustomComments,
    /// Mentions of some users, with hashtags.
    MentionsWithHashtags,
    /// Mentions of these users.
    MentionsCustomList,
    /// Mentions of the users of a hashtag.
    MentionsHashtag,
    /// Mentions of somebody's followers.
    MentionsUserFollowers,
    /// Mentions of those who like something.
    MentionsMediaLikers,
    /// Mentions of some users.
    Mentions,
    /// A fixed amount at a flat rate.
    Package,
    /// Comments at a flat rate, or comments on each of somebody's next posts.
    CustomCommentsPackage,
    /// Likes for somebody's comment.
    CommentLikes,
    /// Votes for an answer.
    Poll,
    /// Answers to somebody's comment.
    CommentReplies,
    /// Invitations of the members of groups.
    InvitesFromGroups,
    /// Deliveries to posts to come; not taken by API.
    Subscriptions,
    /// Visits to a page.
    WebTraffic,
}

impl ServiceType {
    /// Every type there is.
    pub const ALL: [Self; 17] = [
        Self::Default,
        Self::Seo,
        Self::CustomComments,
        Self::MentionsWithHashtags,
        Self::MentionsCustomList,
        Self::MentionsHashtag,
        Self::MentionsUserFollowers,
        Self::MentionsMediaLikers,
        Self::Mentions,
        Self::Package,
        Self::CustomCommentsPackage,
        Self::CommentLikes,
        Self::Poll,
        Self::CommentReplies,
        Self::InvitesFromGroups,
        Self::Subscriptions,
        Self::WebTraffic,
    ];

    /// The exact label that panels compare.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Default => "Default",
            Self::Seo => "SEO",
            Self::CustomComments => "Custom Comments",
            Self::MentionsWithHashtags => "Mentions with Hashtags",
            Self::MentionsCustomList => "Mentions Custom List",
            Self::MentionsHashtag => "Mentions Hashtag",
            Self::MentionsUserFollowers => "Mentions User Followers",
            Self::MentionsMediaLikers => "Mentions Media Likers",
            Self::Mentions => "Mentions",
            Self::Package => "Package",
            Self::CustomCommentsPackage => "Custom Comments Package",
            Self::CommentLikes => "Comment Likes",
            Self::Poll => "Poll",
            Self::CommentReplies => "Comment Replies",
            Self::InvitesFromGroups => "Invites from Groups",
            Self::Subscriptions => "Subscriptions",
            Self::WebTraffic => "Web Traffic",
        }
    }

    /// Reads a label as leniently as panel software does: case, spaces, `_` and `-` do not count.
    pub fn from_label(label: &str) -> Option<Self> {
        let plain = |text: &str| -> String {
            text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
        };
        let wanted = plain(label);
        Self::ALL.into_iter().find(|kind| plain(kind.label()) == wanted)
    }

    /// What the rate of such a service is a price for. Of the two forms of a Custom Comments Package this is the one
    /// with `comments`; an order knows its own ([`crate::OrderKind::basis`]).
    pub const fn basis(self) -> Basis {
        match self {
            Self::Package | Self::CustomCommentsPackage => Basis::Flat,
            Self::Default
            | Self::Seo
            | Self::CustomComments
            | Self::MentionsWithHashtags
            | Self::MentionsCustomList
            | Self::MentionsHashtag
            | Self::MentionsUserFollowers
            | Self::MentionsMediaLikers
            | Self::Mentions
            | Self::CommentLikes
            | Self::Poll
            | Self::CommentReplies
            | Self::InvitesFromGroups
            | Self::Subscriptions
            | Self::WebTraffic => Basis::PerThousand,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_leniently() {
        for (label, known) in [
            ("Default", ServiceType::Default),
            (" DEFAULT ", ServiceType::Default),
            ("seo", ServiceType::Seo),
            ("custom_comments", ServiceType::CustomComments),
            ("Custom comments package", ServiceType::CustomCommentsPackage),
            ("mentions-with-hashtags", ServiceType::MentionsWithHashtags),
            ("Invites From Groups", ServiceType::InvitesFromGroups),
        ] {
            assert_eq!(ServiceType::from_label(label), Some(known), "{label}");
        }
        for label in ["Hologram", "", "0", "10", "Comments", "Default 2"] {
            assert_eq!(ServiceType::from_label(label), None, "{label}");
        }
    }

    #[test]
    fn every_type_is_found_by_its_own_label_and_no_two_share_one() {
        for kind in ServiceType::ALL {
            assert_eq!(ServiceType::from_label(kind.label()), Some(kind));
        }
    }
}
