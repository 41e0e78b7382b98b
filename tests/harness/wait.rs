//! Waiting for something to become true.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

/// How long a condition may take. Long enough for the lease of a submission to end (`timeout_ms` and 10 s more).
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Looks at `condition` until it holds; fails with `what` was waited for when it does not come true
/// within half a minute.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !condition()? {
        ensure!(begun.elapsed() < WAIT_MAX, "waited {} s in vain for: {what}", WAIT_MAX.as_secs());
        thread::sleep(POLL);
    }
    Ok(())
}
