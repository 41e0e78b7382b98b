//! Who asks: keys and wallets.

use interline_domain::Money;
use interline_store::{AccountRecord, StoreError};

use crate::{admission::READ_WITHIN, gateway::Gateway};

/// Whom a key stands for.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The customer.
    pub account: AccountRecord,
    /// The dialect that the key's holder is answered in; `None` for the configured one.
    pub dialect: Option<String>,
    /// Whether the key may only read: no orders, cancellations and refills.
    pub read_only: bool,
}

impl Gateway {
    /// Whom a key stands for; `None` for a key that is unknown, revoked or over, or an account that is disabled.
    pub async fn authenticate(&self, key: &str) -> Result<Option<Caller>, StoreError> {
        let found = match self.store.remembered_key(key) {
            Some(found) => found,
            None => self.read(self.store.read_key(key)).await?,
        };
        let Some(key) = found.filter(|key| key.is_valid(self.now())) else { return Ok(None) };
        let account = self.catalogue().account(&key.account).filter(|a| a.enabled).cloned();
        Ok(account.map(|account| Caller { account, dialect: key.dialect, read_only: key.read_only }))
    }

    /// What a customer can spend.
    pub async fn balance(&self, account: &AccountRecord) -> Result<Money, StoreError> {
        let amount = match self.store.remembered_wallet(account) {
            Some(amount) => amount,
            None => self.read(self.store.wallet(account)).await?,
        };
        Ok(Money::new(amount, account.currency))
    }

    /// Whether the database answers.
    pub async fn is_ready(&self) -> Result<(), StoreError> {
        if !self.store.writer().is_alive() {
            return Err(StoreError::Busy);
        }
        // Without a place among the reads: who watches wants to know of the database, and not of the crowd.
        tokio::time::timeout(READ_WITHIN, self.store.versions()).await.map_err(|_| StoreError::Busy)?.map(drop)
    }
}
