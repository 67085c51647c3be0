//! What is measured of a process at every sample.
//!
//! A sample is an array with one slot a metric, not a struct of fields: everything that handles history (frames, blocks,
//! rollups, queries) treats the metrics alike, and a loop over an array is what it wants.

use crate::ProcessState;

/// A measured field of a process. The numbers are those of the formats: never reorder, append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Metric {
    /// CPU over the interval that ends at the sample, in hundredths of a percent of one core.
    Cpu = 0,
    /// Resident memory in bytes.
    Memory = 1,
    /// Virtual memory in bytes.
    VirtualMemory = 2,
    /// Number of threads.
    Threads = 3,
    /// [`ProcessState`] number.
    State = 4,
    /// Bytes read from storage in the interval.
    ReadBytes = 5,
    /// Bytes written to storage in the interval.
    WriteBytes = 6,
    /// Share of the host's memory in percent, as the bits of an `f64`; only where an upload gave it.
    MemoryPercent = 7,
}

impl Metric {
    /// How many metrics there are.
    pub const COUNT: usize = 8;
    /// All metrics in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Cpu,
        Self::Memory,
        Self::VirtualMemory,
        Self::Threads,
        Self::State,
        Self::ReadBytes,
        Self::WriteBytes,
        Self::MemoryPercent,
    ];
    /// The value that stands for "not known". No metric reaches it: NaN percentages are refused at the edge.
    pub const ABSENT: u64 = u64::MAX;

    /// The number of the metric as an index.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What one process did in the interval that ends at the sample's time. A value that could not be read is absent,
/// never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sample {
    values: [u64; Metric::COUNT],
}

impl Default for Sample {
    fn default() -> Self {
        Self::ABSENT
    }
}

impl Sample {
    /// A sample of which nothing is known.
    pub const ABSENT: Self = Self { values: [Metric::ABSENT; Metric::COUNT] };

    /// From raw values, [`Metric::ABSENT`] where not known.
    pub const fn from_raw(values: [u64; Metric::COUNT]) -> Self {
        Self { values }
    }

    /// The raw values, [`Metric::ABSENT`] where not known.
    pub const fn raw(&self) -> &[u64; Metric::COUNT] {
        &self.values
    }

    /// The raw values to be changed, for loops over many samples.
    pub const fn raw_mut(&mut self) -> &mut [u64; Metric::COUNT] {
        &mut self.values
    }

    /// The value of a metric, if known.
    pub fn get(&self, metric: Metric) -> Option<u64> {
        let value = self.values[metric.index()];
        (value != Metric::ABSENT).then_some(value)
    }

    /// This sample with a metric set, or made absent by `None`.
    #[must_use]
    pub fn with(mut self, metric: Metric, value: impl Into<Option<u64>>) -> Self {
        self.values[metric.index()] = value.into().unwrap_or(Metric::ABSENT);
        self
    }

    /// CPU in percent of one core; 250.0 is two and a half cores.
    pub fn cpu_percent(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "hundredths of a percent stay far below 2^53")]
        self.get(Metric::Cpu).map(|hundredths| hundredths as f64 / 100.0)
    }

    /// Share of the host's memory in percent, where an upload gave it.
    pub fn memory_percent(&self) -> Option<f64> {
        self.get(Metric::MemoryPercent).map(f64::from_bits)
    }

    /// Scheduler state.
    pub fn state(&self) -> Option<ProcessState> {
        self.get(Metric::State).and_then(ProcessState::from_local_code)
    }

    /// This sample with a scheduler state.
    #[must_use]
    pub fn with_state(self, state: ProcessState) -> Self {
        self.with(Metric::State, u64::from(state.code()))
    }
}
