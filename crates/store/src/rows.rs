//! The rows that change in groups: orders, attempts, balances, transactions, entries, events, cases and what is due.

use std::collections::BTreeMap;

use interline_domain::{
    AccountId, AttemptId, AttemptState, CaseId, Currency, Micros, OrderId, OrderKind, OrderStatus, Progress, RefillId,
    RefillState, RefillStatus, ServiceId, Timestamp, UpstreamId,
};
use interline_ledger::LedgerAccount;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{db::Row, error::StoreError};

/// An order of a customer.
#[derive(Debug, Clone, Serialize)]
pub struct OrderRow {
    /// Its id, as the customer knows it.
    pub id: OrderId,
    /// Whose it is.
    pub account: AccountId,
    /// What was ordered.
    pub service: ServiceId,
    /// The parameters.
    pub kind: OrderKind,
    /// The target as it was given.
    pub target: String,
    /// The target as it is compared.
    pub target_key: String,
    /// Units ordered.
    pub quantity: u64,
    /// The customer's currency.
    pub currency: Currency,
    /// The rate it was charged at.
    pub rate: Micros,
    /// What was charged.
    pub charge: Micros,
    /// What was given back.
    pub refund: Micros,
    /// How far it has come, for the customer.
    pub status: OrderStatus,
    /// The counter at the start.
    pub start_count: Option<i64>,
    /// Units not delivered.
    pub remains: Option<u64>,
    /// Readings in a row that said "partial" without saying how much remains.
    pub vague_partials: u32,
    /// When the customer asked to cancel it.
    pub cancel_requested_at: Option<Timestamp>,
    /// The route as it was planned when the order was placed.
    pub plan: Value,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The trace that it was placed in, as a W3C `traceparent`.
    pub trace: Option<String>,
}

impl OrderRow {
    /// How far it has come.
    pub fn progress(&self) -> Progress {
        Progress {
            status: self.status,
            start_count: self.start_count,
            remains: self.remains,
            vague_partials: self.vague_partials,
        }
    }

    /// Takes over how far it has come.
    pub fn set_progress(&mut self, progress: Progress) {
        self.status = progress.status;
        self.start_count = progress.start_count;
        self.remains = progress.remains;
        self.vague_partials = progress.vague_partials;
    }

    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        let status: String = row.get("status")?;
        Ok(Self {
            id: OrderId(row.get("id")?),
            account: row.parse("account")?,
            service: ServiceId(row.get("service")?),
            kind: row.json("kind")?,
            target: row.get("target")?,
            target_key: row.get("target_key")?,
            quantity: row.count("quantity")?,
            currency: row.parse("currency")?,
            rate: Micros::new(row.get("rate")?),
            charge: Micros::new(row.get("charge")?),
            refund: Micros::new(row.get("refund")?),
            status: OrderStatus::from_name(&status).ok_or_else(|| StoreError::corrupt("status", &status))?,
            start_count: row.get("start_count")?,
            remains: row.get::<Option<i64>>("remains")?.and_then(|n| u64::try_from(n).ok()),
            vague_partials: u32::try_from(row.get::<i64>("vague_partials")?).unwrap_or(u32::MAX),
            cancel_requested_at: time_opt(row, "cancel_requested_at")?,
            plan: row.json("plan")?,
            created_at: time(row, "created_at")?,
            ended_at: time_opt(row, "ended_at")?,
            trace: row.get("trace")?,
        })
    }
}

/// One try to place an order at one upstream.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptRow {
    /// Its id; later attempts have larger ones.
    pub id: AttemptId,
    /// The order.
    pub order_id: OrderId,
    /// Where.
    pub upstream: UpstreamId,
    /// The upstream's service.
    pub upstream_service: String,
    /// The offer's fixed parameters.
    pub params: BTreeMap<String, String>,
    /// Where it stands.
    pub state: AttemptState,
    /// The upstream's id of the order.
    pub upstream_order: Option<String>,
    /// The upstream's currency.
    pub currency: Currency,
    /// What was reserved for it.
    pub reserve: Micros,
    /// What `assets:wip` holds for it.
    pub wip: Micros,
    /// The last charge that was booked while it ran (the reserve until one was).
    pub last_charge: Micros,
    /// Whether the upstream's charge for it was ever read.
    pub charge_read: bool,
    /// The cost that was booked at its end.
    pub cost: Option<Micros>,
    /// What `assets:claims` holds for it.
    pub claim: Micros,
    /// Numbered postings so far; the next one takes the next number.
    pub postings: u32,
    /// Whether what moves after its end goes to loss.
    pub to_loss: bool,
    /// How often a node took it to send it.
    pub send_number: i64,
    /// The boot that may write it to the wire.
    pub owner: Option<String>,
    /// Until when that boot may be waiting for a verdict.
    pub lease_until: Option<Timestamp>,
    /// Not sent before this.
    pub not_before: Timestamp,
    /// When it was queued first.
    pub queued_at: Timestamp,
    /// When it was last taken to be sent.
    pub sent_at: Option<Timestamp>,
    /// When the upstream's verdict was booked.
    pub decided_at: Option<Timestamp>,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
    /// Why it was released or is unknown.
    pub reason: Option<String>,
}

