//! The rows of a rollup: which processes, and when.

use std::collections::HashMap;
use std::sync::Arc;

use procession_codec::DecodeError;
use procession_codec::block::{ColumnReader, ColumnWriter};
use procession_codec::numbers::{add_difference, difference, unzigzag, zigzag};
use procession_model::{Description, End, Exit, Identity, Timestamp};

use super::columns::{SeriesReader, SeriesWriter, from_optional, get_count};
use super::encode::{Strings, optional_string, steps_of, string};
use super::encode_cells::Place;
use super::{Rollup, Row, Step};

/// The most rows of a rollup.
const ROWS_MAX: usize = 1 << 20;
/// The most cells of a rollup: bounds what opening it takes.
const CELLS_MAX: usize = 1 << 23;

const HAS_START: u64 = 1;
const IS_WHOLE: u64 = 1 << 1;
const HAS_END: u64 = 1 << 2;
const HAS_NO_CELLS: u64 = 1 << 3;
const HAS_PREVIOUS: u64 = 1 << 4;
const FLAGS: u64 = HAS_START | IS_WHOLE | HAS_END | HAS_NO_CELLS | HAS_PREVIOUS;
/// How many lists the rows are beside plain columns.
const LISTS: usize = 5;
/// How many lists the ends are.
const END_LISTS: usize = 4;

pub(super) fn put_rows(columns: &mut ColumnWriter, strings: &mut Strings, rollup: &Rollup) {
    let rows = &rollup.rows;
    let (newest, pace_ms) = (rollup.last_time().unwrap_or_default(), pace_ms(&rollup.steps));
    let parents = Parents::of(rows);
    let names: Vec<u64> = rows.iter().map(|row| strings.number(&row.description.name)).collect();
    let users: Vec<u64> = rows.iter().map(|row| strings.optional(row.description.user.as_ref())).collect();
    columns.put(&[rows.len() as u64]);
    columns.put(&rows.iter().map(flags).collect::<Vec<_>>());
    columns.put(&ways(rows.iter().map(|row| parents.number(row.parent))));
    columns.put(&names);
    columns.put(&users);
    let mut series = SeriesWriter::default();
    series.add(rows.iter().map(|row| u64::from(row.description.identity.pid)));
    series.add(rows.iter().filter_map(|row| row.description.identity.start).map(|start| start.as_ms().cast_unsigned()));
    series.add(rows.iter().map(|row| row.first.as_ms().cast_unsigned()));
    series.add_ways(rows.iter().map(|row| zigzag(newest.since_ms(row.last))));
    let previous = rows.iter().filter_map(|row| Some(row.first.since_ms(row.previous?)));
    series.add_ways(previous.map(|before| difference(pace_ms, before.cast_unsigned())));
    series.finish(columns);
    put_ends(columns, rows, pace_ms);
}

/// The milliseconds from snapshot to snapshot, about.
fn pace_ms(steps: &[Step]) -> u64 {
    let sum = |value: fn(&Step) -> u64| steps.iter().map(value).fold(0, u64::saturating_add);
    sum(|step| step.interval_ms) / sum(|step| step.snapshots).max(1)
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

fn ways(numbers: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut before = 0;
    numbers.map(|number| difference(std::mem::replace(&mut before, number), number)).collect()
}

fn flags(row: &Row) -> u64 {
    let flag = |set: bool, flag: u64| if set { flag } else { 0 };
    flag(row.description.identity.start.is_some(), HAS_START)
        | flag(row.is_whole, IS_WHOLE)
        | flag(row.end.is_some(), HAS_END)
        | flag(row.cells.is_empty(), HAS_NO_CELLS)
        | flag(row.previous.is_some(), HAS_PREVIOUS)
}

fn put_ends(columns: &mut ColumnWriter, rows: &[Row], pace_ms: u64) {
    let ends: Vec<(&Row, End, Timestamp)> =
        rows.iter().filter_map(|row| row.end.map(|(end, told)| (row, end, told))).collect();
    let exit = |end: &End| match end.exit {
        None => 0,
        Some(Exit::Code(code)) => 1 + (zigzag(i64::from(code)) << 1),
        Some(Exit::Signal(signal)) => 2 + (u64::from(signal) << 1),
    };
    let time = |end: &End, told: &Timestamp| end.time.map_or(0, |time| zigzag(told.since_ms(time)).wrapping_add(1));
    columns.put(&ends.iter().map(|(_, end, _)| exit(end)).collect::<Vec<_>>());
    columns.put(&ends.iter().map(|(_, end, told)| time(end, told)).collect::<Vec<_>>());
    let mut series = SeriesWriter::default();
    series.add_ways(ends.iter().map(|(row, _, told)| difference(pace_ms, told.since_ms(row.last).cast_unsigned())));
    series.add(
        ends.iter()
            .map(|(_, end, _)| u64::from(end.cpu_time_us.is_some()) + 2 * u64::from(end.peak_memory_bytes.is_some())),
    );
    series.add_ways(ends.iter().filter_map(|(_, end, _)| end.cpu_time_us).map(|time| zigzag(time.cast_signed())));
    series.add_ways(ends.iter().filter_map(|(_, end, _)| end.peak_memory_bytes).map(|peak| zigzag(peak.cast_signed())));
    series.finish(columns);
}

/// Reads rows without their cells, and where those are to be; rows that are not wanted have no place for theirs.
pub(super) fn get_rows(
    columns: &mut ColumnReader<'_>,
    strings: &[Arc<str>],
    step_ms: u64,
    steps: &[Step],
) -> Result<(Vec<Row>, Vec<Place>), DecodeError> {
    let newest = steps.iter().map(|step| step.last).max().unwrap_or_default();
    let pace_ms = pace_ms(steps);
    let count = get_count(columns, ROWS_MAX, "rows")?;
    let flags = columns.get(count)?;
    let having = |flag: u64| flags.iter().filter(|flags| **flags & flag != 0).count();
    let mut parents = columns.get(count)?;
    add_up(&mut parents);
    let names = columns.get(count)?;
    let users = columns.get(count)?;
    let mut series = SeriesReader::get(columns, LISTS)?;
    let pids = series.next(columns, count)?;
    let mut starts = series.next(columns, having(HAS_START))?.into_iter();
    let firsts = series.next(columns, count)?;
    let lasts = series.next_ways(columns, count)?;
    let mut previous = series.next_ways(columns, having(HAS_PREVIOUS))?.into_iter();
    let mut identity = |index: usize| {
        let start = if flags[index] & HAS_START != 0 { starts.next() } else { None };
        Ok(Identity { pid: pid(pids[index])?, start: start.map(|start| Timestamp::from_ms(start.cast_signed())) })
    };
    let identities: Vec<Identity> = (0..count).map(&mut identity).collect::<Result<_, DecodeError>>()?;
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
        let before = if flags & HAS_PREVIOUS != 0 { previous.next() } else { None };
        rows.push(Row {
            description: Arc::new(description),
            parent,
            first,
            last: newest.plus_ms(unzigzag(lasts[index]).saturating_neg()),
            previous: before.map(|way| first.plus_ms(add_difference(pace_ms, way).cast_signed().saturating_neg())),
            is_whole: flags & IS_WHOLE != 0,
            end: None,
            first_step: 0,
            cells: Vec::new(),
        });
    }
    get_ends(columns, &flags, pace_ms, &mut rows)?;
    let places = places(&flags, step_ms, steps, &mut rows)?;
    Ok((rows, places))
}

