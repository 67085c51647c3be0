//! A rollup as bytes, and back. `docs/FORMAT.md` is the description.

use std::collections::HashMap;
use std::sync::Arc;

use procession_codec::DecodeError;
use procession_codec::block::{ColumnBytes, ColumnReader, ColumnWriter, Effort};

use super::columns::get_count;
use super::encode_cells::{Run, get_cells, put_cells};
use super::encode_folded::{get_folded, put_folded};
use super::encode_rows::{get_rows, put_rows};
use super::encode_steps::{get_steps, put_steps};
use super::model::Fine;
use super::{Rollup, Row};

/// The version that [`encode`] writes.
const VERSION: u8 = 4;
/// The same without columns by symbols.
const VERSION_3: u8 = 3;
/// The same without finer steps of the host, too. Version 1 was never released and is not read.
const VERSION_2: u8 = 2;
pub(super) const SECTIONS: usize = 5;
const SECTION_NAMES: [&str; SECTIONS] =
    ["a rollup's strings", "a rollup's steps", "a rollup's rows", "a rollup's cells", "a rollup's folded processes"];
pub(super) const HEADER_BYTES: usize = 1 + SECTIONS * 8 + 4;

/// The most strings of a rollup.
const STRINGS_MAX: usize = 1 << 20;
/// The most bytes of a rollup's strings.
const TEXT_BYTES_MAX: usize = 64 << 20;
/// How hard strings are compressed: they are short and are written seldom.
const TEXT_LEVEL: i32 = 15;

/// The strings of a rollup while it is written.
#[derive(Default)]
pub(super) struct Strings {
    numbers: HashMap<Arc<str>, u64>,
    strings: Vec<Arc<str>>,
}

impl Strings {
    /// The number of a string.
    pub(super) fn number(&mut self, string: &Arc<str>) -> u64 {
        if let Some(number) = self.numbers.get(string) {
            return *number;
        }
        let number = self.strings.len() as u64;
        self.numbers.insert(Arc::clone(string), number);
        self.strings.push(Arc::clone(string));
        number
    }

    /// The number of a string and one, 0 for none.
    pub(super) fn optional(&mut self, string: Option<&Arc<str>>) -> u64 {
        string.map_or(0, |string| self.number(string) + 1)
    }
}

/// The bytes of a rollup.
pub(crate) fn encode(rollup: &Rollup) -> Vec<u8> {
    let mut strings = Strings::default();
    let mut section = |put: &mut dyn FnMut(&mut ColumnWriter, &mut Strings)| {
        let mut columns = ColumnWriter::new(Effort::Small);
        put(&mut columns, &mut strings);
        columns.finish()
    };
    let steps = section(&mut |columns, _| {
        let fine = rollup.fine.as_ref();
        columns.put(&[rollup.step_ms, fine.map_or(0, |fine| fine.step_ms)]);
        match fine {
            Some(fine) => put_steps(columns, &fine.steps, fine.step_ms),
            None => put_steps(columns, &rollup.steps, rollup.step_ms),
        }
    });
    let rows = section(&mut |columns, strings| put_rows(columns, strings, rollup));
    let cells = section(&mut |columns, _| {
        put_cells(columns, &rollup.steps, &rollup.rows.iter().map(run_of).collect::<Vec<_>>());
    });
    let folded = section(&mut |columns, strings| put_folded(columns, strings, rollup));
    let sections = [put_strings(&strings), steps, rows, cells, folded];
    let mut out = vec![VERSION];
    for section in &sections {
        out.extend(u32::try_from(section.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(crc32fast::hash(section).to_le_bytes());
    }
    let crc = crc32fast::hash(&out);
    out.extend(crc.to_le_bytes());
    out.extend(sections.concat());
    out
}

fn run_of(row: &Row) -> Run<'_> {
    Run { first_step: row.first_step, cells: &row.cells, samples: None }
}

/// The rollup of bytes that [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<Rollup, DecodeError> {
    decode_of(bytes, &|_, _| true)
}

