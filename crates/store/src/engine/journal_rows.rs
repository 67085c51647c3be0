//! Which rows of the journal are still needed, by how many frames, and how long they are.

use std::collections::{BTreeMap, HashMap};

/// Which rows of the journal are still needed.
#[derive(Debug, Default)]
pub(super) struct JournalRows {
    open: BTreeMap<u64, OpenRow>,
    bytes: u64,
}

#[derive(Debug)]
struct OpenRow {
    frames: u32,
    bytes: u64,
}

impl JournalRows {
    /// A row with so many frames that are not sealed; 0 for one that can go.
    pub(super) fn add(&mut self, row: u64, frames: u32, bytes: u64) {
        if let Some(replaced) = self.open.insert(row, OpenRow { frames, bytes }) {
            self.bytes -= replaced.bytes;
        }
        self.bytes += bytes;
    }

    /// Takes over rows that are not among these.
    pub(super) fn append(&mut self, mut other: Self) {
        self.bytes += other.bytes;
        self.open.append(&mut other.open);
    }

    /// Bytes of all rows: what a start has to read.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The row that is the first to stay when those before it go, until so many bytes are left.
    pub(super) fn first_within(&self, bytes_max: u64) -> u64 {
        let mut left = self.bytes;
        let stays = self.open.iter().find(|(_, row)| {
            let stays = left <= bytes_max;
            left -= row.bytes;
            stays
        });
        stays.map_or(u64::MAX, |(row, _)| *row)
    }

    /// Rows that nothing needs once one frame in each of `sealed` is sealed.
    pub(super) fn free_after(&self, sealed: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut counts: HashMap<u64, u32> = HashMap::new();
        for row in sealed {
            *counts.entry(row).or_default() += 1;
        }
        let is_free = |row: &u64, open: u32| open <= counts.get(row).copied().unwrap_or(0);
        self.open.iter().filter(|(row, open)| is_free(row, open.frames)).map(|(row, _)| *row).collect()
    }

    /// One frame in each of these is not needed any more.
    pub(super) fn release(&mut self, rows: impl Iterator<Item = u64>) {
        for row in rows {
            if let Some(open) = self.open.get_mut(&row) {
                open.frames = open.frames.saturating_sub(1);
            }
        }
    }

    /// These rows are gone.
    pub(super) fn forget(&mut self, rows: &[u64]) {
        for row in rows {
            if let Some(gone) = self.open.remove(row) {
                self.bytes -= gone.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_rows_are_those_that_have_to_go() {
        let mut rows = JournalRows::default();
        for row in 1..=10 {
            rows.add(row, 2, 100);
        }
        assert_eq!(rows.bytes(), 1_000);
        assert_eq!([10_000, 1_000, 999, 950, 100, 0].map(|max| rows.first_within(max)), [1, 1, 2, 2, 10, u64::MAX]);
        assert_eq!(rows.free_after([1, 2, 2].into_iter()), [2]);
        rows.release([1, 2].into_iter());
        assert_eq!(rows.free_after([2].into_iter()), [2]);
        rows.forget(&[2, 77]);
        assert_eq!(rows.bytes(), 900);
        let mut more = JournalRows::default();
        more.add(11, 1, 50);
        rows.append(more);
        assert_eq!((rows.bytes(), rows.first_within(50)), (950, 11));
    }
}
