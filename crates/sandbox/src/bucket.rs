//! The rate at which a key may call: a bucket of tokens (`protocol.md` §6, Streamskill).

use crate::config::RateLimit;

/// Thousandths, in which tokens are counted: so many are gained in a millisecond as whole ones in a second.
const MILLI: u64 = 1_000;

/// The bucket. It reads no clock: the time is an argument, in milliseconds.
pub(crate) struct Bucket {
    limit: RateLimit,
    milli: u64,
    filled_at_ms: u64,
}

/// How the bucket stands after a call, as its answer tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Metered {
    /// Whether there was a token for the call.
    pub(crate) passed: bool,
    /// How many tokens there can be.
    pub(crate) limit: u64,
    /// How many there are.
    pub(crate) remaining: u64,
    /// Until there are all of them, in seconds.
    pub(crate) reset_s: u64,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self { limit, milli: u64::from(limit.burst) * MILLI, filled_at_ms: 0 }
    }

    /// Takes a token for a call, if there is one.
    pub(crate) fn take(&mut self, now_ms: u64) -> Metered {
        let full = u64::from(self.limit.burst) * MILLI;
        let per_ms = u64::from(self.limit.per_second);
        let gained = now_ms.saturating_sub(self.filled_at_ms).saturating_mul(per_ms);
        self.filled_at_ms = now_ms.max(self.filled_at_ms);
        self.milli = self.milli.saturating_add(gained).min(full);
        let passed = self.milli >= MILLI;
        if passed {
            self.milli -= MILLI;
        }
        Metered {
            passed,
            limit: full / MILLI,
            remaining: self.milli / MILLI,
            reset_s: (full - self.milli).div_ceil((per_ms * MILLI).max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_at_once_and_then_two_a_second() {
        let mut bucket = Bucket::new(RateLimit { burst: 30, per_second: 2 });
        let first = bucket.take(5);
        assert_eq!(first, Metered { passed: true, limit: 30, remaining: 29, reset_s: 1 });
        assert!((1..30).all(|_| bucket.take(5).passed));
        assert_eq!(bucket.take(504), Metered { passed: false, limit: 30, remaining: 0, reset_s: 15 });
        assert!(bucket.take(505).passed);
        assert!(!bucket.take(505).passed);
        assert!(bucket.take(1_505).passed && bucket.take(1_505).passed);
        assert!(!bucket.take(1_505).passed);
        assert_eq!(bucket.take(1_000_000).remaining, 29, "it holds no more than it can");
    }
}
