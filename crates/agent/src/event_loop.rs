//! The agent's loop: everything that can wake it is one [`Event`].

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use procession_model::{HostFacts, Timestamp};
use procession_probe::ProbeError;
use procession_protocol::{
    AgentHealth, AgentMessage, AgentSettings, Hello, Link, Refusal, RefusalReason, ServerMessage, VERSION, Welcome,
};
use tokio::sync::mpsc;
use tokio::sync::mpsc::OwnedPermit;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use crate::backoff::Backoff;
use crate::drain_pace::DrainPace;
use crate::sampler::{ProbeSampler, Sampler};
use crate::session::{Outcome, Session};
use crate::storage::{Installation, Storage, random_hex};
use crate::watcher::Watcher;
use crate::{AgentConfig, Connect, ConnectError, INTERVAL_MS_MAX, INTERVAL_MS_MIN};

/// How long an ending agent waits for the last acknowledgements.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an agent that runs once waits in all.
const ONCE_TIMEOUT: Duration = Duration::from_secs(60);
/// Servers may ask for longer; nobody waits longer.
const RETRY_AFTER_MS_MAX: u64 = 300_000;
const HEALTH_PERIOD: Duration = Duration::from_secs(60);

/// Why an agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The machine cannot be sampled.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The machine does not say what it is called.
    #[error("this machine has no name: give one with --hostname")]
    NoHostname,
    /// No random numbers.
    #[error("the operating system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// The server will not take this agent, however often it tries.
    #[error("the server refuses this agent: {0}")]
    Refused(String),
    /// An agent that was to run once could not.
    #[error("the snapshot was not sent: {0}")]
    NotSent(String),
}

/// All that wakes the loop.
enum Event {
    /// It is time for a snapshot.
    Tick,
    /// It is time to take what the kernel has told.
    Drain,
    /// It is time to tell how we are.
    Health,
    /// There is a connection, or a reason why not.
    Connection(Result<Link<AgentMessage, ServerMessage>, ConnectError>),
    /// The connection has room for a message.
    Room(OwnedPermit<AgentMessage>),
    /// The server said something; `None` when the connection has ended.
    Received(Option<ServerMessage>),
    /// The server did not answer, or the time to end in order is over.
    Deadline,
    /// Time to end.
    Shutdown,
}

/// Whether the loop goes on.
enum Flow {
    Go,
    End(Result<(), AgentError>),
}

/// Watches this machine until `shutdown` is ready, then sends what is left and ends.
pub async fn run(
    config: AgentConfig,
    connect: impl Connect,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), AgentError> {
    let sampler = ProbeSampler::new(config.clone())?;
    run_with(Box::new(sampler), config, connect, shutdown).await
}

/// Like [`run`], with snapshots from elsewhere.
pub async fn run_with(
    sampler: Box<dyn Sampler>,
    config: AgentConfig,
    connect: impl Connect,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), AgentError> {
    let mut agent = Agent::new(sampler, &config)?;
    let (wanted, wants) = mpsc::channel(1);
    let (results, mut connections) = mpsc::channel(1);
    let connecting = tokio::spawn(keep_connecting(connect, wants, results));
    agent.want_connection(&wanted);
    let mut shutdown = pin!(shutdown);
    let result = loop {
        let sender = agent.waiting_sender();
        let deadline = agent.deadline();
        let (draining, drain_at) = (agent.draining, agent.drain_at);
        let event = tokio::select! {
            () = &mut shutdown, if !draining => Event::Shutdown,
            _ = agent.ticks.tick(), if !draining => Event::Tick,
            () = sleep_until_some(drain_at), if !draining => Event::Drain,
            _ = agent.health_ticks.tick() => Event::Health,
            Some(connection) = connections.recv(), if agent.session.is_none() => Event::Connection(connection),
            message = receive(&mut agent.session) => Event::Received(message),
            permit = reserve(sender) => permit.map_or(Event::Received(None), Event::Room),
            () = sleep_until_some(deadline) => Event::Deadline,
        };
        match agent.handle(event) {
            Flow::Go => agent.want_connection(&wanted),
            Flow::End(result) => break result,
        }
    };
    connecting.abort();
    agent.watcher.outboxes.end();
    result
}

