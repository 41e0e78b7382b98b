//! What a call asks for.

use std::{collections::HashSet, str::FromStr};

use interline_domain::{Fields, OrderId, RefillId};

use crate::{params::Params, refused::Refused};

/// Most ids in one call (`seeds/panel-api-v2.txt`). More are refused: a list that is cut short would look like an
/// answer.
pub const IDS_MAX: usize = 100;

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
    /// How these orders stand; at most [`IDS_MAX`], each once, in the order of the question.
    StatusMany(Vec<GivenId>),
    /// Refill one order.
    Refill(GivenId),
    /// Refill these orders; at most [`IDS_MAX`], each once, in the order of the question.
    RefillMany(Vec<GivenId>),
    /// How one refill stands.
    RefillStatus(GivenRefill),
    /// How these refills stand; at most [`IDS_MAX`], each once, in the order of the question.
    RefillStatusMany(Vec<GivenRefill>),
    /// Cancel one order.
    Cancel(GivenId),
    /// Cancel these orders; at most [`IDS_MAX`], each once, in the order of the question.
    CancelMany(Vec<GivenId>),
}

impl Command {
    /// Whether it orders, cancels or refills, which a key that may only read must not.
    pub const fn changes(&self) -> bool {
        match self {
            Self::Add { .. } | Self::Cancel(_) | Self::CancelMany(_) | Self::Refill(_) | Self::RefillMany(_) => true,
            Self::Services
            | Self::Balance
            | Self::Status(_)
            | Self::StatusMany(_)
            | Self::RefillStatus(_)
            | Self::RefillStatusMany(_) => false,
        }
    }

    /// The action that it is counted and traced under, one of a few names; a list goes under the name of the single call.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Balance => "balance",
            Self::Add { .. } => "add",
            Self::Status(_) | Self::StatusMany(_) => "status",
            Self::Refill(_) | Self::RefillMany(_) => "refill",
            Self::RefillStatus(_) | Self::RefillStatusMany(_) => "refill_status",
            Self::Cancel(_) | Self::CancelMany(_) => "cancel",
        }
    }
}

/// An id as a customer wrote it. Answers repeat it letter by letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<T> {
    /// The text, trimmed.
    pub text: String,
    /// The id that it is; `None` if nothing can have it.
    pub id: Option<T>,
}

/// An order id as a customer wrote it.
pub type GivenId = Given<OrderId>;

/// A refill id as a customer wrote it.
pub type GivenRefill = Given<RefillId>;

impl<T: FromStr> Given<T> {
    /// Reads a text as an id.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        Self { text: text.to_owned(), id: text.parse().ok().filter(|_| digits) }
    }
}

/// The things that a call names.
enum Named<T> {
    /// Asked for as one: answered as one.
    One(Given<T>),
    /// Asked for as a list.
    Many(Vec<Given<T>>),
}

impl<T> Named<T> {
    fn command(self, one: fn(Given<T>) -> Command, many: fn(Vec<Given<T>>) -> Command) -> Command {
        match self {
            Self::One(id) => one(id),
            Self::Many(ids) => many(ids),
        }
    }

    fn into_list(self) -> Vec<Given<T>> {
        match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids,
        }
    }
}

/// Whether a call asks how something stands, as far as it can be read: panels make an `error` in such an answer final,
/// whatever else is wrong with the question.
pub(crate) fn asks_status(params: &Params) -> bool {
    action(params).is_ok_and(|action| matches!(action.as_str(), "status" | "multistatus" | "orders" | "refillstatus"))
}

/// The action in one word, in lower case: `multiStatus`, `multi_status` and `multi-status` are one.
fn action(params: &Params) -> Result<String, Refused> {
    let action = match params.text("action")? {
        Some(action) => action,
        // The old PHP class leaves the action out of its refill family (`protocol.md` §1.3). Beside `order` that could as
        // well be a status, so there it is asked for.
        None if params.has("refill") || params.has("refills") => "refill_status".to_owned(),
        None => return Err(missing("`action`")),
    };
    Ok(action.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect())
}

/// The command that the parameters of a call make.
pub(crate) fn read(params: &Params) -> Result<Command, Refused> {
    match action(params)?.as_str() {
        "services" => Ok(Command::Services),
        "balance" => Ok(Command::Balance),
        "add" => add(params),
        "status" => keyed(orders(params)?.command(Command::Status, Command::StatusMany)),
        "multistatus" | "orders" => {
            keyed(Command::StatusMany(named(params, ["order", "orders"], "`orders`")?.into_list()))
        }
        "refill" => Ok(orders(params)?.command(Command::Refill, Command::RefillMany)),
        "refillstatus" => {
            let refills = named(params, ["refill", "refills"], "`refill` or `refills`")?;
            Ok(refills.command(Command::RefillStatus, Command::RefillStatusMany))
        }
        "cancel" => Ok(orders(params)?.command(Command::Cancel, Command::CancelMany)),
        _ => {
            let known = "services, balance, add, status, multiStatus, refill, refill_status, cancel";
            Err(Refused::BadRequest(format!("`action` must be one of {known}")))
        }
    }
}

fn add(params: &Params) -> Result<Command, Refused> {
    let service = params.text("service")?.ok_or_else(|| missing("`service`"))?;
    Ok(Command::Add { service, fields: params.fields(&["key", "action", "service"])? })
}

fn orders(params: &Params) -> Result<Named<OrderId>, Refused> {
    named(params, ["order", "orders"], "`order` or `orders`")
}

/// Statuses are keyed by the ids as they were sent, and to every client a key `error` is the failure of the whole call: a
/// text of that name is no order's, and cannot be answered as one.
fn keyed(command: Command) -> Result<Command, Refused> {
    match &command {
        Command::StatusMany(ids) if ids.iter().any(|id| id.text.eq_ignore_ascii_case("error")) => {
            Err(Refused::BadRequest("`orders` must be ids of orders, and `error` is none".to_owned()))
        }
        _ => Ok(command),
    }
}

/// The ids in the parameter `many`, else in `one`, which clients fill with a list too. `wanted` is what is missing if
/// neither has any.
fn named<T: FromStr>(params: &Params, [one, many]: [&str; 2], wanted: &str) -> Result<Named<T>, Refused> {
    let list = ids(many, &params.lines(many)?)?;
    if !list.is_empty() {
        return Ok(Named::Many(list));
    }
    let text = params.text(one)?.unwrap_or_default();
    match <[Given<T>; 1]>::try_from(ids(one, &text)?) {
        Ok([id]) => Ok(Named::One(id)),
        Err(none) if none.is_empty() => Err(missing(wanted)),
        Err(list) => Ok(Named::Many(list)),
    }
}

/// The ids in a list divided by commas or white space, each once.
fn ids<T: FromStr>(name: &str, list: &str) -> Result<Vec<Given<T>>, Refused> {
    let (mut seen, mut ids) = (HashSet::with_capacity(list.len().min(IDS_MAX)), Vec::new());
    for text in list.split(|c: char| c == ',' || c.is_whitespace()).filter(|text| !text.is_empty()) {
        if !seen.insert(text) {
            continue;
        }
        if ids.len() == IDS_MAX {
            return Err(Refused::BadRequest(format!("`{name}` must be at most {IDS_MAX} ids")));
        }
        ids.push(Given::new(text));
    }
    Ok(ids)
}

fn missing(what: &str) -> Refused {
    Refused::BadRequest(format!("{what} is missing"))
}
