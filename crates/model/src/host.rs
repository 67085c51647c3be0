//! A host: what rarely changes of it, and its own counters at every sample.

use std::sync::Arc;

use crate::{Metric, Timestamp};

/// What rarely changes of a host. Kept with the history whenever it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostFacts {
    /// Number of CPUs.
    pub cpu_count: Option<u32>,
    /// Memory in bytes.
    pub memory_total_bytes: Option<u64>,
    /// When it booted.
    pub boot_time: Option<Timestamp>,
    /// Tells this boot from any other, such as Linux's `boot_id`.
    pub boot_id: Option<Arc<str>>,
    /// Operating system, such as `Debian GNU/Linux 12`.
    pub os: Option<Arc<str>>,
    /// Machine, such as `x86_64`.
    pub architecture: Option<Arc<str>>,
    /// Version of the agent.
    pub agent_version: Option<Arc<str>>,
    /// How the agent collects, such as `proc` or `ntdll`.
    pub collector: Option<Arc<str>>,
}

/// A measured field of a host. The numbers are those of the formats: never reorder, append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum HostMetric {
    /// Length of the interval that ends at the sample in milliseconds, by the monotonic clock.
    IntervalMs = 0,
    /// CPU in use over the interval in hundredths of a percent of one core: 1,600,00 is sixteen busy cores.
    Cpu = 1,
    /// The part of the CPU time spent waiting for storage, in the same unit; not part of [`HostMetric::Cpu`].
    CpuIoWait = 2,
    /// The part taken by other guests of the hypervisor, in the same unit; not part of [`HostMetric::Cpu`].
    CpuSteal = 3,
    /// Memory that is not available to new processes, in bytes.
    MemoryUsed = 4,
    /// Swap in use in bytes.
    SwapUsed = 5,
    /// Load average over one minute, in hundredths.
    Load = 6,
    /// Processes and threads created in the interval.
    Forks = 7,
    /// CPU time that the agent itself took in the interval, in microseconds.
    AgentCpuMicros = 8,
    /// Resident memory of the agent in bytes.
    AgentMemory = 9,
}

impl HostMetric {
    /// How many there are.
    pub const COUNT: usize = 10;
    /// All in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::IntervalMs,
        Self::Cpu,
        Self::CpuIoWait,
        Self::CpuSteal,
        Self::MemoryUsed,
        Self::SwapUsed,
        Self::Load,
        Self::Forks,
        Self::AgentCpuMicros,
        Self::AgentMemory,
    ];

    /// The number as an index.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A host's own counters over the interval that ends at the sample; absent where not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostSample {
    values: [u64; HostMetric::COUNT],
}

impl Default for HostSample {
    fn default() -> Self {
        Self::ABSENT
    }
}

impl HostSample {
    /// Nothing known.
    pub const ABSENT: Self = Self { values: [Metric::ABSENT; HostMetric::COUNT] };

    /// From raw values, [`Metric::ABSENT`] where not known.
    pub const fn from_raw(values: [u64; HostMetric::COUNT]) -> Self {
        Self { values }
    }

    /// The raw values, [`Metric::ABSENT`] where not known.
    pub const fn raw(&self) -> &[u64; HostMetric::COUNT] {
        &self.values
    }

    /// The value of a metric, if known.
    pub fn get(&self, metric: HostMetric) -> Option<u64> {
        let value = self.values[metric.index()];
        (value != Metric::ABSENT).then_some(value)
    }

    /// This sample with a metric set, or made absent by `None`.
    #[must_use]
    pub fn with(mut self, metric: HostMetric, value: impl Into<Option<u64>>) -> Self {
        self.values[metric.index()] = value.into().unwrap_or(Metric::ABSENT);
        self
    }
}

/// Why a field could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FieldErrorReason {
    /// The operating system did not allow it.
    Denied = 0,
    /// This operating system or collector does not have it.
    Unsupported = 1,
    /// Reading failed in another way.
    Failed = 2,
}

/// A field that could not be read of some processes, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldError {
    /// The field as uploads name it, such as `read_bytes`.
    pub field: Arc<str>,
    /// Why.
    pub reason: FieldErrorReason,
    /// Of how many processes.
    pub processes: u32,
}

/// What was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LossKind {
    /// Snapshots that an agent could not keep until the server took them.
    Snapshots = 0,
    /// Events of processes (beginnings and ends) that the kernel could not deliver.
    Events = 1,
    /// Snapshots that were due and not taken: the machine slept or was too busy.
    Missed = 2,
}

/// A gap in the history, exactly as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loss {
    /// What was lost.
    pub kind: LossKind,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// How many, where that is known.
    pub count: Option<u64>,
}
