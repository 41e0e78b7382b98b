//! Limits under a clock that stands still until it is told otherwise.

use governor::clock::FakeRelativeClock;

use super::*;

fn limits(ip_per_minute: u32, key_per_minute: u32) -> (Limits<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    let settings = LimitSettings {
        ip_per_minute: NonZeroU32::new(ip_per_minute).unwrap(),
        key_per_minute: NonZeroU32::new(key_per_minute).unwrap(),
        trusted_proxies: TrustedProxies::default(),
    };
    (Limits::with_clock(settings, clock.clone()), clock)
}

fn client(address: &str) -> Client {
    Client::of(address.parse().unwrap())
}

fn too_fast(retry_after_s: u64) -> Result<(), Refused> {
    Err(Refused::TooFast { retry_after_s })
}

#[test]
fn an_address_has_a_minutes_calls_and_gets_them_back_evenly() {
    let (limits, clock) = limits(3, 1);
    let (one, other) = (client("198.51.100.1"), client("198.51.100.2"));
    for _ in 0..3 {
        assert_eq!(limits.call(one), Ok(()));
    }
    assert_eq!(limits.call(one), too_fast(20));
    assert_eq!(limits.call(other), Ok(()));
    clock.advance(Duration::from_millis(19_500));
    assert_eq!(limits.call(one), too_fast(1), "a part of a second is a whole one");
    clock.advance(Duration::from_millis(500));
    assert_eq!(limits.call(one), Ok(()));
    assert_eq!(limits.call(one), too_fast(20));
    clock.advance(Duration::from_hours(1));
    assert_eq!((0..5).filter(|_| limits.call(one).is_ok()).count(), 3, "no more is saved up");
}

#[test]
fn a_key_is_counted_wherever_it_comes_from() {
    let (limits, _) = limits(100, 2);
    assert_eq!(limits.right_key(client("198.51.100.1"), "a"), Ok(()));
    assert_eq!(limits.right_key(client("198.51.100.2"), "a"), Ok(()));
    assert_eq!(limits.right_key(client("198.51.100.3"), "a"), too_fast(30));
    assert_eq!(limits.right_key(client("198.51.100.3"), "b"), Ok(()));
}

#[test]
fn who_guesses_keys_is_barred_and_who_shares_the_address_is_not() {
    let (limits, clock) = limits(1, 1);
    let (shared, other) = (client("198.51.100.1"), client("198.51.100.2"));
    assert_eq!(limits.right_key(shared, "customer"), Ok(()));
    assert_eq!(limits.right_key(other, "elsewhere"), Ok(()));
    for _ in 0..WRONG_KEYS_PER_MINUTE {
        assert_eq!(limits.may_try(shared, "guess"), Ok(()));
        assert_eq!(limits.wrong_key(shared), Refused::InvalidKey);
    }
    assert_eq!(limits.wrong_key(shared), Refused::TooFast { retry_after_s: 3 });
    assert_eq!(limits.may_try(shared, "guess"), too_fast(3));
    assert_eq!(limits.may_try(shared, "customer"), Ok(()));
    assert_eq!(limits.may_try(shared, "elsewhere"), too_fast(3), "never seen from this address");
    assert_eq!(limits.may_try(other, "guess"), Ok(()));
    clock.advance(Duration::from_secs(3));
    assert_eq!(limits.may_try(shared, "guess"), Ok(()));
    assert_eq!(limits.wrong_key(shared), Refused::InvalidKey);
    assert_eq!(limits.wrong_key(shared), Refused::TooFast { retry_after_s: 3 });
}

#[test]
fn no_more_callers_are_kept_than_the_bound() {
    let clock = FakeRelativeClock::default();
    let buckets: Buckets<usize, FakeRelativeClock> = Buckets::new(NonZeroU32::MIN, &clock);
    let kept = || buckets.limiter.load().len();

    // Callers that went quiet make room, and who is active stays counted.
    for caller in 1..TRACKED_MAX {
        assert_eq!(buckets.take(&caller), Ok(()));
    }
    clock.advance(Duration::from_mins(3));
    assert_eq!(buckets.take(&0), Ok(()));
    assert_eq!(kept(), TRACKED_MAX);
    assert_eq!(buckets.take(&TRACKED_MAX), Ok(()));
    assert_eq!(kept(), 2);
    assert!(buckets.take(&0).is_err());

    // All active: still no more than the bound.
    for caller in TRACKED_MAX..3 * TRACKED_MAX {
        let _ = buckets.take(&caller);
        assert!(kept() <= TRACKED_MAX);
    }

    clock.advance(Duration::from_mins(3));
    buckets.tidy();
    assert_eq!(kept(), 0);
}
