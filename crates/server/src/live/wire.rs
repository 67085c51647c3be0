//! The messages of the live view and the columns of a past moment, as the page reads them. One array a column is several
//! times quicker to read in a browser than one object a process.

use procession_codec::{Frame, HostState};
use procession_model::{
    Brief, Description, End, Ended, Exit, FieldError, HostFacts, HostMetric, HostSample, Loss, Metric, Process,
    ProcessState, SnapshotId, Timestamp,
};
use serde::Serialize;

use crate::time_text;
use crate::upload::{loss_kind_name, reason_name};

/// What a key message says besides the processes.
pub(crate) struct KeyContext<'a> {
    pub(crate) id: SnapshotId,
    pub(crate) hostname: &'a str,
    pub(crate) time: Timestamp,
    pub(crate) facts: &'a HostFacts,
    pub(crate) host: &'a HostSample,
    pub(crate) ended: &'a [Ended],
    pub(crate) brief: &'a [Brief],
    pub(crate) losses: &'a [Loss],
    pub(crate) field_errors: &'a [FieldError],
    pub(crate) previous_id: Option<SnapshotId>,
    pub(crate) next_id: Option<SnapshotId>,
}

#[derive(Serialize)]
struct KeyJson<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    snapshot_id: u64,
    hostname: &'a str,
    timestamp: String,
    time_ms: i64,
    facts: FactsJson<'a>,
    host: HostJson,
    previous_id: Option<u64>,
    next_id: Option<u64>,
    columns: Columns<'a>,
    ended: Vec<EndedJson<'a>>,
    brief: Vec<EndedJson<'a>>,
    losses: Vec<LossJson>,
    field_errors: Vec<FieldErrorJson<'a>>,
}

#[derive(Serialize)]
struct DeltaJson<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    snapshot_id: u64,
    timestamp: String,
    time_ms: i64,
    host: HostJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<FactsJson<'a>>,
    ended: Vec<EndedSlotJson>,
    began: DescriptionColumns<'a>,
    changes: ChangesJson<'a>,
    brief: Vec<EndedJson<'a>>,
    losses: Vec<LossJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field_errors: Option<Vec<FieldErrorJson<'a>>>,
}

#[derive(Serialize)]
struct FactsJson<'a> {
    cpu_count: Option<u32>,
    memory_total: Option<u64>,
    boot_time: Option<String>,
    os: Option<&'a str>,
    architecture: Option<&'a str>,
    agent_version: Option<&'a str>,
    collector: Option<&'a str>,
}

/// CPU in hundredths of a percent of one core, load in hundredths.
#[derive(Serialize)]
struct HostJson {
    interval_ms: Option<u64>,
    cpu: Option<u64>,
    cpu_iowait: Option<u64>,
    cpu_steal: Option<u64>,
    memory_used_bytes: Option<u64>,
    swap_used_bytes: Option<u64>,
    load: Option<u64>,
    forks: Option<u64>,
    agent_cpu_us: Option<u64>,
    agent_memory_bytes: Option<u64>,
}

#[derive(Default, Serialize)]
struct DescriptionColumns<'a> {
    slot: Vec<u32>,
    pid: Vec<u32>,
    start_time: Vec<Option<i64>>,
    parent_pid: Vec<Option<u32>>,
    name: Vec<&'a str>,
    command_line: Vec<Option<&'a str>>,
    user: Vec<Option<&'a str>>,
    executable: Vec<Option<&'a str>>,
    cgroup: Vec<Option<&'a str>>,
}

#[derive(Default, Serialize)]
struct Columns<'a> {
    #[serde(flatten)]
    descriptions: DescriptionColumns<'a>,
    cpu: Vec<Option<u64>>,
    memory: Vec<Option<u64>>,
    virtual_memory: Vec<Option<u64>>,
    threads: Vec<Option<u64>>,
    state: Vec<Option<std::sync::Arc<str>>>,
    read_bytes: Vec<Option<u64>>,
    write_bytes: Vec<Option<u64>>,
    memory_percent: Vec<Option<f64>>,
}

#[derive(Serialize)]
struct EndedSlotJson {
    slot: u32,
    #[serde(flatten)]
    end: EndJson,
}

#[derive(Serialize)]
struct EndedJson<'a> {
    pid: u32,
    start_time: Option<i64>,
    name: &'a str,
    command_line: Option<&'a str>,
    user: Option<&'a str>,
    parent_pid: Option<u32>,
    #[serde(flatten)]
    end: EndJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
}

