//! How long to wait before a feed is opened again.

use std::time::Duration;

use interline_egress::FeedError;

use super::Lost;

/// The shortest wait, which doubles with every try.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_mins(5);
/// The wait where another try soon would itself do harm is as after so many tries: about a minute.
const TRIES_IF_UNWANTED: u32 = 6;
/// A feed that brought news for so long is well again: its next loss is a first one.
const WELL_AFTER: Duration = Duration::from_mins(1);

/// How often it was tried in vain.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The wait after a feed was lost that had brought news for `subscribed_for`, if it ever did. `is_last` says that
    /// the upstream lets the key open no further socket, and may count the lost one for a while.
    pub(super) fn after(&mut self, lost: &Lost, is_last: bool, subscribed_for: Option<Duration>) -> Duration {
        let longest = self.longest_after(lost, is_last, subscribed_for);
        // Some of it by chance, so that many that lost one upstream do not all come back at once.
        let milliseconds = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(rand::random_range(milliseconds / 2..=milliseconds))
    }

    fn longest_after(&mut self, lost: &Lost, is_last: bool, subscribed_for: Option<Duration>) -> Duration {
        if subscribed_for.is_some_and(|long| long >= WELL_AFTER) {
            self.tries = 0;
        }
        let unwanted = is_last || matches!(lost, Lost::Socket(FeedError::TooMany | FeedError::NotAdmitted));
        if unwanted {
            self.tries = self.tries.max(TRIES_IF_UNWANTED);
        }
        let wait = FIRST.saturating_mul(2_u32.saturating_pow(self.tries)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hung_up() -> Lost {
        Lost::Socket(FeedError::Closed)
    }

    #[test]
    fn the_wait_doubles_up_to_five_minutes_and_begins_anew_when_all_was_well() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..11).map(|_| backoff.longest_after(&hung_up(), false, None).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        let for_a_moment = backoff.longest_after(&hung_up(), false, Some(Duration::from_secs(59)));
        assert_eq!(for_a_moment, LONGEST, "it came and went");
        let for_long = backoff.longest_after(&hung_up(), false, Some(WELL_AFTER));
        assert_eq!(for_long, FIRST);
    }

    #[test]
    fn where_no_socket_is_wanted_the_first_wait_is_long() {
        for (lost, is_last) in [
            (Lost::Socket(FeedError::TooMany), false),
            (Lost::Socket(FeedError::NotAdmitted), false),
            (hung_up(), true),
        ] {
            let mut backoff = Backoff::default();
            assert_eq!(backoff.longest_after(&lost, is_last, Some(WELL_AFTER)).as_secs(), 64, "{lost}");
            assert_eq!(backoff.longest_after(&lost, is_last, None).as_secs(), 128, "{lost}");
        }
        assert_eq!(Backoff::default().longest_after(&Lost::Unready("no key".to_owned()), false, None), FIRST);
    }

    #[test]
    fn a_part_of_the_wait_is_chance() {
        let waits: Vec<Duration> = (0..200).map(|_| Backoff::default().after(&hung_up(), false, None)).collect();
        assert!(waits.iter().all(|wait| (FIRST / 2..=FIRST).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "there is no chance in it");
    }
}
