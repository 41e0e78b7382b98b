//! What a call asks for.

use std::collections::BTreeSet;

use interline_domain::{Fields, OrderId};

use crate::{params::Params, refused::Refused};

/// Most order ids in one call (`seeds/panel-api-v2.txt`). More are refused: a list that is cut short would look like an
/// answer.
pub const ORDERS_MAX: usize = 100;

/// A question or an instruction of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// What is sold, and at which rates.
    Services,
    /// What is left in the wallet.
    Balance,
    /// Take an order.
    Add {
        /// The service as it was sent; whether it is one of ours is not known yet.
        service: String,
        /// Every other parameter.
        fields: Fields,
    },
    /// How one order stands.
    Status(GivenId),
    /// How these orders stand; at most [`ORDERS_MAX`], each once, in the order of the question.
    StatusMany(Vec<GivenId>),
    /// Cancel one order.
    Cancel(GivenId),
    /// Cancel these orders; at most [`ORDERS_MAX`], each once, in the order of the question.
    CancelMany(Vec<GivenId>),
}

/// An order id as a customer wrote it. Answers repeat it letter by letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenId {
    /// The text, trimmed.
    pub text: String,
    /// The id that it names; `None` if no order can have it.
    pub id: Option<OrderId>,
}

impl GivenId {
    /// Reads a text as an order id.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        Self { text: text.to_owned(), id: text.parse().ok().filter(|_| digits) }
    }
}

/// The orders that a call names.
enum Orders {
    /// Asked for as one: answered as one.
    One(GivenId),
    /// Asked for as a list.
    Many(Vec<GivenId>),
}

impl Orders {
    fn into_list(self) -> Vec<GivenId> {
        match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids,
        }
    }
}

/// The command that the parameters of a call make.
pub(crate) fn read(params: &Params) -> Result<Command, Refused> {
    let action = match params.text("action")? {
        Some(action) => action.to_ascii_lowercase(),
        // The old PHP class leaves the action out of its refill family (`protocol.md` §1.3).
        None if params.has("refill") || params.has("refills") => "refill_status".to_owned(),
        None => return Err(missing("`action`")),
    };
    match action.as_str() {
        "services" => Ok(Command::Services),
        "balance" => Ok(Command::Balance),
        "add" => add(params),
        "status" => orders(params, "`order` or `orders`").map(|orders| match orders {
            Orders::One(id) => Command::Status(id),
            Orders::Many(ids) => Command::StatusMany(ids),
        }),
        "multistatus" | "multi_status" | "multi-status" | "orders" => {
            orders(params, "`orders`").map(|orders| Command::StatusMany(orders.into_list()))
        }
        "cancel" => orders(params, "`order` or `orders`").map(|orders| match orders {
            Orders::One(id) => Command::Cancel(id),
            Orders::Many(ids) => Command::CancelMany(ids),
        }),
        _ => {
            let allowed = "`action` must be one of services, balance, add, status, multiStatus, cancel";
            Err(Refused::BadRequest(allowed.to_owned()))
        }
    }
}

fn add(params: &Params) -> Result<Command, Refused> {
    let service = params.text("service")?.ok_or_else(|| missing("`service`"))?;
    Ok(Command::Add { service, fields: params.fields(&["key", "action", "service"])? })
}

/// The orders named by `orders`, else by `order`, which clients fill with a list too. `wanted` is what is missing if
/// neither names any.
fn orders(params: &Params, wanted: &str) -> Result<Orders, Refused> {
    let many = ids("orders", &params.lines("orders")?)?;
    if !many.is_empty() {
        return Ok(Orders::Many(many));
    }
    let order = params.text("order")?.unwrap_or_default();
    match <[GivenId; 1]>::try_from(ids("order", &order)?) {
        Ok([one]) => Ok(Orders::One(one)),
        Err(none) if none.is_empty() => Err(missing(wanted)),
        Err(many) => Ok(Orders::Many(many)),
    }
}

/// The ids in a list divided by commas or white space, each once.
fn ids(name: &str, list: &str) -> Result<Vec<GivenId>, Refused> {
    let (mut seen, mut ids) = (BTreeSet::new(), Vec::new());
    for text in list.split(|c: char| c == ',' || c.is_whitespace()).filter(|text| !text.is_empty()) {
        if !seen.insert(text) {
            continue;
        }
        if ids.len() == ORDERS_MAX {
            return Err(Refused::BadRequest(format!("`{name}` must be at most {ORDERS_MAX} ids")));
        }
        ids.push(GivenId::new(text));
    }
    Ok(ids)
}

fn missing(what: &str) -> Refused {
    Refused::BadRequest(format!("{what} is missing"))
}
