//! What a run found out, as Markdown that is also read in a terminal.

use crate::{
    load::Measured,
    phases::{Report, Row},
};

/// Everything: where it was made, the table, what was found beside it, and what the columns mean.
pub(crate) fn markdown(report: &Report) -> String {
    let host = &report.host;
    let mut parts = vec![format!(
        "Interline {}, {}, {} ({} cores), {} of memory, Linux {}; {} s for each row after 1 s of warm-up.",
        host.commit, host.date, host.processor, host.cores, host.memory, host.kernel, report.seconds
    )];
    if !report.rows.is_empty() {
        parts.push(calls(&report.rows));
        parts.push(MEANING.to_owned());
    }
    parts.extend(share(report));
    if !report.growth.is_empty() {
        parts.push(growth(report));
    }
    if !report.open.is_empty() {
        parts.push(open(report));
    }
    parts.extend(errors(report));
    parts.join("\n\n")
}

/// What the columns of the table are.
const MEANING: &str = "\
Gateway, upstream, bare handler and load generator are processes of their own on the same cores; each connection sends its next
call when the last one is answered. *Bare* is an axum handler that reads the same form and answers the same bytes from memory.
*Raw commits* are transactions of one changed and one added row, as durable as the gateway's: on SQLite (WAL, synchronous=FULL)
one writer in a loop, on Postgres (fsync on) pgbench with as many clients as there are connections, all on one hot row. The
upstream answers an add at once; orders are not followed meanwhile. Memory is the gateway's at the end of the row, and its peak.";

fn calls(rows: &[Row]) -> String {
    let head = [
        "engine",
        "call",
        "connections",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "bare requests/s",
        "bare p50 ms",
        "of bare",
        "raw commits/s",
        "of raw",
        "memory MiB",
        "peak MiB",
    ];
    let lines = rows.iter().map(|row| {
        let (ours, bare) = (&row.gateway, &row.bare);
        vec![
            row.engine.to_string(),
            row.call.to_owned(),
            row.connections.to_string(),
            rate(ours.per_second),
            millis(ours.p50_ns),
            millis(ours.p99_ns),
            rate(bare.per_second),
            millis(bare.p50_ns),
            percent(ours.per_second, bare.per_second),
            row.commits.map_or_else(String::new, rate),
            row.commits.map_or_else(String::new, |commits| percent(ours.per_second, commits)),
            mib(row.memory.resident_kib),
            mib(row.memory.peak_kib),
        ]
    });
    grid(&head, lines)
}

/// The gateway's own part of an add.
fn share(report: &Report) -> Option<String> {
    let direct = report.direct.as_ref()?;
    Some(format!(
        "The gateway's own share of an add at 1 connection on SQLite: {} ms of {} ms (p50). The rest is what the same client \
         needs for the same call made to the upstream directly, {} ms: the upstream's work and one way over a socket and back.",
        millis(direct.add.p50_ns.saturating_sub(direct.upstream.p50_ns)),
        millis(direct.add.p50_ns),
        millis(direct.upstream.p50_ns)
    ))
}

fn growth(report: &Report) -> String {
    let head = ["engine", "orders before", "add/s, 1 connection", "p50 ms", "p99 ms", "memory MiB"];
    let lines = report.growth.iter().map(|row| {
        vec![
            row.engine.to_string(),
            row.orders.to_string(),
            rate(row.add.per_second),
            millis(row.add.p50_ns),
            millis(row.add.p99_ns),
            mib(row.memory.resident_kib),
        ]
    });
    grid(&head, lines)
}

fn open(report: &Report) -> String {
    let head =
        ["engine", "open orders", "placed/s", "latest while placing, s", "latest in the minute after, s", "memory MiB"];
    let lines = report.open.iter().map(|row| {
        vec![
            row.engine.to_string(),
            row.orders.to_string(),
            rate(row.placed_per_second),
            format!("{:.2}", row.late_placing_s),
            format!("{:.2}", row.late_after_s),
            mib(row.memory.resident_kib),
        ]
    });
    grid(&head, lines)
}

/// Calls that were no success, in every part of the run.
fn errors(report: &Report) -> Vec<String> {
    let of_rows = report.rows.iter().flat_map(|row| {
        let what = format!("{}, {}, {} connections", row.engine, row.call, row.connections);
        [(what.clone(), &row.gateway), (format!("{what}, bare"), &row.bare)]
    });
    let of_growth = report.growth.iter().map(|row| (format!("{}, among {} orders", row.engine, row.orders), &row.add));
    let of_direct = report.direct.iter().map(|direct| ("the upstream directly".to_owned(), &direct.upstream));
    let told = |(what, measured): (String, &Measured)| {
        let error = measured.error.as_deref().unwrap_or_default();
        (measured.errors > 0).then(|| format!("**{} calls were no success** ({what}): `{error}`", measured.errors))
    };
    of_rows.chain(of_growth).chain(of_direct).filter_map(told).collect()
}

/// A table whose columns are as wide as what stands in them.
fn grid(head: &[&str], lines: impl Iterator<Item = Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|title| (*title).to_owned()).collect();
    let mut all = vec![head];
    all.extend(lines);
    let width = |column: usize| all.iter().filter_map(|line| line.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..all[0].len()).map(width).collect();
    let mut text: Vec<String> = all
        .iter()
        .map(|line| {
            let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
            format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
        })
        .collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    text.insert(1, format!("| {} |", rule.join(" | ")));
    text.join("\n")
}

fn rate(per_second: f64) -> String {
    format!("{per_second:.0}")
}

fn percent(part: f64, whole: f64) -> String {
    format!("{:.0} %", 100.0 * part / whole)
}

fn millis(ns: u64) -> String {
    format!("{}.{:03}", ns / 1_000_000, ns / 1_000 % 1_000)
}

fn mib(kib: u64) -> String {
    (kib / 1_024).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let lines = [vec!["a".to_owned(), "1".to_owned()]];
        assert_eq!(grid(&["x", "long"], lines.into_iter()), "| x | long |\n| - | ---- |\n| a | 1    |");
    }

    #[test]
    fn times_are_milliseconds_with_three_decimals() {
        assert_eq!((millis(1_234_567), millis(999)), ("1.234".to_owned(), "0.000".to_owned()));
    }
}
