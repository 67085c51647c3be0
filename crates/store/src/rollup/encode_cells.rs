//! What processes did in each step. Only cells that are not what is expected are written: that of a process that did nothing
//! is expected, whatever its memory was before.

use procession_codec::DecodeError;
use procession_codec::block::{ColumnReader, ColumnWriter};
use procession_codec::numbers::{add_difference, difference, unzigzag, zigzag};

use super::columns::{from_optional, get_one, optional, pace};
use super::{Cell, Step};

/// What of a cell is not as expected.
const COUNTS: u64 = 1;
const CPU: u64 = 1 << 1;
const MEMORY: u64 = 1 << 2;
const READ: u64 = 1 << 3;
const WRITE: u64 = 1 << 4;
/// More times than this are no times.
const TIMES_MAX: u64 = 1 << 40;
const PARTS: [u64; 5] = [COUNTS, CPU, MEMORY, READ, WRITE];

/// A run of cells of the same process, one for each step from `first_step` on.
pub(super) struct Run<'a> {
    pub(super) first_step: usize,
    pub(super) cells: &'a [Cell],
    /// How many samples the first is expected to have, if not as many as its step has snapshots.
    pub(super) samples: Option<u64>,
}

/// Where a run of cells is to be.
pub(super) struct Place {
    pub(super) first_step: usize,
    pub(super) len: usize,
    pub(super) samples: Option<u64>,
    /// Whether the cells are wanted: the others are only passed over.
    pub(super) is_wanted: bool,
}

/// What is not as expected, cell by cell: the columns in the order in which they are written.
#[derive(Default)]
struct Columns {
    shift: u32,
    first_masks: Vec<u64>,
    entries: Vec<u64>,
    paces: Vec<u8>,
    gaps: Vec<u64>,
    masks: Vec<u64>,
    /// Samples, milliseconds of known CPU, samples of known memory.
    counts: [Vec<u64>; 3],
    /// Highest CPU, sum beyond it, and what the sum leaves of the CPU time: so many times the highest, and one; 0 where it
    /// is no number of times.
    cpu: [Vec<u64>; 3],
    rests: Vec<u64>,
    first_memory: Vec<u64>,
    memory: Vec<u64>,
    /// By how many times its way the memory stayed below its highest, and one; 0 where it is no multiple.
    deficit_times: Vec<u64>,
    deficits: Vec<u64>,
    read: Vec<u64>,
    write: Vec<u64>,
}

