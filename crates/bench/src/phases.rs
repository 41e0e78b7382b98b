//! One run: each call on each engine with each number of connections, beside what it is compared with.

use std::fs;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::{
    RunArgs,
    call::Call,
    commits,
    gateway::{Engine, Following, Gateway},
    growth::{self, Growth},
    host::Host,
    http,
    load::{self, Measured},
    open::{self, Open},
    process::{Memory, Server},
};

/// Connections at a time.
const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// Orders that are asked after.
const ORDERS: usize = 100;

/// Everything that a run found out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Where it was made.
    pub(crate) host: Host,
    /// How long each row was measured.
    pub(crate) seconds: u32,
    /// The table.
    pub(crate) rows: Vec<Row>,
    /// An add at one connection on SQLite, and the same call made to the upstream directly.
    pub(crate) direct: Option<Direct>,
    /// Adds among few and many orders.
    pub(crate) growth: Vec<Growth>,
    /// Many open orders.
    pub(crate) open: Vec<Open>,
}

/// One row of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What the gateway stores on.
    pub(crate) engine: Engine,
    /// What was called.
    pub(crate) call: &'static str,
    /// By how many connections at a time.
    pub(crate) connections: usize,
    /// The gateway.
    pub(crate) gateway: Measured,
    /// The handler that answers the same bytes.
    pub(crate) bare: Measured,
    /// Commits a second of the database alone, beside calls that commit.
    pub(crate) commits: Option<f64>,
    /// The gateway's memory at the end of the row.
    pub(crate) memory: Memory,
}

/// Where the time of an add goes.
#[derive(Debug, Serialize)]
pub(crate) struct Direct {
    /// Through the gateway.
    pub(crate) add: Measured,
    /// The same client at the upstream.
    pub(crate) upstream: Measured,
}

/// Makes a run.
pub(crate) async fn run(args: &RunArgs) -> Result<Report> {
    let mut report = Report {
        host: Host::here(),
        seconds: args.seconds,
        rows: Vec::new(),
        direct: None,
        growth: Vec::new(),
        open: Vec::new(),
    };
    for engine in [Engine::Sqlite, Engine::Postgres] {
        if !args.only_more {
            Box::pin(table(args, engine, &mut report)).await.with_context(|| engine.to_string())?;
        }
        if let Some(orders) = args.orders {
            report.growth.extend(Box::pin(growth::run(args, engine, orders)).await?);
        }
        if let Some(orders) = args.open {
            report.open.push(Box::pin(open::run(args, engine, orders)).await?);
        }
    }
    Ok(report)
}

/// The rows of one engine.
async fn table(args: &RunArgs, engine: Engine, report: &mut Report) -> Result<()> {
    let commits = commits(args, engine).await?;
    let mut gateway = Gateway::prepare(args, engine).await?;
    for call in calls(&mut gateway).await? {
        let bare = bare(&gateway, &call).await?;
        for (connections, commits) in CONNECTIONS.into_iter().zip(&commits) {
            eprintln!("bench: {engine}, {}, {connections} connections", call.name);
            let server = gateway.server()?;
            let measured = load::measure(&call, server.address, connections, args.seconds).await?;
            report.rows.push(Row {
                engine,
                call: call.name,
                connections,
                gateway: measured,
                memory: server.memory()?,
                bare: load::measure(&call, bare.address, connections, args.seconds).await?,
                commits: call.numbered.then_some(*commits),
            });
        }
    }
    if engine == Engine::Sqlite {
        let add = report.rows.iter().rev().find(|row| row.call == "add" && row.connections == 1);
        let add = add.context("no row of one add at a time")?.gateway.clone();
        let call = Call::add("bench", false);
        let upstream = load::measure(&call, gateway.upstream.address, 1, args.seconds).await?;
        report.direct = Some(Direct { add, upstream });
    }
    gateway.stop()
}

/// What is called, with the orders that it is about; the last one makes more of them. The gateway runs then.
async fn calls(gateway: &mut Gateway) -> Result<Vec<Call>> {
    gateway.serve(Following::AtOnce)?;
    let ended = gateway.place(ORDERS, true).await?;
    gateway.wait_for_the_end(&ended).await?;
    gateway.serve(Following::Later)?;
    let open = gateway.place(ORDERS, false).await?;
    let key = &gateway.key;
    Ok(vec![
        Call::balance(key),
        Call::services(key),
        Call::status("status, ended order", key, &ended),
        Call::status("status, open order", key, &open),
        Call::statuses("status, 100 open orders", key, &open),
        Call::add(key, false),
    ])
}

/// A bare handler with the bytes that the gateway answers to this call.
async fn bare(gateway: &Gateway, call: &Call) -> Result<Server> {
    let mut request = call.requests.first().context("no request")?.clone();
    load::fresh(call, &mut request);
    let body = http::ask(gateway.server()?.address, &request).await?;
    let file = gateway.folder.path().join("body");
    fs::write(&file, body)?;
    Server::part(&["bare", &file.to_string_lossy()])
}

/// The database's own commits a second, for each number of connections.
async fn commits(args: &RunArgs, engine: Engine) -> Result<Vec<f64>> {
    eprintln!("bench: {engine}, raw commits");
    if engine == Engine::Sqlite {
        return Ok(vec![commits::sqlite(args.seconds).await?; CONNECTIONS.len()]);
    }
    let mut rates = Vec::new();
    for clients in CONNECTIONS {
        rates.push(commits::postgres(args, clients).await?);
    }
    Ok(rates)
}
