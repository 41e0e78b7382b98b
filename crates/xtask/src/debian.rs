//! Programs that the tests run and cargo does not bring: found, installed by root on Debian, or named with what installs them.

use std::{env, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::step;

/// Programs on the `PATH`, each with the package that brings it.
const PROGRAMS: [(&str, &str); 2] = [("sqlite3", "sqlite3"), ("systemd-analyze", "systemd")];

/// Installs what is missing of the programs that tests call by their names.
pub(crate) fn install_missing() -> Result<()> {
    let missing: Vec<_> = PROGRAMS.into_iter().filter(|(program, _)| !is_on_path(program)).collect();
    let (programs, packages): (Vec<&str>, Vec<&str>) = missing.into_iter().unzip();
    if packages.is_empty() { Ok(()) } else { install(&programs.join(" and "), &packages) }
}

/// Installs packages, because `what` is missing; elsewhere than on Debian as root, says what to run.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result<()> {
    let (update, install) =
        ("apt-get update", format!("apt-get install -y --no-install-recommends {}", packages.join(" ")));
    if !(Path::new("/etc/debian_version").exists() && is_root()?) {
        bail!("the tests need {what}; install what is missing with\n  sudo {update} && sudo {install}");
    }
    for line in [update, install.as_str()] {
        step::run(Command::new("sh").args(["-c", line]).env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    Ok(())
}

/// Whether this process is root's.
pub(crate) fn is_root() -> Result<bool> {
    let output = Command::new("id").arg("-u").output().context("cannot run id")?;
    Ok(output.stdout.trim_ascii() == b"0")
}

fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