/// Writes the cells of runs, one run after the other.
pub(super) fn put_cells(columns: &mut ColumnWriter, steps: &[Step], runs: &[Run<'_>]) {
    let cells = || runs.iter().flat_map(|run| run.cells);
    let memory = cells().flat_map(|cell| [cell.memory_max.unwrap_or(0), deficit(cell)]);
    let shift = memory.filter(|value| *value != 0).map(u64::trailing_zeros).min().unwrap_or(0);
    let mut found = Columns { shift, ..Columns::default() };
    for run in runs {
        found.take_run(steps, run);
    }
    columns.put(&[u64::from(found.shift)]);
    columns.put(&found.first_masks);
    columns.put(&found.entries);
    columns.put_in(&found.gaps, &found.paces);
    columns.put_in(&found.masks, &found.paces);
    for column in found.counts.iter().chain(&found.cpu) {
        columns.put(column);
    }
    for column in [
        &found.rests,
        &found.first_memory,
        &found.memory,
        &found.deficit_times,
        &found.deficits,
        &found.read,
        &found.write,
    ] {
        columns.put(column);
    }
}

impl Columns {
    fn take_run(&mut self, steps: &[Step], run: &Run<'_>) {
        let Some((first, rest)) = run.cells.split_first() else { return };
        let expected = Expected::first(&steps[run.first_step], run.samples);
        let mask = self.take_cell(&expected, first);
        self.first_masks.push(mask);
        let (mut before, mut next) = (first, 0);
        let entries = self.masks.len();
        for (index, cell) in rest.iter().enumerate() {
            let expected = Expected::after(&steps[run.first_step + 1 + index], before);
            before = cell;
            let mask = self.take_cell(&expected, cell);
            if mask != 0 {
                self.gaps.push((index - next) as u64);
                self.masks.push(mask);
                next = index + 1;
            }
        }
        let entries = self.masks.len() - entries;
        self.entries.push(entries as u64);
        self.paces.extend(std::iter::repeat_n(pace(rest.len() as u64, entries as u64), entries));
    }

    fn take_cell(&mut self, expected: &Expected<'_>, cell: &Cell) -> u64 {
        let mut mask = 0;
        if *cell == expected.cell(expected.samples) {
            return mask;
        }
        let known = expected.cell(cell.samples);
        if (cell.samples, cell.cpu_ms, cell.memory_samples) != expected.counts() {
            mask |= COUNTS;
            let ways = [
                difference(expected.samples, cell.samples),
                difference(known.cpu_ms, cell.cpu_ms),
                difference(known.memory_samples, cell.memory_samples),
            ];
            self.counts.iter_mut().zip(ways).for_each(|(column, way)| column.push(way));
        }
        if (cell.cpu_max, cell.cpu_tenths) != (expected_cpu(cell.cpu_ms), 0) {
            mask |= CPU;
            let sum = cell.cpu_tenths.saturating_add(expected.mean_ms / 2) / expected.mean_ms;
            let rest = cell.cpu_tenths.wrapping_sub(sum.wrapping_mul(expected.mean_ms)).cast_signed();
            let highest = cell.cpu_max.unwrap_or(0);
            let times = rest_times(rest, highest);
            if times.is_none() {
                self.rests.push(zigzag(rest));
            }
            let numbers = [optional(cell.cpu_max), difference(highest, sum), optional(times.map(zigzag))];
            self.cpu.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
        }
        if cell.memory_max != expected.memory_max || deficit(cell) != 0 {
            mask |= MEMORY;
            self.take_memory(expected, cell);
        }
        if cell.read != expected.read {
            mask |= READ;
            self.read.push(optional(cell.read));
        }
        if cell.write != expected.write {
            mask |= WRITE;
            self.write.push(optional(cell.write));
        }
        mask
    }

    fn take_memory(&mut self, expected: &Expected<'_>, cell: &Cell) {
        let shifted = |memory: Option<u64>| optional(memory.map(|memory| memory >> self.shift));
        let number = difference(shifted(expected.memory_max.filter(|_| !expected.is_first)), shifted(cell.memory_max));
        let column = if expected.is_first { &mut self.first_memory } else { &mut self.memory };
        column.push(number);
        let (deficit, rise) = (deficit(cell), rise(expected, cell.memory_max));
        match deficit.checked_div(rise) {
            _ if deficit == 0 => self.deficit_times.push(1),
            Some(times) if times.checked_mul(rise) == Some(deficit) && times < u64::MAX => {
                self.deficit_times.push(times + 1);
            }
            _ => {
                self.deficit_times.push(0);
                self.deficits.push(deficit >> self.shift);
            }
        }
    }
}

/// By how much the sum of memory stays below what it would be if it were always the highest.
fn deficit(cell: &Cell) -> u64 {
    let highest = cell.memory_max.unwrap_or(0);
    highest.saturating_mul(cell.memory_samples).wrapping_sub(cell.memory_sum)
}

/// How far the highest memory is from the one before: a memory that changed once in a step stayed that far below it.
fn rise(expected: &Expected<'_>, highest: Option<u64>) -> u64 {
    highest.unwrap_or(0).abs_diff(expected.memory_max.unwrap_or(0))
}

/// How many times the highest CPU is what the sum leaves of the CPU time, as where one sample has all of it; `None` if it is
/// no number of times.
fn rest_times(rest: i64, highest: u64) -> Option<i64> {
    let highest = i64::try_from(highest).ok()?;
    let times = if rest == 0 { 0 } else { rest.checked_div(highest)? };
    (times.checked_mul(highest) == Some(rest) && times.unsigned_abs() < TIMES_MAX).then_some(times)
}

const fn expected_cpu(cpu_ms: u64) -> Option<u64> {
    if cpu_ms > 0 { Some(0) } else { None }
}

/// What a cell is like if nothing happens.
struct Expected<'a> {
    step: &'a Step,
    samples: u64,
    /// The milliseconds of one snapshot of the step, about; at least 1.
    mean_ms: u64,
    knows_cpu: bool,
    knows_memory: bool,
    memory_max: Option<u64>,
    read: Option<u64>,
    write: Option<u64>,
    is_first: bool,
}

impl<'a> Expected<'a> {
    fn first(step: &'a Step, samples: Option<u64>) -> Self {
        Self {
            step,
            samples: samples.unwrap_or(step.snapshots),
            mean_ms: mean_ms(step),
            knows_cpu: true,
            knows_memory: true,
            memory_max: Some(0),
            read: Some(0),
            write: Some(0),
            is_first: true,
        }
    }

    fn after(step: &'a Step, before: &Cell) -> Self {
        Self {
            step,
            samples: step.snapshots,
            mean_ms: mean_ms(step),
            knows_cpu: before.cpu_ms > 0,
            knows_memory: before.memory_samples > 0,
            memory_max: before.memory_max,
            read: before.read.map(|_| 0),
            write: before.write.map(|_| 0),
            is_first: false,
        }
    }

