//! Puts the server together, runs it, and ends it without losing anything.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use procession_protocol::{AgentMessage, Link, ServerMessage, link};
use procession_store::analysis::Analysis;
use procession_store::{Catalog, History, StoreError};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Access, CredentialWatch, HostAllowList, HostScope, WATCH_INTERVAL};
use crate::agent_session::{self, AgentAccess};
use crate::app::App;
use crate::assets::Assets;
use crate::config::ServerConfig;
use crate::host_agents::HostAgents;
use crate::hosts::HostDirectory;
use crate::ingest::Ingest;
use crate::listener::Acceptor;
use crate::live::{Fleet, Hub, HubParts};
use crate::metrics::Metrics;
use crate::upload::KnownUploads;
use crate::{router, tls};

/// Connections that the kernel holds until they are taken: a thousand agents may come back at once.
const BACKLOG: u32 = 4_096;
/// Messages that may wait between the server and an agent in the same process, each way.
const LOCAL_LINK_MESSAGES: usize = 64;
/// How long a start waits for the newest sums of the hosts.
const LOOK_UP_MAX: Duration = Duration::from_secs(1);
/// How often blocks that are due are sealed.
const SEAL_INTERVAL: Duration = Duration::from_secs(5);

/// Why a server does not start or run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not ours.
    #[error(
        "cannot listen on {address}: {source}. Is another server running there? Choose another address with --listen"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The certificate or its key is not good.
    #[error("cannot speak TLS with {}: {why}", path.display())]
    Tls {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A server that listens and does not serve yet.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    address: SocketAddr,
    ingest_task: JoinHandle<()>,
}

/// How the rest of the program reaches a server.
#[derive(Clone)]
pub struct ServerHandle {
    app: Arc<App>,
    address: SocketAddr,
}

impl Server {
    /// Binds the address and reads what is known of the hosts.
    pub async fn bind<S>(config: ServerConfig, store: Arc<S>) -> Result<Self, ServeError>
    where
        S: Catalog + History + Analysis + 'static,
    {
        let catalog: Arc<dyn Catalog> = Arc::clone(&store) as _;
        let history: Arc<dyn History> = Arc::clone(&store) as _;
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let bound = listen(config.listen);
        let (listener, address) = bound.map_err(|source| ServeError::Bind { address: config.listen, source })?;
        let metrics = Arc::new(Metrics::new());
        let hosts = Arc::new(HostDirectory::load(Arc::clone(&catalog)).await?);
        let agents = HostAgents::load(Arc::clone(&catalog)).await?;
        let fleet = Arc::new(Fleet::new(Arc::clone(&hosts)));
        agents.all().iter().for_each(|agent| fleet.agent_told(agent));
        let shutdown = CancellationToken::new();
        look_up(Arc::clone(&fleet), Arc::clone(&history), shutdown.clone()).await?;
        let parts = HubParts {
            history: Arc::clone(&history),
            hosts: Arc::clone(&hosts),
            fleet,
            metrics: Arc::clone(&metrics),
            shutdown: shutdown.clone(),
        };
        let (ingest, ingest_task) =
            Ingest::start(Arc::clone(&history), Arc::clone(&metrics), config.limits.ingest_queue_max);
        let app = Arc::new(App {
            access: Access::new(Arc::clone(&catalog), config.is_secure()),
            allowed_hosts: HostAllowList::new(config.listen, &config.allowed_hosts),
            assets: Assets::new(config.page_dir.as_deref()),
            bodies: Semaphore::new(config.limits.bodies_max),
            reader_sockets: Arc::new(Semaphore::new(config.limits.reader_sockets_max)),
            agent_sockets: Arc::new(Semaphore::new(config.limits.agent_sockets_max)),
            hub: Hub::start(parts),
            shutdown,
            tasks: TaskTracker::new(),
            catalog,
            history,
            analysis: store,
            hosts,
            agents,
            ingest,
            uploads: KnownUploads::new(),
            metrics,
            config,
        });
        Ok(Self { app, listener, tls, address, ingest_task })
    }

