//! Every process of every host at every snapshot.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use procession_codec::Frame;
use procession_model::{Description, HostFacts, HostSample, Loss, Sample, Snapshot, SnapshotId, Timestamp};

use crate::{HostNumber, StoreError};

/// A half-open range of time: `start` is in it, `end` is not. Absent ends are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// From here on.
    pub start: Option<Timestamp>,
    /// Up to before here.
    pub end: Option<Timestamp>,
}

impl Range {
    /// Whether a moment is in it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start.is_none_or(|start| time >= start) && self.end.is_none_or(|end| time < end)
    }

    /// Whether anything between `first` and `last`, both included, is in it.
    pub fn touches(&self, first: Timestamp, last: Timestamp) -> bool {
        self.start.is_none_or(|start| last >= start) && self.end.is_none_or(|end| first < end)
    }
}

/// Where a frame came from: a stream of an agent and its number in it. Lets the store drop what it already has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameOrigin {
    /// The stream.
    pub stream: [u8; 16],
    /// The frame's number in it, from 1.
    pub sequence: u64,
}

/// How far a host has got in the stream that it last sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// The stream and the last sequence that is durable.
    pub origin: FrameOrigin,
    /// Whether the next delta of that stream applies: nothing else was stored for the host since.
    pub resumable: bool,
}

/// Something to keep.
#[derive(Clone, Debug)]
pub enum Append {
    /// A snapshot, as uploads bring it.
    Snapshot {
        /// Of which host.
        host: HostNumber,
        /// What.
        snapshot: Arc<Snapshot>,
    },
    /// A frame, as agents bring it.
    Frame {
        /// Of which host.
        host: HostNumber,
        /// Its place in the agent's stream.
        origin: FrameOrigin,
        /// Its bytes.
        frame: Bytes,
    },
}

/// What became of one [`Append`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is durable under this number.
    Stored(SnapshotId),
    /// The same host and time, or the same frame of the stream, was there already under this number; nothing was stored.
    Duplicate(Option<SnapshotId>),
    /// The frame is a delta against something else than what the host has: send a keyframe.
    KeyframeNeeded,
    /// The frame or snapshot makes no sense; the text says why.
    Refused(String),
}

/// A durable frame, for those who follow a host live. Sent in the order of storing, after it is durable.
#[derive(Clone, Debug)]
pub struct Published {
    /// Of which host.
    pub host: HostNumber,
    /// Number of the snapshot.
    pub id: SnapshotId,
    /// The frame as it was applied: against the state of the host's [`Published`] before this one, unless it is a key.
    pub frame: Arc<Frame>,
    /// True for a snapshot older than the newest one: it changes the history, not the live view.
    pub late: bool,
    /// The sums over the host's processes after this frame, so that an overview of many hosts needs no state of its own.
    pub point: HostPoint,
    /// What is known of the host after this frame.
    pub facts: Arc<HostFacts>,
}

/// What [`History::append`] did.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// One for each [`Append`], in their order.
    pub outcomes: Vec<Appended>,
}

/// A snapshot with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptSnapshot {
    /// Its number.
    pub id: SnapshotId,
    /// What.
    pub snapshot: Arc<Snapshot>,
}

impl KeptSnapshot {
    /// As it is in a list.
    pub fn entry(&self) -> SnapshotEntry {
        SnapshotEntry { id: self.id, time: self.snapshot.time }
    }
}

/// A snapshot in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// Its number.
    pub id: SnapshotId,
    /// When.
    pub time: Timestamp,
}

/// Which snapshot is meant by a time that may lie between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearest {
    /// The last one at or before it.
    AtOrBefore,
    /// The first one at or after it.
    AtOrAfter,
}

/// A host at one snapshot, or over one step of time when the points asked for are fewer than the snapshots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostPoint {
    /// Number of the (last) snapshot.
    pub id: SnapshotId,
    /// When; of a step, its last snapshot.
    pub time: Timestamp,
    /// Sum of the processes' CPU in hundredths of a percent of one core; of a step, the mean.
    pub cpu: u64,
    /// The highest `cpu` of the step.
    pub cpu_max: u64,
    /// Sum of the processes' resident memory in bytes; of a step, the mean.
    pub memory_bytes: u64,
    /// The highest `memory_bytes` of the step.
    pub memory_bytes_max: u64,
    /// Number of processes; of a step, the highest.
    pub process_count: u32,
    /// The host's own counters; of a step, those of its last snapshot, but CPU as mean.
    pub host: HostSample,
}