/// A connection is wanted.
#[derive(Clone, Copy, Debug)]
struct Wish {
    /// The connection before this was welcomed: the next try need not wait long.
    worked: bool,
    /// What the server asked for.
    wait_at_least: Option<Duration>,
}

struct Agent {
    watcher: Watcher,
    session: Option<Session>,
    ticks: Interval,
    health_ticks: Interval,
    drain_pace: DrainPace,
    drain_at: Option<Instant>,
    hostname: String,
    installation: Installation,
    clock_offset_ms: i64,
    once: bool,
    /// A connection was asked for and has not come.
    connecting: bool,
    wish: Wish,
    draining: bool,
    end_at: Option<Instant>,
    last_problem: Option<String>,
}

impl Agent {
    fn new(sampler: Box<dyn Sampler>, config: &AgentConfig) -> Result<Self, AgentError> {
        let hostname = config.hostname.clone().or_else(procession_probe::host_name).ok_or(AgentError::NoHostname)?;
        let now = Timestamp::from_ms(now_ms());
        let Storage { outboxes, losses, installation } = Storage::of(config, &hostname, now)?;
        let mut watcher = Watcher::new(sampler, outboxes, losses);
        if config.once {
            watcher.look();
        }
        let first = if config.once { config.interval } else { Duration::ZERO };
        let drain_at = watcher.drain().map(|_| Instant::now());
        let room = watcher.room();
        Ok(Self {
            watcher,
            session: None,
            ticks: ticks(Instant::now() + first, config.interval),
            health_ticks: ticks(Instant::now() + HEALTH_PERIOD, HEALTH_PERIOD),
            drain_pace: DrainPace::new(room),
            drain_at,
            hostname,
            installation,
            clock_offset_ms: 0,
            once: config.once,
            connecting: false,
            wish: Wish { worked: true, wait_at_least: None },
            draining: false,
            end_at: config.once.then(|| Instant::now() + config.interval + ONCE_TIMEOUT),
            last_problem: None,
        })
    }

    fn handle(&mut self, event: Event) -> Flow {
        match event {
            Event::Tick => self.tick(),
            Event::Drain => self.take_events(),
            Event::Health => self.send_health(),
            Event::Connection(connection) => return self.connection(connection),
            Event::Room(permit) => return self.room(permit),
            Event::Received(Some(message)) => return self.received(message),
            Event::Received(None) => self.disconnect("the connection has ended"),
            Event::Deadline => return self.deadline_passed(),
            Event::Shutdown => self.drain(DRAIN_TIMEOUT),
        }
        self.ended_in_order()
    }

    fn tick(&mut self) {
        let keep = !self.session.as_ref().is_some_and(Session::is_welcomed);
        self.watcher.tick(self.ticks.period(), keep);
        if let Some(session) = &mut self.session {
            session.note_wait(&self.watcher);
        }
        self.drain_at = self.drain_at.map(|_| Instant::now() + self.drain_pace.after_snapshot());
        if self.once && self.watcher.outboxes.has_written() {
            self.draining = true;
        }
    }

    fn take_events(&mut self) {
        let full = self.watcher.drain();
        self.drain_at = full.map(|full| Instant::now() + self.drain_pace.next(full));
    }

    fn connection(&mut self, connection: Result<Link<AgentMessage, ServerMessage>, ConnectError>) -> Flow {
        match connection {
            Ok(link) => {
                self.connecting = false;
                self.session = Some(Session::new(link));
            }
            Err(error) => self.problem(&error.to_string()),
        }
        Flow::Go
    }

    fn room(&mut self, permit: OwnedPermit<AgentMessage>) -> Flow {
        let Some(session) = &mut self.session else { return Flow::Go };
        let hostname = &self.hostname;
        let facts = self.watcher.facts();
        let sending = self.watcher.outboxes.sending();
        let (stream, first_sequence) = (sending.stream.clone(), sending.first_unacknowledged());
        let hello = || Hello {
            protocol: VERSION,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: hostname.clone(),
            agent_id: self.installation.agent_id(),
            boot_id: boot_of(&facts),
            stream,
            first_sequence,
            time_ms: now_ms(),
        };
        let outcome = session.send(permit, hello, &mut self.watcher);
        self.follow(outcome)
    }

