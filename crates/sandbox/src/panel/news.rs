//! What the push feed has to tell: which orders changed since it last asked, and in what.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Panel, no_order};
use crate::config::Adapter;

/// The most orders that one message is about; the others come with the next.
const ORDERS_MAX: usize = 5_000;

/// The orders that may have news, with what was told of each.
pub(super) type Watched = BTreeMap<u64, Map<String, Value>>;

impl Panel {
    /// The orders that changed since this was last asked, with the fields that did.
    pub(crate) fn news(&mut self, now_ms: u64) -> BTreeMap<u64, Value> {
        let mut watched = std::mem::take(&mut self.watched);
        let mut news = BTreeMap::new();
        watched.retain(|number, told| {
            let Some(order) = self.orders.get(number) else { return false };
            if news.len() >= ORDERS_MAX {
                return true;
            }
            let now = self.feed_fields(order, now_ms);
            let changed = now.iter().filter(|(name, value)| told.get(*name) != Some(*value));
            let changed: Map<String, Value> = changed.map(|(name, value)| (name.clone(), value.clone())).collect();
            if !changed.is_empty() {
                news.insert(*number, changed.into());
            }
            *told = now;
            // Only a script moves what has ended, and that watches it again.
            !self.standing(order, now_ms).has_ended()
        });
        self.watched = watched;
        news
    }

    /// An order may have news from now on.
    pub(super) fn watch(&mut self, number: u64) {
        if self.adapter == Adapter::Streamrise {
            self.watched.entry(number).or_default();
        }
    }

    /// Makes every answer about an order say `value` in `field`, whatever is true.
    pub(crate) fn tell(&mut self, id: &str, field: &str, value: Value) -> Result<(), String> {
        let found = id.parse::<u64>().ok().and_then(|number| self.orders.get_mut(&number));
        found.ok_or_else(|| no_order(id))?.told.insert(field.to_owned(), value);
        Ok(())
    }
}
