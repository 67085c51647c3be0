//! Carries messages between a link and a WebSocket until either ends.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use procession_protocol::{AgentMessage, FrameWriter, FromServer, Link, ServerMessage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

const PING_PERIOD: Duration = Duration::from_secs(30);
/// A server of which nothing is heard for this long is gone, whatever TCP thinks.
const SILENCE_MAX: Duration = Duration::from_secs(90);
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the connection ended, for the log.
#[derive(Debug, thiserror::Error)]
enum PumpEnd {
    #[error("the agent closed it")]
    Agent,
    #[error("the server closed it{0}")]
    Server(String),
    #[error("nothing was heard from the server for {} s", SILENCE_MAX.as_secs())]
    Silence,
    #[error("the server does not take what is sent")]
    Stuck,
    #[error("{0}")]
    WebSocket(#[from] tokio_tungstenite::tungstenite::Error),
    #[error("the server sent what this agent does not understand: {0}")]
    Control(#[from] procession_protocol::ControlError),
}

/// Runs until either side ends.
pub(super) async fn run<S>(mut socket: WebSocketStream<S>, link: Link<ServerMessage, AgentMessage>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let end = pump(&mut socket, link).await;
    tracing::debug!(reason = %end, "connection ended");
    if timeout(Duration::from_secs(1), socket.close(None)).await.is_err() {
        tracing::debug!("the connection could not be closed in order");
    }
}

async fn pump<S>(socket: &mut WebSocketStream<S>, link: Link<ServerMessage, AgentMessage>) -> PumpEnd
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (to_agent, mut from_agent) = link.split();
    let mut pings = interval_at(Instant::now() + PING_PERIOD, PING_PERIOD);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let mut frames = FrameWriter::default();
    loop {
        let step = tokio::select! {
            message = from_agent.recv() => match message {
                Some(message) => send(socket, encode(message, &mut frames)).await,
                None => Err(PumpEnd::Agent),
            },
            message = socket.next() => {
                heard = Instant::now();
                match message {
                    Some(Ok(Message::Text(text))) => match receive(&text, &mut frames) {
                        Ok(message) => to_agent.send(message).await.map_err(|_| PumpEnd::Agent),
                        Err(error) => Err(error),
                    },
                    Some(Ok(Message::Close(frame))) => Err(PumpEnd::Server(
                        frame.map(|frame| format!(": {}", frame.reason.escape_debug())).unwrap_or_default(),
                    )),
                    // Servers of this version send no binary messages; a later one may.
                    Some(Ok(_)) => Ok(()),
                    Some(Err(error)) => Err(error.into()),
                    None => Err(PumpEnd::Server(String::new())),
                }
            },
            _ = pings.tick() => if heard.elapsed() > SILENCE_MAX {
                Err(PumpEnd::Silence)
            } else {
                send(socket, Message::Ping(Vec::new().into())).await
            },
        };
        if let Err(end) = step {
            return end;
        }
    }
}

async fn send<S>(socket: &mut WebSocketStream<S>, message: Message) -> Result<(), PumpEnd>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    timeout(SEND_TIMEOUT, socket.send(message)).await.map_err(|_| PumpEnd::Stuck)?.map_err(PumpEnd::from)
}

fn encode(message: AgentMessage, frames: &mut FrameWriter) -> Message {
    match message {
        AgentMessage::Control(control) => Message::Text(Utf8Bytes::from(control.to_json())),
        AgentMessage::Frame(frame) => Message::Binary(frames.write(&frame)),
    }
}

fn receive(text: &str, frames: &mut FrameWriter) -> Result<ServerMessage, PumpEnd> {
    let message = FromServer::from_json(text)?;
    if let ServerMessage::Welcome(welcome) = &message {
        frames.pack_up_to(welcome.packing);
    }
    Ok(message)
}
