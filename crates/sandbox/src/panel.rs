//! The simulated panel itself: its catalogue, orders and balance, and PerfectPanel's face. It reads no clock: the time
//! is an argument, in milliseconds since the sandbox started.

mod alter;
mod named;
mod native;
mod news;
mod order;
mod pace;
pub(crate) mod purchases;
mod refills;

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    amount,
    call::{Asked, Call},
    config::{Adapter, ChargeAfterPartial, Config, Service},
    face::{Face, error},
    journal::JournalOrder,
    life::{LifeClock, Standing},
    order_type,
    wire::{self, Fields, field},
};
use named::Named;
use news::Watched;
use order::Order;
use purchases::Offered;
use refills::Refills;

/// The most orders that are kept; the oldest are forgotten first.
const ORDERS_MAX: usize = 1_000_000;

/// The most ids in one call.
const IDS_MAX: usize = 100;

const NO_ORDER: &str = "Incorrect order ID";
const NO_FUNDS: &str = "Not enough funds on balance";

/// The panel's state.
pub(crate) struct Panel {
    adapter: Adapter,
    key: String,
    currency: String,
    balance: i64,
    catalogue: Vec<Listed>,
    named: Vec<Named>,
    tarifs: Vec<Offered>,
    clock: LifeClock,
    /// The start, by its own clock of the day, in Unix milliseconds.
    epoch_ms: i64,
    charge_after_partial: ChargeAfterPartial,
    orders: BTreeMap<u64, Order>,
    next_order: u64,
    refills: Refills,
    watched: Watched,
}

/// What a call that was carried out came to.
pub(crate) struct Answered {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The JSON answer; null for none.
    pub(crate) body: Value,
    /// The order that was taken.
    pub(crate) taken: Option<u64>,
}

impl Answered {
    /// An answer to a call that took no order.
    pub(crate) fn of(body: Value) -> Self {
        Self { status: StatusCode::OK, body, taken: None }
    }
}

struct Listed {
    service: Service,
    rate: i64,
}

impl Panel {
    /// A panel without orders. The error says which amount cannot be read.
    pub(crate) fn new(config: Config) -> Result<Self, String> {
        let listed = |service: Service| -> Result<Listed, String> {
            Ok(Listed { rate: amount::micros(&service.rate)?, service })
        };
        Ok(Self {
            balance: amount::micros(&config.balance)?,
            catalogue: config.services.into_iter().map(listed).collect::<Result<_, String>>()?,
            named: config.named.into_iter().map(Named::new).collect::<Result<_, String>>()?,
            tarifs: config.tarifs.into_iter().map(Offered::new).collect::<Result<_, String>>()?,
            adapter: config.adapter,
            key: config.key,
            currency: config.currency,
            clock: LifeClock::new(config.life),
            epoch_ms: 0,
            charge_after_partial: config.charge_after_partial,
            orders: BTreeMap::new(),
            next_order: config.first_order,
            refills: Refills::new(config.first_order),
            watched: Watched::default(),
        })
    }

    /// Sets the clock of the day: what it shows at the start, in Unix milliseconds.
    pub(crate) fn begin_at(&mut self, epoch_ms: i64) {
        self.epoch_ms = epoch_ms;
    }

    /// Whether a key is the one that is accepted.
    pub(crate) fn knows(&self, key: &str) -> bool {
        key == self.key
    }

    /// Carries out a call of any face. With `drift`, an order that it takes is charged above the price.
    pub(crate) fn carry_out(&mut self, call: &Call, now_ms: u64, drift: bool) -> Answered {
        match &call.asked {
            Asked::Panel if self.adapter == Adapter::Streamrise => self.panel_part(call, now_ms, drift),
            Asked::Panel => self.answer(&call.action, &call.fields, now_ms, drift),
            Asked::Native(name) => self.native(name, call, now_ms, drift),
            Asked::Purchases(route) => self.purchases(*route, call, now_ms, drift),
        }
    }

    /// What a face says when it takes an order.
    pub(crate) fn acceptance(&self, face: Face, number: u64, now_ms: u64) -> Value {
        match face {
            Face::Panel => json!({ "order": number }),
            Face::Native => self.native_acceptance(number, now_ms),
            Face::Purchases => self.purchase(number, false, now_ms),
        }
    }

    /// Carries out a call of PerfectPanel's face. With `drift`, an order that it takes is charged above the price.
    pub(crate) fn answer(&mut self, action: &str, fields: &Fields, now_ms: u64, drift: bool) -> Answered {
        if field(fields, "key") != self.key {
            return Answered::of(error("Invalid API key"));
        }
        let body = match action {
            "add" => return self.add_answer(fields, now_ms, drift),
            "services" => self.services(),
            "balance" => json!({ "balance": self.balance(), "currency": self.currency }),
            "status" => self.statuses(fields, now_ms),
            "cancel" => self.cancels(fields, now_ms),
            "refill" => self.refill_orders(fields, now_ms),
            "refill_status" => self.refill_statuses(fields, now_ms),
            _ => error("Incorrect request"),
        };
        Answered::of(body)
    }

