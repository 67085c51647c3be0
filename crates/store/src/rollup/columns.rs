//! Columns of a rollup's sections, and numbers that go well into them.

use procession_codec::DecodeError;
use procession_codec::block::{ColumnReader, ColumnWriter};
use procession_codec::numbers::{greatest_divisor, unzigzag, zigzag};

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

/// Further apart than this is not told apart.
const PACE_MAX: u8 = 15;

/// How far apart so many entries of so many places are: a quarter of the mean gap, in bits. The context of gaps.
pub(super) fn pace(places: u64, entries: u64) -> u8 {
    let free = places.saturating_sub(entries);
    let quarters = free.saturating_mul(4).checked_div(entries).unwrap_or(0);
    u8::try_from(u64::BITS - quarters.leading_zeros()).unwrap_or(u8::MAX).min(PACE_MAX)
}

/// Writes lists whose numbers have something to do with the one before them: a start and a divisor of each, all together,
/// and then a column each.
#[derive(Default)]
pub(super) struct SeriesWriter {
    heads: Vec<u64>,
    columns: Vec<Vec<u64>>,
}

impl SeriesWriter {
    /// Adds a list by the ways from number to number.
    pub(super) fn add(&mut self, numbers: impl IntoIterator<Item = u64>) {
        let mut numbers = numbers.into_iter();
        let first = numbers.next().unwrap_or(0);
        let mut before = first;
        let ways = numbers.map(|number| number.wrapping_sub(std::mem::replace(&mut before, number)).cast_signed());
        self.add_divided(first, ways.collect());
    }

    /// Adds a list of ways.
    pub(super) fn add_ways(&mut self, ways: impl IntoIterator<Item = u64>) {
        self.add_divided(0, ways.into_iter().map(unzigzag).collect());
    }

    fn add_divided(&mut self, first: u64, ways: Vec<i64>) {
        let divisor = greatest_divisor(ways.iter().map(|way| way.unsigned_abs())).max(1);
        self.heads.extend([first, divisor]);
        let divided = |way: &i64| way.signum().wrapping_mul((way.unsigned_abs() / divisor).cast_signed());
        self.columns.push(ways.iter().map(|way| zigzag(divided(way))).collect());
    }

    pub(super) fn finish(self, columns: &mut ColumnWriter) {
        columns.put(&self.heads);
        for column in &self.columns {
            columns.put(column);
        }
    }
}

/// Reads what [`SeriesWriter`] wrote.
pub(super) struct SeriesReader(std::vec::IntoIter<u64>);

impl SeriesReader {
    /// Of so many lists.
    pub(super) fn get(columns: &mut ColumnReader<'_>, lists: usize) -> Result<Self, DecodeError> {
        Ok(Self(columns.get(2 * lists)?.into_iter()))
    }

    fn head(&mut self) -> Result<(u64, u64), DecodeError> {
        let mut next = || self.0.next().ok_or(DecodeError::Truncated);
        Ok((next()?, next()?))
    }

    /// The next list.
    pub(super) fn next(&mut self, columns: &mut ColumnReader<'_>, count: usize) -> Result<Vec<u64>, DecodeError> {
        let (first, divisor) = self.head()?;
        let ways = columns.get(count.saturating_sub(1))?;
        let mut number = first;
        let rest = ways.into_iter().map(|way| {
            number = number.wrapping_add(unzigzag(way).cast_unsigned().wrapping_mul(divisor));
            number
        });
        Ok(std::iter::once(first).chain(rest).take(count).collect())
    }

    /// The next list of ways.
    pub(super) fn next_ways(&mut self, columns: &mut ColumnReader<'_>, count: usize) -> Result<Vec<u64>, DecodeError> {
        let (_, divisor) = self.head()?;
        let divisor = divisor.cast_signed();
        let ways = columns.get(count)?.into_iter();
        Ok(ways.map(|way| zigzag(unzigzag(way).wrapping_mul(divisor))).collect())
    }
}

/// One number.
pub(super) fn get_one(columns: &mut ColumnReader<'_>) -> Result<u64, DecodeError> {
    columns.get(1)?.first().copied().ok_or(DecodeError::Truncated)
}

/// A count up to a limit.
pub(super) fn get_count(columns: &mut ColumnReader<'_>, max: usize, what: &'static str) -> Result<usize, DecodeError> {
    usize::try_from(get_one(columns)?).ok().filter(|count| *count <= max).ok_or(DecodeError::OverLimit(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use procession_codec::block::{ColumnBytes, Effort};
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![any::<u64>(), (0_u64..9).prop_map(|number| number * 4_096), Just(u64::MAX), Just(1 << 63)]
    }

    proptest! {
        #[test]
        fn lists_come_back(numbers in prop::collection::vec(number(), 0..40)) {
            let mut series = SeriesWriter::default();
            series.add(numbers.iter().copied());
            series.add_ways(numbers.iter().copied());
            let mut columns = ColumnWriter::new(Effort::Fast);
            series.finish(&mut columns);
            let section = columns.finish();
            let bytes = ColumnBytes::new(&section).unwrap();
            let mut columns = bytes.reader();
            let mut series = SeriesReader::get(&mut columns, 2).unwrap();
            prop_assert_eq!(series.next(&mut columns, numbers.len()).unwrap(), numbers.clone());
            prop_assert_eq!(series.next_ways(&mut columns, numbers.len()).unwrap(), numbers);
            prop_assert_eq!(columns.end(), Ok(()));
        }
    }
}
