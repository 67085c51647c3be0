//! `cargo xtask dist`: binaries for others, with checksums, in `target/dist`.
//!
//! Linux ones are static: they run on any distribution. A target whose standard library the installed toolchain has is
//! built with it. For the others Debian 12 packs a compiler and the library's source (`rustc-web`), and the library is
//! built along: slow, but it needs nothing from outside Debian. The agent is built for size.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, command, output_of, run};
use crate::{debian, workspace};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these targets, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "TARGET")]
    only: Vec<String>,
}

struct Target {
    name: &'static str,
    triple: &'static str,
    ending: &'static str,
    /// Debian packages with linker and C library.
    packages: &'static [&'static str],
    linker: Option<&'static str>,
    rustflags: &'static str,
}

const TARGETS: &[Target] = &[
    Target {
        name: "linux-x86-64",
        triple: "x86_64-unknown-linux-gnu",
        ending: "",
        packages: &[],
        linker: None,
        rustflags: "-C target-feature=+crt-static",
    },
    Target {
        name: "linux-arm64",
        triple: "aarch64-unknown-linux-gnu",
        ending: "",
        packages: &["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
        linker: Some("aarch64-linux-gnu-gcc"),
        rustflags: "-C target-feature=+crt-static",
    },
    Target {
        name: "windows-x86-64",
        triple: "x86_64-pc-windows-gnu",
        ending: ".exe",
        packages: &["gcc-mingw-w64-x86-64"],
        linker: Some("x86_64-w64-mingw32-gcc"),
        rustflags: "",
    },
];

/// Programs and the profiles they are built with.
const PROGRAMS: &[(&str, &str)] = &[("procession", "release"), ("procession-agent", "small")];
const COMPILER_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];

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
    if !target.packages.is_empty() {
        debian::ensure(target.linker.unwrap_or("cc"), target.packages)?;
    }
    for (program, profile) in PROGRAMS {
        let mut command = if installed(target)? { cargo(&["build"]) } else { with_debians_compiler()? };
        command.args(["--locked", "--profile", profile, "--package", program, "--bin", program]);
        command.args(["--target", target.triple, "--target-dir"]).arg(build_folder());
        // The flags of this machine's settings would be those of its own processor.
        command.env("RUSTFLAGS", target.rustflags);
        if let Some(linker) = target.linker {
            let triple = target.triple.to_uppercase().replace('-', "_");
            command.env(format!("CARGO_TARGET_{triple}_LINKER"), linker);
        }
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

/// Whether the toolchain in use has the target's standard library.
fn installed(target: &Target) -> Result<bool> {
    let sysroot = output_of(command("rustc", &["--print", "sysroot"]))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(target.triple).join("lib").is_dir())
}

fn with_debians_compiler() -> Result<Command> {
    debian::ensure("/usr/bin/rustc", COMPILER_PACKAGES)?;
    debian::ensure("/usr/bin/cargo", COMPILER_PACKAGES)?;
    let mut command = command("/usr/bin/cargo", &["build", "-Zbuild-std=std,panic_abort"]);
    command.env("RUSTC", "/usr/bin/rustc").env("RUSTDOC", "/usr/bin/rustdoc").env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
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
