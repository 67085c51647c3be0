//! A Python environment with pinned packages, made once beside the build.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// The environment's programs.
pub(crate) struct Python {
    folder: PathBuf,
}

impl Python {
    /// The environment, made where it is missing or has other packages. Tests run at the same time, in processes of their
    /// own, so a lock on a file decides who makes it.
    pub(crate) fn ready() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients-python");
        let lock = File::create(folder.with_extension("lock")).expect("a lock file");
        lock.lock().expect("locked");
        let done = folder.join("requirements.txt");
        if std::fs::read_to_string(&done).is_ok_and(|installed| installed == REQUIREMENTS) {
            return Self { folder };
        }
        let shown = folder.to_str().expect("UTF-8");
        checked(Command::new("python3").args(["-m", "venv", "--clear", shown]), "apt-get install python3-venv");
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/binary/requirements.txt");
        let mut install = Command::new(folder.join("bin/pip"));
        install.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&requirements);
        checked(&mut install, "the package index has to be reachable");
        std::fs::write(&done, REQUIREMENTS).expect("written");
        Self { folder }
    }

    /// A program of the environment.
    pub(crate) fn program(&self, name: &str) -> Command {
        Command::new(self.folder.join("bin").join(name))
    }
}

fn checked(command: &mut Command, hint: &str) {
    let shown = format!("{command:?}");
    let status = command.status().unwrap_or_else(|error| panic!("{shown}: {error}. Hint: {hint}"));
    assert!(status.success(), "{shown}: {status}. Hint: {hint}");
}
