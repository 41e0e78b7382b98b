//! The one connection that writes a SQLite file. Whoever writes takes its turn.
//!
//! It stands in no pool: a pool asks its connection whether it lives whenever it hands it out or takes it back, and each
//! time that is a hop to the connection's thread and back, for a file that does not go away. Nor are the driver's own
//! transactions used: after SQLite has undone one by itself, as it does when the disk is full, the driver takes it for open.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::StoreError;

/// A handle on the connection; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct LiteWriter {
    slot: Arc<Mutex<Slot>>,
    opened: Arc<AtomicU64>,
    turn_timeout: Duration,
}

/// The connection.
#[derive(Debug)]
struct Slot {
    options: SqliteConnectOptions,
    opened: Arc<AtomicU64>,
    connection: Option<SqliteConnection>,
    /// A transaction was begun and not ended.
    begun: bool,
}

impl LiteWriter {
    /// Opens it; `turn_timeout` is how long a turn is waited for.
    pub(crate) async fn open(options: SqliteConnectOptions, turn_timeout: Duration) -> Result<Self, StoreError> {
        let opened = Arc::<AtomicU64>::default();
        let mut slot = Slot { options, opened: Arc::clone(&opened), connection: None, begun: false };
        slot.clean().await?;
        Ok(Self { slot: Arc::new(Mutex::new(slot)), opened, turn_timeout })
    }

    /// How many connections were opened to write so far.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::SeqCst)
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> Result<Turn, StoreError> {
        let waited = tokio::time::timeout(self.turn_timeout, Arc::clone(&self.slot).lock_owned());
        let mut slot = waited.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        slot.clean().await?;
        Ok(Turn { slot: Some(slot), seen: None })
    }

    /// Another connection takes its place at the next turn.
    #[cfg(test)]
    pub(crate) async fn lose(&self) {
        self.slot.lock().await.connection = None;
    }

    /// Closes it, which folds the log into the file if nobody else has it open.
    pub(crate) async fn close(&self) {
        if let Some(connection) = self.slot.lock().await.connection.take() {
            // What was committed is in the log or in the file.
            let _ = connection.close().await;
        }
    }
}

impl Slot {
    /// A connection on which nothing is begun.
    async fn clean(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        if self.begun && !self.undo().await {
            // What became of it is not known, so another one takes its place; SQLite undoes what it leaves.
            self.connection = None;
        }
        self.begun = false;
        if self.connection.is_none() {
            self.connection = Some(SqliteConnection::connect_with(&self.options).await?);
            self.opened.fetch_add(1, Ordering::SeqCst);
        }
        self.connection.as_mut().ok_or(StoreError::Busy)
    }

    /// Undoes what was begun; says whether nothing is begun any more for certain.
    async fn undo(&mut self) -> bool {
        let Some(connection) = &mut self.connection else { return true };
        match sqlx::query("ROLLBACK").execute(connection).await {
            Ok(_) => true,
            // SQLite was quicker: "no transaction is active".
            Err(error) => error.as_database_error().is_some_and(|e| e.message().contains("no transaction")),
        }
    }
}

/// The file as the connection saw it: which connection it was, and the count by which SQLite tells it that others
/// committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    connection: u64,
    data_version: i64,
}

/// The connection for as long as it is held. What was begun in it and not committed is undone when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    /// There until it is dropped.
    slot: Option<OwnedMutexGuard<Slot>>,
    seen: Option<Seen>,
}

impl Turn {
    /// The connection.
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.slot.as_mut().and_then(|slot| slot.connection.as_mut()).ok_or(StoreError::Busy)
    }

    /// The file as it is for as long as the transaction holds the lock.
    pub(crate) fn seen(&self) -> Option<Seen> {
        self.seen
    }

    /// Begins a transaction that holds the write lock.
    pub(crate) async fn begin(mut self) -> Result<Self, StoreError> {
        if let Some(slot) = &mut self.slot {
            slot.begun = true;
        }
        // In one go, see `Batch`; only the second one returns a row.
        let begun = sqlx::query("BEGIN IMMEDIATE;\nPRAGMA data_version").fetch_one(self.connection()?).await?;
        let connection = self.slot.as_ref().map_or(0, |slot| slot.opened.load(Ordering::SeqCst));
        self.seen = Some(Seen { connection, data_version: begun.try_get(0)? });
        Ok(self)
    }

    /// Makes what was begun durable. After an error it is not known whether it is.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::query("COMMIT").execute(self.connection()?).await?;
        if let Some(slot) = &mut self.slot {
            slot.begun = false;
        }
        Ok(())
    }

    /// Undoes what was begun.
    pub(crate) async fn rollback(mut self) -> Result<(), StoreError> {
        if let Some(slot) = &mut self.slot {
            slot.clean().await?;
        }
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take().filter(|slot| slot.begun) else { return };
        // Other processes wait for the lock, so it is not left to the next turn. Where no runtime is left, the process ends.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { slot.clean().await.map(drop) });
        }
    }
}
