//! The band in which a reading of an upstream's balance is explained by the books, and what a reading outside it
//! proves.
//!
//! A reading was taken at some moment between the request and the answer, and the books moved meanwhile, so it is held
//! against the extremes of that time. All amounts are in the upstream's currency.

use interline_domain::{Micros, money::AMOUNT_MAX};
use rust_decimal::Decimal;

/// The extremes of the books for one upstream, from the request to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extremes {
    /// The smallest `assets:upstream`.
    pub upstream_min: Micros,
    /// The largest upstream + committed + claims + disputed.
    pub total_max: Micros,
    /// The largest upstream + committed + disputed: the total without the claims.
    pub unclaimed_max: Micros,
}

/// Whether the books explain a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They do.
    InBand,
    /// It lies below what they explain: a finding, and a case if that stands after the open charges were read.
    Below {
        /// By how much.
        by: Micros,
    },
    /// It lies above what they explain: the same.
    Above {
        /// By how much.
        by: Micros,
    },
}

/// Holds a reading against the books, with the operator's `drift_allowance` and the `slack` of [`unread_slack`] below
/// them.
pub fn judge(reading: Micros, extremes: &Extremes, drift_allowance: Micros, slack: Micros) -> Verdict {
    let lower = extremes.upstream_min - drift_allowance - slack;
    if reading < lower {
        Verdict::Below { by: lower - reading }
    } else if reading > extremes.total_max {
        Verdict::Above { by: reading - extremes.total_max }
    } else {
        Verdict::InBand
    }
}

/// How much lower a balance may lie because charges were not read since: `(factor_max − 1) × reserves`, where
/// `reserves` is the sum over the accepted attempts whose charge was not read since. Beyond the largest amount it is
/// that amount.
pub fn unread_slack(reserves: Micros, factor_max: Decimal) -> Micros {
    let more = (factor_max - Decimal::ONE).max(Decimal::ZERO);
    reserves.convert(more).unwrap_or(AMOUNT_MAX)
}

/// How much of its open claims an upstream has shown: only what lies above everything else that may explain the
/// reading.
pub fn proved_claims(reading: Micros, unclaimed_max: Micros) -> Micros {
    (reading - unclaimed_max).max(Micros::ZERO)
}

/// Splits what a reading proved over the open claims, which come oldest first: how much of each was shown.
pub fn oldest_first(proved: Micros, claims: &[Micros]) -> Vec<Micros> {
    let mut left = proved;
    claims
        .iter()
        .map(|claim| {
            let shown = left.min(*claim);
            left = left - shown;
            shown
        })
        .collect()
}

/// What nothing explains: the part of the reading that exceeds all `open_claims` and lies above the band. It becomes
/// suspense only if it stands in two readings `quiet_s` apart.
pub fn unexplained(reading: Micros, extremes: &Extremes, open_claims: Micros) -> Micros {
    let beyond_claims = proved_claims(reading, extremes.unclaimed_max) - open_claims;
    let above_band = reading - extremes.total_max;
    beyond_claims.min(above_band).max(Micros::ZERO)
}

