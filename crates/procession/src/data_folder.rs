//! The folder that holds a store: which one is meant, and whether it can be used.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

use crate::failure::Failure;
use crate::settings::Settings;

#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Folder of the history [default: procession in the user's data folder, ~/.local/share on Linux]
    #[arg(long, env = "PROCESSION_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Settings file [default: ./procession.toml, else procession/procession.toml in the user's configuration folder]
    #[arg(long, env = "PROCESSION_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Options {
    /// The settings file, or what it would be if it were empty.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Settings::load(self.config.as_deref())
    }

    fn folder(&self, settings: &Settings) -> Result<PathBuf, Failure> {
        if let Some(folder) = self.data.as_ref().or(settings.data.as_ref()) {
            return Ok(folder.clone());
        }
        let places = etcetera::choose_base_strategy().map_err(|error| {
            Failure::usage(format!("cannot tell the user's data folder: {error}")).hint("name one with --data DIR")
        })?;
        Ok(places.data_dir().join("procession"))
    }

    /// The folder, which has to hold a store already.
    pub(crate) fn existing(&self) -> Result<PathBuf, Failure> {
        let folder = self.folder(&self.settings()?)?;
        check_readable(&folder)?;
        Ok(folder)
    }

    /// The folder, made where it is missing, for its owner alone.
    pub(crate) fn made(&self, settings: &Settings) -> Result<PathBuf, Failure> {
        let folder = self.folder(settings)?;
        make(&folder).map_err(|error| unusable(&folder, "made", &error))?;
        check_readable(&folder)?;
        Ok(folder)
    }
}

fn make(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn check_readable(folder: &Path) -> Result<(), Failure> {
    std::fs::read_dir(folder).map(drop).map_err(|error| unusable(folder, "read", &error))
}

fn unusable(folder: &Path, done: &str, error: &std::io::Error) -> Failure {
    let shown = folder.display();
    let failure = Failure::failed(format!("the data folder {shown} cannot be {done}: {error}"));
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            failure.hint("is it spelled right? `procession serve --data DIR` makes a new one")
        }
        std::io::ErrorKind::PermissionDenied => failure.hint(format!(
            "run as the user it belongs to, give yourself access (`ls -ld {shown}`), or choose another with --data DIR"
        )),
        _ => failure.hint("choose another folder with --data DIR"),
    }
}
