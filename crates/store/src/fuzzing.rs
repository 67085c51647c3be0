//! Ways in for the fuzz targets, to what reads bytes that a disk gives back. No part of the crate's interface.

use bytes::Bytes;

use crate::engine::journal_comes_back;

/// Reads bytes as a row of the journal. Panics where what was whole of it does not come back when it is written again.
pub fn journal_row(bytes: &[u8]) {
    assert!(journal_comes_back(&Bytes::copy_from_slice(bytes)), "what was kept of a row does not come back");
}

/// Reads bytes as a rollup. Panics where a part of it that is read alone is not the same.
pub fn rollup(bytes: &[u8]) {
    assert!(crate::rollup::reads_alike(bytes), "a part of a rollup is another when it is read alone");
}