/// The same as far as it is wanted, going by name and user: other rows have no cells, and what else is folded is left out.
pub(crate) fn decode_of(bytes: &[u8], wanted: &dyn Fn(&str, Option<&str>) -> bool) -> Result<Rollup, DecodeError> {
    let (version, sections) = sections(bytes)?;
    let strings = get_strings(sections[0])?;
    let mut rollup = read(sections[1], |columns| all_steps(columns, version))?;
    let (rows, mut places) = read(sections[2], |columns| get_rows(columns, &strings, rollup.step_ms, &rollup.steps))?;
    rollup.rows = rows;
    for (row, place) in rollup.rows.iter().zip(&mut places) {
        place.is_wanted = wanted(&row.description.name, row.description.user.as_deref());
    }
    let cells = read(sections[3], |columns| get_cells(columns, &rollup.steps, &places))?;
    for (row, cells) in rollup.rows.iter_mut().zip(cells) {
        row.cells = cells;
    }
    rollup.folded = read(sections[4], |columns| get_folded(columns, &strings, &rollup, wanted))?;
    Ok(rollup)
}

/// The steps alone of bytes that [`encode`] wrote: a rollup without processes.
pub(crate) fn decode_steps(bytes: &[u8]) -> Result<Rollup, DecodeError> {
    let (version, sections) = sections(bytes)?;
    read(sections[1], |columns| all_steps(columns, version))
}

/// The steps of a rollup, and the host's own finer ones.
fn all_steps(columns: &mut ColumnReader<'_>, version: u8) -> Result<Rollup, DecodeError> {
    let lengths = columns.get(if version == VERSION_2 { 1 } else { 2 })?;
    let step_ms = lengths.first().copied().unwrap_or(0);
    let fine_ms = lengths.get(1).copied().filter(|fine_ms| *fine_ms > 0);
    let Some(fine_ms) = fine_ms else {
        return Ok(Rollup { step_ms, steps: get_steps(columns, step_ms)?, ..Rollup::default() });
    };
    if !step_ms.is_multiple_of(fine_ms) || i64::try_from(step_ms).is_err() {
        return Err(DecodeError::Invalid("the length of a step"));
    }
    let fine = Fine { step_ms: fine_ms, steps: get_steps(columns, fine_ms)? };
    Ok(Rollup { step_ms, steps: fine.in_steps_of(step_ms), fine: Some(fine), ..Rollup::default() })
}

/// Whether bytes are no rollup, or one whose parts are the same when they are read alone.
pub(crate) fn reads_alike(bytes: &[u8]) -> bool {
    let Ok(rollup) = decode(bytes) else { return true };
    let steps = decode_steps(bytes).is_ok_and(|alone| alone.steps == rollup.steps && alone.fine == rollup.fine);
    let nothing = decode_of(bytes, &|_, _| false);
    steps && nothing.is_ok_and(|nothing| nothing.rows.len() == rollup.rows.len() && nothing.folded.is_empty())
}

/// Whether bytes have this checksum. Not looked at in fuzz targets, which would never get past it.
fn checksum_fits(bytes: &[u8], checksum: u32) -> bool {
    cfg!(fuzzing) || crc32fast::hash(bytes) == checksum
}

