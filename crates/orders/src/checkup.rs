//! Looking for what is wrong, and changing nothing of it: the database, the clocks, what orders wait for, every upstream,
//! what waits for a person.

mod slow;

use std::collections::BTreeMap;

use futures_util::future::join_all;
use interline_domain::{Currency, Micros, Money, Timestamp, UpstreamId};
use interline_ledger::{
    Extremes, Verdict,
    band::{judge, unread_slack},
};
use interline_store::{CaseRow, Checkup, Engine, StoreError, UpstreamBookLine};
use interline_upstream::{Answer, Call};

use crate::{catalogue::Upstream, gateway::Gateway, health::UpstreamHealth, remote::describe};

/// A server says that it lives every second; one that was silent for so long is gone.
const SILENT_MS: i64 = 5_000;
/// How far clocks may be apart before leases suffer.
const CLOCKS_APART_MAX_MS: i64 = 2_000;
/// A catalogue that was not read for so many of its intervals is no longer being read.
const INTERVALS_MAX: i64 = 3;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// It works, but somebody should look at it.
    Warning,
    /// Something does not work until somebody does something.
    Error,
}

impl Level {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: String,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// What to do about it, if anything.
    pub advice: Option<String>,
}

impl Finding {
    /// Something that is as it should be.
    pub fn info(check: impl Into<String>, text: impl Into<String>) -> Self {
        Self { check: check.into(), level: Level::Info, text: text.into(), advice: None }
    }

    /// Something that somebody should look at.
    pub fn warning(check: impl Into<String>, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warning, advice: Some(advice.into()), ..Self::info(check, text) }
    }

    /// Something that does not work.
    pub fn error(check: impl Into<String>, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Error, advice: Some(advice.into()), ..Self::info(check, text) }
    }
}

impl Gateway {
    /// Looks at everything, and asks every enabled upstream for its balance, or for its catalogue where it tells none.
    pub async fn checkup(&self) -> Result<Vec<Finding>, StoreError> {
        let asked_at = self.now();
        let database = self.store.checkup().await?;
        let now = self.now();
        let mut found =
            vec![durability(self.store.engine(), &database), server(&database, now), clocks(&database, asked_at, now)];
        let catalogue = self.catalogue();
        let upstreams: Vec<_> = catalogue.upstreams().filter(|u| u.record.enabled).collect();
        if upstreams.is_empty() {
            let advice = "list some in a catalogue file, then: interline apply FILE";
            found.push(Finding::warning("upstreams", "none is enabled: no order can be taken", advice));
        }
        let served = database.last_seen.is_some_and(|seen| now.since(seen) <= SILENT_MS);
        found.extend(self.why_slow(&upstreams, served).await?);
        for of_one in join_all(upstreams.into_iter().map(|u| self.check_upstream(u))).await {
            found.extend(of_one?);
        }
        found.push(cases(&self.store.cases(false).await?));
        Ok(found)
    }

    async fn check_upstream(&self, upstream: &Upstream) -> Result<Vec<Finding>, StoreError> {
        let id = &upstream.record.id;
        let mut found = Vec::new();
        if let Err(text) = self.endpoint(upstream) {
            let advice = "give this process what the catalogue file names, or change `key` there and apply it";
            found.push(Finding::error(format!("upstream {id} key"), text, advice));
        } else if upstream.tells_balance() {
            let before = self.books(id).await?;
            match self.ask_balance(upstream).await {
                Ok(reading) => {
                    let slack = unread_slack(self.store.unread_reserves(id).await?, self.settings().charge_factor_max);
                    let books = [before, self.books(id).await?];
                    found.push(balance(upstream, reading, books, slack));
                }
                Err(text) => found.push(silent(id, text)),
            }
        } else {
            found.push(match self.answers(upstream).await {
                Ok(()) => {
                    let text = "its protocol tells none: what is spent there beside us is not seen";
                    Finding::info(format!("upstream {id} balance"), text)
                }
                Err(text) => silent(id, text),
            });
        }
        found.push(self.catalogue_age(upstream));
        found.push(exposure(id, upstream.record.currency, &self.health(id)));
        Ok(found)
    }

    /// Whether an upstream answers at all, or what is wrong.
    async fn answers(&self, upstream: &Upstream) -> Result<(), String> {
        match self.ask(upstream, &Call::Catalogue).await? {
            Answer::Catalogue(_) => Ok(()),
            Answer::Fault(fault) => Err(describe(&fault)),
            _ => Err("the answer was no catalogue".to_owned()),
        }
    }

