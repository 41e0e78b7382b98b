//! One step of a task: said before it is done, and its failure named.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// Says what is about to run, so that a stranger can repeat it by hand.
pub(crate) fn announce(command: &Command) {
    eprintln!("xtask: {}", line(command));
}

/// Runs a step whose output the developer wants to see.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.status().with_context(|| format!("cannot run {}", line(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// Runs a step that has nothing to say unless it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    announce(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", line(command)))?;
    if !output.status.success() {
        let (told, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{} ended with {}\n{told}{complained}", line(command), output.status);
    }
    Ok(())
}

/// The command as it would be typed, with the variables that are set for it.
fn line(command: &Command) -> String {
    let text = |word: &OsStr| word.to_string_lossy().into_owned();
    let variables = command.get_envs().filter_map(|(name, value)| Some(format!("{}={}", text(name), text(value?))));
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(text);
    variables.chain(words).collect::<Vec<_>>().join(" ")
}
