//! What processes did in each step: of rows one after the other, and of what is folded.

use std::sync::Arc;

use procession_codec::DecodeError;
use procession_codec::block::{ColumnReader, ColumnWriter};
use procession_model::{Identity, Timestamp};

use super::columns::{from_optional, get_count, get_one, get_sparse, go, optional, put_sparse, unzigzag, way, zigzag};
use super::encode::{Strings, optional_string, string};
use super::encode_rows::Parents;
use super::{Cell, Folded, FoldedKey, Rollup, Row, Step};

/// The most folded entries of a rollup.
const FOLDED_MAX: usize = 1 << 21;

/// A cell, what its step has, and whether it is the first of its row.
struct Placed<'a> {
    cell: &'a Cell,
    step: &'a Step,
    is_first: bool,
}

pub(super) fn put_cells(columns: &mut ColumnWriter, rollup: &Rollup) {
    let of_row = |row: &'_ Row| {
        let first = row.first_step;
        row.cells.clone().into_iter().enumerate().map(move |(index, cell)| (cell, first + index, index == 0))
    };
    let cells: Vec<(Cell, usize, bool)> = rollup.rows.iter().flat_map(of_row).collect();
    let placed: Vec<Placed<'_>> = cells
        .iter()
        .map(|(cell, step, is_first)| Placed { cell, step: &rollup.steps[*step], is_first: *is_first })
        .collect();
    put_placed(columns, &placed);
}

