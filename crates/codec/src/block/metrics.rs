//! One metric of all processes: for each process its first value and where it changed to what, all processes end to end.
//!
//! CPU and IO are 0 most of the time and 0 again after they were not: where that is shorter, only what is not 0 is
//! written ("pulses").

use procession_model::{Metric, ProcessState, Timestamp};

use super::column::{ColumnBytes, ColumnReader, ColumnWriter};
use super::dictionary::{Dictionary, NewStrings};
use super::lives::{Change, Life, Lives};
use super::moment::Moment;
use super::row::{Phase, RowSeries, processes};
use super::scale::{Scale, ZERO, cost};
use super::ticks::Units;
use super::{BLOCK_SAMPLES_MAX, Effort};
use crate::DecodeError;
use crate::numbers::{add_difference, difference};

/// States from here on are written as this plus the number of their name.
const FIRST_NAMED_STATE: u64 = ProcessState::FIRST_OTHER as u64;

/// A process of a block, whatever its descriptions.
struct Lifetime {
    first: u32,
    /// The first frame that does not have it any more.
    after: u32,
    /// Its values: the first one at `first`.
    entries: Vec<(u32, u64)>,
}

/// The section of a metric; no bytes if no process has it.
pub(super) fn metric_section(lives: &Lives, strings: &mut NewStrings<'_>, metric: Metric, effort: Effort) -> Vec<u8> {
    let changes = &lives.changes[metric.index()];
    let mut lifetimes = lifetimes(metric, &lives.rows, changes);
    if metric == Metric::State {
        for (_, value) in lifetimes.iter_mut().flat_map(|lifetime| &mut lifetime.entries) {
            *value = named_state(strings, *value);
        }
    }
    let values = || lifetimes.iter().flat_map(|lifetime| lifetime.entries.iter().map(|(_, value)| *value));
    if values().all(|value| value == Metric::ABSENT) {
        return Vec::new();
    }
    let mut scale = Scale::of(values());
    for (_, value) in lifetimes.iter_mut().flat_map(|lifetime| &mut lifetime.entries) {
        *value = scale.scaled(*value);
    }
    scale.is_pulses = lifetimes.iter().map(pulse_count).sum::<u64>() <= changes.len() as u64;
    if scale.is_pulses {
        for lifetime in &mut lifetimes {
            lifetime.entries = pulses(lifetime);
        }
    }
    let mut columns = ColumnWriter::new(effort);
    put_lifetimes(&mut columns, scale, &lifetimes);
    let plain = columns.finish();
    if metric != Metric::Cpu || !scale.is_pulses {
        return plain;
    }
    let ticked = ticked_section(lives, scale, lifetimes, effort);
    ticked.filter(|ticked| ticked.len() < plain.len()).unwrap_or(plain)
}

/// Pulses as ticks, if that may be shorter.
fn ticked_section(lives: &Lives, scale: Scale, mut lifetimes: Vec<Lifetime>, effort: Effort) -> Option<Vec<u8>> {
    let entries = lifetimes.iter().flat_map(|lifetime| &lifetime.entries);
    let known = entries.filter(|(_, number)| *number > 0);
    let values: Vec<(u32, u64)> = known.map(|(frame, number)| (*frame, scale.unscaled(*number))).collect();
    let units = Units::fit(&lives.times, &values, scale.divisor)?;
    let mut rests = Vec::new();
    for (frame, number) in lifetimes.iter_mut().flat_map(|lifetime| &mut lifetime.entries) {
        let mut rest = 0;
        if *number > 0 {
            let ticks;
            (ticks, rest) = units.split(*frame, scale.unscaled(*number));
            *number = TICKED.scaled(ticks);
        }
        rests.push(rest);
    }
    let mut columns = ColumnWriter::new(effort);
    put_lifetimes(&mut columns, TICKED, &lifetimes);
    units.put(&mut columns, &lives.times);
    columns.put(&rests);
    Some(columns.finish())
}

/// The scale of ticks.
const TICKED: Scale = Scale { divisor: 1, is_delta: false, is_pulses: true, is_ticks: true };