/// A host over a range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostSeries {
    /// Oldest first.
    pub points: Vec<HostPoint>,
    /// The length of a step in milliseconds; 0 where every snapshot is a point.
    pub step_ms: u64,
    /// The step of the coarsest rollup that was read, in milliseconds; 0 if all came from snapshots.
    pub rollup_ms: u64,
}

/// Which process samples are asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleFilter {
    /// Of which host.
    pub host: Option<HostNumber>,
    /// When.
    pub range: Range,
    /// Of processes with exactly this name.
    pub name: Option<String>,
    /// Of processes of exactly this user.
    pub user: Option<String>,
    /// At least this CPU in hundredths of a percent of one core.
    pub cpu_min: Option<u64>,
    /// At least this share of the host's memory in percent.
    pub memory_percent_min: Option<f64>,
}

/// One process at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleRow {
    /// Of which host.
    pub host: HostNumber,
    /// In which snapshot.
    pub id: SnapshotId,
    /// When.
    pub time: Timestamp,
    /// Which process.
    pub description: Arc<Description>,
    /// What was measured.
    pub sample: Sample,
    /// The share of the host's memory in percent: as it was sent, else computed where the host's memory is known.
    pub memory_percent: Option<f64>,
}

/// Part of a long answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// How many there are in all.
    pub count: u64,
    /// This part.
    pub items: Vec<T>,
}

/// One life of a process, as far as the history saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Which process, as it was last described.
    pub description: Arc<Description>,
    /// When it started, or was first seen where that is not known.
    pub started: Timestamp,
    /// When it ended, or was last seen where that is not known.
    pub ended: Timestamp,
    /// Whether it is in the host's newest snapshot.
    pub running: bool,
    /// How it ended, where known.
    pub end: Option<procession_model::End>,
}

/// How long and how much of the history is kept. The oldest goes first, whole blocks at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// For each level but the last, by the order of [`Stats::levels`], how many milliseconds; `None` for ever. Hours are kept
    /// as long as the level that is kept longest.
    pub keep_ms: [Option<i64>; LEVELS - 1],
    /// How many bytes all blocks, dictionaries, names and the journal may have together; `None` for no cap. The oldest go first:
    /// steps of 15 minutes, of a minute, then snapshots; steps of an hour go last.
    pub bytes_max: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY_MS: i64 = 86_400_000;
        Self { keep_ms: [Some(14 * DAY_MS), Some(90 * DAY_MS), Some(730 * DAY_MS)], bytes_max: None }
    }
}

/// What [`History::retire`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// How many blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How many levels there are: every snapshot, steps of 1 minute, of 15 minutes, of an hour.
pub const LEVELS: usize = 4;

/// What a level of the history holds and costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelStats {
    /// The length of a step in milliseconds; 0 for every snapshot.
    pub step_ms: u64,
    /// How many blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that came in the last day of its history, or in all of it extrapolated to a day.
    pub bytes_a_day: u64,
    /// Its oldest time.
    pub oldest: Option<Timestamp>,
    /// Its newest time.
    pub newest: Option<Timestamp>,
}

/// What the store holds and what it costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Hosts.
    pub hosts: u64,
    /// Snapshots.
    pub snapshots: u64,
    /// Processes in all snapshots together.
    pub process_samples: u64,
    /// Bytes of durable frames not yet sealed.
    pub journal_bytes: u64,
    /// Bytes of blocks.
    pub block_bytes: u64,
    /// Bytes of dictionaries.
    pub dictionary_bytes: u64,
    /// Bytes of rollups.
    pub rollup_bytes: u64,
    /// Bytes of the index of names, which says when each host had a program.
    pub name_bytes: u64,
    /// What each level costs: every snapshot, steps of 1 minute, of 15 minutes, of an hour.
    pub levels: [LevelStats; LEVELS],
    /// Bytes that are left on the disk, where that can be told.
    pub disk_free_bytes: Option<u64>,
    /// How many days the disk lasts at the rate of the last day, nothing being removed meanwhile.
    pub disk_lasts_days: Option<u64>,
    /// Oldest snapshot.
    pub oldest: Option<Timestamp>,
    /// Newest snapshot.
    pub newest: Option<Timestamp>,
}

