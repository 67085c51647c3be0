//! Where frames wait, and whose they are: the spool and the installation that it belongs to.

use std::io;
use std::path::{Path, PathBuf};

use procession_model::{Loss, Timestamp};

use crate::outbox::Limits;
use crate::outboxes::Outboxes;
use crate::spool::{Found, find_installation, keep_installation};
use crate::{AgentConfig, AgentError};

/// Where frames wait, and what is kept beside them.
pub(crate) struct Storage {
    pub(crate) outboxes: Outboxes,
    /// What of earlier lives is lost.
    pub(crate) losses: Vec<Loss>,
    pub(crate) installation: Installation,
}

/// Which installation this is.
#[derive(Debug, Default)]
pub(crate) struct Installation {
    /// Empty where it cannot be kept.
    id: String,
    root: Option<PathBuf>,
    /// A name that this agent was given: it is another one than the machine's.
    name: Option<String>,
}

impl Storage {
    /// On disk in the first place that can be used; in memory where there is none.
    pub(crate) fn of(config: &AgentConfig, hostname: &str, now: Timestamp) -> Result<Self, AgentError> {
        let stream = random_hex()?;
        let memory_bytes_max = config.queue_bytes_max;
        let on_disk = Limits { bytes_max: config.spool_bytes_max, memory_bytes_max };
        for root in config.spool.iter().filter(|_| !config.once) {
            match Outboxes::on_disk(root, hostname, stream.clone(), now, on_disk) {
                Ok((outboxes, losses)) => {
                    tracing::info!(spool = %root.display(), waiting = outboxes.waiting(), "frames wait on disk");
                    return Self { outboxes, losses, installation: Installation::default() }.belonging_to(root, config);
                }
                Err(error) => tracing::debug!("{error}"),
            }
        }
        if !config.spool.is_empty() && !config.once {
            tracing::warn!(
                "no spool can be used ({:?}): what is not sent yet is lost when the agent ends",
                config.spool
            );
        }
        let outboxes = Outboxes::in_memory(stream, Limits { bytes_max: memory_bytes_max, memory_bytes_max });
        Ok(Self { outboxes, losses: Vec::new(), installation: Installation::default() })
    }

    fn belonging_to(mut self, root: &Path, config: &AgentConfig) -> Result<Self, AgentError> {
        let machine_id = procession_probe::machine_id();
        let found = find_installation(root, machine_id.as_deref(), random_hex()?).unwrap_or_else(|error| {
            tracing::warn!(%error, "the installation's id cannot be kept");
            Found { id: String::new(), was_copied: false }
        });
        if found.was_copied {
            self.outboxes.forget_earlier();
            self.losses.clear();
        }
        let name = config.hostname.clone();
        self.installation = Installation { id: found.id, root: Some(root.to_owned()), name };
        Ok(self)
    }
}

impl Installation {
    /// What the server knows this agent by; empty for none.
    pub(crate) fn agent_id(&self) -> String {
        match &self.name {
            Some(name) if !self.id.is_empty() => format!("{}/{name}", self.id),
            _ => self.id.clone(),
        }
    }

    /// Draws another id, since a machine that runs has this one.
    pub(crate) fn renew(&mut self) -> Result<(), AgentError> {
        let old = std::mem::replace(&mut self.id, random_hex()?);
        tracing::warn!(%old, new = %self.id, "this machine is a copy of one that runs: it gets an agent id of its own");
        let kept = self.root.as_deref().map_or(Ok(()), |root| self.keep(root));
        kept.unwrap_or_else(|error| tracing::warn!(%error, "the new agent id cannot be kept"));
        Ok(())
    }

    fn keep(&self, root: &Path) -> io::Result<()> {
        keep_installation(root, procession_probe::machine_id().as_deref(), &self.id)
    }
}

/// 128 random bits.
pub(crate) fn random_hex() -> Result<String, AgentError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(AgentError::Random)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_drawn_anew_stays() {
        let root = tempfile::tempdir().unwrap();
        let config = AgentConfig { spool: vec![root.path().to_owned()], ..AgentConfig::default() };
        let open = |config: &AgentConfig| Storage::of(config, "h", Timestamp::from_ms(1)).unwrap().installation;
        let mut installation = open(&config);
        let before = installation.agent_id();
        assert_eq!(open(&config).agent_id(), before);
        installation.renew().unwrap();
        assert_ne!(installation.agent_id(), before);
        assert_eq!(open(&config).agent_id(), installation.agent_id());
        let named = AgentConfig { hostname: Some("n".to_owned()), ..config.clone() };
        assert_eq!(open(&named).agent_id(), format!("{}/n", installation.agent_id()));
    }
}
