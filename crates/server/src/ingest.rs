//! The one way into the history.
//!
//! One task takes whatever has gathered, writes it in one durable step, and only then answers those who wait: under load
//! a batch grows, at rest a snapshot is written at once, and there is no timer. Uploads are refused when too many wait;
//! agents' connections wait instead, which slows them down.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use procession_model::Snapshot;
use procession_store::{Append, Appended, FrameOrigin, History, HostNumber, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::metrics::{IngestLabels, Metrics, Outcome};

/// The most snapshots in one durable step.
const BATCH_MAX: usize = 4_096;

/// Why something was not kept.
#[derive(Clone, Debug)]
pub(crate) enum IngestFailure {
    /// There is no space, or the store is closing: try again later.
    Unavailable(String),
    /// The store failed; the log says how.
    Failed,
}

/// What became of an agent's frame.
#[derive(Debug)]
pub(crate) struct FrameOutcome {
    pub(crate) sequence: u64,
    pub(crate) outcome: Result<Appended, IngestFailure>,
}

enum Reply {
    Upload(oneshot::Sender<Result<Appended, IngestFailure>>),
    /// Bounded by what the session lets be under way.
    Frame(u64, mpsc::UnboundedSender<FrameOutcome>),
}

struct Item {
    append: Append,
    reply: Reply,
    received: Instant,
}

/// The queue to the one task that writes.
#[derive(Clone)]
pub(crate) struct Ingest {
    queue: mpsc::Sender<Item>,
    closing: CancellationToken,
}

/// A frame on its way in.
pub(crate) struct IncomingFrame {
    pub(crate) host: HostNumber,
    pub(crate) origin: FrameOrigin,
    pub(crate) frame: Bytes,
}

impl Ingest {
    /// Starts the task. It ends after [`Ingest::close`], when all that was queued is written.
    pub(crate) fn start(
        history: Arc<dyn History>,
        metrics: Arc<Metrics>,
        queue_max: usize,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(queue_max);
        let closing = CancellationToken::new();
        let task = tokio::spawn(write_batches(history, metrics, receiver, closing.clone()));
        (Self { queue: sender, closing }, task)
    }

    /// Takes nothing more.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Keeps an uploaded snapshot; returns once it is durable.
    pub(crate) async fn snapshot(&self, host: HostNumber, snapshot: Arc<Snapshot>) -> Result<Appended, ApiError> {
        let (reply, answer) = oneshot::channel();
        let append = Append::Snapshot { host, snapshot };
        let item = Item { append, reply: Reply::Upload(reply), received: Instant::now() };
        self.queue.try_send(item).map_err(|_| ApiError::overloaded())?;
        match answer.await {
            Ok(Ok(appended)) => Ok(appended),
            Ok(Err(IngestFailure::Unavailable(text))) => Err(ApiError::unavailable(text)),
            Ok(Err(IngestFailure::Failed)) => Err(ApiError::internal(&"the history could not be written")),
            Err(_) => Err(ApiError::overloaded()),
        }
    }

    /// Queues an agent's frame, waiting for room; the outcome comes to `reply` once it is durable. False when the server
    /// is ending.
    pub(crate) async fn frame(&self, incoming: IncomingFrame, reply: &mpsc::UnboundedSender<FrameOutcome>) -> bool {
        let IncomingFrame { host, origin, frame } = incoming;
        let reply = Reply::Frame(origin.sequence, reply.clone());
        let item = Item { append: Append::Frame { host, origin, frame }, reply, received: Instant::now() };
        self.queue.send(item).await.is_ok()
    }
}

async fn write_batches(
    history: Arc<dyn History>,
    metrics: Arc<Metrics>,
    mut queue: mpsc::Receiver<Item>,
    closing: CancellationToken,
) {
    let mut items = Vec::with_capacity(BATCH_MAX);
    loop {
        let taken = tokio::select! {
            taken = queue.recv_many(&mut items, BATCH_MAX) => taken,
            () = closing.cancelled(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
        };
        if taken == 0 {
            break;
        }
        metrics.queue.set(i64::try_from(queue.len() + items.len()).unwrap_or(i64::MAX));
        write_batch(&*history, &metrics, &mut items).await;
        metrics.queue.set(i64::try_from(queue.len()).unwrap_or(i64::MAX));
    }
}

async fn write_batch(history: &dyn History, metrics: &Metrics, items: &mut Vec<Item>) {
    let mut waiting = Vec::with_capacity(items.len());
    let batch: Vec<Append> = items
        .drain(..)
        .map(|item| {
            waiting.push((item.reply, item.received));
            item.append
        })
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most some thousand items")]
    metrics.batch_size.observe(batch.len() as f64);
    let mut outcomes = match history.append(batch).await {
        Ok(applied) => applied.outcomes.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(failure_of(&error)); waiting.len()],
    };
    if outcomes.len() != waiting.len() {
        tracing::error!(wanted = waiting.len(), got = outcomes.len(), "the store answered another number of snapshots");
        outcomes = vec![Err(IngestFailure::Failed); waiting.len()];
    }
    for ((reply, received), outcome) in waiting.into_iter().zip(outcomes) {
        metrics.ingest_seconds.observe(received.elapsed().as_secs_f64());
        metrics.snapshots.get_or_create(&IngestLabels { outcome: label_of(&outcome) }).inc();
        answer(reply, outcome);
    }
}

/// Whoever waited may be gone: what was kept stays kept.
fn answer(reply: Reply, outcome: Result<Appended, IngestFailure>) {
    match reply {
        Reply::Upload(reply) => drop(reply.send(outcome)),
        Reply::Frame(sequence, reply) => drop(reply.send(FrameOutcome { sequence, outcome })),
    }
}

fn failure_of(error: &StoreError) -> IngestFailure {
    tracing::error!(cause = ?error.to_string(), "a batch could not be written");
    match error {
        StoreError::DiskFull | StoreError::InUse(_) => IngestFailure::Unavailable(error.to_string()),
        _ => IngestFailure::Failed,
    }
}

const fn label_of(outcome: &Result<Appended, IngestFailure>) -> Outcome {
    match outcome {
        Ok(Appended::Stored(_)) => Outcome::Stored,
        Ok(Appended::Duplicate(_)) => Outcome::Duplicate,
        Ok(Appended::KeyframeNeeded) => Outcome::KeyframeNeeded,
        Ok(Appended::Refused(_)) => Outcome::Refused,
        Err(_) => Outcome::Failed,
    }
}
