//! Customers and their API keys.

use interline_domain::{AccountId, Currency, Timestamp};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use crate::{
    Store,
    db::{Row, q},
    error::StoreError,
    rows::{time, time_opt},
    secrets::{api_key_hash, api_key_prefix, new_api_key},
};

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// Its id.
    pub id: AccountId,
    /// The currency it is charged in.
    pub currency: Currency,
    /// The discount on every rate, in percent.
    pub discount_percent: Decimal,
    /// Whether its keys are accepted.
    pub enabled: bool,
}

/// An API key, without the key.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// Its id, as `key revoke` takes it.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// The owner's name for it.
    pub label: String,
    /// How it begins.
    pub prefix: String,
    /// The dialect that its holder is answered in; `None` for the configured one.
    pub dialect: Option<String>,
    /// Whether it may only read: no orders, cancellations and refills.
    pub read_only: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What a new key is to be.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// The owner's name for it.
    pub label: String,
    /// The dialect that its holder is answered in; `None` for the configured one.
    pub dialect: Option<String>,
    /// Whether it may only read.
    pub read_only: bool,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
}

impl KeyRecord {
    /// Whether it is accepted at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            account: row.parse("account")?,
            label: row.get("label")?,
            prefix: row.get("prefix")?,
            dialect: row.get("dialect")?,
            read_only: row.get("read_only")?,
            created_at: time(row, "created_at")?,
            expires_at: time_opt(row, "expires_at")?,
            revoked_at: time_opt(row, "revoked_at")?,
        })
    }
}

impl Store {
    /// Makes a customer; says whether it is new. One that exists with another currency is refused.
    pub async fn create_account(&self, id: &AccountId, currency: Currency, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let text =
            "INSERT INTO accounts (id, currency, discount_percent, enabled, created_at) VALUES ($1, $2, '0', TRUE, $3)
                    ON CONFLICT (id) DO NOTHING";
        let made = q(text).bind(id.as_str()).bind(currency.as_str()).bind(now.millis()).run(&mut tx).await?;
        let held: String =
            q("SELECT currency FROM accounts WHERE id = $1").bind(id.as_str()).one(&mut tx).await?.get("currency")?;
        if held != currency.as_str() {
            return Err(StoreError::Refused(format!("account {id} exists and is kept in {held}")));
        }
        Self::touch(&mut tx, "catalogue").await?;
        tx.commit().await?;
        Ok(made == 1)
    }

    /// Every customer, by id.
    pub async fn accounts(&self) -> Result<Vec<AccountRecord>, StoreError> {
        let rows = q("SELECT * FROM accounts ORDER BY id").all(&*self.db).await?;
        rows.iter().map(read_account).collect()
    }

    /// Makes an API key. The key itself is returned once and kept nowhere.
    pub async fn create_key(
        &self,
        account: &AccountId,
        terms: NewKey,
        now: Timestamp,
    ) -> Result<(KeyRecord, SecretString), StoreError> {
        let key = new_api_key();
        let hash = api_key_hash(key.expose_secret());
        let record = KeyRecord {
            id: key_id(&hash),
            account: account.clone(),
            label: terms.label,
            prefix: api_key_prefix(key.expose_secret()),
            dialect: terms.dialect,
            read_only: terms.read_only,
            created_at: now,
            expires_at: terms.expires_at,
            revoked_at: None,
        };
        let mut tx = self.db.begin().await?;
        if q("SELECT id FROM accounts WHERE id = $1").bind(account.as_str()).opt(&mut tx).await?.is_none() {
            return Err(StoreError::Refused(format!("there is no account {account}")));
        }
        let text = "INSERT INTO api_keys (id, account, label, prefix, hash, dialect, read_only, created_at, expires_at)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        q(text)
            .bind(record.id.as_str())
            .bind(account.as_str())
            .bind(record.label.as_str())
            .bind(record.prefix.as_str())
            .bind(hash)
            .bind(record.dialect.clone())
            .bind(record.read_only)
            .bind(now.millis())
            .bind(record.expires_at.map(Timestamp::millis))
            .run(&mut tx)
            .await?;
        Self::touch(&mut tx, "keys").await?;
        tx.commit().await?;
        Ok((record, key))
    }

    /// A customer's keys, oldest first.
    pub async fn keys(&self, account: &AccountId) -> Result<Vec<KeyRecord>, StoreError> {
        let text = "SELECT * FROM api_keys WHERE account = $1 ORDER BY created_at, id";
        q(text).bind(account.as_str()).all(&*self.db).await?.iter().map(KeyRecord::read).collect()
    }

    /// Revokes a key; says whether there is one of that id. Revoking twice changes nothing.
    pub async fn revoke_key(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let text = "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $1) WHERE id = $2";
        let found = q(text).bind(now.millis()).bind(id).run(&mut tx).await? == 1;
        Self::touch(&mut tx, "keys").await?;
        tx.commit().await?;
        Ok(found)
    }

    /// The key of that text, whether it is still valid or not. Answers from memory while no key has changed.
    ///
    /// No key is compared with another, only SHA-256 hashes: the row is looked up by the part of the hash that is public as
    /// the key's id, and the whole of it is compared in constant time, so that no answer's time tells how near a guess is.
    pub async fn find_key(&self, key: &str) -> Result<Option<KeyRecord>, StoreError> {
        match self.remembered_key(key) {
            Some(found) => Ok(found),
            None => self.read_key(key).await,
        }
    }

    /// The same, from memory alone: `None` if it is not known there whether there is such a key.
    pub fn remembered_key(&self, key: &str) -> Option<Option<KeyRecord>> {
        if !crate::secrets::looks_like_api_key(key) {
            return Some(None);
        }
        let found = self.key_cache.get(&api_key_hash(key));
        self.keys_counted.count(found.is_some());
        found
    }

    /// The same, from the database; memory knows it from then on.
    pub async fn read_key(&self, key: &str) -> Result<Option<KeyRecord>, StoreError> {
        let hash = api_key_hash(key);
        let row = q("SELECT * FROM api_keys WHERE id = $1").bind(key_id(&hash)).opt(&*self.db).await?;
        let found = match &row {
            Some(row) if is_same(&hash, &row.get::<String>("hash")?) => Some(KeyRecord::read(row)?),
            _ => None,
        };
        self.key_cache.insert(hash, found.clone());
        Ok(found)
    }

    /// Forgets the keys in memory, after one has changed.
    pub fn forget_keys(&self) {
        self.key_cache.invalidate_all();
    }
}

/// The id of the key with that hash: a part of it, which is no secret.
fn key_id(hash: &str) -> String {
    format!("key_{}", &hash[..12])
}

/// Whether two hashes are the same, in a time that does not depend on where they differ.
fn is_same(hash: &str, stored: &str) -> bool {
    hash.as_bytes().ct_eq(stored.as_bytes()).into()
}

pub(crate) fn read_account(row: &Row) -> Result<AccountRecord, StoreError> {
    Ok(AccountRecord {
        id: row.parse("id")?,
        currency: row.parse("currency")?,
        discount_percent: row.parse("discount_percent")?,
        enabled: row.get("enabled")?,
    })
}
