//! One metric of all processes: for each row its first value and where it changed to what, all rows end to end.

use procession_model::{Metric, ProcessState, Sample};

use super::BLOCK_SAMPLES_MAX;
use super::column::{ColumnBytes, ColumnReader, ColumnWriter};
use super::dictionary::{Dictionary, NewStrings};
use super::lives::{Change, Life};
use super::scale::{Scale, bits, difference, sum};
use crate::DecodeError;

/// States from here on are written as this plus the number of their name.
const FIRST_NAMED_STATE: u64 = ProcessState::FIRST_OTHER as u64;

/// Where rows begin and how long they are: what the metric sections are read with.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) first: u32,
    pub(super) frames: u32,
}

/// Writes a metric; nothing if no process has it.
pub(super) fn put_metric(
    columns: &mut ColumnWriter,
    strings: &mut NewStrings<'_>,
    metric: Metric,
    rows: &[Life],
    changes: &[Change],
) {
    let mut writable = |value| if metric == Metric::State { named_state(strings, value) } else { value };
    let initial: Vec<u64> = rows.iter().map(|row| writable(row.initial.raw()[metric.index()])).collect();
    let changes: Vec<Change> =
        changes.iter().map(|change| Change { value: writable(change.value), ..*change }).collect();
    if changes.is_empty() && initial.iter().all(|value| *value == Metric::ABSENT) {
        return;
    }
    let values = initial.iter().copied().chain(changes.iter().map(|change| change.value));
    let mut scale = Scale { shift: Scale::shift_of(values), is_delta: false };
    let mut counts = vec![0; rows.len()];
    for change in &changes {
        counts[change.row as usize] += 1;
    }
    let (gaps, absolute, differences) = flatten(rows, &initial, &changes, scale);
    let cost = |numbers: &[u64]| numbers.iter().map(|number| bits(*number)).sum::<u64>();
    scale.is_delta = cost(&differences) < cost(&absolute);
    columns.loose().push(scale.byte());
    let seen = rows.iter().zip(&initial).filter(|(row, _)| row.frames > 0);
    columns.put(&seen.map(|(_, value)| scale.shifted(*value)).collect::<Vec<_>>());
    columns.put(&counts);
    columns.put(&gaps);
    columns.put(if scale.is_delta { &differences } else { &absolute });
}

/// For each change the frames since the one before, less one; its value; and the value's difference from the one before.
fn flatten(rows: &[Life], initial: &[u64], changes: &[Change], scale: Scale) -> (Vec<u64>, Vec<u64>, Vec<u64>) {
    let mut gaps = Vec::with_capacity(changes.len());
    let mut absolute = Vec::with_capacity(changes.len());
    let mut differences = Vec::with_capacity(changes.len());
    let mut before: Option<(u32, u32, u64)> = None;
    for change in changes {
        let (frame, value) = match before {
            Some((row, frame, value)) if row == change.row => (frame, value),
            _ => (rows[change.row as usize].first, scale.shifted(initial[change.row as usize])),
        };
        let shifted = scale.shifted(change.value);
        gaps.push(u64::from(change.frame - frame - 1));
        absolute.push(shifted);
        differences.push(difference(value, shifted));
        before = Some((change.row, change.frame, shifted));
    }
    (gaps, absolute, differences)
}

fn named_state(strings: &mut NewStrings<'_>, value: u64) -> u64 {
    if value == Metric::ABSENT || value < FIRST_NAMED_STATE {
        return value;
    }
    let state = ProcessState::from_local_code(value).unwrap_or(ProcessState::UNKNOWN);
    FIRST_NAMED_STATE + u64::from(strings.number(&state.name()))
}

fn local_state(dictionary: &Dictionary, value: u64) -> Result<u64, DecodeError> {
    if value == Metric::ABSENT || value < FIRST_NAMED_STATE {
        return Ok(value);
    }
    let number = u32::try_from(value - FIRST_NAMED_STATE).ok();
    let name = number.and_then(|number| dictionary.get(number)).ok_or(DecodeError::Invalid("a state"))?;
    Ok(u64::from(ProcessState::from_name(name).code()))
}

