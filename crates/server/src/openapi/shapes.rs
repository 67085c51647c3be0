//! The shapes of what is read and written by hand, for the document. A test compares real answers with them.
#![expect(dead_code, reason = "only the shapes are used, in the document")]

use serde::Serialize;
use utoipa::ToSchema;

/// A process in an upload. Unknown fields are ignored.
#[derive(ToSchema)]
pub(crate) struct ProcessBody {
    /// Process id; no pid occurs twice in a snapshot.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64)]
    pid: i64,
    /// Name.
    #[schema(max_length = 4096)]
    name: String,
    /// CPU in percent of one core.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    cpu: Option<f64>,
    /// Bytes, or a text such as `"150MB"` or `"1.5 GiB"`.
    memory: Option<Memory>,
    /// Parent; without it a process belongs to the one within whose `children` it stands.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64)]
    parent_pid: Option<i64>,
    /// Children, at most 256 deep; flat lists may be of any depth.
    #[schema(no_recursion)]
    children: Option<Vec<ProcessBody>>,
    /// When it started: RFC 3339, or seconds since the epoch.
    start_time: Option<TimeOrSeconds>,
    /// Command line.
    command_line: Option<String>,
    /// User.
    #[schema(max_length = 4096)]
    user: Option<String>,
    /// Scheduler state, such as `sleeping`.
    #[schema(max_length = 64)]
    state: Option<String>,
    /// Number of threads.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    threads: Option<i64>,
    /// Virtual memory.
    virtual_memory: Option<Memory>,
    /// Bytes read in the interval.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    read_bytes: Option<i64>,
    /// Bytes written in the interval.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    write_bytes: Option<i64>,
    /// Share of the host's memory in percent.
    #[schema(minimum = 0)]
    memory_percent: Option<f64>,
}

/// An amount of memory.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Memory {
    /// Bytes.
    Bytes(MemoryBytes),
    /// With a unit.
    Text(MemoryText),
}

/// A number of bytes.
#[derive(Serialize, ToSchema)]
#[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
pub(crate) struct MemoryBytes(i64);

/// A number with a unit: B, K, KB, KiB, M, MB, MiB, G, GB, GiB, T, TB, TiB.
#[derive(Serialize, ToSchema)]
#[schema(pattern = "^[0-9]{1,3}(\\.[0-9]{1,6})? ?([KMGT]i?B|[KMGT]|B)$")]
pub(crate) struct MemoryText(String);

/// A moment.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum TimeOrSeconds {
    /// RFC 3339.
    Time(TimeText),
    /// Seconds since the epoch, as psutil gives them.
    Seconds(Seconds),
}

/// A time as in RFC 3339.
#[derive(Serialize, ToSchema)]
#[schema(format = DateTime)]
pub(crate) struct TimeText(String);

/// Seconds since the epoch.
#[derive(Serialize, ToSchema)]
#[schema(minimum = 0, maximum = 253_402_300_799_i64)]
pub(crate) struct Seconds(f64);

/// A snapshot to be kept. Unknown fields are ignored.
#[derive(ToSchema)]
pub(crate) struct UploadBody {
    /// Of which host.
    #[schema(min_length = 1, max_length = 255, pattern = "\\S")]
    hostname: String,
    /// When it was taken.
    #[schema(format = DateTime)]
    snapshot_time: String,
    /// The processes: nested, flat, or a mixture.
    processes: Vec<ProcessBody>,
    /// Number of CPUs.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64)]
    cpu_count: Option<i64>,
    /// Memory in bytes, or with a unit.
    memory_total: Option<Memory>,
    /// When the host booted: RFC 3339, or seconds since the epoch.
    boot_time: Option<TimeOrSeconds>,
    /// Operating system.
    #[schema(max_length = 4096)]
    os: Option<String>,
    /// Version of the agent.
    #[schema(max_length = 4096)]
    agent_version: Option<String>,
}

/// An upload's answer.
#[derive(ToSchema)]
pub(crate) struct Uploaded {
    /// For people.
    message: String,
    /// The snapshot's number.
    #[schema(minimum = 1, maximum = 4_503_599_627_370_495_i64)]
    snapshot_id: Option<i64>,
}

