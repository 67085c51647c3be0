//! The fields of a process by their names. An upload has thousands of them, so a name is looked at once.

use std::fmt;

use procession_model::{Metric, Sample};
use serde::de::{DeserializeSeed, Deserializer, Visitor};

use super::draft::ProcessDraft;
use super::scalar::{self, Problem, Scalar};
use super::{COMMAND_LINE_CHARACTERS_MAX, Dialect, NAME_CHARACTERS_MAX};

/// A field that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcessField {
    Pid,
    Name,
    Cpu,
    CpuPercent,
    Memory,
    ParentPid,
    Children,
    StartTime,
    CommandLine,
    User,
    State,
    Threads,
    VirtualMemory,
    ReadBytes,
    WriteBytes,
    MemoryPercent,
    Executable,
    Cgroup,
}

impl ProcessField {
    fn named(name: &str, dialect: Dialect) -> Option<Self> {
        match dialect {
            Dialect::Monitor => Self::of_monitor(name),
            Dialect::System => Self::of_system(name),
        }
    }

    fn of_monitor(name: &str) -> Option<Self> {
        Some(match name {
            "pid" => Self::Pid,
            "name" => Self::Name,
            "cpu" => Self::Cpu,
            "memory" => Self::Memory,
            "parent_pid" => Self::ParentPid,
            "children" => Self::Children,
            "start_time" => Self::StartTime,
            "command_line" => Self::CommandLine,
            "user" => Self::User,
            "state" => Self::State,
            "threads" => Self::Threads,
            "virtual_memory" => Self::VirtualMemory,
            "read_bytes" => Self::ReadBytes,
            "write_bytes" => Self::WriteBytes,
            "memory_percent" => Self::MemoryPercent,
            "executable" => Self::Executable,
            "cgroup" => Self::Cgroup,
            _ => return None,
        })
    }

    fn of_system(name: &str) -> Option<Self> {
        Some(match name {
            "pid" => Self::Pid,
            "name" => Self::Name,
            "cpu_percent" => Self::CpuPercent,
            "memory_percent" => Self::MemoryPercent,
            "user" => Self::User,
            _ => return None,
        })
    }

    /// As it stands in an upload.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pid => "pid",
            Self::Name => "name",
            Self::Cpu => "cpu",
            Self::CpuPercent => "cpu_percent",
            Self::Memory => "memory",
            Self::ParentPid => "parent_pid",
            Self::Children => "children",
            Self::StartTime => "start_time",
            Self::CommandLine => "command_line",
            Self::User => "user",
            Self::State => "state",
            Self::Threads => "threads",
            Self::VirtualMemory => "virtual_memory",
            Self::ReadBytes => "read_bytes",
            Self::WriteBytes => "write_bytes",
            Self::MemoryPercent => "memory_percent",
            Self::Executable => "executable",
            Self::Cgroup => "cgroup",
        }
    }

    /// Sets this field of a process. Children are read elsewhere.
    pub(super) fn set<'b>(self, process: &mut ProcessDraft<'b>, value: Scalar<'b>) -> Result<(), Problem> {
        let long = |value| scalar::text(value, COMMAND_LINE_CHARACTERS_MAX);
        let short = |value| scalar::text(value, NAME_CHARACTERS_MAX);
        let sample = &mut process.sample;
        match self {
            Self::Pid => process.pid = Some(scalar::number_u32(value)?),
            Self::Name => process.name = Some(short(value)?),
            Self::ParentPid => process.parent_pid = scalar::optional(value, scalar::number_u32)?,
            Self::StartTime => process.start = scalar::optional(value, scalar::time_or_seconds)?,
            Self::CommandLine => process.command_line = scalar::optional(value, long)?,
            Self::User => process.user = scalar::optional(value, short)?,
            Self::Executable => process.executable = scalar::optional(value, long)?,
            Self::Cgroup => process.cgroup = scalar::optional(value, long)?,
            Self::Cpu | Self::CpuPercent => measure(sample, Metric::Cpu, scalar::optional(value, scalar::cpu)?),
            Self::Memory => measure(sample, Metric::Memory, scalar::optional(value, scalar::memory)?),
            Self::VirtualMemory => measure(sample, Metric::VirtualMemory, scalar::optional(value, scalar::memory)?),
            Self::Threads => measure(sample, Metric::Threads, scalar::optional(value, scalar::count)?),
            Self::ReadBytes => measure(sample, Metric::ReadBytes, scalar::optional(value, scalar::count)?),
            Self::WriteBytes => measure(sample, Metric::WriteBytes, scalar::optional(value, scalar::count)?),
            Self::MemoryPercent => {
                let percent = scalar::optional(value, scalar::percent)?;
                measure(sample, Metric::MemoryPercent, percent.map(f64::to_bits));
            }
            Self::State => {
                let state = scalar::optional(value, scalar::state)?;
                measure(sample, Metric::State, state.map(|state| u64::from(state.code())));
            }
            Self::Children => {}
        }
        Ok(())
    }
}

fn measure(sample: &mut Sample, metric: Metric, value: Option<u64>) {
    sample.raw_mut()[metric.index()] = value.unwrap_or(Metric::ABSENT);
}

/// Reads the name of a field, without a copy; `None` for one that is not kept.
pub(super) struct FieldSeed(pub(super) Dialect);

impl<'de> DeserializeSeed<'de> for FieldSeed {
    type Value = Option<ProcessField>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldSeed {
    type Value = Option<ProcessField>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(ProcessField::named(name, self.0))
    }
}