    /// The latest order.
    pub(crate) fn latest_order(&self) -> Option<u64> {
        self.orders.last_key_value().map(|(number, _)| *number)
    }

    /// The balance as decimal text.
    pub(crate) fn balance(&self) -> String {
        amount::text(self.balance)
    }

    /// Every order as it stands.
    pub(crate) fn journal(&self, now_ms: u64) -> Vec<JournalOrder> {
        self.orders.iter().map(|(number, order)| self.entry(*number, order, now_ms)).collect()
    }

    pub(crate) fn set_balance(&mut self, balance: &str) -> Result<(), String> {
        self.balance = amount::micros(balance)?;
        Ok(())
    }

    pub(crate) fn set_rate(&mut self, service: &str, rate: &str) -> Result<(), String> {
        let micros = amount::micros(rate)?;
        if self.adapter == Adapter::Streamskill {
            return self.set_tarif_rate(service, rate);
        }
        if let Some(named) = self.named.iter_mut().find(|named| named.is(service)) {
            return named.set_rate(rate);
        }
        let listed = self.catalogue.iter_mut().find(|listed| listed.service.id == service);
        let listed = listed.ok_or_else(|| format!("there is no service `{service}`"))?;
        rate.clone_into(&mut listed.service.rate);
        listed.rate = micros;
        Ok(())
    }

    pub(crate) fn pause_life(&mut self, paused: bool, now_ms: u64) {
        self.clock.pause(paused, now_ms);
    }

    /// Makes an order stand as said, and refunds what that leaves undelivered.
    pub(crate) fn progress(&mut self, id: &str, status: &str, remains: Option<i64>, now_ms: u64) -> Result<(), String> {
        let (number, order) = self.find(id).ok_or_else(|| no_order(id))?;
        let standing = Standing::scripted(status, remains, order.quantity, &self.standing(order, now_ms));
        self.make(number, standing);
        Ok(())
    }

    /// Makes a status report `charge`; the balance moves by the difference.
    pub(crate) fn set_charge(&mut self, id: &str, charge: &str) -> Result<(), String> {
        let charge = amount::micros(charge)?;
        let (number, order) = self.find(id).ok_or_else(|| no_order(id))?;
        let rise = charge - self.reported_charge(order);
        if let Some(order) = self.orders.get_mut(&number) {
            order.charge += rise;
            self.balance -= rise;
        }
        Ok(())
    }

    /// One order as it stands.
    pub(crate) fn journal_of(&self, id: &str, now_ms: u64) -> Option<JournalOrder> {
        self.find(id).map(|(number, order)| self.entry(number, order, now_ms))
    }

    fn find(&self, id: &str) -> Option<(u64, &Order)> {
        let number = id.parse().ok()?;
        self.orders.get(&number).map(|order| (number, order))
    }

    /// The same for a caller: what was removed is not there.
    fn there(&self, id: &str) -> Option<(u64, &Order)> {
        self.find(id).filter(|(_, order)| !order.removed)
    }

    fn standing(&self, order: &Order, now_ms: u64) -> Standing {
        order.made.clone().unwrap_or_else(|| self.standing_by_clock(order, now_ms))
    }

    fn make(&mut self, number: u64, standing: Standing) {
        if let Some(order) = self.orders.get_mut(&number) {
            let refund = amount::share(order.charge, standing.undelivered(order.quantity), order.quantity);
            self.balance += refund - order.refunded;
            order.refunded = refund;
            order.made = Some(standing);
        }
        self.watch(number);
    }

    fn reported_charge(&self, order: &Order) -> i64 {
        match self.charge_after_partial {
            ChargeAfterPartial::Net => order.charge - order.refunded,
            ChargeAfterPartial::Gross => order.charge,
        }
    }

    fn entry(&self, number: u64, order: &Order, now_ms: u64) -> JournalOrder {
        let standing = self.standing(order, now_ms);
        JournalOrder {
            id: number.to_string(),
            service: order.service.clone(),
            link: order.target.clone(),
            quantity: order.quantity,
            params: order.params.clone(),
            charge: amount::text(order.charge),
            refunded: amount::text(order.refunded),
            remains: standing.remaining(order.quantity),
            status: standing.status,
            taken_at_ms: i64::try_from(order.taken_at_ms).unwrap_or(i64::MAX),
        }
    }

    fn services(&self) -> Value {
        let listed = |Listed { service, .. }: &Listed| {
            json!({
                "service": wire::id(&service.id),
                "name": service.name,
                "type": service.service_type,
                "category": service.category,
                "rate": service.rate,
                "min": service.min.to_string(),
                "max": service.max.to_string(),
                "refill": service.refill,
                "cancel": service.cancel,
                "dripfeed": service.dripfeed,
            })
        };
        self.catalogue.iter().map(listed).collect()
    }

