//! Why orders are slow, if they are: an upstream that takes its time, a limit of ours, or the database's disk.

use std::{sync::Arc, time::Duration};

use interline_domain::{Timestamp, UpstreamId};
use interline_store::{Engine, Queued, StoreError, UpstreamSettings};

use super::Finding;
use crate::{catalogue::Upstream, gateway::Gateway};

/// How many of an upstream's last verdicts are looked at, and how far back they may lie.
const VERDICTS_MAX: i64 = 100;
const VERDICTS_SINCE_MS: i64 = 3_600_000;
/// An upstream that takes longer for half of its verdicts is slow: customers' software waits for them.
const VERDICT_SLOW_MS: i64 = 2_000;
/// What waits longer to be sent is held back.
const WAIT_LONG_MS: i64 = 2_000;
/// How many commits are tried.
const COMMITS: usize = 9;
/// A disk on which half of the commits take longer is slow: every order waits for two of them.
const COMMIT_SLOW: Duration = Duration::from_millis(20);

impl Gateway {
    /// Looks at what orders wait for. Without a server (`served`) it is the server that what is queued waits for.
    pub(super) async fn why_slow(
        &self,
        upstreams: &[&Arc<Upstream>],
        served: bool,
    ) -> Result<Vec<Finding>, StoreError> {
        let now = self.now();
        let queued = self.store.queued().await?;
        let mut found = vec![commits(self.store.engine(), self.store.time_commits(COMMITS).await?)];
        for upstream in upstreams {
            let (id, settings) = (&upstream.record.id, &upstream.record.settings);
            found.push(queue(id, settings, queued.get(id), [served, self.health(id).exposed], now));
            let times = self.store.verdict_times(id, now.plus_ms(-VERDICTS_SINCE_MS), VERDICTS_MAX).await?;
            found.push(verdicts(id, times));
        }
        Ok(found)
    }
}

fn commits(engine: Engine, mut times: Vec<Duration>) -> Finding {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let micros = median.as_micros();
    let took = format!("a commit takes {}.{} ms, the median of {}", micros / 1_000, micros % 1_000 / 100, times.len());
    if median <= COMMIT_SLOW {
        return Finding::info("commits", took);
    }
    let (name, advice) = match engine {
        Engine::Sqlite => ("SQLite", "put the file of database.url on a faster disk, one that nobody else keeps busy"),
        Engine::Postgres => {
            ("Postgres", "look at the disk and the load of the server in database.url, and at the way to it")
        }
    };
    Finding::warning("commits", format!("the disk of the database ({name}) is slow: {took}"), advice)
}

/// What waits at an upstream; `served` says whether a server runs, `exposed` whether the upstream's exposure cap is reached.
fn queue(
    id: &UpstreamId,
    settings: &UpstreamSettings,
    queued: Option<&Queued>,
    [served, exposed]: [bool; 2],
    now: Timestamp,
) -> Finding {
    let check = format!("upstream {id} queue");
    let Some(queued) = queued else { return Finding::info(check, "nothing waits to be sent") };
    let waits_ms = now.since(queued.since).max(0);
    let text = format!("{} wait to be sent, the first for {}", queued.count, seconds(waits_ms));
    if waits_ms <= WAIT_LONG_MS {
        return Finding::info(check, text);
    }
    if !served {
        return Finding::warning(check, text, "no server sends them: interline serve");
    }
    if exposed {
        let advice = "decide its unknown submissions, for it takes no new orders: interline review list";
        return Finding::warning(check, text, advice);
    }
    let one_by_one = if settings.parallel_targets {
        ""
    } else {
        "; with parallel_targets = false an order also waits for the one before it on its target"
    };
    let advice = format!(
        "if it allows more, raise requests_per_second ({}), burst ({}) or concurrency ({}) of {id} in the catalogue file and \
         apply it{one_by_one}",
        settings.requests_per_second, settings.burst, settings.concurrency
    );
    Finding::warning(check, format!("{text}: a limit holds them back"), advice)
}

fn verdicts(id: &UpstreamId, mut times_ms: Vec<i64>) -> Finding {
    let check = format!("upstream {id} verdicts");
    times_ms.sort_unstable();
    let Some(median) = times_ms.get(times_ms.len() / 2) else {
        return Finding::info(check, "none within the last hour");
    };
    let text = format!("the median of its last {} took {}", times_ms.len(), seconds(*median));
    if *median <= VERDICT_SLOW_MS {
        return Finding::info(check, text);
    }
    let advice = format!("ask {id} why; meanwhile another upstream can be offered for its services, or {id} disabled");
    Finding::warning(check, format!("it is slow: {text}"), advice)
}

fn seconds(ms: i64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkup::Level;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn alpha() -> UpstreamId {
        "alpha".parse().unwrap()
    }

    #[test]
    fn half_of_the_commits_decide_about_the_disk() {
        let ms = |all: &[u64]| all.iter().copied().map(Duration::from_millis).collect::<Vec<_>>();
        let fast = commits(Engine::Sqlite, ms(&[90, 2, 3, 1, 90]));
        assert_eq!((fast.level, fast.advice), (Level::Info, None));
        for (engine, name) in [(Engine::Sqlite, "SQLite"), (Engine::Postgres, "Postgres")] {
            let slow = commits(engine, ms(&[1, 21, 80]));
            assert_eq!(slow.level, Level::Warning);
            assert!(slow.text.contains(name) && slow.text.contains("21.0 ms"), "{}", slow.text);
            assert!(slow.advice.unwrap().contains("database.url"));
        }
    }

    #[test]
    fn what_waits_is_held_by_a_limit_unless_nobody_sends() {
        let settings = UpstreamSettings { requests_per_second: 1, burst: 7, ..UpstreamSettings::default() };
        let waiting = |ms: i64| Queued { count: 12, since: NOW.plus_ms(-ms) };
        let found = |queued: Option<&Queued>, held| queue(&alpha(), &settings, queued, held, NOW);
        assert_eq!(found(None, [true, false]).level, Level::Info);
        assert_eq!(found(Some(&waiting(2_000)), [true, false]).level, Level::Info);
        // One that the upstream asked to come back later is not late yet.
        assert_eq!(found(Some(&waiting(-5_000)), [true, false]).level, Level::Info);
        for (held, advice) in [
            ([true, false], "requests_per_second (1), burst (7) or concurrency"),
            ([false, false], "interline serve"),
            ([true, true], "review list"),
        ] {
            let late = found(Some(&waiting(3_250)), held);
            assert_eq!((late.level, late.check.as_str()), (Level::Warning, "upstream alpha queue"));
            assert!(late.text.contains("12 wait") && late.text.contains("3.2 s"), "{}", late.text);
            assert!(late.advice.unwrap().contains(advice), "{held:?}");
        }
    }

    #[test]
    fn half_of_the_verdicts_decide_about_an_upstream() {
        assert_eq!(verdicts(&alpha(), Vec::new()).level, Level::Info);
        assert_eq!(verdicts(&alpha(), vec![9_000, 10, 20]).level, Level::Info);
        let slow = verdicts(&alpha(), vec![2_600, 10, 2_500]);
        assert_eq!((slow.level, slow.check.as_str()), (Level::Warning, "upstream alpha verdicts"));
        assert!(slow.text.contains("2.5 s") && slow.advice.unwrap().contains("alpha"), "{}", slow.text);
    }
}
