//! What must hold in the books at all times. Each invariant is a query, kept beside the tables, that must return no
//! row.

/// One invariant, as `ledger verify` reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invariant {
    /// Its number in the design.
    pub number: u8,
    /// A short name for a line of a report.
    pub name: &'static str,
    /// What must hold.
    pub rule: &'static str,
}

/// Every invariant that is checked, in the order of the numbers.
pub const INVARIANTS: &[Invariant] = &[
    invariant(1, "balanced transactions", "every transaction balances per currency and has two entries or more"),
    invariant(2, "balanced books", "the whole books are zero per currency"),
    invariant(3, "sound entries", "every entry has an account of its currency and is not zero"),
    invariant(4, "stored balances", "a stored balance is the sum of its entries"),
    invariant(5, "unbroken balances", "versions and running balances have no gap"),
    invariant(6, "wallet floors", "no wallet entry passed the floor in force, unless its reason is `chargeback`"),
    invariant(
        7,
        "conserved orders",
        "an open order holds its charge in liabilities:orders; an ended one holds nothing there, and refund + earned = \
         charge",
    ),
    invariant(8, "refunds by the rule", "a refund is floor(charge × remains / quantity)"),
    invariant(9, "one live attempt", "an order has at most one live attempt"),
    invariant(
        10,
        "attempts in the books",
        "committed is what queued, sending and unknown attempts reserved; wip is what accepted ones that have not \
         ended cost so far; disputed is what disputed ones reserved",
    ),
    invariant(11, "upstream orders", "an upstream order id belongs to one attempt"),
    invariant(
        12,
        "intent before send",
        "every submission was recorded before it was sent, and no attempt is sending whose lease ended more than 60 s \
         before the last heartbeat of any serve",
    ),
    invariant(
        15,
        "nothing silent",
        "each change of state has its event, and each unknown, dispute and suspense has its case",
    ),
];

const fn invariant(number: u8, name: &'static str, rule: &'static str) -> Invariant {
    Invariant { number, name, rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_names_are_told_apart() {
        let numbers: Vec<u8> = INVARIANTS.iter().map(|invariant| invariant.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15]);
        let names: std::collections::BTreeSet<&str> = INVARIANTS.iter().map(|invariant| invariant.name).collect();
        assert_eq!(names.len(), INVARIANTS.len());
    }
}
