//! What an operation asks for, and what of it is no plain row.

use std::collections::{BTreeMap, BTreeSet};

use interline_domain::{AccountId, AttemptId, CaseId, Micros, OrderId, RefillId, Timestamp, UpstreamId};
use interline_ledger::LedgerAccount;

/// The rows that an operation reads or changes; it sees no others.
#[derive(Debug, Default)]
pub struct Needs {
    /// Orders, with all their attempts and open cases.
    pub orders: BTreeSet<OrderId>,
    /// Attempts, whose orders are then loaded.
    pub attempts: BTreeSet<AttemptId>,
    /// Business keys of postings that may have been booked already.
    pub keys: BTreeSet<String>,
    /// Upstream order ids that may be in the books already.
    pub upstream_orders: BTreeSet<(UpstreamId, String)>,
    /// Upstreams whose outstanding claims, suspense and last reading are needed, with versions of stored balances (by
    /// account) from which on their movements are.
    pub upstreams: BTreeMap<UpstreamId, BTreeMap<String, i64>>,
    /// Customer and fingerprint of an order that may have been sent twice.
    pub recent: BTreeSet<(AccountId, String)>,
    /// Cases.
    pub cases: BTreeSet<CaseId>,
    /// Refills, whose orders are then loaded.
    pub refills: BTreeSet<RefillId>,
    /// Ids of postings and events beyond the usual few.
    pub row_ids: i64,
    /// How many refills it may ask for.
    pub new_refills: i64,
    /// How many orders it may place.
    pub new_orders: i64,
}

/// A posting that is in the books already.
#[derive(Debug, Clone)]
pub struct Booked {
    /// Its entries: account and amount.
    pub entries: Vec<(LedgerAccount, Micros)>,
}

/// What is known of an upstream's balance.
#[derive(Debug, Clone, Default)]
pub struct UpstreamBooks {
    /// The last reading, and when it was asked for.
    pub reading: Option<(Micros, Timestamp)>,
    /// What the books said of this balance when it was asked for, with what the reading proved.
    pub reading_book: Option<Micros>,
    /// When that reading was answered.
    pub reading_at: Option<Timestamp>,
    /// How much the last reading lay above everything we can explain, and since when it does.
    pub excess: Option<(Micros, Timestamp)>,
    /// Attempts with outstanding claims, oldest first.
    pub claims: Vec<AttemptId>,
    /// What of this upstream's money still stands in suspense (opening, excess), as positive amounts.
    pub suspense: (Micros, Micros),
    /// How the stored balances of this upstream moved since the versions that were named, account by account, in order.
    pub moves: BTreeMap<LedgerAccount, Vec<Move>>,
    /// Reserves of the attempts that run there and whose charge was not read yet: it may differ from what is booked.
    pub unread_reserves: Micros,
    /// Whether a person was asked about a shortfall and has not answered.
    pub shortfall_asked: bool,
}

/// One movement of a stored balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The transaction it belongs to.
    pub transaction: i64,
    /// How much, debit positive.
    pub amount: Micros,
}
