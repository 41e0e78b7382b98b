//! Reading answers, and how long a running server may take to notice what a command changed.

use std::{collections::BTreeSet, time::Duration};

use acceptance::Gateway;
use anyhow::{Context, Result};
use serde_json::Value;

/// The contract says one second; the rest is what a busy machine adds.
pub(crate) const NOTICE_MAX: Duration = Duration::from_secs(3);

/// The entry of `list` whose `field` is `value`.
pub(crate) fn entry<'a>(list: &'a Value, field: &str, value: &str) -> Result<&'a Value> {
    let entries = list.as_array().with_context(|| format!("no list: {list}"))?;
    entries.iter().find(|entry| entry[field] == value).with_context(|| format!("no {field} = {value} in {list}"))
}

/// The text in `field`; empty if it is none.
pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

/// Holds an object to exactly these names, which are separated by spaces.
pub(crate) fn has(object: &Value, names: &str) {
    assert_eq!(fields(object), names.split_whitespace().collect::<BTreeSet<_>>(), "{object}");
}

/// The names in an object.
pub(crate) fn fields(object: &Value) -> BTreeSet<&str> {
    object.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

/// The case about an order of ours, in the answer of `review list`.
pub(crate) fn case_about(cases: &Value, order: i64) -> Result<&Value> {
    let mut entries = cases.as_array().into_iter().flatten();
    entries.find(|case| case["order"] == order).with_context(|| format!("no case about order {order} in {cases}"))
}

/// The number that the case about an order goes by, as an argument.
pub(crate) fn case_of(gateway: &Gateway, order: i64) -> Result<String> {
    let cases = gateway.json(&["review", "list"])?;
    Ok(case_about(&cases, order)?["case"].as_i64().context("a case has no number")?.to_string())
}

/// Where an order was put, and what became of it there.
pub(crate) fn journey(order: &Value) -> Vec<(&str, &str)> {
    let attempts = order["attempts"].as_array().into_iter().flatten();
    attempts.map(|attempt| (text(attempt, "upstream"), text(attempt, "state"))).collect()
}

/// Millionths of an amount as it is printed.
pub(crate) fn units(amount: &str) -> Result<i64> {
    let (sign, plain) = amount.strip_prefix('-').map_or((1, amount), |plain| (-1, plain));
    let (whole, places) = plain.split_once('.').unwrap_or((plain, ""));
    let millionths: i64 = format!("{whole}{places:0<6}").parse().with_context(|| format!("no amount: `{amount}`"))?;
    Ok(sign * millionths)
}

/// What these orders cost an account, in millionths: its charges less its refunds.
pub(crate) fn spent<'a>(orders: impl IntoIterator<Item = &'a Value>, account: &str) -> Result<i64> {
    let mut spent = 0;
    for order in orders.into_iter().filter(|order| order["account"] == account) {
        spent += units(text(order, "charge"))? - units(text(order, "refund"))?;
    }
    Ok(spent)
}