    fn received(&mut self, message: ServerMessage) -> Flow {
        let Some(session) = &mut self.session else { return Flow::Go };
        let outcome = session.handle(message, &mut self.watcher);
        match self.follow(outcome) {
            Flow::Go => self.ended_in_order(),
            end @ Flow::End(_) => end,
        }
    }

    fn follow(&mut self, outcome: Outcome) -> Flow {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Welcomed(welcome) => self.welcomed(&welcome),
            Outcome::Settings(settings) => self.apply(&settings),
            Outcome::NextStream => self.disconnect("what an earlier run of the agent left is sent"),
            Outcome::WrittenElsewhere => self.go_on_as_another_stream(),
            Outcome::Broken(reason) => {
                self.wish.worked = false;
                self.problem(reason);
                self.disconnect(reason);
            }
            Outcome::Refused(refusal) => return self.refused(&refusal),
        }
        Flow::Go
    }

    fn welcomed(&mut self, welcome: &Welcome) {
        self.wish = Wish { worked: true, wait_at_least: None };
        self.last_problem = None;
        self.clock_offset_ms = if welcome.time_ms == 0 { 0 } else { welcome.time_ms - now_ms() };
        tracing::info!(hostname = %self.hostname, server_version = %welcome.server_version, "connected");
        self.apply(&welcome.settings);
        self.send_health();
    }

    fn apply(&mut self, settings: &AgentSettings) {
        self.watcher.apply(settings);
        if let Some(interval_ms) = settings.interval_ms {
            let interval = Duration::from_millis(interval_ms.clamp(INTERVAL_MS_MIN, INTERVAL_MS_MAX));
            if interval != self.ticks.period() {
                tracing::info!(interval_ms = interval.as_millis(), "the server set the interval");
                self.ticks = ticks(Instant::now() + interval, interval);
            }
        }
    }

    /// Version and key cannot get better by themselves; but a server may be upgraded, so only a single run gives up.
    fn refused(&mut self, refusal: &Refusal) -> Flow {
        let message: String = refusal.message.chars().filter(|letter| !letter.is_control()).take(500).collect();
        let hint = match refusal.reason {
            RefusalReason::Version => " Use an agent and a server of the same release.",
            RefusalReason::Forbidden => " Use a key for this host name, or set --hostname.",
            _ => "",
        };
        self.wish.worked = false;
        self.wish.wait_at_least = refusal.retry_after_ms.map(|ms| Duration::from_millis(ms.min(RETRY_AFTER_MS_MAX)));
        if refusal.reason == RefusalReason::Clone {
            self.become_another();
        }
        if refusal.reason == RefusalReason::Busy {
            self.problem(&format!("the server cannot take this agent now: {message}"));
        } else {
            self.problem(&format!("the server refuses this agent: {message}{hint}"));
        }
        if self.once {
            return Flow::End(Err(AgentError::Refused(message)));
        }
        self.disconnect("refused");
        Flow::Go
    }

    /// This machine is a copy of one that runs: what waits of earlier lives is the other's, which sends it itself.
    fn become_another(&mut self) {
        match self.installation.renew() {
            Ok(()) => self.watcher.outboxes.forget_earlier(),
            Err(error) => self.problem(&error.to_string()),
        }
    }

    /// Nothing of what waits was taken by the server, whatever it says of the stream.
    fn go_on_as_another_stream(&mut self) {
        self.wish.worked = false;
        match random_hex() {
            Ok(stream) => self.watcher.outboxes.go_on_as(stream),
            Err(error) => self.problem(&error.to_string()),
        }
        self.problem(
            "the server has more of this agent than it has written: this machine is a copy of one that runs, or was set back \
             to an earlier state; the agent sends what it has as another stream",
        );
        self.disconnect("another stream");
    }

    fn disconnect(&mut self, reason: &str) {
        if self.session.take().is_some_and(|session| session.is_welcomed()) {
            tracing::info!(%reason, "disconnected");
            self.watcher.outboxes.sync();
        }
    }

    /// Tells a problem once, not at every try.
    fn problem(&mut self, problem: &str) {
        if self.last_problem.as_deref() != Some(problem) {
            tracing::warn!("{problem}");
            self.last_problem = Some(problem.to_owned());
        }
    }

    fn drain(&mut self, timeout: Duration) {
        self.draining = true;
        self.end_at = Some(Instant::now() + timeout);
    }

    /// An ending agent ends as soon as nothing waits; without a connection there is nothing to wait for.
    fn ended_in_order(&self) -> Flow {
        let nothing_waits = self.watcher.outboxes.waiting() == 0;
        let hopeless = self.session.is_none() && !self.once;
        if self.draining && (nothing_waits || hopeless) { Flow::End(Ok(())) } else { Flow::Go }
    }

    fn deadline_passed(&mut self) -> Flow {
        if self.end_at.is_some_and(|end_at| end_at <= Instant::now()) {
            let reason = self.last_problem.clone().unwrap_or_else(|| "the server did not acknowledge it".to_owned());
            return Flow::End(if self.once { Err(AgentError::NotSent(reason)) } else { Ok(()) });
        }
        self.wish.worked = false;
        self.problem("the server does not answer the agent");
        self.disconnect("no answer");
        Flow::Go
    }

    fn send_health(&self) {
        let Some(session) = &self.session else { return };
        let mut errors = BTreeMap::new();
        if self.watcher.failures > 0 {
            errors.insert("snapshot".to_owned(), self.watcher.failures);
        }
        session.send_health(AgentHealth {
            cpu_time_us: self.watcher.cpu_time_us,
            memory_bytes: self.watcher.memory_bytes(),
            waiting_frames: self.watcher.outboxes.waiting(),
            dropped_frames: self.watcher.outboxes.dropped(),
            clock_offset_ms: self.clock_offset_ms,
            errors,
        });
    }

    fn waiting_sender(&self) -> Option<mpsc::Sender<AgentMessage>> {
        self.session.as_ref().filter(|session| session.wants_to_send(&self.watcher)).map(Session::sender)
    }

    fn deadline(&self) -> Option<Instant> {
        let session = self.session.as_ref().and_then(Session::deadline);
        session.into_iter().chain(self.end_at).min()
    }

    fn want_connection(&mut self, wanted: &mpsc::Sender<Wish>) {
        if self.session.is_none() && !self.connecting && wanted.try_send(self.wish).is_ok() {
            self.connecting = true;
        }
    }
}

