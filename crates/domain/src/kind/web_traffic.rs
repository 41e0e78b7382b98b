//! The parameters that only Web Traffic has, with the numbers that they have on the wire.

use serde::{Deserialize, Serialize};

/// What the visitors use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Device {
    /// `1`
    Desktop,
    /// `2`
    Android,
    /// `3`
    Ios,
    /// `4`: Android and iOS.
    MixedMobile,
    /// `5`: anything.
    Mixed,
}

impl Device {
    /// Every device, in the order of its numbers.
    pub const ALL: [Self; 5] = [Self::Desktop, Self::Android, Self::Ios, Self::MixedMobile, Self::Mixed];

    /// The value of `device`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Desktop => "1",
            Self::Android => "2",
            Self::Ios => "3",
            Self::MixedMobile => "4",
            Self::Mixed => "5",
        }
    }
}

/// Where the visitors seem to come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrafficSource {
    /// `1`: a search for this.
    GoogleKeyword(String),
    /// `2`: a link on this page.
    Referrer(String),
    /// `3`: nowhere.
    Blank,
}

impl TrafficSource {
    /// The value of `type_of_traffic`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::GoogleKeyword(_) => "1",
            Self::Referrer(_) => "2",
            Self::Blank => "3",
        }
    }
}
