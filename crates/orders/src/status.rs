//! Statuses, as customers see them. They are answered from our own books and never from an upstream.

use std::collections::BTreeMap;

use interline_domain::{AccountId, Currency, Micros, OrderId, OrderStatus};
use interline_store::{OrderRow, StoreError};

use crate::gateway::Gateway;

/// An order's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusView {
    /// Whose order it is.
    pub account: AccountId,
    /// What was charged less what was given back; 0 when canceled.
    pub charge: Micros,
    /// The customer's currency.
    pub currency: Currency,
    /// The counter at the start, if an upstream told.
    pub start_count: Option<i64>,
    /// The status.
    pub status: OrderStatus,
    /// Units not delivered: the quantity when canceled, 0 when completed.
    pub remains: u64,
}

impl From<&OrderRow> for StatusView {
    fn from(order: &OrderRow) -> Self {
        Self {
            account: order.account.clone(),
            charge: order.charge - order.refund,
            currency: order.currency,
            start_count: order.start_count,
            status: order.status,
            remains: order.remains.unwrap_or(order.quantity).min(order.quantity),
        }
    }
}

impl Gateway {
    /// The statuses of those of these orders that are the account's own.
    pub async fn statuses(
        &self,
        account: &AccountId,
        orders: &[OrderId],
    ) -> Result<BTreeMap<OrderId, StatusView>, StoreError> {
        let mut statuses = BTreeMap::new();
        let mut unknown = Vec::new();
        for id in orders {
            let ended = self.ended.get(id);
            self.ended_counted.count(ended.is_some());
            match ended {
                Some(view) => drop(statuses.insert(*id, view)),
                None => unknown.push(*id),
            }
        }
        if !unknown.is_empty() {
            for (id, order) in self.read(self.store.orders_of(&unknown)).await? {
                let view = StatusView::from(&order);
                if view.status.is_terminal() {
                    self.ended.insert(id, view.clone());
                }
                statuses.insert(id, view);
            }
        }
        // Somebody else's order looks like none at all.
        statuses.retain(|_, view| view.account == *account);
        Ok(statuses)
    }
}
