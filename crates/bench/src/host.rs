//! Where and of what a run was made: a number without them says nothing.

use std::{fs, process::Command, thread};

use jiff::Timestamp;
use serde::Serialize;

/// The machine, the time and the version.
#[derive(Debug, Serialize)]
pub(crate) struct Host {
    /// When the run began.
    pub(crate) date: String,
    /// The commit that is checked out, with a mark if files were changed since.
    pub(crate) commit: String,
    /// What the processor is called.
    pub(crate) processor: String,
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// Memory, as the kernel counts it.
    pub(crate) memory: String,
    /// The kernel's release.
    pub(crate) kernel: String,
}

impl Host {
    /// This machine, now.
    pub(crate) fn here() -> Self {
        Self {
            date: Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            commit: commit().unwrap_or_else(|| "not in a checkout".to_owned()),
            processor: field("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory: field("/proc/meminfo", "MemTotal"),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        }
    }
}

fn commit() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--exclude=*"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = git.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The first value of that name in a file of `name : value` lines.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().filter_map(|line| line.split_once(':')).find(|(found, _)| found.trim() == name);
    value.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}
