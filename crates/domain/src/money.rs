//! Money: whole micro-units (10⁻⁶ of a currency). Decimals come in and go out as text, never through a float.

use std::{
    fmt,
    ops::{Add, Neg, Sub},
    str::FromStr,
};

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};

/// Micro-units in one unit.
pub const MICROS_PER_UNIT: i64 = 1_000_000;

/// The largest single amount that is taken in: a thousand million units. Sums of such amounts stay far inside `i64`.
pub const AMOUNT_MAX: Micros = Micros(1_000_000_000 * MICROS_PER_UNIT);

/// Why a text or a number is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a plain decimal with at most six places.
    #[error("`{0}` is not a decimal amount such as 12.5 (digits, at most 6 places, no exponent)")]
    Malformed(String),
    /// Larger than [`AMOUNT_MAX`].
    #[error("the amount is larger than 1000000000 units")]
    TooLarge,
    /// Not a currency code.
    #[error("`{0}` is not a currency code of 3 to 8 capital letters or digits")]
    Currency(String),
}

/// An amount in micro-units of a currency that the context names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(i64);

impl Micros {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The smallest amount that is not nothing.
    pub const ONE: Self = Self(1);

    /// An amount from micro-units.
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    /// Micro-units.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is less than nothing.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The sum, unless it leaves the range: for balances, which add up over years.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The exact value in units.
    pub fn to_decimal(self) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.0), 6)
    }

    /// The amount nearest to `units`, halves up (away from zero).
    pub fn from_decimal(units: Decimal) -> Result<Self, MoneyError> {
        let micros = units
            .checked_mul(Decimal::from(MICROS_PER_UNIT))
            .and_then(|m| m.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero).to_i64());
        match micros.map(Self) {
            Some(amount) if amount.0.unsigned_abs() <= AMOUNT_MAX.0.unsigned_abs() => Ok(amount),
            _ => Err(MoneyError::TooLarge),
        }
    }

    /// This amount in another currency, of which one of ours buys `rate`; halves up.
    pub fn convert(self, rate: Decimal) -> Result<Self, MoneyError> {
        Self::from_decimal(self.to_decimal().checked_mul(rate).ok_or(MoneyError::TooLarge)?)
    }

    /// `floor(self × part / whole)` for `0 ≤ part ≤ whole`: a share that never exceeds the amount.
    ///
    /// # Panics
    /// When `part` is more than `whole`, `whole` is zero or the amount is negative: a refund would be wrong.
    #[must_use]
    pub fn share(self, part: u64, whole: u64) -> Self {
        assert!(part <= whole && whole > 0 && self.0 >= 0, "a share is a part of a whole");
        let share = i128::from(self.0) * i128::from(part) / i128::from(whole);
        // It cannot exceed `self`, which is an i64.
        Self(i64::try_from(share).unwrap_or(self.0))
    }
}

/// Operands are amounts of at most [`AMOUNT_MAX`] or sums of a few of them; leaving the range means that the books are wrong.
fn within(result: Option<i64>) -> Micros {
    assert!(result.is_some(), "an amount left the range of the books");
    Micros(result.unwrap_or_default())
}

impl Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        within(self.0.checked_add(other.0))
    }
}

impl Sub for Micros {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        within(self.0.checked_sub(other.0))
    }
}

impl Neg for Micros {
    type Output = Self;
    fn neg(self) -> Self {
        within(self.0.checked_neg())
    }
}

impl std::iter::Sum for Micros {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unsigned = self.0.unsigned_abs();
        let (units, rest) = (unsigned / MICROS_PER_UNIT.unsigned_abs(), unsigned % MICROS_PER_UNIT.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        if rest == 0 {
            return write!(f, "{sign}{units}");
        }
        let places = format!("{rest:06}");
        write!(f, "{sign}{units}.{}", places.trim_end_matches('0'))
    }
}

impl FromStr for Micros {
    type Err = MoneyError;

    /// Reads a plain decimal with at most six places, such as `-0.25`.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let malformed = || MoneyError::Malformed(text.chars().take(40).collect());
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (units, places) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !plain(units) || !plain(places) || places.len() > 6 {
            return Err(malformed());
        }
        let units: i64 = units.parse().map_err(|_| MoneyError::TooLarge)?;
        let places: i64 = format!("{places:0<6}").parse().map_err(|_| malformed())?;
        let micros = units.checked_mul(MICROS_PER_UNIT).and_then(|m| m.checked_add(places));
        match micros {
            Some(micros) if micros <= AMOUNT_MAX.0 => Ok(Self(sign * micros)),
            _ => Err(MoneyError::TooLarge),
        }
    }
}

/// A currency code: 3 to 8 capital letters or digits (`USD`, `USDT`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 8]);

impl Currency {
    /// The code.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        // Only ASCII ever gets in.
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let good = (3..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !good {
            return Err(MoneyError::Currency(text.chars().take(16).collect()));
        }
        let mut code = [0; 8];
        code[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self(code))
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;
    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount with its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// How much.
    pub amount: Micros,
    /// Of what.
    pub currency: Currency,
}

impl Money {
    /// An amount of a currency.
    pub const fn new(amount: Micros, currency: Currency) -> Self {
        Self { amount, currency }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_written_without_trailing_zeros() {
        for (micros, text) in
            [(0, "0"), (1, "0.000001"), (278_190, "0.27819"), (-2_500_000, "-2.5"), (100_000_000, "100")]
        {
            assert_eq!(Micros::new(micros).to_string(), text);
            assert_eq!(text.parse(), Ok(Micros::new(micros)));
        }
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        for bad in ["", ".", "1.", ".5", "1e5", "+1", "1,5", "0.0000001", "--1", "NaN", " 1", "٣"] {
            assert!(matches!(bad.parse::<Micros>(), Err(MoneyError::Malformed(_))), "{bad}");
        }
        assert_eq!("1000000000.000001".parse::<Micros>(), Err(MoneyError::TooLarge));
        assert_eq!("99999999999999999999".parse::<Micros>(), Err(MoneyError::TooLarge));
    }

    #[test]
    fn currencies_are_codes() {
        assert_eq!("USDT".parse::<Currency>().map(|c| c.to_string()), Ok("USDT".to_owned()));
        for bad in ["us", "usd", "US", "EURO-EURO", "", "U$D"] {
            assert!(bad.parse::<Currency>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_and_amount_are_one_to_one(micros in -AMOUNT_MAX.get()..=AMOUNT_MAX.get()) {
            let amount = Micros::new(micros);
            prop_assert_eq!(amount.to_string().parse::<Micros>(), Ok(amount));
            prop_assert_eq!(Micros::from_decimal(amount.to_decimal()), Ok(amount));
        }

        #[test]
        fn shares_of_a_split_never_exceed_the_whole(micros in 0..=AMOUNT_MAX.get(), whole in 1u64..=10_000_000, part in 0u64..=10_000_000) {
            let part = part.min(whole);
            let amount = Micros::new(micros);
            let (one, other) = (amount.share(part, whole), amount.share(whole - part, whole));
            prop_assert!(one + other <= amount);
            prop_assert!((amount - one - other).get() <= 1);
        }
    }
}