#[derive(Serialize)]
struct EndJson {
    ended_at_ms: Option<i64>,
    exit_code: Option<i32>,
    signal: Option<u8>,
    cpu_time_us: Option<u64>,
    peak_memory_bytes: Option<u64>,
}

#[derive(Serialize)]
struct LossJson {
    kind: &'static str,
    from_ms: i64,
    until_ms: i64,
    count: Option<u64>,
}

#[derive(Serialize)]
struct FieldErrorJson<'a> {
    field: &'a str,
    reason: &'static str,
    processes: u32,
}

#[derive(Default, Serialize)]
struct ChangesJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Change<'a, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Change<'a, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_memory: Option<Change<'a, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<Change<'a, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Change<'a, std::sync::Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_bytes: Option<Change<'a, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    write_bytes: Option<Change<'a, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_percent: Option<Change<'a, f64>>,
}

#[derive(Serialize)]
struct Change<'a, T> {
    slots: &'a [u32],
    values: Vec<Option<T>>,
}

/// All processes of one moment. Each comes with its slot, by which later changes name it.
pub(crate) fn key_message(context: &KeyContext<'_>, processes: &[(u32, Process)]) -> Vec<u8> {
    let mut columns = Columns::default();
    for (slot, process) in processes {
        columns.descriptions.push(*slot, &process.description);
        columns.push_sample(process);
    }
    let message = KeyJson {
        kind: "key",
        snapshot_id: context.id.number(),
        hostname: context.hostname,
        timestamp: time_text::format(context.time),
        time_ms: context.time.as_ms(),
        facts: facts_json(context.facts),
        host: host_json(context.host),
        previous_id: context.previous_id.map(SnapshotId::number),
        next_id: context.next_id.map(SnapshotId::number),
        columns,
        ended: context.ended.iter().map(|ended| ended_json(&ended.description, &ended.end, None)).collect(),
        brief: context.brief.iter().map(brief_json).collect(),
        losses: context.losses.iter().map(loss_json).collect(),
        field_errors: context.field_errors.iter().map(field_error_json).collect(),
    };
    let mut out = Vec::with_capacity(256 + processes.len() * 160);
    crate::json_text::value(&mut out, &message);
    out
}

/// The key message of a state.
pub(super) fn state_message(id: SnapshotId, hostname: &str, state: &HostState) -> Vec<u8> {
    let processes: Vec<_> = state.processes().collect();
    let context = KeyContext {
        id,
        hostname,
        time: state.time(),
        facts: state.facts(),
        host: state.host(),
        ended: state.ended(),
        brief: state.brief(),
        losses: state.losses(),
        field_errors: state.field_errors(),
        previous_id: None,
        next_id: None,
    };
    key_message(&context, &processes)
}

/// The changes of one frame.
pub(super) fn delta_message(id: SnapshotId, frame: &Frame) -> Vec<u8> {
    let mut began = DescriptionColumns::default();
    for process in &frame.began {
        began.push(process.slot, &process.description);
    }
    let message = DeltaJson {
        kind: "delta",
        snapshot_id: id.number(),
        timestamp: time_text::format(frame.time),
        time_ms: frame.time.as_ms(),
        host: host_json(&frame.host),
        facts: frame.facts.as_deref().map(facts_json),
        ended: frame.ended.iter().map(|(slot, end)| EndedSlotJson { slot: *slot, end: end_json(end) }).collect(),
        began,
        changes: changes_json(frame),
        brief: frame.brief.iter().map(brief_json).collect(),
        losses: frame.losses.iter().map(loss_json).collect(),
        field_errors: frame.field_errors.as_ref().map(|errors| errors.iter().map(field_error_json).collect()),
    };
    let mut out = Vec::with_capacity(1_024);
    crate::json_text::value(&mut out, &message);
    out
}

impl<'a> DescriptionColumns<'a> {
    fn push(&mut self, slot: u32, description: &'a Description) {
        self.slot.push(slot);
        self.pid.push(description.identity.pid);
        self.start_time.push(description.identity.start.map(Timestamp::as_ms));
        self.parent_pid.push(description.parent_pid);
        self.name.push(&description.name);
        self.command_line.push(description.command_line.as_deref());
        self.user.push(description.user.as_deref());
        self.executable.push(description.executable.as_deref());
        self.cgroup.push(description.cgroup.as_deref());
    }
}

