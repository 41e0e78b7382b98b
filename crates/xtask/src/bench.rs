//! Measuring the product: builds it as it ships, starts a Postgres that makes commits durable, and runs the benchmark.

use std::process::Command;

use anyhow::Result;

use crate::{
    postgres::{Binaries, Cluster, Durability},
    product::Workspace,
    step,
};

/// Runs the benchmark with `options` of its own; false if it failed.
pub(crate) fn run(options: &[String]) -> Result<bool> {
    let binaries = Binaries::find_or_install()?;
    let release = Workspace::here()?.build_release(&["interline", "interline-bench"])?;
    let cluster = Cluster::start(&binaries, Durability::Full)?;
    let mut bench = Command::new(release.join("interline-bench"));
    bench.arg("run").arg("--gateway").arg(release.join("interline")).arg("--pgbench").arg(binaries.pgbench());
    bench.args(["--postgres", &cluster.url()]).args(options);
    step::announce(&bench);
    Ok(bench.status()?.success())
}
