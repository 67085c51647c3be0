//! Descriptions and ends as columns.

use std::sync::Arc;

use procession_model::{Description, End, Exit, Identity, Timestamp};

use super::column::{ColumnReader, ColumnWriter};
use super::dictionary::{Dictionary, NewStrings};
use super::scale::{add_up, differences, get_series, put_series};
use crate::DecodeError;
use crate::bytes::{unzigzag, zigzag};

const START: u64 = 1;
const PARENT: u64 = 1 << 1;
const COMMAND_LINE: u64 = 1 << 2;
const USER: u64 = 1 << 3;
const EXECUTABLE: u64 = 1 << 4;
const CGROUP: u64 = 1 << 5;

/// Writes descriptions; neighbours should be alike.
pub(super) fn put_descriptions(
    columns: &mut ColumnWriter,
    strings: &mut NewStrings<'_>,
    descriptions: &[&Description],
) {
    let each = |number: &dyn Fn(&Description) -> u64| -> Vec<u64> {
        descriptions.iter().map(|description| number(description)).collect()
    };
    columns.put(&each(&mask_of));
    columns.put(&differences(&each(&|description| u64::from(description.identity.pid))));
    let starts: Vec<u64> = descriptions
        .iter()
        .filter_map(|description| description.identity.start)
        .map(|start| start.as_ms().cast_unsigned())
        .collect();
    columns.put(&differences(&starts));
    let parents: Vec<u64> =
        descriptions.iter().filter_map(|description| description.parent_pid).map(u64::from).collect();
    columns.put(&differences(&parents));
    put_strings(columns, strings, descriptions.iter().map(|description| &description.name));
    put_strings(columns, strings, descriptions.iter().filter_map(|description| description.command_line.as_ref()));
    put_strings(columns, strings, descriptions.iter().filter_map(|description| description.user.as_ref()));
    put_strings(columns, strings, descriptions.iter().filter_map(|description| description.executable.as_ref()));
    put_strings(columns, strings, descriptions.iter().filter_map(|description| description.cgroup.as_ref()));
}

fn mask_of(description: &Description) -> u64 {
    let bit = |is_known: bool, bit: u64| if is_known { bit } else { 0 };
    bit(description.identity.start.is_some(), START)
        | bit(description.parent_pid.is_some(), PARENT)
        | bit(description.command_line.is_some(), COMMAND_LINE)
        | bit(description.user.is_some(), USER)
        | bit(description.executable.is_some(), EXECUTABLE)
        | bit(description.cgroup.is_some(), CGROUP)
}

/// A string as its distance from the next free number, so that a new one is 0 wherever it stands.
fn put_strings<'a>(
    columns: &mut ColumnWriter,
    strings: &mut NewStrings<'_>,
    texts: impl Iterator<Item = &'a Arc<str>>,
) {
    let numbers: Vec<u64> = texts
        .map(|text| {
            let next = strings.next();
            u64::from(next - strings.number(text))
        })
        .collect();
    columns.put(&numbers);
}

/// The strings of a dictionary as a block uses them up.
pub(super) struct KnownStrings<'a> {
    dictionary: &'a Dictionary,
    next: u32,
}

impl<'a> KnownStrings<'a> {
    /// From the number of strings that the dictionary had before the block.
    pub(super) const fn new(dictionary: &'a Dictionary, next: u32) -> Self {
        Self { dictionary, next }
    }

    /// The string at this distance from the next number.
    pub(super) fn at_distance(&mut self, distance: u64) -> Result<Arc<str>, DecodeError> {
        const UNKNOWN: DecodeError = DecodeError::Invalid("the number of a string");
        let distance = u32::try_from(distance).map_err(|_| UNKNOWN)?;
        let number = self.next.checked_sub(distance).ok_or(UNKNOWN)?;
        if distance == 0 {
            self.next = self.next.checked_add(1).ok_or(UNKNOWN)?;
        }
        self.dictionary.get(number).cloned().ok_or(UNKNOWN)
    }
}

