//! Amounts: whole micro-units (10⁻⁶ of the currency) inside, decimal text outside, never a float.

use serde_json::Value;

const MICROS_PER_UNIT: u64 = 1_000_000;
const PLACES: usize = 6;
/// The largest amount that is read: a thousand million units.
const AMOUNT_MICROS_MAX: i64 = 1_000_000_000_000_000;

/// Micro-units of a plain decimal that is not negative and has at most six places.
pub(crate) fn micros(text: &str) -> Result<i64, String> {
    let (units, places) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(units) || !plain(places) || places.len() > PLACES {
        return Err(format!("`{text}` is not a decimal amount such as 12.5 (digits, at most 6 places)"));
    }
    let micros = format!("{units}{places:0<PLACES$}").parse().ok();
    micros
        .filter(|micros| *micros <= AMOUNT_MICROS_MAX)
        .ok_or_else(|| format!("`{text}` is more than 1000000000 units"))
}

/// Decimal text without trailing zeros.
pub(crate) fn text(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (units, rest) = (micros.unsigned_abs() / MICROS_PER_UNIT, micros.unsigned_abs() % MICROS_PER_UNIT);
    let places = format!("{rest:0PLACES$}");
    match places.trim_end_matches('0') {
        "" => format!("{sign}{units}"),
        places => format!("{sign}{units}.{places}"),
    }
}

/// The same as a JSON number, for upstreams that write amounts so.
pub(crate) fn number(micros: i64) -> Value {
    serde_json::from_str(&text(micros)).unwrap_or_default()
}

/// `amount` times all of `factors` by all of `divisors`, rounded once, half up at a micro-unit.
pub(crate) fn scaled(amount: i64, factors: &[u64], divisors: &[u64]) -> i64 {
    let times = |product: i128, factor: &u64| product.saturating_mul(i128::from(*factor));
    let above = factors.iter().fold(i128::from(amount), times);
    let below = divisors.iter().fold(1, times).max(1);
    saturated(above.saturating_mul(2).saturating_add(below) / below.saturating_mul(2))
}

/// What `quantity` costs at `rate` per 1000, rounded half up at a micro-unit.
pub(crate) fn price(rate: i64, quantity: u64) -> i64 {
    saturated((i128::from(rate) * i128::from(quantity) + 500) / 1_000)
}

/// A price with 4.65 % on it, rounded half up at a micro-unit.
pub(crate) fn drifted(price: i64) -> i64 {
    saturated((i128::from(price) * 10_465 + 5_000) / 10_000)
}

/// `floor(charge × part / whole)`: the refund of an undelivered part.
pub(crate) fn share(charge: i64, part: u64, whole: u64) -> i64 {
    saturated(i128::from(charge) * i128::from(part) / i128::from(whole.max(1)))
}

/// Beyond every balance is as good as infinite.
fn saturated(micros: i128) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_amount_are_one_to_one() {
        for (micro_units, written) in
            [(0, "0"), (1, "0.000001"), (278_190, "0.27819"), (100_842_920, "100.84292"), (2_500_000, "2.5")]
        {
            assert_eq!(text(micro_units), written);
            assert_eq!(micros(written), Ok(micro_units));
        }
        assert_eq!(text(-2_500_000), "-2.5");
        assert_eq!(micros("0.90"), Ok(900_000));
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        for bad in ["", ".", "1.", ".5", "1e5", "+1", "-1", "1,5", "0.0000001", "NaN", " 1", "1000000000.000001"] {
            assert!(micros(bad).is_err(), "{bad}");
        }
        assert!(micros("99999999999999999999999").is_err());
    }

    #[test]
    fn charges_are_rounded_half_up_at_a_micro_unit() {
        assert_eq!(price(900_000, 1_000), 900_000);
        assert_eq!(price(500, 1), 1);
        assert_eq!(price(499, 1), 0);
        assert_eq!(price(1_500, 1), 2);
        assert_eq!(price(900_001, 10), 9_000);
        assert_eq!(price(i64::MAX, u64::MAX), i64::MAX);
    }

    #[test]
    fn a_product_is_rounded_once() {
        assert_eq!(scaled(900_000, &[1_000], &[1_000]), price(900_000, 1_000));
        assert_eq!(scaled(7_800_000, &[250], &[100]), 19_500_000);
        assert_eq!(scaled(1, &[1, 1], &[2]), 1);
        assert_eq!(scaled(1, &[1], &[2, 2]), 0);
        assert_eq!(scaled(1_000_000, &[1], &[3]), 333_333);
        assert_eq!(scaled(5, &[], &[]), 5);
        assert_eq!(scaled(i64::MAX, &[u64::MAX, u64::MAX], &[1]), i64::MAX);
    }

    #[test]
    fn a_number_is_written_as_the_text_is() {
        for (micro_units, written) in [(900_000, "0.9"), (10_000_000, "10"), (1, "1e-6"), (135_500_000, "135.5")] {
            let number = number(micro_units);
            assert!(number.is_number());
            assert_eq!(number.to_string().parse::<f64>(), written.parse(), "{written}");
        }
    }

    #[test]
    fn the_drift_is_that_of_the_worked_example() {
        assert_eq!(drifted(900_000), 941_850);
        assert_eq!(drifted(10), 10);
        assert_eq!(drifted(11), 12);
    }

    #[test]
    fn a_share_is_floored_and_the_whole_is_the_whole() {
        assert_eq!(share(941_850, 157, 1_000), 147_870);
        assert_eq!(share(10, 1, 3), 3);
        assert_eq!(share(10, 3, 3), 10);
        assert_eq!(share(10, 0, 0), 0);
    }
}
