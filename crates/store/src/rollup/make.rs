//! When rollups are made, and of what.
//!
//! What can be made of snapshots at any time is not kept beside them: while there are blocks there are only hours, which a
//! question about a month needs. Minutes are made right before retention takes the blocks, quarters of an hour before it takes
//! the minutes. Each is durable before what it was made of is deleted, and each level goes on from the last that it has, so a
//! crash in between costs nothing. A young rollup is replaced by a longer one: a process that lives long is written once in each.

use std::collections::BTreeMap;
use std::sync::Arc;

use procession_model::Timestamp;

use super::draft::Draft;
use super::names::Names;
use super::{Rollup, encode, read};
use crate::analysis::raw::{self, Source};
use crate::engine::{BlockEntry, BlockFilter, Engine, Level, NewBlock, Sealing, Segments, Why};
use crate::{HostNumber, Range, StoreError};

/// How many blocks are read for one transaction.
const BLOCKS_MAX: usize = 64;
/// A rollup with more bytes is not gone on with.
const BYTES_FULL: u64 = 1 << 20;
/// Hours are worth their bytes from so many snapshots each on.
const DENSE_FRAMES: u64 = 60;
/// Where they are not, they are made once this many blocks would have to be read instead.
const SPARSE_BLOCKS: usize = 24;

/// A rollup with so many steps is not gone on with: six hours of minutes, four days of quarters of an hour, a day of hours.
const fn steps_full(level: Level) -> usize {
    match level {
        Level::Raw => 0,
        Level::Minute => 360,
        Level::QuarterHour => 384,
        Level::Hour => 24,
    }
}

/// The steps of the host itself in rollups of a level, if they are finer.
const fn fine_ms(level: Level) -> Option<u64> {
    match level {
        Level::Hour => Some(Level::QuarterHour.step_ms()),
        Level::Raw | Level::Minute | Level::QuarterHour => None,
    }
}

/// Brings the hours of hosts up to their blocks where that is worth it, in one transaction. Called by whoever seals, one at
/// a time.
pub(crate) fn after_seal<S: Segments>(engine: &Engine<S>, hosts: &[HostNumber]) -> Result<(), StoreError> {
    let mut together = Sealing::default();
    for host in hosts {
        let made = Made::of(engine, *host, Level::Raw, Level::Hour)?;
        for late in [false, true] {
            let (from, newest) = made.of_kind(late, u32::MAX);
            if is_worth_it(uncovered(&from, newest)) {
                together.add(catch_up(engine, Level::Hour, &from, newest)?);
            }
        }
    }
    keep(engine, &together).map(drop)
}

/// Makes what has to outlive blocks before they are deleted: of snapshots hours and minutes, of minutes quarters of an hour.
/// Where there is no room only hours are made.
pub(crate) fn before_retiring<S: Segments>(
    engine: &Engine<S>,
    blocks: &[BlockEntry],
    why: Why,
) -> Result<(), StoreError> {
    let mut until: BTreeMap<(HostNumber, Level, bool), u32> = BTreeMap::new();
    for entry in blocks {
        let last = until.entry((entry.host, entry.level, entry.late)).or_default();
        *last = entry.last_sequence.max(*last);
    }
    let mut together = Sealing::default();
    for ((host, level, late), last_sequence) in until {
        let levels: &[Level] = match (level, why) {
            (Level::Raw, Why::Age) => &[Level::Hour, Level::Minute],
            (Level::Raw, Why::Room) => &[Level::Hour],
            (Level::Minute, Why::Age) => &[Level::QuarterHour],
            (Level::Minute, Why::Room) | (Level::QuarterHour | Level::Hour, _) => &[],
        };
        for coarser in levels {
            let (from, newest) = Made::of(engine, host, level, *coarser)?.of_kind(late, last_sequence);
            let sealing = catch_up(engine, *coarser, &from, newest)?;
            if why == Why::Age || makes_room(&sealing, newest, uncovered(&from, newest)) {
                together.add(sealing);
            }
        }
    }
    keep(engine, &together).map(drop)
}

/// Whether so much less is kept than goes that it is worth it.
fn makes_room(sealing: &Sealing, newest: Option<BlockEntry>, gone: &[BlockEntry]) -> bool {
    let replaced = newest.filter(|entry| sealing.removed.contains(&entry.id)).map_or(0, |entry| entry.bytes);
    let kept: u64 = sealing.blocks.iter().map(|block| block.entry.bytes).sum();
    kept.saturating_sub(replaced) <= gone.iter().map(|entry| entry.bytes).sum::<u64>() / 2
}

