//! What Streamrise lets be different about an order that runs: more of it for money, or another channel (seed,
//! "calculateUpgradePrice", "upgradeOrder", "changeOrder").

use serde_json::{Map, Value, json};

use super::{
    NO_FUNDS, Panel,
    named::{When, channel},
};
use crate::{
    amount,
    call::Call,
    face::{error, wrong},
    price,
    wire::field,
};

/// An upgrade with its price.
struct Upgrade {
    order: u64,
    amount: u64,
    price: i64,
    discount: i64,
}

impl Panel {
    /// What an upgrade would cost.
    pub(super) fn quote(&self, call: &Call, now_ms: u64) -> Value {
        match self.upgrade_asked(call, now_ms) {
            Ok(upgrade) => json!({
                "price": amount::number(upgrade.price),
                "totalDiscount": amount::number(upgrade.discount),
            }),
            Err(body) => body,
        }
    }

    /// Makes an upgrade, and takes its price.
    pub(super) fn upgrade(&mut self, call: &Call, now_ms: u64) -> Value {
        let upgrade = match self.upgrade_asked(call, now_ms) {
            Ok(upgrade) => upgrade,
            Err(body) => return body,
        };
        if upgrade.price > self.balance {
            return error(NO_FUNDS);
        }
        self.balance -= upgrade.price;
        if let Some(order) = self.orders.get_mut(&upgrade.order) {
            order.charge += upgrade.price;
            order.quantity = upgrade.amount;
        }
        self.watch(upgrade.order);
        Value::Null
    }

    /// Changes what may be changed for nothing.
    pub(super) fn change(&mut self, call: &Call, now_ms: u64) -> Value {
        let (number, changed) = match self.change_asked(call, now_ms) {
            Ok(asked) => asked,
            Err(body) => return body,
        };
        if let Some(order) = self.orders.get_mut(&number) {
            for (name, value) in changed {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if name == "channel" {
                    order.target.clone_from(&text);
                }
                order.params.insert(name, text);
            }
        }
        self.watch(number);
        Value::Null
    }

    fn upgrade_asked(&self, call: &Call, now_ms: u64) -> Result<Upgrade, Value> {
        let (number, order) = self.running(field(&call.fields, "id"), now_ms)?;
        let named = self.named(&order.service).ok_or_else(|| wrong("service", "Service cannot be upgraded"))?;
        let asked = properties(call)?;
        let allowed = named.fields(When::Upgrading);
        if let Some((other, _)) = asked.iter().find(|(name, _)| !allowed.contains(&name.as_str())) {
            return Err(wrong(other, "Field cannot be upgraded"));
        }
        let period = order.params.get("periodAmount").map_or("", String::as_str);
        let amount = asked.get("amount").and_then(Value::as_u64);
        let amount = amount.filter(|amount| *amount > order.quantity && named.takes(*amount));
        let cost = |amount| named.table(period).and_then(|table| price::stepped(table, amount));
        let costs = amount.and_then(|amount| Some((amount, cost(amount)?, cost(order.quantity)?)));
        let (amount, all, had) = costs.ok_or_else(|| wrong("amount", "Invalid amount"))?;
        // What as much would cost at the unit price of the smallest order.
        let dearest =
            cost(named.service.min).map_or(all, |least| amount::scaled(least, &[amount], &[named.service.min]));
        Ok(Upgrade { order: number, amount, price: (all - had).max(0), discount: (dearest - all).max(0) })
    }

    fn change_asked(&self, call: &Call, now_ms: u64) -> Result<(u64, Map<String, Value>), Value> {
        let (number, order) = self.running(field(&call.fields, "id"), now_ms)?;
        let asked = properties(call)?;
        // What was ordered by number has no fields of its own but the channel.
        let allowed = self.named(&order.service).map_or_else(|| vec!["channel"], |named| named.fields(When::Changing));
        for (name, value) in asked {
            if !allowed.contains(&name.as_str()) {
                return Err(wrong(name, "Field cannot be changed"));
            }
            if name == "channel" && channel(value.as_str().unwrap_or_default()).is_err() {
                return Err(wrong("channel", "Invalid channel name"));
            }
        }
        Ok((number, asked.clone()))
    }
}

/// What is to be different.
fn properties(call: &Call) -> Result<&Map<String, Value>, Value> {
    let asked = call.body.get("order").and_then(Value::as_object).filter(|order| !order.is_empty());
    asked.ok_or_else(|| wrong("order", "orderEmpty"))
}
