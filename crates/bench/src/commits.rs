//! How many commits a second the databases themselves make, as durable as the gateway's: one row changed and one row added
//! in each, as the least that an order could be.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tempfile::TempDir;

use crate::RunArgs;

/// The wallet that every order is taken from, and the orders.
const TABLES: &str = "CREATE TABLE wallet (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL);
    CREATE TABLE placed (target TEXT NOT NULL, amount BIGINT NOT NULL);
    INSERT INTO wallet VALUES (1, 1000000000000)";

/// One order on SQLite, in one call of the driver: what is measured is the database.
const SQLITE_ORDER: &str = "BEGIN IMMEDIATE;
    UPDATE wallet SET balance = balance - 250000 WHERE id = 1;
    INSERT INTO placed VALUES ('https://example.com/p', 250000);
    COMMIT";

/// One order on Postgres, as pgbench reads it.
const POSTGRES_ORDER: &str = "BEGIN;
UPDATE wallet SET balance = balance - 250000 WHERE id = 1;
INSERT INTO placed VALUES ('https://example.com/p', 250000);
COMMIT;
";

/// SQLite with one writer, which is all that it takes.
pub(crate) async fn sqlite(seconds: u32) -> Result<f64> {
    let folder = TempDir::with_prefix("interline-bench-")?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("raw.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await?;
    sqlx::raw_sql(TABLES).execute(&mut connection).await?;
    let (begun, mut commits) = (Instant::now(), 0_u32);
    while begun.elapsed() < Duration::from_secs(seconds.into()) {
        sqlx::raw_sql(SQLITE_ORDER).execute(&mut connection).await?;
        commits += 1;
    }
    let rate = f64::from(commits) / begun.elapsed().as_secs_f64();
    connection.close().await?;
    Ok(rate)
}

/// Postgres with so many clients that want the same wallet, by its own benchmark program.
pub(crate) async fn postgres(args: &RunArgs, clients: usize) -> Result<f64> {
    let url = create_database(&args.postgres, &format!("raw_{clients}")).await?;
    let mut connection = PgConnection::connect(&url).await?;
    sqlx::raw_sql(TABLES).execute(&mut connection).await?;
    connection.close().await?;
    let folder = TempDir::with_prefix("interline-bench-")?;
    let script = folder.path().join("order.sql");
    fs::write(&script, POSTGRES_ORDER)?;
    let mut pgbench = Command::new(&args.pgbench);
    pgbench.args(["-n", "-M", "prepared", "-c", &clients.to_string(), "-T", &args.seconds.to_string(), "-f"]);
    let output = pgbench.arg(&script).arg(&url).output().context("cannot run pgbench")?;
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    tps(&String::from_utf8_lossy(&output.stdout)).context("pgbench says no rate")
}

/// An empty database on the server; its address.
pub(crate) async fn create_database(server: &str, name: &str) -> Result<String> {
    let mut connection = PgConnection::connect(&format!("{server}/postgres")).await.context("Postgres")?;
    // Left by a run before, if the server is not a throw-away one.
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).execute(&mut connection).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
    connection.close().await?;
    Ok(format!("{server}/{name}"))
}

/// The rate in what pgbench prints.
fn tps(printed: &str) -> Option<f64> {
    let line = printed.lines().find_map(|line| line.strip_prefix("tps = "))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found_in_what_pgbench_prints() {
        let printed = "latency average = 0.482 ms\ntps = 2075.5 (without initial connection time)\n";
        assert_eq!(tps(printed).map(|rate| rate.to_string()), Some("2075.5".to_owned()));
        assert!(tps("pgbench: error").is_none());
    }
}
