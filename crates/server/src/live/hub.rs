//! The task that follows the history for everyone who watches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use procession_model::SnapshotId;
use procession_store::{History, HostNumber, Published, StoreError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fleet::{Fleet, HostEntry};
use super::host_channel::{HostChannel, Joined, text};
use crate::hosts::HostDirectory;
use crate::metrics::Metrics;
use crate::time_text;

/// How many viewers may be joining at once; more wait.
const JOINING_MAX: usize = 256;
/// How many whole snapshots a program may fall behind before its WebSocket is closed.
const SNAPSHOTS_BEHIND_MAX: usize = 32;
/// How many changes of the list of hosts a viewer may fall behind before it gets the whole list.
const HOSTS_BEHIND_MAX: usize = 8;
/// How long a host that nobody watches is kept ready for those who come back.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// How often the list of hosts is told anew.
const HOSTS_INTERVAL: Duration = Duration::from_secs(1);

/// A stored snapshot in the shape of an upload.
pub(crate) struct SnapshotText {
    pub(crate) hostname: Arc<str>,
    pub(crate) text: Utf8Bytes,
}

/// Hosts that changed.
pub(crate) struct HostsChanged {
    pub(crate) entries: Vec<HostEntry>,
    /// The message for those who may see all.
    pub(crate) text: Utf8Bytes,
}

enum Command {
    Join { host: HostNumber, after: Option<SnapshotId>, reply: oneshot::Sender<Result<Option<Joined>, StoreError>> },
    Key { host: HostNumber, reply: oneshot::Sender<Result<Option<Utf8Bytes>, StoreError>> },
}

enum Event {
    Published(Result<Arc<Published>, RecvError>),
    Command(Option<Command>),
    Tick,
    Shutdown,
}

/// What the task needs.
pub(crate) struct HubParts {
    pub(crate) history: Arc<dyn History>,
    pub(crate) hosts: Arc<HostDirectory>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) shutdown: CancellationToken,
}

/// How handlers reach the task.
pub(crate) struct Hub {
    pub(crate) fleet: Arc<Fleet>,
    commands: mpsc::Sender<Command>,
    snapshots: broadcast::Sender<Arc<SnapshotText>>,
    hosts_changed: broadcast::Sender<Arc<HostsChanged>>,
    wanted: Arc<Wanted>,
}

/// Of which hosts whole snapshots are wanted, by how many.
#[derive(Default)]
struct Wanted(Mutex<HashMap<Option<HostNumber>, usize>>);

impl Wanted {
    fn wants(&self, host: HostNumber) -> bool {
        let wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !wanted.is_empty() && (wanted.contains_key(&None) || wanted.contains_key(&Some(host)))
    }
}

/// A program that follows whole snapshots of one host or all.
pub(crate) struct SnapshotFollower {
    pub(crate) receiver: broadcast::Receiver<Arc<SnapshotText>>,
    host: Option<HostNumber>,
    wanted: Arc<Wanted>,
}

impl Drop for SnapshotFollower {
    fn drop(&mut self) {
        let mut wanted = self.wanted.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = wanted.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                wanted.remove(&self.host);
            }
        }
    }
}

impl Hub {
    /// Starts the task; it ends with the server.
    pub(crate) fn start(parts: HubParts) -> Self {
        let (commands, receiver) = mpsc::channel(JOINING_MAX);
        let snapshots = broadcast::channel(SNAPSHOTS_BEHIND_MAX).0;
        let hosts_changed = broadcast::channel(HOSTS_BEHIND_MAX).0;
        let wanted = Arc::new(Wanted::default());
        let follow = parts.history.follow();
        let hub = Self {
            fleet: Arc::clone(&parts.fleet),
            commands,
            snapshots: snapshots.clone(),
            hosts_changed: hosts_changed.clone(),
            wanted: Arc::clone(&wanted),
        };
        let task = HubTask { parts, channels: HashMap::new(), snapshots, hosts_changed, wanted };
        tokio::spawn(task.run(follow, receiver));
        hub
    }

    /// Lets a viewer in; `None` if the host has no snapshot.
    pub(crate) async fn join(&self, host: HostNumber, after: Option<SnapshotId>) -> Result<Option<Joined>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Join { host, after, reply }, answer).await
    }

    /// The key message of a host's newest snapshot.
    pub(crate) async fn key(&self, host: HostNumber) -> Result<Option<Utf8Bytes>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Command::Key { host, reply }, answer).await
    }

    /// Follows whole snapshots of one host or all.
    pub(crate) fn follow_snapshots(&self, host: Option<HostNumber>) -> SnapshotFollower {
        let receiver = self.snapshots.subscribe();
        *self.wanted.0.lock().unwrap_or_else(PoisonError::into_inner).entry(host).or_default() += 1;
        SnapshotFollower { receiver, host, wanted: Arc::clone(&self.wanted) }
    }

    /// Follows the list of hosts.
    pub(crate) fn follow_hosts(&self) -> broadcast::Receiver<Arc<HostsChanged>> {
        self.hosts_changed.subscribe()
    }

    async fn ask<T>(
        &self,
        command: Command,
        answer: oneshot::Receiver<Result<Option<T>, StoreError>>,
    ) -> Result<Option<T>, StoreError> {
        if self.commands.send(command).await.is_err() {
            return Ok(None);
        }
        answer.await.unwrap_or(Ok(None))
    }
}

struct HubTask {
    parts: HubParts,
    channels: HashMap<HostNumber, HostChannel>,
    snapshots: broadcast::Sender<Arc<SnapshotText>>,
    hosts_changed: broadcast::Sender<Arc<HostsChanged>>,
    wanted: Arc<Wanted>,
}