/// What may be spent at an upstream: the book, or what is left of the last reading if that is less. The reading comes
/// with what the book was then: by as much as the book fell since, the reading is used up.
pub fn available(book: Micros, last_reading: Option<(Micros, Micros)>) -> Micros {
    last_reading.map_or(book, |(reading, book_then)| book.min(reading - (book_then - book)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(text: &str) -> Micros {
        text.parse().unwrap()
    }

    /// 100 at the upstream, 5 committed or disputed, 2 claimed, nothing moved meanwhile.
    fn still() -> Extremes {
        Extremes { upstream_min: amount("100"), total_max: amount("107"), unclaimed_max: amount("105") }
    }

    #[test]
    fn the_ends_of_the_band_are_in_it() {
        // Drift of 1 allowed, orders of 0.9 run whose charges were not read since: down to 98.1.
        let slack = unread_slack(amount("0.9"), Decimal::TWO);
        for (reading, verdict) in [
            ("98.099999", Verdict::Below { by: Micros::ONE }),
            ("98.1", Verdict::InBand),
            ("100", Verdict::InBand),
            ("107", Verdict::InBand),
            ("107.000001", Verdict::Above { by: Micros::ONE }),
        ] {
            assert_eq!(judge(amount(reading), &still(), amount("1"), slack), verdict, "{reading}");
        }
    }

    #[test]
    fn a_factor_of_one_leaves_no_slack() {
        assert_eq!(unread_slack(amount("0.9"), Decimal::ONE), Micros::ZERO);
        assert_eq!(unread_slack(amount("0.9"), Decimal::ZERO), Micros::ZERO);
        assert_eq!(unread_slack(AMOUNT_MAX, Decimal::TEN), AMOUNT_MAX);
    }

    #[test]
    fn claims_are_proved_oldest_first_and_in_parts() {
        for (reading, proved) in [("100", "0"), ("105", "0"), ("106.5", "1.5"), ("110", "5")] {
            assert_eq!(proved_claims(amount(reading), still().unclaimed_max), amount(proved), "{reading}");
        }
        let claims = [amount("0.5"), amount("1.2"), amount("0.3")];
        assert_eq!(oldest_first(amount("1.5"), &claims), [amount("0.5"), amount("1"), Micros::ZERO]);
    }

    #[test]
    fn only_what_exceeds_all_claims_is_unexplained() {
        for (reading, unknown) in [("90", "0"), ("106", "0"), ("107", "0"), ("107.25", "0.25")] {
            assert_eq!(unexplained(amount(reading), &still(), amount("2")), amount(unknown), "{reading}");
        }
        // An order of 5 was running at first and is claimed by now: the reading may be of either moment.
        let moved = Extremes { upstream_min: amount("5"), total_max: amount("10"), unclaimed_max: amount("10") };
        assert_eq!(unexplained(amount("12"), &moved, amount("5")), Micros::ZERO);
    }

    #[test]
    fn the_smaller_of_book_and_reading_is_available() {
        for (book, reading, available_now) in [
            ("10", None, "10"),
            // More is there than the books know; what they do not know is not spent.
            ("10", Some(("20", "11")), "10"),
            // Less is there, and 1 was reserved since.
            ("10", Some(("9", "11")), "8"),
            // A reserve that was in the reading was given back since.
            ("10", Some(("12", "9")), "10"),
            ("-1", None, "-1"),
        ] {
            let reading = reading.map(|(reading, then)| (amount(reading), amount(then)));
            assert_eq!(available(amount(book), reading), amount(available_now));
        }
    }

    proptest! {
        /// What was proved goes to the claims until they are all shown, and never exceeds any of them.
        #[test]
        fn what_is_proved_is_shown(proved in 0i64..=5_000, claims in proptest::collection::vec(0i64..=1_000, 0..8)) {
            let claims: Vec<Micros> = claims.into_iter().map(Micros::new).collect();
            let shown = oldest_first(Micros::new(proved), &claims);
            prop_assert!(shown.iter().zip(&claims).all(|(part, claim)| !part.is_negative() && part <= claim));
            let open: Micros = claims.iter().copied().sum();
            prop_assert_eq!(shown.into_iter().sum::<Micros>(), open.min(Micros::new(proved)));
        }

        /// Suspense is never booked for a reading in its band.
        #[test]
        fn nothing_in_the_band_is_unexplained(
            reading in -1_000i64..=3_000,
            upstream in 0i64..=1_000,
            other in 0i64..=500,
            claims in 0i64..=500,
            moved in 0i64..=300,
        ) {
            let extremes = Extremes {
                upstream_min: Micros::new(upstream - moved),
                total_max: Micros::new(upstream + other + claims + moved),
                unclaimed_max: Micros::new(upstream + other + moved),
            };
            let reading = Micros::new(reading);
            let rest = unexplained(reading, &extremes, Micros::new(claims));
            match judge(reading, &extremes, Micros::ZERO, Micros::ZERO) {
                Verdict::Above { by } => prop_assert_eq!(rest, by),
                Verdict::InBand | Verdict::Below { .. } => prop_assert_eq!(rest, Micros::ZERO),
            }
        }
    }
}
