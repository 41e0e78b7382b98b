//! What is measured of the writer and of what is kept in memory.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

/// Counts what a cache in memory answered, and what it could not.
#[derive(Clone)]
pub struct CacheMeter {
    hit: Counter,
    miss: Counter,
}

impl CacheMeter {
    /// Counts under the name of that cache. What it counts is lost when no exporter was installed before.
    pub fn new(cache: &'static str) -> Self {
        Self {
            hit: counter!("interline_cache_total", "cache" => cache, "result" => "hit"),
            miss: counter!("interline_cache_total", "cache" => cache, "result" => "miss"),
        }
    }

    /// Counts one question.
    pub fn count(&self, found: bool) {
        self.count_many(usize::from(found), usize::from(!found));
    }

    /// Counts the questions of one call.
    pub(crate) fn count_many(&self, found: usize, not_found: usize) {
        for (counter, questions) in [(&self.hit, found), (&self.miss, not_found)] {
            if questions > 0 {
                counter.increment(u64::try_from(questions).unwrap_or(u64::MAX));
            }
        }
    }
}

/// How large the writer's groups are, and how long they take.
pub(crate) struct WriterMeters {
    operations: Histogram,
    /// The statements of a group.
    pub(crate) prepare: Histogram,
    /// Its commit: the disk, or the server's.
    pub(crate) commit: Histogram,
}

impl WriterMeters {
    pub(crate) fn new() -> Self {
        Self {
            operations: histogram!("interline_write_group_operations"),
            prepare: histogram!("interline_write_seconds", "stage" => "prepare"),
            commit: histogram!("interline_write_seconds", "stage" => "commit"),
        }
    }

    /// A group's commit took so long, whatever came of it.
    pub(crate) fn committed(&self, operations: usize, took: Duration) {
        self.operations.record(u32::try_from(operations).unwrap_or(u32::MAX));
        self.commit.record(took);
    }
}
