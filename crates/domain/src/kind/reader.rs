//! Typed values out of the texts of an order. Every text has a bound, and every refusal names its field and the bound.

use std::ops::RangeInclusive;

use super::{FieldError, Fields, LIST_BYTES_MAX, LIST_LINES_MAX, TEXT_BYTES_MAX};

/// What divides a list.
pub(super) const LINES: &[char] = &['\r', '\n'];
/// What divides keywords (`seeds/panel-api-v2.txt`, SEO).
pub(super) const LINES_AND_COMMAS: &[char] = &['\r', '\n', ','];

/// The fields of an order, to be read by their names on the wire.
pub(super) struct Reader<'a>(pub(super) &'a Fields);

impl<'a> Reader<'a> {
    /// What was sent; an empty value is an absent one.
    fn sent(&self, field: &str) -> Option<&'a str> {
        self.0.get(&field.to_ascii_lowercase()).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether it was sent.
    pub(super) fn has(&self, field: &str) -> bool {
        self.sent(field).is_some()
    }

    /// Of two names of one parameter the one that was sent, else the first.
    pub(super) fn name_of(&self, usual: &'static str, other: &'static str) -> &'static str {
        if !self.has(usual) && self.has(other) { other } else { usual }
    }

    /// One line.
    pub(super) fn text(&self, field: &'static str) -> Result<String, FieldError> {
        self.optional_text(field)?.ok_or(FieldError::Missing(field))
    }

    /// One line, if it was sent.
    pub(super) fn optional_text(&self, field: &'static str) -> Result<Option<String>, FieldError> {
        let Some(text) = self.sent(field) else { return Ok(None) };
        if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
            let allowed = format!("one line of at most {TEXT_BYTES_MAX} bytes without control characters");
            return Err(FieldError::Malformed { field, allowed });
        }
        Ok(Some(text.to_owned()))
    }

    /// A whole number within `bounds`.
    pub(super) fn whole(&self, field: &'static str, bounds: RangeInclusive<u64>) -> Result<u64, FieldError> {
        self.optional_whole(field, bounds)?.ok_or(FieldError::Missing(field))
    }

    /// A whole number within `bounds`, if it was sent.
    pub(super) fn optional_whole(
        &self,
        field: &'static str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, FieldError> {
        let Some(text) = self.sent(field) else { return Ok(None) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u64>().ok().filter(|number| digits && bounds.contains(number));
        number.map(Some).ok_or_else(|| {
            let allowed = format!("a whole number from {} to {}", bounds.start(), bounds.end());
            FieldError::Malformed { field, allowed }
        })
    }

    /// A whole number of at most `max`, if it was sent; 0 is how panel software writes "none".
    pub(super) fn above_zero(&self, field: &'static str, max: u64) -> Result<Option<u64>, FieldError> {
        Ok(self.optional_whole(field, 0..=max)?.filter(|number| *number > 0))
    }

    /// A list: its trimmed items without the empty ones, at least one.
    pub(super) fn list(&self, field: &'static str, divided_by: &[char]) -> Result<Vec<String>, FieldError> {
        let list = self.optional_list(field, divided_by)?;
        if list.is_empty() { Err(FieldError::Missing(field)) } else { Ok(list) }
    }

    /// A list that may be empty.
    pub(super) fn optional_list(&self, field: &'static str, divided_by: &[char]) -> Result<Vec<String>, FieldError> {
        let text = self.sent(field).unwrap_or_default();
        let items = text.split(divided_by).map(str::trim).filter(|item| !item.is_empty());
        // One more than is taken, so that a list that is too long is seen and never built.
        let list: Vec<&str> = items.take(LIST_LINES_MAX + 1).collect();
        let plain = list.iter().all(|item| item.chars().all(|c| c == '\t' || !c.is_control()));
        if text.len() > LIST_BYTES_MAX || list.len() > LIST_LINES_MAX || !plain {
            let allowed =
                format!("at most {LIST_LINES_MAX} lines and {LIST_BYTES_MAX} bytes in all, without control characters");
            return Err(FieldError::Malformed { field, allowed });
        }
        Ok(list.into_iter().map(str::to_owned).collect())
    }

    /// A day, if it was sent, as YYYY-MM-DD; day first when it is written with slashes (`protocol.md`, trap 23).
    pub(super) fn optional_date(&self, field: &'static str) -> Result<Option<String>, FieldError> {
        let Some(text) = self.sent(field) else { return Ok(None) };
        iso_date(text).map(Some).ok_or_else(|| {
            let allowed = "a date such as 2030-12-31 or 31/12/2030".to_owned();
            FieldError::Malformed { field, allowed }
        })
    }
}

fn iso_date(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(['-', '/']).collect();
    let (year, month, day) = match parts[..] {
        [year, month, day] if !text.contains('/') => (year, month, day),
        [day, month, year] if !text.contains('-') => (year, month, day),
        _ => return None,
    };
    let number = |part: &str, digits: RangeInclusive<usize>| {
        let plain = digits.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u32>().ok().filter(|_| plain)
    };
    let (year, month, day) = (number(year, 4..=4)?, number(month, 1..=2)?, number(day, 1..=2)?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_both_spellings() {
        for (text, date) in [
            ("2030-12-31", Some("2030-12-31")),
            ("31/12/2030", Some("2030-12-31")),
            ("1/2/2028", Some("2028-02-01")),
            ("29/02/2028", Some("2028-02-29")),
            ("2030-02-29", None),
            ("2100-02-29", None),
            ("12/31/2030", None),
            ("30-12-31", None),
            ("2030-12/31", None),
            ("2030-00-10", None),
            ("2030-01-00", None),
            ("2030-1-1-1", None),
            ("tomorrow", None),
            ("2030-+1-01", None),
        ] {
            assert_eq!(iso_date(text).as_deref(), date, "{text}");
        }
    }

    #[test]
    fn a_list_is_bounded_in_lines_and_in_bytes() {
        let read = |text: String| {
            let fields = Fields::from([("comments".to_owned(), text)]);
            Reader(&fields).list("comments", LINES).map(|list| list.len())
        };
        assert_eq!(read("x\n".repeat(LIST_LINES_MAX)), Ok(LIST_LINES_MAX));
        let too_much = Err(FieldError::Malformed {
            field: "comments",
            allowed: "at most 10000 lines and 2097152 bytes in all, without control characters".to_owned(),
        });
        assert_eq!(read("x\n".repeat(LIST_LINES_MAX + 1)), too_much);
        assert_eq!(read("x".repeat(LIST_BYTES_MAX)), Ok(1));
        assert_eq!(read("x".repeat(LIST_BYTES_MAX + 1)), too_much);
        assert_eq!(read("a\u{7}".to_owned()), too_much);
        assert_eq!(read("a\tb\r\n \r\nc\rd".to_owned()), Ok(3));
        assert_eq!(read("\r\n \n".to_owned()), Err(FieldError::Missing("comments")));
    }
}
