//! How an agent gets to a server.

mod error;
mod pump;
mod tls;
mod websocket;

pub use error::ConnectError;
pub use websocket::WebSocket;

use std::future::Future;

use procession_protocol::{AgentMessage, Link, ServerMessage, link};
use tokio::sync::mpsc;

/// Messages that wait on their way between the agent's loop and what carries them.
pub(crate) const LINK_MESSAGES: usize = 16;

/// Gets to a server. Asked again whenever a connection has ended.
pub trait Connect: Send + 'static {
    /// A connection on which nothing has been said yet.
    fn connect(&mut self) -> impl Future<Output = Result<Link<AgentMessage, ServerMessage>, ConnectError>> + Send;

    /// What it connects to, for people.
    fn target(&self) -> String;
}

/// A server in this process: it receives its side of every connection.
#[derive(Clone, Debug)]
pub struct InProcess {
    /// Where the server takes its side of new connections from.
    pub server: mpsc::Sender<Link<ServerMessage, AgentMessage>>,
}

impl Connect for InProcess {
    async fn connect(&mut self) -> Result<Link<AgentMessage, ServerMessage>, ConnectError> {
        let (agent_side, server_side) = link(LINK_MESSAGES);
        self.server.send(server_side).await.map_err(|_| ConnectError::Ended)?;
        Ok(agent_side)
    }

    fn target(&self) -> String {
        "the server in this process".to_owned()
    }
}
