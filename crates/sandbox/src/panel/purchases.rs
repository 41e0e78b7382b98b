//! Streamskill's face (seed `streamskill-purchases-create.txt`, `protocol.md` §6): tarifs, and purchases of them.

mod create;
mod route;

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Answered, IDS_MAX, NO_FUNDS, Panel, order::Order, pace::Pace};
use crate::{
    amount,
    call::Call,
    catalogue::{Pricing, Tarif},
    face::{complaint, invalid},
    life::Standing,
    price::Timed,
    wire::field,
};

pub(crate) use route::Route;

/// A tarif with its prices.
pub(super) struct Offered {
    tarif: Tarif,
    prices: Timed,
}

impl Offered {
    /// A tarif as it was configured; the error says which amount cannot be read.
    pub(super) fn new(tarif: Tarif) -> Result<Self, String> {
        Ok(Self { prices: Timed::new(&tarif)?, tarif })
    }

    /// The tarif as it is listed: its `price` is that of the smallest quantity for one unit of time, all discounts in.
    fn shown(&self) -> Value {
        let Tarif { id, title, order_type, min, max, hourly, pricing } = &self.tarif;
        let (pricing_type, graduated, discounts) = match pricing {
            Pricing::Standard { discounts, .. } => ("standard", Value::Null, numbers(discounts)),
            Pricing::Graduated { prices } => ("graduated", numbers(prices), Value::Null),
        };
        json!({
            "id": id,
            "title": title,
            "text": [],
            "count": { "min": min, "max": max },
            "price": self.prices.cost(*min, 1).map_or(Value::Null, amount::number),
            "type": order_type,
            "hourly": hourly,
            "pricing_type": pricing_type,
            "graduated_prices": graduated,
            "discounts": discounts,
            "link": { "prefix": site(order_type), "placeholder": "channel" },
            "panel": false,
        })
    }
}

impl Panel {
    /// Carries out a call of this face. With `drift`, a purchase that it takes is charged above the price.
    pub(super) fn purchases(&mut self, route: Route, call: &Call, now_ms: u64, drift: bool) -> Answered {
        if !self.knows(&call.key) {
            return refused(StatusCode::UNAUTHORIZED, "Your request was made with invalid credentials.");
        }
        let expand = field(&call.fields, "expand").split(',').any(|name| name.trim() == "tarif");
        let answered: Result<Value, Answered> = match route {
            Route::Tarifs => Ok(self.tarifs.iter().map(Offered::shown).collect()),
            Route::Tarif(id) => self.offered(id).map(Offered::shown).ok_or_else(not_found),
            Route::Create => return self.create(call, expand, now_ms, drift),
            Route::All => Ok(self.those(|_| true, expand, now_ms)),
            Route::Unfinished => Ok(self.those(|standing| !standing.has_ended(), expand, now_ms)),
            Route::Bulk => self.bulk(field(&call.fields, "ids"), expand, now_ms),
            Route::One(number) => self.purchased(number).map(|_| self.purchase(number, expand, now_ms)),
            Route::Start(number) => self.set_going(number, now_ms),
            Route::Stop(number) => self.stop(number, now_ms),
            Route::BulkStop => self.stop_all(&call.body, now_ms),
            Route::Prolong(number) => self.prolong(number, &call.body, now_ms),
            Route::Nothing => Err(not_found()),
        };
        answered.map_or_else(|refused| refused, Answered::of)
    }

