//! A call as it came in: where its key and its parameters may stand.

use std::fmt;

use subtle::ConstantTimeEq as _;

use crate::{
    command::{self, Command},
    params::Params,
    refused::Refused,
};

/// The parts of an HTTP request that a panel call may be written in. They carry the key, so there is no `Debug`.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// The `Content-Type` header.
    pub content_type: Option<&'a str>,
    /// The query as it was sent, without `?`.
    pub query: &'a str,
    /// The body, already bounded; empty for none.
    pub body: &'a [u8],
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `Cookie` headers as they were sent, joined by `; `; empty where a cookie does not count.
    pub cookies: &'a str,
}

/// The key of a call. It stands in the body, the query, `Authorization: Bearer` or the cookie `key`; an empty one is
/// none.
#[derive(Clone, PartialEq, Eq)]
pub enum Key {
    /// There is none.
    Absent,
    /// The one that was sent, in one place or more.
    One(String),
    /// Two different ones, or one that is no text: a 401.
    Conflict,
}

impl fmt::Debug for Key {
    /// Names the case; the key itself is never shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::One(_) => "One(…)",
            Self::Conflict => "Conflict",
        })
    }
}

/// What was understood of a call.
#[derive(Debug)]
pub struct Parsed {
    /// Who calls; to be checked first.
    pub key: Key,
    /// What is asked for, or what is wrong with the question.
    pub command: Result<Command, Refused>,
    /// Whether it asks how something stands, which may be seen where the rest could not be read; decides how a passing
    /// fault is said ([`Refused::said_to`]).
    pub asks_status: bool,
    /// Whether the body or the query could not be read at all. A key in it could not either, so when `key` is
    /// [`Key::Absent`] the refusal in `command` says more than "Invalid API key".
    pub unreadable: bool,
}

/// Reads a call. Parameters stand in the body, a form or a JSON object, and in the query; the body wins.
///
/// Whether a body is JSON is seen from its first character, because clients send JSON as a form and forms as JSON; the
/// content type only decides about multipart bodies, which are refused with a text that says what to send.
pub fn parse(incoming: &Incoming<'_>) -> Parsed {
    let body = read_body(incoming);
    let query = Params::from_form(incoming.query.as_bytes());
    let headers = bearer(incoming.authorization).into_iter().chain(cookie_keys(incoming.cookies));
    let headers = headers.filter(|key| !key.is_empty()).map(Some);
    let key = only(body.iter().chain(query.iter()).flat_map(Params::keys).chain(headers));
    let fault = body.as_ref().err().or(query.as_ref().err()).cloned();
    let params = body.unwrap_or_default().over(query.unwrap_or_default());
    let (asks_status, unreadable) = (command::asks_status(&params), fault.is_some());
    let command = fault.map_or_else(|| command::read(&params), |text| Err(Refused::BadRequest(text)));
    Parsed { key, command, asks_status, unreadable }
}

/// The parameters in the body, or why it cannot be read.
fn read_body(incoming: &Incoming<'_>) -> Result<Params, String> {
    let body = incoming.body.trim_ascii();
    match body.first() {
        // A form cannot begin so: no parameter has such a name.
        Some(b'{' | b'[') => Params::from_json(body),
        Some(_) if is_multipart(incoming.content_type) => {
            Err("multipart bodies are not read: send application/x-www-form-urlencoded or application/json".to_owned())
        }
        _ => Params::from_form(body),
    }
}

fn is_multipart(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|text| text.trim_start().to_ascii_lowercase().starts_with("multipart/"))
}

/// The token of a bearer header.
fn bearer(authorization: Option<&str>) -> Option<&str> {
    let (scheme, token) = authorization?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The values of every cookie `key`.
fn cookie_keys(cookies: &str) -> impl Iterator<Item = &str> {
    let pairs = cookies.split(';').filter_map(|cookie| cookie.split_once('='));
    pairs.filter(|(name, _)| name.trim() == "key").map(|(_, value)| value.trim())
}

/// The one key among all that were sent; `None` stands for one that is no text.
fn only<'a>(sent: impl Iterator<Item = Option<&'a str>>) -> Key {
    let mut found: Option<&str> = None;
    for key in sent {
        match (key, found) {
            (None, _) => return Key::Conflict,
            // In constant time: one of them may be good, and how far another agrees with it is not to be measured.
            (Some(key), Some(other)) if !bool::from(key.as_bytes().ct_eq(other.as_bytes())) => return Key::Conflict,
            (Some(key), _) => found = Some(key),
        }
    }
    found.map_or(Key::Absent, |key| Key::One(key.to_owned()))
}

#[cfg(test)]
#[path = "incoming_tests.rs"]
mod tests;
