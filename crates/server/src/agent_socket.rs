//! `WS /ws/agent/`: carries an agent's session over a WebSocket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket};
use axum::response::Response;
use bytes::Bytes;
use procession_protocol::{AgentMessage, FrameReader, FromAgent, Link, MESSAGE_BYTES_MAX, ServerMessage, link};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::access::{SocketOrigin, Uploader};
use crate::agent_session::{self, AgentAccess};
use crate::app::App;
use crate::error::ApiError;
use crate::metrics::SocketLabels;
use crate::socket::Upgrade;

/// Messages that may wait between the socket and the session, each way.
const LINK_MESSAGES: usize = 16;
/// Bytes read at a time: an ordinary frame is shorter, and there may be ten thousand agents.
const READ_BUFFER_BYTES: usize = 1_024;
/// How often a silent agent is asked for a sign of life.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long an agent may be silent altogether.
const SILENCE_MAX: Duration = Duration::from_secs(100);
/// How long an agent may leave a message unread.
const SEND_MAX: Duration = Duration::from_secs(20);

pub(crate) async fn agent(
    State(app): State<Arc<App>>,
    _: SocketOrigin,
    uploader: Uploader,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, ApiError> {
    let place = Arc::clone(&app.agent_sockets).try_acquire_owned().map_err(|_| ApiError::overloaded())?;
    let access = AgentAccess { scope: uploader.scope, watch: app.access.watch(&uploader.credential) };
    let tasks = app.tasks.clone();
    let upgrade = upgrade.read_buffer_size(READ_BUFFER_BYTES);
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| {
        tasks.track_future(async move {
            let open = app.metrics.sockets.get_or_create_owned(&SocketLabels { kind: "agent" });
            open.inc();
            let (agent_side, server_side) = link(LINK_MESSAGES);
            tokio::join!(agent_session::serve(app, access, server_side), carry(socket, agent_side));
            open.dec();
            drop(place);
        })
    }))
}

enum Event {
    Received(Option<Result<Message, axum::Error>>),
    Room,
    ToSend(Option<ServerMessage>),
    Quiet,
}

/// Carries messages both ways until either side ends. What was received and has no room yet waits, and so does the
/// agent.
async fn carry(mut socket: WebSocket, agent_side: Link<AgentMessage, ServerMessage>) {
    let (to_session, mut from_session) = agent_side.split();
    let mut waiting: Option<AgentMessage> = None;
    let mut frames = FrameReader::default();
    let mut last_heard = Instant::now();
    let mut next_ping = last_heard + PING_INTERVAL;
    loop {
        let event = tokio::select! {
            message = from_session.recv() => Event::ToSend(message),
            room = to_session.reserve(), if waiting.is_some() => {
                match (room, waiting.take()) {
                    (Ok(room), Some(message)) => room.send(message),
                    _ => break,
                }
                Event::Room
            }
            message = socket.recv(), if waiting.is_none() => Event::Received(message),
            () = tokio::time::sleep_until(next_ping) => Event::Quiet,
        };
        match event {
            Event::Room => {}
            Event::Received(Some(Ok(message))) => {
                last_heard = Instant::now();
                match read(message, &mut frames) {
                    Read::Nothing => {}
                    Read::Message(message) => waiting = offer(&to_session, message),
                    Read::End => break,
                }
            }
            Event::ToSend(Some(message)) => {
                if !send(&mut socket, Message::Text(message.to_json().into())).await {
                    break;
                }
            }
            Event::Quiet => {
                next_ping = Instant::now() + PING_INTERVAL;
                if last_heard.elapsed() > SILENCE_MAX || !send(&mut socket, Message::Ping(Bytes::new())).await {
                    break;
                }
            }
            Event::Received(_) | Event::ToSend(None) => break,
        }
    }
    drop(to_session);
    // What the session still acknowledges on its way out is worth sending.
    while let Some(message) = from_session.recv().await {
        if !send(&mut socket, Message::Text(message.to_json().into())).await {
            break;
        }
    }
    drop(tokio::time::timeout(Duration::from_secs(1), socket.send(Message::Close(None))).await);
}

/// Hands a message over, or gives it back if there is no room.
fn offer(session: &mpsc::Sender<AgentMessage>, message: AgentMessage) -> Option<AgentMessage> {
    match session.try_send(message) {
        Ok(()) => None,
        Err(mpsc::error::TrySendError::Full(message) | mpsc::error::TrySendError::Closed(message)) => Some(message),
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_MAX, socket.send(message)).await, Ok(Ok(())))
}

enum Read {
    Message(AgentMessage),
    Nothing,
    End,
}

fn read(message: Message, frames: &mut FrameReader) -> Read {
    match message {
        Message::Binary(bytes) => match frames.read(bytes) {
            Ok(frame) => Read::Message(AgentMessage::Frame(frame)),
            Err(_) => Read::End,
        },
        Message::Text(text) => match FromAgent::from_json(&text) {
            Ok(control) => Read::Message(AgentMessage::Control(control)),
            // A newer agent may have more to say than is known here.
            Err(error) => {
                tracing::debug!(%error, "a message of an agent was ignored");
                Read::Nothing
            }
        },
        Message::Ping(_) | Message::Pong(_) => Read::Nothing,
        Message::Close(_) => Read::End,
    }
}
