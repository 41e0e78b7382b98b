//! Statuses, as customers see them. They are answered from our own books and never from an upstream.

use interline_domain::{AccountId, OrderId};
use interline_store::{StatusView, StoreError};

use crate::gateway::Gateway;

impl Gateway {
    /// How these orders stand, in the order of the question: `None` for what is no id, no order or not the account's own.
    pub async fn statuses(
        &self,
        account: &AccountId,
        orders: &[Option<OrderId>],
    ) -> Result<Vec<Option<StatusView>>, StoreError> {
        let (mut statuses, unknown) = self.store.remembered_statuses(account, orders);
        if !unknown.is_empty() {
            let read = self.read(self.store.read_statuses(account, unknown)).await?;
            for (status, order) in statuses.iter_mut().zip(orders) {
                *status = status.or_else(|| read.get(order.as_ref()?).copied());
            }
        }
        Ok(statuses)
    }
}
