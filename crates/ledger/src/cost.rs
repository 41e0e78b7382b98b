//! The cost rules: which reported charges are believed, and what an order costs us in the end (the target cost T).
//!
//! All amounts are in the upstream's currency. Upstreams mean different things by `charge` after a partial end, so how
//! it is read is configured per upstream ([`ChargeAfterPartial`]).

use interline_domain::{Currency, Micros};
use rust_decimal::Decimal;

/// What an upstream's `charge` means once a part of the order was not delivered (`charge_after_partial` of the
/// catalogue).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChargeAfterPartial {
    /// What it keeps.
    Net,
    /// What it took at first; the undelivered share comes back.
    Gross,
    /// One of the two, not known which.
    Unknown,
}

impl ChargeAfterPartial {
    /// Every meaning there is.
    pub const ALL: [Self; 3] = [Self::Net, Self::Gross, Self::Unknown];

    /// The name that a catalogue file gives.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Gross => "gross",
            Self::Unknown => "unknown",
        }
    }

    /// The meaning of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meaning| meaning.name() == name)
    }
}

/// How the upstream's order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Delivered.
    Completed,
    /// A part was not delivered.
    Partial {
        /// Units not delivered, at most the quantity.
        remains: u64,
    },
    /// Nothing was delivered.
    Canceled,
}

impl End {
    /// Units not delivered of `quantity`.
    pub const fn remains(self, quantity: u64) -> u64 {
        match self {
            Self::Completed => 0,
            Self::Partial { remains } => remains,
            Self::Canceled => quantity,
        }
    }
}

/// Whether a reported charge is in the upstream's currency; one that was not named is taken to be.
pub fn in_currency(reported: Option<Currency>, upstream: Currency) -> bool {
    reported.is_none_or(|currency| currency == upstream)
}

/// Whether a charge that was read while the order runs may be posted: from the reserve (many panels say 0 before the
/// start, or the unit price) to `factor_max` times the reserve. Otherwise nothing is posted from it and a finding is
/// opened.
pub fn usable_while_running(charge: Micros, reserve: Micros, factor_max: Decimal) -> bool {
    charge >= reserve && at_most(charge, factor_max, reserve)
}

/// Whether a charge that was read at the end or later may be posted: from the reserved price of what was delivered
/// divided by `factor_max` (from nothing, if it was canceled) to `factor_max` times the reserve. Otherwise the rule
/// without a report applies and a finding is opened.
pub fn usable_at_end(charge: Micros, reserve: Micros, reserved_price: Micros, end: End, factor_max: Decimal) -> bool {
    let enough = match end {
        End::Completed | End::Partial { .. } => at_most(reserved_price, factor_max, charge),
        End::Canceled => !charge.is_negative(),
    };
    enough && at_most(charge, factor_max, reserve)
}

/// The reserved price of what was delivered: `reserve − floor(reserve × remains / quantity)`, for `remains ≤ quantity`.
pub fn reserved_price(reserve: Micros, remains: u64, quantity: u64) -> Micros {
    reserve - reserve.share(remains, quantity)
}

/// What the order costs us, decided by the reply that ended it. `wip_before` is what wip held before that reply;
/// `reported` is the charge in it, if there was one and it is usable. Without one, `net` has nothing to take and is
/// read like the others.
pub fn target_cost(
    end: End,
    wip_before: Micros,
    reported: Option<Micros>,
    policy: ChargeAfterPartial,
    quantity: u64,
) -> Micros {
    match (policy, reported) {
        (ChargeAfterPartial::Net, Some(net)) => net,
        (ChargeAfterPartial::Gross, Some(gross)) => after_refund(end, gross, quantity),
        (ChargeAfterPartial::Net | ChargeAfterPartial::Gross, None) | (ChargeAfterPartial::Unknown, _) => {
            after_refund(end, wip_before, quantity)
        }
    }
}

