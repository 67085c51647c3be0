//! Numbers as bits: columns of small numbers, each with the width that suits it. The lowest bit of a byte comes first.

use crate::DecodeError;

/// The bits in which a column says its width.
const WIDTH_BITS: u32 = 6;
const WIDTH_MAX: u32 = (1 << WIDTH_BITS) - 1;
/// So many bits are at hand at once, wherever in a byte they begin.
const AT_HAND: u32 = 57;

/// Appends bits to bytes.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Not written yet, fewer than eight.
    pending: u64,
    pending_bits: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, pending: 0, pending_bits: 0 }
    }

    /// A column: its width, then its numbers.
    pub(super) fn column(&mut self, numbers: &[u64]) {
        let width = best_width(numbers);
        self.bits(u64::from(width), WIDTH_BITS);
        for number in numbers {
            self.number(*number, width);
        }
    }

    /// A number by itself.
    pub(super) fn number(&mut self, number: u64, width: u32) {
        let high = number >> width;
        let length = u64::BITS - high.leading_zeros();
        if length > 0 {
            self.bits(u64::MAX >> (u64::BITS - length), length);
        }
        self.bits(0, 1);
        if length > 1 {
            self.bits(high ^ 1 << (length - 1), length - 1);
        }
        self.bits(number & !(u64::MAX << width), width);
    }

    /// Fills the last byte with zeros.
    pub(super) fn end(self) {
        if self.pending_bits > 0 {
            self.out.push(self.pending.to_le_bytes()[0]);
        }
    }

    /// The lowest `count` bits of `bits`, of which the others are 0.
    fn bits(&mut self, bits: u64, count: u32) {
        const HALF: u32 = 32;
        if count > HALF {
            self.bits(bits & u64::from(u32::MAX), HALF);
            return self.bits(bits >> HALF, count - HALF);
        }
        self.pending |= bits << self.pending_bits;
        self.pending_bits += count;
        while self.pending_bits >= u8::BITS {
            self.out.push(self.pending.to_le_bytes()[0]);
            self.pending >>= u8::BITS;
            self.pending_bits -= u8::BITS;
        }
    }
}

/// The width with which all numbers take the fewest bits; the lowest of several.
fn best_width(numbers: &[u64]) -> u32 {
    let mut lengths = [0_u64; u64::BITS as usize + 1];
    for number in numbers {
        lengths[(u64::BITS - number.leading_zeros()) as usize] += 1;
    }
    let longest = (0..=u64::BITS).rev().find(|length| lengths[*length as usize] > 0).unwrap_or(0);
    let bits = |width: u32| -> u64 {
        let each = |length: u32| u64::from(width + (2 * length.saturating_sub(width)).max(1));
        (0..=longest).map(|length| lengths[length as usize] * each(length)).sum()
    };
    (0..=longest.min(WIDTH_MAX)).min_by_key(|width| bits(*width)).unwrap_or(0)
}

