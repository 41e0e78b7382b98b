//! Numbers and amounts, written straight into an answer. A panel asks for a hundred statuses at a time, and to make each
//! number a text of its own first would cost more than everything else in them.

use interline_domain::{Micros, money::MICROS_PER_UNIT};

/// Places behind the point that micro-units fill.
const PLACES: usize = 6;

/// Writes a number in digits.
pub(crate) fn number(out: &mut Vec<u8>, number: u64) {
    // As many as the largest number has.
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = digit(rest);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a number that may be negative.
pub(crate) fn signed(out: &mut Vec<u8>, signed: i64) {
    if signed < 0 {
        out.push(b'-');
    }
    number(out, signed.unsigned_abs());
}

/// Writes an amount in units, without zeros at its end but for those that `places_min` places need.
pub(crate) fn amount(out: &mut Vec<u8>, amount: Micros, places_min: usize) {
    let (micros, unit) = (amount.get().unsigned_abs(), MICROS_PER_UNIT.unsigned_abs());
    if amount.is_negative() {
        out.push(b'-');
    }
    number(out, micros / unit);
    let (mut places, mut rest) = ([0; PLACES], micros % unit);
    for place in places.iter_mut().rev() {
        *place = digit(rest);
        rest /= 10;
    }
    let needed = places.iter().rposition(|place| *place != b'0').map_or(0, |last| last + 1);
    let shown = needed.max(places_min);
    if shown > 0 {
        out.push(b'.');
        out.extend_from_slice(&places[..shown]);
    }
}

/// The last digit of a number.
fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn assert_alike(value: i64) {
        assert_eq!(written(|out| signed(out, value)), value.to_string());
        assert_eq!(written(|out| number(out, value.unsigned_abs())), value.unsigned_abs().to_string());
        let plain = Micros::new(value).to_string();
        assert_eq!(written(|out| amount(out, Micros::new(value), 0)), plain);
        let places = plain.split_once('.').map_or(0, |(_, places)| places.len());
        let point = if places == 0 { "." } else { "" };
        let two = format!("{plain}{point}{}", "0".repeat(2_usize.saturating_sub(places)));
        let wanted = if places < 2 { &two } else { &plain };
        assert_eq!(&written(|out| amount(out, Micros::new(value), 2)), wanted);
    }

    #[test]
    fn numbers_are_written_to_their_ends() {
        for value in [0, 1, 9, 10, 99, 100, 999_999, 1_000_000, 1_500_000, 1_050_000, 100_842_920, -1, -1_000_000] {
            assert_alike(value);
        }
        assert_alike(i64::MAX);
        assert_alike(i64::MIN);
        assert_eq!(written(|out| number(out, u64::MAX)), u64::MAX.to_string());
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_everywhere_else(value in any::<i64>(), small in -3_000_000_i64..3_000_000) {
            assert_alike(value);
            assert_alike(small);
        }
    }
}
