//! Values made small before they become a column: divided by what divides them all, "not known" as 0, and differences in place
//! of values where those have fewer bits.

use procession_model::Metric;

use crate::DecodeError;
use crate::bytes::put_varint;
use crate::numbers::{add_difference, difference, greatest_divisor, unzigzag, zigzag};

use super::column::{ColumnReader, ColumnWriter};

/// How values were made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    /// What divides all values: a page of memory, a tick of CPU.
    pub(super) divisor: u64,
    pub(super) is_delta: bool,
    /// Only what is not 0 is written, and where.
    pub(super) is_pulses: bool,
    /// Numbers are ticks, see [`super::ticks`].
    pub(super) is_ticks: bool,
}

const DELTA: u8 = 1;
const PULSES: u8 = 1 << 1;
const TICKS: u8 = 1 << 2;

/// The scaled number of the value 0.
pub(super) const ZERO: u64 = 1;

impl Scale {
    /// For these values.
    pub(super) fn of(values: impl Iterator<Item = u64>) -> Self {
        let known = values.filter(|value| *value != Metric::ABSENT);
        Self { divisor: greatest_divisor(known).max(1), is_delta: false, is_pulses: false, is_ticks: false }
    }

    /// A value by what divides it, and one more; 0 for one that is not known.
    pub(super) const fn scaled(self, value: u64) -> u64 {
        if value == Metric::ABSENT { 0 } else { value / self.divisor + 1 }
    }

    /// The other way.
    pub(super) const fn unscaled(self, number: u64) -> u64 {
        if number == 0 { Metric::ABSENT } else { (number - 1).wrapping_mul(self.divisor) }
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        out.push(flag(self.is_delta, DELTA) | flag(self.is_pulses, PULSES) | flag(self.is_ticks, TICKS));
        put_varint(out, self.divisor);
    }

    pub(super) fn get(columns: &mut ColumnReader<'_>) -> Result<Self, DecodeError> {
        let flags = columns.loose().u8()?;
        let divisor = columns.loose().varint()?;
        let is_ticks = flags & TICKS != 0;
        let is_pulses = flags & PULSES != 0;
        if flags & !(DELTA | PULSES | TICKS) != 0 || divisor == 0 || (is_ticks && !is_pulses) {
            return Err(DecodeError::Invalid("a scale"));
        }
        Ok(Self { divisor, is_delta: flags & DELTA != 0, is_pulses, is_ticks })
    }
}

/// Roughly what numbers cost in bits.
pub(super) fn cost(numbers: &[u64]) -> u64 {
    numbers.iter().map(|number| u64::from(u64::BITS - number.leading_zeros())).sum()
}

/// Writes values of which each has something to do with the one before it.
pub(super) fn put_series(columns: &mut ColumnWriter, values: &[u64]) {
    if values.is_empty() {
        return;
    }
    let mut scale = Scale::of(values.iter().copied());
    let numbers: Vec<u64> = values.iter().map(|value| scale.scaled(*value)).collect();
    let differences = differences(&numbers);
    scale.is_delta = cost(&differences) < cost(&numbers);
    scale.put(columns.loose());
    columns.put(if scale.is_delta { &differences } else { &numbers });
}

/// Reads what [`put_series`] wrote.
pub(super) fn get_series(columns: &mut ColumnReader<'_>, count: usize) -> Result<Vec<u64>, DecodeError> {
    get_first_of_series(columns, count, count)
}

/// Passes what [`put_series`] wrote.
pub(super) fn skip_series(columns: &mut ColumnReader<'_>, count: usize) -> Result<(), DecodeError> {
    if count == 0 {
        return Ok(());
    }
    Scale::get(columns)?;
    columns.skip(count)
}

/// At least the first so many values of what [`put_series`] wrote.
pub(super) fn get_first_of_series(
    columns: &mut ColumnReader<'_>,
    first: usize,
    count: usize,
) -> Result<Vec<u64>, DecodeError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let scale = Scale::get(columns)?;
    let mut numbers = columns.get_first(first, count, &[])?;
    if scale.is_delta {
        add_up(&mut numbers);
    }
    for number in &mut numbers {
        *number = scale.unscaled(*number);
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
        before = add_difference(before, *number);
        *number = before;
    }
}

/// Writes times and such: the first as it is, then differences divided by what divides them all.
pub(super) fn put_steps(columns: &mut ColumnWriter, numbers: &[u64]) {
    let Some((first, _)) = numbers.split_first() else { return };
    let steps: Vec<i64> = numbers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]).cast_signed()).collect();
    let divisor = greatest_divisor(steps.iter().map(|step| step.unsigned_abs())).max(1);
    put_varint(columns.loose(), *first);
    put_varint(columns.loose(), divisor);
    let divided = |step: &i64| zigzag(step.signum().wrapping_mul((step.unsigned_abs() / divisor).cast_signed()));
    columns.put(&steps.iter().map(divided).collect::<Vec<_>>());
}

/// Reads what [`put_steps`] wrote.
pub(super) fn get_steps(columns: &mut ColumnReader<'_>, count: usize) -> Result<Vec<u64>, DecodeError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut number = columns.loose().varint()?;
    let divisor = columns.loose().varint()?;
    let mut numbers = Vec::with_capacity(count);
    numbers.push(number);
    for step in columns.get(count - 1)? {
        number = number.wrapping_add(unzigzag(step).cast_unsigned().wrapping_mul(divisor));
        numbers.push(number);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Effort;
    use crate::block::column::ColumnBytes;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![any::<u64>(), (0_u64..9).prop_map(|number| number * 4_096), Just(u64::MAX), Just(1 << 63)]
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec(number(), 0..80)) {
            let mut columns = ColumnWriter::new(Effort::Fast);
            put_series(&mut columns, &numbers);
            put_steps(&mut columns, &numbers);
            let section = columns.finish();
            let bytes = ColumnBytes::new(&section).unwrap();
            let mut columns = bytes.reader();
            prop_assert_eq!(get_series(&mut columns, numbers.len()).unwrap(), numbers.clone());
            prop_assert_eq!(get_steps(&mut columns, numbers.len()).unwrap(), numbers);
            prop_assert_eq!(columns.end(), Ok(()));
        }
    }
}
