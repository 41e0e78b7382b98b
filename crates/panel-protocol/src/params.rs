//! The parameters of a call, whichever way they are encoded: a form, a JSON object, the query.
//!
//! Names do not care for case. An empty value is an absent one. Of a name that was sent twice the last value counts, as
//! in PHP, which the panels run on; `name[]`, `name[0]` and a JSON array are lists. What is decoded is decoded once.

use std::fmt;

use interline_domain::Fields;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::refused::Refused;

/// Most values in one body or query; PHP reads no more either.
const PARAMETERS_MAX: usize = 1_000;

const TEXT: &str = "valid UTF-8 text without NUL";
const FLAT: &str = "a text, a number or a list of them";

/// The parameters of one place, in the order they were sent in. They hold the key, so there is no `Debug`.
#[derive(Default)]
pub(crate) struct Params(Vec<Param>);

/// One value of a parameter.
struct Param {
    /// In lower case and without brackets.
    name: String,
    /// Whether it is an item of a list.
    listed: bool,
    /// Trimmed and not empty; or what it should have been. It only matters to a command that reads it.
    value: Result<String, &'static str>,
}

impl Params {
    /// Reads `application/x-www-form-urlencoded` bytes; a `%` that begins no escape stands for itself.
    pub(crate) fn from_form(bytes: &[u8]) -> Result<Self, String> {
        let mut params = Self::default();
        for part in bytes.split(|byte| *byte == b'&') {
            let mut halves = part.splitn(2, |byte| *byte == b'=');
            let name = String::from_utf8(decoded(halves.next().unwrap_or_default()));
            let value = String::from_utf8(decoded(halves.next().unwrap_or_default()));
            // A name that is no text is one that no command reads.
            if let Ok(name) = name {
                params.push(&name, false, value.map_err(|_| TEXT))?;
            }
        }
        Ok(params)
    }

    /// Reads a JSON object.
    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the body is not valid UTF-8".to_owned())?;
        serde_json::from_str(text).map_err(|error| format!("the body cannot be read as JSON: {error}"))
    }

    /// These parameters, and of `weaker` those whose names are not among them.
    pub(crate) fn over(self, weaker: Self) -> Self {
        let mut params = weaker.0;
        params.retain(|param| !self.has(&param.name));
        params.extend(self.0);
        Self(params)
    }

    /// Whether there is a value of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|param| param.name == name)
    }

    /// The one value of that name: the last one, or the whole list, an item a line.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Refused> {
        match self.0.iter().rfind(|param| param.name == name) {
            Some(last) if last.listed => self.lines(name).map(Some),
            Some(last) => last.text().map(|text| Some(text.to_owned())),
            None => Ok(None),
        }
    }

    /// Every value of that name, one a line; empty for none.
    pub(crate) fn lines(&self, name: &str) -> Result<String, Refused> {
        let values = self.0.iter().filter(|param| param.name == name).map(Param::text);
        Ok(values.collect::<Result<Vec<&str>, Refused>>()?.join("\n"))
    }

    /// Every parameter by its name, but those `without`.
    pub(crate) fn fields(&self, without: &[&str]) -> Result<Fields, Refused> {
        let mut fields = Fields::new();
        for Param { name, .. } in &self.0 {
            if without.contains(&name.as_str()) || fields.contains_key(name) {
                continue;
            }
            if let Some(text) = self.text(name)? {
                fields.insert(name.clone(), text);
            }
        }
        Ok(fields)
    }

    /// Every `key` that was sent; `None` for one that is no text.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.iter().filter(|param| param.name == "key").map(|param| param.value.as_deref().ok())
    }

    /// Takes a value in, unless it is empty. `orders[0]` is an item of the list `orders`.
    fn push(&mut self, name: &str, listed: bool, value: Result<String, &'static str>) -> Result<(), String> {
        let value = value.and_then(|text| if text.contains('\0') { Err(TEXT) } else { Ok(text.trim().to_owned()) });
        if value.as_ref().is_ok_and(String::is_empty) {
            return Ok(());
        }
        if self.0.len() == PARAMETERS_MAX {
            return Err(too_many());
        }
        let (name, bracketed) = match name.trim().split_once('[') {
            Some((name, index)) if index.ends_with(']') => (name, true),
            _ => (name.trim(), false),
        };
        self.0.push(Param { name: name.to_ascii_lowercase(), listed: listed || bracketed, value });
        Ok(())
    }

    /// Takes a JSON value in.
    fn push_json(&mut self, name: &str, json: &str) -> Result<(), String> {
        if !json.starts_with('[') {
            return self.push(name, false, scalar(json));
        }
        // Seen before the list is built, so that its size is bounded too.
        if json.split(',').nth(PARAMETERS_MAX).is_some() {
            return Err(too_many());
        }
        let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        items.into_iter().try_for_each(|item| self.push(name, true, scalar(item.get())))
    }
}

impl Param {
    /// The value, or a refusal that names it.
    fn text(&self) -> Result<&str, Refused> {
        self.value.as_deref().map_err(|allowed| {
            // Anything may stand where a name should, a key too; only what looks like a name is repeated.
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            let known = (1..=20).contains(&self.name.len()) && self.name.bytes().all(plain);
            let name = if known { format!("`{}`", self.name) } else { "a parameter".to_owned() };
            Refused::BadRequest(format!("{name} must be {allowed}"))
        })
    }
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// Reads the members of a JSON object in their order.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Params;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Params, A::Error> {
        let mut params = Params::default();
        while let Some((name, value)) = members.next_entry::<String, &'de RawValue>()? {
            params.push_json(&name, value.get()).map_err(A::Error::custom)?;
        }
        Ok(params)
    }
}

/// A JSON value that is no list, as text: a number as it was written, `null` as nothing.
fn scalar(json: &str) -> Result<String, &'static str> {
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str(json).map_err(|_| TEXT),
        Some(b'n') => Ok(String::new()),
        Some(b'{' | b'[') => Err(FLAT),
        _ => Ok(json.to_owned()),
    }
}

fn too_many() -> String {
    format!("there must be at most {PARAMETERS_MAX} parameters")
}

/// The bytes that a part of a form stands for. They are not made text here: what is no UTF-8 must not be mended, or an
/// order would go to another target than the one that was meant.
fn decoded(part: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part;
    while let Some((&first, tail)) = rest.split_first() {
        let escape = match (first, tail) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| ((high << 4) | low, after)),
            _ => None,
        };
        let plain = if first == b'+' { b' ' } else { first };
        let (byte, after) = escape.unwrap_or((plain, tail));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
