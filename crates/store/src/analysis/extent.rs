//! When a host has a history in a range, and what reading it costs: what the length of steps is chosen by.

use procession_model::Timestamp;

use crate::engine::{BlockFilter, Engine, Level, Part, Segments};
use crate::{HostNumber, Range, StoreError};

/// How many snapshots a step of a rollup may have had.
const FRAMES_OF_STEP: u64 = 60;
/// How many snapshots are read in the time of a step.
const READS_OF_STEP: u64 = 6;

/// A stretch of time with snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) frames: u64,
    /// What reading all of it costs, in snapshots; of several hosts the most of one.
    pub(crate) reads: u64,
}

impl Extent {
    /// With another.
    pub(crate) fn with(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            frames: self.frames.saturating_add(other.frames),
            reads: self.reads.max(other.reads),
        }
    }
}

/// When a host has snapshots or steps in a range: the first and last moment, and how many snapshots at most.
pub(crate) fn extent<S: Segments>(
    engine: &Engine<S>,
    host: HostNumber,
    range: Range,
) -> Result<Option<Extent>, StoreError> {
    let Some(view) = engine.view(host)? else { return Ok(None) };
    let parts = view.parts(Range::default())?;
    let mut oldest = parts.iter().map(|part| part.first_time).min();
    let touched = parts.iter().filter(|part| range.touches(part.first_time, part.last_time));
    let of_part = |part: &Part<'_, S>| {
        let frames = u64::from(part.frames);
        Extent { first: part.first_time, last: part.last_time, frames, reads: frames }
    };
    let mut stretches: Vec<Extent> = touched.map(of_part).collect();
    for level in Level::ROLLED {
        let entries = engine.segments().blocks(BlockFilter { host: Some(host), level, range })?;
        // Only what retention has left of a time before all that is finer; a step is as many as it may have had.
        let older = entries.iter().filter(|entry| oldest.is_none_or(|oldest| entry.first_time < oldest));
        stretches.extend(older.map(|entry| {
            let steps = u64::from(entry.frames);
            let (frames, reads) = (steps.saturating_mul(FRAMES_OF_STEP), steps.saturating_mul(READS_OF_STEP));
            Extent { first: entry.first_time, last: entry.last_time, frames, reads }
        }));
        oldest = entries.iter().map(|entry| entry.first_time).chain(oldest).min();
    }
    let clipped = stretches.into_iter().map(|stretch| Extent {
        first: range.start.map_or(stretch.first, |start| start.max(stretch.first)),
        last: range.end.map_or(stretch.last, |end| end.min(stretch.last)),
        ..stretch
    });
    let of_host = clipped.fold(None, |all: Option<Extent>, more| {
        let reads = all.map_or(0, |all| all.reads) + more.reads;
        Some(Extent { reads, ..more.with(all) })
    });
    Ok(of_host)
}
