//! How many rows there are in each stretch of a range of time, in bounded memory.

use std::ops::RangeInclusive;

use procession_model::Timestamp;

/// How many stretches a range is divided into.
const STEPS: u64 = 4_096;

/// How many rows there are in each stretch of a range.
#[derive(Debug)]
pub(super) struct Histogram {
    first: Timestamp,
    last: Timestamp,
    step_ms: u64,
    rows: Vec<u64>,
    snapshots: Vec<u64>,
}

impl Histogram {
    /// An empty one from one moment to another, both included.
    pub(super) fn over((first, last): (Timestamp, Timestamp)) -> Self {
        let step_ms = last.since_ms(first).unsigned_abs() / STEPS + 1;
        let steps = usize::try_from(STEPS).unwrap_or(usize::MAX);
        Self { first, last, step_ms, rows: vec![0; steps], snapshots: vec![0; steps] }
    }

    /// Adds a snapshot. One outside the range is not counted.
    pub(super) fn add(&mut self, time: Timestamp, rows: u64) {
        if time < self.first || time > self.last {
            return;
        }
        let step = time.since_ms(self.first).unsigned_abs() / self.step_ms;
        if let Some(index) = usize::try_from(step).ok().filter(|index| *index < self.rows.len()) {
            self.rows[index] += rows;
            self.snapshots[index] += 1;
        }
    }

    /// All rows.
    pub(super) fn rows(&self) -> u64 {
        self.rows.iter().sum()
    }

    /// Length of a stretch.
    pub(super) const fn step_ms(&self) -> u64 {
        self.step_ms
    }

    /// The stretches that have the rows from `offset` on, `limit` of them.
    pub(super) fn window(&self, offset: u64, limit: u64) -> RangeInclusive<usize> {
        let mut before = 0;
        let mut first = None;
        for (index, rows) in self.rows.iter().enumerate() {
            before += rows;
            if before > offset {
                let first = *first.get_or_insert(index);
                if before >= offset.saturating_add(limit) {
                    return first..=index;
                }
            }
        }
        first.unwrap_or(self.rows.len() - 1)..=self.rows.len() - 1
    }

    /// Snapshots in some stretches.
    pub(super) fn snapshots_in(&self, window: &RangeInclusive<usize>) -> u64 {
        self.snapshots[window.clone()].iter().sum()
    }

    /// Rows before some stretches.
    pub(super) fn rows_before(&self, window: &RangeInclusive<usize>) -> u64 {
        self.rows[..*window.start()].iter().sum()
    }

    /// The first and last moment of some stretches.
    pub(super) fn span_of(&self, window: &RangeInclusive<usize>) -> (Timestamp, Timestamp) {
        let start_of = |index: usize| {
            let ms = (index as u64).saturating_mul(self.step_ms);
            self.first.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX))
        };
        (start_of(*window.start()), start_of(*window.end() + 1).plus_ms(-1).min(self.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_the_rows_asked_for_and_little_more() {
        let at = Timestamp::from_ms;
        let mut histogram = Histogram::over((at(1_000), at(1_000_000)));
        for second in 1..=1_000 {
            histogram.add(at(second * 1_000), 10);
        }
        assert_eq!(histogram.rows(), 10_000);
        let window = histogram.window(5_005, 20);
        let (first, last) = histogram.span_of(&window);
        assert!(first <= at(501_000) && last >= at(503_000), "{first:?} {last:?}");
        assert_eq!(histogram.rows_before(&window), 5_000);
        assert_eq!(histogram.snapshots_in(&window), 3);
    }

    #[test]
    fn a_window_beyond_the_rows_is_the_end() {
        let at = Timestamp::from_ms;
        let mut histogram = Histogram::over((at(5), at(5)));
        histogram.add(at(5), 2);
        histogram.add(at(6), 2);
        assert_eq!(histogram.rows(), 2);
        assert_eq!(histogram.rows_before(&histogram.window(2, 1)), 2);
    }
}