impl AttemptRow {
    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        let state: String = row.get("state")?;
        Ok(Self {
            id: AttemptId(row.get("id")?),
            order_id: OrderId(row.get("order_id")?),
            upstream: row.parse("upstream")?,
            upstream_service: row.get("upstream_service")?,
            params: row.json("params")?,
            state: AttemptState::from_name(&state).ok_or_else(|| StoreError::corrupt("state", &state))?,
            upstream_order: row.get("upstream_order")?,
            currency: row.parse("currency")?,
            reserve: Micros::new(row.get("reserve")?),
            wip: Micros::new(row.get("wip")?),
            last_charge: Micros::new(row.get("last_charge")?),
            charge_read: row.get("charge_read")?,
            cost: row.get::<Option<i64>>("cost")?.map(Micros::new),
            claim: Micros::new(row.get("claim")?),
            postings: u32::try_from(row.get::<i64>("postings")?).unwrap_or(u32::MAX),
            to_loss: row.get("to_loss")?,
            send_number: row.get("send_number")?,
            owner: row.get("owner")?,
            lease_until: time_opt(row, "lease_until")?,
            not_before: time(row, "not_before")?,
            queued_at: time(row, "queued_at")?,
            sent_at: time_opt(row, "sent_at")?,
            decided_at: time_opt(row, "decided_at")?,
            ended_at: time_opt(row, "ended_at")?,
            reason: row.get("reason")?,
        })
    }
}

/// A stored balance: what the entries of its account add up to, with a version that rises by one per entry.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct BalanceRow {
    #[serde(serialize_with = "as_text")]
    pub(crate) account: LedgerAccount,
    pub(crate) currency: Currency,
    pub(crate) balance: Micros,
    pub(crate) version: i64,
    pub(crate) floor: Option<Micros>,
}

impl BalanceRow {
    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            account: row.parse("account")?,
            currency: row.parse("currency")?,
            balance: Micros::new(row.get("balance")?),
            version: row.get("version")?,
            floor: row.get::<Option<i64>>("floor")?.map(Micros::new),
        })
    }
}

/// The head of a posting.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TransactionRow {
    pub(crate) id: i64,
    pub(crate) key: String,
    pub(crate) posted_at: Timestamp,
    pub(crate) effective_at: Timestamp,
    pub(crate) reason: Option<String>,
    pub(crate) fx: Option<Value>,
}

/// A line of a posting.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EntryRow {
    pub(crate) id: i64,
    pub(crate) transaction_id: i64,
    #[serde(serialize_with = "as_text")]
    pub(crate) account: LedgerAccount,
    pub(crate) currency: Currency,
    pub(crate) amount: Micros,
    pub(crate) account_version: Option<i64>,
    pub(crate) balance_after: Option<Micros>,
    pub(crate) floor: Option<Micros>,
    #[serde(flatten)]
    pub(crate) tags: Tags,
}

/// What an entry is about.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tags {
    /// The order.
    pub order_id: Option<OrderId>,
    /// The attempt.
    pub attempt_id: Option<AttemptId>,
    /// The upstream.
    pub upstream: Option<UpstreamId>,
    /// The service.
    pub service: Option<ServiceId>,
    /// The customer.
    pub customer: Option<AccountId>,
}

/// A line of a timeline.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EventRow {
    pub(crate) id: i64,
    /// The order it belongs to.
    pub order_id: Option<OrderId>,
    /// The attempt.
    pub attempt_id: Option<AttemptId>,
    /// The upstream.
    pub upstream: Option<UpstreamId>,
    /// When.
    pub at: Timestamp,
    /// What kind of event: `placed`, `accepted` …
    pub kind: &'static str,
    /// What happened, for people.
    pub text: String,
    /// The same for machines, and evidence.
    pub data: Option<Value>,
}

/// Something that does not agree with a rule.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FindingRow {
    pub(crate) id: i64,
    /// What makes it the same finding when it is seen again.
    pub key: String,
    /// Its kind.
    pub kind: &'static str,
    /// When it was first seen.
    pub at: Timestamp,
    /// The upstream.
    pub upstream: Option<UpstreamId>,
    /// The order.
    pub order_id: Option<OrderId>,
    /// The attempt.
    pub attempt_id: Option<AttemptId>,
    /// What was found, for people.
    pub text: String,
}

