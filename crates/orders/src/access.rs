//! Who asks: keys and wallets.

use interline_store::{AccountRecord, StoreError};

use crate::gateway::Gateway;
use interline_domain::Money;

impl Gateway {
    /// The customer that a key belongs to; `None` for a key that is unknown, revoked or over, or an account that is
    /// disabled.
    pub async fn authenticate(&self, key: &str) -> Result<Option<AccountRecord>, StoreError> {
        let valid = self.store.find_key(key).await?.filter(|k| k.is_valid(self.now()));
        Ok(valid.and_then(|k| self.catalogue().account(&k.account).filter(|a| a.enabled).cloned()))
    }

    /// What a customer can spend.
    pub async fn balance(&self, account: &AccountRecord) -> Result<Money, StoreError> {
        Ok(Money::new(self.store.wallet(account).await?, account.currency))
    }

    /// Whether the database answers.
    pub async fn is_ready(&self) -> Result<(), StoreError> {
        self.store.versions().await.map(drop)
    }
}