    /// With so many samples.
    fn cell(&self, samples: u64) -> Cell {
        let share = if samples == self.step.snapshots {
            self.step.interval_ms
        } else {
            self.step.interval_ms.saturating_mul(samples) / self.step.snapshots.max(1)
        };
        let cpu_ms = if self.knows_cpu { share } else { 0 };
        let memory_samples = if self.knows_memory { samples } else { 0 };
        Cell {
            samples,
            cpu_ms,
            cpu_tenths: 0,
            cpu_max: expected_cpu(cpu_ms),
            memory_samples,
            memory_sum: self.memory_max.unwrap_or(0).saturating_mul(memory_samples),
            memory_max: self.memory_max,
            read: self.read,
            write: self.write,
        }
    }

    fn counts(&self) -> (u64, u64, u64) {
        let cell = self.cell(self.samples);
        (cell.samples, cell.cpu_ms, cell.memory_samples)
    }
}

fn mean_ms(step: &Step) -> u64 {
    (step.interval_ms / step.snapshots.max(1)).max(1)
}

type Numbers = std::vec::IntoIter<u64>;

/// The columns while they are read.
struct Reading {
    shift: u32,
    first_masks: Numbers,
    entries: Numbers,
    gaps: Numbers,
    masks: Numbers,
    counts: [Numbers; 3],
    cpu: [Numbers; 3],
    rests: Numbers,
    first_memory: Numbers,
    memory: Numbers,
    deficit_times: Numbers,
    deficits: Numbers,
    read: Numbers,
    write: Numbers,
}

/// Reads what [`put_cells`] wrote: the cells of each place that is wanted, none of the others. Steps are those that the places name.
pub(super) fn get_cells(
    columns: &mut ColumnReader<'_>,
    steps: &[Step],
    places: &[Place],
) -> Result<Vec<Vec<Cell>>, DecodeError> {
    let mut reading = Reading::get(columns, places)?;
    places.iter().map(|place| reading.run(steps, place)).collect()
}

impl Reading {
    fn get(columns: &mut ColumnReader<'_>, places: &[Place]) -> Result<Self, DecodeError> {
        const INVALID: DecodeError = DecodeError::Invalid("the cells of a rollup");
        let shift = u32::try_from(get_one(columns)?).ok().filter(|shift| *shift < u64::BITS);
        let shift = shift.ok_or(DecodeError::Invalid("a shift"))?;
        let runs = places.iter().filter(|place| place.len > 0);
        let first_masks = columns.get(runs.clone().count())?;
        let entries = columns.get(first_masks.len())?;
        let mut paces = Vec::new();
        for (place, entries) in runs.zip(&entries) {
            let len = usize::try_from(*entries).ok().filter(|entries| *entries < place.len).ok_or(INVALID)?;
            paces.extend(std::iter::repeat_n(pace(place.len as u64 - 1, *entries), len));
        }
        let gaps = columns.get_in(paces.len(), &paces)?;
        let masks = columns.get_in(paces.len(), &paces)?;
        let having = |masks: &[u64], part: u64| masks.iter().filter(|mask| *mask & part != 0).count();
        let all = PARTS.map(|part| having(&first_masks, part) + having(&masks, part));
        let [counts, cpu, _, read, write] = all;
        let mut column = |count: usize| Ok::<_, DecodeError>(columns.get(count)?.into_iter());
        let (counts, cpu) =
            ([column(counts)?, column(counts)?, column(counts)?], [column(cpu)?, column(cpu)?, column(cpu)?]);
        let rests = column(cpu[2].as_slice().iter().filter(|times| **times == 0).count())?;
        let first_memory = column(having(&first_masks, MEMORY))?;
        let memory = column(having(&masks, MEMORY))?;
        let deficit_times = column(first_memory.len() + memory.len())?;
        let deficits = column(deficit_times.as_slice().iter().filter(|times| **times == 0).count())?;
        let (read, write) = (column(read)?, column(write)?);
        let (first_masks, entries) = (first_masks.into_iter(), entries.into_iter());
        let (gaps, masks) = (gaps.into_iter(), masks.into_iter());
        Ok(Self {
            shift,
            first_masks,
            entries,
            gaps,
            masks,
            counts,
            cpu,
            rests,
            first_memory,
            memory,
            deficit_times,
            deficits,
            read,
            write,
        })
    }

