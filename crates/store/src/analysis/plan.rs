//! Which snapshots and which steps of rollups answer a query.
//!
//! A rollup answers for whole steps; what is left at both ends of the range comes from the next finer level, and so does what no
//! rollup of the level has, down to snapshots: most levels are made only when what they are made of is to go. Where retention
//! has taken a finer level, the next coarser one answers for it, with steps that may stand over the ends of the range.

use std::iter::successors;
use std::sync::Arc;

use procession_model::{Metric, SnapshotId, Timestamp};

use super::piece::{Piece, RolledPiece};
use super::raw::{self, Source};
use crate::engine::{BlockEntry, BlockFilter, Engine, Level, Part, Segments};
use crate::rollup::{self, Rollup};
use crate::{HostNumber, Range, StoreError, parallel};

/// Rollups are replaced while queries run; then a query begins again. That often in a row, something else is wrong.
const ATTEMPTS_MAX: usize = 10;

/// A thread is worth its cost for so many blocks.
const BLOCKS_EACH: usize = 2;

/// What blocks have to have to be read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
    pub(crate) pid: Option<u32>,
    pub(crate) reads: Reads,
}

/// What is read of what was chosen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Reads {
    /// Processes and all that is ever added up.
    #[default]
    Processes,
    /// Processes and only some of their metrics.
    Metrics(&'static [Metric]),
    /// The host alone.
    Host,
}

/// All metrics that are ever added up.
const ADDED_UP: &[Metric] = &[Metric::Cpu, Metric::Memory, Metric::ReadBytes, Metric::WriteBytes];

/// A host's history in a range.
pub(crate) struct Gathered {
    /// By their first times.
    pub(crate) pieces: Vec<Piece>,
    /// The host's newest snapshot.
    pub(crate) newest: Option<(SnapshotId, Timestamp)>,
}

impl Gathered {
    /// The step of the coarsest rollup in it; 0 if there is none.
    pub(crate) fn rollup_ms(&self) -> u64 {
        self.pieces.iter().map(Piece::rollup_ms).max().unwrap_or(0)
    }
}

/// A host's history in a range, in steps of a level where it has them; `None` if it has no history.
pub(crate) fn gather<S: Segments>(
    engine: &Engine<S>,
    host: HostNumber,
    range: Range,
    level: Level,
    filter: Filter<'_>,
) -> Result<Option<Gathered>, StoreError> {
    let mut damaged: Vec<BlockEntry> = Vec::new();
    for _ in 0..ATTEMPTS_MAX {
        // Rollups first: what was sealed after this is still seen as snapshots.
        let of = |level| engine.segments().blocks(BlockFilter { host: Some(host), level, range: Range::default() });
        let mut entries = [of(Level::Minute)?, of(Level::QuarterHour)?, of(Level::Hour)?];
        let is_whole = |entry: &BlockEntry| !damaged.iter().any(|damaged| is_from(entry, damaged));
        entries[2].retain(is_whole);
        let Some(view) = engine.view(host)? else {
            return Ok(None);
        };
        let parts = view.parts(Range::default())?;
        let mut plan =
            Plan { engine, entries, parts: &parts, filter, pieces: Vec::new(), is_stale: false, damaged: None };
        let covered = plan.cover(range, level);
        if let (Err(error), Some(entry)) = (&covered, plan.damaged) {
            // The blocks that it was made of are still there: they are read instead, from there on.
            tracing::error!(%error, "hours are damaged");
            damaged.push(entry);
            continue;
        }
        covered?;
        if !plan.is_stale {
            let mut pieces = plan.pieces;
            pieces.sort_by_key(Piece::first_time);
            return Ok(Some(Gathered { pieces, newest: view.newest_snapshot() }));
        }
    }
    Err(StoreError::Damaged(format!("host {host}: rollups without bytes")))
}

/// Whether an entry is another one or comes after it.
fn is_from(entry: &BlockEntry, other: &BlockEntry) -> bool {
    entry.late == other.late && entry.first_sequence >= other.first_sequence
}

impl Level {
    /// The length of its steps in milliseconds; 0 for snapshots.
    pub(crate) const fn step_ms(self) -> u64 {
        match self {
            Self::Raw => 0,
            Self::Minute => 60_000,
            Self::QuarterHour => 900_000,
            Self::Hour => 3_600_000,
        }
    }

