//! What an upload may say besides its processes: the host's own counters, what ended, was brief, was lost or could not be
//! read. Few write these (our own export does), so derived types read and write them.

use std::sync::Arc;

use procession_model::{
    Brief, Description, End, Ended, Exit, FieldError, FieldErrorReason, HostMetric, HostSample, Identity, Loss,
    LossKind, Timestamp,
};
use serde::de::MapAccess;
use serde::{Deserialize, Serialize};

use super::COUNT_MAX;
use super::draft::Draft;
use super::scalar::Problem;
use crate::time_text;

/// The most entries that each of these lists may have.
pub(super) const EXTRAS_MAX: usize = 100_000;

/// Which of them.
#[derive(Clone, Copy)]
pub(super) enum Extra {
    Host,
    Ended,
    Brief,
    Losses,
    FieldErrors,
}

impl Extra {
    pub(super) fn named(field: &str) -> Option<Self> {
        Some(match field {
            "host" => Self::Host,
            "ended" => Self::Ended,
            "brief" => Self::Brief,
            "losses" => Self::Losses,
            "field_errors" => Self::FieldErrors,
            _ => return None,
        })
    }
}

/// Reads one of them into the draft.
pub(super) fn read<'de, A: MapAccess<'de>>(map: &mut A, extra: Extra, draft: &mut Draft<'_>) -> Result<(), A::Error> {
    let problem = match extra {
        Extra::Host => map.next_value::<HostJson>()?.into_sample().map(|sample| draft.host = sample).err(),
        Extra::Ended => list(map.next_value()?, EndedJson::into_ended).map(|list| draft.ended = list).err(),
        Extra::Brief => list(map.next_value()?, EndedJson::into_brief).map(|list| draft.brief = list).err(),
        Extra::Losses => list(map.next_value()?, LossJson::into_loss).map(|list| draft.losses = list).err(),
        Extra::FieldErrors => {
            list(map.next_value()?, FieldErrorJson::into_error).map(|list| draft.field_errors = list).err()
        }
    };
    if let Some(problem) = problem {
        let field = match extra {
            Extra::Host => "host",
            Extra::Ended => "ended",
            Extra::Brief => "brief",
            Extra::Losses => "losses",
            Extra::FieldErrors => "field_errors",
        };
        draft.problem(None, field, problem);
    }
    Ok(())
}

fn list<J, T>(items: Option<Vec<J>>, into: impl Fn(J) -> Result<T, Problem>) -> Result<Vec<T>, Problem> {
    let items = items.unwrap_or_default();
    if items.len() > EXTRAS_MAX {
        return Err(format!("Ensure this field has no more than {EXTRAS_MAX} elements.").into());
    }
    items.into_iter().map(into).collect()
}

/// The host's own counters; CPU in percent of one core.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HostJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_iowait: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_steal: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_used_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    swap_used_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forks: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_cpu_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_memory_bytes: Option<u64>,
}

impl HostJson {
    pub(super) fn of(sample: &HostSample) -> Self {
        let count = |metric| sample.get(metric);
        #[expect(clippy::cast_precision_loss, reason = "hundredths of what uploads may say are exact in an f64")]
        let hundredths = |metric| sample.get(metric).map(|hundredths| hundredths as f64 / 100.0);
        Self {
            interval_ms: count(HostMetric::IntervalMs),
            cpu: hundredths(HostMetric::Cpu),
            cpu_iowait: hundredths(HostMetric::CpuIoWait),
            cpu_steal: hundredths(HostMetric::CpuSteal),
            memory_used_bytes: count(HostMetric::MemoryUsed),
            swap_used_bytes: count(HostMetric::SwapUsed),
            load: hundredths(HostMetric::Load),
            forks: count(HostMetric::Forks),
            agent_cpu_us: count(HostMetric::AgentCpuMicros),
            agent_memory_bytes: count(HostMetric::AgentMemory),
        }
    }

    fn into_sample(self) -> Result<HostSample, Problem> {
        let counts = [
            (HostMetric::IntervalMs, self.interval_ms),
            (HostMetric::MemoryUsed, self.memory_used_bytes),
            (HostMetric::SwapUsed, self.swap_used_bytes),
            (HostMetric::Forks, self.forks),
            (HostMetric::AgentCpuMicros, self.agent_cpu_us),
            (HostMetric::AgentMemory, self.agent_memory_bytes),
        ];
        let hundredths = [
            (HostMetric::Cpu, self.cpu),
            (HostMetric::CpuIoWait, self.cpu_iowait),
            (HostMetric::CpuSteal, self.cpu_steal),
            (HostMetric::Load, self.load),
        ];
        let mut sample = HostSample::ABSENT;
        for (metric, value) in counts {
            sample = sample.with(metric, value.map(in_range).transpose()?);
        }
        for (metric, value) in hundredths {
            sample = sample.with(metric, value.map(to_hundredths).transpose()?);
        }
        Ok(sample)
    }
}

fn in_range(count: u64) -> Result<u64, Problem> {
    if count <= COUNT_MAX { Ok(count) } else { Err(format!("Numbers are at most {COUNT_MAX}.").into()) }
}

fn to_hundredths(value: f64) -> Result<u64, Problem> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, then is checked")]
    let hundredths = (value * 100.0).round() as u64;
    if value >= 0.0 && hundredths <= COUNT_MAX {
        Ok(hundredths)
    } else {
        Err("Percentages and loads are numbers from 0.".into())
    }
}

