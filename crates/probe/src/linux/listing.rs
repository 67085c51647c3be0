//! The pids in the proc file system, ascending.

use std::mem::MaybeUninit;
use std::ops::RangeInclusive;

use rustix::fd::BorrowedFd;
use rustix::fs::{RawDir, SeekFrom};
use rustix::io::Errno;

const BUFFER_BYTES: usize = 32 << 10;

/// Lists pids into memory that is used again.
pub(super) struct Listing {
    pids: Vec<u32>,
    buffer: Box<[MaybeUninit<u8>]>,
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Listing").field("pids", &self.pids.len()).finish_non_exhaustive()
    }
}

impl Listing {
    pub(super) fn new() -> Self {
        Self { pids: Vec::new(), buffer: Box::new_uninit_slice(BUFFER_BYTES) }
    }

    /// Reads the folder from its beginning. The pids come back from [`Listing::pids`].
    pub(super) fn read(&mut self, folder: BorrowedFd<'_>) -> Result<(), Errno> {
        self.pids.clear();
        rustix::fs::seek(folder, SeekFrom::Start(0))?;
        let mut entries = RawDir::new(folder, &mut self.buffer);
        while let Some(entry) = entries.next() {
            if let Some(pid) = pid(entry?.file_name().to_bytes()) {
                self.pids.push(pid);
            }
        }
        // The kernel lists them in this order; other file systems, in tests, do not.
        if !self.pids.is_sorted_by(|left, right| left < right) {
            self.pids.sort_unstable();
            self.pids.dedup();
        }
        Ok(())
    }

    /// In place of reading: those that are known, ascending, and those that may be there.
    pub(super) fn assume(&mut self, known: impl Iterator<Item = u32>, perhaps: RangeInclusive<u32>) {
        self.pids.clear();
        self.pids.extend(known);
        let known = self.pids.len();
        for pid in perhaps {
            if self.pids[..known].binary_search(&pid).is_err() {
                self.pids.push(pid);
            }
        }
        self.pids.sort_unstable();
    }

    /// Ascending, no pid twice.
    pub(super) fn pids(&self) -> &[u32] {
        &self.pids
    }
}

fn pid(name: &[u8]) -> Option<u32> {
    const DIGITS_MAX: usize = 10;
    if name.is_empty() || name.len() > DIGITS_MAX || name[0] == b'0' {
        return None;
    }
    let number = name
        .iter()
        .try_fold(0_u64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))?;
    u32::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assumed_ascends_and_is_there_once() {
        let mut listing = Listing::new();
        listing.assume([1, 5, 9, 12].into_iter(), 4..=10);
        assert_eq!(listing.pids(), [1, 4, 5, 6, 7, 8, 9, 10, 12]);
        listing.assume([3].into_iter(), 3..=3);
        assert_eq!(listing.pids(), [3]);
    }

    #[test]
    fn only_numbers_are_pids() {
        assert_eq!(pid(b"4194304"), Some(4_194_304));
        assert_eq!(pid(b"4294967295"), Some(u32::MAX));
        for name in [&b""[..], b"self", b"1a", b"0", b"01", b"4294967296", b"99999999999"] {
            assert_eq!(pid(name), None, "{name:?}");
        }
    }
}
