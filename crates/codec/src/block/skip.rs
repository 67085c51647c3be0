//! What a block has for certain not, so that a query leaves it unread.
//!
//! Sets of short hashes: about nine bits an entry, and one block in 128 is read in vain. The exact answer is in the rows.

use std::collections::BTreeSet;

use super::column::{ColumnReader, ColumnWriter};
use crate::DecodeError;

/// One look-up in this many says yes where it is no.
pub(super) const FALSE_ONE_IN: u64 = 128;
/// The same for pids, of which there are many and few are asked for.
pub(super) const FALSE_PIDS_ONE_IN: u64 = 8;

/// A set that may say yes where it is no, never no where it is yes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HashedSet {
    false_one_in: u64,
    range: u64,
    /// Ascending, below `range`.
    places: Vec<u64>,
}

impl HashedSet {
    pub(super) fn of<'a>(entries: impl Iterator<Item = &'a [u8]>, false_one_in: u64) -> Self {
        let hashes: BTreeSet<u64> = entries.map(hash).collect();
        let range = false_one_in * hashes.len() as u64;
        let places: BTreeSet<u64> = hashes.into_iter().map(|hash| hash % range).collect();
        Self { false_one_in, range, places: places.into_iter().collect() }
    }

    pub(super) fn may_have(&self, entry: &[u8]) -> bool {
        self.range > 0 && self.places.binary_search(&(hash(entry) % self.range)).is_ok()
    }

    pub(super) fn put(&self, columns: &mut ColumnWriter) {
        columns.put(&[self.range / self.false_one_in]);
        columns.put(&[self.places.len() as u64]);
        let mut next = 0;
        let gaps = self.places.iter().map(|place| place - std::mem::replace(&mut next, place + 1));
        columns.put(&gaps.collect::<Vec<_>>());
    }

    pub(super) fn get(columns: &mut ColumnReader<'_>, max: usize, false_one_in: u64) -> Result<Self, DecodeError> {
        let mut count = || {
            let count = columns.get(1)?.first().and_then(|count| usize::try_from(*count).ok());
            count.filter(|count| *count <= max).ok_or(DecodeError::OverLimit("a set"))
        };
        let (entries, places) = (count()?, count()?);
        let mut places = columns.get(places)?;
        let mut next = 0_u64;
        for place in &mut places {
            *place =
                next.checked_add(*place).filter(|place| *place < u64::MAX).ok_or(DecodeError::OverLimit("a set"))?;
            next = *place + 1;
        }
        let range = false_one_in * entries as u64;
        if places.last().is_none_or(|last| *last < range) {
            Ok(Self { false_one_in, range, places })
        } else {
            Err(DecodeError::Invalid("a set"))
        }
    }
}

/// FNV-1a with 64 bits, its high half folded in: part of the format.
fn hash(entry: &[u8]) -> u64 {
    let hash = entry
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash ^ hash >> 32
}

/// What a block may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skip {
    pub(super) names: HashedSet,
    pub(super) users: HashedSet,
    pub(super) pids: HashedSet,
}

impl Skip {
    /// False if no process of that name is in the block, brief ones included.
    pub fn may_have_name(&self, name: &str) -> bool {
        self.names.may_have(name.as_bytes())
    }

    /// False if no process of that user is in the block, brief ones included.
    pub fn may_have_user(&self, user: &str) -> bool {
        self.users.may_have(user.as_bytes())
    }

    /// False if no process of that pid is in the block, brief ones included.
    pub fn may_have_pid(&self, pid: u32) -> bool {
        self.pids.may_have(&pid.to_le_bytes())
    }
}
