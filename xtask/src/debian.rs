//! Debian packages that a step needs: installed where they are missing and that is possible, otherwise named.

use anyhow::{Context as _, Result};

use crate::command::{command, run, works};

/// Makes sure that a program is there, from the Debian packages that have it.
pub(crate) fn ensure(program: &str, packages: &[&str]) -> Result<()> {
    if works(program, &["--version"]) {
        return Ok(());
    }
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    println!("{program} is missing; installing {}", packages.join(", "));
    install(packages).with_context(|| {
        format!("{program} is needed and could not be installed here. As root on Debian or Ubuntu: {by_hand}")
    })
}

/// Makes sure that Python can make environments, which Debian packs apart.
pub(crate) fn ensure_python() -> Result<()> {
    if works("python3", &["-c", "import ensurepip, venv"]) {
        return Ok(());
    }
    println!("python3 with venv is missing; installing python3-venv");
    install(&["python3-venv"])
        .context("python3 with venv is needed. As root on Debian or Ubuntu: apt-get install python3-venv")
}

fn install(packages: &[&str]) -> Result<()> {
    let mut update = command("apt-get", &["update", "-q"]);
    update.env("DEBIAN_FRONTEND", "noninteractive");
    run(update)?;
    let mut install = command("apt-get", &["install", "-y", "-q", "--no-install-recommends"]);
    install.args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    run(install)
}
