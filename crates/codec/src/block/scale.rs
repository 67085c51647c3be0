//! Values made small before they become a column: common trailing zero bits shifted out, "not known" as 0, and differences
//! in place of values where those have fewer bits.

use procession_model::Metric;

use crate::DecodeError;
use crate::bytes::{unzigzag, zigzag};

use super::column::{ColumnReader, ColumnWriter};

/// How values were made small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) shift: u8,
    pub(super) is_delta: bool,
}

const DELTA: u8 = 1 << 6;

impl Scale {
    /// How many of the lowest bits are 0 in all values.
    pub(super) fn shift_of(values: impl Iterator<Item = u64>) -> u8 {
        let bits = values.filter(|value| *value != Metric::ABSENT).fold(0, |bits, value| bits | value);
        if bits == 0 { 0 } else { bits.trailing_zeros().to_le_bytes()[0] }
    }

    /// A value without its shift; 0 for one that is not known.
    pub(super) const fn shifted(self, value: u64) -> u64 {
        if value == Metric::ABSENT { 0 } else { (value >> self.shift) + 1 }
    }

    /// The other way.
    pub(super) const fn unshifted(self, number: u64) -> u64 {
        if number == 0 { Metric::ABSENT } else { (number - 1) << self.shift }
    }

    pub(super) const fn byte(self) -> u8 {
        self.shift | if self.is_delta { DELTA } else { 0 }
    }

    pub(super) const fn from_byte(byte: u8) -> Result<Self, DecodeError> {
        let scale = Self { shift: byte & !DELTA, is_delta: byte & DELTA != 0 };
        if scale.shift < 64 { Ok(scale) } else { Err(DecodeError::Invalid("a scale")) }
    }
}

/// How a number differs from the one before it.
pub(super) const fn difference(before: u64, number: u64) -> u64 {
    zigzag(number.wrapping_sub(before).cast_signed())
}

/// The other way.
pub(super) const fn sum(before: u64, difference: u64) -> u64 {
    before.wrapping_add(unzigzag(difference).cast_unsigned())
}

/// Roughly what a number costs in bits.
pub(super) const fn bits(number: u64) -> u64 {
    (u64::BITS - number.leading_zeros()) as u64
}

/// Writes values of which each has something to do with the one before it.
pub(super) fn put_series(columns: &mut ColumnWriter, values: &[u64]) {
    if values.is_empty() {
        return;
    }
    let mut scale = Scale { shift: Scale::shift_of(values.iter().copied()), is_delta: false };
    let numbers: Vec<u64> = values.iter().map(|value| scale.shifted(*value)).collect();
    let differences = differences(&numbers);
    let cost = |numbers: &[u64]| numbers.iter().map(|number| bits(*number)).sum::<u64>();
    scale.is_delta = cost(&differences) < cost(&numbers);
    columns.loose().push(scale.byte());
    columns.put(if scale.is_delta { &differences } else { &numbers });
}

/// Reads what [`put_series`] wrote.
pub(super) fn get_series(columns: &mut ColumnReader<'_>, count: usize) -> Result<Vec<u64>, DecodeError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let scale = Scale::from_byte(columns.loose().u8()?)?;
    let mut numbers = columns.get(count)?;
    if scale.is_delta {
        add_up(&mut numbers);
    }
    for number in &mut numbers {
        *number = scale.unshifted(*number);
    }
    Ok(numbers)
}

/// Each number as the difference from the one before it, the first from 0.
pub(super) fn differences(numbers: &[u64]) -> Vec<u64> {
    let mut before = 0;
    numbers.iter().map(|number| difference(std::mem::replace(&mut before, *number), *number)).collect()
}

/// The other way, in place.
pub(super) fn add_up(numbers: &mut [u64]) {
    let mut before = 0;
    for number in numbers {
        before = sum(before, *number);
        *number = before;
    }
}
