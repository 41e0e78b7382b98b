//! What may happen very often is told once a second, with how often it was: a flood must not fill the log as well.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The least time between two lines.
const EVERY: Duration = Duration::from_secs(1);

/// Counts what happens between two lines of the log.
pub(crate) struct Often {
    times: AtomicU64,
    told_at: Mutex<Option<Instant>>,
}

impl Often {
    pub(crate) const fn new() -> Self {
        Self { times: AtomicU64::new(0), told_at: Mutex::new(None) }
    }

    /// It happened; how often since it was last told, if it is to be told now.
    pub(crate) fn again(&self) -> Option<u64> {
        self.times.fetch_add(1, Ordering::Relaxed);
        // Whoever finds it locked leaves the telling to the other.
        let mut told_at = self.told_at.try_lock().ok()?;
        if told_at.is_some_and(|at| at.elapsed() < EVERY) {
            return None;
        }
        *told_at = Some(Instant::now());
        Some(self.times.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line() {
        let often = Often::new();
        assert_eq!(often.again(), Some(1));
        assert_eq!((0..1_000).filter_map(|_| often.again()).count(), 0);
        *often.told_at.lock().unwrap() = None;
        assert_eq!(often.again(), Some(1_001));
    }
}