    /// A purchase as every answer shows it; with `expand`, its tarif whole.
    pub(super) fn purchase(&self, number: u64, expand: bool, now_ms: u64) -> Value {
        let Some(order) = self.orders.get(&number) else { return Value::Null };
        let id = order.service.parse::<u64>().unwrap_or_default();
        let offered = self.offered(id);
        let order_type = offered.map_or("", |offered| offered.tarif.order_type.as_str());
        let at_ms = self.epoch_ms.saturating_add(i64::try_from(order.taken_at_ms).unwrap_or(i64::MAX));
        order.tell(json!({
            "id": number,
            "price": amount::number(self.reported_charge(order)),
            "currency": self.currency.to_lowercase(),
            "created_at": at_ms / 1_000,
            "order_type": order_type,
            "channel": address(order_type, &order.target),
            "status": self.purchase_word(order, now_ms),
            "service": service(order_type),
            "parent": false,
            "api": true,
            "chatbot": order_type.ends_with("chatbots"),
            "tarif": offered.filter(|_| expand).map_or_else(|| json!(id), Offered::shown),
        }))
    }

    /// Sets the price of a tarif to `rate` per 1000 and unit of time, for purchases to come.
    pub(super) fn set_tarif_rate(&mut self, id: &str, rate: &str) -> Result<(), String> {
        let offered = self.tarifs.iter_mut().find(|offered| offered.tarif.id.to_string() == id);
        let offered = offered.ok_or_else(|| format!("there is no tarif `{id}`"))?;
        *offered = Offered::new(offered.tarif.clone().at_rate(rate))?;
        Ok(())
    }

    fn offered(&self, id: u64) -> Option<&Offered> {
        self.tarifs.iter().find(|offered| offered.tarif.id == id)
    }

    fn purchased(&self, number: u64) -> Result<&Order, Answered> {
        self.orders.get(&number).filter(|order| !order.removed).ok_or_else(not_found)
    }

    /// The purchases that stand as asked for, the newest first.
    fn those(&self, wanted: impl Fn(&Standing) -> bool, expand: bool, now_ms: u64) -> Value {
        let all = self.orders.iter().rev().filter(|(_, order)| !order.removed);
        let found = all.filter(|(_, order)| wanted(&self.standing(order, now_ms)));
        found.map(|(number, _)| self.purchase(*number, expand, now_ms)).collect()
    }

    fn bulk(&self, ids: &str, expand: bool, now_ms: u64) -> Result<Value, Answered> {
        let ids: Option<Vec<u64>> = ids.split(',').map(|id| id.trim().parse().ok()).collect();
        let ids = ids.filter(|ids| ids.len() <= IDS_MAX).ok_or_else(|| unprocessable("ids"))?;
        let (there, missing): (Vec<u64>, Vec<u64>) = ids.into_iter().partition(|id| self.purchased(*id).is_ok());
        let items: Vec<Value> = there.into_iter().map(|number| self.purchase(number, expand, now_ms)).collect();
        Ok(json!({ "items": items, "missing_ids": missing }))
    }

    fn set_going(&mut self, number: u64, now_ms: u64) -> Result<Value, Answered> {
        let order = self.purchased(number)?;
        if self.standing(order, now_ms).has_ended() {
            return Err(refused(StatusCode::METHOD_NOT_ALLOWED, "The purchase has ended."));
        }
        if order.pace == Pace::Runs {
            return Err(refused(StatusCode::CONFLICT, "The purchase is started already."));
        }
        self.start(number, now_ms);
        Ok(ok())
    }

    fn stop(&mut self, number: u64, now_ms: u64) -> Result<Value, Answered> {
        let order = self.purchased(number)?;
        if self.standing(order, now_ms).has_ended() {
            return Err(refused(StatusCode::METHOD_NOT_ALLOWED, "The purchase has ended."));
        }
        if order.pace != Pace::Runs {
            return Err(refused(StatusCode::CONFLICT, "The purchase is stopped already."));
        }
        self.pause(number, now_ms);
        Ok(ok())
    }

    /// Stops several; the shape of the answer is not documented.
    fn stop_all(&mut self, body: &Value, now_ms: u64) -> Result<Value, Answered> {
        let ids = body.get("ids").and_then(Value::as_array).filter(|ids| (1..=IDS_MAX).contains(&ids.len()));
        let ids: Option<Vec<u64>> = ids.and_then(|ids| ids.iter().map(Value::as_u64).collect());
        let (mut success, mut failed) = (Vec::new(), Vec::new());
        for id in ids.ok_or_else(|| unprocessable("ids"))? {
            match self.stop(id, now_ms) {
                Ok(_) => success.push(id),
                Err(refused) => failed.push(json!({ "id": id, "message": refused.body["message"] })),
            }
        }
        Ok(json!({ "success": success, "failed": failed }))
    }

