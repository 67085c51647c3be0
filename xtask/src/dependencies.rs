//! Checks of dependencies by `cargo machete` and `cargo deny`, in pinned versions, built once into `target/tools`.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::{cargo, command, run, works};
use crate::workspace;

struct Tool {
    package: &'static str,
    version: &'static str,
}

const MACHETE: Tool = Tool { package: "cargo-machete", version: "0.9.2" };
const DENY: Tool = Tool { package: "cargo-deny", version: "0.20.2" };

/// No crate names a dependency that it does not use.
pub(crate) fn unused() -> Result<()> {
    let mut machete = command(&installed(&MACHETE)?, &["crates", "xtask"]);
    machete.env_remove("CARGO");
    run(machete)
}

/// Licences, bans and sources as `deny.toml` says; advisories where their database can be had.
pub(crate) fn deny() -> Result<()> {
    let deny = installed(&DENY)?;
    run(command(&deny, &["--workspace", "--locked", "check", "licenses", "bans", "sources"]))?;
    if works(&deny, &["fetch", "db"]) {
        return run(command(&deny, &["--workspace", "--locked", "check", "advisories"]));
    }
    println!(
        "advisories were NOT checked: their database (github.com/rustsec/advisory-db) cannot be reached from here"
    );
    Ok(())
}

/// The path of the tool, built without optimisation where it is not there yet: it runs for a second, so it is not worth
/// minutes of compiling.
fn installed(tool: &Tool) -> Result<String> {
    let folder = workspace::target().join("tools");
    let program: PathBuf = folder.join("bin").join(tool.package);
    let program = program.to_string_lossy().into_owned();
    if works(&program, &["--version"]) && is_recorded(&folder, tool) {
        return Ok(program);
    }
    let mut install = cargo(&["install", "--quiet", "--locked", "--debug", "--force", tool.package]);
    install.args(["--version", tool.version, "--root"]).arg(&folder);
    install.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_TARGET_DIR", folder.join("build"));
    run(install)?;
    Ok(program)
}

/// Whether cargo's own record of the folder says that this very version is installed.
fn is_recorded(folder: &std::path::Path, tool: &Tool) -> bool {
    let wanted = format!("\"{} {} ", tool.package, tool.version);
    std::fs::read_to_string(folder.join(".crates.toml")).is_ok_and(|record| record.contains(&wanted))
}
