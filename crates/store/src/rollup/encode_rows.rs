//! The rows of a rollup: which processes, and when.

use std::collections::HashMap;
use std::sync::Arc;

use procession_codec::DecodeError;
use procession_codec::block::{ColumnReader, ColumnWriter};
use procession_model::{Description, End, Exit, Identity, Timestamp};

use super::columns::{from_optional, get_count, get_sparse, go, optional, put_sparse, unzigzag, way, zigzag};
use super::encode::{Strings, optional_string, steps_of, string};
use super::{Cell, Rollup, Row, Step};

/// The most rows of a rollup.
const ROWS_MAX: usize = 1 << 20;
/// The most cells of a rollup: bounds what opening it takes.
const CELLS_MAX: usize = 1 << 23;

const HAS_START: u64 = 1;
const IS_WHOLE: u64 = 1 << 1;
const HAS_END: u64 = 1 << 2;
const HAS_NO_CELLS: u64 = 1 << 3;
const FLAGS: u64 = HAS_START | IS_WHOLE | HAS_END | HAS_NO_CELLS;

pub(super) fn put_rows(columns: &mut ColumnWriter, strings: &mut Strings, rollup: &Rollup) {
    let rows = &rollup.rows;
    let newest = rollup.last_time().unwrap_or_default();
    columns.put(&[rows.len() as u64]);
    put_sparse(columns, &rows.iter().map(flags).collect::<Vec<_>>());
    put_ways(columns, rows, |row| u64::from(row.description.identity.pid));
    let mut before = 0;
    let starts = rows.iter().map(|row| {
        let from = before;
        before = row.description.identity.start.map_or(before, |start| start.as_ms().cast_unsigned());
        way(from, before)
    });
    columns.put(&starts.collect::<Vec<_>>());
    let numbers = Parents::of(rows);
    put_ways(columns, rows, |row| numbers.number(row.parent));
    let names: Vec<u64> = rows.iter().map(|row| strings.number(&row.description.name)).collect();
    let users: Vec<u64> = rows.iter().map(|row| strings.optional(row.description.user.as_ref())).collect();
    columns.put(&names);
    put_sparse(columns, &users);
    put_ways(columns, rows, |row| row.first.as_ms().cast_unsigned());
    put_sparse(columns, &rows.iter().map(|row| zigzag(newest.since_ms(row.last))).collect::<Vec<_>>());
    let previous = |row: &Row| match row.previous {
        Some(previous) => zigzag(row.first.since_ms(previous)).wrapping_add(1),
        None => 0,
    };
    put_sparse(columns, &rows.iter().map(previous).collect::<Vec<_>>());
    put_ends(columns, rows);
}

/// Parents as numbers: 0 for none, odd for a row, even for a pid.
pub(super) struct Parents(HashMap<Identity, u64>);

impl Parents {
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut numbers = HashMap::new();
        for (row, index) in rows.iter().zip(0..) {
            numbers.entry(row.description.identity).or_insert(index);
        }
        Self(numbers)
    }

    pub(super) fn number(&self, parent: Option<Identity>) -> u64 {
        let Some(parent) = parent else { return 0 };
        self.0.get(&parent).map_or(2 + (u64::from(parent.pid) << 1), |row| 1 + (row << 1))
    }

    pub(super) fn parent(number: u64, identities: &[Identity]) -> Result<Option<Identity>, DecodeError> {
        const INVALID: DecodeError = DecodeError::Invalid("a parent");
        match number {
            0 => Ok(None),
            row if row % 2 == 1 => {
                let row = usize::try_from(row >> 1).ok().and_then(|row| identities.get(row));
                row.copied().map(Some).ok_or(INVALID)
            }
            pid => Ok(Some(Identity { pid: u32::try_from((pid >> 1) - 1).map_err(|_| INVALID)?, start: None })),
        }
    }
}

fn put_ways(columns: &mut ColumnWriter, rows: &[Row], value: impl Fn(&Row) -> u64) {
    let mut before = 0;
    let ways = rows.iter().map(|row| {
        let (from, to) = (before, value(row));
        before = to;
        way(from, to)
    });
    put_sparse(columns, &ways.collect::<Vec<_>>());
}

fn flags(row: &Row) -> u64 {
    let flag = |set: bool, flag: u64| if set { flag } else { 0 };
    flag(row.description.identity.start.is_some(), HAS_START)
        | flag(row.is_whole, IS_WHOLE)
        | flag(row.end.is_some(), HAS_END)
        | flag(row.cells.is_empty(), HAS_NO_CELLS)
}

fn put_ends(columns: &mut ColumnWriter, rows: &[Row]) {
    let ends: Vec<(&Row, End, Timestamp)> =
        rows.iter().filter_map(|row| row.end.map(|(end, told)| (row, end, told))).collect();
    let mut put = |value: &dyn Fn(&(&Row, End, Timestamp)) -> u64| {
        put_sparse(columns, &ends.iter().map(value).collect::<Vec<_>>());
    };
    put(&|(row, _, told)| zigzag(told.since_ms(row.last)));
    put(&|(_, end, told)| end.time.map_or(0, |time| zigzag(told.since_ms(time)).wrapping_add(1)));
    put(&|(_, end, _)| match end.exit {
        None => 0,
        Some(Exit::Code(code)) => 1 + (zigzag(i64::from(code)) << 1),
        Some(Exit::Signal(signal)) => 2 + (u64::from(signal) << 1),
    });
    put(&|(_, end, _)| optional(end.cpu_time_us));
    put(&|(_, end, _)| optional(end.peak_memory_bytes));
}

