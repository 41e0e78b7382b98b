//! The other processes of a run: started, found by the address that they say, looked at, stopped.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

/// Prints what the caller of this process waits for.
pub(crate) fn say(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// What a process holds in memory, in KiB.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident_kib: u64,
    /// At most so far.
    pub(crate) peak_kib: u64,
}

/// A process that serves. It is killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts it and waits for its first line, `listening on http://ADDRESS`.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {name}"))?;
        let mut out = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut line = String::new();
        out.read_line(&mut line)?;
        // It must never wait for somebody who reads the rest.
        thread::spawn(move || io::copy(&mut out, &mut io::sink()));
        let address = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        // Made first, so that a process that says something else is ended too.
        let mut server = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        server.address = address.with_context(|| format!("the first line of {name} was `{}`", line.trim()))?;
        Ok(server)
    }

    /// Another process of this program.
    pub(crate) fn part(words: &[&str]) -> Result<Self> {
        Self::spawn(Command::new(std::env::current_exe()?).args(words))
    }

    /// What it holds in memory.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| name.to_owned())?;
            line.trim().trim_end_matches(" kB").parse::<u64>().context("not a number of KiB")
        };
        Ok(Memory { resident_kib: field("VmRSS:")?, peak_kib: field("VmHWM:")? })
    }

    /// Asks it to end (SIGTERM) and waits until it has, without an error.
    pub(crate) fn stop(mut self) -> Result<()> {
        // Signals need unsafe code or a library; the shell has a command for them.
        let kill = format!("kill -TERM {}", self.child.id());
        ensure!(Command::new("sh").args(["-c", &kill]).status()?.success(), "{kill} failed");
        let status = self.child.wait()?;
        ensure!(status.success(), "after SIGTERM it ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
