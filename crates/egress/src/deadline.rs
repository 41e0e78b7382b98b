//! The moment after which a submission is no longer written.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Until when the first byte of a submission may be written, by a clock that goes on while the machine sleeps: a process
/// that was suspended with its lease must not wake up and send what others have given up since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SendDeadline(Duration);

impl SendDeadline {
    /// The deadline `after` from now.
    pub fn after(after: Duration) -> Self {
        Self(since_boot().saturating_add(after))
    }

    /// Whether it is over.
    pub fn is_past(self) -> bool {
        since_boot() >= self.0
    }
}

/// Time since the machine started, suspension included.
fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes() {
        assert!(SendDeadline::after(Duration::ZERO).is_past());
        assert!(!SendDeadline::after(Duration::from_mins(1)).is_past());
    }
}
