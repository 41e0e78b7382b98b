//! The upstream's side of an order: what one attempt moves, from its reserve to the last late charge.
//!
//! Where its money stands follows from its state: committed while queued, sending or unknown; wip while accepted;
//! disputed while disputed; nowhere once it ended, was released or was settled.

use interline_domain::{AttemptId, Currency, Micros, Money, UpstreamId};

use crate::{
    chart::Account,
    posting::{BaseRate, Draft, Posting},
};

/// What the books hold for one attempt, in its upstream's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptBook {
    /// The attempt; its id is in every key.
    pub attempt: AttemptId,
    /// Where.
    pub upstream: UpstreamId,
    /// The upstream's currency.
    pub currency: Currency,
    /// What was reserved for it: the expected cost.
    pub reserve: Micros,
    /// What `assets:wip` holds for it: nothing before it was accepted, then the reserve or the last charge that was
    /// booked.
    pub wip: Micros,
}

/// Which account holds the reserve of an attempt that is written off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It is unknown.
    Committed,
    /// It is disputed.
    Disputed,
}

/// An attempt is queued or sending: its cost is set aside. Whoever writes it checks that the book holds that much.
pub fn reserve(book: &AttemptBook) -> Posting {
    book.move_reserve("reserve", Account::Committed, Account::Upstream)
}

/// Certainly not taken: the reserve goes back.
pub fn release(book: &AttemptBook) -> Posting {
    book.move_reserve("release", Account::Upstream, Account::Committed)
}

/// The upstream took it: the reserve is the cost until a charge is read.
pub fn accept(book: &AttemptBook) -> Posting {
    book.move_reserve("accept", Account::Wip, Account::Committed)
}

/// A usable charge was read while the order runs, the first one or a changed one; afterwards wip holds `charge`. `n`
/// counts the numbered postings of the attempt.
pub fn running_charge(book: &AttemptBook, charge: Micros, n: u32) -> Posting {
    book.wip_becomes(book.draft(&format!("charge:{n}")), charge).post()
}

/// The upstream's order ended at `target_cost` (see [`crate::cost::target_cost`]): what wip holds above it is claimed,
/// what it lacks is taken from the upstream, and all of it becomes cost: the reserved price of what was delivered, and
/// a variance that takes the rounding of an exchange too. Afterwards wip holds nothing.
pub fn attempt_end(book: &AttemptBook, target_cost: Micros, reserved_price: Micros, rate: &BaseRate) -> Posting {
    let worth = |amount| rate.worth(Money::new(amount, book.currency));
    let (cost, delivered) = (worth(target_cost), worth(reserved_price));
    book.wip_becomes(book.draft("end"), target_cost)
        .credit(book.at(Account::Wip), target_cost)
        .exchange(target_cost, rate)
        .debit_base(book.at(Account::Cogs), delivered, rate)
        .debit_base(book.at(Account::CogsVariance), cost - delivered, rate)
        .post()
}

/// The charge moved after the end, and with it the cost that was booked, `from` → `to`. It counts as variance, or as
/// loss (`to_loss`) once the attempt was settled or contradicted. A rise while a refill of that order is open is
/// [`crate::upstreams::refill_charge`] instead.
pub fn late_charge(book: &AttemptBook, from: Micros, to: Micros, n: u32, rate: &BaseRate, to_loss: bool) -> Posting {
    let expense = if to_loss { book.at(Account::Loss) } else { book.at(Account::CogsVariance) };
    let draft = book.draft(&format!("late:{n}"));
    let draft = if to > from {
        draft.expense(expense, to - from, rate).credit(book.at(Account::Upstream), to - from)
    } else {
        draft.debit(book.at(Account::Claims), from - to).expense(expense, to - from, rate)
    };
    draft.post()
}

/// Unknown past its deadline under the policy "refund": the reserve waits for proof apart from what is committed.
pub fn dispute(book: &AttemptBook) -> Posting {
    book.move_reserve("dispute", Account::Disputed, Account::Committed)
}

/// A disputed attempt was found taken at `charge`. Its order stays canceled, so all of it is lost.
pub fn settle_taken(book: &AttemptBook, charge: Micros, rate: &BaseRate) -> Posting {
    book.draft("settle")
        .expense(book.at(Account::Loss), book.reserve, rate)
        .credit(book.at(Account::Disputed), book.reserve)
        .expense(book.at(Account::Loss), charge - book.reserve, rate)
        .credit(book.at(Account::Upstream), charge - book.reserve)
        .post()
}

/// A disputed attempt was found not taken: the reserve goes back.
pub fn settle_not_taken(book: &AttemptBook) -> Posting {
    book.move_reserve("settle", Account::Upstream, Account::Disputed)
}

/// A person closed the case of an unknown or disputed attempt without proof: the reserve is lost.
pub fn write_off(book: &AttemptBook, from: Held, rate: &BaseRate) -> Posting {
    let held = match from {
        Held::Committed => book.at(Account::Committed),
        Held::Disputed => book.at(Account::Disputed),
    };
    book.draft("settle").expense(book.at(Account::Loss), book.reserve, rate).credit(held, book.reserve).post()
}

/// An attempt that was released was found taken at `charge`: nothing is held for it, so all of it is lost.
pub fn contradiction(book: &AttemptBook, charge: Micros, rate: &BaseRate) -> Posting {
    book.draft("contradiction")
        .expense(book.at(Account::Loss), charge, rate)
        .credit(book.at(Account::Upstream), charge)
        .post()
}

/// A kind of account that each upstream has.
type OfUpstream = fn(UpstreamId) -> Account;

impl AttemptBook {
    fn draft(&self, event: &str) -> Draft {
        Draft::new(format!("attempt:{}:{event}", self.attempt), self.currency)
    }

    fn at(&self, account: OfUpstream) -> Account {
        account(self.upstream.clone())
    }

    fn move_reserve(&self, event: &str, debit: OfUpstream, credit: OfUpstream) -> Posting {
        self.draft(event).debit(self.at(debit), self.reserve).credit(self.at(credit), self.reserve).post()
    }

    /// Brings wip to `cost`: a rise is taken from the upstream, a fall is owed by it.
    fn wip_becomes(&self, draft: Draft, cost: Micros) -> Draft {
        if cost > self.wip {
            draft.debit(self.at(Account::Wip), cost - self.wip).credit(self.at(Account::Upstream), cost - self.wip)
        } else {
            draft.debit(self.at(Account::Claims), self.wip - cost).credit(self.at(Account::Wip), self.wip - cost)
        }
    }
}
