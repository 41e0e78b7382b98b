//! `interline completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{cli::Cli, output};

/// Prints the script that teaches a shell our commands.
pub(crate) fn run(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "interline", &mut script);
    output::line(String::from_utf8(script)?.trim_end())
}
