//! What gives the agent its snapshots.

use std::sync::Arc;
use std::time::Instant;

use procession_model::{HostFacts, Snapshot};
use procession_probe::{Moment, OptionalFields, Probe, ProbeError};
use procession_protocol::AgentSettings;

use crate::AgentConfig;

/// Gives snapshots; the real one is a [`Probe`].
pub trait Sampler: Send {
    /// Replaces `snapshot` by what is now.
    fn snapshot_into(&mut self, snapshot: &mut Snapshot) -> Result<(), ProbeError>;

    /// What is known of the machine.
    fn facts(&self) -> Arc<HostFacts>;

    /// Takes what the kernel has told, and says how full its buffer was, from 0 to 1; nothing where there is none.
    fn drain(&mut self) -> Option<f64> {
        None
    }

    /// How many short lives the kernel keeps until the next drain, roughly; nothing where there are no events.
    fn room(&self) -> Option<usize> {
        None
    }

    /// Follows the server's wishes on what to collect and mask.
    fn apply(&mut self, _settings: &AgentSettings) -> Result<(), ProbeError> {
        Ok(())
    }
}

const FIELDS_MAX: usize = 100;
const WORDS_MAX: usize = 1_000;

/// A probe and the time from which its moments are counted.
#[derive(Debug)]
pub(crate) struct ProbeSampler {
    probe: Probe,
    origin: Instant,
    config: AgentConfig,
    /// What this agent masks by itself.
    own_words: usize,
}

impl ProbeSampler {
    pub(crate) fn new(config: AgentConfig) -> Result<Self, ProbeError> {
        let probe = Probe::new(config.masked_probe())?;
        tracing::info!(collector = probe.facts().collector.as_deref(), "sampling this machine");
        for note in probe.notes() {
            tracing::warn!("{note}");
        }
        Ok(Self { probe, origin: Instant::now(), own_words: config.mask_words.len(), config })
    }
}

impl Sampler for ProbeSampler {
    fn snapshot_into(&mut self, snapshot: &mut Snapshot) -> Result<(), ProbeError> {
        self.probe.snapshot_into(Moment::now(self.origin), snapshot)
    }

    fn facts(&self) -> Arc<HostFacts> {
        self.probe.facts().clone()
    }

    fn drain(&mut self) -> Option<f64> {
        self.probe.drain()
    }

    fn room(&self) -> Option<usize> {
        self.probe.room()
    }

    /// A new probe, where anything changes: it reads every command line again, so that what has become secret is masked
    /// from now on.
    fn apply(&mut self, settings: &AgentSettings) -> Result<(), ProbeError> {
        let mut wanted = self.config.clone();
        if let Some(fields) = &settings.fields {
            wanted.probe.fields = OptionalFields { io: fields.iter().take(FIELDS_MAX).any(|field| field == "io") };
        }
        if let Some(words) = &settings.mask_words {
            wanted.mask_words.truncate(self.own_words);
            wanted.mask_words.extend(words.iter().take(WORDS_MAX).cloned());
        }
        let same = wanted.probe.fields == self.config.probe.fields && wanted.mask_words == self.config.mask_words;
        if !same {
            tracing::info!("the server changed what is collected or masked");
            let boot = self.probe.facts().clone();
            wanted.probe.known_boot = boot.boot_id.as_deref().map(str::to_owned).zip(boot.boot_time);
            self.probe = Probe::new(wanted.masked_probe())?;
            self.config = wanted;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_adds_words_and_takes_them_back() {
        let config = AgentConfig { mask_words: vec!["mine".to_owned()], ..AgentConfig::default() };
        let mut sampler = ProbeSampler::new(config).unwrap();
        let settings = |words: &[&str]| AgentSettings {
            mask_words: Some(words.iter().map(|word| (*word).to_owned()).collect()),
            ..AgentSettings::default()
        };
        sampler.apply(&settings(&["theirs"])).unwrap();
        assert_eq!(sampler.config.mask_words, ["mine", "theirs"]);
        let fields = Some(vec!["io".to_owned()]);
        sampler.apply(&AgentSettings { fields, ..settings(&[]) }).unwrap();
        assert_eq!(sampler.config.mask_words, ["mine"]);
        assert!(sampler.config.probe.fields.io);
    }
}