    async fn books(&self, upstream: &UpstreamId) -> Result<UpstreamBookLine, StoreError> {
        Ok(self.store.upstream_books().await?.get(upstream).copied().unwrap_or_default())
    }

    fn catalogue_age(&self, upstream: &Upstream) -> Finding {
        let (id, state, settings) = (&upstream.record.id, &upstream.state, self.settings());
        let check = format!("upstream {id} catalogue");
        let advice = format!("run: interline upstream sync {id}");
        let fault = state.catalogue_fault.as_ref().map_or_else(String::new, |fault| format!("; the last try: {fault}"));
        let Some(read_at) = state.catalogue_at else {
            return Finding::error(check, format!("it was never read, so no order goes there{fault}"), advice);
        };
        let age_ms = self.now().since(read_at);
        let text = format!("it was read {} s ago{fault}", age_ms / 1_000);
        if age_ms > settings.policy.price_max_age_ms {
            Finding::error(check, format!("{text}: its prices are too old to sell by"), advice)
        } else if age_ms > settings.catalogue_ms.saturating_mul(INTERVALS_MAX) || !fault.is_empty() {
            Finding::warning(check, text, advice)
        } else {
            Finding::info(check, text)
        }
    }
}

fn durability(engine: Engine, database: &Checkup) -> Finding {
    let name = match engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "Postgres",
    };
    let settings: Vec<String> = database.durability.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = format!("{name}, schema version {}, {}", database.schema_version, settings.join(", "));
    if database.durability.iter().any(|(_, value)| value == "off") {
        let advice = "set fsync, full_page_writes and synchronous_commit to on: a power cut must lose nothing";
        Finding::warning("database", text, advice)
    } else {
        Finding::info("database", text)
    }
}

fn server(database: &Checkup, now: Timestamp) -> Finding {
    let text = match database.last_seen {
        Some(seen) if now.since(seen) <= SILENT_MS => "one runs on this database".to_owned(),
        Some(seen) => format!("none runs; the last one was seen {} s ago", now.since(seen) / 1_000),
        None => "none ever ran on this database".to_owned(),
    };
    Finding::info("server", text)
}

/// Our clock against the database's, which was read between `asked_at` and `now`, and against what was written before.
fn clocks(database: &Checkup, asked_at: Timestamp, now: Timestamp) -> Finding {
    let newest = database.last_seen.max(database.last_event_at);
    let back_ms = newest.map_or(0, |newest| newest.since(now));
    let apart_ms = asked_at.since(database.clock).max(database.clock.since(now)).max(0);
    if back_ms > CLOCKS_APART_MAX_MS {
        let text = format!("it is {} s behind what was written last: it was set back", back_ms / 1_000);
        Finding::error("clock", text, "set it right before serving: leases and deadlines count by it")
    } else if apart_ms > CLOCKS_APART_MAX_MS {
        let text = format!("it and the database's are {} s apart", apart_ms / 1_000);
        Finding::error("clock", text, "let NTP set both: leases count by them")
    } else {
        Finding::info("clock", format!("{apart_ms} ms from the database's"))
    }
}

/// An upstream that did not answer, or not readably.
fn silent(id: &UpstreamId, text: String) -> Finding {
    let advice = format!("check its `url` and `key`, and whether it is up: interline upstream sync {id}");
    Finding::error(format!("upstream {id} answer"), text, advice)
}

