//! One agent's session, whatever carries it.
//!
//! Frames are handed on as they come and acknowledged, by the highest number, as they become durable; an agent is slowed
//! down by not being read from. After a frame that could not be applied nothing but a keyframe is taken.

use std::sync::Arc;
use std::time::Duration;

use procession_codec::FrameKind;
use procession_protocol::{
    AgentMessage, AgentSettings, FrameMessage, FromAgent, FromServer, Hello, Link, Refusal, RefusalReason,
    ServerMessage, UNACKNOWLEDGED_FRAMES_MAX, VERSION, Welcome,
};
use procession_store::{Appended, FrameOrigin, HostNumber, StoreError, StreamPosition};
use tokio::sync::mpsc;

use crate::access::{CredentialWatch, HostScope};
use crate::agent_host::{NoHost, host_of};
use crate::app::App;
use crate::ingest::{FrameOutcome, IncomingFrame, IngestFailure};
use crate::live::{ConnectedGuard, WAIT_MS_MIN};
use crate::time_text;
use crate::upload::HOSTNAME_CHARACTERS_MAX;

/// How long an agent may take to say hello.
const HELLO_MAX: Duration = Duration::from_secs(20);
/// How long an agent waits after a server that is busy, in milliseconds.
const BUSY_RETRY_MS: u64 = 2_000;
/// How long an agent waits that draws another id, in milliseconds.
const CLONE_RETRY_MS: u64 = 1_000;
/// An agent's id is 32 digits, and a host name where it was given one of its own.
const AGENT_ID_BYTES_MAX: usize = 64 + 4 * HOSTNAME_CHARACTERS_MAX;

/// What an agent may do, and until when.
pub(crate) struct AgentAccess {
    pub(crate) scope: HostScope,
    pub(crate) watch: CredentialWatch,
}

/// Why a session ends.
enum End {
    /// The agent left.
    Left,
    /// It is told why.
    Refused(Refusal),
}

/// Serves one agent until either side ends it.
pub(crate) async fn serve(app: Arc<App>, access: AgentAccess, mut link: Link<ServerMessage, AgentMessage>) {
    let end = match begin(&app, &access, &mut link).await {
        Ok(mut session) => {
            let ended = tokio::select! {
                end = session.run(&mut link) => end,
                () = access.watch.ended() => refused(RefusalReason::Forbidden, "The key is no longer good.", None),
                () = app.shutdown.cancelled() => busy("The server is ending."),
            };
            session.finish(&mut link).await;
            ended
        }
        Err(end) => end,
    };
    if let End::Refused(refusal) = end {
        tracing::debug!(reason = ?refusal.reason, message = ?refusal.message, "agent refused");
        if link.send(FromServer::Refusal(refusal)).await.is_err() {
            tracing::debug!("the agent left before it was told");
        }
    }
}

fn refused(reason: RefusalReason, message: &str, retry_after_ms: Option<u64>) -> End {
    End::Refused(Refusal { reason, message: message.to_owned(), retry_after_ms })
}

fn busy(message: &str) -> End {
    refused(RefusalReason::Busy, message, Some(BUSY_RETRY_MS))
}

fn invalid(message: &str) -> End {
    refused(RefusalReason::Invalid, message, None)
}

fn failed(error: &StoreError) -> End {
    tracing::error!(cause = ?error.to_string(), "an agent could not be taken");
    busy("The server could not read its store. Its log says more.")
}

/// Its folder came with the machine.
fn is_clone(hello: &Hello) -> End {
    tracing::warn!(hostname = ?hello.hostname, agent_id = ?hello.agent_id, "two machines have the same agent id: the second has to draw another");
    let message = "Another machine runs with this agent's id: this one is a clone. An agent of this release draws an id of \
                   its own; for an older one stop it and remove its folder.";
    refused(RefusalReason::Clone, message, Some(CLONE_RETRY_MS))
}

/// Cloned machines share a name, and each would go on from what the other sent.
fn name_taken(hello: &Hello) -> End {
    tracing::warn!(hostname = ?hello.hostname, agent_id = ?hello.agent_id, "two agents have the same host name; the second waits");
    let message = format!(
        "Another agent is connected as {:?}. A machine with the same name becomes a host of its own when both are heard of; \
         an agent that was installed anew is taken once the old connection has ended. Two agents on one machine need two \
         names (--hostname).",
        hello.hostname
    );
    refused(RefusalReason::Busy, &message, Some(WAIT_MS_MIN.unsigned_abs()))
}

