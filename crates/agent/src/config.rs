//! What an agent does, whatever it is connected by.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use procession_probe::ProbeConfig;

use crate::Masker;

/// What an agent does. Start from [`AgentConfig::default`].
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The host's name as the server shows it; the machine's own if absent.
    pub hostname: Option<String>,
    /// Time between two snapshots, until the server says otherwise.
    pub interval: Duration,
    /// What to sample.
    pub probe: ProbeConfig,
    /// More words whose values are masked in command lines, beside the known ones.
    pub mask_words: Vec<String>,
    /// Where frames wait on disk that the server has not acknowledged: the first folder that can be used. In memory if
    /// there is none.
    pub spool: Vec<PathBuf>,
    /// How much those on disk may take, in bytes. The oldest are dropped beyond.
    pub spool_bytes_max: usize,
    /// How much those in memory may take, in bytes. The oldest are dropped beyond.
    pub queue_bytes_max: usize,
    /// Take one snapshot of one interval, see it acknowledged, and end.
    pub once: bool,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            hostname: None,
            interval: Duration::from_millis(crate::INTERVAL_MS_DEFAULT),
            probe: ProbeConfig { agent_version: Some(env!("CARGO_PKG_VERSION").into()), ..ProbeConfig::default() },
            mask_words: Vec::new(),
            spool: Vec::new(),
            spool_bytes_max: 256 << 20,
            queue_bytes_max: 8 << 20,
            once: false,
        }
    }
}

impl AgentConfig {
    /// What to sample, with secrets masked: this agent never runs a probe without.
    pub(crate) fn masked_probe(&self) -> ProbeConfig {
        let masker = Masker::new(self.mask_words.iter().cloned());
        let mask = move |words: &mut Vec<String>| {
            masker.mask(words);
        };
        ProbeConfig { mask: Some(Arc::new(mask)), ..self.probe.clone() }
    }
}