fn put_placed(columns: &mut ColumnWriter, cells: &[Placed<'_>]) {
    let shift =
        cells.iter().filter_map(|placed| placed.cell.memory_max).chain(cells.iter().map(|placed| deficit(placed.cell)));
    let shift = shift.filter(|value| *value != 0).map(u64::trailing_zeros).min().unwrap_or(0);
    columns.put(&[u64::from(shift)]);
    let mut put = |value: &dyn Fn(&Placed<'_>) -> u64| {
        put_sparse(columns, &cells.iter().map(value).collect::<Vec<_>>());
    };
    put(&|placed| way(placed.step.snapshots, placed.cell.samples));
    put(&|placed| way(placed.step.interval_ms, placed.cell.cpu_ms));
    put(&|placed| placed.cell.cpu_tenths);
    put(&|placed| optional(placed.cell.cpu_max));
    put(&|placed| way(placed.cell.samples, placed.cell.memory_samples));
    put(&|placed| deficit(placed.cell) >> shift);
    put(&|placed| optional(placed.cell.read));
    put(&|placed| optional(placed.cell.write));
    let mut before = 0;
    let ways = cells.iter().map(|placed| {
        let from = if placed.is_first { 0 } else { before };
        before = optional(placed.cell.memory_max.map(|memory| memory >> shift));
        way(from, before)
    });
    put_sparse(columns, &ways.collect::<Vec<_>>());
}

/// By how much the sum of memory stays below what it would be if it were always the highest.
fn deficit(cell: &Cell) -> u64 {
    let highest = cell.memory_max.unwrap_or(0);
    highest.saturating_mul(cell.memory_samples).wrapping_sub(cell.memory_sum)
}

pub(super) fn get_cells(columns: &mut ColumnReader<'_>, steps: &[Step], rows: &mut [Row]) -> Result<(), DecodeError> {
    let of_row = |row: &Row| {
        let first = row.first_step;
        (0..row.cells.len()).map(move |index| (first + index, index == 0))
    };
    let places: Vec<(usize, bool)> = rows.iter().flat_map(of_row).collect();
    let mut cells = get_placed(columns, steps, &places)?.into_iter();
    for row in rows {
        for (slot, cell) in row.cells.iter_mut().zip(&mut cells) {
            *slot = cell;
        }
    }
    Ok(())
}

fn get_placed(
    columns: &mut ColumnReader<'_>,
    steps: &[Step],
    places: &[(usize, bool)],
) -> Result<Vec<Cell>, DecodeError> {
    let shift = u32::try_from(get_one(columns)?).ok().filter(|shift| *shift < u64::BITS);
    let shift = shift.ok_or(DecodeError::Invalid("a shift"))?;
    let mut get = || get_sparse(columns, places.len());
    let (samples, cpu_ms, cpu_tenths, cpu_max) = (get()?, get()?, get()?, get()?);
    let (memory_samples, deficits, read, write, memory) = (get()?, get()?, get()?, get()?, get()?);
    let mut cells = Vec::with_capacity(places.len());
    let mut before = 0;
    for (index, (step, is_first)) in places.iter().enumerate() {
        let step = steps.get(*step).ok_or(DecodeError::Invalid("a step"))?;
        before = go(if *is_first { 0 } else { before }, memory[index]);
        let memory_max = from_optional(before).map(|memory| memory << shift);
        let samples = go(step.snapshots, samples[index]);
        let memory_samples = go(samples, memory_samples[index]);
        let highest = memory_max.unwrap_or(0).saturating_mul(memory_samples);
        cells.push(Cell {
            samples,
            cpu_ms: go(step.interval_ms, cpu_ms[index]),
            cpu_tenths: cpu_tenths[index],
            cpu_max: from_optional(cpu_max[index]),
            memory_samples,
            memory_sum: highest.wrapping_sub(deficits[index] << shift),
            memory_max,
            read: from_optional(read[index]),
            write: from_optional(write[index]),
        });
    }
    Ok(cells)
}

pub(super) fn put_folded(columns: &mut ColumnWriter, strings: &mut Strings, rollup: &Rollup) {
    let folded = &rollup.folded;
    columns.put(&[folded.len() as u64]);
    let parents = Parents::of(&rollup.rows);
    let start = |folded: &Folded| Rollup::start_of(rollup.step_ms, rollup.steps[folded.step].number);
    let mut before = 0;
    let steps = folded.iter().map(|folded| {
        let from = before;
        before = folded.step;
        (folded.step - from) as u64
    });
    columns.put(&steps.collect::<Vec<_>>());
    let names: Vec<u64> = folded.iter().map(|folded| strings.number(&folded.key.name)).collect();
    let users: Vec<u64> = folded.iter().map(|folded| strings.optional(folded.key.user.as_ref())).collect();
    columns.put(&names);
    columns.put(&users);
    let mut put = |value: &dyn Fn(&Folded) -> u64| {
        columns.put(&folded.iter().map(value).collect::<Vec<_>>());
    };
    put(&|folded| parents.number(folded.key.parent));
    put(&|folded| u64::from(folded.key.began_before));
    put(&|folded| folded.count);
    put(&|folded| zigzag(folded.first.since_ms(start(folded))));
    put(&|folded| zigzag(folded.last.since_ms(folded.first)));
    put(&|folded| folded.alive_ms);
    put(&|folded| folded.extra_tenths);
    let placed: Vec<Placed<'_>> =
        folded.iter().map(|folded| Placed { cell: &folded.cell, step: &EMPTY, is_first: true }).collect();
    put_placed(columns, &placed);
}

/// What a folded cell is compared with: it has nothing to do with how many snapshots its step has.
const EMPTY: Step = Step {
    number: 0,
    first: Timestamp::from_ms(0),
    last: Timestamp::from_ms(0),
    last_sequence: 0,
    snapshots: 0,
    interval_ms: 0,
    process_samples: 0,
    processes_max: 0,
    cpu_sum: 0,
    cpu_max: 0,
    memory_sum: 0,
    memory_max: 0,
    host_cpu_snapshots: 0,
    host_cpu_sum: 0,
    host_cpu_tenths: 0,
    host_memory_sum: 0,
    host_memory_snapshots: 0,
    host: procession_model::HostSample::ABSENT,
};

pub(super) fn get_folded(
    columns: &mut ColumnReader<'_>,
    strings: &[Arc<str>],
    step_ms: u64,
    steps: &[Step],
    rows: &[Row],
) -> Result<Vec<Folded>, DecodeError> {
    const INVALID: DecodeError = DecodeError::Invalid("a folded entry");
    let count = get_count(columns, FOLDED_MAX, "folded entries")?;
    let mut get = || columns.get(count);
    let (distances, names, users, parents, began_before) = (get()?, get()?, get()?, get()?, get()?);
    let (counts, firsts, lasts, alive, extra) = (get()?, get()?, get()?, get()?, get()?);
    let identities: Vec<Identity> = rows.iter().map(|row| row.description.identity).collect();
    let cells = get_placed(columns, &[EMPTY], &vec![(0, true); count])?;
    let mut folded = Vec::with_capacity(count);
    let mut step = 0_usize;
    for (index, cell) in cells.into_iter().enumerate() {
        let next = usize::try_from(distances[index]).ok().and_then(|distance| step.checked_add(distance));
        step = next.filter(|step| *step < steps.len()).ok_or(INVALID)?;
        let first = Rollup::start_of(step_ms, steps[step].number).plus_ms(unzigzag(firsts[index]));
        let key = FoldedKey {
            name: string(strings, names[index])?,
            user: optional_string(strings, users[index])?,
            parent: Parents::parent(parents[index], &identities)?,
            began_before: began_before[index] != 0,
        };
        let last = first.plus_ms(unzigzag(lasts[index]));
        let (count, alive_ms, extra_tenths) = (counts[index], alive[index], extra[index]);
        folded.push(Folded { step, key, count, first, last, alive_ms, cell, extra_tenths });
    }
    Ok(folded)
}
