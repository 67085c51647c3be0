//! Rollups are made of blocks once they are sealed.
//!
//! Each level goes on from the last block that it has, so a crash between sealing and this costs nothing. A young rollup is
//! replaced by a longer one: thirty days are then a few blocks, and a process that lives long is written once in each.

use std::sync::Arc;

use procession_model::Timestamp;

use super::draft::Draft;
use super::names::Names;
use super::{Rollup, encode, read};
use crate::analysis::raw::{self, Source};
use crate::engine::{BlockEntry, BlockFilter, Engine, Level, NewBlock, Sealing, Segments};
use crate::{HostNumber, Range, StoreError};

/// How many blocks are read for one transaction.
const BLOCKS_MAX: usize = 64;
/// A rollup with more bytes is not gone on with.
const BYTES_FULL: u64 = 1 << 20;

/// A rollup with so many steps is not gone on with: six hours of minutes, four days of quarters of an hour.
const fn steps_full(level: Level) -> usize {
    match level {
        Level::Raw => 0,
        Level::Minute => 360,
        Level::QuarterHour => 384,
    }
}

/// Brings the rollups of hosts up to their blocks, in one transaction. Called by whoever seals, one at a time.
pub(crate) fn after_seal<S: Segments>(engine: &Engine<S>, hosts: &[HostNumber]) -> Result<(), StoreError> {
    let mut together = Sealing::default();
    for host in hosts {
        let of = |level| engine.segments().blocks(BlockFilter { host: Some(*host), level, range: Range::default() });
        let raw = of(Level::Raw)?;
        for level in [Level::Minute, Level::QuarterHour] {
            let rolled = of(level)?;
            for late in [false, true] {
                let of_kind = |entries: &[BlockEntry]| {
                    let mut entries: Vec<_> = entries.iter().filter(|entry| entry.late == late).copied().collect();
                    entries.sort_unstable_by_key(|entry| entry.last_sequence);
                    entries
                };
                let last = catch_up(engine, level, &of_kind(&raw), of_kind(&rolled).pop())?;
                together.blocks.extend(last.blocks);
                together.removed.extend(last.removed);
            }
        }
    }
    if !together.blocks.is_empty() || !together.removed.is_empty() {
        keep(engine, &together)?;
    }
    Ok(())
}

/// Goes on from the newest rollup of a kind with the blocks after it. `raw` has them by their sequences. What is to be kept last
/// is returned; what had to be kept before it, because there are many blocks, is kept.
fn catch_up<S: Segments>(
    engine: &Engine<S>,
    level: Level,
    raw: &[BlockEntry],
    mut newest: Option<BlockEntry>,
) -> Result<Sealing, StoreError> {
    let covered = newest.map_or(0, |entry| entry.last_sequence);
    let first = raw.partition_point(|entry| entry.last_sequence <= covered);
    let mut previous = first.checked_sub(1).map(|index| raw[index]);
    let mut chunks = raw[first..].chunks(BLOCKS_MAX).peekable();
    while let Some(some) = chunks.next() {
        let mut making = Making { level, draft: None, sealing: Sealing::default() };
        making.go_on_with(engine, newest)?;
        for entry in some {
            making.add(engine, entry, previous.filter(|_| !entry.late).map(|entry| entry.last_time))?;
            previous = Some(*entry);
        }
        making.finish();
        if chunks.peek().is_none() {
            return Ok(making.sealing);
        }
        newest = keep(engine, &making.sealing)?;
    }
    Ok(Sealing::default())
}

/// Keeps rollups; returns the last one.
fn keep<S: Segments>(engine: &Engine<S>, sealing: &Sealing) -> Result<Option<BlockEntry>, StoreError> {
    let ids = engine.segments().seal(sealing)?;
    engine.rollups().forget(&sealing.removed);
    let last = sealing.blocks.last().map(|block| block.entry).zip(ids.last());
    Ok(last.map(|(entry, id)| BlockEntry { id: *id, ..entry }))
}

struct Making {
    level: Level,
    draft: Option<Drafted>,
    sealing: Sealing,
}

/// A draft, and what its block is to be known by.
struct Drafted {
    draft: Draft,
    host: HostNumber,
    late: bool,
    first_sequence: u32,
    last_sequence: u32,
}

impl Making {
    fn go_on_with<S: Segments>(&mut self, engine: &Engine<S>, newest: Option<BlockEntry>) -> Result<(), StoreError> {
        let is_young =
            |entry: &BlockEntry| (entry.frames as usize) < steps_full(self.level) && entry.bytes < BYTES_FULL;
        let Some(entry) = newest.filter(is_young) else { return Ok(()) };
        let Some(rollup) = read(engine, &entry)? else { return Ok(()) };
        self.sealing.removed.push(entry.id);
        self.draft = Some(Drafted {
            draft: Draft::of_rollup(&rollup),
            host: entry.host,
            late: entry.late,
            first_sequence: entry.first_sequence,
            last_sequence: entry.last_sequence,
        });
        Ok(())
    }

    fn add<S: Segments>(
        &mut self,
        engine: &Engine<S>,
        entry: &BlockEntry,
        before: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let block = match engine.block(entry) {
            Ok(Some(block)) => block,
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::error!(%error, "a damaged block has no rollup");
                return Ok(());
            }
        };
        let pieces = raw::pieces(&[Source::Whole(block)], Range::default(), before);
        let draft = Draft::of_raw(&pieces, self.level.step_ms());
        let (first, last) = (entry.first_sequence, entry.last_sequence);
        match &mut self.draft {
            Some(drafted) => {
                drafted.draft.absorb(draft);
                drafted.first_sequence = drafted.first_sequence.min(first);
                drafted.last_sequence = drafted.last_sequence.max(last);
            }
            none => {
                let (host, late) = (entry.host, entry.late);
                *none = Some(Drafted { draft, host, late, first_sequence: first, last_sequence: last });
            }
        }
        if self.draft.as_ref().is_some_and(|drafted| drafted.draft.step_count() >= steps_full(self.level)) {
            self.finish();
        }
        Ok(())
    }

    fn finish(&mut self) {
        if let Some(drafted) = self.draft.take() {
            self.sealing.blocks.extend(drafted.block(self.level));
        }
    }
}

impl Drafted {
    fn block(self, level: Level) -> Option<NewBlock> {
        let rollup: Arc<Rollup> = Arc::new(self.draft.finish());
        let (head, body) = (Names::head(&rollup), encode::encode(&rollup));
        let entry = BlockEntry {
            id: 0,
            host: self.host,
            level,
            late: self.late,
            first_time: rollup.steps.iter().map(|step| step.first).min()?,
            last_time: rollup.last_time()?,
            first_sequence: self.first_sequence,
            last_sequence: self.last_sequence,
            frames: u32::try_from(rollup.steps.len()).unwrap_or(u32::MAX),
            samples: rollup.steps.iter().map(|step| step.process_samples).fold(0, u64::saturating_add),
            bytes: (head.len() + body.len()) as u64,
            epoch: 0,
            segments: 0,
        };
        Some(NewBlock { entry, head, body, segment: None })
    }
}
