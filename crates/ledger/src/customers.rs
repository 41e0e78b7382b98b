//! The customer's side: wallets, charges, refunds and sales. Everything here is in the currency of the account.

use interline_domain::{AccountId, Micros, Money, OrderId};

use crate::{
    chart::Account,
    posting::{Draft, Posting},
};

/// Money that came in for a customer. The same `reference` twice is one deposit: the key refuses the second.
pub fn deposit(account: &AccountId, amount: Money, reference: &str) -> Posting {
    Draft::new(format!("deposit:{account}:{reference}"), amount.currency)
        .debit(Account::Bank, amount.amount)
        .credit(Account::Wallet(account.clone()), amount.amount)
        .post()
}

/// Money given to a customer, or taken back when the amount is negative, by a person with a reason.
pub fn adjustment(account: &AccountId, amount: Money, reference: &str, reason: &str) -> Posting {
    Draft::new(format!("adjust:{account}:{reference}"), amount.currency)
        .debit(Account::Goodwill, amount.amount)
        .credit(Account::Wallet(account.clone()), amount.amount)
        .because(reason)
        .post()
}

/// An order was placed: its charge leaves the wallet and is owed as delivery. Whoever writes it checks the wallet's
/// floor.
pub fn order_charge(order: OrderId, account: &AccountId, charge: Money) -> Posting {
    Draft::new(format!("order:{order}:charge"), charge.currency)
        .debit(Account::Wallet(account.clone()), charge.amount)
        .credit(Account::Orders, charge.amount)
        .post()
}

/// An order ended: `refund` goes back to the wallet and the rest of its charge is earned. Completed: nothing goes back;
/// canceled or failed: all of it.
///
/// # Panics
/// When the refund is negative or more than the charge: the rule for refunds was broken.
pub fn order_end(order: OrderId, account: &AccountId, charge: Money, refund: Micros) -> Posting {
    let within = !refund.is_negative() && refund <= charge.amount;
    assert!(within, "order {order}: a refund of {refund} is no part of the charge {charge}");
    Draft::new(format!("order:{order}:end"), charge.currency)
        .debit(Account::Orders, charge.amount)
        .credit(Account::Wallet(account.clone()), refund)
        .credit(Account::Sales, charge.amount - refund)
        .post()
}
