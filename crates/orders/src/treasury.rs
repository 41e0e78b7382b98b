//! Money that a person books: deposits of customers and top-ups of upstreams. A reference books once.

use std::{collections::BTreeSet, sync::Arc};

use interline_domain::{AccountId, Money, Timestamp, UpstreamId};
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
        let tags = Tags { customer: Some(account.clone()), ..Tags::default() };
        self.store.writer().run(Lane::Customer, Deposit { posting, tags, now: self.now() }).await
    }

    /// Books money that was paid in at an upstream, in the upstream's currency.
    pub async fn topup(
        self: &Arc<Self>,
        upstream: &UpstreamId,
        amount: Money,
        reference: &str,
    ) -> Result<Booking, StoreError> {
        let operation = TopUp { upstream: upstream.clone(), amount, reference: reference.to_owned(), now: self.now() };
        let booking = self.store.writer().run(Lane::Customer, operation).await?;
        self.refresh_health().await?;
        Ok(booking)
    }
}

/// Compares what a reference was booked with, by what it took from the bank.
fn booked_before(work: &Work, posting: &Posting) -> Option<Booking> {
    let bank = |account: &LedgerAccount| account.account == Account::Bank;
    let booked = work.booked(&posting.key)?;
    let then = booked.entries.iter().find(|(account, _)| bank(account)).map(|e| e.1);
    let now = posting.entries.iter().find(|e| bank(&e.account)).map(|e| e.amount);
    Some(if then == now { Booking::AlreadyBooked } else { Booking::OtherAmount })
}

#[derive(Debug)]
struct Deposit {
    posting: Posting,
    tags: Tags,
    now: Timestamp,
}

impl Operation for Deposit {
    type Reply = Booking;

    fn needs(&self, needs: &mut Needs) {
        needs.keys.insert(self.posting.key.clone());
    }

    fn accounts(&self, _: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        accounts.extend(self.posting.entries.iter().map(|e| e.account.clone()));
    }

    fn decide(&self, work: &mut Work) -> Booking {
        if let Some(before) = booked_before(work, &self.posting) {
            return before;
        }
        work.post(&self.posting, &self.tags, self.now);
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
        let mut books = work.upstream(&self.upstream).cloned().unwrap_or_default();
        let (opening, excess) = books.suspense;
        let posting = upstreams::topup(&self.upstream, self.amount, &self.reference, AlreadySeen { opening, excess });
        if let Some(before) = booked_before(work, &posting) {
            return before;
        }
        let tags = Tags { upstream: Some(self.upstream.clone()), ..Tags::default() };
        work.post(&posting, &tags, self.now);
        let from_opening = opening.min(self.amount.amount);
        let from_excess = excess.min(self.amount.amount - from_opening);
        books.suspense = (opening - from_opening, excess - from_excess);
        for (kind, left) in [("suspense-opening", books.suspense.0), ("suspense-excess", books.suspense.1)] {
            if left.is_zero() {
                work.close_upstream_cases(&self.upstream, kind, self.now, &format!("top-up {} booked", self.reference));
            }
        }
        work.set_books(&self.upstream, books);
        Booking::Booked
    }
}