impl Columns<'_> {
    fn push_sample(&mut self, process: &Process) {
        let sample = &process.sample;
        self.cpu.push(sample.get(Metric::Cpu));
        self.memory.push(sample.get(Metric::Memory));
        self.virtual_memory.push(sample.get(Metric::VirtualMemory));
        self.threads.push(sample.get(Metric::Threads));
        self.state.push(sample.state().map(ProcessState::name));
        self.read_bytes.push(sample.get(Metric::ReadBytes));
        self.write_bytes.push(sample.get(Metric::WriteBytes));
        self.memory_percent.push(sample.memory_percent());
    }
}

fn changes_json(frame: &Frame) -> ChangesJson<'_> {
    fn change<T>(frame: &Frame, metric: Metric, value: impl Fn(u64) -> Option<T>) -> Option<Change<'_, T>> {
        let changes = &frame.changes[metric.index()];
        let known = |raw: &u64| if *raw == Metric::ABSENT { None } else { value(*raw) };
        let values = || changes.values.iter().map(known).collect();
        (!changes.slots.is_empty()).then(|| Change { slots: &changes.slots, values: values() })
    }
    ChangesJson {
        cpu: change(frame, Metric::Cpu, Some),
        memory: change(frame, Metric::Memory, Some),
        virtual_memory: change(frame, Metric::VirtualMemory, Some),
        threads: change(frame, Metric::Threads, Some),
        state: change(frame, Metric::State, |code| ProcessState::from_local_code(code).map(ProcessState::name)),
        read_bytes: change(frame, Metric::ReadBytes, Some),
        write_bytes: change(frame, Metric::WriteBytes, Some),
        memory_percent: change(frame, Metric::MemoryPercent, |bits| Some(f64::from_bits(bits))),
    }
}

fn facts_json(facts: &HostFacts) -> FactsJson<'_> {
    FactsJson {
        cpu_count: facts.cpu_count,
        memory_total: facts.memory_total_bytes,
        boot_time: facts.boot_time.map(time_text::format),
        os: facts.os.as_deref(),
        architecture: facts.architecture.as_deref(),
        agent_version: facts.agent_version.as_deref(),
        collector: facts.collector.as_deref(),
    }
}

fn host_json(host: &HostSample) -> HostJson {
    HostJson {
        interval_ms: host.get(HostMetric::IntervalMs),
        cpu: host.get(HostMetric::Cpu),
        cpu_iowait: host.get(HostMetric::CpuIoWait),
        cpu_steal: host.get(HostMetric::CpuSteal),
        memory_used_bytes: host.get(HostMetric::MemoryUsed),
        swap_used_bytes: host.get(HostMetric::SwapUsed),
        load: host.get(HostMetric::Load),
        forks: host.get(HostMetric::Forks),
        agent_cpu_us: host.get(HostMetric::AgentCpuMicros),
        agent_memory_bytes: host.get(HostMetric::AgentMemory),
    }
}

fn end_json(end: &End) -> EndJson {
    let (exit_code, signal) = match end.exit {
        Some(Exit::Code(code)) => (Some(code), None),
        Some(Exit::Signal(signal)) => (None, Some(signal)),
        None => (None, None),
    };
    EndJson {
        ended_at_ms: end.time.map(Timestamp::as_ms),
        exit_code,
        signal,
        cpu_time_us: end.cpu_time_us,
        peak_memory_bytes: end.peak_memory_bytes,
    }
}

fn ended_json<'a>(description: &'a Description, end: &End, count: Option<u32>) -> EndedJson<'a> {
    EndedJson {
        pid: description.identity.pid,
        start_time: description.identity.start.map(Timestamp::as_ms),
        name: &description.name,
        command_line: description.command_line.as_deref(),
        user: description.user.as_deref(),
        parent_pid: description.parent_pid,
        end: end_json(end),
        count,
    }
}

fn brief_json(brief: &Brief) -> EndedJson<'_> {
    ended_json(&brief.description, &brief.end, Some(brief.count))
}

fn loss_json(loss: &Loss) -> LossJson {
    let (from_ms, until_ms) = (loss.from.as_ms(), loss.until.as_ms());
    LossJson { kind: loss_kind_name(loss.kind), from_ms, until_ms, count: loss.count }
}

fn field_error_json(error: &FieldError) -> FieldErrorJson<'_> {
    FieldErrorJson { field: &error.field, reason: reason_name(error.reason), processes: error.processes }
}
