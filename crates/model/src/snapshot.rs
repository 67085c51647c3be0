//! All processes of a host at one time.

use std::sync::Arc;

use crate::{Brief, Description, End, FieldError, HostFacts, HostSample, Loss, Process, Timestamp};

/// All processes of a host at one time, and what happened since the snapshot before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// When.
    pub time: Timestamp,
    /// What rarely changes of the host.
    pub facts: Arc<HostFacts>,
    /// The host's own counters.
    pub host: HostSample,
    /// The processes. No pid occurs twice.
    pub processes: Vec<Process>,
    /// Processes of the snapshot before that have ended.
    pub ended: Vec<Ended>,
    /// Processes that began and ended since the snapshot before.
    pub brief: Vec<Brief>,
    /// What was lost before this snapshot.
    pub losses: Vec<Loss>,
    /// What could not be read.
    pub field_errors: Vec<FieldError>,
}

/// A process of an earlier snapshot that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What stayed fixed of it.
    pub description: Arc<Description>,
    /// How it ended.
    pub end: End,
}

/// The public number of a snapshot: host number (20 bits) × 2^32 + the host's own sequence. It fits the integers that
/// JavaScript keeps exactly, and needs no counter shared between hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId {
    host: u32,
    sequence: u32,
}

/// Not the number of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not the number of a snapshot")]
pub struct SnapshotIdError(pub u64);

impl SnapshotId {
    /// The number of hosts a store can tell apart: 2^20.
    pub const HOSTS_MAX: u32 = 1 << 20;

    /// From a host's number, below [`SnapshotId::HOSTS_MAX`], and its sequence, from 1.
    pub fn new(host: u32, sequence: u32) -> Result<Self, SnapshotIdError> {
        if host < Self::HOSTS_MAX && sequence > 0 {
            Ok(Self { host, sequence })
        } else {
            Err(SnapshotIdError(u64::from(host) << 32 | u64::from(sequence)))
        }
    }

    /// From the public number.
    pub fn from_number(number: u64) -> Result<Self, SnapshotIdError> {
        let host = u32::try_from(number >> 32).map_err(|_| SnapshotIdError(number))?;
        let sequence = u32::try_from(number & u64::from(u32::MAX)).map_err(|_| SnapshotIdError(number))?;
        Self::new(host, sequence).map_err(|_| SnapshotIdError(number))
    }

    /// The public number.
    pub const fn number(self) -> u64 {
        (self.host as u64) << 32 | self.sequence as u64
    }

    /// The number of the host.
    pub const fn host(self) -> u32 {
        self.host
    }

    /// The place of the snapshot in the host's own sequence.
    pub const fn sequence(self) -> u32 {
        self.sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_host_counts_from_one() {
        assert_eq!(SnapshotId::new(0, 1).map(SnapshotId::number), Ok(1));
        assert_eq!(SnapshotId::new(3, 7).map(SnapshotId::number), Ok((3 << 32) + 7));
    }

    #[test]
    fn public_numbers_come_back_or_are_refused() {
        for number in [1, 2, (1 << 32) + 1, (1 << 52) - 1] {
            assert_eq!(SnapshotId::from_number(number).map(SnapshotId::number), Ok(number));
        }
        for number in [0, 1 << 32, 1 << 52, (1 << 52) + 1, u64::MAX] {
            assert_eq!(SnapshotId::from_number(number), Err(SnapshotIdError(number)));
        }
    }
}
