//! A connection as both sides see it, whatever carries it: a WebSocket, or a pair of queues within one process.

use tokio::sync::mpsc;

use crate::{FrameMessage, FromAgent, FromServer};

/// What an agent sends.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentMessage {
    /// Control.
    Control(FromAgent),
    /// A frame.
    Frame(FrameMessage),
}

/// What a server sends.
pub type ServerMessage = FromServer;

/// The other side is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed")]
pub struct LinkClosed;

/// One side of a connection that sends `Out` and receives `In`. Bounded: sending waits for the other side.
#[derive(Debug)]
pub struct Link<Out, In> {
    sender: mpsc::Sender<Out>,
    receiver: mpsc::Receiver<In>,
}

/// The agent's and the server's side of a connection with room for `messages` each way.
pub fn link(messages: usize) -> (Link<AgentMessage, ServerMessage>, Link<ServerMessage, AgentMessage>) {
    let (to_server, from_agent) = mpsc::channel(messages);
    let (to_agent, from_server) = mpsc::channel(messages);
    (Link { sender: to_server, receiver: from_server }, Link { sender: to_agent, receiver: from_agent })
}

impl<Out, In> Link<Out, In> {
    /// Sends, waiting for room.
    pub async fn send(&self, message: Out) -> Result<(), LinkClosed> {
        self.sender.send(message).await.map_err(|_| LinkClosed)
    }

    /// Receives; `None` when the other side is gone. Cancel-safe.
    pub async fn receive(&mut self) -> Option<In> {
        self.receiver.recv().await
    }

    /// The two halves, for code that sends and receives at the same time.
    pub fn split(self) -> (mpsc::Sender<Out>, mpsc::Receiver<In>) {
        (self.sender, self.receiver)
    }
}