/// Connects whenever a connection is wanted, waiting longer from failure to failure.
async fn keep_connecting(
    mut connect: impl Connect,
    mut wants: mpsc::Receiver<Wish>,
    results: mpsc::Sender<Result<Link<AgentMessage, ServerMessage>, ConnectError>>,
) {
    let mut backoff = Backoff::new();
    let mut first = true;
    tracing::info!(server = %connect.target(), "connecting");
    while let Some(wish) = wants.recv().await {
        if wish.worked {
            backoff.reset();
        }
        if !std::mem::take(&mut first) {
            tokio::time::sleep(backoff.wait(wish.wait_at_least)).await;
        }
        loop {
            let result = connect.connect().await;
            let retry_after = match &result {
                Err(ConnectError::Busy { retry_after_seconds: Some(seconds) }) => {
                    Some(Duration::from_secs((*seconds).min(RETRY_AFTER_MS_MAX / 1_000)))
                }
                _ => None,
            };
            let connected = result.is_ok();
            if results.send(result).await.is_err() {
                return;
            }
            if connected {
                break;
            }
            tokio::time::sleep(backoff.wait(retry_after)).await;
        }
    }
}

async fn receive(session: &mut Option<Session>) -> Option<ServerMessage> {
    match session {
        Some(session) => session.receive().await,
        None => std::future::pending().await,
    }
}

async fn reserve(sender: Option<mpsc::Sender<AgentMessage>>) -> Option<OwnedPermit<AgentMessage>> {
    match sender {
        Some(sender) => sender.reserve_owned().await.ok(),
        None => std::future::pending().await,
    }
}

async fn sleep_until_some(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn ticks(first: Instant, period: Duration) -> Interval {
    let mut ticks = interval_at(first, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// What tells this boot from others. Windows only counts its boots, and clones of one image count alike, so the time is added.
fn boot_of(facts: &HostFacts) -> String {
    let boot_id = facts.boot_id.as_deref().unwrap_or_default();
    match facts.boot_time.filter(|_| cfg!(windows)) {
        Some(time) => format!("{boot_id}@{}", time.as_ms() / 1_000),
        None => boot_id.to_owned(),
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
