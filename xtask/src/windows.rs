//! The Windows collector and agent under Wine: built with Debian's packages, run against a real server.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::{cargo, command, run, works};
use crate::{cross, debian, workspace};

const WINE_PACKAGES: &[&str] = &["wine", "wine64"];
/// Tells the test of the agent where the program is.
const AGENT: &str = "PROCESSION_WINDOWS_AGENT";

/// Tests of the collector in a Windows program, and an agent that sends over HTTPS.
pub(crate) fn tests() -> Result<()> {
    let target = cross::target("windows-x86-64").context("a target of this name")?;
    cross::ensure_linker(target)?;
    debian::ensure("wine", WINE_PACKAGES)?;
    let prefix = prefix()?;
    let folder = workspace::target().join("windows-tests");
    let build = |first: &str| -> Result<Command> {
        let mut command = cross::cargo_for(target, first)?;
        command.arg("--locked").arg("--target-dir").arg(&folder);
        in_prefix(&mut command, &prefix).env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", "wine");
        // The library is built along: without debugging information that takes much less.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_TEST_DEBUG", "0");
        Ok(command)
    };
    let mut collector = build("test")?;
    collector.args(["--package", "procession-probe", "--test", "windows"]);
    run(collector)?;
    let mut agent = build("build")?;
    agent.args(["--package", "procession-agent", "--bin", "procession-agent"]);
    run(agent)?;
    let program = folder.join(target.triple).join("debug/procession-agent.exe");
    let nextest = works("cargo", &["nextest", "--version"]);
    let mut sends = cargo(if nextest { &["nextest", "run"] } else { &["test"] });
    sends.args(["--locked", "--package", "procession", "--test", "binary"]);
    sends.args(if nextest {
        &["windows_agent", "--run-ignored=only"][..]
    } else {
        &["windows_agent", "--", "--ignored"]
    });
    in_prefix(&mut sends, &prefix).env(AGENT, program);
    let sent = run(sends);
    // Its services would stay for a while.
    let mut end = command("wineserver", &["-k"]);
    in_prefix(&mut end, &prefix).status().context("wineserver")?;
    sent
}

/// What Wine takes for a disk, made once, with the library that Wine 8 lacks.
fn prefix() -> Result<PathBuf> {
    let prefix = workspace::target().join("wine");
    let library = prefix.join("drive_c/windows/system32/bcryptprimitives.dll");
    if library.exists() {
        return Ok(prefix);
    }
    std::fs::create_dir_all(&prefix).with_context(|| prefix.display().to_string())?;
    let mut boot = command("wineboot", &["--init"]);
    in_prefix(&mut boot, &prefix);
    run(boot)?;
    let mut compile = command("x86_64-w64-mingw32-gcc", &["-O2", "-s", "-shared", "-o"]);
    compile.arg(&library).args(["xtask/wine/bcryptprimitives.c", "-ladvapi32"]);
    run(compile)?;
    Ok(prefix)
}

/// Away from the user's own programs, and without asking for what is not needed.
fn in_prefix<'a>(command: &'a mut Command, prefix: &Path) -> &'a mut Command {
    command.env("WINEPREFIX", prefix).env("WINEDEBUG", "-all").env("WINEDLLOVERRIDES", "mscoree,mshtml=")
}
