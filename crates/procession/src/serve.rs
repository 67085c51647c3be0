//! `procession serve`: the server, with this machine's own agent inside.
//!
//! The agent in here speaks the same protocol as any other, over a pair of queues instead of a WebSocket, so there is
//! one way in and it is always tried.

mod local_agent;
pub(crate) mod retention;
mod welcome;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use procession_server::{Server, ServerConfig, TlsFiles};
use procession_store::{Catalog, Retention};
use tokio::sync::watch;

use crate::data_folder;
use crate::failure::Failure;
use crate::logs;
use crate::moment;
use crate::runtime::{asked_to_end, block_on, raise_open_files};
use crate::settings::Settings;
use crate::sign_in;
use crate::storage;

/// Where the published clients look for it.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    data: data_folder::Options,
    #[command(flatten)]
    logs: logs::Options,
    /// Address to listen on [default: 127.0.0.1:8000]
    #[arg(long, env = "PROCESSION_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// A name by which browsers and agents may call this server; may be repeated. Loopback and the address itself are
    /// always good
    #[arg(long = "allow-host", env = "PROCESSION_ALLOWED_HOSTS", value_name = "NAME", value_delimiter = ',')]
    allowed_hosts: Vec<String>,
    /// Do not watch this machine
    #[arg(long, env = "PROCESSION_NO_LOCAL_AGENT")]
    no_local_agent: bool,
    /// Time between two snapshots of this machine [default: 5s]
    #[arg(long, env = "PROCESSION_INTERVAL", value_name = "TIME", value_parser = moment::duration)]
    interval: Option<Duration>,
    /// Take POST /api/process-data/ without a key, as its published client sends it
    #[arg(long, env = "PROCESSION_ANONYMOUS_PROCESS_DATA")]
    anonymous_process_data: bool,
    /// Browsers come through a proxy that speaks TLS with them: cookies are marked Secure
    #[arg(long, env = "PROCESSION_BEHIND_TLS")]
    behind_tls: bool,
    /// Certificate chain in PEM; with --tls-key the server speaks HTTPS
    #[arg(long, env = "PROCESSION_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Private key in PEM
    #[arg(long, env = "PROCESSION_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    retention: retention::Options,
    /// Serve the page from a folder instead of from inside the binary, for work on it
    #[arg(long, value_name = "DIR")]
    page: Option<PathBuf>,
}

/// What options and settings file together say.
struct Plan {
    folder: PathBuf,
    server: ServerConfig,
    local_agent: Option<Duration>,
    retention: Retention,
}

/// Serves until it is asked to end, then answers what is under way and writes everything down.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let settings = options.data.settings()?;
    logs::install(&options.logs, &settings)?;
    raise_open_files();
    let plan = Plan::of(options, settings)?;
    block_on(serve(plan))
}

async fn serve(plan: Plan) -> Result<(), Failure> {
    let store = storage::open(&plan.folder).await?;
    let (ending, ended) = watch::channel(());
    let is_new = !store.catalog.was_ever_used().await?;
    let bound = Server::bind(plan.server, store.history.clone()).await;
    let server = match bound {
        Ok(server) => server,
        Err(error) => {
            store.close().await?;
            return Err(Failure::failed(error));
        }
    };
    store.catalog.set_setting(sign_in::URL_SETTING, &server.handle().url()).await?;
    let local = plan.local_agent.map(|interval| local_agent::spawn(&server.handle(), interval, ended.clone()));
    welcome::print(
        &*store.catalog,
        &welcome::Facts {
            url: server.handle().url(),
            folder: &plan.folder,
            is_new,
            local_host: local.as_ref().map(|local| local.hostname.as_str()),
        },
    )
    .await?;
    tokio::spawn(async move {
        asked_to_end().await;
        tracing::info!("ending: answering what is under way");
        drop(ending);
        // Whoever asks twice means at once; what was acknowledged is durable anyway.
        asked_to_end().await;
        std::process::exit(1);
    });
    let retiring = tokio::spawn(retention::keep_to(Arc::clone(&store.history), plan.retention, ended.clone()));
    let mut until = ended;
    let served = server.run(async move { drop(until.changed().await) }).await;
    if let Some(local) = local {
        local.finish().await;
    }
    // It ends with the watch; a panic of it was logged.
    retiring.await.ok();
    served.map_err(Failure::failed)
}

impl Plan {
    fn of(options: Options, settings: Settings) -> Result<Self, Failure> {
        let folder = options.data.made(&settings)?;
        let set = settings.serve;
        let mut server = ServerConfig::new(options.listen.or(set.listen).unwrap_or(LISTEN));
        server.allowed_hosts = if options.allowed_hosts.is_empty() {
            set.allowed_hosts.unwrap_or_default()
        } else {
            options.allowed_hosts
        };
        server.anonymous_process_data = options.anonymous_process_data || set.anonymous_process_data.unwrap_or(false);
        server.behind_tls = options.behind_tls || set.behind_tls.unwrap_or(false);
        server.page_dir = options.page;
        server.tls = match (options.tls_certificate.or(set.tls_certificate), options.tls_key.or(set.tls_key)) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            _ => {
                return Err(Failure::usage("TLS needs both a certificate and its key")
                    .hint("set --tls-certificate and --tls-key"));
            }
        };
        let watches = !options.no_local_agent && set.local_agent.unwrap_or(true);
        let interval = match (options.interval, set.interval.as_deref().map(moment::duration).transpose()) {
            (Some(interval), _) | (None, Ok(Some(interval))) => interval,
            (None, Ok(None)) => local_agent::INTERVAL,
            (None, Err(error)) => return Err(Failure::usage(format!("the setting serve.interval: {error}"))),
        };
        local_agent::check(interval)?;
        let retention = options.retention.with(&settings.keep)?;
        Ok(Self { folder, server, local_agent: watches.then_some(interval), retention })
    }
}
