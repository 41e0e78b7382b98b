//! What can go wrong with the store, by what the caller can do.

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is neither SQLite nor Postgres.
    #[error("`database.url` must be sqlite://FILE or postgres://USER@HOST/DATABASE")]
    Url,
    /// SQLite did not take the settings that make commits durable.
    #[error("the database file does not take WAL with synchronous=FULL; is it on a file system that supports it?")]
    NotDurable,
    /// The database was made by a newer Interline.
    #[error("the database has schema version {0}, which is newer than this program; use the newer interline")]
    Newer(i64),
    /// Another `serve` runs on the same SQLite file.
    #[error("another `interline serve` runs on this database file")]
    Locked,
    /// The stored secrets were made with another master key.
    #[error("the master key does not fit this database: {0}")]
    MasterKey(String),
    /// A value in the database that cannot be: restore a backup, or report a fault.
    #[error("the database holds an impossible value in `{column}`: {value}")]
    Corrupt {
        /// The column.
        column: String,
        /// What it holds, cut short.
        value: String,
    },
    /// The queue of the writer is full: try again later.
    #[error("too busy")]
    Busy,
    /// It is not known whether the write happened, and the database did not come back to tell.
    #[error("the database went away during a commit, and whether it was kept is not known")]
    Uncertain,
    /// A write that can never succeed as it stands.
    #[error("{0}")]
    Refused(String),
    /// The database or the way to it.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The migrations.
    #[error("migration: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A file beside the database.
    #[error("{0}")]
    File(String),
}

impl StoreError {
    pub(crate) fn corrupt(column: &str, value: &str) -> Self {
        Self::Corrupt { column: column.to_owned(), value: value.chars().take(80).collect() }
    }

    /// Whether the database itself is out of reach, so that no other work would fare better now.
    pub fn is_away(&self) -> bool {
        use sqlx::Error as E;
        match self {
            Self::Busy
            | Self::Uncertain
            | Self::Sql(E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed) => {
                true
            }
            // 57: Postgres was shut down or is starting.
            Self::Sql(E::Database(error)) => error.code().is_some_and(|code| code.starts_with("57")),
            _ => false,
        }
    }

    /// Whether another process holds the lock on the SQLite file for longer than we wait.
    pub(crate) fn is_locked(&self) -> bool {
        let Self::Sql(sqlx::Error::Database(error)) = self else { return false };
        matches!(error.code().as_deref(), Some("5" | "261" | "517"))
    }

    /// Whether the same work may succeed when it is done again at once: somebody else was quicker, or held a lock.
    pub(crate) fn is_conflict(&self) -> bool {
        let Self::Sql(sqlx::Error::Database(error)) = self else { return false };
        // 40001, 40P01: serialisation and deadlock on Postgres.
        error.is_unique_violation() || matches!(error.code().as_deref(), Some("40001" | "40P01")) || self.is_locked()
    }
}
