//! Rows: a process under one description. Their extents and descriptions as columns, and what one sees of them in an opened
//! block.

use std::sync::Arc;

use procession_model::{Description, End, Identity, Metric, Sample};

use super::column::{ColumnBytes, ColumnWriter};
use super::descriptions::{Kin, get_descriptions, put_descriptions};
use super::dictionary::NewStrings;
use super::ends::{get_ends, put_ends};
use super::fields::KnownStrings;
use super::head::{Summary, Timeline};
use super::lives::{Life, Lives};
use crate::DecodeError;

/// A process under one description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What stays fixed of it.
    pub description: Arc<Description>,
    /// The first frame that has it, by index.
    pub first: u32,
    /// How many frames have it; 0 for one that ended in the first frame of the block, and so is in no snapshot of it.
    pub frames: u32,
    /// How it ended, if it did, in the frame after its last. Without an end it is still there in the last frame, or went on
    /// under another description, or a keyframe did not have it any more.
    pub end: Option<End>,
    /// Whether this is the process of the row before it, under another description.
    pub goes_on: bool,
}

impl Row {
    /// The first frame that does not have it any more, by index.
    pub const fn after(&self) -> u32 {
        self.first + self.frames
    }

    /// Whether a frame has it.
    pub const fn is_in(&self, frame: u32) -> bool {
        self.first <= frame && frame < self.after()
    }
}

/// When a row is there: what metrics are read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub(super) first: u32,
    pub(super) frames: u32,
    pub(super) goes_on: bool,
    /// Whether its process is asked for: others have neither rows nor metrics in the opened block.
    pub(super) is_wanted: bool,
}

impl Phase {
    pub(super) const fn after(&self) -> u32 {
        self.first + self.frames
    }
}

/// The rows of each process.
pub(super) fn processes(phases: &[Phase]) -> impl Iterator<Item = &[Phase]> {
    phases.chunk_by(|_, next| next.goes_on)
}

/// What one metric of one row was: at each of `frames` it became the value beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowSeries<'a> {
    /// Frame indices, ascending; the first is the row's first frame. Empty if no process of the block has the metric.
    pub frames: &'a [u32],
    /// Values, [`Metric::ABSENT`] where not known.
    pub values: &'a [u64],
}

impl RowSeries<'_> {
    /// The value in a frame of the row.
    pub fn at(&self, frame: u32) -> u64 {
        let after = self.frames.partition_point(|at| *at <= frame);
        after.checked_sub(1).and_then(|index| self.values.get(index)).copied().unwrap_or(Metric::ABSENT)
    }
}

/// Walks along a row, frame by frame.
#[derive(Clone, Debug)]
pub struct RowSamples<'a> {
    series: [RowSeries<'a>; Metric::COUNT],
    sample: Sample,
    next: u32,
    end: u32,
}

impl<'a> RowSamples<'a> {
    pub(super) const fn new(series: [RowSeries<'a>; Metric::COUNT], first: u32, after: u32) -> Self {
        Self { series, sample: Sample::ABSENT, next: first, end: after }
    }
}

impl Iterator for RowSamples<'_> {
    type Item = (u32, Sample);

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.next;
        if frame >= self.end {
            return None;
        }
        self.next += 1;
        for (series, value) in self.series.iter_mut().zip(self.sample.raw_mut()) {
            if let (Some((at, frames)), Some((new, values))) =
                (series.frames.split_first(), series.values.split_first())
                && *at == frame
            {
                *value = *new;
                *series = RowSeries { frames, values };
            }
        }
        Some((frame, self.sample))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for RowSamples<'_> {}

/// How many rows a process has beyond the first, twice, and whether it ended.
const ENDED: u64 = 1;

/// Writes all rows.
pub(super) fn put_rows(columns: &mut ColumnWriter, strings: &mut NewStrings<'_>, lives: &Lives) {
    let total = lives.times.len() as u64;
    let (mut firsts, mut kinds, mut missing, mut lens) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut ends = Vec::new();
    let mut before = 0;
    for phases in lives.rows.chunk_by(|one, next| one.head == next.head) {
        let (Some((last, others)), Some(head)) = (phases.split_last(), phases.first()) else { continue };
        firsts.push(u64::from(head.first - std::mem::replace(&mut before, head.first)));
        kinds.push(2 * others.len() as u64 + if last.end.is_some() { ENDED } else { 0 });
        lens.extend(others.iter().map(|phase| u64::from(phase.frames)));
        let after = last.first + last.frames;
        missing.push(total - u64::from(after));
        ends.extend(last.end.and_then(|end| Some((end, *lives.times.get(after as usize)?))));
    }
    columns.put(&kinds);
    columns.put(&firsts);
    columns.put(&missing);
    columns.put(&lens);
    put_ends(columns, &ends);
    put_descriptions(columns, strings, &lives.rows.iter().enumerate().map(kin).collect::<Vec<_>>());
}

fn kin((index, row): (usize, &Life)) -> Kin<'_> {
    Kin { description: &row.description, goes_on: row.head as usize != index }
}

