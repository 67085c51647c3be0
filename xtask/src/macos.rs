//! The macOS collector compiled, as far as that goes without Apple's libraries: checked, not linked.

use anyhow::Result;

use crate::command::run;
use crate::{cross, workspace};

/// The probe alone: what is around it has C code, which wants Apple's headers.
pub(crate) fn check() -> Result<()> {
    let mut command = cross::cargo_for(&cross::MACOS, "check")?;
    command.args(["--locked", "--package", "procession-probe", "--target-dir"]);
    command.arg(workspace::target().join("macos-check"));
    run(command)
}