fn lifetimes(metric: Metric, rows: &[Life], changes: &[Change]) -> Vec<Lifetime> {
    let mut lifetimes: Vec<Lifetime> = Vec::new();
    let mut changes = changes.iter().peekable();
    for (index, row) in (0..).zip(rows) {
        let after = row.first + row.frames;
        match lifetimes.last_mut().filter(|_| row.head != index) {
            Some(lifetime) => lifetime.after = after,
            None if row.frames == 0 => continue,
            None => {
                let mut entries = vec![(row.first, row.initial.raw()[metric.index()])];
                while let Some(change) = changes.next_if(|change| change.row == index) {
                    entries.push((change.frame, change.value));
                }
                lifetimes.push(Lifetime { first: row.first, after, entries });
            }
        }
    }
    lifetimes
}

/// The entries with the frames in which each of them holds.
fn stretches(lifetime: &Lifetime) -> impl Iterator<Item = (std::ops::Range<u32>, u64)> + '_ {
    let ends = lifetime.entries.iter().skip(1).map(|(frame, _)| *frame).chain([lifetime.after]);
    lifetime.entries.iter().zip(ends).map(|((frame, value), end)| (*frame..end, *value))
}

fn pulse_count(lifetime: &Lifetime) -> u64 {
    stretches(lifetime).filter(|(_, value)| *value != ZERO).map(|(frames, _)| frames.len() as u64).sum()
}

fn pulses(lifetime: &Lifetime) -> Vec<(u32, u64)> {
    stretches(lifetime)
        .filter(|(_, value)| *value != ZERO)
        .flat_map(|(frames, value)| frames.map(move |frame| (frame, value)))
        .collect()
}

