//! Running other programs: each is shown before it runs, and a failure names it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// A command in the checkout's root.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root());
    command
}

/// `cargo` with arguments, the cargo that runs this task.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()), arguments)
}

/// Shows and runs a command; an error unless it succeeds.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let shown = shown(&command);
    println!("$ {shown}");
    let status = command.stdin(Stdio::null()).status().with_context(|| hint(&command))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Shows and runs a command whose standard output is shown as it comes and handed to `line`; an error unless it
/// succeeds.
pub(crate) fn run_watching(mut command: Command, mut line: impl FnMut(&str)) -> Result<()> {
    let shown = shown(&command);
    println!("$ {shown}");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| hint(&command))?;
    for text in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
        let text = text.context("output is not UTF-8")?;
        println!("{text}");
        line(&text);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Runs a command and returns what it printed on standard output; an error with its standard error unless it succeeds.
pub(crate) fn output_of(mut command: Command) -> Result<String> {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().with_context(|| hint(&command))?;
    if !status.success() {
        bail!("`{}` ended with {status}: {}", shown(&command), String::from_utf8_lossy(&stderr).trim());
    }
    String::from_utf8(stdout).context("output is not UTF-8")
}

/// Whether a program can be run with these arguments and succeeds, without a word.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = command(program, arguments);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn hint(command: &Command) -> String {
    format!("cannot run {}: is it installed?", command.get_program().to_string_lossy())
}

fn shown(command: &Command) -> String {
    let environment = command.get_envs().filter_map(|(name, value)| {
        let value = value?.to_string_lossy();
        Some(format!("{}={value:?}", name.to_string_lossy()))
    });
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| {
        let word = word.to_string_lossy();
        if word.contains([' ', '"', '*']) { format!("'{word}'") } else { word.into_owned() }
    });
    environment.chain(words).collect::<Vec<_>>().join(" ")
}
