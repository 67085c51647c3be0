//! Which rows of the journal are still needed, and by how many frames.

use std::collections::{BTreeMap, HashMap};

/// Which rows of the journal are still needed.
#[derive(Debug, Default)]
pub(super) struct JournalRows {
    open: BTreeMap<u64, u32>,
}

impl JournalRows {
    /// A row with so many frames that are not sealed; 0 for one that can go.
    pub(super) fn add(&mut self, row: u64, frames: u32) {
        self.open.insert(row, frames);
    }

    /// Rows that nothing needs once one frame in each of `sealed` is sealed.
    pub(super) fn free_after(&self, sealed: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut counts: HashMap<u64, u32> = HashMap::new();
        for row in sealed {
            *counts.entry(row).or_default() += 1;
        }
        let is_free = |row: &u64, open: u32| open <= counts.get(row).copied().unwrap_or(0);
        self.open.iter().filter(|(row, open)| is_free(row, **open)).map(|(row, _)| *row).collect()
    }

    /// One frame in each of these is not needed any more.
    pub(super) fn release(&mut self, rows: impl Iterator<Item = u64>) {
        for row in rows {
            if let Some(open) = self.open.get_mut(&row) {
                *open = open.saturating_sub(1);
            }
        }
    }

    /// These rows are gone.
    pub(super) fn forget(&mut self, rows: &[u64]) {
        for row in rows {
            self.open.remove(row);
        }
    }
}
