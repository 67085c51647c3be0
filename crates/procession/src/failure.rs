//! How a command ends when it cannot do what it was asked for: a code for programs, words for people.

use std::io::Write as _;
use std::process::ExitCode;

use procession_store::StoreError;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

/// The exit codes, as `procession --help` lists them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Failed = 1,
    Usage = 2,
    InUse = 3,
    Damaged = 4,
}

impl Failure {
    /// It failed.
    pub(crate) fn failed(message: impl std::fmt::Display) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// An option or setting is wrong.
    pub(crate) fn usage(message: impl std::fmt::Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The store is damaged.
    pub(crate) fn damaged(message: impl std::fmt::Display) -> Self {
        Self::new(Kind::Damaged, message)
    }

    fn new(kind: Kind, message: impl std::fmt::Display) -> Self {
        Self { kind, message: message.to_string(), hint: None }
    }

    /// With what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl std::fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Says it on standard error; the process's exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let mut text = format!("error: {}\n", printable(&self.message));
        if let Some(hint) = &self.hint {
            text.push_str(&format!(" hint: {}\n", printable(hint)));
        }
        // Nobody is left to tell when standard error is closed.
        std::io::stderr().write_all(text.as_bytes()).ok();
        ExitCode::from(self.kind as u8)
    }
}

/// The text without control characters: parts of it may come from files and servers, and the terminal obeys escapes.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::InUse(_) => Kind::InUse,
            StoreError::Damaged(_) => Kind::Damaged,
            _ => Kind::Failed,
        };
        Self::new(kind, error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}

/// Writing to a standard output that was closed (`| head`) is no failure worth words.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}
