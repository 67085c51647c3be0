//! Checks of the page: types by the TypeScript compiler, behaviour in a real Chromium against the real binary.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::command::{cargo, command, run, run_watching};
use crate::{debian, workspace};

/// The page's types fit.
pub(crate) fn types() -> Result<()> {
    install_packages()?;
    npm(&["run", "types"])
}

/// What a user does with the page.
pub(crate) fn specs() -> Result<()> {
    install_packages()?;
    debian::ensure("chromium", &["chromium"])?;
    run(cargo(&["build", "--locked", "--bin", "procession"]))?;
    let mut passed = 0;
    run_watching(npm_command(&["test"]), |line| passed = passed_in(line).unwrap_or(passed))?;
    // Node's runner ends well when it finds no spec at all.
    ensure!(passed > 0, "no spec ran: look at \"test\" in e2e/package.json");
    Ok(())
}

/// The number in the runner's closing line `# pass N`, whose first character depends on the terminal.
fn passed_in(line: &str) -> Option<usize> {
    line.split_once("pass ").filter(|(mark, _)| mark.chars().count() == 2)?.1.trim().parse().ok()
}

fn install_packages() -> Result<()> {
    debian::ensure("node", &["nodejs", "npm"])?;
    debian::ensure("npm", &["npm"])?;
    npm(&["ci", "--no-audit", "--no-fund"])
}

/// `npm` in `e2e`, where the development packages of page and specs are listed; the page itself needs none.
fn npm(arguments: &[&str]) -> Result<()> {
    run(npm_command(arguments))
}

fn npm_command(arguments: &[&str]) -> Command {
    let mut command = command("npm", arguments);
    command.current_dir(workspace::root().join("e2e"));
    command.env("PROCESSION_BINARY", workspace::target().join("debug/procession"));
    command
}

/// Pictures of every view, in light, dark and at 360 px, into `docs/screenshots`.
pub(crate) fn screenshots() -> Result<()> {
    install_packages()?;
    debian::ensure("chromium", &["chromium"])?;
    run(cargo(&["build", "--locked", "--bin", "procession"]))?;
    npm(&["run", "screenshots"])
}

#[cfg(test)]
mod tests {
    use super::passed_in;

    #[test]
    fn the_closing_line_is_read() {
        assert_eq!(passed_in("ℹ pass 41"), Some(41));
        assert_eq!(passed_in("# pass 0"), Some(0));
        assert_eq!(passed_in("✔ what to pass 3"), None);
    }
}
