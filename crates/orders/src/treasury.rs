//! Money that a person books: deposits and adjustments of customers, top-ups of upstreams. A reference books once.

use std::{collections::BTreeSet, sync::Arc};

use interline_domain::{AccountId, Currency, Micros, Money, Timestamp, UpstreamId};
use interline_ledger::{Account, AlreadySeen, LedgerAccount, Posting, customers, upstreams};
use interline_store::{Lane, Needs, Operation, StoreError, Tags, Work};

use crate::gateway::Gateway;

/// What became of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booking {
    /// It is in the books now.
    Booked,
    /// The same reference with the same amount was booked before.
    AlreadyBooked,
    /// The reference was booked before with another amount.
    OtherAmount,
    /// It would take the wallet below its floor.
    NoFunds,
}

impl Gateway {
    /// Books money that came in for a customer.
    pub async fn deposit(
        self: &Arc<Self>,
        account: &AccountId,
        amount: Money,
        reference: &str,
    ) -> Result<Booking, StoreError> {
        let posting = customers::deposit(account, amount, reference);
        self.book_for(account, posting, -amount.amount, amount.currency).await
    }

    /// Gives money to a customer, or takes it back when the amount is negative, for a reason.
    pub async fn adjust(
        self: &Arc<Self>,
        account: &AccountId,
        amount: Money,
        reference: &str,
        reason: &str,
    ) -> Result<Booking, StoreError> {
        let posting = customers::adjustment(account, amount, reference, reason);
        self.book_for(account, posting, -amount.amount, amount.currency).await
    }

    async fn book_for(
        &self,
        account: &AccountId,
        posting: Posting,
        taken: Micros,
        currency: Currency,
    ) -> Result<Booking, StoreError> {
        let operation = ForCustomer { account: account.clone(), posting, taken, currency, now: self.now() };
        self.store.writer().run(Lane::Urgent, operation).await
    }

    /// Books money that was paid in at an upstream, in the upstream's currency.
    pub async fn topup(
        self: &Arc<Self>,
        upstream: &UpstreamId,
        amount: Money,
        reference: &str,
    ) -> Result<Booking, StoreError> {
        let operation = TopUp { upstream: upstream.clone(), amount, reference: reference.to_owned(), now: self.now() };
        let booking = self.store.writer().run(Lane::Urgent, operation).await?;
        self.refresh_health().await?;
        Ok(booking)
    }
}

/// Compares what a reference was booked with, by what its first entry moves.
fn booked_before(work: &Work, posting: &Posting, on: fn(&Account) -> bool) -> Option<Booking> {
    let booked = work.booked(&posting.key)?;
    let then = booked.entries.iter().find(|(account, _)| on(&account.account)).map(|e| e.1);
    let now = posting.entries.iter().find(|e| on(&e.account.account)).map(|e| e.amount);
    Some(if then == now { Booking::AlreadyBooked } else { Booking::OtherAmount })
}

/// Money for a customer, or from one.
#[derive(Debug)]
struct ForCustomer {
    account: AccountId,
    posting: Posting,
    /// What the wallet loses; negative for what it gains.
    taken: Micros,
    currency: Currency,
    now: Timestamp,
}

impl Operation for ForCustomer {
    type Reply = Booking;

    fn needs(&self, needs: &mut Needs) {
        needs.keys.insert(self.posting.key.clone());
    }

    fn accounts(&self, _: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        accounts.extend(self.posting.entries.iter().map(|e| e.account.clone()));
    }

    fn decide(&self, work: &mut Work) -> Booking {
        if let Some(before) = booked_before(work, &self.posting, |account| matches!(account, Account::Wallet(_))) {
            return before;
        }
        if self.taken > Micros::ZERO && work.would_pass_floor(&self.account, self.currency, self.taken) {
            return Booking::NoFunds;
        }
        let tags = Tags { customer: Some(self.account.clone()), ..Tags::default() };
        work.post(&self.posting, &tags, self.now);
        Booking::Booked
    }
}

#[derive(Debug)]
struct TopUp {
    upstream: UpstreamId,
    amount: Money,
    reference: String,
    now: Timestamp,
}

impl Operation for TopUp {
    type Reply = Booking;

    fn needs(&self, needs: &mut Needs) {
        needs.keys.insert(upstreams::topup(&self.upstream, self.amount, &self.reference, AlreadySeen::default()).key);
        needs.upstreams.entry(self.upstream.clone()).or_default();
    }

    fn accounts(&self, _: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        let account = Account::Upstream(self.upstream.clone());
        accounts.insert(LedgerAccount { account, currency: self.amount.currency });
    }

    fn decide(&self, work: &mut Work) -> Booking {
        let (opening, excess) = work.upstream(&self.upstream).map_or_else(Default::default, |books| books.suspense);
        let posting = upstreams::topup(&self.upstream, self.amount, &self.reference, AlreadySeen { opening, excess });
        if let Some(before) = booked_before(work, &posting, |account| *account == Account::Bank) {
            return before;
        }
        let tags = Tags { upstream: Some(self.upstream.clone()), ..Tags::default() };
        work.post(&posting, &tags, self.now);
        let mut books = work.upstream(&self.upstream).cloned().unwrap_or_default();
        let from_opening = opening.max(Micros::ZERO).min(self.amount.amount);
        let from_excess = excess.max(Micros::ZERO).min(self.amount.amount - from_opening);
        books.suspense = (opening - from_opening, excess - from_excess);
        for (kind, left) in [("suspense-opening", books.suspense.0), ("suspense-excess", books.suspense.1)] {
            work.revalue_upstream_cases(&self.upstream, kind, left);
            if left.is_zero() {
                work.close_upstream_cases(&self.upstream, kind, self.now, &format!("top-up {} booked", self.reference));
            }
        }
        work.set_books(&self.upstream, books);
        Booking::Booked
    }
}
