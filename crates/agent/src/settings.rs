//! What a run of the agent uses: flags and environment first, then the settings file.

use std::fs;
use std::path::{Path, PathBuf};

use procession_probe::OptionalFields;

use crate::address::{AddressError, ServerAddress};
use crate::settings_file::{self, FILE_NAME, SettingsFile, SettingsFileError};
use crate::{AgentArguments, AgentConfig, Key};

const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// What a run of the agent uses.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) server: Option<ServerAddress>,
    pub(crate) key: Option<Key>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) agent: AgentConfig,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    File(#[from] SettingsFileError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("cannot read the key from {path}: {reason}")]
    KeyFile { path: PathBuf, reason: String },
    #[error("the key in the settings file is not a key: it has to be one word of letters, digits and signs")]
    Key,
    #[error("interval: {0}")]
    Interval(String),
    #[error("{0:?} is not an optional field: there is only io")]
    Field(String),
    #[error("{0:?} cannot be a host's name: it has to have 1 to 255 characters, none of them a control character")]
    Hostname(String),
    #[error(
        "no {missing}. Give it with {flag} or {variable}, or write {FILE_NAME} beside the executable or in the current \
         folder: {{\"server\": \"http://127.0.0.1:8000\", \"api_key\": \"...\"}}. `procession key create --purpose upload` \
         on the server makes a key"
    )]
    Missing { missing: &'static str, flag: &'static str, variable: &'static str },
}

impl Settings {
    /// Flags over the environment (done already) over the settings file.
    pub(crate) fn gather(arguments: AgentArguments) -> Result<Self, SettingsError> {
        let places = settings_file::places();
        let path = arguments.config.as_ref().or_else(|| settings_file::find(&places));
        let file = path.map(|path| settings_file::read(path)).transpose()?.unwrap_or_default();
        Self::merge(arguments, file)
    }

    fn merge(arguments: AgentArguments, file: SettingsFile) -> Result<Self, SettingsError> {
        let server = match (arguments.server, file.server) {
            (Some(server), _) => Some(server),
            (None, text) => text.map(|text| text.parse()).transpose()?,
        };
        let key = match (arguments.key, arguments.key_file) {
            (Some(key), _) => Some(key),
            (None, Some(path)) => Some(read_key(&path)?),
            (None, None) => file_key(file.api_key, file.key_file)?,
        };
        let mut agent = AgentConfig { once: arguments.once, ..AgentConfig::default() };
        if let Some(interval) = file.interval {
            agent.interval = interval.duration().map_err(SettingsError::Interval)?;
        }
        agent.interval = arguments.interval.unwrap_or(agent.interval);
        agent.hostname = arguments.hostname.or(file.hostname).map(checked_hostname).transpose()?;
        let fields = if arguments.fields.is_empty() { file.fields.unwrap_or_default() } else { arguments.fields };
        agent.probe.fields = optional_fields(&fields)?;
        agent.probe.events = arguments.collector.or(file.collector).unwrap_or_default().into();
        agent.spool = match (arguments.no_spool, arguments.spool.or(file.spool)) {
            (true, _) => Vec::new(),
            (false, Some(folder)) => vec![folder],
            (false, None) => spool_places(|name| std::env::var_os(name).map(PathBuf::from)),
        };
        if let Some(mebibytes) = arguments.spool_mib.or(file.spool_mib) {
            agent.spool_bytes_max = usize::try_from(mebibytes.max(1)).unwrap_or(usize::MAX).saturating_mul(1 << 20);
        }
        agent.mask_words = file.mask_words.unwrap_or_default();
        agent.mask_words.extend(arguments.mask_words);
        if let Some(root) = arguments.proc_root.or(file.proc_root) {
            agent.probe.proc_root = root;
        }
        if let Some(root) = arguments.system_root.or(file.system_root) {
            agent.probe.system_root = root;
        }
        Ok(Self { server, key, ca: arguments.ca.or(file.ca), agent })
    }

    /// Server and key, or what is missing and how to give it.
    pub(crate) fn endpoint(&self) -> Result<(ServerAddress, Key), SettingsError> {
        let missing = |missing, flag, variable| SettingsError::Missing { missing, flag, variable };
        let server =
            self.server.clone().ok_or_else(|| missing("server is set", "--server URL", "PROCESSION_SERVER"))?;
        let key =
            self.key.clone().ok_or_else(|| missing("key is set", "--key-file FILE, --key KEY", "PROCESSION_KEY"))?;
        Ok((server, key))
    }
}