/// Reads what [`put_descriptions`] wrote.
pub(super) fn get_descriptions(
    columns: &mut ColumnReader<'_>,
    strings: &mut KnownStrings<'_>,
    count: usize,
) -> Result<Vec<Description>, DecodeError> {
    let masks = columns.get(count)?;
    let with = |bit: u64| masks.iter().filter(|mask| *mask & bit != 0).count();
    let mut pids = columns.get(count)?;
    add_up(&mut pids);
    let mut starts = columns.get(with(START))?;
    add_up(&mut starts);
    let mut parents = columns.get(with(PARENT))?;
    add_up(&mut parents);
    let mut texts = |count: usize| -> Result<std::vec::IntoIter<Arc<str>>, DecodeError> {
        let distances = columns.get(count)?.into_iter();
        Ok(distances.map(|distance| strings.at_distance(distance)).collect::<Result<Vec<_>, _>>()?.into_iter())
    };
    let mut names = texts(count)?;
    let mut command_lines = texts(with(COMMAND_LINE))?;
    let mut users = texts(with(USER))?;
    let mut executables = texts(with(EXECUTABLE))?;
    let mut cgroups = texts(with(CGROUP))?;
    let (mut starts, mut parents) = (starts.into_iter(), parents.into_iter());
    let pid = |number: u64| u32::try_from(number).map_err(|_| DecodeError::OverLimit("a pid"));
    let take = |texts: &mut std::vec::IntoIter<Arc<str>>, is_known: bool| if is_known { texts.next() } else { None };
    let describe = |(mask, number): (&u64, u64)| {
        let has = |bit: u64| mask & bit != 0;
        let start = if has(START) { starts.next() } else { None };
        let parent_pid = if has(PARENT) { parents.next() } else { None };
        Ok(Description {
            identity: Identity { pid: pid(number)?, start: start.map(|start| Timestamp::from_ms(start.cast_signed())) },
            parent_pid: parent_pid.map(pid).transpose()?,
            name: names.next().ok_or(DecodeError::Truncated)?,
            command_line: take(&mut command_lines, has(COMMAND_LINE)),
            user: take(&mut users, has(USER)),
            executable: take(&mut executables, has(EXECUTABLE)),
            cgroup: take(&mut cgroups, has(CGROUP)),
        })
    };
    masks.iter().zip(pids).map(describe).collect()
}

const TIME: u64 = 1;
const CODE: u64 = 1 << 1;
const SIGNAL: u64 = 1 << 2;
const CPU_TIME: u64 = 1 << 3;
const PEAK_MEMORY: u64 = 1 << 4;

/// Writes ends, each with the time of the frame that told of it.
pub(super) fn put_ends(columns: &mut ColumnWriter, ends: &[(End, Timestamp)]) {
    let mask = |end: &End| {
        let bit = |is_known: bool, bit: u64| if is_known { bit } else { 0 };
        bit(end.time.is_some(), TIME)
            | bit(matches!(end.exit, Some(Exit::Code(_))), CODE)
            | bit(matches!(end.exit, Some(Exit::Signal(_))), SIGNAL)
            | bit(end.cpu_time_us.is_some(), CPU_TIME)
            | bit(end.peak_memory_bytes.is_some(), PEAK_MEMORY)
    };
    columns.put(&ends.iter().map(|(end, _)| mask(end)).collect::<Vec<_>>());
    let times = ends.iter().filter_map(|(end, told)| Some(zigzag(told.as_ms().wrapping_sub(end.time?.as_ms()))));
    columns.put(&times.collect::<Vec<_>>());
    let exits = ends.iter().filter_map(|(end, _)| end.exit).map(|exit| match exit {
        Exit::Code(code) => zigzag(i64::from(code)),
        Exit::Signal(signal) => u64::from(signal),
    });
    columns.put(&exits.collect::<Vec<_>>());
    put_series(columns, &ends.iter().filter_map(|(end, _)| end.cpu_time_us).collect::<Vec<_>>());
    put_series(columns, &ends.iter().filter_map(|(end, _)| end.peak_memory_bytes).collect::<Vec<_>>());
}

fn exit(is_code: bool, number: Option<u64>) -> Result<Exit, DecodeError> {
    let number = number.ok_or(DecodeError::Truncated)?;
    let exit =
        if is_code { i32::try_from(unzigzag(number)).map(Exit::Code) } else { u8::try_from(number).map(Exit::Signal) };
    exit.map_err(|_| DecodeError::OverLimit("an exit code"))
}

/// Reads what [`put_ends`] wrote.
pub(super) fn get_ends(columns: &mut ColumnReader<'_>, told: &[Timestamp]) -> Result<Vec<End>, DecodeError> {
    let masks = columns.get(told.len())?;
    let with = |bits: u64| masks.iter().filter(|mask| *mask & bits != 0).count();
    let mut times = columns.get(with(TIME))?.into_iter();
    let mut exits = columns.get(with(CODE | SIGNAL))?.into_iter();
    let mut cpu_times = get_series(columns, with(CPU_TIME))?.into_iter();
    let mut peaks = get_series(columns, with(PEAK_MEMORY))?.into_iter();
    let end = |(mask, told): (&u64, &Timestamp)| {
        let has = |bit: u64| mask & bit != 0;
        let time = if has(TIME) { times.next() } else { None };
        let exit = match (has(CODE), has(SIGNAL)) {
            (false, false) => None,
            (is_code, is_signal) if is_code != is_signal => Some(exit(is_code, exits.next())?),
            _ => return Err(DecodeError::Invalid("the mask of an end")),
        };
        Ok(End {
            time: time.map(|time| Timestamp::from_ms(told.as_ms().wrapping_sub(unzigzag(time)))),
            exit,
            cpu_time_us: if has(CPU_TIME) { cpu_times.next() } else { None },
            peak_memory_bytes: if has(PEAK_MEMORY) { peaks.next() } else { None },
        })
    };
    masks.iter().zip(told).map(end).collect()
}
