//! A simulated host that sends frames, as agents do.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use procession_model::Timestamp;
use procession_protocol::{FrameMessage, FromAgent, FromServer, Hello, UNACKNOWLEDGED_FRAMES_MAX, VERSION, Welcome};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::figures::Figures;
use super::target::Target;
use super::{Pace, SimulatedHost};
use crate::moment;

/// Bytes read from a connection at a time: a server's messages are short, and there are thousands of connections.
const READ_BUFFER_BYTES: usize = 2 << 10;

type Socket = WebSocketStream<TcpStream>;

/// Runs until the end of the simulation.
pub(super) async fn host(host: SimulatedHost, pace: Pace, target: Arc<Target>, figures: Arc<Figures>) {
    sleep_until(host.first_due).await;
    if let Err(error) = Box::pin(session(&host, pace, &target, &figures)).await {
        figures.trouble(format!("{}: {error:#}", host.name));
    }
}

async fn session(host: &SimulatedHost, pace: Pace, target: &Target, figures: &Figures) -> Result<()> {
    let mut socket = connect(target).await?;
    let welcome = greet(&mut socket, host, figures).await?;
    let mut sender = Sender {
        host,
        sequence: welcome.last_sequence,
        key_next: true,
        last_time: Timestamp::default(),
        waiting: VecDeque::new(),
    };
    let mut due = Instant::now();
    while due < pace.end {
        tokio::select! {
            () = sleep_until(due), if sender.has_room(pace) => {
                sender.send(&mut socket, due, figures).await?;
                due = if pace.interval.is_zero() { Instant::now() } else { due + pace.interval };
            }
            message = socket.next() => sender.take(message, figures)?,
            () = sleep_until(pace.end) => break,
        }
    }
    while !sender.waiting.is_empty() {
        let message = timeout_at(pace.last_answers, socket.next()).await.context("the last answers did not come")?;
        sender.take(message, figures)?;
    }
    socket.close(None).await.context("closing")
}

async fn connect(target: &Target) -> Result<Socket> {
    let stream = target.connect().await.with_context(|| format!("cannot connect to {}", target.authority))?;
    let mut request = format!("ws://{}{}", target.authority, procession_protocol::PATH).into_client_request()?;
    request.headers_mut().insert("authorization", target.authorization.parse()?);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(procession_protocol::MESSAGE_BYTES_MAX));
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
    Ok(socket)
}

async fn greet(socket: &mut Socket, host: &SimulatedHost, figures: &Figures) -> Result<Welcome> {
    let hello = Hello {
        protocol: VERSION,
        agent_version: env!("CARGO_PKG_VERSION").into(),
        hostname: host.name.clone(),
        agent_id: format!("swarm-{:08x}/{}", host.number, host.name),
        boot_id: String::new(),
        stream: format!("{:032x}", fastrand::u128(..)),
        first_sequence: 1,
        time_ms: moment::now().as_ms(),
    };
    socket.send(Message::text(FromAgent::Hello(hello).to_json())).await?;
    loop {
        let message = socket.next().await.context("the server closed the connection before it answered")??;
        let Message::Text(text) = message else { continue };
        match FromServer::from_json(&text)? {
            FromServer::Welcome(welcome) => return Ok(welcome),
            FromServer::Refusal(refusal) => {
                figures.refused(&refusal.message);
                bail!("refused: {}", refusal.message);
            }
            _ => {}
        }
    }
}

/// What a host has sent and waits for.
struct Sender<'a> {
    host: &'a SimulatedHost,
    sequence: u64,
    key_next: bool,
    last_time: Timestamp,
    /// Sequences not acknowledged, oldest first, and when they were due.
    waiting: VecDeque<(u64, Instant)>,
}

impl Sender<'_> {
    fn has_room(&self, pace: Pace) -> bool {
        let most = if pace.interval.is_zero() { 1 } else { UNACKNOWLEDGED_FRAMES_MAX };
        self.waiting.len() < most
    }

    async fn send(&mut self, socket: &mut Socket, due: Instant, figures: &Figures) -> Result<()> {
        self.last_time = moment::now().max(self.last_time.plus_ms(1));
        self.sequence += 1;
        let pattern = &self.host.pattern;
        let frame =
            if self.key_next { pattern.key(self.last_time) } else { pattern.delta(self.sequence, self.last_time) };
        self.key_next = false;
        self.waiting.push_back((self.sequence, due));
        figures.sent();
        socket.send(Message::binary(FrameMessage { sequence: self.sequence, frame }.to_bytes())).await?;
        Ok(())
    }

    fn take(
        &mut self,
        message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
        figures: &Figures,
    ) -> Result<()> {
        let message = message.context("the server closed the connection")??;
        let Message::Text(text) = message else { return Ok(()) };
        match FromServer::from_json(&text)? {
            FromServer::Acknowledged { sequence } => {
                while let Some((first, due)) = self.waiting.front().copied()
                    && first <= sequence
                {
                    figures.acknowledged_since(due);
                    self.waiting.pop_front();
                }
            }
            FromServer::KeyframeNeeded { sequence } => {
                figures.refused(format!("a keyframe was needed at frame {sequence}"));
                self.waiting.retain(|(waiting, _)| *waiting < sequence);
                self.sequence = sequence - 1;
                self.key_next = true;
            }
            FromServer::Refusal(refusal) => {
                figures.refused(&refusal.message);
                bail!("refused: {}", refusal.message);
            }
            FromServer::Welcome(_) | FromServer::Settings(_) => {}
        }
        Ok(())
    }
}