/// Reads what [`BitWriter`] wrote, from bytes that anyone may have made.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The width of a column whose numbers follow.
    pub(super) fn width(&mut self) -> Result<u32, DecodeError> {
        let width = self.bits(WIDTH_BITS)?;
        Ok(u32::try_from(width).unwrap_or(WIDTH_MAX))
    }

    /// A column of so many numbers, each handed to `take`. Who calls has compared the count with [`BitReader::count`].
    pub(super) fn column(
        &mut self,
        count: usize,
        mut take: impl FnMut(u64) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let width = self.width()?;
        (0..count).try_for_each(|_| take(self.number(width)?))
    }

    /// A column in memory of its own.
    pub(super) fn numbers(&mut self, count: usize) -> Result<Vec<u64>, DecodeError> {
        let mut numbers = Vec::with_capacity(count);
        self.column(count, |number| {
            numbers.push(number);
            Ok(())
        })?;
        Ok(numbers)
    }

    /// A count of things that take at least a bit each: never more than the limit, or than the rest could hold.
    pub(super) fn count(&mut self, max: usize, width: u32, what: &'static str) -> Result<usize, DecodeError> {
        let count = self.number(width)?;
        let count = usize::try_from(count).ok().filter(|count| *count <= max).ok_or(DecodeError::OverLimit(what))?;
        if count > self.left() { Err(DecodeError::Truncated) } else { Ok(count) }
    }

    #[inline]
    pub(super) fn number(&mut self, width: u32) -> Result<u64, DecodeError> {
        let at_hand = self.at_hand();
        let length = at_hand.trailing_ones();
        let bits = 2 * length.max(1) + width;
        if bits > AT_HAND || self.left() < AT_HAND as usize {
            return self.slow_number(width);
        }
        self.at += (bits - u32::from(length == 0)) as usize;
        let rest = at_hand >> (length + 1);
        let (high, rest) = match length {
            0 => (0, rest),
            _ => (rest & !(u64::MAX << (length - 1)) | 1 << (length - 1), rest >> (length - 1)),
        };
        Ok(high << width | rest & !(u64::MAX << width))
    }

    /// Near the end, and where it is long.
    fn slow_number(&mut self, width: u32) -> Result<u64, DecodeError> {
        let mut length = 0;
        while self.bits(1)? == 1 {
            length += 1;
        }
        let high = match length {
            0 => 0,
            1..=u64::BITS => self.bits(length - 1)? | 1 << (length - 1),
            _ => return Err(DecodeError::Invalid("a number")),
        };
        if high.leading_zeros() < width {
            return Err(DecodeError::Invalid("a number"));
        }
        Ok(high << width | self.bits(width)?)
    }

    /// Refuses bits that are left over.
    pub(super) fn end(mut self) -> Result<(), DecodeError> {
        let left = u32::try_from(self.left()).unwrap_or(u32::MAX);
        if left < u8::BITS && self.bits(left)? == 0 {
            return Ok(());
        }
        Err(DecodeError::Invalid("what follows the end"))
    }

    /// In bits.
    const fn left(&self) -> usize {
        self.bytes.len() * u8::BITS as usize - self.at
    }

    fn bits(&mut self, count: u32) -> Result<u64, DecodeError> {
        if count > AT_HAND {
            const HALF: u32 = 32;
            return Ok(self.bits(HALF)? | self.bits(count - HALF)? << HALF);
        }
        if count as usize > self.left() {
            return Err(DecodeError::Truncated);
        }
        let bits = self.at_hand() & !(u64::MAX << count);
        self.at += count as usize;
        Ok(bits)
    }

    /// The next bits, [`AT_HAND`] of them or as many as there are; zeros beyond the end.
    #[inline]
    fn at_hand(&self) -> u64 {
        let rest = self.bytes.get(self.at / u8::BITS as usize..).unwrap_or_default();
        let bytes = match rest.first_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => rest.iter().rev().fold(0, |bits, byte| bits << u8::BITS | u64::from(*byte)),
        };
        bytes >> (self.at % u8::BITS as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(columns: &[Vec<u64>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = BitWriter::new(&mut out);
        for column in columns {
            writer.number(column.len() as u64, 3);
            writer.column(column);
        }
        writer.end();
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u64>>, DecodeError> {
        let mut reader = BitReader::new(bytes);
        let mut columns = Vec::new();
        while reader.left() >= u8::BITS as usize {
            let count = reader.count(1_000, 3, "numbers")?;
            columns.push(reader.numbers(count)?);
        }
        reader.end()?;
        Ok(columns)
    }

    #[test]
    fn columns_come_back() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let mut column = || {
                let bits = random.u32(1..=64);
                let count = random.usize(1..40);
                (0..count).map(|_| random.u64(..) >> random.u32(64 - bits..64)).collect::<Vec<_>>()
            };
            let columns = vec![column(), column(), vec![u64::MAX, 0, 1 << 63], column()];
            let bytes = written(&columns);
            assert_eq!(read(&bytes), Ok(columns));
        }
    }

    #[test]
    fn cut_columns_are_refused() {
        let columns = vec![vec![5, 1, 300, u64::MAX - 1], vec![7; 30]];
        let bytes = written(&columns);
        for length in 1..bytes.len() {
            assert_ne!(read(&bytes[..length]), Ok(columns.clone()), "{length}");
        }
        let mut more = bytes.clone();
        *more.last_mut().unwrap() |= 1 << 7;
        assert_ne!(read(&more), Ok(columns));
    }

    #[test]
    fn small_numbers_take_few_bits() {
        assert_eq!(best_width(&[0, 0, 0, 1]), 0);
        // Five bits for the count, six for the width, five for each number.
        assert_eq!(written(&[(8..16).collect()]).len(), (5 + 6 + 8 * 5_usize).div_ceil(8));
    }

    #[test]
    fn numbers_of_more_than_64_bits_are_refused() {
        let mut out = Vec::new();
        let mut writer = BitWriter::new(&mut out);
        writer.bits(u64::from(u32::MAX), 32);
        writer.bits(u64::from(u32::MAX), 32);
        writer.bits(0b01, 2);
        writer.bits(0, 64);
        writer.end();
        assert_eq!(BitReader::new(&out).number(0), Err(DecodeError::Invalid("a number")));
        let mut out = Vec::new();
        let mut writer = BitWriter::new(&mut out);
        writer.number(2, 0);
        writer.bits(0, 64);
        writer.end();
        assert_eq!(BitReader::new(&out).number(63), Err(DecodeError::Invalid("a number")));
    }
}
