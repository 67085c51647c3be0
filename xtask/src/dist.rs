//! `cargo xtask dist`: binaries for others, with checksums, in `target/dist`.
//!
//! Linux ones are static: they run on any distribution. The agent is built for size.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::command::{command, output_of, run};
use crate::cross::{self, TARGETS, Target};
use crate::workspace;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these targets, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "TARGET")]
    only: Vec<String>,
}

/// Programs and the profiles they are built with.
const PROGRAMS: &[(&str, &str)] = &[("procession", "release"), ("procession-agent", "small")];

/// Builds what was asked for, and says which could not be built.
pub(crate) fn dist(options: &Options) -> Result<ExitCode> {
    if let Some(name) = options.only.iter().find(|name| !TARGETS.iter().any(|target| target.name == **name)) {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        bail!("there is no target {name:?}; there are {}", names.join(", "));
    }
    let folder = workspace::target().join("dist");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut failed = Vec::new();
    for target in
        TARGETS.iter().filter(|target| options.only.is_empty() || options.only.iter().any(|name| name == target.name))
    {
        println!("\n== {}", target.name);
        if let Err(error) = build(target, &folder) {
            println!("== {} FAILED: {error:#}", target.name);
            failed.push(target.name);
        }
    }
    write_checksums(&folder)?;
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("not built: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

fn build(target: &Target, folder: &Path) -> Result<()> {
    cross::ensure_linker(target)?;
    for (program, profile) in PROGRAMS {
        let mut command = cross::cargo_for(target, "build")?;
        command.args(["--locked", "--profile", profile, "--package", program, "--bin", program]);
        command.arg("--target-dir").arg(build_folder());
        run(command)?;
        let built = build_folder().join(target.triple).join(profile).join(format!("{program}{}", target.ending));
        let packed = folder.join(format!("{program}-{}-{}{}", env!("CARGO_PKG_VERSION"), target.name, target.ending));
        std::fs::copy(&built, &packed).with_context(|| built.display().to_string())?;
    }
    Ok(())
}

/// A folder of its own: other flags would undo what is built for daily work.
fn build_folder() -> PathBuf {
    workspace::target().join("dist-build")
}

fn write_checksums(folder: &Path) -> Result<()> {
    let mut names: Vec<String> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("procession"))
        .collect();
    names.sort_unstable();
    let mut sums = command("sha256sum", &[]);
    sums.args(&names).current_dir(folder);
    let sums = output_of(sums)?;
    std::fs::write(folder.join("SHA256SUMS"), &sums)?;
    println!("\n{}:\n{sums}", folder.display());
    Ok(())
}