/// From hello to welcome.
async fn begin(
    app: &Arc<App>,
    access: &AgentAccess,
    link: &mut Link<ServerMessage, AgentMessage>,
) -> Result<Session, End> {
    let hello = receive_hello(link).await?;
    let stream = check_hello(&hello, &access.scope)?;
    let (host, connected) = host_of(app, &access.scope, &hello).await.map_err(|no_host| match no_host {
        NoHost::Taken => name_taken(&hello),
        NoHost::Clone => is_clone(&hello),
        NoHost::Failed(error) => failed(&error),
    })?;
    let position = app.history.stream_position(host).await.map_err(|error| failed(&error))?;
    let (last_sequence, resume) = resume_from(position, stream, hello.first_sequence);
    let welcome = Welcome {
        protocol: VERSION,
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        last_sequence,
        resume,
        time_ms: time_text::now().as_ms(),
        settings: AgentSettings::default(),
        frame_version: procession_codec::frame::VERSION,
        packing: procession_codec::wire::VERSION,
    };
    link.send(FromServer::Welcome(welcome)).await.map_err(|_| End::Left)?;
    tracing::debug!(hostname = ?hello.hostname, version = ?hello.agent_version, last_sequence, resume, "agent connected");
    let (outcomes, received) = mpsc::unbounded_channel();
    Ok(Session {
        app: Arc::clone(app),
        host,
        stream,
        last_forwarded: last_sequence,
        key_wanted_from: (!resume).then_some(last_sequence + 1),
        key_was_asked_for: false,
        in_flight: 0,
        acknowledged: last_sequence,
        outcomes,
        received,
        _connected: connected,
    })
}

async fn receive_hello(link: &mut Link<ServerMessage, AgentMessage>) -> Result<Hello, End> {
    match tokio::time::timeout(HELLO_MAX, link.receive()).await {
        Ok(Some(AgentMessage::Control(FromAgent::Hello(hello)))) => Ok(hello),
        Ok(Some(_)) => Err(invalid("The first message has to be hello.")),
        Ok(None) => Err(End::Left),
        Err(_) => Err(invalid("No hello came.")),
    }
}

fn check_hello(hello: &Hello, scope: &HostScope) -> Result<[u8; 16], End> {
    if hello.protocol != VERSION {
        let message = format!("This server speaks version {VERSION} of the protocol, the agent {}.", hello.protocol);
        return Err(refused(RefusalReason::Version, &message, None));
    }
    if hello.hostname.trim().is_empty() || hello.hostname.chars().count() > HOSTNAME_CHARACTERS_MAX {
        return Err(invalid(&format!("A host name has 1 to {HOSTNAME_CHARACTERS_MAX} characters.")));
    }
    if hello.agent_id.len().max(hello.boot_id.len()) > AGENT_ID_BYTES_MAX {
        return Err(invalid(&format!("The ids of an agent and of a boot have at most {AGENT_ID_BYTES_MAX} bytes.")));
    }
    if !scope.covers(&hello.hostname) {
        return Err(refused(RefusalReason::Forbidden, "This key is not for that host.", None));
    }
    match (hello.stream.len(), u128::from_str_radix(&hello.stream, 16)) {
        (32, Ok(stream)) => Ok(stream.to_be_bytes()),
        _ => Err(invalid("A stream is named by 32 hexadecimal digits.")),
    }
}

/// What of the stream is durable, and whether the agent's next frame may be a delta.
fn resume_from(position: Option<StreamPosition>, stream: [u8; 16], first_sequence: u64) -> (u64, bool) {
    match position.filter(|position| position.origin.stream == stream) {
        Some(position) => {
            let last = position.origin.sequence;
            (last, position.resumable && first_sequence <= last.saturating_add(1))
        }
        None => (0, false),
    }
}

struct Session {
    app: Arc<App>,
    host: HostNumber,
    stream: [u8; 16],
    last_forwarded: u64,
    /// Until a keyframe comes from here on, frames are dropped: they cannot be applied.
    key_wanted_from: Option<u64>,
    /// Whether the agent was told so; at the beginning the welcome says it.
    key_was_asked_for: bool,
    in_flight: usize,
    acknowledged: u64,
    outcomes: mpsc::UnboundedSender<FrameOutcome>,
    received: mpsc::UnboundedReceiver<FrameOutcome>,
    _connected: ConnectedGuard,
}

enum Event {
    Message(Option<AgentMessage>),
    Outcome(FrameOutcome),
}

