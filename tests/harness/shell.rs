//! The shell, for what documents tell people to type.

use std::{
    env,
    path::Path,
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};

use crate::{database::needed, gateway::Gateway};

impl Gateway {
    /// Runs shell lines in this gateway's folder, with its settings and these variables. `interline` is the product there,
    /// and Postgres's client programs are found. The lines must succeed; what they printed.
    pub fn shell(&self, lines: &str, variables: &[(&str, &str)]) -> Result<String> {
        let product = self.command();
        let mut shell = Command::new("sh");
        shell.args(["-euc", lines]).current_dir(self.folder());
        for (name, value) in product.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let client = needed("INTERLINE_TEST_PSQL")?;
        let own = [Path::new(product.get_program()), Path::new(&client)];
        let inherited = env::var_os("PATH").unwrap_or_default();
        let folders = own.into_iter().filter_map(Path::parent).map(Path::to_owned).chain(env::split_paths(&inherited));
        shell.env("PATH", env::join_paths(folders)?).envs(variables.iter().copied());
        let Output { status, stdout, stderr } = shell.output().context("cannot run sh")?;
        ensure!(status.success(), "{status} after:\n{lines}\n{}", String::from_utf8_lossy(&stderr));
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    }
}

/// Holds that a program is installed which tests run; else the error says what installs it on Debian.
pub fn installed(program: &str, package: &str) -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let install = "sudo apt-get update && sudo apt-get install -y --no-install-recommends";
    ensure!(found, "the tests need {program}; install it with\n  {install} {package}");
    Ok(())
}
