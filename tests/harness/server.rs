//! A process that serves until it is told to stop.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::wait::wait_until;

/// A running `interline serve`, `demo` or `sandbox`. It is killed when it is dropped.
pub struct Server {
    child: Child,
    said: Arc<Mutex<String>>,
    /// Where it listens: `http://ADDR`.
    pub address: String,
}

impl Server {
    /// Starts `command` and waits until it says where it listens. What it says on stderr is appended to `log`, which is
    /// part of the error when it ends instead.
    pub fn spawn(command: &mut Command, log: &Path) -> Result<Self> {
        let stderr = File::options().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn();
        let mut server =
            Self { child: child.context("cannot start it")?, said: Arc::default(), address: String::new() };
        server.listen()?;
        server.wait_address().with_context(|| fs::read_to_string(log).unwrap_or_default())?;
        Ok(server)
    }

    /// Starts `command` and ends it as a power cut would, `after` that, however far it has come.
    pub fn interrupt(command: &mut Command, log: &Path, after: Duration) -> Result<()> {
        let stderr = File::options().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn();
        let mut child = child.context("cannot start it")?;
        // There is no condition to wait for: any moment is to be hit.
        thread::sleep(after);
        cut(&mut child)
    }

    /// Ends it as a power cut would. That it had ended by itself is a failure.
    pub fn kill(mut self) -> Result<()> {
        cut(&mut self.child)
    }

    /// Sends it a signal, such as `HUP`.
    pub fn signal(&self, name: &str) -> Result<()> {
        // Signals need unsafe code or a library; the shell has a command for them.
        let kill = format!("kill -{name} {}", self.child.id());
        ensure!(Command::new("sh").args(["-c", &kill]).status()?.success(), "{kill} failed");
        Ok(())
    }

    /// The most memory that it ever held, in bytes, as the kernel counts it.
    pub fn memory_peak(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        Ok(peak.context("the kernel does not count it")?.trim().parse::<u64>()? * 1_024)
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub fn stop(self) -> Result<ExitStatus> {
        self.signal("TERM")?;
        self.ended()
    }

    /// Waits until it has ended.
    pub fn ended(mut self) -> Result<ExitStatus> {
        let mut ended = None;
        wait_until("the server to end", || {
            ended = self.child.try_wait()?;
            Ok(ended.is_some())
        })?;
        ended.context("no exit status")
    }

    /// What it printed so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads along what it prints, so that it never waits for a reader.
    fn listen(&mut self) -> Result<()> {
        let (stdout, said) = (self.child.stdout.take().context("no stdout")?, Arc::clone(&self.said));
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                said.push_str(&line);
                said.push('\n');
            }
        });
        Ok(())
    }

    /// Waits for its first line, which says where it listens.
    fn wait_address(&mut self) -> Result<()> {
        let mut line = String::new();
        wait_until("the server's first line", || {
            let ended = self.child.try_wait()?;
            self.said().lines().next().unwrap_or_default().clone_into(&mut line);
            ensure!(ended.is_none() || !line.is_empty(), "it ended with {ended:?}");
            Ok(!line.is_empty())
        })?;
        let address = line.strip_prefix("listening on ").filter(|address| address.starts_with("http://"));
        address.with_context(|| format!("its first line was `{line}`"))?.clone_into(&mut self.address);
        Ok(())
    }
}

/// Ends a process by SIGKILL, unless it ended before.
fn cut(child: &mut Child) -> Result<()> {
    let ended = child.try_wait()?;
    child.kill()?;
    child.wait()?;
    ensure!(ended.is_none(), "the server had ended by itself with {ended:?}");
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
