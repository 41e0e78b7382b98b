//! What an order costs a customer and costs us. The rules are "Numbers" in the ledger's design: a rate is rounded once to
//! six places, a charge is computed once from it, a refund is the floor of the undelivered share.

mod highest;
mod models;

use rust_decimal::Decimal;

pub use self::models::{Bought, PriceError, PriceModel};
use crate::money::{Micros, MoneyError};

/// What a service's rate is a price for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// For a thousand units.
    PerThousand,
    /// For one order, whatever its quantity.
    Flat,
}

/// The rate at which an account is charged: the base rate converted to its currency, less its discount, rounded half up to
/// six places. What is listed is what is charged.
///
/// `base_per_unit` is how much of the base currency one unit of the account's currency is worth.
pub fn account_rate(
    base_rate: Decimal,
    discount_percent: Decimal,
    base_per_unit: Decimal,
) -> Result<Micros, MoneyError> {
    let kept = Decimal::ONE_HUNDRED.checked_sub(discount_percent).ok_or(MoneyError::TooLarge)? / Decimal::ONE_HUNDRED;
    let rate = base_rate.checked_mul(kept).and_then(|r| r.checked_div(base_per_unit));
    Micros::from_decimal(rate.ok_or(MoneyError::TooLarge)?)
}

/// A cost rate with a markup on it, in the same currency.
pub fn marked_up(cost_rate: Decimal, markup_percent: Decimal) -> Result<Decimal, MoneyError> {
    let factor = Decimal::ONE.checked_add(markup_percent / Decimal::ONE_HUNDRED);
    factor.and_then(|f| cost_rate.checked_mul(f)).ok_or(MoneyError::TooLarge)
}

/// What `quantity` costs at `rate`: rounded half up at a micro-unit, and at least one micro-unit unless the rate is zero.
pub fn price(rate: Decimal, quantity: u64, basis: Basis) -> Result<Micros, MoneyError> {
    let units = match basis {
        Basis::PerThousand => {
            rate.checked_mul(Decimal::from(quantity)).ok_or(MoneyError::TooLarge)? / Decimal::ONE_THOUSAND
        }
        Basis::Flat => rate,
    };
    let amount = Micros::from_decimal(units)?;
    Ok(if amount.is_zero() && rate > Decimal::ZERO { Micros::ONE } else { amount })
}

/// What the customer gets back when `remains` of `quantity` was not delivered. What is earned is `charge − refund`.
pub fn refund(charge: Micros, remains: u64, quantity: u64) -> Micros {
    charge.share(remains, quantity)
}

/// `(charge − cost) / charge` in percent, to two places; nothing for a free order.
pub fn margin_percent(charge: Micros, cost: Micros) -> Option<Decimal> {
    if charge.is_zero() {
        return None;
    }
    let margin = (charge.to_decimal() - cost.to_decimal()).checked_div(charge.to_decimal())?;
    Some((margin * Decimal::ONE_HUNDRED).round_dp(2).normalize())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn amount(text: &str) -> Micros {
        text.parse().unwrap()
    }

    #[test]
    fn the_worked_example_of_the_design() {
        let charge = price(decimal("2.50"), 1000, Basis::PerThousand).unwrap();
        assert_eq!(charge, amount("2.5"));
        let back = refund(charge, 157, 1000);
        assert_eq!((back, charge - back), (amount("0.3925"), amount("2.1075")));
    }

    #[test]
    fn a_charge_that_is_not_free_is_at_least_one_micro_unit() {
        assert_eq!(price(decimal("0.000001"), 1, Basis::PerThousand), Ok(Micros::ONE));
        assert_eq!(price(decimal("0"), 1000, Basis::PerThousand), Ok(Micros::ZERO));
        assert_eq!(price(decimal("0.0005"), 1, Basis::PerThousand), Ok(Micros::ONE));
        assert_eq!(price(decimal("0.0015"), 1, Basis::PerThousand), Ok(Micros::new(2)));
    }

    #[test]
    fn a_flat_rate_is_charged_once_whatever_the_quantity() {
        for quantity in [1, 1000, u64::MAX] {
            assert_eq!(price(decimal("2.50"), quantity, Basis::Flat), Ok(amount("2.5")), "{quantity}");
        }
        assert_eq!(price(decimal("0.0000001"), 1000, Basis::Flat), Ok(Micros::ONE));
        assert_eq!(price(Decimal::ZERO, 1000, Basis::Flat), Ok(Micros::ZERO));
    }

    #[test]
    fn discount_markup_and_currency_make_one_rounded_rate() {
        let base = marked_up(decimal("0.90"), decimal("30")).unwrap();
        assert_eq!(base, decimal("1.17"));
        assert_eq!(account_rate(base, decimal("10"), decimal("1.10")), Ok(amount("0.957273")));
        assert_eq!(account_rate(base, Decimal::ZERO, Decimal::ONE), Ok(amount("1.17")));
    }

    #[test]
    fn margins_are_read_against_the_charge() {
        assert_eq!(margin_percent(amount("2.5"), amount("0.9")), Some(decimal("64")));
        assert_eq!(margin_percent(amount("1"), amount("1.5")), Some(decimal("-50")));
        assert_eq!(margin_percent(Micros::ZERO, amount("1")), None);
    }

    proptest! {
        #[test]
        fn refund_and_earned_are_the_charge(rate in 0i64..=100_000_000, quantity in 1u64..=1_000_000, remains in 0u64..=1_000_000) {
            let remains = remains.min(quantity);
            let charge = price(Micros::new(rate).to_decimal(), quantity, Basis::PerThousand).unwrap();
            let back = refund(charge, remains, quantity);
            prop_assert!(Micros::ZERO <= back && back <= charge);
            prop_assert_eq!(back + (charge - back), charge);
            prop_assert_eq!(refund(charge, 0, quantity), Micros::ZERO);
            prop_assert_eq!(refund(charge, quantity, quantity), charge);
        }

        #[test]
        fn a_charge_grows_with_the_quantity(rate in 0i64..=100_000_000, quantity in 1u64..=1_000_000) {
            let rate = Micros::new(rate).to_decimal();
            let (less, more) = (price(rate, quantity, Basis::PerThousand), price(rate, quantity + 1, Basis::PerThousand));
            prop_assert!(less.unwrap() <= more.unwrap());
        }
    }
}
