//! The two schemas are one, history is kept, and the database is durable and held by one server.

use super::{NOW, Site, execute, number, on_both, operations::deposit};
use crate::{
    Engine, Lane, MasterKey, Store, StoreError,
    db::{Db, q},
    new_master_key,
};

/// Broken: a past posting or event can be changed or deleted, and the books prove nothing.
#[tokio::test]
async fn history_is_never_changed_or_deleted() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        assert!(store.writer().run(Lane::Customer, deposit("1", "r")).await.unwrap());
        for table in ["transactions", "entries", "events"] {
            let query = format!("SELECT COUNT(*) AS n FROM {table}");
            let before = number(&store, &query).await;
            assert!(before > 0, "{table}");
            let mut attacks = vec![format!("UPDATE {table} SET id = id + 1"), format!("DELETE FROM {table}")];
            if site.engine == Engine::Postgres {
                attacks.push(format!("TRUNCATE {table} CASCADE"));
            }
            for attack in attacks {
                let refused = execute(&store, &attack).await.expect_err(&attack).to_string();
                assert!(refused.contains("never"), "{attack}: {refused}");
            }
            assert_eq!(number(&store, &query).await, before, "{table}");
        }
    })
    .await;
}

/// Broken: a table, a column, a type or an index stands in one engine's migration alone, and code that works on the one
/// fails on the other, or a rule is kept on one alone.
#[tokio::test]
async fn both_engines_have_one_schema() {
    let sqlite = Box::pin(Site::new(Engine::Sqlite)).await;
    let postgres = Box::pin(Site::new(Engine::Postgres)).await;
    let (held, other) = (schema_lines(&sqlite.open().await.db).await, schema_lines(&postgres.open().await.db).await);
    let only_in = |one: &[String], two: &[String]| -> Vec<String> {
        one.iter().filter(|line| !two.contains(line)).cloned().collect()
    };
    assert_eq!((only_in(&held, &other), only_in(&other, &held)), (Vec::new(), Vec::new()));
    for line in ["orders.charge BIGINT NOT NULL", "attempts.to_loss BOOLEAN NOT NULL", "unique index attempts_live"] {
        assert!(held.iter().any(|held| held == line), "{line} is not among {held:#?}");
    }
    postgres.remove().await;
}

/// Columns with their types, and indexes, one a line.
async fn schema_lines(db: &Db) -> Vec<String> {
    let text = match db.engine() {
        Engine::Sqlite => {
            "SELECT m.name || '.' || c.name || ' ' || UPPER(c.type)
                || CASE c.\"notnull\" WHEN 1 THEN ' NOT NULL' ELSE '' END AS line
             FROM sqlite_master m JOIN pragma_table_info(m.name) c
             WHERE m.type = 'table' AND m.name NOT IN ('_sqlx_migrations', 'sqlite_sequence')
             UNION ALL
             SELECT CASE WHEN sql LIKE 'CREATE UNIQUE%' THEN 'unique ' ELSE '' END || 'index ' || name
             FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        }
        Engine::Postgres => {
            "SELECT CAST(table_name AS TEXT) || '.' || CAST(column_name AS TEXT)
                || ' ' || UPPER(CAST(data_type AS TEXT))
                || CASE CAST(is_nullable AS TEXT) WHEN 'NO' THEN ' NOT NULL' ELSE '' END AS line
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'
             UNION ALL
             SELECT CASE WHEN i.indisunique THEN 'unique ' ELSE '' END || 'index ' || CAST(c.relname AS TEXT)
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE c.relnamespace = CAST('public' AS regnamespace)
             AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid)"
        }
    };
    q(text).all(db).await.unwrap().iter().map(|row| row.get("line").unwrap()).collect()
}

/// Broken: an order that was answered is gone after a power cut. The server of the tests runs without durability, so
/// only what the store sets itself counts.
#[tokio::test]
async fn a_commit_that_was_answered_is_durable() {
    on_both(async |site: &Site| {
        let store = site.open().await;
        if site.engine == Engine::Postgres {
            let row = q("SHOW synchronous_commit").one(&*store.db).await.unwrap();
            assert_eq!(row.get::<String>("synchronous_commit").unwrap(), "on");
            return;
        }
        let mut tx = store.db.begin().await.unwrap();
        let modes = [
            q("PRAGMA journal_mode").one(&mut tx).await.unwrap(),
            q("PRAGMA journal_mode").one(&*store.db).await.unwrap(),
        ];
        for row in modes {
            assert_eq!(row.get::<String>("journal_mode").unwrap(), "wal");
        }
        let levels = [
            q("PRAGMA synchronous").one(&mut tx).await.unwrap(),
            q("PRAGMA synchronous").one(&*store.db).await.unwrap(),
        ];
        for row in levels {
            assert_eq!(row.get::<i64>("synchronous").unwrap(), 2, "not FULL");
        }
    })
    .await;
}

/// Broken: the store runs on a database that forgets, or takes an address for what it is not.
#[tokio::test]
async fn what_cannot_be_durable_is_refused() {
    let key = MasterKey::from_base64(&new_master_key()).unwrap();
    let in_memory = Box::pin(Store::open("sqlite::memory:", key.clone(), NOW)).await.err();
    assert!(matches!(in_memory, Some(StoreError::NotDurable)), "{in_memory:?}");
    let elsewhere = Box::pin(Store::open("mysql://localhost/interline", key, NOW)).await.err();
    assert!(matches!(elsewhere, Some(StoreError::Url)), "{elsewhere:?}");
}

/// Broken: an older program writes into a database whose rules it does not know.
#[tokio::test]
async fn a_newer_schema_is_refused() {
    on_both(async |site: &Site| {
        let text = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                    SELECT 999, 'later', success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1";
        assert_eq!(execute(&site.open().await, text).await.unwrap(), 1);
        let refused = Box::pin(Store::open(&site.url, site.master_key.clone(), NOW)).await.err();
        assert!(matches!(refused, Some(StoreError::Newer(999))), "{refused:?}");
        let text = refused.map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("newer than this program"), "{text}");
    })
    .await;
}

/// Broken: two servers send the same attempts, or a server that died keeps its successor out.
#[tokio::test]
async fn one_server_holds_a_database_file() {
    on_both(async |site: &Site| {
        let stores = [site.open().await, site.open().await];
        let first = stores[0].lock_for_serving().unwrap();
        let second = stores[1].lock_for_serving();
        match site.engine {
            Engine::Sqlite => assert!(matches!(second, Err(StoreError::Locked)), "{second:?}"),
            // Nodes share a server; leases keep them apart.
            Engine::Postgres => assert!(second.is_ok(), "{second:?}"),
        }
        drop((first, second));
        let successor = stores[1].lock_for_serving();
        assert!(successor.is_ok(), "{successor:?}");
    })
    .await;
}
