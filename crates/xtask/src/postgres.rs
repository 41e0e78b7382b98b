//! A Postgres server that lives as long as one test run: found or installed, started in a temporary folder, removed.

use std::{
    cmp::Reverse,
    env,
    fs::{self, DirBuilder},
    net::TcpListener,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
};

use anyhow::{Context, Result};

use crate::{
    debian::{self, is_root},
    step,
};

/// Somebody else may take the free port between our look and the server's start.
const START_TRIES_MAX: u32 = 3;

/// Waits until its input ends, as it does however the parent ends; then stops the server and removes the folder.
const KEEPER: &str = r#"trap '' INT TERM HUP; folder=$1; shift; cat; "$@"; rm -rf "$folder""#;

/// The folder that holds the server's binaries.
pub(crate) struct Binaries(PathBuf);

impl Binaries {
    /// Finds them; on Debian root installs them when they are missing.
    pub(crate) fn find_or_install() -> Result<Self> {
        if let Some(found) = Self::find() {
            return Ok(found);
        }
        debian::install("the Postgres server's programs", &["postgresql"])?;
        Self::find().context("Postgres was installed, but some of its programs are still not found")
    }

    /// The client, which tests make their databases with.
    pub(crate) fn client(&self) -> PathBuf {
        self.0.join("psql")
    }

    /// The server's own benchmark.
    pub(crate) fn pgbench(&self) -> PathBuf {
        self.0.join("pgbench")
    }

    /// Looks on the `PATH`, then for the newest version where Debian keeps them.
    fn find() -> Option<Self> {
        let paths = env::var_os("PATH").unwrap_or_default();
        let on_path = env::split_paths(&paths).filter_map(|folder| {
            // A link leads to the folder that holds the rest of the server.
            fs::canonicalize(folder.join("initdb")).ok()?.parent().map(Path::to_owned)
        });
        let programs = ["initdb", "pg_ctl", "postgres", "psql", "pg_dump", "pg_restore"];
        let complete = |folder: &PathBuf| programs.iter().all(|name| folder.join(name).is_file());
        on_path.chain(debian_folders()).find(complete).map(Self)
    }
}

/// Whether a commit survives a power cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It does, as in production.
    Full,
    /// It does not: tests keep nothing of worth.
    Off,
}

/// A running server with an empty cluster. Dropping it stops the server and removes its folder.
pub(crate) struct Cluster {
    port: u16,
    keeper: Child,
}

impl Cluster {
    /// Makes a cluster and starts it on a free port of the loopback address.
    pub(crate) fn start(binaries: &Binaries, durability: Durability) -> Result<Self> {
        let folder = env::temp_dir().join(format!("interline-postgres-{}", process::id()));
        DirBuilder::new().mode(0o700).create(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let server = Server { binaries: &binaries.0, folder: &folder, as_postgres: is_root()?, durability };
        let mut cluster = Self { port: 0, keeper: server.keeper()? };
        cluster.port = server.start()?;
        Ok(cluster)
    }

    /// The server's address, without a database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Its input ends, so it cleans up. What cannot be cleaned up now is only a temporary folder.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// How the server's programs are called.
struct Server<'a> {
    binaries: &'a Path,
    folder: &'a Path,
    /// Postgres refuses to run as root.
    as_postgres: bool,
    durability: Durability,
}

impl Server<'_> {
    /// Makes the cluster and starts the server; its port.
    fn start(&self) -> Result<u16> {
        if self.as_postgres {
            step::run_quietly(Command::new("chown").arg("postgres").arg(self.folder))?;
        }
        let mut init = self.program("initdb");
        step::run_quietly(init.args(["--no-sync", "-A", "trust", "-U", "postgres", "--locale=C.UTF-8", "-E", "UTF8"]))?;
        let mut tries = 1;
        loop {
            let port = free_port()?;
            match step::run(&mut self.starter(port)) {
                Ok(()) => return Ok(port),
                Err(_) if tries < START_TRIES_MAX => tries += 1,
                Err(error) => {
                    let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                    return Err(error.context(format!("Postgres does not start:\n{log}")));
                }
            }
        }
    }

    /// Starts the server, with room for many tests.
    fn starter(&self, port: u16) -> Command {
        let switch = if self.durability == Durability::Full { "on" } else { "off" };
        let options = format!(
            "-p {port} -k '{}' -c listen_addresses=127.0.0.1 -c fsync={switch} -c full_page_writes={switch} \
             -c synchronous_commit={switch} -c max_connections=300",
            self.folder.display()
        );
        let mut command = self.program("pg_ctl");
        // The server outlives this command, so it must not hold a pipe of ours: it writes to its log alone.
        command.args(["-w", "-s", "-o", &options, "-l"]).arg(self.folder.join("log")).arg("start");
        command.stdin(Stdio::null());
        command
    }

    /// The process that cleans up when this one ends, even if it is killed.
    fn keeper(&self) -> Result<Child> {
        let mut stop = self.program("pg_ctl");
        stop.args(["-s", "-m", "immediate", "stop"]);
        let mut keeper = Command::new("sh");
        keeper.current_dir(self.folder);
        keeper.args(["-c", KEEPER, "keeper"]).arg(self.folder).arg(stop.get_program()).args(stop.get_args());
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        keeper.spawn().context("cannot start sh")
    }

    /// One of the server's programs, as a user that it accepts.
    fn program(&self, name: &str) -> Command {
        let path = self.binaries.join(name);
        let mut command = if self.as_postgres {
            let mut runuser = Command::new("runuser");
            runuser.args(["-u", "postgres", "--"]).arg(path);
            runuser
        } else {
            Command::new(path)
        };
        // They look at the working directory, which another user may not be allowed to read.
        command.arg("-D").arg(self.folder.join("data")).current_dir(self.folder);
        command
    }
}

/// A port that nobody listens on now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// Debian keeps each version in a folder of its own; the newest first.
fn debian_folders() -> Vec<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}
