//! What a posting is, and the one way to make it: a draft whose lines stand in the order of the design's table, and
//! which is checked to balance in every currency before anybody sees it.

use std::collections::BTreeMap;

use interline_domain::{Currency, Micros, Money};
use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};

use crate::chart::{Account, LedgerAccount};

/// One line of a posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The account.
    pub account: LedgerAccount,
    /// How much: debit positive, credit negative, never zero.
    pub amount: Micros,
}

/// A business event in the books, to be written in the same database transaction as the change of state that it belongs
/// to. Only the functions of this crate make one; it sums to zero in every currency.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Posting {
    /// The business key, unique in the books: the same event twice is refused by it.
    pub key: String,
    /// The lines: none, or at least two.
    pub entries: Vec<Entry>,
    /// The rate that it was exchanged at, if it was.
    pub fx: Option<Fx>,
    /// Why, in the words of the person who ordered it.
    pub reason: Option<String>,
}

impl Posting {
    /// Whether every amount of the event was zero: then nothing is written and its key stays free.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The exchange inside a posting, kept on its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fx {
    /// The upstream's currency.
    pub from: Currency,
    /// The base currency.
    pub to: Currency,
    /// Units of `to` for one unit of `from`.
    pub rate: Decimal,
}

/// What an upstream's currency is worth in the currency of the books, at the time of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseRate {
    /// The currency of the books; expenses are always in it.
    pub base: Currency,
    /// Base units for one unit of the upstream's currency; not looked at when both are the same.
    pub rate: Decimal,
}

impl BaseRate {
    /// What `money` is worth in the base currency, halves away from zero, so that a fall is worth what the same rise
    /// is.
    ///
    /// # Panics
    /// When the worth leaves the range of the books: no such posting may be written.
    pub fn worth(&self, money: Money) -> Micros {
        if money.currency == self.base {
            return money.amount;
        }
        let micros = Decimal::from(money.amount.get())
            .checked_mul(self.rate)
            .and_then(|m| m.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero).to_i64());
        assert!(micros.is_some(), "{money} at {} leaves the range of the books", self.rate);
        Micros::new(micros.unwrap_or_default())
    }
}

/// A posting in the making. Its amounts may be negative: a negative debit is a credit.
pub(crate) struct Draft {
    posting: Posting,
    currency: Currency,
}

impl Draft {
    /// A posting under `key` whose lines are in `currency`, those of expenses excepted.
    pub(crate) fn new(key: String, currency: Currency) -> Self {
        Self { posting: Posting { key, entries: Vec::new(), fx: None, reason: None }, currency }
    }

    /// Dr `account`.
    pub(crate) fn debit(self, account: Account, amount: Micros) -> Self {
        let currency = self.currency;
        self.line(account, currency, amount)
    }

    /// Cr `account`.
    pub(crate) fn credit(self, account: Account, amount: Micros) -> Self {
        self.debit(account, -amount)
    }

    /// Dr the expense `account` by what `amount` is worth in the base currency.
    pub(crate) fn expense(self, account: Account, amount: Micros, rate: &BaseRate) -> Self {
        let worth = rate.worth(Money::new(amount, self.currency));
        self.exchange(amount, rate).debit_base(account, worth, rate)
    }

    /// Gives `amount` to the trading account of its currency and takes its worth from that of the base currency. In one
    /// currency there is nothing to exchange.
    pub(crate) fn exchange(self, amount: Micros, rate: &BaseRate) -> Self {
        if rate.base == self.currency {
            return self;
        }
        let worth = rate.worth(Money::new(amount, self.currency));
        self.debit(Account::EquityFx, amount).debit_base(Account::EquityFx, -worth, rate)
    }

    /// Dr `account` by an amount of the base currency.
    pub(crate) fn debit_base(self, account: Account, amount: Micros, rate: &BaseRate) -> Self {
        let mut draft = self.line(account, rate.base, amount);
        if rate.base != draft.currency {
            draft.posting.fx = Some(Fx { from: draft.currency, to: rate.base, rate: rate.rate });
        }
        draft
    }

    /// Keeps why it happens.
    pub(crate) fn because(mut self, reason: &str) -> Self {
        self.posting.reason = Some(reason.to_owned());
        self
    }

    /// The posting, which balances in every currency or stops the program: books that do not balance must not be
    /// written.
    pub(crate) fn post(mut self) -> Posting {
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        for entry in &self.posting.entries {
            *sums.entry(entry.account.currency).or_default() += i128::from(entry.amount.get());
        }
        assert!(sums.values().all(|sum| *sum == 0), "{} does not balance: {sums:?}", self.posting.key);
        let exchanged =
            |entry: &Entry| entry.account.account == Account::EquityFx || entry.account.currency != self.currency;
        if !self.posting.entries.iter().any(exchanged) {
            self.posting.fx = None;
        }
        self.posting
    }

    /// One more line; a zero amount posts no entry.
    fn line(mut self, account: Account, currency: Currency, amount: Micros) -> Self {
        if !amount.is_zero() {
            self.posting.entries.push(Entry { account: LedgerAccount { account, currency }, amount });
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    fn rate(base: &str, rate: &str) -> BaseRate {
        BaseRate { base: currency(base), rate: rate.parse().unwrap() }
    }

    #[test]
    fn zero_amounts_leave_no_entry() {
        let posting = Draft::new("k".to_owned(), currency("USD"))
            .debit(Account::Bank, Micros::ZERO)
            .credit(Account::Sales, Micros::ZERO)
            .post();
        assert!(posting.is_empty());
    }

    #[test]
    #[should_panic(expected = "k does not balance")]
    fn what_does_not_balance_is_no_posting() {
        Draft::new("k".to_owned(), currency("USD")).debit(Account::Bank, Micros::ONE).post();
    }

    #[test]
    #[should_panic(expected = "does not balance")]
    fn two_currencies_do_not_make_up_for_each_other() {
        let rate = rate("USD", "1");
        Draft::new("k".to_owned(), currency("EUR"))
            .debit(Account::Bank, Micros::ONE)
            .debit_base(Account::Bank, -Micros::ONE, &rate)
            .post();
    }

    #[test]
    fn a_fall_is_worth_what_the_rise_was() {
        let rate = rate("USD", "1.5");
        let worth = |micros| rate.worth(Money::new(Micros::new(micros), currency("EUR")));
        assert_eq!((worth(1), worth(-1), worth(3)), (Micros::new(2), Micros::new(-2), Micros::new(5)));
        assert_eq!(rate.worth(Money::new(Micros::new(7), currency("USD"))), Micros::new(7));
    }

    #[test]
    #[should_panic(expected = "leaves the range of the books")]
    fn a_worth_out_of_range_is_no_amount() {
        rate("USD", "1000").worth(Money::new(Micros::new(i64::MAX), currency("EUR")));
    }

    #[test]
    fn the_rate_is_kept_only_if_something_was_exchanged() {
        let rate = rate("USD", "1.1");
        let empty = Draft::new("k".to_owned(), currency("EUR")).expense(Account::Goodwill, Micros::ZERO, &rate).post();
        assert_eq!((empty.is_empty(), empty.fx), (true, None));
        let tiny = Draft::new("k".to_owned(), currency("EUR"))
            .expense(Account::Goodwill, Micros::new(10), &rate)
            .credit(Account::Bank, Micros::new(10))
            .post();
        assert_eq!(tiny.fx, Some(Fx { from: currency("EUR"), to: currency("USD"), rate: rate.rate }));
    }
}