/// A process in a snapshot. Fields that were not given are absent or null.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProcessNode {
    /// Process id.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64)]
    pid: i64,
    /// Name.
    name: String,
    /// CPU in percent of one core.
    cpu: Option<f64>,
    /// Memory in MB, such as `150MB`, with at most two decimals.
    memory: Option<String>,
    /// The same exactly.
    memory_bytes: Option<i64>,
    /// Parent as it was reported.
    parent_pid: Option<i64>,
    /// When it started.
    #[schema(format = DateTime, nullable = false)]
    start_time: Option<String>,
    /// Command line.
    #[schema(nullable = false)]
    command_line: Option<String>,
    /// User.
    #[schema(nullable = false)]
    user: Option<String>,
    /// Executable.
    #[schema(nullable = false)]
    executable: Option<String>,
    /// Control group.
    #[schema(nullable = false)]
    cgroup: Option<String>,
    /// Scheduler state.
    #[schema(nullable = false)]
    state: Option<String>,
    /// Number of threads.
    #[schema(nullable = false)]
    threads: Option<i64>,
    /// Virtual memory in bytes.
    #[schema(nullable = false)]
    virtual_memory: Option<i64>,
    /// Bytes read in the interval.
    #[schema(nullable = false)]
    read_bytes: Option<i64>,
    /// Bytes written in the interval.
    #[schema(nullable = false)]
    write_bytes: Option<i64>,
    /// Share of the host's memory in percent, as it was sent.
    #[schema(nullable = false)]
    memory_percent: Option<f64>,
    /// Children.
    #[schema(no_recursion)]
    children: Vec<ProcessNode>,
}

/// A snapshot.
#[derive(ToSchema)]
pub(crate) struct SnapshotDetail {
    /// Its number.
    #[schema(minimum = 1, maximum = 4_503_599_627_370_495_i64)]
    snapshot_id: i64,
    /// Of which host.
    hostname: String,
    /// When it was taken.
    #[schema(format = DateTime)]
    timestamp: String,
    /// Processes as trees.
    processes: Vec<ProcessNode>,
}

/// A snapshot in the shape of an upload.
#[derive(Serialize, ToSchema)]
pub(crate) struct SnapshotInUploadShape {
    /// Its number.
    #[schema(minimum = 1, maximum = 4_503_599_627_370_495_i64)]
    snapshot_id: i64,
    /// Of which host.
    hostname: String,
    /// When it was taken.
    #[schema(format = DateTime)]
    snapshot_time: String,
    /// Processes as trees.
    processes: Vec<ProcessNode>,
}

/// One snapshot where a host was named, else one of each host.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum LatestSnapshots {
    /// Of the named host.
    One(SnapshotInUploadShape),
    /// Of each host.
    All(Vec<SnapshotInUploadShape>),
}

/// A snapshot in a list.
#[derive(ToSchema)]
pub(crate) struct SnapshotListEntry {
    /// Its number.
    #[schema(minimum = 1, maximum = 4_503_599_627_370_495_i64)]
    snapshot_id: i64,
    /// Of which host.
    hostname: String,
    /// When it was taken.
    #[schema(format = DateTime)]
    timestamp: String,
}

/// A snapshot as a point of a chart.
#[derive(ToSchema)]
pub(crate) struct SeriesPoint {
    /// Its number.
    #[schema(minimum = 1, maximum = 4_503_599_627_370_495_i64)]
    snapshot_id: i64,
    /// When it was taken.
    #[schema(format = DateTime)]
    timestamp: String,
    /// The processes' CPU in percent of one core.
    cpu: f64,
    /// The processes' resident memory in bytes.
    memory_bytes: i64,
    /// How many processes.
    process_count: i64,
    /// Processes as trees, where asked for.
    #[schema(nullable = false)]
    processes: Option<Vec<ProcessNode>>,
}