/// What there is of a host in two levels: what rollups are made from, and rollups.
struct Made {
    from: Vec<BlockEntry>,
    rolled: Vec<BlockEntry>,
}

impl Made {
    fn of<S: Segments>(engine: &Engine<S>, host: HostNumber, from: Level, to: Level) -> Result<Self, StoreError> {
        let of = |level| engine.segments().blocks(BlockFilter { host: Some(host), level, range: Range::default() });
        Ok(Self { from: of(from)?, rolled: of(to)? })
    }

    /// What is late or is not, as far as a sequence, by their sequences; and the newest rollup.
    fn of_kind(&self, late: bool, last_sequence: u32) -> (Vec<BlockEntry>, Option<BlockEntry>) {
        let is_wanted = |entry: &&BlockEntry| entry.late == late && entry.last_sequence <= last_sequence;
        let mut from: Vec<BlockEntry> = self.from.iter().filter(is_wanted).copied().collect();
        from.sort_unstable_by_key(|entry| entry.last_sequence);
        let rolled = self.rolled.iter().filter(|entry| entry.late == late);
        (from, rolled.max_by_key(|entry| entry.last_sequence).copied())
    }
}

/// What the newest rollup does not have yet.
fn uncovered(from: &[BlockEntry], newest: Option<BlockEntry>) -> &[BlockEntry] {
    let covered = newest.map_or(0, |entry| entry.last_sequence);
    &from[from.partition_point(|entry| entry.last_sequence <= covered)..]
}

/// Whether hours of these blocks are small beside them, or spare more reading than they cost.
fn is_worth_it(blocks: &[BlockEntry]) -> bool {
    let frames: u64 = blocks.iter().map(|entry| u64::from(entry.frames)).sum();
    let span_ms = |entry: &BlockEntry| entry.last_time.since_ms(entry.first_time).unsigned_abs();
    let sparse_ms = Level::Hour.step_ms() / DENSE_FRAMES;
    let is_dense = blocks.iter().map(span_ms).sum::<u64>() <= frames.saturating_mul(sparse_ms);
    !blocks.is_empty() && (is_dense || blocks.len() >= SPARSE_BLOCKS)
}

impl Sealing {
    fn add(&mut self, more: Self) {
        self.blocks.extend(more.blocks);
        self.removed.extend(more.removed);
    }
}

/// Goes on from the newest rollup of a kind with what it does not have. `from` has blocks or finer rollups by their sequences. What
/// is to be kept last is returned; what had to be kept before it, because there are many blocks, is kept.
fn catch_up<S: Segments>(
    engine: &Engine<S>,
    level: Level,
    from: &[BlockEntry],
    mut newest: Option<BlockEntry>,
) -> Result<Sealing, StoreError> {
    let rest = uncovered(from, newest);
    let mut previous = (from.len() - rest.len()).checked_sub(1).map(|index| from[index]);
    let mut chunks = rest.chunks(BLOCKS_MAX).peekable();
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
    if sealing.blocks.is_empty() && sealing.removed.is_empty() {
        return Ok(None);
    }
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
            draft: Draft::of_rollup(&rollup, rollup.step_ms),
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
        let Some(draft) = self.draft_of(engine, entry, before)? else { return Ok(()) };
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

    /// A block or a finer rollup in steps of this level; `None` if it was deleted or is damaged.
    fn draft_of<S: Segments>(
        &self,
        engine: &Engine<S>,
        entry: &BlockEntry,
        before: Option<Timestamp>,
    ) -> Result<Option<Draft>, StoreError> {
        let step_ms = self.level.step_ms();
        let made = if entry.level == Level::Raw {
            engine.block(entry).map(|block| {
                let pieces = |block| raw::pieces(&[Source::Whole(block)], Range::default(), before);
                block.map(|block| Draft::of_raw(&pieces(block), step_ms, fine_ms(self.level)))
            })
        } else {
            read(engine, entry).map(|rollup| rollup.map(|rollup| Draft::of_rollup(&rollup, step_ms)))
        };
        match made {
            Err(StoreError::Damaged(error)) => {
                tracing::error!(%error, "what is damaged has no rollup");
                Ok(None)
            }
            made => made,
        }
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
