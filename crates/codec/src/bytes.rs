//! Numbers as bytes: what frames and blocks share. Writers append to a `Vec<u8>`; the reader never reads past its end.

use crate::DecodeError;
use crate::numbers::{unzigzag, zigzag};

const MORE: u8 = 0x80;

/// Appends an unsigned LEB128 number.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= u64::from(MORE) {
        out.push(number.to_le_bytes()[0] | MORE);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends a signed number so that small ones of either sign are short.
pub(crate) fn put_zigzag(out: &mut Vec<u8>, number: i64) {
    put_varint(out, zigzag(number));
}

/// Appends a length or count.
pub(crate) fn put_len(out: &mut Vec<u8>, len: usize) {
    put_varint(out, len as u64);
}

/// Whether bytes have this checksum. Not looked at in fuzz targets, which would never get past it.
pub(crate) fn checksum_fits(bytes: &[u8], checksum: u32) -> bool {
    cfg!(fuzzing) || crc32fast::hash(bytes) == checksum
}

/// Reads from the front of bytes.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.bytes.split_first().ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(*first)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        match self.bytes.split_first() {
            Some((first, rest)) if *first < MORE => {
                self.bytes = rest;
                Ok(u64::from(*first))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0;
        for (index, byte) in self.bytes.iter().enumerate().take(10) {
            let bits = u64::from(byte & !MORE);
            if index == 9 && bits > 1 {
                break;
            }
            number |= bits << (7 * index);
            if byte & MORE == 0 {
                self.bytes = &self.bytes[index + 1..];
                return Ok(number);
            }
        }
        Err(if self.bytes.len() < 10 { DecodeError::Truncated } else { DecodeError::Invalid("a number") })
    }

    pub(crate) fn zigzag(&mut self) -> Result<i64, DecodeError> {
        self.varint().map(unzigzag)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        u32::try_from(self.varint()?).map_err(|_| DecodeError::OverLimit(what))
    }

    /// A count of things that take at least `bytes_each`: never more than the limit, or than the rest could hold.
    pub(crate) fn count(&mut self, max: usize, bytes_each: usize, what: &'static str) -> Result<usize, DecodeError> {
        let count =
            usize::try_from(self.varint()?).ok().filter(|count| *count <= max).ok_or(DecodeError::OverLimit(what))?;
        if count.saturating_mul(bytes_each) > self.bytes.len() {
            return Err(DecodeError::Truncated);
        }
        Ok(count)
    }

    /// Refuses bytes that are left over.
    pub(crate) const fn end(&self) -> Result<(), DecodeError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(DecodeError::Invalid("what follows the end")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.varint(), Ok(number));
            assert_eq!(reader.end(), Ok(()));
            for cut in 0..bytes.len() {
                assert_eq!(Reader::new(&bytes[..cut]).varint(), Err(DecodeError::Truncated));
            }
        }
        for number in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(number)), number);
        }
    }

    #[test]
    fn numbers_of_more_than_64_bits_are_refused() {
        let mut bytes = [0xff; 11];
        assert_eq!(Reader::new(&bytes).varint(), Err(DecodeError::Invalid("a number")));
        bytes[9] = 2;
        assert_eq!(Reader::new(&bytes).varint(), Err(DecodeError::Invalid("a number")));
        bytes[9] = 1;
        assert_eq!(Reader::new(&bytes).varint(), Ok(u64::MAX));
    }
}
