//! What can go wrong with the store, by what the caller can do.

use sqlx::{
    Error as SqlError, error::DatabaseError, migrate::MigrateError, postgres::PgDatabaseError, sqlite::SqliteError,
};

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
    #[error("{}", said(.0))]
    Sql(#[from] SqlError),
    /// The migrations.
    #[error("{}", said_of_migration(.0))]
    Migrate(#[from] MigrateError),
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
        use SqlError as E;
        match self {
            Self::Busy
            | Self::Uncertain
            | Self::Sql(E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed) => {
                true
            }
            // 57: Postgres was shut down or is starting.
            Self::Sql(E::Database(error)) => {
                Obstacle::of(error.as_ref()).is_some() || error.code().is_some_and(|code| code.starts_with("57"))
            }
            _ => false,
        }
    }

    /// Whether another process holds the lock on the SQLite file for longer than we wait.
    pub(crate) fn is_locked(&self) -> bool {
        let Self::Sql(SqlError::Database(error)) = self else { return false };
        matches!(error.code().as_deref(), Some("5" | "261" | "517"))
    }

    /// Whether the same work may succeed when it is done again at once: somebody else was quicker, or held a lock.
    pub(crate) fn is_conflict(&self) -> bool {
        let Self::Sql(SqlError::Database(error)) = self else { return false };
        // 40001, 40P01: serialisation and deadlock on Postgres.
        error.is_unique_violation() || matches!(error.code().as_deref(), Some("40001" | "40P01")) || self.is_locked()
    }
}

/// What keeps a database from being written, whoever writes what, until somebody does something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    Full,
    ReadOnly,
    CannotOpen,
    Disk,
}

impl Obstacle {
    fn of(error: &(dyn DatabaseError + 'static)) -> Option<Self> {
        if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
            return match error.code() {
                "53100" => Some(Self::Full),
                "25006" => Some(Self::ReadOnly),
                "58030" => Some(Self::Disk),
                _ => None,
            };
        }
        let error = error.try_downcast_ref::<SqliteError>()?;
        // The last eight bits are what SQLite calls the primary code; the others tell where it came up.
        match error.code()?.parse::<i32>().ok()? & 0xff {
            8 => Some(Self::ReadOnly),
            10 => Some(Self::Disk),
            13 => Some(Self::Full),
            14 => Some(Self::CannotOpen),
            _ => None,
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Full => "the disk of the database is full: make room there; nothing is taken in until then",
            Self::ReadOnly => {
                "the database can be read but not written: give this user the right to write its file and folder, or \
                 name the server that takes writes (database.url)"
            }
            Self::CannotOpen => {
                "the database file cannot be opened or made: database.url must name a file in a folder that exists and \
                 that this user may write"
            }
            Self::Disk => "the disk of the database fails: look at the system's log before anything else",
        }
    }
}

/// What a failure of the database says; where a person has to do something, what that is.
fn said(error: &SqlError) -> String {
    match error.as_database_error().and_then(Obstacle::of) {
        Some(obstacle) => format!("{} ({error})", obstacle.advice()),
        None if matches!(error, SqlError::PoolTimedOut) => "the database does not answer (database.url)".to_owned(),
        None => format!("database: {error}"),
    }
}

fn said_of_migration(error: &MigrateError) -> String {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)
            if error.as_database_error().and_then(Obstacle::of).is_some() =>
        {
            said(error)
        }
        _ => format!("migration: {error}"),
    }
}
