//! Rows as the last groups left them, so that the next ones need not read them again: an order is placed in one group and
//! accepted in another a moment later, and everybody pays from a few balances.
//!
//! Only on SQLite, where the writer sees under its lock whether another process wrote meanwhile ([`Seen`]). In this
//! process nobody but the writer changes these tables. Should a row be old all the same, the database refuses what was
//! made of it: a balance's next version and a posting's key are there already.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
};

use interline_domain::OrderId;

use crate::{
    lite::Seen,
    rows::{AttemptRow, BalanceRow, OrderRow},
    work::Work,
};

/// Orders that are kept certainly; at most twice as many are.
const ORDERS_MAX: usize = 1_024;
/// Balances that are kept.
const BALANCES_MAX: usize = 1_024;

/// What is known without reading.
#[derive(Default)]
pub(crate) struct Warm {
    /// The state of the file that this is true of.
    seen: Option<Seen>,
    orders: HashMap<OrderId, Held>,
    older: HashMap<OrderId, Held>,
    balances: BTreeMap<String, BalanceRow>,
}

/// An order without refills and open cases, with all its attempts.
struct Held {
    order: OrderRow,
    attempts: Vec<AttemptRow>,
}

impl Warm {
    /// What is still true while the file is as it was `seen`, under the lock that keeps it so.
    pub(crate) fn under(self, seen: Option<Seen>) -> Self {
        if seen.is_some() && self.seen == seen { self } else { Self { seen, ..Self::default() } }
    }

    /// Hands over what is known of `orders`, and all balances.
    pub(crate) fn give(&mut self, orders: &BTreeSet<OrderId>, work: &mut Work) {
        for id in orders {
            let Some(held) = self.orders.remove(id).or_else(|| self.older.remove(id)) else { continue };
            work.orders.insert(*id, held.order);
            work.attempts.extend(held.attempts.into_iter().map(|attempt| (attempt.id, attempt)));
        }
        work.balances = mem::take(&mut self.balances);
    }

    /// Takes over what a group leaves; true as soon as it is committed.
    pub(crate) fn take(&mut self, work: Work) {
        if self.seen.is_none() {
            return;
        }
        if work.balances.len() <= BALANCES_MAX {
            self.balances = work.balances;
        }
        let mut attempts: HashMap<OrderId, Vec<AttemptRow>> = HashMap::new();
        for attempt in work.attempts.into_values() {
            attempts.entry(attempt.order_id).or_default().push(attempt);
        }
        let asked: BTreeSet<OrderId> = work.cases.values().filter_map(|case| case.order_id).collect();
        let refilled: BTreeSet<OrderId> = work.refills.values().map(|refill| refill.order_id).collect();
        for (id, order) in work.orders {
            // An older copy must not come to light again.
            self.orders.remove(&id);
            self.older.remove(&id);
            if asked.contains(&id) || refilled.contains(&id) {
                continue;
            }
            if self.orders.len() >= ORDERS_MAX {
                self.older = mem::take(&mut self.orders);
            }
            self.orders.insert(id, Held { order, attempts: attempts.remove(&id).unwrap_or_default() });
        }
    }
}
