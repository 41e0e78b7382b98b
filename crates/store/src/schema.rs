//! Migrations, embedded in the program, and the mark that tells whether the master key fits the database.

use interline_domain::{Currency, Timestamp};
use secrecy::ExposeSecret as _;
use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{
    Store,
    db::{Db, Tx, q},
    error::StoreError,
};

/// Number, name, and the text for SQLite and Postgres.
const MIGRATIONS: [(i64, &str, &str, &str); 5] = [
    (
        1,
        "books",
        include_str!("../../../migrations/sqlite/0001_books.sql"),
        include_str!("../../../migrations/postgres/0001_books.sql"),
    ),
    (
        2,
        "sums",
        include_str!("../../../migrations/sqlite/0002_sums.sql"),
        include_str!("../../../migrations/postgres/0002_sums.sql"),
    ),
    (
        3,
        "trace",
        include_str!("../../../migrations/sqlite/0003_trace.sql"),
        include_str!("../../../migrations/postgres/0003_trace.sql"),
    ),
    (
        4,
        "scale",
        include_str!("../../../migrations/sqlite/0004_scale.sql"),
        include_str!("../../../migrations/postgres/0004_scale.sql"),
    ),
    (
        5,
        "prices",
        include_str!("../../../migrations/sqlite/0005_prices.sql"),
        include_str!("../../../migrations/postgres/0005_prices.sql"),
    ),
];

/// Brings the schema up to date; refuses one that a newer program made.
pub(crate) async fn migrate(db: &Db) -> Result<(), StoreError> {
    let texts = MIGRATIONS.map(|(version, name, sqlite, postgres)| {
        let text = if matches!(db, Db::Sqlite { .. }) { sqlite } else { postgres };
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    let migrator = Migrator::with_migrations(texts.into());
    let done = match db {
        Db::Sqlite { writer, .. } => migrator.run(writer.turn().await?.connection()?).await,
        Db::Postgres(pool) => migrator.run(pool).await,
    };
    match done {
        Err(sqlx::migrate::MigrateError::VersionMissing(version)) => Err(StoreError::Newer(version)),
        other => Ok(other?),
    }
}

impl Store {
    /// Seals a mark when the database is new and opens it ever after.
    pub(crate) async fn check_master_key(&self, now: Timestamp) -> Result<(), StoreError> {
        const ROW: &str = "meta/master-key-mark";
        let mark = self.master_key.seal(ROW, &format!("made at {}", now.millis()).into())?;
        let mut tx = self.db.begin().await?;
        q("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(ROW)
            .bind(mark)
            .run(&mut tx)
            .await?;
        let kept: String = q("SELECT value FROM meta WHERE name = $1").bind(ROW).one(&mut tx).await?.get("value")?;
        tx.commit().await?;
        let fits = self.master_key.open(ROW, &kept).map_err(|_| {
            StoreError::MasterKey(
                "this database was made with another key (interline.key or secrets.master_key)".to_owned(),
            )
        })?;
        debug_assert!(fits.expose_secret().starts_with("made at"));
        Ok(())
    }

    /// Keeps the base currency of new books; refuses another one for books that are kept in one.
    pub async fn keep_base_currency(&self, base: Currency) -> Result<(), StoreError> {
        const ROW: &str = "base-currency";
        let mut tx = self.db.begin().await?;
        let text = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        q(text).bind(ROW).bind(base.as_str()).run(&mut tx).await?;
        let kept: String = q("SELECT value FROM meta WHERE name = $1").bind(ROW).one(&mut tx).await?.get("value")?;
        tx.commit().await?;
        if kept == base.as_str() {
            return Ok(());
        }
        Err(StoreError::Refused(format!("these books are kept in {kept}: money.base_currency cannot become {base}")))
    }

    /// Tells every server that something it keeps in memory has changed.
    pub(crate) async fn touch(tx: &mut Tx, name: &str) -> Result<(), StoreError> {
        q("UPDATE versions SET value = value + 1 WHERE name = $1").bind(name).run(tx).await.map(drop)
    }

    /// The versions of the catalogue (with accounts and currencies) and of the keys.
    pub async fn versions(&self) -> Result<(i64, i64), StoreError> {
        let rows = q("SELECT name, value FROM versions").all(&*self.db).await?;
        let (mut catalogue, mut keys) = (0, 0);
        for row in rows {
            match row.get::<String>("name")?.as_str() {
                "catalogue" => catalogue = row.get("value")?,
                "keys" => keys = row.get("value")?,
                _ => {}
            }
        }
        Ok((catalogue, keys))
    }
}
