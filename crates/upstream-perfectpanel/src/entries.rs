//! What an answer says of several orders, in every arrangement that panels use (`protocol.md` §1.6, §1.9).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::value::{self, Object, field};

/// The entries of `body` by those ids that were `asked` for; nothing else is ever read. `None` when it names none of
/// them although it is not empty.
///
/// Known arrangements: an object keyed by id, an array of objects that name their order, an empty array or object, and,
/// when one order was asked for, its entry alone. `is_entry` tells such an entry from an answer about the call.
pub(crate) fn by_id<'v>(
    asked: &[String],
    body: &'v Value,
    is_entry: impl Fn(&Object) -> bool,
) -> Option<BTreeMap<String, &'v Value>> {
    let found: BTreeMap<String, &'v Value> = match body {
        Value::Array(items) => {
            let only = asked.len() == 1 && items.len() == 1;
            items.iter().filter_map(|item| Some((owner(asked, item, only)?, item))).collect()
        }
        Value::Object(object) => {
            let keyed = asked.iter().filter_map(|id| Some((id.clone(), object.get(id)?))).collect::<BTreeMap<_, _>>();
            let alone = keyed.is_empty() && asked.len() == 1 && is_entry(object);
            if alone { owner(asked, body, true).map(|id| (id, body)).into_iter().collect() } else { keyed }
        }
        _ => return None,
    };
    let empty = match body {
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    };
    (empty || !found.is_empty()).then_some(found)
}

/// Which of the orders `asked` for the entry is about; when it is the `only` entry and names none, it is the one.
fn owner(asked: &[String], entry: &Value, only: bool) -> Option<String> {
    let entry = entry.as_object()?;
    match ["order", "order_id"].iter().find_map(|name| field(entry, name).and_then(value::id)) {
        Some(named) => asked.contains(&named).then_some(named),
        None if only => asked.first().cloned(),
        None => None,
    }
}
