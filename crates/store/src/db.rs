//! The door to the database: one SQL text for SQLite and Postgres, neutral arguments and rows.
//!
//! What the engines spell differently inside a statement is a word in braces, see [`Engine::text`].

use std::{path::PathBuf, str::FromStr, time::Duration};

use futures_util::{TryStreamExt as _, stream::BoxStream};
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Connection as _, Decode, PgPool, Postgres, Row as _, Sqlite, SqlitePool, Type,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
    types::Json,
};

use crate::{
    arg::Arg,
    error::StoreError,
    lite::{LiteWriter, Seen, Turn},
};

/// Connections that read on SQLite; writes have one of their own.
const READERS_MAX: u32 = 4;
/// Connections to Postgres.
const POSTGRES_CONNECTIONS_MAX: u32 = 12;
/// Connections to Postgres that groups are written on: one, and one more while the other is given back.
const WRITER_CONNECTIONS_MAX: u32 = 2;
/// Pages of the file that its writer keeps: 16 MiB, in SQLite's way of saying so.
const WRITER_CACHE: &str = "-16384";
/// Pages in the log after which they are folded into the file: 16 MiB, so that a commit seldom waits for that.
const CHECKPOINT_PAGES: &str = "4000";
/// Rows that are read before other tasks are let to the thread.
const ROWS_AT_A_STRETCH: usize = 500;
/// A connection to Postgres that was idle for so long is asked whether it lives before it is used again.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// How long a statement waits for another process's lock on the SQLite file, or for a free connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// An embedded file.
    Sqlite,
    /// A server.
    Postgres,
}

impl Engine {
    /// The statement in this engine's words: `IN {ids}` and `IN {texts}` say that something is a member of the JSON array
    /// `$1`, `{list}` are its members as rows with a column `value`, `{lock}` locks the rows that are read for the rest of the transaction, `{skip}` does so and leaves out those locked by others,
    /// `{clock}` is the database's own time in Unix milliseconds.
    pub(crate) fn text(self, sql: &str) -> String {
        let (ids, texts, list, lock, skip, clock) = match self {
            // A SQLite transaction that writes holds the only write lock there is.
            Self::Sqlite => (
                "IN (SELECT value FROM json_each($1))",
                "IN (SELECT value FROM json_each($1))",
                "json_each($1)",
                "",
                "",
                "CAST(unixepoch('now', 'subsec') * 1000 AS BIGINT)",
            ),
            // As an array, which is looked up in an index; a join would be planned by guessing how long the list is.
            Self::Postgres => (
                "= ANY (ARRAY(SELECT CAST(value AS BIGINT) FROM jsonb_array_elements_text($1)))",
                "= ANY (ARRAY(SELECT value FROM jsonb_array_elements_text($1)))",
                "jsonb_array_elements($1)",
                "FOR UPDATE",
                "FOR UPDATE SKIP LOCKED",
                "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
            ),
        };
        let sql = sql.replace("IN {ids}", ids).replace("IN {texts}", texts);
        let sql = sql.replace("{list}", list).replace("{clock}", clock);
        sql.replace("{lock}", lock).replace("{skip}", skip)
    }
}

/// An open database.
#[derive(Debug, Clone)]
pub(crate) enum Db {
    /// SQLite: one connection writes, a few read.
    Sqlite {
        /// The only connection that writes.
        writer: LiteWriter,
        /// Connections that read.
        readers: SqlitePool,
        /// The file.
        file: PathBuf,
    },
    /// Postgres.
    Postgres(PgPool),
}

impl Db {
    /// Opens `url` (`sqlite://FILE` or `postgres://…`) and makes a missing SQLite file.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Self::open_sqlite(PathBuf::from(path)).await;
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(StoreError::Url);
        }
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| StoreError::Url)?
            // Without the notices that a migration which has nothing to do sends at every start.
            .options([
                ("synchronous_commit", "on"),
                ("application_name", "interline"),
                ("client_min_messages", "warning"),
                // Our statements are short; compiling one takes longer than running it.
                ("jit", "off"),
            ]);
        Ok(Self::Postgres(postgres_pool(POSTGRES_CONNECTIONS_MAX).connect_with(options).await?))
    }

    /// The same database for the writer, on connections of its own runtime. To be called there.
    pub(crate) fn of_writer(&self) -> Self {
        let Self::Postgres(pool) = self else { return self.clone() };
        // A group looks up a few rows by their keys, in tables that may be larger than the planner knows yet.
        let options = (*pool.connect_options()).clone().options([("enable_seqscan", "off")]);
        Self::Postgres(postgres_pool(WRITER_CONNECTIONS_MAX).connect_lazy_with(options))
    }

    async fn open_sqlite(file: PathBuf) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            // Without it REPLACE would rewrite history behind the back of the triggers that keep it.
            .pragma("recursive_triggers", "ON")
            .journal_mode(SqliteJournalMode::Wal)
            // Money: a commit that was answered survives a power cut.
            .synchronous(SqliteSynchronous::Full);
        let writer = options
            .clone()
            .pragma("cache_size", WRITER_CACHE)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            // What undoes a statement that fails half-way stays in memory too.
            .pragma("temp_store", "MEMORY");
        let writer = LiteWriter::open(writer, BUSY_TIMEOUT * 2).await?;
        // A file that is made now needs its log before the readers come.
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(BUSY_TIMEOUT * 2)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        let db = Self::Sqlite { writer, readers, file };
        db.check_durability().await?;
        Ok(db)
    }

    /// Reads the settings back, for a pragma that did not take is silent.
    async fn check_durability(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let mode: String = q("PRAGMA journal_mode").one(&mut tx).await?.get("journal_mode")?;
        let level: i64 = q("PRAGMA synchronous").one(&mut tx).await?.get("synchronous")?;
        tx.rollback().await?;
        if mode == "wal" && level == 2 { Ok(()) } else { Err(StoreError::NotDurable) }
    }

    /// Which database this is.
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Sqlite { .. } => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// Begins a transaction that will write.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.turn().await?.begin().await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Begins a transaction that only reads: everything in it is seen as it was at one moment.
    pub(crate) async fn snapshot(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::SqliteSnapshot(readers.begin().await?),
            Self::Postgres(pool) => {
                Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        })
    }

    /// Closes every connection; on SQLite the log is folded into the file.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

