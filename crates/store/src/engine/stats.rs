//! What the history holds and costs, and whether it is whole.

use std::sync::PoisonError;

use super::level::Level;
use super::segments::{BlockFilter, Segments};
use super::{Engine, wake};
use crate::{Range, Stats, StoreError};

impl<S: Segments> Engine<S> {
    pub(super) fn stats(&self) -> Result<Stats, StoreError> {
        let totals = self.segments.totals()?;
        let [raw, rollups @ ..] = totals.levels;
        let mut stats = Stats {
            snapshots: raw.frames,
            process_samples: raw.samples,
            journal_bytes: totals.journal_bytes,
            block_bytes: raw.bytes,
            dictionary_bytes: totals.dictionary_bytes,
            rollup_bytes: rollups.iter().map(|level| level.bytes).sum(),
            oldest: raw.oldest,
            newest: raw.newest,
            ..Stats::default()
        };
        for (number, _) in self.hosts.all() {
            let Some(view) = self.view(number)? else {
                continue;
            };
            stats.hosts += 1;
            for open in view.frames.iter().chain(&view.late) {
                stats.snapshots += 1;
                stats.process_samples += u64::from(open.totals.processes);
                stats.oldest = Some(stats.oldest.map_or(open.time, |oldest| oldest.min(open.time)));
                stats.newest = stats.newest.max(Some(open.time));
            }
        }
        Ok(stats)
    }

    /// Checks every checksum and that every frame applies.
    pub(super) fn verify(&self) -> Result<Vec<String>, StoreError> {
        let mut damages = self.segments.check()?;
        for (_, cell) in self.hosts.all() {
            self.awake_state(&mut cell.lock())?;
        }
        damages.extend(self.damages.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        for level in Level::ALL {
            for entry in self.segments.blocks(BlockFilter { host: None, level, range: Range::default() })? {
                if let Err(error) = self.run_of(&entry).and_then(wake::end_of) {
                    damages.push(format!("host {}: block {}: {error}", entry.host, entry.id));
                }
            }
        }
        Ok(damages)
    }
}