/// A balance that was read between the first and the second look at the books.
fn balance(upstream: &Upstream, reading: Micros, books: [UpstreamBookLine; 2], slack: Micros) -> Finding {
    let record = &upstream.record;
    let (id, check) = (&record.id, format!("upstream {} balance", record.id));
    let shown = |amount: Micros| Money::new(amount, record.currency).to_string();
    let topup = |amount: Micros| format!("book what was paid in: interline upstream topup {id} {amount} --reference R");
    let [before, after] = books;
    if upstream.state.reading.is_none() && after.total().is_zero() && !reading.is_zero() {
        let text = format!("it holds {}, and nothing is booked there", shown(reading));
        return Finding::warning(check, text, topup(reading));
    }
    let unclaimed = |line: &UpstreamBookLine| line.book + line.committed + line.disputed;
    let extremes = Extremes {
        upstream_min: before.book.min(after.book),
        total_max: before.total().max(after.total()),
        unclaimed_max: unclaimed(&before).max(unclaimed(&after)),
    };
    match judge(reading, &extremes, record.settings.drift_allowance, slack) {
        Verdict::InBand => Finding::info(check, format!("{}, as the books explain", shown(reading))),
        Verdict::Below { by } => {
            let text = format!("it holds {}: {} less than the books explain", shown(reading), shown(by));
            let advice = "find out what was spent there beside us; if it stays, a case opens: interline review list";
            Finding::error(check, text, advice)
        }
        Verdict::Above { by } => {
            let text = format!("it holds {}: {} more than the books explain", shown(reading), shown(by));
            Finding::warning(check, text, topup(by))
        }
    }
}

fn exposure(id: &UpstreamId, currency: Currency, health: &UpstreamHealth) -> Finding {
    let check = format!("upstream {id} exposure");
    let unknown =
        format!("{} unknown submissions over {}", health.exposure.count, Money::new(health.exposure.money, currency));
    let advice = "interline review list";
    if health.exposed {
        Finding::error(check, format!("{unknown}: it takes no new orders"), format!("decide them: {advice}"))
    } else if health.available <= Micros::ZERO {
        let advice = format!("pay in there, then: interline upstream topup {id} AMOUNT --reference R");
        Finding::warning(check, format!("nothing can be spent there: it takes no orders; {unknown}"), advice)
    } else if health.exposure.count > 0 {
        Finding::warning(check, unknown, format!("they may need a person: {advice}"))
    } else {
        Finding::info(check, format!("{unknown}; {} can be spent", Money::new(health.available, currency)))
    }
}

fn cases(open: &[CaseRow]) -> Finding {
    let mut sums: BTreeMap<Currency, Micros> = BTreeMap::new();
    for (amount, currency) in open.iter().filter_map(|case| case.amount.zip(case.currency)) {
        let sum = sums.entry(currency).or_default();
        *sum = *sum + amount;
    }
    let sums: Vec<String> = sums.into_iter().map(|(currency, sum)| Money::new(sum, currency).to_string()).collect();
    if open.is_empty() {
        return Finding::info("cases", "none is open");
    }
    let money = if sums.is_empty() { "no money".to_owned() } else { sums.join(", ") };
    Finding::warning("cases", format!("{} open, over {money}", open.len()), "decide them: interline review list")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn database(clock: Timestamp, last_seen: Option<Timestamp>) -> Checkup {
        let durability = vec![("journal_mode", "wal".to_owned()), ("synchronous", "full".to_owned())];
        Checkup { durability, schema_version: 1, clock, last_seen, last_event_at: None }
    }

    #[test]
    fn a_clock_that_was_set_back_or_runs_apart_is_an_error() {
        let level = |clock_ms, seen_ms| {
            clocks(&database(NOW.plus_ms(clock_ms), Some(NOW.plus_ms(seen_ms))), NOW.plus_ms(-10), NOW).level
        };
        for (clock_ms, seen_ms, expected) in [
            (-5, -1_000, Level::Info),
            (2_000, -1_000, Level::Info),
            (2_001, -1_000, Level::Error),
            (-2_011, -1_000, Level::Error),
            (-5, 2_000, Level::Info),
            (-5, 2_001, Level::Error),
        ] {
            assert_eq!(level(clock_ms, seen_ms), expected, "{clock_ms} {seen_ms}");
        }
    }

    #[test]
    fn a_server_that_was_seen_lately_runs() {
        assert!(server(&database(NOW, Some(NOW.plus_ms(-1_500))), NOW).text.starts_with("one runs"));
        assert!(server(&database(NOW, Some(NOW.plus_ms(-60_000))), NOW).text.contains("60 s ago"));
        assert!(server(&database(NOW, None), NOW).text.contains("ever"));
    }

    #[test]
    fn settings_that_forget_are_named() {
        let mut weak = database(NOW, None);
        assert_eq!(durability(Engine::Sqlite, &weak).level, Level::Info);
        weak.durability = vec![("fsync", "off".to_owned())];
        let found = durability(Engine::Postgres, &weak);
        assert_eq!(found.level, Level::Warning);
        assert!(found.text.contains("fsync=off") && found.advice.is_some());
    }
}
