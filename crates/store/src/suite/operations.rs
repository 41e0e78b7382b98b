//! The operations that the suite writes by: a posting, an order with its attempts, an order's end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use interline_domain::{AttemptState, Micros, Money, OrderId, OrderKind, OrderStatus, ServiceId, Timestamp, price};
use interline_ledger::{Account, AlreadySeen, AttemptBook, LedgerAccount, Posting, attempts, customers, upstreams};
use serde_json::json;

use super::{NOW, customer, money, upstream_id, usd};
use crate::{AttemptRow, Needs, Operation, OrderRow, Tags, Work, attempt_tags, order_tags};

/// Units that every order is for.
const QUANTITY: u64 = 1_000;
/// How long the same order sent again is the same order.
pub(super) const WINDOW_MS: i64 = 60_000;
const SERVICE: ServiceId = ServiceId(101);

/// Books a posting, unless its key is in the books; says whether it did.
pub(super) struct Book {
    posting: Posting,
    names_its_key: bool,
    decided: Arc<AtomicU32>,
}

impl Book {
    pub(super) fn new(posting: Posting) -> Self {
        Self { posting, names_its_key: true, decided: Arc::default() }
    }

    /// It does not ask whether its key is in the books.
    pub(super) fn forgetful(self) -> Self {
        Self { names_its_key: false, ..self }
    }

    /// Counts in `decided` how often it is decided.
    pub(super) fn counted_in(self, decided: &Arc<AtomicU32>) -> Self {
        Self { decided: Arc::clone(decided), ..self }
    }
}

/// Money that comes in for the customer.
pub(super) fn deposit(amount: &str, reference: &str) -> Book {
    Book::new(customers::deposit(&customer(), Money::new(money(amount), usd()), reference))
}

/// Money that is paid in at `alpha`.
pub(super) fn topup(amount: &str, reference: &str) -> Book {
    let paid = Money::new(money(amount), usd());
    Book::new(upstreams::topup(&upstream_id("alpha"), paid, reference, AlreadySeen::default()))
}

impl Operation for Book {
    type Reply = bool;

    fn needs(&self, needs: &mut Needs) {
        if self.names_its_key {
            needs.keys.insert(self.posting.key.clone());
        }
    }

    fn accounts(&self, _work: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        accounts.extend(self.posting.entries.iter().map(|entry| entry.account.clone()));
    }

    fn decide(&self, work: &mut Work) -> bool {
        self.decided.fetch_add(1, Ordering::Relaxed);
        if work.booked(&self.posting.key).is_some() {
            return false;
        }
        work.post(&self.posting, &Tags::default(), NOW);
        work.event(&Tags::default(), NOW, "booked", self.posting.key.as_str(), None);
        true
    }
}

/// An attempt of an order that is placed; it reserves nothing unless it says so.
pub(super) struct NewAttempt {
    upstream: &'static str,
    state: AttemptState,
    upstream_order: Option<&'static str>,
    reserve: Micros,
}

pub(super) fn attempt(upstream: &'static str, state: AttemptState) -> NewAttempt {
    NewAttempt { upstream, state, upstream_order: None, reserve: Micros::ZERO }
}

impl NewAttempt {
    /// The upstream knows it by that id.
    pub(super) fn held_as(self, upstream_order: &'static str) -> Self {
        Self { upstream_order: Some(upstream_order), ..self }
    }

    pub(super) fn reserving(self, amount: &str) -> Self {
        Self { reserve: money(amount), ..self }
    }

    fn add_to(&self, work: &mut Work, order: OrderId, now: Timestamp) {
        let was_sent = !matches!(self.state, AttemptState::Queued | AttemptState::Released);
        let row = AttemptRow {
            id: work.next_attempt_id(),
            order_id: order,
            upstream: upstream_id(self.upstream),
            upstream_service: "1".to_owned(),
            params: BTreeMap::new(),
            state: self.state,
            upstream_order: self.upstream_order.map(str::to_owned),
            currency: usd(),
            reserve: self.reserve,
            wip: Micros::ZERO,
            last_charge: self.reserve,
            charge_read: false,
            cost: None,
            claim: Micros::ZERO,
            postings: 0,
            to_loss: false,
            send_number: i64::from(was_sent),
            owner: was_sent.then(|| "boot-1".to_owned()),
            lease_until: was_sent.then_some(now),
            not_before: now,
            queued_at: now,
            sent_at: was_sent.then_some(now),
            decided_at: None,
            ended_at: None,
            reason: None,
        };
        let tags = attempt_tags(&row, Some(SERVICE));
        let book = AttemptBook {
            attempt: row.id,
            upstream: row.upstream.clone(),
            currency: row.currency,
            reserve: row.reserve,
            wip: row.wip,
        };
        work.post(&attempts::reserve(&book), &tags, now);
        for state in [AttemptState::Queued, self.state] {
            work.event(&tags, now, state.name(), state.name(), None);
        }
        if matches!(self.state, AttemptState::Unknown | AttemptState::Disputed) {
            work.open_case(
                self.state.name(),
                &tags,
                Some((row.reserve, usd())),
                now,
                "look at the upstream",
                json!({}),
            );
        }
        work.add_attempt(row);
    }
}