/// Every process of every host at every snapshot.
///
/// Reading never waits for writing. What is read includes everything that `append` has returned for.
#[async_trait]
pub trait History: Send + Sync {
    /// Keeps everything in the batch in one durable step; returns once it would survive a power cut. On an error nothing
    /// of the batch is kept. Batches are applied in the order of the calls.
    async fn append(&self, batch: Vec<Append>) -> Result<Applied, StoreError>;
    /// Follow what becomes durable. A receiver that lags misses messages and learns of it.
    fn follow(&self) -> tokio::sync::broadcast::Receiver<Arc<Published>>;
    /// Where the host's agent has got to.
    async fn stream_position(&self, host: HostNumber) -> Result<Option<StreamPosition>, StoreError>;
    /// The newest snapshot of a host.
    async fn latest(&self, host: HostNumber) -> Result<Option<KeptSnapshot>, StoreError>;
    /// The keyframe of the newest snapshot: what [`Published`] frames go on from.
    async fn live_frame(&self, host: HostNumber) -> Result<Option<(SnapshotId, Arc<Frame>)>, StoreError>;
    /// What is known of the host now.
    async fn facts(&self, host: HostNumber) -> Result<Option<Arc<HostFacts>>, StoreError>;
    /// A snapshot by its number.
    async fn snapshot(&self, id: SnapshotId) -> Result<Option<KeptSnapshot>, StoreError>;
    /// The snapshot of a host nearest to a time.
    async fn snapshot_at(
        &self,
        host: HostNumber,
        time: Timestamp,
        nearest: Nearest,
    ) -> Result<Option<KeptSnapshot>, StoreError>;
    /// Snapshots of one host or all, by time and then number, oldest first; of those before `before` the last `limit`.
    async fn list(
        &self,
        host: Option<HostNumber>,
        range: Range,
        before: Option<SnapshotId>,
        limit: usize,
    ) -> Result<Vec<SnapshotEntry>, StoreError>;
    /// Whole snapshots of a host in a range, oldest first: those after another one, at most `limit`, fewer where they are
    /// large. Empty only when there are no more.
    async fn scan(
        &self,
        host: HostNumber,
        range: Range,
        after: Option<SnapshotEntry>,
        limit: usize,
    ) -> Result<Vec<KeptSnapshot>, StoreError>;
    /// The newest `limit` snapshots of a host in a range as points, oldest first.
    async fn newest_points(&self, host: HostNumber, range: Range, limit: usize) -> Result<Vec<HostPoint>, StoreError>;
    /// A host over a range in at most `points` points.
    async fn host_series(&self, host: HostNumber, range: Range, points: usize) -> Result<HostSeries, StoreError>;
    /// What of a range is known to be lost, by its beginning; of more than `limit` losses the last ones. Snapshots tell of
    /// losses, so nothing is known of a time whose snapshots retention has taken.
    async fn losses(&self, host: HostNumber, range: Range, limit: usize) -> Result<Vec<Loss>, StoreError>;
    /// Process samples by time, host and pid, oldest first, without the first `offset`.
    async fn samples(&self, filter: &SampleFilter, offset: u64, limit: usize) -> Result<Page<SampleRow>, StoreError>;
    /// All runs of processes of a name on a host, by their start.
    async fn runs(&self, host: HostNumber, name: &str, range: Range) -> Result<Vec<Run>, StoreError>;
    /// What the store holds.
    async fn stats(&self) -> Result<Stats, StoreError>;
    /// Checks every checksum; the damages found, empty if all is well.
    async fn verify(&self) -> Result<Vec<String>, StoreError>;
    /// Seals what is due by `now`.
    async fn seal(&self, now: Timestamp) -> Result<(), StoreError>;
    /// Removes what is older than it may be by `now`, or too much; as much in one call as takes moments.
    async fn retire(&self, now: Timestamp, retention: Retention) -> Result<Retired, StoreError>;
    /// Writes everything down and lets the store go.
    async fn close(&self) -> Result<(), StoreError>;
}