/// Reads what [`put_rows`] wrote: the rows of the processes that are wanted, and the phases of all. A process is wanted by
/// its phases, whether it has an end, and who it is.
pub(super) fn read_rows(
    section: &[u8],
    summary: &Summary,
    timeline: &Timeline,
    strings: &mut KnownStrings<'_>,
    is_wanted: impl Fn(&[Phase], bool, Identity) -> bool,
) -> Result<(Vec<Row>, Vec<Phase>), DecodeError> {
    let bytes = ColumnBytes::new(section)?;
    let mut columns = bytes.reader();
    let kinds = columns.get(summary.processes as usize)?;
    let others = |kind: &u64| kind >> 1;
    let rows = kinds.iter().try_fold(kinds.len() as u64, |sum, kind| sum.checked_add(others(kind)));
    if rows != Some(u64::from(summary.rows)) {
        return Err(DecodeError::Invalid("the number of rows"));
    }
    let firsts = columns.get_u32(kinds.len())?;
    let missing = columns.get_u32(kinds.len())?;
    let mut lens = columns.get_u32(summary.rows as usize - kinds.len())?.into_iter();
    let mut phases: Vec<Phase> = Vec::with_capacity(summary.rows as usize);
    let (mut told, mut has_end) = (Vec::new(), Vec::with_capacity(summary.rows as usize));
    let mut before = 0_u32;
    for ((kind, first), missing) in kinds.iter().zip(firsts).zip(missing) {
        before = before.checked_add(first).filter(|first| *first < summary.frames).ok_or(INVALID)?;
        let after = summary.frames.checked_sub(missing).ok_or(INVALID)?;
        let others = lens.by_ref().take(usize::try_from(others(kind)).map_err(|_| INVALID)?);
        push_phases(&mut phases, before, after, others)?;
        // Of its phases the last one may have an end.
        has_end.resize(phases.len() - 1, false);
        has_end.push(kind & ENDED != 0);
        if kind & ENDED != 0 {
            told.push(*timeline.times.get(after as usize).ok_or(INVALID)?);
        }
    }
    let samples: u64 = phases.iter().map(|phase| u64::from(phase.frames)).sum();
    if samples != summary.process_samples {
        return Err(DecodeError::Invalid("the number of process samples"));
    }
    let ends = get_ends(&mut columns, &told)?;
    let goes_on: Vec<bool> = phases.iter().map(|phase| phase.goes_on).collect();
    let is_wanted = |index: usize, identity: Identity| {
        let process = process_at(&phases, index);
        is_wanted(process, has_end[index + process.len() - 1], identity)
    };
    let descriptions = get_descriptions(&mut columns, strings, &goes_on, &is_wanted)?;
    columns.end()?;
    for (phase, description) in phases.iter_mut().zip(&descriptions) {
        phase.is_wanted = description.is_some();
    }
    let rows = rows_of(&phases, &has_end, ends, descriptions);
    Ok((rows, phases))
}

const INVALID: DecodeError = DecodeError::Invalid("the extent of a row");

fn push_phases(
    phases: &mut Vec<Phase>,
    first: u32,
    after: u32,
    others: impl Iterator<Item = u32>,
) -> Result<(), DecodeError> {
    let mut next = first;
    for (index, frames) in others.enumerate() {
        phases.push(Phase { first: next, frames, goes_on: index > 0, is_wanted: true });
        next = next.checked_add(frames).filter(|end| frames > 0 && *end < after).ok_or(INVALID)?;
    }
    let frames = after.checked_sub(next).ok_or(INVALID)?;
    phases.push(Phase { first: next, frames, goes_on: next > first, is_wanted: true });
    Ok(())
}

/// The phases of the process that begins at an index.
fn process_at(phases: &[Phase], index: usize) -> &[Phase] {
    let others = phases[index + 1..].iter().take_while(|phase| phase.goes_on).count();
    &phases[index..=index + others]
}

fn rows_of(
    phases: &[Phase],
    has_end: &[bool],
    ends: Vec<End>,
    descriptions: Vec<Option<Arc<Description>>>,
) -> Vec<Row> {
    let mut ends = ends.into_iter();
    let mut rows = Vec::with_capacity(phases.len());
    for ((phase, has_end), description) in phases.iter().zip(has_end).zip(descriptions) {
        let end = if *has_end { ends.next() } else { None };
        let Phase { first, frames, goes_on, .. } = *phase;
        rows.extend(description.map(|description| Row { description, first, frames, end, goes_on }));
    }
    rows
}