    /// The address that was bound.
    pub const fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// A handle for the rest of the program.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { app: Arc::clone(&self.app), address: self.address }
    }

    /// Serves until `shutdown` completes, then lets everything under way finish, writes it down and closes the history.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServeError> {
        let Self { app, listener, tls, ingest_task, .. } = self;
        let ending = app.shutdown.clone();
        let drain = Duration::from_millis(app.config.limits.drain_ms);
        let acceptor = Acceptor {
            listener,
            tls,
            service: router::service(Arc::clone(&app)),
            connections_max: app.config.limits.connections_max,
            drain,
        };
        let serving = tokio::spawn(acceptor.run(ending.clone()));
        let upkeep = tokio::spawn(keep_up(Arc::clone(&app)));
        shutdown.await;
        tracing::info!("the server is ending");
        ending.cancel();
        app.tasks.close();
        let served = async {
            app.tasks.wait().await;
            drop(serving.await);
        };
        if tokio::time::timeout(drain + Duration::from_secs(2), served).await.is_err() {
            tracing::warn!("some connections did not end in time and are cut off");
        }
        drop(upkeep.await);
        let history = Arc::clone(&app.history);
        finish_ingest(app, ingest_task, drain).await;
        history.close().await?;
        Ok(())
    }
}

/// Looks up the newest sums of all hosts: before the server starts if that is soon done, else while it runs.
async fn look_up(fleet: Arc<Fleet>, history: Arc<dyn History>, shutdown: CancellationToken) -> Result<(), StoreError> {
    let mut looking = tokio::spawn(async move {
        tokio::select! {
            looked = fleet.look_up(&*history) => looked,
            () = shutdown.cancelled() => Ok(()),
        }
    });
    if let Ok(looked) = tokio::time::timeout(LOOK_UP_MAX, &mut looking).await {
        return looked.unwrap_or_else(|error| Err(StoreError::Failed(Box::new(error))));
    }
    tokio::spawn(async move {
        if let Ok(Err(error)) = looking.await {
            tracing::error!(cause = ?error.to_string(), "not all hosts could be looked up");
        }
    });
    Ok(())
}

/// Everything that was queued is written before the history closes.
async fn finish_ingest(app: Arc<App>, ingest_task: JoinHandle<()>, at_most: Duration) {
    app.ingest.close();
    drop(app);
    if tokio::time::timeout(at_most, ingest_task).await.is_err() {
        tracing::warn!("what was queued could not be written in time; it was not acknowledged");
    }
}

/// What has to be done again and again: seal blocks, end WebSockets of those who are signed out.
async fn keep_up(app: Arc<App>) {
    let mut seal = tokio::time::interval(SEAL_INTERVAL);
    let mut watch = tokio::time::interval(WATCH_INTERVAL);
    let sealing = async {
        loop {
            seal.tick().await;
            if let Err(error) = app.history.seal(crate::time_text::now()).await {
                tracing::error!(cause = ?error.to_string(), "blocks could not be sealed");
            }
        }
    };
    let watching = async {
        loop {
            watch.tick().await;
            app.access.check_watched().await;
        }
    };
    tokio::select! {
        () = sealing => {}
        () = watching => {}
        () = app.shutdown.cancelled() => {}
    }
}

fn listen(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A server that is started again must not wait for the last one's connections to be forgotten. On Windows the same
    // option would let two servers share the address.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

impl ServerHandle {
    /// Where a browser on this machine finds the server.
    pub fn url(&self) -> String {
        let scheme = if self.app.config.tls.is_some() { "https" } else { "http" };
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("{scheme}://{}/", SocketAddr::new(ip, self.address.port()))
    }

    /// A connection for an agent in this process. Its session ends when the agent's side is dropped.
    pub fn local_agent(&self, hostname: &str) -> Link<AgentMessage, ServerMessage> {
        let (agent_side, server_side) = link(LOCAL_LINK_MESSAGES);
        tracing::debug!(?hostname, "the agent in this process connects");
        let access = AgentAccess { scope: HostScope::All, watch: CredentialWatch::endless() };
        self.app.tasks.spawn(agent_session::serve(Arc::clone(&self.app), access, server_side));
        agent_side
    }
}