    fn add_answer(&mut self, fields: &Fields, now_ms: u64, drift: bool) -> Answered {
        match self.add(fields, now_ms, drift) {
            Ok(number) => Answered { taken: Some(number), ..Answered::of(json!({ "order": number })) },
            Err(text) => Answered::of(error(&text)),
        }
    }

    fn add(&mut self, fields: &Fields, now_ms: u64, drift: bool) -> Result<u64, String> {
        let service = field(fields, "service");
        let listed = self.catalogue.iter().find(|listed| listed.service.id == service);
        let listed = listed.ok_or("Incorrect service ID")?;
        let order_type::Asked { target, quantity, flat } = order_type::read(&listed.service, fields)?;
        let (min, max) = (listed.service.min, listed.service.max);
        if quantity < min {
            return Err(format!("Quantity less than minimal {min}"));
        }
        if quantity > max {
            return Err(format!("Quantity more than maximum {max}"));
        }
        let price = if flat { listed.rate } else { amount::price(listed.rate, quantity) };
        let order = Order {
            params: wire::parameters(fields),
            cancelable: listed.service.cancel,
            refillable: listed.service.refill,
            ..Order::new(service, target, quantity, price)
        };
        self.take(order, now_ms, drift).ok_or_else(|| NO_FUNDS.to_owned())
    }

    /// Takes an order from whichever face, and its charge from the balance; nothing if that is too small.
    fn take(&mut self, order: Order, now_ms: u64, drift: bool) -> Option<u64> {
        let charge = if drift { amount::drifted(order.charge) } else { order.charge };
        if charge > self.balance {
            return None;
        }
        self.balance -= charge;
        if self.orders.len() >= ORDERS_MAX {
            self.orders.pop_first();
        }
        let number = self.next_order;
        let (start_count, born_ms) = (1_000 + number % 9_000, self.clock.at(now_ms));
        self.orders.insert(number, Order { charge, start_count, born_ms, taken_at_ms: now_ms, ..order });
        self.next_order = number.saturating_add(1);
        self.watch(number);
        Some(number)
    }

    fn statuses(&self, fields: &Fields, now_ms: u64) -> Value {
        let one = field(fields, "order");
        if !one.is_empty() {
            return self.status(one, now_ms);
        }
        match ids(field(fields, "orders"), NO_ORDER) {
            Ok(ids) => ids.into_iter().map(|id| (id.to_owned(), self.status(id, now_ms))).collect::<Map<_, _>>().into(),
            Err(text) => error(text),
        }
    }

    fn status(&self, id: &str, now_ms: u64) -> Value {
        let Some((_, order)) = self.there(id) else {
            return error(NO_ORDER);
        };
        let standing = self.standing(order, now_ms);
        let start_count = if standing.status == "Pending" { 0 } else { order.start_count };
        let mut report = json!({
            "charge": amount::text(self.reported_charge(order)),
            "start_count": start_count.to_string(),
            "status": standing.status,
            "currency": self.currency,
        });
        if let Some(remains) = standing.remains {
            report["remains"] = remains.to_string().into();
        }
        order.tell(report)
    }

    fn cancels(&mut self, fields: &Fields, now_ms: u64) -> Value {
        let orders = field(fields, "orders");
        match ids(if orders.is_empty() { field(fields, "order") } else { orders }, NO_ORDER) {
            Ok(ids) => ids
                .into_iter()
                .map(|id| match self.cancel(id, now_ms) {
                    Ok(()) => json!({ "order": wire::id(id), "cancel": 1 }),
                    Err(text) => json!({ "order": wire::id(id), "cancel": error(text) }),
                })
                .collect(),
            Err(text) => error(text),
        }
    }

    fn cancel(&mut self, id: &str, now_ms: u64) -> Result<(), &'static str> {
        let (number, order) = self.there(id).ok_or(NO_ORDER)?;
        if !order.cancelable {
            return Err("Service doesn't support cancel");
        }
        if self.standing(order, now_ms).has_ended() {
            return Err("Cannot cancel");
        }
        self.end_short(number, now_ms);
        Ok(())
    }

    /// Ends an order as it stands, and gives back what was not delivered.
    fn end_short(&mut self, number: u64, now_ms: u64) {
        let Some(order) = self.orders.get(&number) else { return };
        let (quantity, remaining) = (order.quantity, self.standing(order, now_ms).remaining(order.quantity));
        let status = if remaining == quantity { "Canceled" } else { "Partial" };
        self.make(number, Standing::new(status, remaining));
    }
}

/// The ids in a list; `none` is what the panel says to an empty one.
fn ids<'a>(list: &'a str, none: &'static str) -> Result<Vec<&'a str>, &'static str> {
    let ids: Vec<&str> = list.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    match ids.len() {
        0 => Err(none),
        1..=IDS_MAX => Ok(ids),
        _ => Err("No more than 100 orders at a time"),
    }
}

fn no_order(id: &str) -> String {
    format!("there is no order `{id}`")
}

#[cfg(test)]
#[path = "panel_tests.rs"]
mod tests;