/// One metric of all rows. A row's entries are its first value, at its first frame, and its changes.
#[derive(Clone, Debug, Default)]
pub(super) struct MetricTable {
    /// Where each row's entries start; one more than rows. Empty if no process has the metric.
    starts: Vec<u32>,
    frames: Vec<u32>,
    values: Vec<u64>,
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

impl MetricTable {
    /// Reads what [`put_metric`] wrote.
    pub(super) fn read(
        section: &[u8],
        metric: Metric,
        rows: &[Extent],
        dictionary: &Dictionary,
    ) -> Result<Self, DecodeError> {
        if section.is_empty() {
            return Ok(Self::default());
        }
        let bytes = ColumnBytes::new(section)?;
        let mut columns = bytes.reader();
        let scale = Scale::from_byte(columns.loose().u8()?)?;
        let mut table = Self::read_columns(&mut columns, scale, rows)?;
        columns.end()?;
        if metric == Metric::State {
            for value in &mut table.values {
                *value = local_state(dictionary, *value)?;
            }
        }
        Ok(table)
    }

    fn read_columns(columns: &mut ColumnReader<'_>, scale: Scale, rows: &[Extent]) -> Result<Self, DecodeError> {
        let initial = columns.get(rows.iter().filter(|row| row.frames > 0).count())?;
        let counts = columns.get(rows.len())?;
        let count = counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        let count = count.filter(|count| *count <= BLOCK_SAMPLES_MAX).ok_or(DecodeError::OverLimit("changes"))?;
        let count = usize::try_from(count).map_err(|_| DecodeError::OverLimit("changes"))?;
        let mut gaps = columns.get(count)?.into_iter();
        let mut numbers = columns.get(count)?.into_iter();
        let mut initial = initial.into_iter();
        let mut table = Self::with_capacity(rows.len(), count + rows.len());
        for (row, count) in rows.iter().zip(counts) {
            table.starts.push(u32::try_from(table.frames.len()).unwrap_or(u32::MAX));
            if row.frames == 0 {
                continue;
            }
            let mut frame = row.first;
            let mut number = initial.next().ok_or(DecodeError::Truncated)?;
            table.push(frame, scale.unshifted(number));
            for (gap, next) in (&mut gaps).zip(&mut numbers).take(usize::try_from(count).unwrap_or(0)) {
                let next_frame = gap.checked_add(u64::from(frame) + 1).and_then(|frame| u32::try_from(frame).ok());
                let in_row = next_frame.filter(|frame| frame - row.first < row.frames);
                frame = in_row.ok_or(DecodeError::Invalid("the frame of a change"))?;
                number = if scale.is_delta { sum(number, next) } else { next };
                table.push(frame, scale.unshifted(number));
            }
        }
        table.starts.push(u32::try_from(table.frames.len()).unwrap_or(u32::MAX));
        Ok(table)
    }

    fn with_capacity(rows: usize, entries: usize) -> Self {
        Self {
            starts: Vec::with_capacity(rows + 1),
            frames: Vec::with_capacity(entries),
            values: Vec::with_capacity(entries),
        }
    }

    fn push(&mut self, frame: u32, value: u64) {
        self.frames.push(frame);
        self.values.push(value);
    }

    /// The entries of a row.
    pub(super) fn row(&self, row: usize) -> RowSeries<'_> {
        let start = self.starts.get(row).map_or(0, |start| *start as usize);
        let end = self.starts.get(row + 1).map_or(0, |end| *end as usize);
        RowSeries {
            frames: self.frames.get(start..end).unwrap_or_default(),
            values: self.values.get(start..end).unwrap_or_default(),
        }
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
    pub(super) fn new(series: [RowSeries<'a>; Metric::COUNT], extent: Extent) -> Self {
        Self { series, sample: Sample::ABSENT, next: extent.first, end: extent.first + extent.frames }
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
