//! This machine's own agent, inside the server's process.

use std::time::Duration;

use procession_agent::{AgentConfig, Connect, ConnectError, INTERVAL_MS_DEFAULT, INTERVAL_MS_MAX, INTERVAL_MS_MIN};
use procession_protocol::{AgentMessage, Link, ServerMessage};
use procession_server::ServerHandle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// Time between two snapshots if nothing is set.
pub(super) const INTERVAL: Duration = Duration::from_millis(INTERVAL_MS_DEFAULT);

/// The agent as it runs.
pub(super) struct LocalAgent {
    /// The name of this machine.
    pub(super) hostname: String,
    task: JoinHandle<()>,
}

impl LocalAgent {
    /// Waits until it has ended.
    pub(super) async fn finish(self) {
        // A panic of the agent was logged; the server ends in order all the same.
        self.task.await.ok();
    }
}

/// Whether an agent may look this often.
pub(super) fn check(interval: Duration) -> Result<(), Failure> {
    let (least, most) = (Duration::from_millis(INTERVAL_MS_MIN), Duration::from_millis(INTERVAL_MS_MAX));
    if (least..=most).contains(&interval) {
        return Ok(());
    }
    Err(Failure::usage(format!("the interval {interval:?} is not from {least:?} to {most:?}"))
        .hint("for example --interval 5s"))
}

/// Starts it; it ends when `ended` closes.
pub(super) fn spawn(server: &ServerHandle, interval: Duration, mut ended: watch::Receiver<()>) -> LocalAgent {
    let hostname = procession_probe::host_name().unwrap_or_else(|| "localhost".into());
    let config = AgentConfig { hostname: Some(hostname.clone()), interval, ..AgentConfig::default() };
    let connect = ToServer { handle: server.clone(), hostname: hostname.clone() };
    let task = tokio::spawn(async move {
        let shutdown = async move {
            // An error is the closing that is waited for.
            ended.changed().await.ok();
        };
        if let Err(error) = procession_agent::run(config, connect, shutdown).await {
            tracing::error!(%error, "this machine is not watched any more");
        }
    });
    LocalAgent { hostname, task }
}

/// The way to the server in the same process.
struct ToServer {
    handle: ServerHandle,
    hostname: String,
}

impl Connect for ToServer {
    async fn connect(&mut self) -> Result<Link<AgentMessage, ServerMessage>, ConnectError> {
        Ok(self.handle.local_agent(&self.hostname))
    }

    fn target(&self) -> String {
        "the server in this process".into()
    }
}
