//! What a group of operations works on: the rows they named, loaded and locked, and everything they decide to write.
//!
//! Operations run one after the other in order of arrival and see each other's effect. Nothing here touches the database.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use interline_domain::{
    AccountId, AttemptId, CaseId, Currency, Micros, OrderId, RefillId, ServiceId, Timestamp, UpstreamId,
};
use interline_ledger::{Account, Fx, LedgerAccount, Posting};
use serde_json::{Value, json};

use crate::{
    needs::{Booked, Move, UpstreamBooks},
    rows::{
        AttemptRow, BalanceRow, CaseRow, DueKind, DueRow, EntryRow, EventRow, FindingRow, OrderRow, RefillRow, Tags,
        TransactionRow,
    },
};

/// The rows of a group, and what is to be written.
#[derive(Debug, Default)]
pub struct Work {
    pub(crate) orders: BTreeMap<OrderId, OrderRow>,
    pub(crate) attempts: BTreeMap<AttemptId, AttemptRow>,
    pub(crate) refills: BTreeMap<RefillId, RefillRow>,
    pub(crate) cases: BTreeMap<CaseId, CaseRow>,
    pub(crate) balances: BTreeMap<String, BalanceRow>,
    pub(crate) booked: HashMap<String, Booked>,
    pub(crate) upstream_orders: HashMap<(UpstreamId, String), AttemptId>,
    pub(crate) upstreams: HashMap<UpstreamId, UpstreamBooks>,
    pub(crate) recent: HashMap<(AccountId, String), (OrderId, Timestamp)>,
    pub(crate) ids: Ids,
    pub(crate) writes: Writes,
}

/// Ids that were set aside before the group began.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ids {
    pub(crate) orders: IdBlock,
    pub(crate) refills: IdBlock,
    pub(crate) cases: IdBlock,
    pub(crate) rows: IdBlock,
}

/// Ids from `next` up to, not including, `end`.
#[derive(Debug, Default, Clone)]
pub(crate) struct IdBlock {
    pub(crate) next: i64,
    pub(crate) end: i64,
}

impl IdBlock {
    pub(crate) fn left(&self) -> i64 {
        self.end - self.next
    }

    fn take(&mut self) -> i64 {
        assert!(self.next < self.end, "ids are set aside before a group is decided");
        self.next += 1;
        self.next - 1
    }
}