    /// The coarsest level that makes steps of this length.
    pub(crate) const fn for_step(step_ms: u64) -> Self {
        if step_ms == 0 || !step_ms.is_multiple_of(Self::Minute.step_ms()) {
            Self::Raw
        } else if !step_ms.is_multiple_of(Self::QuarterHour.step_ms()) {
            Self::Minute
        } else if !step_ms.is_multiple_of(Self::Hour.step_ms()) {
            Self::QuarterHour
        } else {
            Self::Hour
        }
    }

    const fn finer(self) -> Self {
        match self {
            Self::Raw | Self::Minute => Self::Raw,
            Self::QuarterHour => Self::Minute,
            Self::Hour => Self::QuarterHour,
        }
    }

    const fn coarser(self) -> Option<Self> {
        match self {
            Self::Raw => Some(Self::Minute),
            Self::Minute => Some(Self::QuarterHour),
            Self::QuarterHour => Some(Self::Hour),
            Self::Hour => None,
        }
    }
}

struct Plan<'a, S: Segments> {
    engine: &'a Engine<S>,
    /// Rollups of a minute, of a quarter of an hour, of an hour.
    entries: [Vec<BlockEntry>; 3],
    parts: &'a [Part<'a, S>],
    filter: Filter<'a>,
    pieces: Vec<Piece>,
    /// Whether a rollup was replaced meanwhile.
    is_stale: bool,
    /// Hours that could not be read, while all that they were made of is still there.
    damaged: Option<BlockEntry>,
}

