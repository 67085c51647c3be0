//! Which agent writes which host.
//!
//! People and the published APIs know a host by its name. An agent's id outlives a new name of its machine, so by it a host
//! keeps its history; and it tells two machines apart that call themselves the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use procession_store::{Catalog, HostAgent, HostNumber, StoreError};

/// The last agent of each host, kept in memory: at most as many as there are hosts.
pub(crate) struct HostAgents {
    catalog: Arc<dyn Catalog>,
    known: RwLock<Known>,
    /// What is to be kept. As many as there are connections at most.
    wanted: Mutex<Vec<HostAgent>>,
    /// Who has it writes.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    by_host: HashMap<HostNumber, HostAgent>,
    hosts: HashMap<String, HostNumber>,
}

impl Known {
    fn insert(&mut self, agent: HostAgent) {
        if let Some(elsewhere) = self.hosts.insert(agent.agent_id.clone(), agent.host) {
            self.by_host.remove(&elsewhere);
        }
        if let Some(before) = self.by_host.insert(agent.host, agent.clone())
            && before.agent_id != agent.agent_id
        {
            self.hosts.remove(&before.agent_id);
        }
    }
}

impl HostAgents {
    /// All that the store knows.
    pub(crate) async fn load(catalog: Arc<dyn Catalog>) -> Result<Self, StoreError> {
        let mut known = Known::default();
        for agent in catalog.host_agents().await? {
            known.insert(agent);
        }
        Ok(Self { catalog, known: RwLock::new(known), wanted: Mutex::default(), turn: tokio::sync::Mutex::default() })
    }

    /// The host that the agent with this id wrote last.
    pub(crate) fn get(&self, agent_id: &str) -> Option<HostAgent> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.hosts.get(agent_id).and_then(|host| known.by_host.get(host)).cloned()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<HostAgent> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).by_host.values().cloned().collect()
    }

    /// Keeps what an agent said. Thousands may come at once, so whoever has the turn writes for all who wait.
    pub(crate) async fn note(&self, agent: HostAgent) -> Result<(), StoreError> {
        if agent.agent_id.is_empty() || self.get(&agent.agent_id).as_ref() == Some(&agent) {
            return Ok(());
        }
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).push(agent.clone());
        let _turn = self.turn.lock().await;
        let mut wanted = std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        if !wanted.contains(&agent) {
            if self.get(&agent.agent_id).as_ref() == Some(&agent) {
                return Ok(());
            }
            // Whoever took it has failed.
            wanted.push(agent);
        }
        self.catalog.set_host_agents(wanted.clone()).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        wanted.into_iter().for_each(|agent| known.insert(agent));
        Ok(())
    }
}