/// What a group writes, table by table.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    pub(crate) orders: BTreeSet<OrderId>,
    pub(crate) attempts: BTreeSet<AttemptId>,
    pub(crate) refills: BTreeSet<RefillId>,
    pub(crate) cases: BTreeSet<CaseId>,
    pub(crate) balances: BTreeSet<String>,
    pub(crate) transactions: Vec<TransactionRow>,
    pub(crate) entries: Vec<EntryRow>,
    pub(crate) events: Vec<EventRow>,
    pub(crate) findings: Vec<FindingRow>,
    pub(crate) due: BTreeMap<(&'static str, String), DueRow>,
    pub(crate) not_due: BTreeSet<(&'static str, String)>,
    pub(crate) recent_new: Vec<Value>,
    pub(crate) recent_again: Vec<Value>,
    pub(crate) readings: Vec<Value>,
    pub(crate) upstream_state: BTreeMap<UpstreamId, Value>,
}

impl Work {
    /// The order, if it was named and exists.
    pub fn order(&self, id: OrderId) -> Option<&OrderRow> {
        self.orders.get(&id)
    }

    /// The order, to be changed.
    pub fn order_mut(&mut self, id: OrderId) -> Option<&mut OrderRow> {
        let order = self.orders.get_mut(&id)?;
        self.writes.orders.insert(id);
        Some(order)
    }

    /// The next order id.
    pub fn next_order_id(&mut self) -> OrderId {
        OrderId(self.ids.orders.take())
    }

    /// A new order.
    pub fn add_order(&mut self, order: OrderRow) {
        self.writes.orders.insert(order.id);
        self.orders.insert(order.id, order);
    }

    /// Every attempt of the order, oldest first.
    pub fn attempts_of(&self, order: OrderId) -> impl DoubleEndedIterator<Item = &AttemptRow> {
        self.attempts.values().filter(move |a| a.order_id == order)
    }

    /// The attempt, if its order was named.
    pub fn attempt(&self, id: AttemptId) -> Option<&AttemptRow> {
        self.attempts.get(&id)
    }

    /// The attempt, to be changed.
    pub fn attempt_mut(&mut self, id: AttemptId) -> Option<&mut AttemptRow> {
        let attempt = self.attempts.get_mut(&id)?;
        self.writes.attempts.insert(id);
        Some(attempt)
    }

    /// The next attempt id.
    pub fn next_attempt_id(&mut self) -> AttemptId {
        AttemptId(self.ids.rows.take())
    }

    /// A new attempt.
    pub fn add_attempt(&mut self, attempt: AttemptRow) {
        self.writes.attempts.insert(attempt.id);
        if let Some(order) = &attempt.upstream_order {
            self.upstream_orders.insert((attempt.upstream.clone(), order.clone()), attempt.id);
        }
        self.attempts.insert(attempt.id, attempt);
    }

    /// Every refill of the order, oldest first.
    pub fn refills_of(&self, order: OrderId) -> impl DoubleEndedIterator<Item = &RefillRow> {
        self.refills.values().filter(move |r| r.order_id == order)
    }

    /// The refill, if it or its order was named.
    pub fn refill(&self, id: RefillId) -> Option<&RefillRow> {
        self.refills.get(&id)
    }

    /// The refill, to be changed.
    pub fn refill_mut(&mut self, id: RefillId) -> Option<&mut RefillRow> {
        let refill = self.refills.get_mut(&id)?;
        self.writes.refills.insert(id);
        Some(refill)
    }

    /// The next refill id.
    pub fn next_refill_id(&mut self) -> RefillId {
        RefillId(self.ids.refills.take())
    }

    /// A new refill.
    pub fn add_refill(&mut self, refill: RefillRow) {
        self.writes.refills.insert(refill.id);
        self.refills.insert(refill.id, refill);
    }

    /// The attempt that holds this upstream order, if that pair was named and is in the books.
    pub fn holder_of(&self, upstream: &UpstreamId, upstream_order: &str) -> Option<AttemptId> {
        self.upstream_orders.get(&(upstream.clone(), upstream_order.to_owned())).copied()
    }

    /// Notes that an upstream order now belongs to an attempt, for the operations that follow in this group.
    pub fn hold(&mut self, upstream: &UpstreamId, upstream_order: &str, attempt: AttemptId) {
        self.upstream_orders.insert((upstream.clone(), upstream_order.to_owned()), attempt);
    }

    /// The balance of an account with a stored balance, debit positive; zero for one that was not named.
    pub fn balance(&self, account: &LedgerAccount) -> Micros {
        self.balances.get(&account.to_string()).map_or(Micros::ZERO, |row| row.balance)
    }

    /// The posting of that key, if the key was named and it is in the books.
    pub fn booked(&self, key: &str) -> Option<&Booked> {
        self.booked.get(key)
    }

    /// What is known of an upstream that was named.
    pub fn upstream(&self, id: &UpstreamId) -> Option<&UpstreamBooks> {
        self.upstreams.get(id)
    }

    /// The order that the same customer placed with the same fingerprint, if that window is still open.
    pub fn recent(&self, account: &AccountId, fingerprint: &str, now: Timestamp) -> Option<OrderId> {
        let (order, until) = self.recent.get(&(account.clone(), fingerprint.to_owned()))?;
        (*until > now).then_some(*order)
    }

    /// Opens the duplicate window of an order.
    pub fn remember(&mut self, account: &AccountId, fingerprint: &str, order: OrderId, until: Timestamp) {
        let row = json!({"account": account, "fingerprint": fingerprint, "order_id": order, "until": until});
        match self.recent.insert((account.clone(), fingerprint.to_owned()), (order, until)) {
            // Another process may insert it at the same time; the primary key then refuses this group and it is read again.
            None => self.writes.recent_new.push(row),
            Some(_) => self.writes.recent_again.push(row),
        }
    }

    /// Whether the wallet, after losing `amount`, would pass its floor.
    pub fn would_pass_floor(&self, account: &AccountId, currency: Currency, amount: Micros) -> bool {
        let wallet = LedgerAccount { account: Account::Wallet(account.clone()), currency };
        let Some(row) = self.balances.get(&wallet.to_string()) else { return !amount.is_zero() };
        // A wallet is a liability: what the customer has is the credit side.
        row.floor.is_some_and(|floor| -row.balance - amount < floor)
    }

    /// Books a posting. The caller has checked the floor and that the key is new; an empty posting books nothing.
    pub fn post(&mut self, posting: &Posting, tags: &Tags, now: Timestamp) {
        if posting.is_empty() {
            return;
        }
        let transaction_id = self.ids.rows.take();
        self.writes.transactions.push(TransactionRow {
            id: transaction_id,
            key: posting.key.clone(),
            posted_at: now,
            effective_at: now,
            reason: posting.reason.clone(),
            fx: posting.fx.as_ref().map(fx_json),
        });
        let mut entries = Vec::with_capacity(posting.entries.len());
        for entry in &posting.entries {
            let stored = self.move_balance(&entry.account, entry.amount);
            self.note_move(transaction_id, &entry.account, entry.amount);
            entries.push((entry.account.clone(), entry.amount));
            self.writes.entries.push(EntryRow {
                id: self.ids.rows.take(),
                transaction_id,
                account: entry.account.clone(),
                currency: entry.account.currency,
                amount: entry.amount,
                account_version: stored.map(|s| s.0),
                balance_after: stored.map(|s| s.1),
                floor: stored.and_then(|s| s.2),
                tags: tags.clone(),
            });
        }
        self.booked.insert(posting.key.clone(), Booked { entries });
    }

    /// Whoever reads an upstream's balance later in this group has to know what moved it.
    fn note_move(&mut self, transaction: i64, account: &LedgerAccount, amount: Micros) {
        let (Account::Upstream(id) | Account::Committed(id) | Account::Claims(id) | Account::Disputed(id)) =
            &account.account
        else {
            return;
        };
        if let Some(books) = self.upstreams.get_mut(id) {
            books.moves.entry(account.clone()).or_default().push(Move { transaction, amount });
        }
    }

    /// Moves a stored balance; returns its new version, the balance after and its floor.
    fn move_balance(&mut self, account: &LedgerAccount, amount: Micros) -> Option<(i64, Micros, Option<Micros>)> {
        if !account.has_stored_balance() {
            return None;
        }
        let name = account.to_string();
        let row = self.balances.get_mut(&name);
        assert!(row.is_some(), "an operation posts to {name} without having named it");
        let row = row?;
        let after = row.balance.checked_add(amount);
        assert!(after.is_some(), "the balance of {name} left the range of the books");
        row.balance = after?;
        row.version += 1;
        self.writes.balances.insert(name);
        Some((row.version, row.balance, row.floor))
    }

    /// Adds a line to the timeline of what `tags` names.
    pub fn event(
        &mut self,
        tags: &Tags,
        now: Timestamp,
        kind: &'static str,
        text: impl Into<String>,
        data: Option<Value>,
    ) {
        let id = self.ids.rows.take();
        self.writes.events.push(EventRow {
            id,
            order_id: tags.order_id,
            attempt_id: tags.attempt_id,
            upstream: tags.upstream.clone(),
            at: now,
            kind,
            text: text.into(),
            data,
        });
    }

    /// Notes something that does not agree with a rule; the same key is noted once.
    pub fn finding(&mut self, key: String, kind: &'static str, tags: &Tags, now: Timestamp, text: String) {
        let id = self.ids.rows.take();
        let (upstream, order_id, attempt_id) = (tags.upstream.clone(), tags.order_id, tags.attempt_id);
        self.writes.findings.push(FindingRow { id, key, kind, at: now, upstream, order_id, attempt_id, text });
    }

    /// Opens a case and returns its number.
    pub fn open_case(
        &mut self,
        kind: &str,
        tags: &Tags,
        money: Option<(Micros, Currency)>,
        now: Timestamp,
        suggested: &str,
        evidence: Value,
    ) -> CaseId {
        let id = CaseId(self.ids.cases.take());
        let case = CaseRow {
            id,
            kind: kind.to_owned(),
            order_id: tags.order_id,
            attempt_id: tags.attempt_id,
            upstream: tags.upstream.clone(),
            amount: money.map(|m| m.0),
            currency: money.map(|m| m.1),
            opened_at: now,
            resolved_at: None,
            resolution: None,
            suggested: suggested.to_owned(),
            evidence,
        };
        self.cases.insert(id, case);
        self.writes.cases.insert(id);
        id
    }

    /// The open cases about an attempt.
    pub fn open_cases_of(&self, attempt: AttemptId) -> Vec<CaseId> {
        let open = |case: &&CaseRow| case.attempt_id == Some(attempt) && case.resolved_at.is_none();
        self.cases.values().filter(open).map(|case| case.id).collect()
    }

    /// A case that was named, or belongs to an order that was.
    pub fn case(&self, id: CaseId) -> Option<&CaseRow> {
        self.cases.get(&id)
    }

    /// Closes a case.
    pub fn close_case(&mut self, id: CaseId, now: Timestamp, resolution: &str) {
        if let Some(case) = self.cases.get_mut(&id).filter(|case| case.resolved_at.is_none()) {
            (case.resolved_at, case.resolution) = (Some(now), Some(resolution.to_owned()));
            self.writes.cases.insert(id);
        }
    }

    /// Sets when something is due; it replaces what was set before and gives up the lease.
    pub fn set_due(
        &mut self,
        kind: DueKind,
        subject: String,
        upstream: &UpstreamId,
        due_at: Timestamp,
        interval_ms: i64,
    ) {
        let key = (kind.name(), subject.clone());
        self.writes.not_due.remove(&key);
        let lease_until = Timestamp::from_millis(0);
        self.writes
            .due
            .insert(key, DueRow { kind, subject, upstream: upstream.clone(), due_at, interval_ms, lease_until });
    }

    /// Takes something off the list of what is due.
    pub fn clear_due(&mut self, kind: DueKind, subject: String) {
        let key = (kind.name(), subject);
        self.writes.due.remove(&key);
        self.writes.not_due.insert(key);
    }

    /// Keeps a balance reading with the band it was judged by.
    pub fn add_reading(
        &mut self,
        upstream: &UpstreamId,
        asked_at: Timestamp,
        now: Timestamp,
        reading: Micros,
        band: (Micros, Micros),
    ) {
        let id = self.ids.rows.take();
        self.writes.readings.push(json!({
            "id": id, "upstream": upstream, "asked_at": asked_at, "answered_at": now, "reading": reading,
            "lower": band.0, "upper": band.1,
        }));
    }

    /// Closes the open cases of a kind about an upstream that was named.
    pub fn close_upstream_cases(&mut self, upstream: &UpstreamId, kind: &str, now: Timestamp, resolution: &str) {
        let about = |case: &&CaseRow| case.upstream.as_ref() == Some(upstream) && case.kind == kind;
        let cases: Vec<CaseId> = self.cases.values().filter(about).map(|case| case.id).collect();
        for case in cases {
            self.close_case(case, now, resolution);
        }
    }

    /// What is known of an upstream's books from now on, for the operations that follow in this group.
    pub fn set_books(&mut self, upstream: &UpstreamId, books: UpstreamBooks) {
        self.upstreams.insert(upstream.clone(), books);
    }

    /// Brings the open cases of a kind about an upstream up to the money that is in question now.
    pub fn revalue_upstream_cases(&mut self, upstream: &UpstreamId, kind: &str, amount: Micros) {
        let about = |case: &&mut CaseRow| {
            case.upstream.as_ref() == Some(upstream)
                && case.kind == kind
                && case.resolved_at.is_none()
                && case.amount != Some(amount)
        };
        for case in self.cases.values_mut().filter(about) {
            case.amount = Some(amount);
            self.writes.cases.insert(case.id);
        }
    }

    /// Keeps what is known of an upstream's balance from now on.
    pub fn set_upstream(&mut self, upstream: &UpstreamId, books: UpstreamBooks, fault: Option<&str>) {
        let row = json!({
            "upstream": upstream, "reading": books.reading.map(|r| r.0), "reading_asked_at": books.reading.map(|r| r.1),
            "reading_at": books.reading_at, "reading_book": books.reading_book, "balance_fault": fault,
            "excess": books.excess.map(|e| e.0), "excess_since": books.excess.map(|e| e.1),
        });
        self.writes.upstream_state.insert(upstream.clone(), row);
        self.upstreams.insert(upstream.clone(), books);
    }
}

/// The tags of an order's own entries.
pub fn order_tags(order: &OrderRow) -> Tags {
    Tags {
        order_id: Some(order.id),
        attempt_id: None,
        upstream: None,
        service: Some(order.service),
        customer: Some(order.account.clone()),
    }
}

/// The tags of an attempt's entries.
pub fn attempt_tags(attempt: &AttemptRow, service: Option<ServiceId>) -> Tags {
    Tags {
        order_id: Some(attempt.order_id),
        attempt_id: Some(attempt.id),
        upstream: Some(attempt.upstream.clone()),
        service,
        customer: None,
    }
}

fn fx_json(fx: &Fx) -> Value {
    json!({"from": fx.from, "to": fx.to, "rate": fx.rate.normalize().to_string()})
}