/// A snapshot as columns: arrays of the same length, one entry a process.
#[derive(ToSchema)]
pub(crate) struct SnapshotColumns {
    /// Always `key`.
    r#type: String,
    /// Its number.
    snapshot_id: i64,
    /// Of which host.
    hostname: String,
    /// When it was taken.
    #[schema(format = DateTime)]
    timestamp: String,
    /// The same in milliseconds since the epoch.
    time_ms: i64,
    /// What rarely changes of the host.
    #[schema(value_type = Object)]
    facts: (),
    /// The host's own counters.
    #[schema(value_type = Object)]
    host: (),
    /// The snapshot before, where a past one was asked for.
    previous_id: Option<i64>,
    /// The snapshot after.
    next_id: Option<i64>,
    /// One array a field: slot, pid, start_time, parent_pid, name, command_line, user, executable, cgroup, cpu, memory,
    /// virtual_memory, threads, state, read_bytes, write_bytes, memory_percent.
    #[schema(value_type = Object)]
    columns: (),
    /// Processes that ended since the snapshot before.
    #[schema(value_type = Vec<Object>)]
    ended: Vec<()>,
    /// Processes that began and ended since the snapshot before.
    #[schema(value_type = Vec<Object>)]
    brief: Vec<()>,
    /// What was lost before the snapshot.
    #[schema(value_type = Vec<Object>)]
    losses: Vec<()>,
    /// What could not be read.
    #[schema(value_type = Vec<Object>)]
    field_errors: Vec<()>,
}

/// Whether one is signed in.
#[derive(ToSchema)]
pub(crate) struct SessionState {
    /// Always true.
    signed_in: bool,
    /// Until when; null for a key.
    #[schema(format = DateTime)]
    expires: Option<String>,
}

/// A process of a system.
#[derive(ToSchema)]
pub(crate) struct SystemProcessBody {
    /// Process id; no pid occurs twice.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64)]
    pid: i64,
    /// Name.
    #[schema(max_length = 4096)]
    name: String,
    /// CPU in percent of one core.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    cpu_percent: Option<f64>,
    /// Share of the memory in percent.
    #[schema(minimum = 0)]
    memory_percent: Option<f64>,
}

/// The processes of a system.
#[derive(ToSchema)]
pub(crate) struct SystemBody {
    /// Which system.
    #[schema(min_length = 1, max_length = 255, pattern = "\\S")]
    system_name: String,
    /// Its processes.
    processes: Vec<SystemProcessBody>,
}

/// Data was received.
#[derive(ToSchema)]
pub(crate) struct SystemReceived {
    /// Always true.
    success: bool,
    /// For people.
    message: String,
}

/// A page of process samples.
#[derive(ToSchema)]
pub(crate) struct SystemPage {
    /// How many there are in all.
    count: i64,
    /// Address of the next page.
    next: Option<String>,
    /// Address of the page before.
    previous: Option<String>,
    /// This page.
    results: SystemResults,
}

/// Process samples.
#[derive(ToSchema)]
pub(crate) struct SystemResults {
    /// Always true.
    success: bool,
    /// By time, system and pid.
    data: Vec<SystemSample>,
}

/// One process at one time.
#[derive(ToSchema)]
pub(crate) struct SystemSample {
    /// A number that is always the same for this sample.
    id: i64,
    /// Of which system.
    system: SystemName,
    /// Process id.
    pid: i64,
    /// Name.
    name: String,
    /// CPU in percent of one core.
    cpu_percent: Option<f64>,
    /// Share of the memory in percent.
    memory_percent: Option<f64>,
    /// When.
    #[schema(format = DateTime)]
    timestamp: String,
}

/// A system by its name.
#[derive(ToSchema)]
pub(crate) struct SystemName {
    /// The name.
    name: String,
}

/// How long a program ran.
#[derive(ToSchema)]
pub(crate) struct ProgramDuration {
    /// Always true.
    success: bool,
    /// The time in which at least one process of the name ran.
    duration_seconds: f64,
    /// The same for people.
    duration_human_readable: String,
    /// Each process by its start; the newest 10,000.
    runs: Vec<ProgramRun>,
}

/// One life of a process.
#[derive(ToSchema)]
pub(crate) struct ProgramRun {
    /// Process id.
    pid: i64,
    /// When it started, or was first seen.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ended, or was last seen; null while it runs.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// How long.
    duration_seconds: f64,
}
