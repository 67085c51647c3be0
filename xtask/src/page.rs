//! Checks of the page: types by the TypeScript compiler, behaviour in a real Chromium against the real binary.

use anyhow::Result;

use crate::command::{cargo, command, run};
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
    npm(&["test"])
}

fn install_packages() -> Result<()> {
    debian::ensure("node", &["nodejs", "npm"])?;
    debian::ensure("npm", &["npm"])?;
    npm(&["ci", "--no-audit", "--no-fund"])
}

/// `npm` in `e2e`, where the development packages of page and specs are listed; the page itself needs none.
fn npm(arguments: &[&str]) -> Result<()> {
    let mut command = command("npm", arguments);
    command.current_dir(workspace::root().join("e2e"));
    command.env("PROCESSION_BINARY", workspace::target().join("debug/procession"));
    run(command)
}

/// Pictures of every view, in light, dark and at 360 px, into `docs/screenshots`.
pub(crate) fn screenshots() -> Result<()> {
    install_packages()?;
    debian::ensure("chromium", &["chromium"])?;
    run(cargo(&["build", "--locked", "--bin", "procession"]))?;
    npm(&["run", "screenshots"])
}
