//! What must be true of the books, the customers' memories and the upstreams' journals, each held against the others.

use std::collections::BTreeMap;

use acceptance::{Gateway, call};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::clients::{Account, Answer, Memory};
use crate::support::{spent, text, units};

/// What a gateway that has come to rest says.
pub(crate) struct Books {
    orders: BTreeMap<i64, Value>,
    /// The upstream of each order whose submission is unknown.
    unknown: BTreeMap<i64, String>,
}

impl Books {
    /// Reads them.
    pub(crate) fn read(gateway: &Gateway) -> Result<Self> {
        Ok(Self { orders: orders(gateway, &[])?, unknown: unknown(gateway)? })
    }

    /// How many submissions are unknown.
    pub(crate) fn unknown(&self) -> usize {
        self.unknown.len()
    }

    /// Every order that was acknowledged is there as it was asked for, what was refused cost nothing, there is no order
    /// that nobody asked for, and none that was asked for once is there twice.
    pub(crate) fn fit_memory(&self, memory: &Memory, accounts: &[Account]) -> Result<()> {
        let mut numbers = BTreeMap::new();
        for (id, order) in &self.orders {
            let link = text(order, "target");
            let asked = memory.asked.get(link).with_context(|| format!("nobody asked for {order}"))?;
            let other = numbers.insert(link, *id);
            ensure!(other.is_none(), "{link} was asked for once, and is order {other:?} and {order}");
            let of = accounts.get(asked.account).map(|account| account.id);
            ensure!(Some(text(order, "account")) == of, "asked for by {of:?}: {order}");
            ensure!(order["quantity"] == asked.quantity, "asked for {} units: {order}", asked.quantity);
            match asked.answer {
                Answer::Order(told) => ensure!(told == *id, "acknowledged as {told}: {order}"),
                Answer::Refused => ensure!(
                    text(order, "status") == "Canceled" && order["refund"] == order["charge"],
                    "refused, and not given back: {order}"
                ),
                Answer::Lost => {}
            }
        }
        for (id, link) in &memory.acknowledged {
            ensure!(self.orders.contains_key(id), "order {id} for {link} was acknowledged and is lost");
        }
        for (id, status) in &memory.ended {
            let now = self.orders.get(id).map(|order| text(order, "status"));
            ensure!(now == Some(status.as_str()), "order {id} was {status} for good, and is {now:?}");
        }
        Ok(())
    }

    /// Every order that an upstream made is that of one attempt, by its number, or an unknown on its target; and every
    /// number in the books is that of an order there.
    pub(crate) fn fit_journals(&self, gateway: &Gateway, upstreams: &[&str]) -> Result<()> {
        let mut booked = BTreeMap::new();
        let mut targets = BTreeMap::new();
        for (id, order) in &self.orders {
            targets.insert(text(order, "target"), *id);
            if let Some(number) = order["upstream_order"].as_str() {
                let other = booked.insert((text(order, "upstream").to_owned(), number.to_owned()), order);
                ensure!(other.is_none(), "the same upstream order: {order} and {other:?}");
            }
        }
        for upstream in upstreams {
            for made in gateway.upstream(upstream)?.orders() {
                if let Some(order) = booked.remove(&((*upstream).to_owned(), made.id.clone())) {
                    let same = text(order, "target") == made.link && order["quantity"] == made.quantity;
                    ensure!(same, "{upstream} made {made:?}, and the books say {order}");
                } else {
                    let of = targets.get(made.link.as_str()).and_then(|id| self.unknown.get(id));
                    ensure!(
                        of.is_some_and(|of| of == upstream),
                        "{upstream} made {made:?}, of which the books know nothing"
                    );
                }
            }
        }
        ensure!(booked.is_empty(), "accepted, and made by nobody: {:?}", booked.values());
        Ok(())
    }

    /// Every wallet holds what was deposited less what its orders cost.
    pub(crate) fn fit_wallets(&self, address: &str, accounts: &[Account]) -> Result<()> {
        for Account { id, key, deposit } in accounts {
            let told = call(address, key, &[("action", "balance")])?.json()?;
            let expected = units(deposit)? - spent(self.orders.values(), id)?;
            ensure!(units(text(&told, "balance"))? == expected, "{id}: {told}, and it should be {expected} millionths");
        }
        Ok(())
    }
}

/// Whether every order has ended or is known to be unknown.
pub(crate) fn is_at_rest(gateway: &Gateway) -> Result<bool> {
    let unknown = unknown(gateway)?;
    for status in ["Pending", "In progress"] {
        if !orders(gateway, &["--status", status])?.keys().all(|id| unknown.contains_key(id)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn orders(gateway: &Gateway, filter: &[&str]) -> Result<BTreeMap<i64, Value>> {
    let mut words = vec!["order", "list"];
    words.extend_from_slice(filter);
    let Value::Array(listed) = gateway.json(&words)? else { bail!("`order list` printed no list") };
    listed.into_iter().map(|order| Ok((order["id"].as_i64().context("no number")?, order))).collect()
}

/// The orders with an open case about an unknown submission, and where that is.
fn unknown(gateway: &Gateway) -> Result<BTreeMap<i64, String>> {
    let cases = gateway.json(&["review", "list"])?;
    let unknown = cases.as_array().into_iter().flatten().filter(|case| case["kind"] == "unknown");
    unknown
        .map(|case| Ok((case["order"].as_i64().context("a case of no order")?, text(case, "upstream").to_owned())))
        .collect()
}