/// What the order costs us after a usable charge was read later than its end; `booked` itself when nothing is to be
/// posted.
///
/// `booked` is the cost as it was booked last (T), `last_running` the last charge that was booked while it ran, or the
/// reserve if none was. `net` and `gross` follow the rule of [`target_cost`], and so does a completed order under
/// `unknown`, for which net and gross are one. Otherwise, under `unknown`:
/// - between T and the last running charge it may be the gross charge of old, or some net one: nothing is posted;
/// - above both, the upstream took more than we knew: it is read as a gross charge;
/// - below both, no gross charge can have fallen so far: it can only be the net one, and is the new cost.
pub fn late_target_cost(
    end: End,
    booked: Micros,
    last_running: Micros,
    reported: Micros,
    policy: ChargeAfterPartial,
    quantity: u64,
) -> Micros {
    let as_gross = || after_refund(end, reported, quantity);
    match policy {
        ChargeAfterPartial::Net => reported,
        ChargeAfterPartial::Gross => as_gross(),
        ChargeAfterPartial::Unknown if end == End::Completed || reported > booked.max(last_running) => as_gross(),
        ChargeAfterPartial::Unknown if reported < booked.min(last_running) => reported,
        ChargeAfterPartial::Unknown => booked,
    }
}

/// What stays of a gross `cost` after the undelivered share came back.
fn after_refund(end: End, cost: Micros, quantity: u64) -> Micros {
    cost - cost.share(end.remains(quantity), quantity)
}

