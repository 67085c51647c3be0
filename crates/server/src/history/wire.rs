//! Parts that several answers have in common.

use std::sync::Arc;

use procession_model::{Description, Exit, Metric, Timestamp};
use procession_store::Run;
use procession_store::analysis::{ProcessAt, Series};
use serde::Serialize;
use utoipa::ToSchema;

/// Which process.
#[derive(Serialize, ToSchema)]
pub(super) struct ProcessName {
    /// Process id.
    #[schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    pid: u32,
    /// When it started, in milliseconds since the epoch.
    start_time: Option<i64>,
    /// Name.
    name: Arc<str>,
    /// User.
    user: Option<Arc<str>>,
    /// Command line.
    command_line: Option<Arc<str>>,
}

impl ProcessName {
    pub(super) fn of(description: &Description) -> Self {
        Self {
            pid: description.identity.pid,
            start_time: description.identity.start.map(Timestamp::as_ms),
            name: Arc::clone(&description.name),
            user: description.user.clone(),
            command_line: description.command_line.clone(),
        }
    }
}

/// A process at one moment. CPU in hundredths of a percent of one core, memory in bytes.
#[derive(Serialize, ToSchema)]
pub(super) struct ProcessMoment {
    #[serde(flatten)]
    process: ProcessName,
    /// Parent as it was reported.
    #[schema(value_type = Option<i64>)]
    parent_pid: Option<u32>,
    /// CPU.
    #[schema(value_type = Option<i64>)]
    cpu: Option<u64>,
    /// Resident memory.
    #[schema(value_type = Option<i64>)]
    memory: Option<u64>,
}

impl ProcessMoment {
    pub(super) fn of(process: &ProcessAt) -> Self {
        Self {
            process: ProcessName::of(&process.description),
            parent_pid: process.description.parent_pid,
            cpu: process.sample.get(Metric::Cpu),
            memory: process.sample.get(Metric::Memory),
        }
    }
}

/// One life of a process.
#[derive(Serialize, ToSchema)]
pub(super) struct Life {
    #[serde(flatten)]
    process: ProcessName,
    /// When it started, or was first seen, in milliseconds since the epoch.
    started_at_ms: i64,
    /// When it ended, or was last seen; null while it runs.
    ended_at_ms: Option<i64>,
    /// By which code it ended.
    exit_code: Option<i32>,
    /// By which signal it ended.
    #[schema(value_type = Option<i32>)]
    signal: Option<u8>,
    /// CPU time of its whole life in microseconds, where its end told.
    #[schema(value_type = Option<i64>)]
    total_cpu_time_us: Option<u64>,
    /// The most memory of its whole life in bytes, where its end told.
    #[schema(value_type = Option<i64>)]
    peak_memory_bytes: Option<u64>,
}

impl Life {
    pub(super) fn of(run: &Run) -> Self {
        let end = run.end.unwrap_or_default();
        let (exit_code, signal) = match end.exit {
            Some(Exit::Code(code)) => (Some(code), None),
            Some(Exit::Signal(signal)) => (None, Some(signal)),
            None => (None, None),
        };
        Self {
            process: ProcessName::of(&run.description),
            started_at_ms: run.started.as_ms(),
            ended_at_ms: (!run.running).then(|| run.ended.as_ms()),
            exit_code,
            signal,
            total_cpu_time_us: end.cpu_time_us,
            peak_memory_bytes: end.peak_memory_bytes,
        }
    }
}

/// Lines of a chart, one array each. CPU in hundredths of a percent of one core, memory and IO in bytes.
#[derive(Serialize, ToSchema)]
pub(super) struct Lines {
    /// The length of a step in milliseconds; 0 where every snapshot is a point.
    #[schema(value_type = i64)]
    step_ms: u64,
    /// The step of the coarsest rollup that was read, in milliseconds; 0 if all came from snapshots.
    #[schema(value_type = i64)]
    rollup_ms: u64,
    /// When, in milliseconds since the epoch.
    time_ms: Vec<i64>,
    /// Mean CPU.
    #[schema(value_type = Vec<Option<i64>>)]
    cpu: Vec<Option<u64>>,
    /// The highest CPU.
    #[schema(value_type = Vec<Option<i64>>)]
    cpu_max: Vec<Option<u64>>,
    /// CPU time in microseconds.
    #[schema(value_type = Vec<i64>)]
    cpu_time_us: Vec<u64>,
    /// Mean resident memory.
    #[schema(value_type = Vec<Option<i64>>)]
    memory: Vec<Option<u64>>,
    /// The highest resident memory.
    #[schema(value_type = Vec<Option<i64>>)]
    memory_max: Vec<Option<u64>>,
    /// Bytes read from storage.
    #[schema(value_type = Vec<Option<i64>>)]
    read_bytes: Vec<Option<u64>>,
    /// Bytes written to storage.
    #[schema(value_type = Vec<Option<i64>>)]
    write_bytes: Vec<Option<u64>>,
    /// Mean number of processes.
    process_count: Vec<f64>,
}

impl Lines {
    pub(super) fn of(series: &Series) -> Self {
        let points = &series.points;
        #[expect(clippy::cast_precision_loss, reason = "counts of samples are far below 2^53")]
        let mean_count = |samples: u64, snapshots: u64| samples as f64 / snapshots.max(1) as f64;
        Self {
            step_ms: series.step_ms,
            rollup_ms: series.rollup_ms,
            time_ms: points.iter().map(|point| point.time.as_ms()).collect(),
            cpu: points.iter().map(|point| point.cpu).collect(),
            cpu_max: points.iter().map(|point| point.cpu_max).collect(),
            cpu_time_us: points.iter().map(|point| point.cpu_time_us).collect(),
            memory: points.iter().map(|point| point.memory_bytes).collect(),
            memory_max: points.iter().map(|point| point.memory_bytes_max).collect(),
            read_bytes: points.iter().map(|point| point.read_bytes).collect(),
            write_bytes: points.iter().map(|point| point.write_bytes).collect(),
            process_count: points.iter().map(|point| mean_count(point.samples, point.snapshots)).collect(),
        }
    }
}
