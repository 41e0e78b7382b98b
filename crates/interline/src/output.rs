//! What commands print: one JSON document, or tables and lines for people; and how they read times and amounts.

use std::io::Write as _;

use anyhow::Context as _;
use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use interline_domain::{Micros, Timestamp};
use serde_json::Value;

/// The command line asks for something that cannot be: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Prints one line on stdout. A reader that has gone away (`| head`) is no failure of ours.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("stdout"),
        _ => Ok(()),
    }
}

/// Prints a JSON document.
pub(crate) fn json(value: &Value) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Prints an array as a table of the named columns; an absent value is empty.
pub(crate) fn table(rows: &[Value], columns: &[&str]) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns);
    for row in rows {
        table.add_row(columns.iter().map(|column| cell(&row[*column])));
    }
    line(&table.to_string())
}

/// Prints a list either way.
pub(crate) fn list(rows: Vec<Value>, columns: &[&str], as_json: bool) -> anyhow::Result<()> {
    if as_json { json(&Value::Array(rows)) } else { table(&rows, columns) }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// RFC 3339 in UTC, always to the millisecond, so that times sort as texts do.
pub(crate) fn time(at: Timestamp) -> String {
    let written = |t: jiff::Timestamp| t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    jiff::Timestamp::from_millisecond(at.millis()).map_or_else(|_| at.millis().to_string(), written)
}

/// `YYYY-MM-DD` (midnight UTC) or RFC 3339.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, Usage> {
    let wrong = || Usage(format!("`{text}` is not a time such as 2026-11-21 or 2026-11-21T09:30:00Z"));
    let full = if text.len() == "2026-11-21".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let parsed: jiff::Timestamp = full.parse().map_err(|_| wrong())?;
    Ok(Timestamp::from_millis(parsed.as_millisecond()))
}

/// From the beginning of time, or `--from`, to its end, or `--to`.
pub(crate) fn span(from: Option<&str>, to: Option<&str>) -> Result<(Timestamp, Timestamp), Usage> {
    let (from, to) = (from.map(parse_time).transpose()?, to.map(parse_time).transpose()?);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(Usage("--from must not be after --to".to_owned()));
    }
    Ok((from.unwrap_or(Timestamp::from_millis(0)), to.unwrap_or(Timestamp::from_millis(i64::MAX))))
}

/// A positive amount of money.
pub(crate) fn parse_amount(text: &str) -> Result<Micros, Usage> {
    let amount: Micros = text.parse().map_err(|e: interline_domain::MoneyError| Usage(e.to_string()))?;
    if amount > Micros::ZERO { Ok(amount) } else { Err(Usage(format!("the amount must be positive, not {text}"))) }
}

/// An id, or what is wrong with it.
pub(crate) fn parse_id<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Usage> {
    text.parse().map_err(|e: T::Err| Usage(e.to_string()))
}

/// A reference: one line that makes a payment this payment and no other.
pub(crate) fn check_reference(text: &str) -> Result<&str, Usage> {
    let good = !text.trim().is_empty() && text.len() <= 128 && !text.chars().any(char::is_control);
    if good { Ok(text) } else { Err(Usage("--reference must be one line of 1 to 128 bytes".to_owned())) }
}
