//! Building for other machines, with what Debian packs.
//!
//! A target whose standard library the installed toolchain has is built with it. For the others Debian 12 packs a compiler
//! and the library's source (`rustc-web`), and the library is built along: slow, but it needs nothing from outside Debian.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, command, output_of};
use crate::debian;

/// What programs are built for.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) triple: &'static str,
    /// Of a program's file.
    pub(crate) ending: &'static str,
    /// Debian packages with linker and C library.
    packages: &'static [&'static str],
    linker: Option<&'static str>,
    rustflags: &'static str,
}

/// All of them.
pub(crate) const TARGETS: &[Target] = &[
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

/// What the macOS collector is checked for; nothing is linked for it.
pub(crate) const MACOS: Target = Target {
    name: "macos-arm64",
    triple: "aarch64-apple-darwin",
    ending: "",
    packages: &[],
    linker: None,
    rustflags: "",
};

const COMPILER_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];

/// The target of this name.
pub(crate) fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Makes sure that programs for it can be linked.
pub(crate) fn ensure_linker(target: &Target) -> Result<()> {
    if target.packages.is_empty() { Ok(()) } else { debian::ensure(target.linker.unwrap_or("cc"), target.packages) }
}

/// `cargo build` or `cargo test` for a target.
pub(crate) fn cargo_for(target: &Target, task: &str) -> Result<Command> {
    let mut command = if installed(target)? { cargo(&[task]) } else { with_debians_compiler(task)? };
    command.args(["--target", target.triple]);
    // The flags of this machine's settings would be those of its own processor.
    command.env("RUSTFLAGS", target.rustflags);
    if let Some(linker) = target.linker {
        let triple = target.triple.to_uppercase().replace('-', "_");
        command.env(format!("CARGO_TARGET_{triple}_LINKER"), linker);
    }
    Ok(command)
}

/// Whether the toolchain in use has the target's standard library.
fn installed(target: &Target) -> Result<bool> {
    let sysroot = output_of(command("rustc", &["--print", "sysroot"]))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(target.triple).join("lib").is_dir())
}

fn with_debians_compiler(task: &str) -> Result<Command> {
    debian::ensure("/usr/bin/rustc", COMPILER_PACKAGES)?;
    debian::ensure("/usr/bin/cargo", COMPILER_PACKAGES)?;
    let mut command = command("/usr/bin/cargo", &[task, "-Zbuild-std=std,panic_abort"]);
    command.env("RUSTC", "/usr/bin/rustc").env("RUSTDOC", "/usr/bin/rustdoc").env("RUSTC_BOOTSTRAP", "1");
    Ok(command)
}
