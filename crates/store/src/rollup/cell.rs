//! What one or more processes did over some snapshots: all that queries add up.
//!
//! Integrals are whole numbers (CPU in tenths of a microsecond: hundredths of a percent of a core times milliseconds), so
//! that sums are the same in whatever order and level they are made. They saturate, for values that anyone may have sent.

use procession_codec::block::RowSeries;

/// What one or more processes did over some snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    /// In how many snapshots; of several processes, together.
    pub(crate) samples: u64,
    /// The intervals of those samples whose CPU is known, in milliseconds.
    pub(crate) cpu_ms: u64,
    /// CPU time in tenths of a microsecond, of these samples.
    pub(crate) cpu_tenths: u64,
    /// The highest CPU in hundredths of a percent of one core.
    pub(crate) cpu_max: Option<u64>,
    /// How many samples have a known memory.
    pub(crate) memory_samples: u64,
    /// Sum of resident memory over these samples, in bytes.
    pub(crate) memory_sum: u64,
    /// The most resident memory in bytes.
    pub(crate) memory_max: Option<u64>,
    /// Bytes read; absent where never known.
    pub(crate) read: Option<u64>,
    /// Bytes written; absent where never known.
    pub(crate) write: Option<u64>,
}

impl Cell {
    /// Adds what the same did later.
    pub(crate) fn then(&mut self, later: &Self) {
        self.add(later);
        self.cpu_max = self.cpu_max.max(later.cpu_max);
        self.memory_max = self.memory_max.max(later.memory_max);
    }

    /// Adds what others did at the same time.
    pub(crate) fn beside(&mut self, other: &Self) {
        self.add(other);
        self.cpu_max = sum(self.cpu_max, other.cpu_max);
        self.memory_max = sum(self.memory_max, other.memory_max);
    }

    fn add(&mut self, other: &Self) {
        self.samples = self.samples.saturating_add(other.samples);
        self.cpu_ms = self.cpu_ms.saturating_add(other.cpu_ms);
        self.cpu_tenths = self.cpu_tenths.saturating_add(other.cpu_tenths);
        self.memory_samples = self.memory_samples.saturating_add(other.memory_samples);
        self.memory_sum = self.memory_sum.saturating_add(other.memory_sum);
        self.read = sum(self.read, other.read);
        self.write = sum(self.write, other.write);
    }

    /// Adds a stretch of `frames` samples in which CPU was `value`, which stand for `weight_ms` together.
    pub(crate) fn add_cpu(&mut self, value: u64, weight_ms: u64) {
        self.cpu_ms = self.cpu_ms.saturating_add(weight_ms);
        self.cpu_tenths = self.cpu_tenths.saturating_add(value.saturating_mul(weight_ms));
        self.cpu_max = self.cpu_max.max(Some(value));
    }

    /// Adds a stretch of `frames` samples in which resident memory was `value`.
    pub(crate) fn add_memory(&mut self, value: u64, frames: u64) {
        self.memory_samples = self.memory_samples.saturating_add(frames);
        self.memory_sum = self.memory_sum.saturating_add(value.saturating_mul(frames));
        self.memory_max = self.memory_max.max(Some(value));
    }
}

/// The sum of what is known; absent if nothing is.
pub(crate) fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}

/// Calls `see` with each stretch of frames within `window` over which a metric kept one known value.
pub(crate) fn each_stretch(
    series: RowSeries<'_>,
    window: &std::ops::Range<u32>,
    mut see: impl FnMut(std::ops::Range<u32>, u64),
) {
    let first = series.frames.partition_point(|at| *at <= window.start).saturating_sub(1);
    for (index, (at, value)) in series.frames.iter().zip(series.values).enumerate().skip(first) {
        if *at >= window.end {
            break;
        }
        let until = series.frames.get(index + 1).copied().unwrap_or(window.end).min(window.end);
        let from = (*at).max(window.start);
        if from < until && *value != procession_model::Metric::ABSENT {
            see(from..until, *value);
        }
    }
}