fn put_lifetimes(columns: &mut ColumnWriter, mut scale: Scale, lifetimes: &[Lifetime]) {
    let (mut first_values, mut counts, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    let (mut absolute, mut differences) = (Vec::new(), Vec::new());
    let (mut of_gaps, mut of_numbers) = (Vec::new(), Vec::new());
    for lifetime in lifetimes {
        let (mut next, mut before, mut entries) = (lifetime.first, ZERO, &lifetime.entries[..]);
        if !scale.is_pulses
            && let Some(((frame, value), rest)) = entries.split_first()
        {
            first_values.push(*value);
            (next, before, entries) = (frame + 1, *value, rest);
        }
        counts.push(entries.len() as u64);
        let pace = pace(lifetime.after - next, entries.len() as u64);
        for (index, (frame, value)) in entries.iter().enumerate() {
            let gap = u64::from(frame - next);
            of_gaps.push(pace | if index == 0 { FIRST } else { 0 });
            of_numbers.push(pace | if index == 0 { FIRST } else { apart(gap) });
            gaps.push(gap);
            absolute.push(*value);
            differences.push(difference(before, *value));
            (next, before) = (frame + 1, *value);
        }
    }
    scale.is_delta = cost(&differences) < cost(&absolute);
    scale.put(columns.loose());
    columns.put(&first_values);
    columns.put(&counts);
    columns.put_in(&gaps, &of_gaps);
    columns.put_in(if scale.is_delta { &differences } else { &absolute }, &of_numbers);
}

/// The given context of a number beside its pace: whether it is the first one of its process, or how far from the one before it is.
const FIRST: u8 = 3 << PACE_BITS;
/// Bits of a pace.
const PACE_BITS: u32 = 4;

const fn apart(gap: u64) -> u8 {
    let class = match gap {
        0 => 0,
        1..=3 => 1,
        _ => 2,
    };
    class << PACE_BITS
}

/// How far apart the entries of a process are: a quarter of the mean gap, in bits.
fn pace(frames: u32, entries: u64) -> u8 {
    let free = u64::from(frames).saturating_sub(entries);
    let quarters = free.saturating_mul(4).checked_div(entries).unwrap_or(0);
    u8::try_from(u64::BITS - quarters.leading_zeros()).unwrap_or(u8::MAX).min((1 << PACE_BITS) - 1)
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

impl MetricTable {
    /// Reads what [`metric_section`] wrote; of one frame only if that is given.
    pub(super) fn read(
        section: &[u8],
        metric: Metric,
        phases: &[Phase],
        frame: Option<u32>,
        times: &[Timestamp],
        dictionary: &Dictionary,
    ) -> Result<Self, DecodeError> {
        if section.is_empty() {
            return Ok(Self::default());
        }
        let bytes = ColumnBytes::new(section)?;
        let mut columns = bytes.reader();
        let mut table = Self::read_columns(&mut columns, phases, frame, times)?;
        columns.end()?;
        if metric == Metric::State {
            for value in &mut table.values {
                *value = local_state(dictionary, *value)?;
            }
        }
        Ok(table)
    }

    fn read_columns(
        columns: &mut ColumnReader<'_>,
        phases: &[Phase],
        frame: Option<u32>,
        times: &[Timestamp],
    ) -> Result<Self, DecodeError> {
        let scale = Scale::get(columns)?;
        let seen = processes(phases).filter(|phases| phases[0].frames > 0).count();
        let mut first_values = columns.get(if scale.is_pulses { 0 } else { seen })?.into_iter();
        let counts = columns.get(seen)?;
        let total =
            counts.iter().copied().try_fold(0_u64, u64::checked_add).filter(|total| *total <= BLOCK_SAMPLES_MAX);
        let total = total.and_then(|total| usize::try_from(total).ok()).ok_or(DecodeError::OverLimit("changes"))?;
        let first = entries_wanted(phases, &counts);
        let given = given_of_gaps(phases, scale, &counts, first);
        let given_of_number = |given: u8, gap: u64| if given & FIRST == 0 { given | apart(gap) } else { given };
        let [gaps, numbers] = columns.get_two([first, total], given, given_of_number)?;
        let mut ticks = None;
        if scale.is_ticks {
            let units = Units::get(columns, times)?;
            ticks = Some(Ticks { units, rests: columns.get_first(first, total, &[])?.into_iter() });
        }
        let mut counts = counts.into_iter();
        let mut entries = gaps.into_iter().zip(numbers);
        let mut table = Self::with_capacity(phases.len(), if frame.is_some() { 0 } else { first } + phases.len());
        for phases in processes(phases) {
            if phases[0].frames == 0 {
                phases.iter().filter(|phase| phase.is_wanted).for_each(|_| table.begin_row());
                continue;
            }
            let count = counts.next().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
            let first_value = first_values.next();
            if !phases[0].is_wanted {
                if let Some(last) = count.checked_sub(1) {
                    entries.nth(last);
                    ticks.iter_mut().for_each(|ticks| ticks.skip(count));
                }
                continue;
            }
            if let Some(frame) = frame {
                let mut entries = entries.by_ref().take(count);
                Moment { scale, frame, phases }.read(&mut table, first_value, &mut entries, &mut ticks)?;
                continue;
            }
            let mut walk = Walk::new(scale, phases);
            let mut before = ZERO;
            if let Some(number) = first_value {
                before = number;
                walk.take(&mut table, 0, number)?;
            }
            for (gap, number) in entries.by_ref().take(count) {
                before = if scale.is_delta { add_difference(before, number) } else { number };
                let number = match &mut ticks {
                    Some(ticks) => ticks.number(walk.frame_after(gap)?, before)?,
                    None => before,
                };
                walk.take(&mut table, gap, number)?;
            }
            walk.finish(&mut table);
        }
        table.begin_row();
        Ok(table)
    }

    fn with_capacity(rows: usize, entries: usize) -> Self {
        Self {
            starts: Vec::with_capacity(rows + 1),
            frames: Vec::with_capacity(entries),
            values: Vec::with_capacity(entries),
        }
    }

    pub(super) fn begin_row(&mut self) {
        self.starts.push(u32::try_from(self.frames.len()).unwrap_or(u32::MAX));
    }

    pub(super) fn push(&mut self, frame: u32, value: u64) {
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

/// How many entries there are up to those of the last process that is wanted; the counts are checked.
fn entries_wanted(phases: &[Phase], counts: &[u64]) -> usize {
    let seen = processes(phases).filter(|phases| phases[0].frames > 0);
    let (mut entries, mut wanted) = (0, 0);
    for (phases, count) in seen.zip(counts) {
        entries += usize::try_from(*count).unwrap_or(0);
        if phases[0].is_wanted {
            wanted = entries;
        }
    }
    wanted
}

/// The given context of each gap up to so many, as [`put_lifetimes`] has it; the counts are checked.
fn given_of_gaps(phases: &[Phase], scale: Scale, counts: &[u64], first: usize) -> Vec<u8> {
    let mut given = Vec::with_capacity(first);
    let seen = processes(phases).filter(|phases| phases[0].frames > 0);
    for (phases, count) in seen.zip(counts) {
        if given.len() >= first {
            break;
        }
        let (first, after) = (phases.first().map_or(0, |phase| phase.first), phases.last().map_or(0, Phase::after));
        let frames = (after - first).saturating_sub(u32::from(!scale.is_pulses));
        let len = usize::try_from(*count).unwrap_or(0);
        let pace = pace(frames, *count);
        given.extend((0..len).map(|index| pace | if index == 0 { FIRST } else { 0 }));
    }
    given
}

/// Numbers of ticks, made values again.
pub(super) struct Ticks {
    units: Units,
    rests: std::vec::IntoIter<u64>,
}

impl Ticks {
    /// Goes past so many entries, at least one.
    pub(super) fn skip(&mut self, count: usize) {
        self.rests.nth(count - 1);
    }

    /// The number of the value that so many ticks are in a frame.
    pub(super) fn number(&mut self, frame: u32, ticks: u64) -> Result<u64, DecodeError> {
        let rest = self.rests.next().ok_or(DecodeError::Truncated)?;
        match ticks.checked_sub(1) {
            Some(ticks) => Ok(TICKED.scaled(self.units.join(frame, ticks, rest)?)),
            None => Ok(0),
        }
    }
}

/// Walks along the entries of a process and lays them out over its rows.
struct Walk<'a> {
    scale: Scale,
    /// The rows that have not begun.
    phases: &'a [Phase],
    after: u32,
    /// The frame after the last entry.
    next: u32,
    /// The number that the table has last.
    laid: Option<u64>,
}

impl<'a> Walk<'a> {
    fn new(scale: Scale, phases: &'a [Phase]) -> Self {
        let after = phases.last().map_or(0, Phase::after);
        let first = phases.first().map_or(0, |phase| phase.first);
        Self { scale, phases, after, next: first, laid: None }
    }

    /// The frame of an entry that so many frames are before.
    fn frame_after(&self, gap: u64) -> Result<u32, DecodeError> {
        let frame = gap.checked_add(u64::from(self.next)).and_then(|frame| u32::try_from(frame).ok());
        frame.filter(|frame| *frame < self.after).ok_or(DecodeError::Invalid("the frame of a change"))
    }

    /// The next entry, so many frames after the one before it.
    fn take(&mut self, table: &mut MetricTable, gap: u64, number: u64) -> Result<(), DecodeError> {
        let frame = self.frame_after(gap)?;
        if self.scale.is_pulses && frame > self.next {
            self.lay(table, self.next, ZERO);
        }
        self.lay(table, frame, number);
        self.next = frame + 1;
        Ok(())
    }

    fn finish(mut self, table: &mut MetricTable) {
        if self.scale.is_pulses && self.next < self.after {
            self.lay(table, self.next, ZERO);
        }
        self.begin_phases(table, self.after);
    }

    fn lay(&mut self, table: &mut MetricTable, frame: u32, number: u64) {
        if self.laid == Some(number) {
            return;
        }
        self.begin_phases(table, frame);
        while self.phases.first().is_some_and(|phase| phase.first == frame) {
            table.begin_row();
            self.phases = &self.phases[1..];
        }
        table.push(frame, self.scale.unscaled(number));
        self.laid = Some(number);
    }

    /// Rows that begin before a frame, in the middle of a stretch: their first value is the one that goes on.
    fn begin_phases(&mut self, table: &mut MetricTable, frame: u32) {
        while let Some((phase, rest)) = self.phases.split_first()
            && phase.first < frame
        {
            table.begin_row();
            if let Some(number) = self.laid {
                table.push(phase.first, self.scale.unscaled(number));
            }
            self.phases = rest;
        }
    }
}
