//! What is answered.

use std::sync::Arc;

use procession_model::{Description, Identity, Sample, SnapshotId, Timestamp};

use crate::{HostNumber, Run, SnapshotEntry};

/// Processes over one step of time, or at one snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeriesPoint {
    /// Time of the last snapshot in the step.
    pub time: Timestamp,
    /// How many snapshots the step has, of all hosts together.
    pub snapshots: u64,
    /// How many processes in all these snapshots together: divided by `snapshots`, the mean number of processes.
    pub samples: u64,
    /// Mean CPU in hundredths of a percent of one core, over the snapshots in which it is known of any process; of
    /// several processes, of their sum. Over several hosts the sum of the hosts' means.
    pub cpu: Option<u64>,
    /// The highest CPU of one snapshot. Of several hosts the sum of what each had at most. Of several processes from a
    /// rollup an estimate: the sum of what each long-lived one had at most, and of short-lived ones the most that one of
    /// a kind had.
    pub cpu_max: Option<u64>,
    /// CPU time in microseconds, with that of processes that ended or were too brief for a snapshot where it is known. What
    /// the end of a process with several names tells counts for none of them, but in a rollup, where it is folded, for the
    /// newest.
    pub cpu_time_us: u64,
    /// Mean resident memory in bytes, as `cpu`.
    pub memory_bytes: Option<u64>,
    /// The highest resident memory of one snapshot in bytes, as `cpu_max`.
    pub memory_bytes_max: Option<u64>,
    /// Bytes read from storage; absent where never known.
    pub read_bytes: Option<u64>,
    /// Bytes written to storage; absent where never known.
    pub write_bytes: Option<u64>,
}

/// Processes over a range, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// The points; steps without a snapshot have none.
    pub points: Vec<SeriesPoint>,
    /// The length of a step in milliseconds, steps beginning at its multiples; 0 where every snapshot is a point.
    pub step_ms: u64,
    /// The step of the coarsest rollup that was read, in milliseconds; 0 if all came from snapshots.
    pub rollup_ms: u64,
}

/// One process over a range.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessSeries {
    /// Its life, as far as it is in the range.
    pub run: Run,
    /// What it did.
    pub series: Series,
}

/// The CPU of processes in some snapshots that follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentCpu {
    /// When the snapshots were taken, oldest first.
    pub times: Vec<Timestamp>,
    /// By pid and start, a value for each snapshot in hundredths of a percent of one core; 0 where the process used none, or
    /// was not there, or its CPU is not known. Those that are 0 throughout are left out.
    pub processes: Vec<(Identity, Vec<u64>)>,
}

/// One run of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramRun {
    /// On which host.
    pub host: HostNumber,
    /// When and how.
    pub run: Run,
    /// How many runs this stands for: brief ones may be counted together, `run` spans them all.
    pub count: u64,
    /// CPU time in the range in microseconds.
    pub cpu_time_us: u64,
    /// The most resident memory in the range in bytes, where known.
    pub memory_bytes_max: Option<u64>,
}

/// A time in which no process of a program ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last one ended.
    pub from: Timestamp,
    /// The next one started.
    pub until: Timestamp,
}

/// A program on one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramOnHost {
    /// Which host.
    pub host: HostNumber,
    /// How many runs.
    pub runs: u64,
    /// How long at least one process of it ran within the range, in milliseconds.
    pub covered_ms: u64,
    /// How long all its processes ran together within the range, in milliseconds; short ones of a rollup count whole.
    pub process_ms: u64,
    /// CPU time in microseconds.
    pub cpu_time_us: u64,
    /// How often it began again after none of it had run: the number of gaps, those that are not listed too.
    pub restarts: u64,
    /// The newest gaps, oldest first; of all hosts of an answer together at most [`super::ROWS_MAX`].
    pub gaps: Vec<Gap>,
}

/// When a program ran.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProgramRuns {
    /// How many runs there are in all (rows, whatever each stands for).
    pub count: u64,
    /// Those asked for.
    pub runs: Vec<ProgramRun>,
    /// Every host with a run in the range.
    pub hosts: Vec<ProgramOnHost>,
}

/// One row of a ranking.
#[derive(Clone, Debug, PartialEq)]
pub struct TopRow {
    /// Name of the process, program or user; absent for processes of which the user is not known.
    pub label: Option<Arc<str>>,
    /// The process, or the root of the subtree.
    pub description: Option<Arc<Description>>,
    /// What it used, in the unit of the measure.
    pub value: i64,
    /// Of a subtree, what the root used by itself; else as `value`.
    pub own: i64,
    /// How many processes are in it. From rollups, those too short for its step are counted as far as they were seen.
    pub processes: u64,
    /// Of a subtree, the row (counted from 0) of the nearest ancestor's subtree. It comes before, so that rows in order
    /// draw an icicle.
    pub parent: Option<usize>,
    /// Whether this stands for processes that ended before any snapshot had them (or, from a rollup, for short ones)
    /// rather than for one that is named.
    pub brief: bool,
}

/// Who used most of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Top {
    /// What the host used, by its own counters; absent where it has none for this.
    pub total: Option<i64>,
    /// What all processes used together.
    pub attributed: i64,
    /// What belongs to nobody: the total less what is attributed, at least 0. Absent as `total`.
    pub unattributed: Option<i64>,
    /// Highest first.
    pub rows: Vec<TopRow>,
    /// How many rows there would be.
    pub count: u64,
    /// How many snapshots were looked at.
    pub snapshots: u64,
    /// The step of the coarsest rollup that was read, in milliseconds; 0 if all came from snapshots.
    pub rollup_ms: u64,
}

/// A process at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessAt {
    /// What stays fixed.
    pub description: Arc<Description>,
    /// What was measured.
    pub sample: Sample,
}

/// A process that is at both moments; on two hosts, two processes with the same name and command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// At the first moment.
    pub before: ProcessAt,
    /// At the second.
    pub after: ProcessAt,
    /// Whether it has another parent now. Always false between two hosts.
    pub moved: bool,
}

/// What changed between two moments.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The snapshot of the first moment.
    pub from: SnapshotEntry,
    /// The snapshot of the second moment.
    pub to: SnapshotEntry,
    /// What is only at the second; most memory first.
    pub began: Vec<ProcessAt>,
    /// What is only at the first; most memory first.
    pub ended: Vec<ProcessAt>,
    /// What is at both and differs; largest change of memory first.
    pub changed: Vec<Changed>,
    /// How many began, with those not listed.
    pub began_count: u64,
    /// How many ended, with those not listed.
    pub ended_count: u64,
    /// How many are at both and differ, with those not listed.
    pub changed_count: u64,
}

/// A host on which a program ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostWith {
    /// Which host.
    pub host: HostNumber,
    /// The first snapshot that knew of it.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// How many processes of it the newest snapshot has.
    pub running: u32,
}

/// Hosts on which a program ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostsWith {
    /// How many there are.
    pub count: u64,
    /// By their numbers, as many as were asked for.
    pub hosts: Vec<HostWith>,
}

/// A live process that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundProcess {
    /// On which host.
    pub host: HostNumber,
    /// In which snapshot.
    pub id: SnapshotId,
    /// When.
    pub time: Timestamp,
    /// Which.
    pub process: ProcessAt,
}

/// Live processes that were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchAnswer {
    /// How many there are.
    pub count: u64,
    /// On how many hosts.
    pub hosts: u64,
    /// As many as were asked for, highest CPU first.
    pub found: Vec<FoundProcess>,
}
