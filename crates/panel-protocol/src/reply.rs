//! What is answered, free of any dialect.

use std::sync::Arc;

use interline_domain::{Currency, Micros, Money, OrderId, OrderStatus, RefillId, RefillStatus, ServiceId, ServiceType};

use crate::{
    command::{GivenId, GivenRefill},
    refused::Refused,
};

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The services, already encoded in the caller's dialect: they are written once per price list and version.
    Services(Arc<[u8]>),
    /// What is left in the wallet.
    Balance(Money),
    /// The order was taken under this id.
    Added(OrderId),
    /// How the order stands.
    Status(StatusLine),
    /// How each order stands, in the order of the question; `None` for one that is unknown.
    StatusMany(Vec<(GivenId, Option<StatusLine>)>),
    /// The refill was asked for under this id; its outcome shows in the refill's status.
    Refilled(RefillId),
    /// The same for each order, in the order of the question.
    RefilledMany(Vec<(GivenId, Result<RefillId, Refused>)>),
    /// How the refill stands.
    RefillStatus(RefillStatus),
    /// How each refill stands, in the order of the question; `None` for one that is unknown.
    RefillStatusMany(Vec<(GivenRefill, Option<RefillStatus>)>),
    /// The wish to cancel is recorded; its outcome shows in the status.
    Canceled,
    /// The same for each order, in the order of the question.
    CanceledMany(Vec<(GivenId, Result<(), Refused>)>),
    /// The command is refused.
    Refused(Refused),
}

/// A service as one account sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceLine {
    /// Its id, which never changes: panels keep it.
    pub id: ServiceId,
    /// Its name.
    pub name: String,
    /// What it needs to be told.
    pub service_type: ServiceType,
    /// The group it is listed under.
    pub category: String,
    /// The price per 1000 in the account's currency.
    pub rate: Micros,
    /// Smallest quantity.
    pub min: u64,
    /// Largest quantity.
    pub max: u64,
    /// Whether orders can be refilled.
    pub refill: bool,
    /// Whether orders can be canceled.
    pub cancel: bool,
    /// Whether orders can be delivered in runs.
    pub dripfeed: bool,
    /// What customers should know; may be empty.
    pub description: String,
}

/// How an order stands, as a customer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusLine {
    /// The charge less the refund; nothing when canceled.
    pub charge: Micros,
    /// The counter at the start; written as 0 while it is not known, because strict clients need a number.
    pub start_count: Option<i64>,
    /// The status.
    pub status: OrderStatus,
    /// Units not delivered: the whole quantity when canceled, 0 when completed. Clients compute refunds from it.
    pub remains: u64,
    /// The currency of the charge.
    pub currency: Currency,
}

/// An answer as it goes out, always with the content type `application/json` exactly (`protocol.md`, trap 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The HTTP status.
    pub status: u16,
    /// The seconds for a `Retry-After` header.
    pub retry_after_s: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}
