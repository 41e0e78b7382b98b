//! The money that lies at an upstream: what was paid in, what its balance shows, and what neither explains.

use interline_domain::{AttemptId, Micros, Money, UpstreamId};

use crate::{
    chart::{Account, Suspense},
    posting::{BaseRate, Draft, Posting},
};

/// What lies in suspense for one upstream: money whose top-up was seen in its balance before it was booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlreadySeen {
    /// Left of its first balance reading.
    pub opening: Micros,
    /// Left of later balances that were higher than explained.
    pub excess: Micros,
}

/// How a person explains money in suspense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explanation {
    /// It was paid in from our bank.
    Bank,
    /// It makes up for something that was booked as lost.
    Loss,
    /// It was there from the beginning.
    Opening,
}

/// Money was paid in at the upstream. What its balance has shown before is in the books already and is taken out of
/// suspense, the opening part first. The same `reference` twice is one top-up: the key refuses the second.
pub fn topup(upstream: &UpstreamId, amount: Money, reference: &str, already_seen: AlreadySeen) -> Posting {
    let paid = amount.amount;
    let opening = already_seen.opening.max(Micros::ZERO).min(paid);
    let excess = already_seen.excess.max(Micros::ZERO).min(paid - opening);
    Draft::new(format!("topup:{upstream}:{reference}"), amount.currency)
        .debit(Account::Upstream(upstream.clone()), paid - opening - excess)
        .debit(Account::Suspense(Suspense::Opening), opening)
        .debit(Account::Suspense(Suspense::Excess), excess)
        .credit(Account::Bank, paid)
        .post()
}

/// The first balance reading of an upstream for which no top-up was booked.
pub fn opening(upstream: &UpstreamId, reading: Money) -> Posting {
    Draft::new(format!("opening:{upstream}"), reading.currency)
        .debit(Account::Upstream(upstream.clone()), reading.amount)
        .credit(Account::Suspense(Suspense::Opening), reading.amount)
        .post()
}

/// A person turns what top-ups left of the first reading into an opening balance; once per upstream.
pub fn opening_settled(upstream: &UpstreamId, rest: Money, reason: &str) -> Posting {
    Draft::new(format!("opening:{upstream}:settle"), rest.currency)
        .debit(Account::Suspense(Suspense::Opening), rest.amount)
        .credit(Account::EquityOpening, rest.amount)
        .because(reason)
        .post()
}

/// A balance reading proved a claim, or a part of it; `n` counts the parts.
pub fn claim_shown(attempt: AttemptId, upstream: &UpstreamId, amount: Money, n: u32) -> Posting {
    Draft::new(format!("claim:{attempt}:{n}"), amount.currency)
        .debit(Account::Upstream(upstream.clone()), amount.amount)
        .credit(Account::Claims(upstream.clone()), amount.amount)
        .post()
}

/// A person gave up what is left of a claim.
pub fn claim_lost(attempt: AttemptId, upstream: &UpstreamId, amount: Money, rate: &BaseRate, reason: &str) -> Posting {
    Draft::new(format!("claim:{attempt}:lost"), amount.currency)
        .expense(Account::Loss(upstream.clone()), amount.amount, rate)
        .credit(Account::Claims(upstream.clone()), amount.amount)
        .because(reason)
        .post()
}

/// A balance stands higher than everything that explains it (see [`crate::band::unexplained`]); `n` counts such
/// findings of the upstream.
pub fn suspense_excess(upstream: &UpstreamId, amount: Money, n: u32) -> Posting {
    Draft::new(format!("suspense:{upstream}:{n}"), amount.currency)
        .debit(Account::Upstream(upstream.clone()), amount.amount)
        .credit(Account::Suspense(Suspense::Excess), amount.amount)
        .post()
}

/// A person explained what [`suspense_excess`] booked under the same `n`, or what is left of it.
pub fn excess_settled(
    upstream: &UpstreamId,
    amount: Money,
    n: u32,
    explanation: Explanation,
    rate: &BaseRate,
    reason: &str,
) -> Posting {
    let draft = Draft::new(format!("suspense:{upstream}:{n}:settle"), amount.currency)
        .debit(Account::Suspense(Suspense::Excess), amount.amount);
    let draft = match explanation {
        Explanation::Bank => draft.credit(Account::Bank, amount.amount),
        Explanation::Loss => draft.expense(Account::Loss(upstream.clone()), -amount.amount, rate),
        Explanation::Opening => draft.credit(Account::EquityOpening, amount.amount),
    };
    draft.because(reason).post()
}

/// A balance stands lower than explained, and a person accepted that as lost; `n` counts such cases of the upstream.
pub fn shortfall(upstream: &UpstreamId, amount: Money, n: u32, rate: &BaseRate, reason: &str) -> Posting {
    Draft::new(format!("shortfall:{upstream}:{n}"), amount.currency)
        .expense(Account::Loss(upstream.clone()), amount.amount, rate)
        .credit(Account::Upstream(upstream.clone()), amount.amount)
        .because(reason)
        .post()
}

/// The upstream's charge for an order rose by `rise` while the refill with the id `refill` was open; `n` counts the
/// rises of that refill. A free refill posts nothing.
pub fn refill_charge(refill: i64, upstream: &UpstreamId, rise: Money, n: u32, rate: &BaseRate) -> Posting {
    Draft::new(format!("refill:{refill}:charge:{n}"), rise.currency)
        .expense(Account::CogsRefill(upstream.clone()), rise.amount, rate)
        .credit(Account::Upstream(upstream.clone()), rise.amount)
        .post()
}
