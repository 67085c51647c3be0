//! What the history holds and costs, and whether it is whole.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use procession_codec::block::{Block, Head};

use super::Engine;
use super::level::Level;
use super::open_run;
use super::segments::{BlockEntry, BlockFilter, LevelTotals, Segments};
use crate::{HostNumber, LevelStats, Range, Stats, StoreError};

const DAY_MS: u64 = 86_400_000;

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
            name_bytes: totals.name_bytes,
            rollup_bytes: rollups.iter().map(|level| level.bytes).sum(),
            oldest: raw.oldest,
            newest: raw.newest,
            disk_free_bytes: totals.disk_free_bytes,
            ..Stats::default()
        };
        for ((stats, level), totals) in stats.levels.iter_mut().zip(Level::ALL).zip(totals.levels) {
            *stats = level_stats(level, totals);
        }
        let a_day: u64 = stats.levels.iter().map(|level| level.bytes_a_day).sum();
        stats.disk_lasts_days = stats.disk_free_bytes.and_then(|free| free.checked_div(a_day));
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

    /// Checks every checksum, and that every open frame applies and every block opens.
    pub(super) fn verify(&self) -> Result<Vec<String>, StoreError> {
        let mut damages = self.segments.check()?;
        for (number, cell) in self.hosts.all() {
            self.awake_state(&mut cell.lock())?;
            if self.segments.base(number)?.is_some_and(|base| !open_run::is_base_whole(&base)) {
                damages.push(format!("host {number}: the state that open frames go on from"));
            }
        }
        self.verify_names()?;
        damages.extend(self.damages.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        let blocks = self.segments.blocks(BlockFilter { host: None, level: Level::Raw, range: Range::default() })?;
        let epochs: BTreeSet<(HostNumber, u32)> = blocks.iter().map(|entry| (entry.host, entry.epoch)).collect();
        for (host, epoch) in epochs {
            // One that cannot be read is told by its blocks.
            if self.read_dictionary(host, epoch).is_ok_and(|dictionary| dictionary.mended() > 0) {
                damages
                    .push(format!("host {host}: dictionary {epoch}: a wrong bit, which is put right when it is read"));
            }
        }
        for entry in blocks {
            if let Err(error) = self.verify_block(&entry) {
                damages.push(error.to_string());
            }
        }
        damages.extend(crate::rollup::damages(self)?);
        Ok(damages)
    }

    fn verify_block(&self, entry: &BlockEntry) -> Result<(), StoreError> {
        let damaged = |error| StoreError::Damaged(format!("host {}: block {}: {error}", entry.host, entry.id));
        let (Some(head), Some(body)) = (self.segments.block_head(entry.id)?, self.segments.block_body(entry.id)?)
        else {
            return Ok(());
        };
        Head::open(&head).and_then(|head| head.verify(&body)).map_err(damaged)?;
        let dictionary = self.dictionary(entry.host, entry.epoch, entry.segments)?;
        Block::open(&head, &body, &dictionary).map(drop).map_err(damaged)
    }
}

fn level_stats(level: Level, totals: LevelTotals) -> LevelStats {
    let span_ms = totals.newest.zip(totals.oldest).map_or(0, |(newest, oldest)| newest.since_ms(oldest).unsigned_abs());
    // A young level is extrapolated; one of less than a minute tells nothing.
    let bytes_a_day = match span_ms {
        0..60_000 => 0,
        60_000..DAY_MS => {
            u64::try_from(u128::from(totals.bytes) * u128::from(DAY_MS) / u128::from(span_ms)).unwrap_or(u64::MAX)
        }
        DAY_MS.. => totals.last_day_bytes,
    };
    LevelStats {
        step_ms: level.step_ms(),
        blocks: totals.blocks,
        bytes: totals.bytes,
        bytes_a_day,
        oldest: totals.oldest,
        newest: totals.newest,
    }
}
