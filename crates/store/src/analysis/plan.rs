//! Which snapshots and which steps of rollups answer a query.
//!
//! A rollup answers for whole steps; what is left at both ends of the range comes from the next finer level, and so do
//! snapshots that no rollup has yet. Where retention has taken a finer level, the next coarser one answers for it, with steps
//! that may stand over the ends of the range.

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

/// How many snapshots a step of a rollup may have had.
const FRAMES_OF_STEP: u64 = 60;

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
    for _ in 0..ATTEMPTS_MAX {
        // Rollups first: what was sealed after this is still seen as snapshots.
        let of = |level| engine.segments().blocks(BlockFilter { host: Some(host), level, range: Range::default() });
        let entries = [of(Level::Minute)?, of(Level::QuarterHour)?];
        let Some(view) = engine.view(host)? else {
            return Ok(None);
        };
        let parts = view.parts(Range::default())?;
        let mut plan = Plan { engine, entries, parts: &parts, filter, pieces: Vec::new(), is_stale: false };
        plan.cover(range, level)?;
        if !plan.is_stale {
            let mut pieces = plan.pieces;
            pieces.sort_by_key(Piece::first_time);
            return Ok(Some(Gathered { pieces, newest: view.newest_snapshot() }));
        }
    }
    Err(StoreError::Damaged(format!("host {host}: rollups without bytes")))
}

/// When a host has snapshots or steps in a range: the first and last moment, and how many snapshots at most.
pub(crate) fn extent<S: Segments>(
    engine: &Engine<S>,
    host: HostNumber,
    range: Range,
) -> Result<Option<Extent>, StoreError> {
    let Some(view) = engine.view(host)? else { return Ok(None) };
    let parts = view.parts(Range::default())?;
    let oldest = parts.iter().map(|part| part.first_time).min();
    let touched = parts.iter().filter(|part| range.touches(part.first_time, part.last_time));
    let mut stretches: Vec<_> = touched.map(|part| (part.first_time, part.last_time, u64::from(part.frames))).collect();
    for level in [Level::Minute, Level::QuarterHour] {
        let entries = engine.segments().blocks(BlockFilter { host: Some(host), level, range })?;
        // Only what retention has left of a time before all snapshots; a step is as many as it may have had.
        let older = entries.iter().filter(|entry| oldest.is_none_or(|oldest| entry.first_time < oldest));
        stretches
            .extend(older.map(|entry| (entry.first_time, entry.last_time, u64::from(entry.frames) * FRAMES_OF_STEP)));
    }
    let clipped = stretches.into_iter().map(|(first, last, frames)| Extent {
        first: range.start.map_or(first, |start| start.max(first)),
        last: range.end.map_or(last, |end| end.min(last)),
        frames,
    });
    Ok(clipped.fold(None, |all, more| Some(more.with(all))))
}

/// A stretch of a host's history that may have a name.
pub(crate) struct Stretch {
    pub(crate) first_time: Timestamp,
    pub(crate) last_time: Timestamp,
    /// The rollup that has it; `None` for what no rollup has yet.
    rolled: Option<BlockEntry>,
    /// Whether it may tell of the name by itself, not only of what lived before it.
    pub(crate) may_have: bool,
    /// The first and last snapshot that has the name, where that is known without opening it.
    pub(crate) told: Option<(Timestamp, Timestamp)>,
}

