//! The stretches of a host's history that may have a name: of most no more than a head is read.

use procession_model::Timestamp;

use super::piece::{Piece, RolledPiece};
use super::plan::{Filter, gather};
use crate::engine::{BlockEntry, BlockFilter, Engine, Level, Segments};
use crate::{HostNumber, Range, StoreError, rollup};

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

/// What a host has that is rolled up.
pub(crate) struct RolledUp {
    /// Rollups, each of another time.
    pub(crate) entries: Vec<BlockEntry>,
}

impl RolledUp {
    /// Of a host, as if some blocks were deleted already.
    pub(crate) fn of<S: Segments>(engine: &Engine<S>, host: HostNumber, without: &[i64]) -> Result<Self, StoreError> {
        let of = |level| engine.segments().blocks(BlockFilter { host: Some(host), level, range: Range::default() });
        let is_there = |entry: &BlockEntry| !without.contains(&entry.id);
        let mut entries: Vec<BlockEntry> = of(Level::Hour)?.into_iter().filter(is_there).collect();
        // A store that is older than hours has quarters of an hour before them.
        let oldest = entries.iter().map(|entry| entry.first_time).min();
        let older = of(Level::QuarterHour)?.into_iter().filter(is_there);
        entries.extend(older.filter(|entry| oldest.is_none_or(|oldest| entry.first_time < oldest)));
        Ok(Self { entries })
    }

    /// The last sequence of what came in its time, or late, that is rolled up; 0 if nothing is.
    fn covered(&self, late: bool) -> u32 {
        let entries = self.entries.iter().filter(|entry| entry.late == late);
        entries.map(|entry| entry.last_sequence).max().unwrap_or(0)
    }

    /// Whether a block is rolled up.
    pub(crate) fn covers(&self, entry: &BlockEntry) -> bool {
        entry.last_sequence <= self.covered(entry.late)
    }
}

/// The stretches of a host that may have a name: rollups, and what they do not have yet.
pub(crate) fn stretches<S: Segments>(
    engine: &Engine<S>,
    host: HostNumber,
    range: Range,
    name: &str,
) -> Result<Vec<Stretch>, StoreError> {
    let rolled = RolledUp::of(engine, host, &[])?;
    let mut stretches = Vec::new();
    for entry in rolled.entries.iter().filter(|entry| range.touches(entry.first_time, entry.last_time)) {
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
    let is_rolled_up = [false, true].into_iter().all(|late| view.sealed_until(late) <= rolled.covered(late));
    for part in if is_rolled_up { view.open_parts(range) } else { view.parts(range)? } {
        let may_have = match part.entry() {
            Some(entry) if rolled.covers(entry) => continue,
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
    let level = stretch.rolled.map_or(Level::Raw, |entry| entry.level);
    let gathered = gather(engine, host, clipped, level, filter)?;
    Ok(gathered.map(|gathered| gathered.pieces).unwrap_or_default())
}