/// A refill of an order.
#[derive(Debug, Clone, Serialize)]
pub struct RefillRow {
    /// Its id, as the customer knows it.
    pub id: RefillId,
    /// The order.
    pub order_id: OrderId,
    /// The attempt that delivered the order.
    pub attempt_id: AttemptId,
    /// Where.
    pub upstream: UpstreamId,
    /// Where it stands with us.
    pub state: RefillState,
    /// What customers see.
    pub status: RefillStatus,
    /// The upstream's id of the refill.
    pub upstream_refill: Option<String>,
    /// The boot that may write it to the wire.
    pub owner: String,
    /// Until when that boot may be waiting for the verdict.
    pub lease_until: Timestamp,
    /// Numbered postings so far.
    pub postings: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
    /// Why it was rejected or is unknown.
    pub reason: Option<String>,
}

impl RefillRow {
    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        let (state, status): (String, String) = (row.get("state")?, row.get("status")?);
        Ok(Self {
            id: RefillId(row.get("id")?),
            order_id: OrderId(row.get("order_id")?),
            attempt_id: AttemptId(row.get("attempt_id")?),
            upstream: row.parse("upstream")?,
            state: RefillState::from_name(&state).ok_or_else(|| StoreError::corrupt("state", &state))?,
            status: RefillStatus::parse(&status).ok_or_else(|| StoreError::corrupt("status", &status))?,
            upstream_refill: row.get("upstream_refill")?,
            owner: row.get("owner")?,
            lease_until: time(row, "lease_until")?,
            postings: u32::try_from(row.get::<i64>("postings")?).unwrap_or(u32::MAX),
            created_at: time(row, "created_at")?,
            ended_at: time_opt(row, "ended_at")?,
            reason: row.get("reason")?,
        })
    }
}

/// A question to a person.
#[derive(Debug, Clone, Serialize)]
pub struct CaseRow {
    /// Its number.
    pub id: CaseId,
    /// Its kind: `unknown`, `contradiction`, `unclear-end` …
    pub kind: String,
    /// The order.
    pub order_id: Option<OrderId>,
    /// The attempt.
    pub attempt_id: Option<AttemptId>,
    /// The upstream.
    pub upstream: Option<UpstreamId>,
    /// The money in question.
    pub amount: Option<Micros>,
    /// Its currency.
    pub currency: Option<Currency>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was closed.
    pub resolved_at: Option<Timestamp>,
    /// How it was closed.
    pub resolution: Option<String>,
    /// What we suggest to do.
    pub suggested: String,
    /// What is known.
    pub evidence: Value,
}

impl CaseRow {
    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: CaseId(row.get("id")?),
            kind: row.get("kind")?,
            order_id: row.get::<Option<i64>>("order_id")?.map(OrderId),
            attempt_id: row.get::<Option<i64>>("attempt_id")?.map(AttemptId),
            upstream: row.parse_opt("upstream")?,
            amount: row.get::<Option<i64>>("amount")?.map(Micros::new),
            currency: row.parse_opt("currency")?,
            opened_at: time(row, "opened_at")?,
            resolved_at: time_opt(row, "resolved_at")?,
            resolution: row.get("resolution")?,
            suggested: row.get("suggested")?,
            evidence: row.json("evidence")?,
        })
    }
}

/// Something to be done later.
#[derive(Debug, Clone, Serialize)]
pub struct DueRow {
    /// What is to be done.
    pub kind: DueKind,
    /// To what: an attempt or an upstream.
    pub subject: String,
    /// At which upstream.
    pub upstream: UpstreamId,
    /// When.
    pub due_at: Timestamp,
    /// The interval that led to `due_at`; the next one grows from it.
    pub interval_ms: i64,
    /// Who does it has it until then.
    pub lease_until: Timestamp,
}

/// What can be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DueKind {
    /// Ask an upstream how an order stands.
    Status,
    /// Ask an upstream to cancel an order.
    Cancel,
    /// Ask an upstream how a refill stands.
    Refill,
    /// Read an upstream's catalogue.
    Catalogue,
    /// Read an upstream's balance.
    Balance,
}

impl DueKind {
    /// Every kind there is.
    pub const ALL: [Self; 5] = [Self::Status, Self::Cancel, Self::Refill, Self::Catalogue, Self::Balance];

    /// The name it is stored under.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Cancel => "cancel",
            Self::Refill => "refill",
            Self::Catalogue => "catalogue",
            Self::Balance => "balance",
        }
    }
}

impl std::str::FromStr for DueKind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

pub(crate) fn time(row: &Row, column: &str) -> Result<Timestamp, StoreError> {
    row.get(column).map(Timestamp::from_millis)
}

pub(crate) fn time_opt(row: &Row, column: &str) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.get::<Option<i64>>(column)?.map(Timestamp::from_millis))
}

fn as_text<S: Serializer>(account: &LedgerAccount, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(account)
}
