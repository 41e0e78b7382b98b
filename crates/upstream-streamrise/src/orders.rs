//! The list of orders (`getOrdersPage`), page by page: evidence about unknown submissions, so it is whole or nothing.

use std::collections::BTreeMap;

use interline_domain::{Timestamp, kind::TEXT_BYTES_MAX};
use interline_upstream::{
    Answer, Endpoint, Fault, HeldOrder, Next, Response,
    value::{self, Object, field, whole},
};
use interline_upstream_perfectpanel::Heard;
use serde_json::Value;

use crate::encode;

/// Most pages that are read.
const PAGES_MAX: usize = 100;

/// One page.
struct Page {
    orders: Vec<HeldOrder>,
    /// How many orders there are in all, if it was told.
    total: Option<usize>,
}

/// The orders of one page that were made at or after `since`.
pub(crate) fn page(response: &Response, since: Timestamp) -> Answer {
    match Page::read(response) {
        Ok(page) => Answer::Orders(page.orders.into_iter().filter(|order| is_since(order, since)).collect()),
        Err(fault) => Answer::Fault(fault),
    }
}

/// The next page, or all orders that were made at or after `since`.
///
/// An order that is made meanwhile moves the others to later places, so that one may be seen twice and none is missed.
pub(crate) fn next(endpoint: &Endpoint, since: Timestamp, heard: &[Response]) -> Next {
    let Some(last) = heard.last() else { return Next::Ask(encode::orders_page(endpoint, 0)) };
    let (mut orders, mut total, mut at_end) = (Vec::new(), None, false);
    for response in heard {
        let page = match Page::read(response) {
            Ok(page) => page,
            Err(fault) => return Next::Done(Answer::Fault(fault)),
        };
        (total, at_end) = (page.total, page.orders.is_empty());
        orders.extend(page.orders);
    }
    let rows = orders.len();
    if at_end && total.is_some_and(|total| rows < total) {
        return fault(last, "fewer orders than it counts");
    }
    if at_end || total.is_some_and(|total| rows >= total) || ends_before(&orders, since) {
        let of_interest = orders.into_iter().filter(|order| is_since(order, since));
        let each: BTreeMap<String, HeldOrder> = of_interest.map(|order| (order.order.clone(), order)).collect();
        return Next::Done(Answer::Orders(each.into_values().collect()));
    }
    if heard.len() >= PAGES_MAX {
        return fault(last, "more orders than are read");
    }
    Next::Ask(encode::orders_page(endpoint, rows))
}

/// Whether every later order is older than `since`: only if these are sorted as it was asked for.
fn ends_before(orders: &[HeldOrder], since: Timestamp) -> bool {
    let times: Option<Vec<Timestamp>> = orders.iter().map(|order| order.created_at).collect();
    let sorted = times.filter(|times| times.is_sorted_by(|newer, older| newer >= older));
    sorted.and_then(|times| times.last().copied()).is_some_and(|oldest| oldest < since)
}

impl Page {
    /// Reads a page. One row that cannot be read could be the one that is looked for, so then nothing is.
    fn read(response: &Response) -> Result<Self, Fault> {
        let heard = Heard::new(response);
        let body = heard.good_json().filter(|_| heard.complaint().is_none()).and_then(Value::as_object);
        let rows = body.and_then(|body| field(body, "history")).and_then(Value::as_array);
        let orders: Option<Vec<HeldOrder>> = rows.and_then(|rows| rows.iter().map(held).collect());
        let orders = orders.ok_or_else(|| heard.fault("no list of orders"))?;
        let total = body.and_then(|body| field(body, "total")).and_then(whole);
        Ok(Self { orders, total: total.and_then(|total| usize::try_from(total).ok()) })
    }
}

/// An order; nothing without its id.
fn held(row: &Value) -> Option<HeldOrder> {
    let row: &Object = row.as_object()?;
    let number = |name| field(row, name).and_then(whole);
    Some(HeldOrder {
        order: field(row, "id").and_then(value::order_id)?,
        service: field(row, "service").and_then(value::id),
        target: field(row, "channel").and_then(target),
        quantity: number("amount").and_then(|amount| u64::try_from(amount).ok()),
        created_at: number("orderTime").map(Timestamp::from_millis),
        charge: None,
    })
}

/// A target as it was sent: a shortened one would match nothing.
fn target(value: &Value) -> Option<String> {
    let text = value.as_str().map(str::trim)?;
    let good = (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
}

fn is_since(order: &HeldOrder, since: Timestamp) -> bool {
    order.created_at.is_none_or(|at| at >= since)
}

fn fault(response: &Response, wrong: &str) -> Next {
    Next::Done(Answer::Fault(Fault::Unreadable(Heard::new(response).evidence(wrong))))
}

#[cfg(test)]
#[path = "orders_tests.rs"]
mod tests;
