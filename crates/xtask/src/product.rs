//! Building the binaries that the acceptance tests drive.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::step;

/// The workspace and where cargo puts what it builds.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The workspace that this program was built from.
    pub(crate) fn here() -> Result<Self> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = own.ancestors().nth(2).context("crates/xtask has no workspace above it")?.to_owned();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            // Cargo reads a relative one from where it is called; the steps are called from the root.
            Some(given) => std::path::absolute(PathBuf::from(given))?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// A cargo command in this workspace.
    pub(crate) fn cargo(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(words).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Builds these packages for release; the folder that holds their programs.
    pub(crate) fn build_release(&self, packages: &[&str]) -> Result<PathBuf> {
        let mut build = self.cargo(&["build", "--release"]);
        for package in packages {
            build.args(["--package", package]);
        }
        step::run(&mut build)?;
        Ok(self.target.join("release"))
    }

    /// Builds the product with `options` and keeps a copy as `name`, for the next build replaces cargo's own.
    pub(crate) fn build(&self, name: &str, options: &[&str]) -> Result<PathBuf> {
        step::run(self.cargo(&["build", "--package", "interline"]).args(options))?;
        let (built, folder) = (self.target.join("debug/interline"), self.target.join("acceptance"));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let kept = folder.join(name);
        // A copy over a running binary fails ("text file busy"); a new file does not.
        let fresh = folder.join(format!("{name}.new"));
        fs::copy(&built, &fresh).with_context(|| format!("cannot copy {}", built.display()))?;
        fs::rename(&fresh, &kept).with_context(|| format!("cannot replace {}", kept.display()))?;
        Ok(kept)
    }
}
