//! How processes ended, as columns.

use procession_model::{End, Exit, Timestamp};

use super::column::{ColumnReader, ColumnWriter};
use super::scale::{get_series, put_series};
use crate::DecodeError;
use crate::numbers::{unzigzag, zigzag};

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
