//! Checks that cargo itself does.

use anyhow::Result;

use crate::command::{cargo, run, works};
use crate::{debian, workspace};

/// Formats are as rustfmt writes them.
pub(crate) fn format() -> Result<()> {
    run(cargo(&["fmt", "--all", "--check"]))
}

/// No lint fires.
pub(crate) fn clippy() -> Result<()> {
    run(cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
}

/// Unit and integration tests: by nextest where it is installed, otherwise by cargo's own runner.
pub(crate) fn tests() -> Result<()> {
    // Tests ask the server with curl, and with clients written in Python.
    debian::ensure("curl", &["curl"])?;
    debian::ensure_python()?;
    if works("cargo", &["nextest", "--version"]) {
        run(cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]))
    } else {
        run(cargo(&["test", "--workspace", "--locked", "--lib", "--bins", "--tests", "--no-fail-fast"]))
    }
}

/// Examples in the documentation.
pub(crate) fn doc_tests() -> Result<()> {
    run(cargo(&["test", "--workspace", "--locked", "--doc"]))
}

/// The documentation itself.
pub(crate) fn documentation() -> Result<()> {
    let mut command = cargo(&["doc", "--workspace", "--no-deps", "--locked", "--document-private-items"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    run(command)
}

/// Fuzz targets: a workspace of their own, checked with a stable compiler; running them needs `cargo fuzz`. Not `--locked`:
/// their lock file follows the dependencies of the crates they try, and nothing is shipped from it.
pub(crate) fn fuzz_targets() -> Result<()> {
    let mut command = cargo(&["check", "--bins"]);
    command.current_dir(workspace::root().join("fuzz"));
    run(command)
}
