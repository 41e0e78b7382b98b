//! The dialects of the panel faces: which one a call is answered in, and what differs between them.

use crate::{
    body, classic,
    refused::{ANSWERED, Refused},
    reply::{Encoded, Reply, ServiceLine},
    seed, streamrise,
};

/// How answers are written. Calls are read alike in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `seeds/panel-api-v2.txt` to the letter, with HTTP codes.
    Seed,
    /// As most panels speak: numeric service ids, `"cancel": 1`, HTTP 200 for refusals too.
    Classic,
    /// The PerfectPanel part of `seeds/streamrise-api.txt`, at `/perfectPanel`: always HTTP 200.
    Streamrise,
}

impl Dialect {
    /// The dialect of that name, of those that `/api/v2` can be told to speak.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "seed" => Some(Self::Seed),
            "classic" => Some(Self::Classic),
            _ => None,
        }
    }

    /// How many places an amount has at least.
    const fn places_min(self) -> usize {
        match self {
            Self::Seed | Self::Classic => 0,
            Self::Streamrise => streamrise::PLACES_MIN,
        }
    }
}

/// Whether refusals come with their HTTP codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpStatus {
    /// As the dialect has it.
    Auto,
    /// With codes. `/perfectPanel` has none: its clients know of 200 only.
    Codes,
    /// With 200.
    Always200,
}

/// Writes an answer.
pub fn encode(reply: &Reply, dialect: Dialect, http_status: HttpStatus) -> Encoded {
    let places_min = dialect.places_min();
    let body = match reply {
        Reply::Services(list) => list.to_vec(),
        Reply::Balance(money) => body::balance(money, places_min),
        Reply::Added(order) => body::added(*order),
        Reply::Status(line) => body::status(line, places_min),
        Reply::StatusMany(lines) => body::statuses(lines, places_min),
        Reply::Refilled(refill) => body::refilled(*refill),
        Reply::RefilledMany(orders) => body::refills(orders),
        Reply::RefillStatus(status) => body::refill_status(*status),
        Reply::RefillStatusMany(refills) => body::refill_statuses(refills),
        Reply::Canceled => body::canceled(),
        Reply::CanceledMany(orders) => match dialect {
            Dialect::Seed => seed::canceled(orders),
            Dialect::Classic | Dialect::Streamrise => classic::canceled(orders),
        },
        Reply::Refused(refused) => return refuse(refused, has_codes(dialect, http_status)),
    };
    Encoded { status: ANSWERED, retry_after_s: None, body }
}

/// Writes the list of services, the body of [`Reply::Services`].
pub fn encode_services(lines: &[ServiceLine], dialect: Dialect) -> Vec<u8> {
    match dialect {
        Dialect::Seed => seed::services(lines),
        Dialect::Classic => classic::services(lines),
        Dialect::Streamrise => streamrise::services(lines),
    }
}

const fn has_codes(dialect: Dialect, http_status: HttpStatus) -> bool {
    match (dialect, http_status) {
        (Dialect::Streamrise, _) | (_, HttpStatus::Always200) | (Dialect::Classic, HttpStatus::Auto) => false,
        (Dialect::Seed | Dialect::Classic, HttpStatus::Codes) | (Dialect::Seed, HttpStatus::Auto) => true,
    }
}

fn refuse(refused: &Refused, has_codes: bool) -> Encoded {
    let bare = refused.is_bare();
    Encoded {
        // Where only the code is said, it is said in every dialect: an empty 200 would say nothing at all.
        status: if has_codes || bare { refused.status() } else { ANSWERED },
        retry_after_s: refused.retry_after_s(),
        body: if bare { Vec::new() } else { body::error(refused) },
    }
}

#[cfg(test)]
#[path = "dialect_tests.rs"]
mod tests;
