//! What is said on one connection.

use procession_codec::frame::{FIRST_VERSION, decode, encode_version_1};
use procession_protocol::{
    AgentHealth, AgentMessage, FrameMessage, FromAgent, Hello, Link, Refusal, ServerMessage, VERSION, Welcome,
};
use tokio::sync::mpsc;
use tokio::sync::mpsc::OwnedPermit;
use tokio::time::{Duration, Instant};

use crate::watcher::Watcher;

/// How long the server may take to answer the greeting.
const GREETING_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take to say what of the frames arrived that had to be dropped meanwhile; a new connection tells, too.
const ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a server may ask for keyframes before anything it acknowledges. More of it and the two do not understand
/// each other.
const REWINDS_MAX: u32 = 8;

/// One connection.
#[derive(Debug)]
pub(crate) struct Session {
    sender: mpsc::Sender<AgentMessage>,
    receiver: mpsc::Receiver<ServerMessage>,
    phase: Phase,
    /// The newest that the server reads.
    frame_version: u8,
    rewinds: u32,
    /// Nothing can be sent before an acknowledgement, which has to come by then.
    acknowledgement_due: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Has to say hello.
    New,
    /// Has said hello.
    Greeted {
        until: Instant,
    },
    Welcomed,
}

/// What the loop has to do about a message.
#[derive(Debug)]
pub(crate) enum Outcome {
    Nothing,
    Welcomed(Box<Welcome>),
    Settings(procession_protocol::AgentSettings),
    Refused(Refusal),
    /// All of this stream is sent; the next one needs a connection of its own.
    NextStream,
    /// Another machine goes on with this stream.
    WrittenElsewhere,
    /// The server does not keep to the protocol.
    Broken(&'static str),
}

impl Session {
    pub(crate) fn new(link: Link<AgentMessage, ServerMessage>) -> Self {
        let (sender, receiver) = link.split();
        Self {
            sender,
            receiver,
            phase: Phase::New,
            frame_version: FIRST_VERSION,
            rewinds: 0,
            acknowledgement_due: None,
        }
    }

    pub(crate) async fn receive(&mut self) -> Option<ServerMessage> {
        self.receiver.recv().await
    }

    /// For [`Session::send`].
    pub(crate) fn sender(&self) -> mpsc::Sender<AgentMessage> {
        self.sender.clone()
    }

    pub(crate) fn is_welcomed(&self) -> bool {
        self.phase == Phase::Welcomed
    }

    /// Whether there is something to send.
    pub(crate) fn wants_to_send(&self, watcher: &Watcher) -> bool {
        match self.phase {
            Phase::New => true,
            Phase::Greeted { .. } => false,
            Phase::Welcomed => watcher.outboxes.sending().has_next(),
        }
    }

    /// When to give up, if the server says nothing.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Greeted { until } => Some(until),
            Phase::New => None,
            Phase::Welcomed => self.acknowledgement_due,
        }
    }

    /// Looks whether it waits for an acknowledgement: to be called now and then.
    pub(crate) fn note_wait(&mut self, watcher: &Watcher) {
        let waits = self.is_welcomed() && watcher.outboxes.sending().awaits_acknowledgement();
        let due = self.acknowledgement_due.unwrap_or_else(|| Instant::now() + ACKNOWLEDGEMENT_TIMEOUT);
        self.acknowledgement_due = waits.then_some(due);
    }

    /// Sends what comes next.
    pub(crate) fn send(
        &mut self,
        permit: OwnedPermit<AgentMessage>,
        hello: impl FnOnce() -> Hello,
        watcher: &mut Watcher,
    ) -> Outcome {
        if self.phase == Phase::New {
            permit.send(AgentMessage::Control(FromAgent::Hello(hello())));
            self.phase = Phase::Greeted { until: Instant::now() + GREETING_TIMEOUT };
            return Outcome::Nothing;
        }
        match watcher.outboxes.sending_mut().next() {
            Some(message) => {
                permit.send(AgentMessage::Frame(as_version(message, self.frame_version)));
                Outcome::Nothing
            }
            None => next_stream(watcher),
        }
    }

    /// Best effort: the next one will come.
    pub(crate) fn send_health(&self, health: AgentHealth) {
        if self.is_welcomed() && self.sender.try_send(AgentMessage::Control(FromAgent::Health(health))).is_err() {
            tracing::debug!("no room to send how the agent is");
        }
    }

    pub(crate) fn handle(&mut self, message: ServerMessage, watcher: &mut Watcher) -> Outcome {
        match (self.phase, message) {
            (_, ServerMessage::Refusal(refusal)) => Outcome::Refused(refusal),
            (Phase::Greeted { .. }, ServerMessage::Welcome(welcome)) => self.welcome(welcome, watcher),
            (Phase::Welcomed, ServerMessage::Acknowledged { sequence }) => {
                self.rewinds = 0;
                self.acknowledgement_due = None;
                watcher.outboxes.sending_mut().acknowledge(sequence);
                next_stream(watcher)
            }
            (Phase::Welcomed, ServerMessage::KeyframeNeeded { sequence }) => {
                self.rewinds += 1;
                watcher.outboxes.sending_mut().rewind(sequence);
                if self.rewinds > REWINDS_MAX {
                    return Outcome::Broken("the server asks for keyframes again and again");
                }
                Outcome::Nothing
            }
            (Phase::Welcomed, ServerMessage::Settings(settings)) => Outcome::Settings(settings),
            _ => Outcome::Broken("the server sent a message that does not belong there"),
        }
    }

    fn welcome(&mut self, welcome: Welcome, watcher: &mut Watcher) -> Outcome {
        if welcome.protocol != VERSION {
            return Outcome::Broken("the server chose a protocol that this agent does not speak");
        }
        if watcher.outboxes.is_written_elsewhere(welcome.last_sequence) {
            return Outcome::WrittenElsewhere;
        }
        watcher.outboxes.sending_mut().begin(welcome.last_sequence, welcome.resume);
        self.phase = Phase::Welcomed;
        self.frame_version = welcome.frame_version;
        Outcome::Welcomed(Box::new(welcome))
    }
}

/// What was kept is of this agent's version; an older server needs it in one that it reads.
fn as_version(message: FrameMessage, newest: u8) -> FrameMessage {
    if message.frame.first().is_none_or(|version| *version <= newest) {
        return message;
    }
    match decode(&message.frame) {
        Ok(frame) => {
            let mut bytes = Vec::new();
            encode_version_1(&frame, &mut bytes);
            FrameMessage { frame: bytes.into(), ..message }
        }
        Err(error) => {
            tracing::error!(%error, "a frame of this agent cannot be written for an older server");
            message
        }
    }
}

fn next_stream(watcher: &mut Watcher) -> Outcome {
    if watcher.outboxes.go_to_next_stream() { Outcome::NextStream } else { Outcome::Nothing }
}