impl<S: Segments> Plan<'_, S> {
    fn cover(&mut self, range: Range, level: Level) -> Result<(), StoreError> {
        let range = self.cover_older(range, level)?;
        if is_empty(range) {
            return Ok(());
        }
        if level == Level::Raw {
            return self.add_raw(range, &|_| true);
        }
        let step_ms = self.step_ms(level);
        let inner = Range {
            start: range.start.map(|start| ceil(step_ms, start)),
            end: range.end.map(|end| floor(step_ms, end)),
        };
        if is_empty(inner) {
            return self.cover(range, level.finer());
        }
        if let (Some(start), Some(inner)) = (range.start, inner.start)
            && start < inner
        {
            self.cover(Range { start: Some(start), end: Some(inner) }, level.finer())?;
        }
        if let (Some(end), Some(inner)) = (range.end, inner.end)
            && inner < end
        {
            self.cover(Range { start: Some(inner), end: Some(end) }, level.finer())?;
        }
        let inner = self.cover_before_hours(inner, level)?;
        if is_empty(inner) {
            return Ok(());
        }
        self.add_rolled(inner, self.rolled(level).to_vec())?;
        self.add_uncovered(inner, level)
    }

    /// The length of steps of a level: the host itself has finer ones than its processes.
    const fn step_ms(&self, level: Level) -> u64 {
        match (level, self.filter.reads) {
            (Level::Hour, Reads::Host) => Level::QuarterHour.step_ms(),
            _ => level.step_ms(),
        }
    }

    /// Covers what retention has left only of a coarser level; the rest of the range.
    fn cover_older(&mut self, range: Range, level: Level) -> Result<Range, StoreError> {
        let oldest = self.oldest(level);
        let is_older =
            |older: &Level| self.oldest(*older).is_some_and(|older| oldest.is_none_or(|oldest| older < oldest));
        let Some(coarser) = successors(level.coarser(), |level| level.coarser()).find(is_older) else {
            return Ok(range);
        };
        if oldest.is_some_and(|oldest| range.start.is_some_and(|start| start >= oldest)) {
            return Ok(range);
        }
        let step_ms = self.step_ms(coarser);
        let split = oldest.map(|oldest| ceil(step_ms, oldest));
        let end = match (split, range.end.map(|end| ceil(step_ms, end))) {
            (Some(split), Some(end)) => Some(split.min(end)),
            (split, end) => split.or(end),
        };
        self.cover(Range { start: range.start.map(|start| floor(step_ms, start)), end }, coarser)?;
        let start = end.map_or(Timestamp::from_ms(i64::MAX), |end| range.start.map_or(end, |start| start.max(end)));
        Ok(Range { start: Some(start), end: range.end })
    }

    /// Covers what a store that is older than hours has before them; the rest of the range.
    fn cover_before_hours(&mut self, range: Range, level: Level) -> Result<Range, StoreError> {
        let is_before = |oldest: Option<Timestamp>| {
            let rolled = Level::ROLLED.into_iter().filter(|other| *other < level);
            let finer = rolled.filter_map(|other| self.oldest_rolled(other)).min();
            finer.is_some_and(|finer| oldest.is_none_or(|oldest| finer < oldest))
        };
        let oldest = self.oldest_rolled(level);
        if level != Level::Hour || !is_before(oldest) {
            return Ok(range);
        }
        let step_ms = self.step_ms(level);
        let split = oldest.map_or(Timestamp::from_ms(i64::MAX), |oldest| ceil(step_ms, oldest));
        let end = range.end.map_or(split, |end| end.min(split));
        if range.start.is_none_or(|start| start < end) {
            self.cover(Range { start: range.start, end: Some(end) }, level.finer())?;
        }
        Ok(Range { start: Some(range.start.map_or(split, |start| start.max(split))), end: range.end })
    }

    /// When the oldest is, of what came in its time, that steps of a level can be made of.
    fn oldest(&self, level: Level) -> Option<Timestamp> {
        let raw = self.parts.iter().filter(|part| !part.late).map(|part| part.first_time).min();
        let rolled = Level::ROLLED.into_iter().filter(|finer| *finer <= level);
        rolled.filter_map(|finer| self.oldest_rolled(finer)).chain(raw).min()
    }

    /// When the oldest rollup of a level is, of what came in its time.
    fn oldest_rolled(&self, level: Level) -> Option<Timestamp> {
        self.rolled(level).iter().filter(|entry| !entry.late).map(|entry| entry.first_time).min()
    }

    fn rolled(&self, level: Level) -> &[BlockEntry] {
        match level {
            Level::Raw => &[],
            Level::Minute => &self.entries[0],
            Level::QuarterHour => &self.entries[1],
            Level::Hour => &self.entries[2],
        }
    }

    fn add_rolled(&mut self, range: Range, mut entries: Vec<BlockEntry>) -> Result<(), StoreError> {
        entries.retain(|entry| range.touches(entry.first_time, entry.last_time));
        let rollups = parallel::each(&entries, BLOCKS_EACH, |entry| self.rollup(entry));
        for (rollup, entry) in rollups.into_iter().zip(&entries) {
            if matches!(rollup, Err(StoreError::Damaged(_))) && entry.level == Level::Hour && self.has_blocks_of(entry)
            {
                self.damaged = Some(*entry);
            }
            let Some(rollup) = rollup? else {
                self.is_stale = true;
                return Ok(());
            };
            let before = |time: Timestamp| {
                let number = Rollup::number_of(rollup.step_ms, time);
                rollup.steps.partition_point(|step| step.number < number)
            };
            let (from, until) = (range.start.map_or(0, before), range.end.map_or(rollup.steps.len(), before));
            if from < until {
                self.pieces.push(Piece::Rolled(RolledPiece { rollup, window: from..until }));
            }
        }
        Ok(())
    }

    /// Whether the blocks that a rollup was made of are still there.
    fn has_blocks_of(&self, entry: &BlockEntry) -> bool {
        let blocks = self.parts.iter().filter_map(|part| part.entry()).filter(|block| block.late == entry.late);
        blocks.map(|block| block.first_sequence).min().is_some_and(|first| first <= entry.first_sequence)
    }

    /// As much of a rollup as is asked for.
    fn rollup(&self, entry: &BlockEntry) -> Result<Option<Arc<Rollup>>, StoreError> {
        let Filter { name, user, reads, .. } = self.filter;
        let has_name = |name| -> Result<bool, StoreError> {
            Ok(rollup::read_names(self.engine, entry)?.is_none_or(|names| names.may_have(name)))
        };
        if matches!(reads, Reads::Host) {
            return rollup::read_host(self.engine, entry);
        }
        if !name.map_or(Ok(true), has_name)? {
            return rollup::read_steps(self.engine, entry);
        }
        if name.is_none() && user.is_none() {
            return rollup::read(self.engine, entry);
        }
        rollup::read_of(self.engine, entry, &|other_name, other_user| {
            name.is_none_or(|name| name == other_name) && user.is_none_or(|user| Some(user) == other_user)
        })
    }

    /// Adds what no rollup of a level has: of finer rollups, or else of snapshots.
    fn add_uncovered(&mut self, range: Range, level: Level) -> Result<(), StoreError> {
        for late in [false, true] {
            let mut covered = self.covered(level, late);
            if level == Level::QuarterHour {
                let is_uncovered = |entry: &&BlockEntry| entry.late == late && entry.first_sequence > covered;
                let minutes = self.rolled(Level::Minute).iter().filter(is_uncovered).copied().collect();
                self.add_rolled(range, minutes)?;
                covered = covered.max(self.covered(Level::Minute, late));
            }
            let is_uncovered = |part: &Part<'_, S>| {
                part.late == late && part.entry().is_none_or(|entry| entry.last_sequence > covered)
            };
            let first = self.parts.iter().filter(|part| is_uncovered(part)).map(|part| part.first_time).min();
            let Some(first) = first else { continue };
            let start = range.start.map_or(first, |start| start.max(first));
            self.add_raw(Range { start: Some(start), end: range.end }, &is_uncovered)?;
        }
        Ok(())
    }

    /// The last sequence that rollups of a level have; 0 if there are none.
    fn covered(&self, level: Level, late: bool) -> u32 {
        let entries = self.rolled(level).iter().filter(|entry| entry.late == late);
        entries.map(|entry| entry.last_sequence).max().unwrap_or(0)
    }

    fn add_raw(&mut self, range: Range, wanted: &dyn Fn(&Part<'_, S>) -> bool) -> Result<(), StoreError> {
        if is_empty(range) {
            return Ok(());
        }
        let touched = |part: &&Part<'_, S>| wanted(part) && range.touches(part.first_time, part.last_time);
        let parts: Vec<&Part<'_, S>> = self.parts.iter().filter(touched).collect();
        let mut sources = Vec::with_capacity(parts.len());
        for source in parallel::each(&parts, BLOCKS_EACH, |part| self.source(part)) {
            sources.extend(source?);
        }
        let before = if sources.is_empty() { None } else { self.last_before(range.start)? };
        self.pieces.extend(raw::pieces(&sources, range, before).into_iter().map(Piece::Raw));
        Ok(())
    }

    fn source(&self, part: &Part<'_, S>) -> Result<Option<Source>, StoreError> {
        let Filter { name, user, pid, reads } = self.filter;
        let metrics = match reads {
            Reads::Host => return Ok(part.host_series()?.map(|host| Source::Skipped(Arc::new(host)))),
            Reads::Metrics(metrics) => metrics,
            Reads::Processes => ADDED_UP,
        };
        let skipped = part.with_head(|head| {
            if name.is_none() && user.is_none() && pid.is_none() {
                return Ok(None);
            }
            let skip = head.skip()?;
            let may = name.is_none_or(|name| skip.may_have_name(name))
                && user.is_none_or(|user| skip.may_have_user(user))
                && pid.is_none_or(|pid| skip.may_have_pid(pid));
            if may { Ok(None) } else { Ok(Some((head.timeline()?, head.series()?))) }
        })?;
        if let Some(Some(head)) = skipped {
            return Ok(Some(Source::Skipped(Arc::new(head))));
        }
        Ok(part.block_with(metrics, pid)?.map(Source::Whole))
    }

    /// The last snapshot before a time.
    fn last_before(&self, time: Option<Timestamp>) -> Result<Option<Timestamp>, StoreError> {
        let Some(time) = time else { return Ok(None) };
        let mut last = self.parts.iter().map(|part| part.last_time).filter(|last| *last < time).max();
        for part in self.parts.iter().filter(|part| part.first_time < time && part.last_time >= time) {
            let times = part.timeline()?.times;
            last = last.max(times.into_iter().filter(|other| *other < time).max());
        }
        Ok(last)
    }
}

fn is_empty(range: Range) -> bool {
    matches!((range.start, range.end), (Some(start), Some(end)) if start >= end)
}

fn floor(step_ms: u64, time: Timestamp) -> Timestamp {
    Rollup::start_of(step_ms, Rollup::number_of(step_ms, time))
}

fn ceil(step_ms: u64, time: Timestamp) -> Timestamp {
    let floor = floor(step_ms, time);
    if floor == time { time } else { floor.plus_ms(i64::try_from(step_ms).unwrap_or(i64::MAX)) }
}