/// The stretches of a host that may have a name: rollups, and what they do not have yet.
pub(crate) fn stretches<S: Segments>(
    engine: &Engine<S>,
    host: HostNumber,
    range: Range,
    name: &str,
) -> Result<Vec<Stretch>, StoreError> {
    let level = Level::QuarterHour;
    let entries = engine.segments().blocks(BlockFilter { host: Some(host), level, range: Range::default() })?;
    let covered = |late| {
        let entries = entries.iter().filter(move |entry| entry.late == late);
        entries.map(|entry| entry.last_sequence).max().unwrap_or(0)
    };
    let mut stretches = Vec::new();
    for entry in entries.iter().filter(|entry| range.touches(entry.first_time, entry.last_time)) {
        let Some(names) = rollup::read_names(engine, entry)?.filter(|names| names.may_have(name)) else { continue };
        let is_inside = range.contains(entry.first_time) && range.contains(entry.last_time);
        stretches.push(Stretch {
            first_time: entry.first_time,
            last_time: entry.last_time,
            rolled: Some(*entry),
            may_have: true,
            told: names.seen(name).filter(|_| is_inside),
        });
    }
    let Some(view) = engine.view(host)? else { return Ok(stretches) };
    // Mostly all that is sealed is rolled up.
    let is_rolled_up = [false, true].into_iter().all(|late| view.sealed_until(late) <= covered(late));
    for part in if is_rolled_up { view.open_parts(range) } else { view.parts(range)? } {
        let may_have = match part.entry() {
            Some(entry) if entry.last_sequence <= covered(part.late) => continue,
            Some(_) => part.may_have(Some(name), None)?,
            None => part.may_begin_open(name),
        };
        let (first_time, last_time) = (part.first_time, part.last_time);
        stretches.push(Stretch { first_time, last_time, rolled: None, may_have, told: None });
    }
    Ok(stretches)
}

/// The pieces of a stretch in a range.
pub(crate) fn open_stretch<S: Segments>(
    engine: &Engine<S>,
    host: HostNumber,
    stretch: &Stretch,
    range: Range,
    filter: Filter<'_>,
) -> Result<Vec<Piece>, StoreError> {
    let is_inside = range.contains(stretch.first_time) && range.contains(stretch.last_time);
    if let Some(entry) = stretch.rolled.filter(|_| is_inside)
        && let Some(rollup) = rollup::read(engine, &entry)?
    {
        let window = 0..rollup.steps.len();
        return Ok(vec![Piece::Rolled(RolledPiece { rollup, window })]);
    }
    let clipped = Range {
        start: Some(range.start.map_or(stretch.first_time, |start| start.max(stretch.first_time))),
        end: Some(range.end.map_or(stretch.last_time.plus_ms(1), |end| end.min(stretch.last_time.plus_ms(1)))),
    };
    let level = if stretch.rolled.is_some() { Level::QuarterHour } else { Level::Raw };
    let gathered = gather(engine, host, clipped, level, filter)?;
    Ok(gathered.map(|gathered| gathered.pieces).unwrap_or_default())
}

/// A stretch of time with snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) frames: u64,
}

impl Extent {
    /// With another.
    pub(crate) fn with(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            frames: self.frames.saturating_add(other.frames),
        }
    }
}

impl Level {
    /// The length of its steps in milliseconds; 0 for snapshots.
    pub(crate) const fn step_ms(self) -> u64 {
        match self {
            Self::Raw => 0,
            Self::Minute => 60_000,
            Self::QuarterHour => 900_000,
        }
    }

    /// The coarsest level that makes steps of this length.
    pub(crate) const fn for_step(step_ms: u64) -> Self {
        if step_ms == 0 || !step_ms.is_multiple_of(Self::Minute.step_ms()) {
            Self::Raw
        } else if !step_ms.is_multiple_of(Self::QuarterHour.step_ms()) {
            Self::Minute
        } else {
            Self::QuarterHour
        }
    }

    const fn finer(self) -> Self {
        match self {
            Self::Raw | Self::Minute => Self::Raw,
            Self::QuarterHour => Self::Minute,
        }
    }

    const fn coarser(self) -> Option<Self> {
        match self {
            Self::Raw => Some(Self::Minute),
            Self::Minute => Some(Self::QuarterHour),
            Self::QuarterHour => None,
        }
    }
}

