//! Everything that handlers share.

use std::sync::Arc;

use procession_store::analysis::Analysis;
use procession_store::{Catalog, History};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Access, HostAllowList};
use crate::assets::Assets;
use crate::config::ServerConfig;
use crate::host_agents::HostAgents;
use crate::hosts::HostDirectory;
use crate::ingest::Ingest;
use crate::live::Hub;
use crate::metrics::Metrics;
use crate::upload::KnownUploads;

/// Everything that handlers share.
pub(crate) struct App {
    pub(crate) config: ServerConfig,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) analysis: Arc<dyn Analysis>,
    pub(crate) hosts: Arc<HostDirectory>,
    pub(crate) agents: HostAgents,
    pub(crate) access: Access,
    pub(crate) allowed_hosts: HostAllowList,
    pub(crate) ingest: Ingest,
    /// What uploads need not say again.
    pub(crate) uploads: KnownUploads,
    pub(crate) hub: Hub,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) assets: Assets,
    /// Bodies in memory.
    pub(crate) bodies: Semaphore,
    /// Open WebSockets of readers.
    pub(crate) reader_sockets: Arc<Semaphore>,
    /// Open WebSockets of agents.
    pub(crate) agent_sockets: Arc<Semaphore>,
    /// Fires when the server begins to end: sockets say goodbye.
    pub(crate) shutdown: CancellationToken,
    /// WebSockets and sessions that have to end before the server does.
    pub(crate) tasks: TaskTracker,
}
