//! The store suite: what the store promises, held on SQLite and on Postgres. Above each test stands what users would
//! meet if it failed.

mod applying;
mod attempts;
mod background;
mod feeds;
mod gauges;
mod invariants;
mod memory;
mod operations;
mod patience;
mod processes;
mod schema;
mod secrets;
mod staging;
mod statements;
mod writing;

use std::{env, path::PathBuf};

use interline_domain::{AccountId, Currency, Micros, Timestamp, UpstreamId};
use rust_decimal::Decimal;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    Desired, DesiredKey, DesiredUpstream, Engine, Lane, MasterKey, Operation, Store, StoreError, UpstreamSettings,
    Writer, db::q, new_master_key,
};

/// When everything happens, unless a test is about time.
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Runs `test` on a fresh database of each engine. Without a Postgres server it fails: a half that is left out proves
/// nothing.
async fn on_both(test: impl AsyncFn(&Site)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        eprintln!("on {engine:?}");
        let site = Box::pin(Site::new(engine)).await;
        Box::pin(test(&site)).await;
        Box::pin(site.remove()).await;
    }
}

/// An empty database of its own. Each store that is opened on it is to the others what another process is.
struct Site {
    engine: Engine,
    url: String,
    master_key: MasterKey,
    /// Where SQLite's file lies.
    folder: Option<TempDir>,
}

impl Site {
    async fn new(engine: Engine) -> Self {
        let (url, folder) = match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                (format!("sqlite://{}", folder.path().join("interline.db").display()), Some(folder))
            }
            Engine::Postgres => {
                let name = format!("store_{:016x}", rand::random::<u64>());
                ask(&format!("CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C'")).await;
                (format!("{}/{name}", server()), None)
            }
        };
        Self { engine, url, master_key: MasterKey::from_base64(&new_master_key()).unwrap(), folder }
    }

    async fn open(&self) -> Store {
        Box::pin(Store::open(&self.url, self.master_key.clone(), NOW)).await.unwrap()
    }

    /// A store with the customer and the upstreams `alpha` and `beta`.
    async fn stocked(&self) -> Store {
        let store = self.open().await;
        let file = Desired {
            currencies: vec![(usd(), Decimal::ONE)],
            upstreams: Some(vec![upstream("alpha"), upstream("beta")]),
            services: None,
            accounts: vec![(customer(), usd(), Decimal::ZERO)],
        };
        store.apply(&file, false, NOW).await.unwrap();
        store
    }

    /// SQLite's file, or the one beside it that ends in `suffix`.
    fn file(&self, suffix: &str) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(format!("interline.db{suffix}"))
    }

    async fn remove(self) {
        if let (Engine::Postgres, Some((_, name))) = (self.engine, self.url.rsplit_once('/')) {
            ask(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

/// The address of the Postgres server, without a database.
fn server() -> String {
    env::var("INTERLINE_TEST_POSTGRES")
        .expect("INTERLINE_TEST_POSTGRES is not set, and the store is tested on both engines: run `cargo xtask test`")
}

/// Runs one statement on the Postgres server, outside of the databases of the tests.
async fn ask(statement: &str) {
    let mut connection = Box::pin(PgConnection::connect(&format!("{}/postgres", server()))).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Hands all operations over at the same time, as a crowd of callers does; the replies stand in the order they came in.
async fn at_once<O: Operation>(given: Vec<(Writer, O)>) -> Vec<Result<O::Reply, StoreError>> {
    let mut callers = JoinSet::new();
    for (writer, operation) in given {
        callers.spawn(async move { writer.run(Lane::Urgent, operation).await });
    }
    callers.join_all().await
}

/// Runs a statement behind the store's back.
async fn execute(store: &Store, statement: &str) -> Result<u64, StoreError> {
    q(statement).run(&*store.db).await
}

/// The column `n` of the one row that a query finds.
async fn number(store: &Store, query: &str) -> i64 {
    q(query).one(&*store.db).await.unwrap().get("n").unwrap()
}

/// What the customer can spend.
async fn wallet(store: &Store) -> Micros {
    let account = store.accounts().await.unwrap().into_iter().find(|a| a.id == customer()).unwrap();
    store.wallet(&account).await.unwrap()
}

/// The invariants that do not hold.
async fn broken(store: &Store) -> Vec<u8> {
    let verified = store.verify().await.unwrap();
    verified.checked.iter().filter(|c| c.violations > 0).map(|c| c.number).collect()
}

/// Every invariant holds.
async fn assert_sound(store: &Store) {
    let verified = store.verify().await.unwrap();
    assert!(verified.is_ok(), "{verified:#?}");
}

fn money(units: &str) -> Micros {
    units.parse().unwrap()
}

fn usd() -> Currency {
    "USD".parse().unwrap()
}

fn eur() -> Currency {
    "EUR".parse().unwrap()
}

fn customer() -> AccountId {
    "panel-a".parse().unwrap()
}

fn upstream_id(name: &str) -> UpstreamId {
    name.parse().unwrap()
}

/// An upstream as a file wants it; its key is `key-of-` and its name.
fn upstream(name: &str) -> DesiredUpstream {
    DesiredUpstream {
        id: upstream_id(name),
        adapter: "perfectpanel".to_owned(),
        url: format!("https://{name}.example/api/v2"),
        key: Some(DesiredKey::Plain(format!("key-of-{name}").into())),
        currency: usd(),
        enabled: true,
        settings: UpstreamSettings::default(),
    }
}