struct Plan<'a, S: Segments> {
    engine: &'a Engine<S>,
    /// Rollups of a minute and of a quarter of an hour.
    entries: [Vec<BlockEntry>; 2],
    parts: &'a [Part<'a, S>],
    filter: Filter<'a>,
    pieces: Vec<Piece>,
    /// Whether a rollup was replaced meanwhile.
    is_stale: bool,
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
        let inner =
            Range { start: range.start.map(|start| ceil(level, start)), end: range.end.map(|end| floor(level, end)) };
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
        self.add_rolled(inner, level)?;
        self.add_uncovered(inner, level)
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
        let split = oldest.map(|oldest| ceil(coarser, oldest));
        let end = match (split, range.end.map(|end| ceil(coarser, end))) {
            (Some(split), Some(end)) => Some(split.min(end)),
            (split, end) => split.or(end),
        };
        self.cover(Range { start: range.start.map(|start| floor(coarser, start)), end }, coarser)?;
        let start = end.map_or(Timestamp::from_ms(i64::MAX), |end| range.start.map_or(end, |start| start.max(end)));
        Ok(Range { start: Some(start), end: range.end })
    }

    /// When the oldest of a level is that came in its time.
    fn oldest(&self, level: Level) -> Option<Timestamp> {
        match level {
            Level::Raw => self.parts.iter().filter(|part| !part.late).map(|part| part.first_time).min(),
            _ => self.rolled(level).iter().filter(|entry| !entry.late).map(|entry| entry.first_time).min(),
        }
    }

    fn rolled(&self, level: Level) -> &[BlockEntry] {
        match level {
            Level::Raw => &[],
            Level::Minute => &self.entries[0],
            Level::QuarterHour => &self.entries[1],
        }
    }

    fn add_rolled(&mut self, range: Range, level: Level) -> Result<(), StoreError> {
        let number = |time| Rollup::number_of(level.step_ms(), time);
        let touching = self.rolled(level).iter().filter(|entry| range.touches(entry.first_time, entry.last_time));
        let touching: Vec<BlockEntry> = touching.copied().collect();
        for rollup in parallel::each(&touching, BLOCKS_EACH, |entry| self.rollup(entry)) {
            let Some(rollup) = rollup? else {
                self.is_stale = true;
                return Ok(());
            };
            let from = range.start.map_or(0, |start| rollup.steps.partition_point(|step| step.number < number(start)));
            let until = range
                .end
                .map_or(rollup.steps.len(), |end| rollup.steps.partition_point(|step| step.number < number(end)));
            if from < until {
                self.pieces.push(Piece::Rolled(RolledPiece { rollup, window: from..until }));
            }
        }
        Ok(())
    }

    /// As much of a rollup as is asked for.
    fn rollup(&self, entry: &BlockEntry) -> Result<Option<Arc<Rollup>>, StoreError> {
        let Filter { name, user, reads, .. } = self.filter;
        let has_name = |name| -> Result<bool, StoreError> {
            Ok(rollup::read_names(self.engine, entry)?.is_none_or(|names| names.may_have(name)))
        };
        if matches!(reads, Reads::Host) || !name.map_or(Ok(true), has_name)? {
            return rollup::read_steps(self.engine, entry);
        }
        if name.is_none() && user.is_none() {
            return rollup::read(self.engine, entry);
        }
        rollup::read_of(self.engine, entry, &|other_name, other_user| {
            name.is_none_or(|name| name == other_name) && user.is_none_or(|user| Some(user) == other_user)
        })
    }

    /// Adds snapshots that no rollup of a level has yet.
    fn add_uncovered(&mut self, range: Range, level: Level) -> Result<(), StoreError> {
        let until = |late| {
            let entries = self.rolled(level).iter().filter(move |entry| entry.late == late);
            entries.map(|entry| entry.last_sequence).max().unwrap_or(0)
        };
        for (late, covered) in [(false, until(false)), (true, until(true))] {
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
        Ok(part.block_with(metrics)?.map(Source::Whole))
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

fn floor(level: Level, time: Timestamp) -> Timestamp {
    Rollup::start_of(level.step_ms(), Rollup::number_of(level.step_ms(), time))
}

fn ceil(level: Level, time: Timestamp) -> Timestamp {
    let floor = floor(level, time);
    if floor == time { time } else { floor.plus_ms(i64::try_from(level.step_ms()).unwrap_or(i64::MAX)) }
}
