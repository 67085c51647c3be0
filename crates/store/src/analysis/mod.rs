//! Questions that look at processes over time: who used it, when did it run, what changed.
//!
//! Each answer is bounded: the request says how many points or rows, [`POINTS_MAX`] and [`ROWS_MAX`] cap that, and what was
//! left out is counted. CPU time is an integral: each sample stands for the interval that ends at it, which is the one the
//! agent measured, or else the time since the snapshot before, up to [`INTERVAL_MS_MAX`]. It is summed in whole tenths of a
//! microsecond, so the same frames give the same answer in whatever order and level they are read.

mod answer;
mod changes;
mod extent;
mod forest;
mod host;
mod hosts_with;
pub(crate) mod kept_names;
mod lives;
mod peaks;
pub(crate) mod piece;
mod plan;
pub(crate) mod raw;
mod request;
mod runs;
mod search;
mod series;
mod service;
mod stretches;
mod top;

pub(crate) use lives::UNTOLD_MS;

use async_trait::async_trait;
use procession_model::Identity;

pub use answer::{
    Changed, Changes, FoundProcess, Gap, HostWith, HostsWith, ProcessAt, ProcessSeries, ProgramOnHost, ProgramRun,
    ProgramRuns, RecentCpu, SearchAnswer, Series, SeriesPoint, Top, TopRow,
};
pub use request::{Group, Measure, Moment, Of, Search, TopRequest};

use crate::{HostNumber, Range, StoreError};

/// Most points of one series.
pub const POINTS_MAX: usize = 20_000;
/// Most snapshots of one answer with the CPU of all processes.
pub const RECENT_MAX: usize = 100;
/// Most rows of one answer.
pub const ROWS_MAX: usize = 10_000;
/// A snapshot without a measured interval stands for the time since the one before it, but never for more.
pub const INTERVAL_MS_MAX: u64 = 600_000;

/// Questions that look at processes over time, on any host and any range.
#[async_trait]
pub trait Analysis: Send + Sync {
    /// One process over a range of its life in at most `points` points; `None` if it was not seen in it. An identity
    /// without a start stands for all processes of that pid whose start is not known.
    async fn process_series(
        &self,
        host: HostNumber,
        identity: Identity,
        range: Range,
        points: usize,
    ) -> Result<Option<ProcessSeries>, StoreError>;
    /// All processes of a program or a user, on one host or all, over a range in at most `points` points.
    async fn series(
        &self,
        host: Option<HostNumber>,
        of: &Of,
        range: Range,
        points: usize,
    ) -> Result<Series, StoreError>;
    /// The CPU of all processes in the last `snapshots` snapshots of a range; `None` if it has none.
    async fn recent_cpu(
        &self,
        host: HostNumber,
        range: Range,
        snapshots: usize,
    ) -> Result<Option<RecentCpu>, StoreError>;
    /// When a program ran: its runs, gaps and restarts, on one host or all. Of all runs, ordered by host and start, those
    /// from `offset` on, at most `limit`.
    async fn program_runs(
        &self,
        host: Option<HostNumber>,
        name: &str,
        range: Range,
        offset: u64,
        limit: usize,
    ) -> Result<ProgramRuns, StoreError>;
    /// Who used most of it.
    async fn top(&self, request: &TopRequest) -> Result<Top, StoreError>;
    /// What is there at `to` and was not at `from`, and the other way round, and what became of the rest. `None` if
    /// there is no snapshot at or before one of them. At most `limit` rows in each of the three lists.
    async fn changes(&self, from: Moment, to: Moment, limit: usize) -> Result<Option<Changes>, StoreError>;
    /// Hosts on which a program of exactly this name ever ran, by their numbers.
    async fn hosts_with(&self, name: &str, range: Range, limit: usize) -> Result<HostsWith, StoreError>;
    /// Searches the newest snapshots of all hosts; highest CPU first.
    async fn search(&self, search: &Search, limit: usize) -> Result<SearchAnswer, StoreError>;
}
