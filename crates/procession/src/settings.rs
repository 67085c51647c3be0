//! `procession.toml`: what flags and `PROCESSION_…` variables leave open.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use serde::Deserialize;

use crate::failure::Failure;
use crate::logs;
use crate::serve::retention;

/// The most bytes of a settings file: it is read by hand, so a larger one is another file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The settings file, all of it optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) data: Option<PathBuf>,
    pub(crate) log: Option<String>,
    pub(crate) log_format: Option<logs::Format>,
    pub(crate) serve: Serve,
    pub(crate) keep: retention::Settings,
}

/// What `serve` does.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Serve {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) allowed_hosts: Option<Vec<String>>,
    pub(crate) local_agent: Option<bool>,
    pub(crate) interval: Option<String>,
    pub(crate) anonymous_process_data: Option<bool>,
    pub(crate) behind_tls: Option<bool>,
    pub(crate) tls_certificate: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
}

impl Settings {
    /// From the file named, which has to be there, or one of the usual ones, if any is.
    pub(crate) fn load(named: Option<&Path>) -> Result<Self, Failure> {
        match named {
            Some(path) => Self::read(path),
            None => usual_files()
                .into_iter()
                .find(|path| path.is_file())
                .map_or_else(|| Ok(Self::default()), |path| Self::read(&path)),
        }
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let unreadable = |error: std::io::Error| {
            Failure::usage(format!("the settings file {shown} cannot be read: {error}"))
                .hint("name another with --config FILE")
        };
        if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(Failure::usage(format!("the settings file {shown} is over {FILE_BYTES_MAX} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text).map_err(|error| {
            Failure::usage(format!("the settings file {shown}: {error}")).hint("docs/OPERATING.md lists the settings")
        })
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

fn usual_files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("procession.toml")];
    if let Ok(places) = etcetera::choose_base_strategy() {
        files.push(places.config_dir().join("procession").join("procession.toml"));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_is_read() {
        let settings =
            Settings::parse("data = \"/srv/p\"\nlog_format = \"json\"\n[serve]\nlisten = \"0.0.0.0:8000\"\n").unwrap();
        assert_eq!(settings.data, Some(PathBuf::from("/srv/p")));
        assert_eq!(settings.serve.listen, "0.0.0.0:8000".parse().ok());
    }

    #[test]
    fn a_misspelled_setting_is_named() {
        let error = Settings::parse("[serve]\nlissten = \"x\"\n").unwrap_err().to_string();
        assert!(error.contains("lissten") && error.contains("line 2"), "{error}");
    }
}
