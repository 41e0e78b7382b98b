//! Refills: asked for by order, then with a life of their own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{NO_ORDER, Panel, error, ids, no_order};
use crate::{
    amount,
    journal::JournalRefill,
    life::Standing,
    wire::{self, Fields, field},
};

/// The most refills that are kept; the oldest are forgotten first.
const REFILLS_MAX: usize = 1_000_000;

/// How far refill ids lie above order ids, so that whoever takes one for the other finds nothing.
const IDS_ABOVE_ORDERS: u64 = 1_000_000;

const NOT_ELIGIBLE: &str = "Order not eligible for refill";
const NOT_FOUND: &str = "Refill not found";

/// The refills of a panel.
pub(super) struct Refills {
    taken: BTreeMap<u64, Refill>,
    next: u64,
}

struct Refill {
    order: u64,
    /// The reading of the life clock when it was taken.
    born_ms: u64,
    /// The status word that was said of it; until then it lives by the clock.
    said: Option<String>,
}

impl Refills {
    /// None yet, at a panel whose orders begin at `first_order`.
    pub(super) fn new(first_order: u64) -> Self {
        Self { taken: BTreeMap::new(), next: first_order.saturating_add(IDS_ABOVE_ORDERS) }
    }

    fn find(&self, id: &str) -> Option<(u64, &Refill)> {
        let number = id.parse().ok()?;
        self.taken.get(&number).map(|refill| (number, refill))
    }

    fn take(&mut self, refill: Refill) -> u64 {
        if self.taken.len() >= REFILLS_MAX {
            self.taken.pop_first();
        }
        let number = self.next;
        self.taken.insert(number, refill);
        self.next = number.saturating_add(1);
        number
    }
}

impl Panel {
    /// Every refill as it stands.
    pub(crate) fn refill_journal(&self, now_ms: u64) -> Vec<JournalRefill> {
        self.refills.taken.iter().map(|(number, refill)| self.refill_entry(*number, refill, now_ms)).collect()
    }

    /// One refill as it stands.
    pub(crate) fn refill_journal_of(&self, id: &str, now_ms: u64) -> Option<JournalRefill> {
        self.refills.find(id).map(|(number, refill)| self.refill_entry(number, refill, now_ms))
    }

    /// Makes a refill report `status`.
    pub(crate) fn refill_progress(&mut self, id: &str, status: &str) -> Result<(), String> {
        let found = id.parse::<u64>().ok().and_then(|number| self.refills.taken.get_mut(&number));
        found.ok_or_else(|| no_refill(id))?.said = Some(status.to_owned());
        Ok(())
    }

    /// Takes `cost` from the balance for a refill; its order's status reports it as charge.
    pub(crate) fn charge_refill(&mut self, id: &str, cost: &str) -> Result<(), String> {
        let cost = amount::micros(cost)?;
        let (_, refill) = self.refills.find(id).ok_or_else(|| no_refill(id))?;
        let number = refill.order;
        let order = self.orders.get_mut(&number).ok_or_else(|| no_order(&number.to_string()))?;
        order.charge += cost;
        self.balance -= cost;
        Ok(())
    }

    /// Takes refills of the orders that can have one.
    pub(super) fn refill_orders(&mut self, fields: &Fields, now_ms: u64) -> Value {
        let one = field(fields, "order");
        if !one.is_empty() {
            // Alone the id is a text, in a list it is a number.
            return self.refill(one, now_ms).map_or_else(error, |number| json!({ "refill": number.to_string() }));
        }
        match ids(field(fields, "orders"), NO_ORDER) {
            Ok(ids) => ids
                .into_iter()
                .map(|id| {
                    let refill = self.refill(id, now_ms).map_or_else(error, Value::from);
                    json!({ "order": wire::id(id), "refill": refill })
                })
                .collect(),
            Err(text) => error(text),
        }
    }

    /// Says how refills stand.
    pub(super) fn refill_statuses(&self, fields: &Fields, now_ms: u64) -> Value {
        let one = field(fields, "refill");
        if !one.is_empty() {
            return self.refill_status(one, now_ms).map_or_else(error, |status| json!({ "status": status }));
        }
        match ids(field(fields, "refills"), NOT_FOUND) {
            Ok(ids) => ids
                .into_iter()
                .map(|id| {
                    let status = self.refill_status(id, now_ms).map_or_else(error, Value::from);
                    json!({ "refill": wire::id(id), "status": status })
                })
                .collect(),
            Err(text) => error(text),
        }
    }

    fn refill(&mut self, id: &str, now_ms: u64) -> Result<u64, &'static str> {
        let (number, order) = self.find(id).ok_or(NO_ORDER)?;
        let latest = order.refill.and_then(|refill| self.refills.taken.get(&refill));
        let is_open = latest.is_some_and(|refill| !self.refill_standing(refill, now_ms).has_ended());
        if !order.refillable || is_open || !self.standing(order, now_ms).is_completed() {
            return Err(NOT_ELIGIBLE);
        }
        let born_ms = self.clock.at(now_ms);
        let refill = self.refills.take(Refill { order: number, born_ms, said: None });
        if let Some(order) = self.orders.get_mut(&number) {
            order.refill = Some(refill);
        }
        Ok(refill)
    }

    fn refill_status(&self, id: &str, now_ms: u64) -> Result<String, &'static str> {
        let (_, refill) = self.refills.find(id).ok_or(NOT_FOUND)?;
        Ok(self.refill_standing(refill, now_ms).status)
    }

    /// A refill lives as an order does that has nothing to deliver.
    fn refill_standing(&self, refill: &Refill, now_ms: u64) -> Standing {
        let by_clock = || self.clock.standing(refill.born_ms, 0, now_ms);
        refill.said.as_ref().map_or_else(by_clock, |status| Standing::new(status, 0))
    }

    fn refill_entry(&self, number: u64, refill: &Refill, now_ms: u64) -> JournalRefill {
        JournalRefill {
            id: number.to_string(),
            order: refill.order.to_string(),
            status: self.refill_standing(refill, now_ms).status,
        }
    }
}

fn no_refill(id: &str) -> String {
    format!("there is no refill `{id}`")
}
