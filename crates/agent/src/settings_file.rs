//! `agent_config.json`: the published agent's settings, and ours.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::arguments::CollectorChoice;
use crate::{Key, interval};

/// The file's name.
pub(crate) const FILE_NAME: &str = "agent_config.json";
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a settings file may say. Unknown fields are ignored: the published agent has some.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SettingsFile {
    #[serde(alias = "backend", alias = "endpoint", alias = "url", alias = "server_url")]
    pub(crate) server: Option<String>,
    #[serde(alias = "key")]
    pub(crate) api_key: Option<String>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) interval: Option<IntervalText>,
    pub(crate) hostname: Option<String>,
    pub(crate) fields: Option<Vec<String>>,
    pub(crate) spool: Option<PathBuf>,
    pub(crate) spool_mib: Option<u32>,
    pub(crate) collector: Option<CollectorChoice>,
    pub(crate) mask_words: Option<Vec<String>>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) proc_root: Option<PathBuf>,
    pub(crate) system_root: Option<PathBuf>,
}

/// Seconds as a number, or a time such as `500ms`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum IntervalText {
    Seconds(f64),
    Text(String),
}

impl IntervalText {
    pub(crate) fn duration(&self) -> Result<std::time::Duration, String> {
        match self {
            Self::Seconds(seconds) => interval::from_ms(seconds * 1_000.0),
            Self::Text(text) => interval::parse(text),
        }
    }
}

/// A settings file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsFileError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is not a settings file: {source}")]
    Parse { path: PathBuf, source: serde_json::Error },
    #[error("{path} is larger than a settings file can be")]
    TooLarge { path: PathBuf },
}

/// Beside the executable, then in the current folder.
pub(crate) fn places() -> Vec<PathBuf> {
    let executable = std::env::current_exe().ok();
    let beside = executable.as_deref().and_then(Path::parent).map(|folder| folder.join(FILE_NAME));
    beside.into_iter().chain([PathBuf::from(FILE_NAME)]).collect()
}

/// The first of these files that is there.
pub(crate) fn find(places: &[PathBuf]) -> Option<&PathBuf> {
    places.iter().find(|path| path.is_file())
}

pub(crate) fn read(path: &Path) -> Result<SettingsFile, SettingsFileError> {
    let error = |source| SettingsFileError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(error)?.len() > FILE_BYTES_MAX {
        return Err(SettingsFileError::TooLarge { path: path.to_owned() });
    }
    let text = fs::read_to_string(path).map_err(error)?;
    // Windows' editors like to put a byte order mark before it.
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).map_err(|source| SettingsFileError::Parse { path: path.to_owned(), source })
}

/// Writes a new file that only its owner can read. Never replaces one.
pub(crate) fn write(path: &Path, server: &str, key: &Key) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let text = serde_json::json!({ "server": server, "api_key": key.secret() });
    writeln!(file, "{text:#}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_published_agents_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let endpoint = "http://127.0.0.1:8000/api/process-snapshots/";
        for name in ["backend", "endpoint", "server"] {
            fs::write(
                &path,
                format!("\u{feff}{{\"{name}\": \"{endpoint}\", \"api_key\": \"k\", \"interval\": 10, \"x\": 1}}"),
            )
            .unwrap();
            let file = read(&path).unwrap();
            assert_eq!((file.server.as_deref(), file.api_key.as_deref()), (Some(endpoint), Some("k")));
            assert_eq!(file.interval.unwrap().duration().unwrap().as_secs(), 10);
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_only_for_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        write(&path, "http://h:1/", &Key::parse("k").unwrap()).unwrap();
        let file = read(&path).unwrap();
        assert_eq!((file.server.as_deref(), file.api_key.as_deref()), (Some("http://h:1/"), Some("k")));
        assert!(write(&path, "http://h:2/", &Key::parse("l").unwrap()).is_err(), "never replaces one");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        assert!(read(&path).unwrap_err().to_string().contains(FILE_NAME));
        fs::write(&path, "{").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains(FILE_NAME));
    }
}
