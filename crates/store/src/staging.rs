//! Staging: a change of our services is written piece by piece under a generation that nobody reads yet, and one short
//! commit makes it count, however many services there are. Nobody who takes orders waits for more than a piece.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use interline_domain::Timestamp;
use serde_json::{Value, json};

use crate::{
    Engine, ServiceRecord, Store,
    db::{Db, Tx, q},
    error::StoreError,
    services::{offer_json, service_json},
    tables,
};

/// Most rows in one transaction, but for those of groups.
pub(crate) const ROWS_MAX: usize = 500;
/// Most services removed in one transaction; the offers of each go with it.
const REMOVED_MAX: usize = 250;
/// One change at a time: the lease that it holds, and for how long after the last piece.
const LEASE: &str = "services";
const LEASE_MS: i64 = 15_000;
/// How long a change waits for the one before it: longer than the lease of one that died.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// How often it looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The pause after a piece, in times of what the piece took.
const PAUSE_FACTOR: u32 = 2;

/// The right to change our services, and the generation under which the change is written. It is ended with
/// [`Self::finish`]; whoever dies before loses it when the lease runs out.
pub(crate) struct Staging<'a> {
    db: &'a Db,
    owner: String,
    began_at: Timestamp,
    began: Instant,
    generation: i64,
}

impl<'a> Staging<'a> {
    /// Waits for its turn, and removes what a change that died left behind.
    pub(crate) async fn begin(db: &'a Db, now: Timestamp) -> Result<Self, StoreError> {
        let owner = format!("{:016x}", rand::random::<u64>());
        let mut staging = Self { db, owner, began_at: now, began: Instant::now(), generation: 0 };
        while !staging.take_lease().await? {
            if staging.began.elapsed() > WAIT_MAX {
                return Err(StoreError::Refused(
                    "another apply or import is changing the services; try again when it is done".to_owned(),
                ));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let counting: i64 = q("SELECT value FROM versions WHERE name = 'services'").one(db).await?.get("value")?;
        staging.generation = counting + 1;
        staging.sweep().await?;
        Ok(staging)
    }

    /// Begins a transaction of this change; refused if another change took the lease over.
    pub(crate) async fn transaction(&self) -> Result<Tx, StoreError> {
        let mut tx = self.db.begin().await?;
        let text = "UPDATE leases SET lease_until = $1 WHERE name = $2 AND owner = $3";
        let until = self.now().plus_ms(LEASE_MS);
        let held = q(text).bind(until.millis()).bind(LEASE).bind(self.owner.as_str()).run(&mut tx).await?;
        if held == 1 {
            return Ok(tx);
        }
        let text = "this change of the services stood still for so long that another one began; nothing was changed";
        Err(StoreError::Refused(text.to_owned()))
    }

    /// Writes services with their offers, each with its place in our list. Nobody sees them before [`Self::flip`].
    pub(crate) async fn stage(&self, services: &[(usize, ServiceRecord)]) -> Result<(), StoreError> {
        let mut rest = services;
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(piece_of(rest));
            self.write(piece).await?;
            rest = later;
        }
        Ok(())
    }

    /// Makes what was staged count, with what the caller wrote into `tx`: one commit, which every server notices.
    pub(crate) async fn flip(&self, mut tx: Tx) -> Result<(), StoreError> {
        let text = "UPDATE versions SET value = $1 WHERE name = 'services'";
        q(text).bind(self.generation).run(&mut tx).await?;
        Store::touch(&mut tx, "catalogue").await?;
        tx.commit().await
    }

    /// Ends the change, whatever became of it: removes the rows that nobody will read and lets the next one begin.
    pub(crate) async fn finish<T>(self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = self.clean_up().await {
            tracing::warn!(%error, "what a change of the services left behind is removed by the next one");
        }
        outcome
    }

    async fn take_lease(&self) -> Result<bool, StoreError> {
        let text = "INSERT INTO leases (name, owner, lease_until) VALUES ($1, $2, $3)
                    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until
                    WHERE leases.lease_until <= $4";
        let (now, until) = (self.now(), self.now().plus_ms(LEASE_MS));
        let lease = q(text).bind(LEASE).bind(self.owner.as_str()).bind(until.millis()).bind(now.millis());
        Ok(lease.run(self.db).await? == 1)
    }

    async fn write(&self, piece: &[(usize, ServiceRecord)]) -> Result<(), StoreError> {
        let services: Vec<Value> = piece.iter().map(|(at, s)| service_json(self.generation, *at, s)).collect();
        let mut offers = Vec::new();
        for (_, service) in piece {
            let numbered = service.offers.iter().enumerate();
            offers.extend(numbered.map(|(at, offer)| offer_json(service.id, self.generation, at, offer)));
        }
        let mut tx = self.transaction().await?;
        let began = Instant::now();
        tables::SERVICES.write(&mut tx, &services).await?;
        tables::OFFERS.write(&mut tx, &offers).await?;
        tx.commit().await?;
        give_way(self.db, began.elapsed()).await;
        Ok(())
    }

    async fn clean_up(&self) -> Result<(), StoreError> {
        self.sweep().await?;
        let text = "DELETE FROM leases WHERE name = $1 AND owner = $2";
        q(text).bind(LEASE).bind(self.owner.as_str()).run(self.db).await.map(drop)
    }

    /// Removes, piece by piece, the rows that no longer count and those that never came to.
    async fn sweep(&self) -> Result<(), StoreError> {
        let text = "SELECT s.id, s.generation FROM services s JOIN versions v ON v.name = 'services'
                    WHERE s.generation > v.value OR EXISTS (
                        SELECT 1 FROM services n
                        WHERE n.id = s.id AND n.generation > s.generation AND n.generation <= v.value)
                    ORDER BY s.generation, s.id";
        let mut useless: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for row in q(text).all(self.db).await? {
            useless.entry(row.get("generation")?).or_default().push(row.get("id")?);
        }
        for (generation, services) in useless {
            for ids in services.chunks(REMOVED_MAX) {
                let mut tx = self.transaction().await?;
                let began = Instant::now();
                let text = "DELETE FROM offers WHERE service IN {ids} AND generation = $2";
                q(text).bind(json!(ids)).bind(generation).run(&mut tx).await?;
                let text = "DELETE FROM services WHERE id IN {ids} AND generation = $2";
                q(text).bind(json!(ids)).bind(generation).run(&mut tx).await?;
                tx.commit().await?;
                give_way(self.db, began.elapsed()).await;
            }
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.began_at.plus_ms(i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

/// After a piece that held SQLite's one write lock for so long: leaves it to the others for a while. Who waits for it
/// in another process only looks now and then, and must find it free most of the time.
pub(crate) async fn give_way(db: &Db, held: Duration) {
    if db.engine() == Engine::Sqlite {
        tokio::time::sleep(held * PAUSE_FACTOR).await;
    }
}

/// How many of these services are one piece: a service is a row, and so is each of its offers.
fn piece_of(services: &[(usize, ServiceRecord)]) -> usize {
    let mut rows = 0;
    let fitting = services.iter().take_while(|(_, service)| {
        rows += 1 + service.offers.len();
        rows <= ROWS_MAX
    });
    fitting.count().max(1)
}