fn read<T>(
    section: &[u8],
    get: impl FnOnce(&mut ColumnReader<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let bytes = ColumnBytes::new(section)?;
    let mut columns = bytes.reader();
    let value = get(&mut columns)?;
    columns.end()?;
    Ok(value)
}

fn sections(bytes: &[u8]) -> Result<(u8, [&[u8]; SECTIONS]), DecodeError> {
    let version = match bytes.first() {
        Some(version @ (&VERSION | &VERSION_3 | &VERSION_2)) => *version,
        Some(version) => return Err(DecodeError::UnknownVersion(*version)),
        None => return Err(DecodeError::Truncated),
    };
    let (header, mut rest) = bytes.split_at_checked(HEADER_BYTES).ok_or(DecodeError::Truncated)?;
    let (header, crc) = header.split_at(HEADER_BYTES - 4);
    if !checksum_fits(header, u32::from_le_bytes([crc[0], crc[1], crc[2], crc[3]])) {
        return Err(DecodeError::Checksum("a rollup's header"));
    }
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let mut sections: [&[u8]; SECTIONS] = [&[]; SECTIONS];
    for (index, section) in sections.iter_mut().enumerate() {
        let (len, crc) = (number(1 + index * 8), number(5 + index * 8));
        let (taken, after) = rest.split_at_checked(len as usize).ok_or(DecodeError::Truncated)?;
        if !checksum_fits(taken, crc) {
            return Err(DecodeError::Checksum(SECTION_NAMES[index]));
        }
        (*section, rest) = (taken, after);
    }
    if rest.is_empty() { Ok((version, sections)) } else { Err(DecodeError::Invalid("what follows a rollup")) }
}

fn put_strings(strings: &Strings) -> Vec<u8> {
    let mut columns = ColumnWriter::new(Effort::Small);
    columns.put(&[strings.strings.len() as u64]);
    columns.put(&strings.strings.iter().map(|string| string.len() as u64).collect::<Vec<_>>());
    let lens = columns.finish();
    let text = strings.strings.concat();
    let packed = zstd::bulk::compress(text.as_bytes(), TEXT_LEVEL).unwrap_or_default();
    let mut out = u32::try_from(lens.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    out.extend(lens);
    out.extend(packed);
    out
}

fn get_strings(section: &[u8]) -> Result<Vec<Arc<str>>, DecodeError> {
    let (len, rest) = section.split_first_chunk().ok_or(DecodeError::Truncated)?;
    let (lens, packed) = rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or(DecodeError::Truncated)?;
    let lens = read(lens, |columns| {
        let count = get_count(columns, STRINGS_MAX, "strings")?;
        columns.get(count)
    })?;
    let total = lens.iter().try_fold(0_u64, |sum, len| sum.checked_add(*len));
    let total = total.and_then(|total| usize::try_from(total).ok()).filter(|total| *total <= TEXT_BYTES_MAX);
    let total = total.ok_or(DecodeError::OverLimit("text"))?;
    let text = zstd::bulk::decompress(packed, total).map_err(|_| DecodeError::Invalid("compressed bytes"))?;
    let mut text = std::str::from_utf8(&text).map_err(|_| DecodeError::NotUtf8)?;
    let mut strings = Vec::with_capacity(lens.len());
    for len in lens {
        let len = usize::try_from(len).map_err(|_| DecodeError::OverLimit("a string"))?;
        let (string, rest) = text.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        strings.push(Arc::from(string));
        text = rest;
    }
    if text.is_empty() { Ok(strings) } else { Err(DecodeError::Invalid("the text of a rollup")) }
}

/// A string by its number.
pub(super) fn string(strings: &[Arc<str>], number: u64) -> Result<Arc<str>, DecodeError> {
    let found = usize::try_from(number).ok().and_then(|number| strings.get(number));
    found.cloned().ok_or(DecodeError::Invalid("a string"))
}

/// A string by its number and one, none for 0.
pub(super) fn optional_string(strings: &[Arc<str>], number: u64) -> Result<Option<Arc<str>>, DecodeError> {
    number.checked_sub(1).map(|number| string(strings, number)).transpose()
}

/// The steps that a row's cells are of: from that of its first snapshot to that of its last.
pub(super) fn steps_of(
    row: &Row,
    number: impl Fn(usize) -> Option<i64>,
    count: usize,
    step_ms: u64,
) -> Option<(usize, usize)> {
    let place = |time| {
        let wanted = Rollup::number_of(step_ms, time);
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low.midpoint(high);
            if number(middle)? < wanted { low = middle + 1 } else { high = middle }
        }
        (number(low) == Some(wanted)).then_some(low)
    };
    Some((place(row.first)?, place(row.last)?))
}
