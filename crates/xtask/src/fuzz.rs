//! Feeding the readers of what strangers send with inputs that a fuzzer makes up.

use anyhow::Result;

use crate::{product::Workspace, step};

/// What has to be there, as it is installed.
const INSTALL: &str = "cargo install cargo-fuzz --version 0.13.2 --locked";

/// The project of the targets, from the workspace's root.
const FOLDER: &str = "tests/fuzz";

/// The targets, each with a corpus and a dictionary of its own.
const TARGETS: [&str; 2] = ["panel_face", "upstream_answers"];

/// Longest input, in bytes.
const INPUT_BYTES_MAX: usize = 65_536;

/// Runs every target for `seconds`, one after the other; false if one found something or cargo-fuzz is missing.
pub(crate) fn run(seconds: u32) -> Result<bool> {
    let workspace = Workspace::here()?;
    if !workspace.cargo(&["fuzz", "--version"]).output()?.status.success() {
        eprintln!("{INSTALL}");
        return Ok(false);
    }
    let mut clean = true;
    for target in TARGETS {
        let mut fuzz = workspace.cargo(&["fuzz", "run", "--fuzz-dir", FOLDER, "-s", "none", target, "--"]);
        fuzz.arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg(format!("-dict={FOLDER}/{target}.dict"))
            // Makes a stable compiler take what cargo-fuzz asks of a nightly one.
            .env("RUSTC_BOOTSTRAP", "1");
        step::announce(&fuzz);
        clean &= fuzz.status()?.success();
    }
    Ok(clean)
}