/// Reads rows; their cells are there and empty.
pub(super) fn get_rows(
    columns: &mut ColumnReader<'_>,
    strings: &[Arc<str>],
    step_ms: u64,
    steps: &[Step],
) -> Result<Vec<Row>, DecodeError> {
    let newest = steps.iter().map(|step| step.last).max().unwrap_or_default();
    let count = get_count(columns, ROWS_MAX, "rows")?;
    let flags = get_sparse(columns, count)?;
    let pids = get_ways(columns, count)?;
    let mut starts = columns.get(count)?;
    add_up(&mut starts);
    let parents = get_ways(columns, count)?;
    let names = columns.get(count)?;
    let users = get_sparse(columns, count)?;
    let firsts = get_ways(columns, count)?;
    let lasts = get_sparse(columns, count)?;
    let previous = get_sparse(columns, count)?;
    let identity = |index: usize| {
        let start = (flags[index] & HAS_START != 0).then(|| Timestamp::from_ms(starts[index].cast_signed()));
        Ok(Identity { pid: pid(pids[index])?, start })
    };
    let identities: Vec<Identity> = (0..count).map(identity).collect::<Result<_, _>>()?;
    let mut rows = Vec::with_capacity(count);
    for index in 0..count {
        let (flags, first) = (flags[index], Timestamp::from_ms(firsts[index].cast_signed()));
        if flags & !FLAGS != 0 {
            return Err(DecodeError::Invalid("the flags of a row"));
        }
        let mut description = Description::new(identities[index].pid, string(strings, names[index])?);
        description.identity = identities[index];
        let parent = Parents::parent(parents[index], &identities)?;
        description.parent_pid = parent.map(|parent| parent.pid);
        description.user = optional_string(strings, users[index])?;
        rows.push(Row {
            description: Arc::new(description),
            parent,
            first,
            last: newest.plus_ms(unzigzag(lasts[index]).saturating_neg()),
            previous: from_optional(previous[index]).map(|way| first.plus_ms(unzigzag(way).saturating_neg())),
            is_whole: flags & IS_WHOLE != 0,
            end: None,
            first_step: 0,
            cells: Vec::new(),
        });
    }
    get_ends(columns, &flags, &mut rows)?;
    make_cells(&flags, step_ms, steps, &mut rows)?;
    Ok(rows)
}

fn get_ends(columns: &mut ColumnReader<'_>, flags: &[u64], rows: &mut [Row]) -> Result<(), DecodeError> {
    let ended = || flags.iter().filter(|flags| **flags & HAS_END != 0);
    let count = ended().count();
    let told = get_sparse(columns, count)?;
    let times = get_sparse(columns, count)?;
    let exits = get_sparse(columns, count)?;
    let cpu_times = get_sparse(columns, count)?;
    let peaks = get_sparse(columns, count)?;
    let ended = rows.iter_mut().zip(flags).filter(|(_, flags)| **flags & HAS_END != 0);
    for (index, (row, _)) in ended.enumerate() {
        let told = row.last.plus_ms(unzigzag(told[index]));
        let end = End {
            time: from_optional(times[index]).map(|way| told.plus_ms(unzigzag(way).saturating_neg())),
            exit: exit(exits[index])?,
            cpu_time_us: from_optional(cpu_times[index]),
            peak_memory_bytes: from_optional(peaks[index]),
        };
        row.end = Some((end, told));
    }
    Ok(())
}

fn exit(number: u64) -> Result<Option<Exit>, DecodeError> {
    const INVALID: DecodeError = DecodeError::Invalid("an exit");
    match number {
        0 => Ok(None),
        code if code % 2 == 1 => {
            let code = i32::try_from(unzigzag(code >> 1)).map_err(|_| INVALID)?;
            Ok(Some(Exit::Code(code)))
        }
        signal => {
            let signal = u8::try_from((signal >> 1) - 1).map_err(|_| INVALID)?;
            Ok(Some(Exit::Signal(signal)))
        }
    }
}

fn make_cells(flags: &[u64], step_ms: u64, steps: &[Step], rows: &mut [Row]) -> Result<(), DecodeError> {
    let number = |index: usize| steps.get(index).map(|step| step.number);
    let mut cells = 0;
    for (row, flags) in rows.iter_mut().zip(flags) {
        if flags & HAS_NO_CELLS != 0 {
            continue;
        }
        let (first, last) =
            steps_of(row, number, steps.len(), step_ms).ok_or(DecodeError::Invalid("the times of a row"))?;
        let count = (last + 1).checked_sub(first).ok_or(DecodeError::Invalid("the times of a row"))?;
        cells += count;
        if cells > CELLS_MAX {
            return Err(DecodeError::OverLimit("cells"));
        }
        row.first_step = first;
        row.cells = vec![Cell::default(); count];
    }
    Ok(())
}

fn pid(number: u64) -> Result<u32, DecodeError> {
    u32::try_from(number).map_err(|_| DecodeError::OverLimit("a pid"))
}

fn get_ways(columns: &mut ColumnReader<'_>, count: usize) -> Result<Vec<u64>, DecodeError> {
    let mut ways = get_sparse(columns, count)?;
    add_up(&mut ways);
    Ok(ways)
}

fn add_up(ways: &mut [u64]) {
    let mut before = 0;
    for way in ways {
        before = go(before, *way);
        *way = before;
    }
}