impl HubTask {
    async fn run(mut self, mut follow: broadcast::Receiver<Arc<Published>>, mut commands: mpsc::Receiver<Command>) {
        let shutdown = self.parts.shutdown.clone();
        let mut tick = tokio::time::interval(HOSTS_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                published = follow.recv() => Event::Published(published),
                command = commands.recv() => Event::Command(command),
                _ = tick.tick() => Event::Tick,
                () = shutdown.cancelled() => Event::Shutdown,
            };
            match event {
                Event::Published(Ok(published)) => self.published(&published).await,
                Event::Published(Err(RecvError::Lagged(missed))) => self.restart_all(missed).await,
                Event::Published(Err(RecvError::Closed)) | Event::Command(None) | Event::Shutdown => break,
                Event::Command(Some(command)) => self.command(command).await,
                Event::Tick => self.tick(),
            }
        }
    }

    async fn published(&mut self, published: &Published) {
        self.parts.fleet.published(published, time_text::now());
        let wanted = self.wanted.wants(published.host);
        if published.late {
            if wanted {
                self.send_late_snapshot(published).await;
            }
            return;
        }
        if wanted && !self.channels.contains_key(&published.host) {
            self.open_or_log(published.host).await;
        }
        let Some(channel) = self.channels.get_mut(&published.host) else { return };
        if published.id > channel.id()
            && let Err(error) = channel.advance(published.id, &published.frame)
        {
            tracing::warn!(%error, host = published.host, "a live view does not fit its next frame and begins anew");
            self.restart(published.host).await;
        }
        if wanted && let Some(channel) = self.channels.get(&published.host) {
            self.send_snapshot(channel.hostname(), channel.id(), &channel.state().snapshot());
        }
    }

    async fn send_late_snapshot(&self, published: &Published) {
        let Some(hostname) = self.parts.hosts.name(published.host) else { return };
        match self.parts.history.snapshot(published.id).await {
            Ok(Some(kept)) => self.send_snapshot(&hostname, kept.id, &kept.snapshot),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a late snapshot cannot be read back"),
        }
    }

    fn send_snapshot(&self, hostname: &Arc<str>, id: SnapshotId, snapshot: &procession_model::Snapshot) {
        let mut out = Vec::new();
        crate::snapshot_json::append_upload_shape(hostname, id, snapshot, &mut out);
        let message = SnapshotText { hostname: Arc::clone(hostname), text: text(out) };
        drop(self.snapshots.send(Arc::new(message)));
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Join { host, after, reply } => {
                let opened = self.open(host).await;
                drop(reply.send(opened.map(|()| self.channels.get_mut(&host).map(|channel| channel.join(after)))));
            }
            Command::Key { host, reply } => {
                let opened = self.open(host).await;
                drop(reply.send(opened.map(|()| self.channels.get_mut(&host).map(HostChannel::key))));
            }
        }
    }

    /// Makes sure that a host's channel is there, if the host has a snapshot.
    async fn open(&mut self, host: HostNumber) -> Result<(), StoreError> {
        if self.channels.contains_key(&host) {
            return Ok(());
        }
        let Some(hostname) = self.parts.hosts.name(host) else { return Ok(()) };
        let Some((id, frame)) = self.parts.history.live_frame(host).await? else { return Ok(()) };
        let channel = HostChannel::new(hostname, id, &frame).map_err(|error| StoreError::Failed(Box::new(error)))?;
        self.channels.insert(host, channel);
        Ok(())
    }

    async fn open_or_log(&mut self, host: HostNumber) {
        if let Err(error) = self.open(host).await {
            tracing::warn!(%error, host, "a host cannot be watched");
        }
    }

    async fn restart(&mut self, host: HostNumber) {
        let live = self.parts.history.live_frame(host).await;
        let Some(channel) = self.channels.get_mut(&host) else { return };
        let restarted = match live {
            Ok(Some((id, frame))) => channel.restart(id, &frame).map_err(|error| error.to_string()),
            Ok(None) => Err("it has no snapshot".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = restarted {
            tracing::warn!(error, host, "a host cannot be watched any more");
            self.channels.remove(&host);
        }
    }

    async fn restart_all(&mut self, missed: u64) {
        self.parts.metrics.live_lagged.inc();
        tracing::warn!(missed, "the live view fell behind the history and begins anew");
        let watched: Vec<HostNumber> = self.channels.keys().copied().collect();
        for host in watched {
            self.restart(host).await;
        }
    }

    fn tick(&mut self) {
        let idle_since = Instant::now() - IDLE_MAX;
        let wanted = &self.wanted;
        self.channels.retain(|host, channel| wanted.wants(*host) || !channel.is_idle_since(idle_since));
        self.parts.metrics.hosts.set(i64::try_from(self.parts.fleet.len()).unwrap_or(i64::MAX));
        if self.hosts_changed.receiver_count() == 0 {
            return;
        }
        let entries = self.parts.fleet.take_changed();
        if entries.is_empty() {
            return;
        }
        let text = hosts_message("hosts_changed", &entries);
        drop(self.hosts_changed.send(Arc::new(HostsChanged { entries, text })));
    }
}

/// A message with hosts.
pub(crate) fn hosts_message(kind: &str, entries: &[HostEntry]) -> Utf8Bytes {
    let mut out = Vec::with_capacity(64 + entries.len() * 512);
    out.extend_from_slice(b"{\"type\":");
    crate::json_text::value(&mut out, kind);
    crate::json_text::field(&mut out, "hosts", entries);
    out.push(b'}');
    text(out)
}