/// A process that ended; `count` only where it was brief.
#[derive(Serialize, Deserialize)]
pub(super) struct EndedJson {
    pid: u32,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_pid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command_line: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    executable: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cgroup: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu_time_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peak_memory_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
}

impl EndedJson {
    pub(super) fn of_ended(ended: &Ended) -> Self {
        Self::of(&ended.description, &ended.end, None)
    }

    pub(super) fn of_brief(brief: &Brief) -> Self {
        Self::of(&brief.description, &brief.end, Some(brief.count))
    }

    fn of(description: &Description, end: &End, count: Option<u32>) -> Self {
        let owned = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let (exit_code, signal) = match end.exit {
            Some(Exit::Code(code)) => (Some(code), None),
            Some(Exit::Signal(signal)) => (None, Some(signal)),
            None => (None, None),
        };
        Self {
            pid: description.identity.pid,
            name: description.name.to_string(),
            start_time: description.identity.start.map(time_text::format),
            parent_pid: description.parent_pid,
            command_line: owned(&description.command_line),
            user: owned(&description.user),
            executable: owned(&description.executable),
            cgroup: owned(&description.cgroup),
            ended_at: end.time.map(time_text::format),
            exit_code,
            signal,
            cpu_time_us: end.cpu_time_us,
            peak_memory_bytes: end.peak_memory_bytes,
            count,
        }
    }

    fn into_ended(self) -> Result<Ended, Problem> {
        let end = self.end()?;
        Ok(Ended { description: Arc::new(self.into_description()?), end })
    }

    fn into_brief(self) -> Result<Brief, Problem> {
        let (end, count) = (self.end()?, self.count.unwrap_or(1).max(1));
        Ok(Brief { description: Arc::new(self.into_description()?), end, count })
    }

    fn end(&self) -> Result<End, Problem> {
        let exit = self.signal.map(Exit::Signal).or(self.exit_code.map(Exit::Code));
        Ok(End {
            time: self.ended_at.as_deref().map(time_of).transpose()?,
            exit,
            cpu_time_us: self.cpu_time_us.map(in_range).transpose()?,
            peak_memory_bytes: self.peak_memory_bytes.map(in_range).transpose()?,
        })
    }

    fn into_description(self) -> Result<Description, Problem> {
        let shared = |text: Option<String>| text.map(Arc::from);
        Ok(Description {
            identity: Identity { pid: self.pid, start: self.start_time.as_deref().map(time_of).transpose()? },
            parent_pid: self.parent_pid,
            name: self.name.into(),
            command_line: shared(self.command_line),
            user: shared(self.user),
            executable: shared(self.executable),
            cgroup: shared(self.cgroup),
        })
    }
}

fn time_of(text: &str) -> Result<Timestamp, Problem> {
    time_text::parse(text).ok_or("Times are written as in RFC 3339.".into())
}

/// A gap.
#[derive(Serialize, Deserialize)]
pub(super) struct LossJson {
    kind: String,
    from: String,
    until: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

/// The name of a kind of loss in every answer.
pub(crate) const fn loss_kind_name(kind: LossKind) -> &'static str {
    match kind {
        LossKind::Snapshots => "snapshots",
        LossKind::Events => "events",
        LossKind::Missed => "missed",
    }
}

/// The name of a reason in every answer.
pub(crate) const fn reason_name(reason: FieldErrorReason) -> &'static str {
    match reason {
        FieldErrorReason::Denied => "denied",
        FieldErrorReason::Unsupported => "unsupported",
        FieldErrorReason::Failed => "failed",
    }
}

impl LossJson {
    pub(super) fn of(loss: &Loss) -> Self {
        Self {
            kind: loss_kind_name(loss.kind).to_owned(),
            from: time_text::format(loss.from),
            until: time_text::format(loss.until),
            count: loss.count,
        }
    }

    fn into_loss(self) -> Result<Loss, Problem> {
        let kinds = [LossKind::Snapshots, LossKind::Events, LossKind::Missed];
        let kind = kinds.into_iter().find(|kind| loss_kind_name(*kind) == self.kind);
        Ok(Loss {
            kind: kind.ok_or("A kind of loss is \"snapshots\", \"events\" or \"missed\".")?,
            from: time_of(&self.from)?,
            until: time_of(&self.until)?,
            count: self.count.map(in_range).transpose()?,
        })
    }
}

/// A field that could not be read.
#[derive(Serialize, Deserialize)]
pub(super) struct FieldErrorJson {
    field: String,
    reason: String,
    processes: u32,
}

impl FieldErrorJson {
    pub(super) fn of(error: &FieldError) -> Self {
        let (field, reason) = (error.field.to_string(), reason_name(error.reason).to_owned());
        Self { field, reason, processes: error.processes }
    }

    fn into_error(self) -> Result<FieldError, Problem> {
        let reasons = [FieldErrorReason::Denied, FieldErrorReason::Unsupported, FieldErrorReason::Failed];
        let reason = reasons.into_iter().find(|reason| reason_name(*reason) == self.reason);
        let reason = reason.ok_or("A reason is \"denied\", \"unsupported\" or \"failed\".")?;
        Ok(FieldError { field: self.field.into(), reason, processes: self.processes })
    }
}