fn postgres_pool(connections_max: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(BUSY_TIMEOUT)
        // A connection that was just used lives; asking it costs as much as a statement.
        .test_before_acquire(false)
        .before_acquire(|connection, known| {
            Box::pin(async move {
                if known.idle_for >= ASK_AFTER {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}

/// A transaction; dropped without a commit it is rolled back.
pub(crate) enum Tx {
    /// On SQLite, writing.
    Sqlite(Turn),
    /// On SQLite, reading.
    SqliteSnapshot(sqlx::Transaction<'static, Sqlite>),
    /// On Postgres.
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Tx {
    /// Makes it durable. After an error it is not known whether it is.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        #[cfg(feature = "sabotage")]
        crate::sabotage::slow_commit().await;
        let _: () = match self {
            Self::Sqlite(turn) => turn.commit().await?,
            Self::SqliteSnapshot(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        };
        Ok(())
    }

    /// Which database it is on.
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) | Self::SqliteSnapshot(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// The SQLite file as it is while this transaction holds its lock.
    pub(crate) fn seen(&self) -> Option<Seen> {
        if let Self::Sqlite(turn) = self { turn.seen() } else { None }
    }

    /// Gives it up.
    pub(crate) async fn rollback(self) -> Result<(), StoreError> {
        let _: () = match self {
            Self::Sqlite(turn) => turn.rollback().await?,
            Self::SqliteSnapshot(tx) => tx.rollback().await?,
            Self::Postgres(tx) => tx.rollback().await?,
        };
        Ok(())
    }
}

/// Where a statement runs: on any connection, or inside a transaction.
pub(crate) enum Conn<'a> {
    /// Any connection that reads.
    Db(&'a Db),
    /// A transaction.
    Tx(&'a mut Tx),
}

impl<'a> From<&'a Db> for Conn<'a> {
    fn from(db: &'a Db) -> Self {
        Self::Db(db)
    }
}

impl<'a> From<&'a mut Tx> for Conn<'a> {
    fn from(tx: &'a mut Tx) -> Self {
        Self::Tx(tx)
    }
}

/// A statement with its arguments.
pub(crate) struct Q<'s> {
    pub(crate) sql: &'s str,
    pub(crate) args: Vec<Arg>,
}

/// A statement; `$1` is the first argument that is bound.
pub(crate) fn q(sql: &str) -> Q<'_> {
    Q { sql, args: Vec::new() }
}

impl Q<'_> {
    /// Binds the next argument.
    #[must_use]
    pub(crate) fn bind(mut self, arg: impl Into<Arg>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Runs it; returns how many rows it changed.
    pub(crate) async fn run(self, conn: impl Into<Conn<'_>>) -> Result<u64, StoreError> {
        let conn = conn.into();
        Ok(match conn {
            Conn::Db(Db::Sqlite { writer, .. }) => {
                let query = self.sqlite()?;
                query.execute(writer.turn().await?.connection()?).await?.rows_affected()
            }
            Conn::Db(Db::Postgres(pool)) => self.postgres()?.execute(pool).await?.rows_affected(),
            Conn::Tx(Tx::Sqlite(turn)) => self.sqlite()?.execute(turn.connection()?).await?.rows_affected(),
            Conn::Tx(Tx::SqliteSnapshot(tx)) => self.sqlite()?.execute(&mut **tx).await?.rows_affected(),
            Conn::Tx(Tx::Postgres(tx)) => self.postgres()?.execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// Every row.
    pub(crate) async fn all(self, conn: impl Into<Conn<'_>>) -> Result<Vec<Row>, StoreError> {
        let conn = conn.into();
        Ok(match conn {
            Conn::Db(Db::Sqlite { readers, .. }) => lite(gather(self.sqlite()?.fetch(readers)).await?),
            Conn::Db(Db::Postgres(pool)) => pg(gather(self.postgres()?.fetch(pool)).await?),
            Conn::Tx(Tx::Sqlite(turn)) => lite(gather(self.sqlite()?.fetch(turn.connection()?)).await?),
            Conn::Tx(Tx::SqliteSnapshot(tx)) => lite(gather(self.sqlite()?.fetch(&mut **tx)).await?),
            Conn::Tx(Tx::Postgres(tx)) => pg(gather(self.postgres()?.fetch(&mut **tx)).await?),
        })
    }

    /// Every row that a statement which writes returns.
    pub(crate) async fn all_writing(self, db: &Db) -> Result<Vec<Row>, StoreError> {
        Ok(match db {
            Db::Sqlite { writer, .. } => {
                let query = self.sqlite()?;
                lite(query.fetch_all(writer.turn().await?.connection()?).await?)
            }
            Db::Postgres(pool) => pg(self.postgres()?.fetch_all(pool).await?),
        })
    }

    /// The first row, if there is one.
    pub(crate) async fn opt(self, conn: impl Into<Conn<'_>>) -> Result<Option<Row>, StoreError> {
        Ok(self.all(conn).await?.into_iter().next())
    }

    /// The one row that there must be.
    pub(crate) async fn one(self, conn: impl Into<Conn<'_>>) -> Result<Row, StoreError> {
        self.opt(conn).await?.ok_or(StoreError::Sql(sqlx::Error::RowNotFound))
    }

    pub(crate) fn sqlite(self) -> Result<sqlx::query::Query<'static, Sqlite, SqliteArguments>, StoreError> {
        use sqlx::Arguments as _;
        let mut args = SqliteArguments::default();
        for arg in self.args {
            let added = match arg {
                Arg::Int(value) => args.add(value),
                Arg::Text(value) => args.add(value),
                Arg::Bool(value) => args.add(value),
                Arg::Json(value) => args.add(Json(value)),
                Arg::Written(value) => args.add(String::from(Box::<str>::from(value))),
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        Ok(sqlx::query_with(AssertSqlSafe(Engine::Sqlite.text(self.sql)), args))
    }

    fn postgres(self) -> Result<sqlx::query::Query<'static, Postgres, PgArguments>, StoreError> {
        use sqlx::Arguments as _;
        let mut args = PgArguments::default();
        for arg in self.args {
            let added = match arg {
                Arg::Int(value) => args.add(value),
                Arg::Text(value) => args.add(value),
                Arg::Bool(value) => args.add(value),
                Arg::Json(value) => args.add(Json(value)),
                Arg::Written(value) => args.add(Json(value)),
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        Ok(sqlx::query_with(AssertSqlSafe(Engine::Postgres.text(self.sql)), args))
    }
}

/// Every row. A long table comes without a pause, so one is made now and then for whoever else needs the thread.
async fn gather<R>(mut rows: BoxStream<'_, Result<R, sqlx::Error>>) -> Result<Vec<R>, sqlx::Error> {
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await? {
        all.push(row);
        if all.len().is_multiple_of(ROWS_AT_A_STRETCH) {
            tokio::task::yield_now().await;
        }
    }
    Ok(all)
}

fn lite(rows: Vec<SqliteRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Sqlite).collect()
}

fn pg(rows: Vec<PgRow>) -> Vec<Row> {
    rows.into_iter().map(Row::Postgres).collect()
}

/// A type that a column can be read as, on both engines.
pub(crate) trait Col:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl<T> Col for T where T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

/// A row of either engine.
pub(crate) enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From Postgres.
    Postgres(PgRow),
}

impl Row {
    /// The column of that name.
    pub(crate) fn get<T: Col>(&self, column: &str) -> Result<T, StoreError> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// A JSONB column.
    pub(crate) fn json<T: serde::de::DeserializeOwned + 'static>(&self, column: &str) -> Result<T, StoreError> {
        let value: Json<Value> = self.get(column)?;
        serde_json::from_value(value.0).map_err(|e| StoreError::corrupt(column, &e.to_string()))
    }

    /// A JSONB column that may be null.
    pub(crate) fn json_opt(&self, column: &str) -> Result<Option<Value>, StoreError> {
        Ok(self.get::<Option<Json<Value>>>(column)?.map(|json| json.0))
    }

    /// A TEXT column that holds the spelling of a `T`.
    pub(crate) fn parse<T: FromStr>(&self, column: &str) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        text.parse().map_err(|_| StoreError::corrupt(column, &text))
    }

    /// A TEXT column that may be null and else holds the spelling of a `T`.
    pub(crate) fn parse_opt<T: FromStr>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.get(column)?;
        text.map(|t| t.parse().map_err(|_| StoreError::corrupt(column, &t))).transpose()
    }

    /// A BIGINT column that counts something.
    pub(crate) fn count(&self, column: &str) -> Result<u64, StoreError> {
        let number: i64 = self.get(column)?;
        u64::try_from(number).map_err(|_| StoreError::corrupt(column, &number.to_string()))
    }
}