fn get_ends(columns: &mut ColumnReader<'_>, flags: &[u64], pace_ms: u64, rows: &mut [Row]) -> Result<(), DecodeError> {
    let ended = || flags.iter().filter(|flags| **flags & HAS_END != 0);
    let count = ended().count();
    let exits = columns.get(count)?;
    let times = columns.get(count)?;
    let mut series = SeriesReader::get(columns, END_LISTS)?;
    let told = series.next_ways(columns, count)?;
    let known = series.next(columns, count)?;
    let having = |bit: u64| known.iter().filter(|known| **known & bit != 0).count();
    let mut cpu_times = series.next_ways(columns, having(1))?.into_iter();
    let mut peaks = series.next_ways(columns, having(2))?.into_iter();
    let next = |has: bool, ways: &mut std::vec::IntoIter<u64>| {
        let way = if has { ways.next() } else { None };
        way.map(|way| unzigzag(way).cast_unsigned())
    };
    let ended = rows.iter_mut().zip(flags).filter(|(_, flags)| **flags & HAS_END != 0);
    for (index, (row, _)) in ended.enumerate() {
        let told = row.last.plus_ms(add_difference(pace_ms, told[index]).cast_signed());
        let end = End {
            time: from_optional(times[index]).map(|way| told.plus_ms(unzigzag(way).saturating_neg())),
            exit: exit(exits[index])?,
            cpu_time_us: next(known[index] & 1 != 0, &mut cpu_times),
            peak_memory_bytes: next(known[index] & 2 != 0, &mut peaks),
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

/// Where the cells of rows are to be.
fn places(flags: &[u64], step_ms: u64, steps: &[Step], rows: &mut [Row]) -> Result<Vec<Place>, DecodeError> {
    const INVALID: DecodeError = DecodeError::Invalid("the times of a row");
    let number = |index: usize| steps.get(index).map(|step| step.number);
    let mut cells = 0;
    let mut places = Vec::with_capacity(rows.len());
    for (row, flags) in rows.iter_mut().zip(flags) {
        let mut place = Place { first_step: 0, len: 0, samples: None, is_wanted: true };
        if flags & HAS_NO_CELLS == 0 {
            let (first, last) = steps_of(row, number, steps.len(), step_ms).ok_or(INVALID)?;
            place.first_step = first;
            place.len = (last + 1).checked_sub(first).filter(|len| *len > 0).ok_or(INVALID)?;
        }
        cells += place.len;
        if cells > CELLS_MAX {
            return Err(DecodeError::OverLimit("cells"));
        }
        row.first_step = place.first_step;
        places.push(place);
    }
    Ok(places)
}

fn pid(number: u64) -> Result<u32, DecodeError> {
    u32::try_from(number).map_err(|_| DecodeError::OverLimit("a pid"))
}

fn add_up(ways: &mut [u64]) {
    let mut before = 0;
    for way in ways {
        before = add_difference(before, *way);
        *way = before;
    }
}