    fn run(&mut self, steps: &[Step], place: &Place) -> Result<Vec<Cell>, DecodeError> {
        if place.len == 0 {
            return Ok(Vec::new());
        }
        let first_mask = next(&mut self.first_masks)?;
        let entries = usize::try_from(next(&mut self.entries)?).map_err(|_| DecodeError::Truncated)?;
        if !place.is_wanted {
            self.pass(first_mask, entries)?;
            return Ok(Vec::new());
        }
        let step = |index: usize| steps.get(index).ok_or(DecodeError::Invalid("a step"));
        let mut cells = Vec::with_capacity(place.len);
        let expected = Expected::first(step(place.first_step)?, place.samples);
        let mut before = self.cell(&expected, first_mask)?;
        cells.push(before);
        let go_to = |cells: &mut Vec<Cell>, len: usize, before: &mut Cell| {
            while cells.len() < len {
                let expected = Expected::after(step(place.first_step + cells.len())?, before);
                *before = expected.cell(expected.samples);
                cells.push(*before);
            }
            Ok::<_, DecodeError>(())
        };
        for _ in 0..entries {
            let gap = usize::try_from(next(&mut self.gaps)?).unwrap_or(usize::MAX);
            let at = cells.len().checked_add(gap).filter(|at| *at < place.len);
            let at = at.ok_or(DecodeError::Invalid("the cells of a rollup"))?;
            go_to(&mut cells, at, &mut before)?;
            let expected = Expected::after(step(place.first_step + at)?, &before);
            let mask = next(&mut self.masks)?;
            before = self.cell(&expected, mask)?;
            cells.push(before);
        }
        go_to(&mut cells, place.len, &mut before)?;
        Ok(cells)
    }

    /// Passes over the numbers of a run.
    fn pass(&mut self, first_mask: u64, entries: usize) -> Result<(), DecodeError> {
        let mut sums = [0; PARTS.len()];
        for index in 0..=entries {
            let mask = if index == 0 { first_mask } else { next(&mut self.masks)? };
            for (sum, part) in sums.iter_mut().zip(PARTS) {
                *sum += usize::from(mask & part != 0);
            }
            if mask & MEMORY != 0 {
                next(if index == 0 { &mut self.first_memory } else { &mut self.memory })?;
                if next(&mut self.deficit_times)? == 0 {
                    next(&mut self.deficits)?;
                }
            }
        }
        let skip = |column: &mut Numbers, count: usize| {
            if count > 0 {
                column.nth(count - 1);
            }
        };
        skip(&mut self.gaps, entries);
        self.counts.iter_mut().for_each(|column| skip(column, sums[0]));
        let [highest, sum, rest] = &mut self.cpu;
        skip(highest, sums[1]);
        skip(sum, sums[1]);
        for _ in 0..sums[1] {
            if next(rest)? == 0 {
                next(&mut self.rests)?;
            }
        }
        skip(&mut self.read, sums[3]);
        skip(&mut self.write, sums[4]);
        Ok(())
    }

    fn cell(&mut self, expected: &Expected<'_>, mask: u64) -> Result<Cell, DecodeError> {
        let mut cell = expected.cell(expected.samples);
        if mask & COUNTS != 0 {
            let [samples, cpu_ms, memory_samples] = &mut self.counts;
            cell = expected.cell(add_difference(expected.samples, next(samples)?));
            cell.cpu_ms = add_difference(cell.cpu_ms, next(cpu_ms)?);
            cell.memory_samples = add_difference(cell.memory_samples, next(memory_samples)?);
            cell.cpu_max = expected_cpu(cell.cpu_ms);
        }
        if mask & CPU != 0 {
            let [highest, sum, rest] = &mut self.cpu;
            cell.cpu_max = from_optional(next(highest)?);
            let sum = add_difference(cell.cpu_max.unwrap_or(0), next(sum)?);
            let rest = match from_optional(next(rest)?) {
                Some(times) => unzigzag(times).wrapping_mul(cell.cpu_max.unwrap_or(0).cast_signed()),
                None => unzigzag(next(&mut self.rests)?),
            };
            cell.cpu_tenths = sum.wrapping_mul(expected.mean_ms).wrapping_add(rest.cast_unsigned());
        }
        let mut deficit = 0;
        if mask & MEMORY != 0 {
            let shifted = |memory: Option<u64>| optional(memory.map(|memory| memory >> self.shift));
            let before = shifted(expected.memory_max.filter(|_| !expected.is_first));
            let number = next(if expected.is_first { &mut self.first_memory } else { &mut self.memory })?;
            cell.memory_max = from_optional(add_difference(before, number)).map(|memory| memory << self.shift);
            deficit = match next(&mut self.deficit_times)? {
                0 => next(&mut self.deficits)? << self.shift,
                times => (times - 1).wrapping_mul(rise(expected, cell.memory_max)),
            };
        }
        cell.memory_sum = cell.memory_max.unwrap_or(0).saturating_mul(cell.memory_samples).wrapping_sub(deficit);
        if mask & READ != 0 {
            cell.read = from_optional(next(&mut self.read)?);
        }
        if mask & WRITE != 0 {
            cell.write = from_optional(next(&mut self.write)?);
        }
        Ok(cell)
    }
}

fn next(numbers: &mut Numbers) -> Result<u64, DecodeError> {
    numbers.next().ok_or(DecodeError::Truncated)
}