    /// Lets a purchase run longer, for the price of the time that is added.
    fn prolong(&mut self, number: u64, body: &Value, now_ms: u64) -> Result<Value, Answered> {
        let order = self.purchased(number)?;
        if self.standing(order, now_ms).has_ended() {
            return Err(refused(StatusCode::METHOD_NOT_ALLOWED, "The purchase has ended."));
        }
        let count = body.get("count").and_then(Value::as_u64).filter(|count| *count > 0);
        let count = count.ok_or_else(|| unprocessable("count"))?;
        let offered = order.service.parse::<u64>().ok().and_then(|id| self.offered(id)).ok_or_else(not_found)?;
        let price = offered.prices.cost(order.quantity, count).ok_or_else(|| unprocessable("count"))?;
        if price > self.balance {
            return Err(refused(StatusCode::PAYMENT_REQUIRED, NO_FUNDS));
        }
        self.balance -= price;
        if let Some(order) = self.orders.get_mut(&number) {
            order.charge += price;
        }
        Ok(ok())
    }

    /// The status in Streamskill's words; a script may speak in those or in PerfectPanel's.
    fn purchase_word(&self, order: &Order, now_ms: u64) -> String {
        let standing = self.standing(order, now_ms);
        let word = standing.status.to_lowercase();
        match (word.as_str(), order.pace) {
            _ if standing.has_ended() => match word.as_str() {
                // What was not delivered is given back, so its price falls.
                "canceled" | "cancelled" | "partial" => "refunded".to_owned(),
                _ => word,
            },
            (_, Pace::Waits) => "created".to_owned(),
            (_, Pace::Paused(_)) => "stopped".to_owned(),
            ("pending", Pace::Runs) => "awaiting".to_owned(),
            ("in progress" | "processing", Pace::Runs) => "working".to_owned(),
            _ => word,
        }
    }
}

/// The site that a purchase is for, by what stands before the `_` of its type.
fn service(order_type: &str) -> &'static str {
    let known = ["kick", "trovo", "youtube"].into_iter().find(|site| order_type.split('_').next() == Some(*site));
    known.unwrap_or("twitch")
}

/// Where channels of this kind are.
fn site(order_type: &str) -> &'static str {
    match service(order_type) {
        "kick" => "https://kick.com/",
        "trovo" => "https://trovo.live/",
        "youtube" => "https://www.youtube.com/",
        _ => "https://www.twitch.tv/",
    }
}

/// A channel as it is listed: by its address, also where it was ordered by its name.
fn address(order_type: &str, channel: &str) -> String {
    if channel.contains(['/', '.']) { channel.to_owned() } else { format!("{}{channel}", site(order_type)) }
}

/// A table of decimals as JSON.
fn numbers(table: &BTreeMap<u64, String>) -> Value {
    let entry = |(from, text): (&u64, &String)| {
        let number = amount::micros(text).map_or(Value::Null, amount::number);
        (from.to_string(), number)
    };
    table.iter().map(entry).collect::<Map<_, _>>().into()
}

fn ok() -> Value {
    json!({ "status": "ok" })
}

fn refused(status: StatusCode, message: &str) -> Answered {
    Answered { status, ..Answered::of(complaint(status, message)) }
}

fn not_found() -> Answered {
    refused(StatusCode::NOT_FOUND, "Not found.")
}

fn unprocessable(name: &str) -> Answered {
    Answered { status: StatusCode::UNPROCESSABLE_ENTITY, ..Answered::of(invalid(name, &format!("{name} is invalid."))) }
}

#[cfg(test)]
#[path = "purchases_tests.rs"]
mod tests;