/// What became of an order that was to be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placed {
    /// It is new.
    New {
        /// Its id.
        order: OrderId,
        /// Whether it is the first of its commit that books anything.
        leads: bool,
    },
    /// The same order was placed a moment ago.
    Known(OrderId),
    /// The wallet does not hold its charge.
    Refused,
}

impl Placed {
    /// The id of an order that is new.
    pub(super) fn new_order(&self) -> Option<OrderId> {
        match self {
            Self::New { order, .. } => Some(*order),
            Self::Known(_) | Self::Refused => None,
        }
    }
}

/// Places an order of the customer.
pub(super) struct Place {
    charge: Micros,
    fingerprint: Option<&'static str>,
    attempts: Vec<NewAttempt>,
    now: Timestamp,
}

pub(super) fn place(charge: &str) -> Place {
    Place { charge: money(charge), fingerprint: None, attempts: Vec::new(), now: NOW }
}

impl Place {
    pub(super) fn with(mut self, attempt: NewAttempt) -> Self {
        self.attempts.push(attempt);
        self
    }

    /// The same fingerprint is the same order, until its window ends.
    pub(super) fn once(self, fingerprint: &'static str) -> Self {
        Self { fingerprint: Some(fingerprint), ..self }
    }

    pub(super) fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    fn row(&self, id: OrderId) -> OrderRow {
        let kind = OrderKind::plain("https://a.example/p", QUANTITY);
        OrderRow {
            id,
            account: customer(),
            service: SERVICE,
            target: kind.target().to_owned(),
            target_key: "a.example/p".to_owned(),
            kind,
            quantity: QUANTITY,
            currency: usd(),
            rate: self.charge,
            charge: self.charge,
            refund: Micros::ZERO,
            status: OrderStatus::Pending,
            start_count: None,
            remains: None,
            vague_partials: 0,
            cancel_requested_at: None,
            plan: json!({}),
            created_at: self.now,
            ended_at: None,
            trace: None,
        }
    }
}

impl Operation for Place {
    type Reply = Placed;

    fn needs(&self, needs: &mut Needs) {
        needs.new_orders += 1;
        needs.recent.extend(self.fingerprint.map(|print| (customer(), print.to_owned())));
    }

    fn accounts(&self, _work: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        accounts.insert(in_usd(Account::Wallet(customer())));
        for attempt in &self.attempts {
            accounts.insert(in_usd(Account::Upstream(upstream_id(attempt.upstream))));
            accounts.insert(in_usd(Account::Committed(upstream_id(attempt.upstream))));
        }
    }

    fn decide(&self, work: &mut Work) -> Placed {
        let known = self.fingerprint.and_then(|print| work.recent(&customer(), print, self.now));
        if let Some(order) = known {
            return Placed::Known(order);
        }
        if work.would_pass_floor(&customer(), usd(), self.charge) {
            return Placed::Refused;
        }
        let leads = work.writes.transactions.is_empty();
        let order = self.row(work.next_order_id());
        let (id, tags) = (order.id, order_tags(&order));
        work.post(&customers::order_charge(id, &customer(), Money::new(self.charge, usd())), &tags, self.now);
        work.event(&tags, self.now, "placed", "placed", None);
        work.add_order(order);
        if let Some(print) = self.fingerprint {
            work.remember(&customer(), print, id, self.now.plus_ms(WINDOW_MS));
        }
        for attempt in &self.attempts {
            attempt.add_to(work, id, self.now);
        }
        Placed::New { order: id, leads }
    }
}

/// Ends an order partially; says whether there is one.
pub(super) struct End {
    pub(super) order: OrderId,
    pub(super) remains: u64,
}

impl Operation for End {
    type Reply = bool;

    fn needs(&self, needs: &mut Needs) {
        needs.orders.insert(self.order);
    }

    fn accounts(&self, _work: &Work, accounts: &mut BTreeSet<LedgerAccount>) {
        accounts.insert(in_usd(Account::Wallet(customer())));
    }

    fn decide(&self, work: &mut Work) -> bool {
        let Some(order) = work.order_mut(self.order) else { return false };
        order.refund = price::refund(order.charge, self.remains, order.quantity);
        (order.status, order.remains, order.ended_at) = (OrderStatus::Partial, Some(self.remains), Some(NOW));
        let (charge, refund, tags) = (Money::new(order.charge, usd()), order.refund, order_tags(order));
        work.post(&customers::order_end(self.order, &customer(), charge, refund), &tags, NOW);
        work.event(&tags, NOW, "ended", "ended", None);
        true
    }
}

fn in_usd(account: Account) -> LedgerAccount {
    LedgerAccount { account, currency: usd() }
}
