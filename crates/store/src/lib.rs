//! Durable truth on SQLite or Postgres: orders, attempts, entries, catalogue, keys, what is due and cases.
//!
//! To add a table: put it into both migrations, its row into [`rows`] (or a record beside its reads), and its columns into
//! `tables` if groups write it. Every statement is written once; where the engines differ it says so in braces
//! ([`Engine::text`]) or stands in `sets`.

mod accounts;
mod apply;
mod arg;
mod batch;
mod catalogue;
mod checkup;
mod db;
mod differences;
mod error;
mod feeds;
mod gauges;
mod import;
mod journal;
mod kept;
mod lite;
mod load;
mod memory;
mod meters;
mod needs;
mod queue;
mod reads;
mod rows;
#[cfg(feature = "sabotage")]
pub mod sabotage;
mod schema;
mod secrets;
mod services;
mod sets;
mod staging;
#[cfg(test)]
mod suite;
mod tables;
mod verify;
mod warm;
mod work;
mod workers;
mod writer;

use std::sync::Arc;

pub use accounts::{AccountRecord, KeyRecord, NewKey};
pub use apply::{Applied, Desired, DesiredKey, DesiredService, DesiredUpstream};
pub use catalogue::{
    CatalogueRows, CurrencyRecord, ListingRecord, OfferRecord, SellPrice, ServiceRecord, UpstreamKey, UpstreamRecord,
    UpstreamSettings, UpstreamStateRecord,
};
pub use checkup::Checkup;
use db::Db;
pub use db::Engine;
pub use error::StoreError;
pub use feeds::NextLook;
pub use gauges::{Due, OpenCases, Queued};
pub use import::{Import, Imported};
use interline_domain::Timestamp;
pub use journal::{BalanceLine, JournalEntry, JournalLine, StatementLine, StatementOf};
use memory::Memory;
pub use memory::StatusView;
pub use meters::CacheMeter;
use moka::sync::Cache;
pub use needs::{Booked, Move, Needs, UpstreamBooks};
pub use reads::{EventLine, OrderFilter, UpstreamBookLine};
pub use rows::{AttemptRow, CaseRow, DueKind, DueRow, OrderRow, RefillRow, Tags};
pub use secrets::{MasterKey, new_master_key};
pub use verify::{Checked, Verified};
pub use work::{Work, attempt_tags, order_tags};
pub use workers::{BootLock, UpstreamExposure};
pub use writer::{GROUP_MAX, Lane, Operation, Writer};

/// Keys kept in memory.
const KEYS_CACHED_MAX: u64 = 10_000;
/// A key read just before a change and remembered just after it is forgotten after this at the latest.
const KEYS_CACHED_FOR: std::time::Duration = std::time::Duration::from_mins(1);

/// The store: one database, one writer, the secrets' key and what is in memory.
pub struct Store {
    db: Arc<Db>,
    writer: Writer,
    master_key: MasterKey,
    key_cache: Cache<String, Option<KeyRecord>>,
    keys_counted: CacheMeter,
    memory: Arc<Memory>,
    statuses_counted: CacheMeter,
    wallets_counted: CacheMeter,
}

impl Store {
    /// Opens `url`, brings its schema up to date and checks that the master key fits. Must run inside a Tokio runtime.
    pub async fn open(url: &str, master_key: MasterKey, now: Timestamp) -> Result<Self, StoreError> {
        let db = Arc::new(Db::open(url).await?);
        schema::migrate(&db).await?;
        let memory = Arc::new(Memory::new());
        let writer = Writer::start(Arc::clone(&db), Arc::clone(&memory))?;
        let store = Self {
            db,
            writer,
            master_key,
            key_cache: Cache::builder().max_capacity(KEYS_CACHED_MAX).time_to_live(KEYS_CACHED_FOR).build(),
            keys_counted: CacheMeter::new("key"),
            memory,
            statuses_counted: CacheMeter::new("status"),
            wallets_counted: CacheMeter::new("balance"),
        };
        store.check_master_key(now).await?;
        Ok(store)
    }

    /// The writer, through which every change of orders and books goes.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Which database this is.
    pub fn engine(&self) -> Engine {
        self.db.engine()
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.db.close().await;
    }
}
