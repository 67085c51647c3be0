//! What is asked.

use procession_model::Timestamp;

use crate::{HostNumber, Range};

/// Whose processes are added up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Of {
    /// Those with exactly this name.
    Program(String),
    /// Those of exactly this user.
    User(String),
}

/// What is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// CPU time in microseconds.
    CpuTime,
    /// The most resident memory at one snapshot, in bytes.
    MemoryPeak,
    /// Resident memory in bytes, the mean over all snapshots of the range (0 where nothing of it lived).
    MemoryMean,
    /// Resident memory in bytes at the last snapshot of the range less that at the first.
    MemoryGrowth,
    /// Bytes read from and written to storage.
    Io,
    /// Bytes read from storage.
    Read,
    /// Bytes written to storage.
    Write,
}

/// What makes one row of a ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// One process. Brief ones are one row for each program and parent.
    Process,
    /// All processes of one name.
    Program,
    /// All processes of one user.
    User,
    /// A process and all below it. The parent is the one that the process had when it was first seen in the range, so that
    /// what outlives its parent still counts for who started it.
    Subtree,
}

/// Who used most of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopRequest {
    /// On which host.
    pub host: HostNumber,
    /// When.
    pub range: Range,
    /// Of what.
    pub by: Measure,
    /// By whom.
    pub group: Group,
    /// How many rows, at most [`super::ROWS_MAX`].
    pub limit: usize,
}

/// A host at a time: its last snapshot at or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which host.
    pub host: HostNumber,
    /// When.
    pub time: Timestamp,
}

/// Which live processes. All conditions must hold; letters count alike in either case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Each is part of the name, the user or the command line, or is the pid.
    pub words: Vec<String>,
    /// Part of the name; with a `*` in it, a pattern for the whole name.
    pub name: Option<String>,
    /// Part of the user; with a `*` in it, a pattern for the whole user.
    pub user: Option<String>,
    /// The pid.
    pub pid: Option<u32>,
    /// CPU above this, in hundredths of a percent of one core.
    pub cpu_over: Option<u64>,
    /// Resident memory above this, in bytes.
    pub memory_over: Option<u64>,
    /// Only on these hosts; all if absent.
    pub hosts: Option<Vec<HostNumber>>,
}
