//! Streamrise's faces (seed "Orders", `protocol.md` §6): its PerfectPanel part, and orders by its native one.

use serde_json::{Map, Value, json};

use super::{
    Answered, NO_FUNDS, Panel,
    named::{When, channel, interval},
    order::Order,
    pace::Pace,
};
use crate::{
    call::Call,
    face::{error, wrong},
    life::Standing,
    price,
    wire::{self, Fields, field},
};

/// What a native call about an order that is not there is told: an error there is a map.
const NO_SUCH_ORDER: &str = "Order not found";

impl Panel {
    /// Carries out a call of the PerfectPanel part, which has no refills and no drip-feed, and does not speak of them.
    pub(super) fn panel_part(&mut self, call: &Call, now_ms: u64, drift: bool) -> Answered {
        if call.action == "refill" || call.action == "refill_status" {
            return Answered::of(error(if self.knows(&call.key) { "Incorrect request" } else { "Invalid API key" }));
        }
        let mut answered = self.answer(&call.action, &call.fields, now_ms, drift);
        if call.action == "services" {
            for service in answered.body.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
                service.retain(|name, _| name != "refill" && name != "dripfeed");
            }
        }
        answered
    }

    /// Carries out a call of the native face. With `drift`, an order that it takes is charged above the price.
    pub(super) fn native(&mut self, name: &str, call: &Call, now_ms: u64, drift: bool) -> Answered {
        let said = |name| field(&call.fields, name);
        if name == "validateOrderProperty" {
            // "No key required."
            return Answered::of(self.validated(said("service"), said("field"), said("value")));
        }
        if !self.knows(&call.key) {
            return Answered::of(error("Invalid API key"));
        }
        let body = match name {
            "newOrder" => return self.new_order(&call.fields, now_ms, drift),
            "getFamilyServices" => self.families(),
            "getServices" => self.named_services(),
            "getPrices" => self.prices(said("service")),
            "getParamsLimits" => self.limits(said("service")),
            "availableToSend" => self.available(When::Ordering),
            "availableToChange" => self.available(When::Changing),
            "availableToUpgrade" => self.available(When::Upgrading),
            "getOrders" => self.native_orders(said("ids"), now_ms),
            "getOrdersPage" => self.native_page(&call.fields, now_ms),
            "pauseOrder" => self.each_native(said("id"), |panel, number| panel.pause(number, now_ms)),
            "resumeOrder" => self.each_native(said("id"), |panel, number| panel.start(number, now_ms)),
            "deleteOrder" => self.each_native(said("id"), |panel, number| panel.delete(number, now_ms)),
            "calculateUpgradePrice" => self.quote(call, now_ms),
            "upgradeOrder" => self.upgrade(call, now_ms),
            _ => self.change(call, now_ms),
        };
        Answered::of(body)
    }

    /// What `newOrder` says of an order that it took.
    pub(super) fn native_acceptance(&self, number: u64, now_ms: u64) -> Value {
        let Some(order) = self.orders.get(&number) else { return Value::Null };
        let mut shown = self.native_fields(number, order);
        shown.insert("status".to_owned(), native_word(&self.standing(order, now_ms)).into());
        json!({ "orderId": number, "order": order.tell(shown.into()) })
    }

    /// What the feed may tell of an order.
    pub(super) fn feed_fields(&self, order: &Order, now_ms: u64) -> Map<String, Value> {
        let standing = self.standing(order, now_ms);
        let told = json!({
            "status": native_word(&standing),
            "remains": standing.remains,
            "channel": order.target,
            "amount": order.quantity,
            "pause": is_paused(order),
        });
        match order.tell(told) {
            Value::Object(told) => told,
            _ => Map::new(),
        }
    }

    /// The order that a native call is about, if it is still running.
    pub(super) fn running(&self, id: &str, now_ms: u64) -> Result<(u64, &Order), Value> {
        let found = self.there(id).filter(|(_, order)| !self.standing(order, now_ms).has_ended());
        found.ok_or_else(|| wrong("id", NO_SUCH_ORDER))
    }

    fn new_order(&mut self, fields: &Fields, now_ms: u64, drift: bool) -> Answered {
        let bought = self.named_order(fields).and_then(|order| {
            let taken = self.take(order, now_ms, drift);
            taken.ok_or_else(|| error(NO_FUNDS))
        });
        match bought {
            Ok(number) => Answered { taken: Some(number), ..Answered::of(self.native_acceptance(number, now_ms)) },
            Err(body) => Answered::of(body),
        }
    }

    /// The order that is asked for, at its price.
    fn named_order(&self, fields: &Fields) -> Result<Order, Value> {
        let named = self.named(field(fields, "service")).ok_or_else(|| wrong("service", "Service not found"))?;
        let target = field(fields, "channel");
        channel(target).map_err(|reason| wrong("channel", reason))?;
        interval(field(fields, "interval")).map_err(|reason| wrong("interval", reason))?;
        let table =
            named.table(field(fields, "periodAmount")).ok_or_else(|| wrong("periodAmount", "Invalid period"))?;
        let amount = field(fields, "amount").parse::<u64>().ok().filter(|amount| named.takes(*amount));
        let priced = amount.and_then(|amount| Some((amount, price::stepped(table, amount)?)));
        let (amount, price) = priced.ok_or_else(|| wrong("amount", "Invalid amount"))?;
        Ok(Order {
            params: wire::parameters(fields),
            cancelable: named.service.cancel,
            ..Order::new(&named.service.name, target, amount, price)
        })
    }

    fn each_native(&mut self, id: &str, act: impl FnOnce(&mut Self, u64)) -> Value {
        let Some((number, _)) = self.there(id) else { return wrong("id", NO_SUCH_ORDER) };
        act(self, number);
        Value::Null
    }

    /// "Permanently removes an order"; "Unfilled or cancelled units are returned to your balance".
    fn delete(&mut self, number: u64, now_ms: u64) {
        if self.orders.get(&number).is_some_and(|order| !self.standing(order, now_ms).has_ended()) {
            self.end_short(number, now_ms);
        }
        if let Some(order) = self.orders.get_mut(&number) {
            order.removed = true;
        }
    }

    fn native_orders(&self, ids: &str, now_ms: u64) -> Value {
        let asked = self.listed(ids).map(|(number, order)| {
            let shown = self.native_fields(number, order);
            (number.to_string(), self.with_pause(shown, order, now_ms))
        });
        asked.collect::<Map<_, _>>().into()
    }

    /// A page of the list; `end` is the last row's index, so it is in it.
    fn native_page(&self, fields: &Fields, now_ms: u64) -> Value {
        let index = |name, other| field(fields, name).parse::<usize>().unwrap_or(other);
        let (wanted, service_type) = (field(fields, "searchValue"), field(fields, "serviceType"));
        let mut rows: Vec<(u64, &Order)> = self.listed(field(fields, "ids")).collect();
        rows.retain(|(number, order)| {
            let is_found = number.to_string().contains(wanted) || order.target.contains(wanted);
            let class = self.named(&order.service).map_or("", |named| named.service.service_type.as_str());
            is_found && (service_type.is_empty() || service_type == class)
        });
        // Ids rise with the time, so they sort as it does.
        let by_amount = field(fields, "sortKey") == "amount";
        rows.sort_by_key(|(number, order)| (if by_amount { order.quantity } else { 0 }, *number));
        if field(fields, "sortDirection") == "desc" {
            rows.reverse();
        }
        let (start, total) = (index("start", 0), rows.len());
        let count = index("end", usize::MAX).saturating_sub(start).saturating_add(1);
        let history = rows.into_iter().skip(start).take(count).map(|(number, order)| {
            let mut shown = self.native_fields(number, order);
            let taken_at = i64::try_from(order.taken_at_ms).unwrap_or(i64::MAX);
            shown.insert("orderTime".to_owned(), self.epoch_ms.saturating_add(taken_at).into());
            self.with_pause(shown, order, now_ms)
        });
        let mut page = json!({ "history": history.collect::<Vec<_>>() });
        if field(fields, "total") == "true" {
            page["total"] = total.to_string().into();
        }
        page
    }

    /// The orders that are there, of these ids or of all.
    fn listed<'a>(&'a self, ids: &'a str) -> impl Iterator<Item = (u64, &'a Order)> {
        let is_asked =
            move |number: u64| ids.is_empty() || ids.split(',').any(|id| id.trim().parse::<u64>() == Ok(number));
        let all = self.orders.iter().filter(|(_, order)| !order.removed);
        all.map(|(number, order)| (*number, order)).filter(move |(number, _)| is_asked(*number))
    }

    fn native_fields(&self, number: u64, order: &Order) -> Map<String, Value> {
        // What was ordered by number is listed under the name that it has here, where there is one.
        let listed = self.catalogue.iter().find(|listed| listed.service.id == order.service);
        let name = listed.map_or_else(|| order.service.clone(), |listed| camel_case(&listed.service.name));
        let fields = json!({ "id": number, "service": name, "channel": order.target, "amount": order.quantity });
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    fn with_pause(&self, mut fields: Map<String, Value>, order: &Order, now_ms: u64) -> Value {
        let running = !self.standing(order, now_ms).has_ended();
        fields.insert("pause".to_owned(), (running && is_paused(order)).into());
        order.tell(fields.into())
    }
}

fn is_paused(order: &Order) -> bool {
    matches!(order.pace, Pace::Paused(_))
}

/// The status as the native face has it: `active` until it has ended.
fn native_word(standing: &Standing) -> String {
    if standing.has_ended() { standing.status.to_lowercase() } else { "active".to_owned() }
}

/// `Twitch Viewers` as `twitchViewers`.
fn camel_case(name: &str) -> String {
    let mut words = name.split(' ');
    let first = words.next().unwrap_or_default().to_lowercase();
    words.fold(first, |name, word| name + word)
}

#[cfg(test)]
#[path = "native_tests.rs"]
mod tests;
