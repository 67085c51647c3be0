//! Columns of a rollup's sections: mostly one value, and something else here and there.

use procession_codec::DecodeError;
use procession_codec::block::{ColumnReader, ColumnWriter};

/// A signed number as an unsigned one, small where the signed one is near zero.
pub(super) const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// The other way.
pub(super) const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

/// The way from one number to another, small where they are near.
pub(super) const fn way(from: u64, to: u64) -> u64 {
    zigzag(to.wrapping_sub(from).cast_signed())
}

/// Where a way leads.
pub(super) const fn go(from: u64, way: u64) -> u64 {
    from.wrapping_add(unzigzag(way).cast_unsigned())
}

/// An optional number: one more than it is, 0 where it is absent.
pub(super) const fn optional(number: Option<u64>) -> u64 {
    match number {
        Some(number) => number.wrapping_add(1),
        None => 0,
    }
}

/// The other way.
pub(super) const fn from_optional(number: u64) -> Option<u64> {
    number.checked_sub(1)
}

/// Writes a column that mostly has one value: that value, how many differ, their distances and themselves.
pub(super) fn put_sparse(columns: &mut ColumnWriter, values: &[u64]) {
    let usual = usual(values);
    let differing = || values.iter().enumerate().filter(|(_, value)| **value != usual);
    let count = differing().count();
    columns.put(&[usual]);
    columns.put(&[count as u64]);
    let mut next = 0;
    let distance = |(index, _): (usize, &u64)| {
        let distance = index - next;
        next = index + 1;
        distance as u64
    };
    columns.put(&differing().map(distance).collect::<Vec<_>>());
    columns.put(&differing().map(|(_, value)| *value).collect::<Vec<_>>());
}

/// Reads what [`put_sparse`] wrote. `count` was checked against a limit.
pub(super) fn get_sparse(columns: &mut ColumnReader<'_>, count: usize) -> Result<Vec<u64>, DecodeError> {
    let usual = get_one(columns)?;
    let differing = usize::try_from(get_one(columns)?).ok().filter(|differing| *differing <= count);
    let differing = differing.ok_or(DecodeError::Invalid("a sparse column"))?;
    let distances = columns.get(differing)?;
    let mut values = vec![usual; count];
    let mut next = 0_usize;
    for (distance, value) in distances.into_iter().zip(columns.get(differing)?) {
        let index = usize::try_from(distance).ok().and_then(|distance| next.checked_add(distance));
        let slot = index.and_then(|index| values.get_mut(index)).ok_or(DecodeError::Invalid("a sparse column"))?;
        *slot = value;
        next = index.unwrap_or(count) + 1;
    }
    Ok(values)
}

/// One number.
pub(super) fn get_one(columns: &mut ColumnReader<'_>) -> Result<u64, DecodeError> {
    columns.get(1)?.first().copied().ok_or(DecodeError::Truncated)
}

/// A count up to a limit.
pub(super) fn get_count(columns: &mut ColumnReader<'_>, max: usize, what: &'static str) -> Result<usize, DecodeError> {
    usize::try_from(get_one(columns)?).ok().filter(|count| *count <= max).ok_or(DecodeError::OverLimit(what))
}

/// The value that half of them or more have, if there is one.
fn usual(values: &[u64]) -> u64 {
    let (mut candidate, mut lead) = (0, 0_usize);
    for value in values {
        if lead == 0 {
            candidate = *value;
        }
        lead = if *value == candidate { lead + 1 } else { lead - 1 };
    }
    candidate
}