impl Session {
    async fn run(&mut self, link: &mut Link<ServerMessage, AgentMessage>) -> End {
        loop {
            let may_read = self.in_flight < UNACKNOWLEDGED_FRAMES_MAX;
            let event = tokio::select! {
                Some(outcome) = self.received.recv() => Event::Outcome(outcome),
                message = link.receive(), if may_read => Event::Message(message),
            };
            let went_on = match event {
                Event::Message(None) => Err(End::Left),
                Event::Message(Some(AgentMessage::Frame(message))) => self.frame(message, link).await,
                Event::Message(Some(AgentMessage::Control(control))) => control_message(&control),
                Event::Outcome(outcome) => self.outcome(outcome, link).await,
            };
            if let Err(end) = went_on {
                return end;
            }
        }
    }

    /// Waits for what is under way and acknowledges it.
    async fn finish(&mut self, link: &mut Link<ServerMessage, AgentMessage>) {
        while self.in_flight > 0
            && let Some(outcome) = self.received.recv().await
        {
            if self.outcome(outcome, link).await.is_err() {
                break;
            }
        }
    }

    async fn frame(&mut self, message: FrameMessage, link: &Link<ServerMessage, AgentMessage>) -> Result<(), End> {
        let sequence = message.sequence;
        if let Some(from) = self.key_wanted_from {
            if !is_key(&message) {
                return self.ask_for_key(from, link).await;
            }
            if sequence < from {
                return Ok(());
            }
            (self.key_wanted_from, self.key_was_asked_for) = (None, false);
        } else if sequence <= self.last_forwarded {
            // Sent again: what is durable of it is acknowledged already, the rest will be.
            return Ok(());
        }
        self.last_forwarded = sequence;
        self.in_flight += 1;
        let origin = FrameOrigin { stream: self.stream, sequence };
        let incoming = IncomingFrame { host: self.host, origin, frame: message.frame };
        if self.app.ingest.frame(incoming, &self.outcomes).await {
            Ok(())
        } else {
            self.in_flight -= 1;
            Err(busy("The server is ending."))
        }
    }

    async fn outcome(&mut self, first: FrameOutcome, link: &Link<ServerMessage, AgentMessage>) -> Result<(), End> {
        let mut highest = self.acknowledged;
        let mut next = Some(first);
        let mut went_on = Ok(());
        while let Some(outcome) = next {
            self.in_flight = self.in_flight.saturating_sub(1);
            match outcome.outcome {
                Ok(Appended::Stored(_) | Appended::Duplicate(_)) => highest = highest.max(outcome.sequence),
                Ok(Appended::KeyframeNeeded) => self.want_key(outcome.sequence),
                Ok(Appended::Refused(text)) => {
                    went_on = Err(invalid(&format!("Frame {} makes no sense: {text}", outcome.sequence)));
                }
                Err(IngestFailure::Unavailable(text)) => went_on = Err(busy(&text)),
                Err(IngestFailure::Failed) => went_on = Err(busy("The server could not write. Its log says more.")),
            }
            if went_on.is_err() {
                break;
            }
            next = self.received.try_recv().ok();
        }
        self.acknowledge(highest, link).await?;
        went_on?;
        match self.key_wanted_from {
            Some(from) if from > self.acknowledged => self.ask_for_key(from, link).await,
            _ => Ok(()),
        }
    }

    async fn acknowledge(&mut self, highest: u64, link: &Link<ServerMessage, AgentMessage>) -> Result<(), End> {
        if highest <= self.acknowledged {
            return Ok(());
        }
        self.acknowledged = highest;
        link.send(FromServer::Acknowledged { sequence: highest }).await.map_err(|_| End::Left)
    }

    fn want_key(&mut self, sequence: u64) {
        // Those behind it that were under way already fail alike: the first one counts.
        if self.key_wanted_from.is_none() && sequence > self.acknowledged {
            (self.key_wanted_from, self.key_was_asked_for) = (Some(sequence), false);
        }
    }

    async fn ask_for_key(&mut self, sequence: u64, link: &Link<ServerMessage, AgentMessage>) -> Result<(), End> {
        if self.key_was_asked_for {
            return Ok(());
        }
        self.key_was_asked_for = true;
        link.send(FromServer::KeyframeNeeded { sequence }).await.map_err(|_| End::Left)
    }
}

fn is_key(message: &FrameMessage) -> bool {
    procession_codec::frame::decode(&message.frame).is_ok_and(|frame| frame.kind == FrameKind::Key)
}

fn control_message(control: &FromAgent) -> Result<(), End> {
    match control {
        FromAgent::Hello(_) => Err(invalid("Hello was said already.")),
        FromAgent::Health(health) => {
            tracing::debug!(?health, "agent's health");
            Ok(())
        }
    }
}