/// Whether `amount ≤ factor × of`. What cannot even be computed is out of any bound.
fn at_most(amount: Micros, factor: Decimal, of: Micros) -> bool {
    of.to_decimal().checked_mul(factor).is_some_and(|limit| amount.to_decimal() <= limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ChargeAfterPartial::{Gross, Net, Unknown};
    use super::*;

    const QUANTITY: u64 = 1_000;
    const PARTIAL: End = End::Partial { remains: 157 };

    fn amount(text: &str) -> Micros {
        text.parse().unwrap()
    }

    #[test]
    fn the_worked_example_of_the_design() {
        let target = target_cost(PARTIAL, amount("0.94185"), None, Gross, QUANTITY);
        let price = reserved_price(amount("0.9"), 157, QUANTITY);
        assert_eq!(amount("0.94185") - target, amount("0.14787"));
        assert_eq!((price, target - price), (amount("0.7587"), amount("0.03528")));
    }

    #[test]
    fn the_target_cost_by_end_and_meaning() {
        // Wip held 0.9; the reply that ended the order said 0.8, or nothing.
        for (end, policy, reported, target) in [
            (End::Completed, Net, Some("0.8"), "0.8"),
            (End::Completed, Gross, Some("0.8"), "0.8"),
            (End::Completed, Unknown, Some("0.8"), "0.9"),
            (End::Completed, Net, None, "0.9"),
            (End::Completed, Gross, None, "0.9"),
            (End::Completed, Unknown, None, "0.9"),
            (PARTIAL, Net, Some("0.8"), "0.8"),
            (PARTIAL, Gross, Some("0.8"), "0.6744"),
            (PARTIAL, Unknown, Some("0.8"), "0.7587"),
            (PARTIAL, Net, None, "0.7587"),
            (PARTIAL, Gross, None, "0.7587"),
            (PARTIAL, Unknown, None, "0.7587"),
            (End::Canceled, Net, Some("0.8"), "0.8"),
            (End::Canceled, Gross, Some("0.8"), "0"),
            (End::Canceled, Unknown, Some("0.8"), "0"),
            (End::Canceled, Net, None, "0"),
            (End::Canceled, Gross, None, "0"),
            (End::Canceled, Unknown, None, "0"),
        ] {
            let found = target_cost(end, amount("0.9"), reported.map(amount), policy, QUANTITY);
            assert_eq!(found, amount(target), "{end:?} {policy:?} {reported:?}");
        }
    }

    #[test]
    fn the_late_cost_by_meaning() {
        // Booked 0.7587 of a charge of 0.9 that was read while it ran.
        for (policy, reported, late) in [
            (Net, "0.9", "0.9"),
            (Net, "0.7", "0.7"),
            (Gross, "0.9", "0.7587"),
            (Gross, "1", "0.843"),
            (Unknown, "0.9", "0.7587"),
            (Unknown, "0.8", "0.7587"),
            (Unknown, "0.7587", "0.7587"),
            (Unknown, "0.758699", "0.758699"),
            (Unknown, "0.5", "0.5"),
            (Unknown, "1", "0.843"),
        ] {
            let found = late_target_cost(PARTIAL, amount("0.7587"), amount("0.9"), amount(reported), policy, QUANTITY);
            assert_eq!(found, amount(late), "{policy:?} {reported}");
        }
        // Completed, it costs what the upstream says; canceled, a gross charge costs nothing.
        for (reported, completed) in [("0.95", "0.95"), ("0.9", "0.9"), ("0.5", "0.5")] {
            let charge = amount(reported);
            let found = late_target_cost(End::Completed, amount("0.9"), amount("0.9"), charge, Unknown, QUANTITY);
            assert_eq!(found, amount(completed));
            let canceled = late_target_cost(End::Canceled, Micros::ZERO, amount("0.9"), charge, Unknown, QUANTITY);
            assert_eq!(canceled, Micros::ZERO);
        }
    }

    #[test]
    fn which_charges_are_believed() {
        let two = Decimal::TWO;
        for (charge, usable) in [("0", false), ("0.899999", false), ("0.9", true), ("1.8", true), ("1.800001", false)] {
            assert_eq!(usable_while_running(amount(charge), amount("0.9"), two), usable, "{charge}");
        }
        for (end, charge, usable) in [
            (End::Completed, "0.449999", false),
            (End::Completed, "0.45", true),
            (End::Completed, "1.8", true),
            (End::Completed, "1.800001", false),
            (PARTIAL, "0.379349", false),
            (PARTIAL, "0.37935", true),
            (PARTIAL, "1.8", true),
            (End::Canceled, "-0.000001", false),
            (End::Canceled, "0", true),
            (End::Canceled, "1.8", true),
            (End::Canceled, "1.800001", false),
        ] {
            let price = reserved_price(amount("0.9"), end.remains(QUANTITY), QUANTITY);
            assert_eq!(usable_at_end(amount(charge), amount("0.9"), price, end, two), usable, "{end:?} {charge}");
        }
    }

    #[test]
    fn a_charge_in_another_currency_is_not_ours() {
        let (usd, eur): (Currency, Currency) = ("USD".parse().unwrap(), "EUR".parse().unwrap());
        assert!(in_currency(None, usd) && in_currency(Some(usd), usd) && !in_currency(Some(eur), usd));
    }

    #[test]
    fn meanings_have_names() {
        for meaning in ChargeAfterPartial::ALL {
            assert_eq!(ChargeAfterPartial::from_name(meaning.name()), Some(meaning));
        }
        assert_eq!(ChargeAfterPartial::from_name("Net"), None);
    }

    fn any_end() -> impl Strategy<Value = End> {
        prop_oneof![
            Just(End::Completed),
            (0..=QUANTITY).prop_map(|remains| End::Partial { remains }),
            Just(End::Canceled)
        ]
    }

    proptest! {
        /// The same charge read again never moves the cost a second time.
        #[test]
        fn a_late_charge_read_twice_moves_the_cost_once(
            end in any_end(), wip in 0i64..=2_000_000, charge in 0i64..=2_000_000, pick in 0usize..3,
        ) {
            let policy = ChargeAfterPartial::ALL[pick];
            let (wip, charge) = (Micros::new(wip), Micros::new(charge));
            let booked = target_cost(end, wip, None, policy, QUANTITY);
            let once = late_target_cost(end, booked, wip, charge, policy, QUANTITY);
            let twice = late_target_cost(end, once, wip, charge, policy, QUANTITY);
            prop_assert_eq!(once, twice);
            prop_assert!(!once.is_negative());
        }

        #[test]
        fn the_cost_without_a_report_is_part_of_what_wip_held(
            end in any_end(), wip in 0i64..=2_000_000, pick in 0usize..3,
        ) {
            let cost = target_cost(end, Micros::new(wip), None, ChargeAfterPartial::ALL[pick], QUANTITY);
            prop_assert!(!cost.is_negative() && cost <= Micros::new(wip));
        }
    }
}