fn file_key(api_key: Option<String>, key_file: Option<PathBuf>) -> Result<Option<Key>, SettingsError> {
    match (api_key.filter(|key| !key.trim().is_empty()), key_file) {
        (Some(key), _) => Key::parse(&key).map(Some).ok_or(SettingsError::Key),
        (None, Some(path)) => read_key(&path).map(Some),
        (None, None) => Ok(None),
    }
}

fn read_key(path: &Path) -> Result<Key, SettingsError> {
    let error = |reason: String| SettingsError::KeyFile { path: path.to_owned(), reason };
    let length = fs::metadata(path).map_err(|reason| error(reason.to_string()))?.len();
    if length > KEY_FILE_BYTES_MAX {
        return Err(error("it is too large".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|reason| error(reason.to_string()))?;
    Key::parse(&text).ok_or_else(|| error("it has to hold one key and nothing else".to_owned()))
}

/// What a service manager gives, the system's place for it, the user's.
fn spool_places(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    const NAME: &str = "procession-agent";
    if let Some(folder) = variable("STATE_DIRECTORY") {
        return vec![folder];
    }
    let places = if cfg!(windows) {
        [variable("ProgramData"), variable("LOCALAPPDATA")].map(|folder| Some(folder?.join(NAME)))
    } else {
        let user = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
        [Some(PathBuf::from("/var/lib").join(NAME)), user.map(|folder| folder.join(NAME))]
    };
    places.into_iter().flatten().filter(|place| place.is_absolute()).collect()
}

fn checked_hostname(name: String) -> Result<String, SettingsError> {
    const CHARS_MAX: usize = 255;
    let name = name.trim();
    let fine = !name.is_empty() && name.chars().count() <= CHARS_MAX && !name.chars().any(char::is_control);
    if fine { Ok(name.to_owned()) } else { Err(SettingsError::Hostname(name.to_owned())) }
}

pub(crate) fn optional_fields(names: &[String]) -> Result<OptionalFields, SettingsError> {
    let mut fields = OptionalFields::default();
    for name in names {
        match name.trim() {
            "io" => fields.io = true,
            "" => {}
            other => return Err(SettingsError::Field(other.to_owned())),
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str) -> SettingsFile {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn flags_win_over_the_file() {
        let arguments = AgentArguments {
            server: Some("http://flag:1".parse().unwrap()),
            interval: Some(std::time::Duration::from_secs(2)),
            ..AgentArguments::default()
        };
        let json = r#"{"server": "http://file:2", "api_key": "file-key", "interval": "9s", "hostname": " box ", "fields": ["io"]}"#;
        let settings = Settings::merge(arguments, file(json)).unwrap();
        let (server, key) = settings.endpoint().unwrap();
        assert_eq!((server.host.as_str(), key.secret()), ("flag", "file-key"));
        assert_eq!(settings.agent.interval.as_secs(), 2);
        assert_eq!(settings.agent.hostname.as_deref(), Some("box"));
        assert!(settings.agent.probe.fields.io);
    }

    #[test]
    fn what_is_missing_is_said_with_how_to_give_it() {
        let settings = Settings::merge(AgentArguments::default(), SettingsFile::default()).unwrap();
        let message = settings.endpoint().unwrap_err().to_string();
        for word in ["--server", "PROCESSION_SERVER", FILE_NAME] {
            assert!(message.contains(word), "{message}");
        }
        let settings = Settings::merge(AgentArguments::default(), file(r#"{"backend": "h", "api_key": ""}"#)).unwrap();
        assert!(settings.endpoint().unwrap_err().to_string().contains("PROCESSION_KEY"));
    }

    #[test]
    fn bad_settings_are_refused() {
        for json in [
            r#"{"server": "ftp://x"}"#,
            r#"{"interval": 0}"#,
            r#"{"fields": ["memory_of_god"]}"#,
            r#"{"hostname": "a\u0007b"}"#,
            r#"{"api_key": "two words"}"#,
            r#"{"key_file": "/nowhere/at/all"}"#,
        ] {
            assert!(Settings::merge(AgentArguments::default(), file(json)).is_err(), "{json}");
        }
    }
}
