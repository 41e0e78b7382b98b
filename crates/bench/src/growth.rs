//! Whether an order costs more among a million than among a thousand.

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::{
    RunArgs,
    call::Call,
    gateway::{Engine, Following, Gateway},
    load::{self, Measured},
    process::Memory,
};

/// Few orders, which many are compared with.
const FEW: u32 = 1_000;
/// Connections that fill the database.
const FILLERS: usize = 64;

/// Adds, one at a time, in a database with so many orders.
#[derive(Debug, Serialize)]
pub(crate) struct Growth {
    /// What the gateway stores on.
    pub(crate) engine: Engine,
    /// Orders that were there before.
    pub(crate) orders: u32,
    /// The adds.
    pub(crate) add: Measured,
    /// The gateway's memory then.
    pub(crate) memory: Memory,
}

/// Measures among few and among `many` orders, which are placed like any others: nothing else fills the books rightly.
pub(crate) async fn run(args: &RunArgs, engine: Engine, many: u32) -> Result<Vec<Growth>> {
    let mut gateway = Gateway::prepare(args, engine).await?;
    gateway.serve(Following::Later)?;
    let call = Call::add(&gateway.key, false);
    let (first, mut found) = (load::numbers(), Vec::new());
    for orders in [FEW, many] {
        let server = gateway.server()?;
        let missing = i64::from(orders) - i64::try_from(load::numbers() - first)?;
        eprintln!("bench: {engine}, placing {missing} orders");
        let filled = load::repeat(&call, server.address, FILLERS, missing).await?;
        ensure!(filled.errors == 0, "{} orders were not taken: {:?}", filled.errors, filled.error);
        eprintln!("bench: {engine}, add among {orders} orders");
        let add = load::measure(&call, server.address, 1, args.seconds).await?;
        found.push(Growth { engine, orders, add, memory: server.memory()? });
    }
    gateway.stop()?;
    Ok(found)
}
