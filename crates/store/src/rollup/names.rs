//! The head of a rollup: which names it may have, for queries that ask a thousand hosts.
//!
//! Hashes of 32 bits, sorted: a name that is not there is taken for there once in some ten million.

use std::collections::BTreeSet;

use procession_codec::DecodeError;
use procession_codec::block::{ColumnBytes, ColumnWriter, Effort};

use super::Rollup;
use super::columns::get_count;

/// The most names of a rollup.
const NAMES_MAX: usize = 1 << 20;

/// Which names a rollup may have.
pub(crate) struct Names(Vec<u64>);

impl Names {
    /// The head of a rollup.
    pub(crate) fn head(rollup: &Rollup) -> Vec<u8> {
        let rows = rollup.rows.iter().map(|row| &row.description.name);
        let names = rows.chain(rollup.folded.iter().map(|folded| &folded.key.name));
        let hashes: BTreeSet<u64> = names.map(|name| hash(name)).collect();
        let mut before = 0;
        let distances = hashes.iter().map(|hash| {
            let distance = hash - before;
            before = *hash;
            distance
        });
        let mut columns = ColumnWriter::new(Effort::Small);
        columns.put(&[hashes.len() as u64]);
        columns.put(&distances.collect::<Vec<_>>());
        columns.finish()
    }

    /// What [`Names::head`] wrote.
    pub(crate) fn open(head: &[u8]) -> Result<Self, DecodeError> {
        let bytes = ColumnBytes::new(head)?;
        let mut columns = bytes.reader();
        let count = get_count(&mut columns, NAMES_MAX, "names")?;
        let mut hashes = columns.get(count)?;
        columns.end()?;
        let mut sum = 0_u64;
        for hash in &mut hashes {
            sum = sum.saturating_add(*hash);
            *hash = sum;
        }
        Ok(Self(hashes))
    }

    /// False if it has certainly no process of that name.
    pub(crate) fn may_have(&self, name: &str) -> bool {
        self.0.binary_search(&hash(name)).is_ok()
    }
}

/// FNV-1a with 64 bits, its high half folded in: part of the format.
fn hash(name: &str) -> u64 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash ^ (hash >> 32)) & u64::from(u32::MAX)
}
