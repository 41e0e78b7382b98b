//! What may come between the gateway and Postgres: somebody who holds its locks, and a network that fails.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{database::needed, gateway::Gateway, http::runtime, wait::wait_until};

/// Tables that another program holds locked, for readers too, until this is dropped. To the gateway it is what a server is
/// that was stopped, or whose disk hangs: connections stand, and no statement ends.
pub struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        // Its session ends with it, and so do its locks.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Gateway {
    /// Locks these tables, whose names are separated by commas.
    pub fn hold(&self, tables: &str) -> Result<Held> {
        let mut psql = Command::new(needed("INTERLINE_TEST_PSQL")?);
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"])
            .arg(self.database_url().context("SQLite has no tables to lock")?);
        let mut held = Held(psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("cannot run psql")?);
        let input = held.0.stdin.as_mut().context("psql reads nothing")?;
        writeln!(input, "BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE;")?;
        let count = format!(
            "SELECT COUNT(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND locktype = 'relation' AND \
             database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND \
             relation IN ({})",
            tables.split(", ").map(|table| format!("'{table}'::regclass")).collect::<Vec<_>>().join(", ")
        );
        let wanted = tables.split(", ").count().to_string();
        wait_until("the tables to be locked", || Ok(self.sql(&count)? == wanted))?;
        Ok(held)
    }

    /// Reaches its database by a way that can be cut from now on: what is started later goes there.
    pub fn by_way(&mut self) -> Result<Way> {
        let url = self.database_url().context("SQLite is on no network")?.to_owned();
        let (user, rest) = url.split_once('@').context("no user in the address")?;
        let (server, name) = rest.split_once('/').context("no database in the address")?;
        let way = Way::to(server)?;
        self.set("DATABASE__URL", &format!("{user}@{}/{name}", way.address));
        Ok(way)
    }
}

/// A way to a server that can be cut and mended. It ends when it is dropped.
pub struct Way {
    address: SocketAddr,
    is_cut: watch::Sender<bool>,
}

impl Way {
    fn to(server: &str) -> Result<Self> {
        let (is_cut, server) = (watch::Sender::new(false), server.to_owned());
        let door = runtime()?.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = door.local_addr()?;
        let mut cut = is_cut.subscribe();
        runtime()?.spawn(async move {
            loop {
                tokio::select! {
                    accepted = door.accept() => {
                        if let Ok((client, _)) = accepted {
                            tokio::spawn(carry(client, server.clone(), cut.clone()));
                        }
                    }
                    // The test is over when there is nobody left who could cut it.
                    changed = cut.changed() => if changed.is_err() { return },
                }
            }
        });
        Ok(Self { address, is_cut })
    }

    /// Ends every connection, and each that comes later.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

/// Carries what two sides say, until one of them ends it or the way is cut.
async fn carry(mut client: TcpStream, server: String, cut: watch::Receiver<bool>) {
    let carried = async {
        let mut server = TcpStream::connect(server).await?;
        copy_bidirectional(&mut client, &mut server).await
    };
    tokio::select! {
        biased;
        () = until_cut(cut) => {}
        _ = carried => {}
    }
}

async fn until_cut(mut cut: watch::Receiver<bool>) {
    while !*cut.borrow_and_update() {
        if cut.changed().await.is_err() {
            return;
        }
    }
}
