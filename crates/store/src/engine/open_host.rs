//! The newest part of a host's history, in memory: its live state and the frames that are durable but not yet sealed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use procession_codec::HostState;
use procession_model::{HostSample, SnapshotId, Timestamp};

use super::open_names::BegunNames;
use super::segments::HostMark;
use crate::{HostNumber, HostPoint};

/// Room for so many frames is made at once.
const FRAMES_STEP: usize = 24;

/// A durable frame that is not sealed.
#[derive(Clone, Debug)]
pub(super) struct OpenFrame {
    pub(super) sequence: u32,
    /// The sequence of the frame that it goes on from.
    pub(super) previous: u32,
    pub(super) time: Timestamp,
    /// The row of the journal that has it.
    pub(super) row: u64,
    pub(super) bytes: Bytes,
    /// Known once the host is awake.
    pub(super) totals: FrameTotals,
    /// Known once the host is awake.
    pub(super) begun: BegunNames,
}

impl OpenFrame {
    /// What it takes in memory, as far as that can be told: with short frames most of it is not their bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        memory_bytes(&self.bytes)
    }
}

/// What an open frame of these bytes takes in memory.
pub(super) fn memory_bytes(bytes: &Bytes) -> usize {
    const ALLOCATION: usize = 32;
    bytes.len() + ALLOCATION + size_of::<OpenFrame>()
}

/// Sums over the processes of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FrameTotals {
    /// CPU in hundredths of a percent of one core.
    pub(super) cpu: u64,
    /// Resident memory in bytes.
    pub(super) memory: u64,
    /// How many processes.
    pub(super) processes: u32,
}

impl FrameTotals {
    /// Of a state.
    pub(super) fn of(state: &HostState) -> Self {
        Self {
            cpu: state.cpu_sum(),
            memory: state.memory_sum(),
            processes: u32::try_from(state.process_count()).unwrap_or(u32::MAX),
        }
    }

    /// As the point of one snapshot.
    pub(super) fn point(self, id: SnapshotId, time: Timestamp, host: HostSample) -> HostPoint {
        HostPoint {
            id,
            time,
            cpu: self.cpu,
            cpu_max: self.cpu,
            memory_bytes: self.memory,
            memory_bytes_max: self.memory,
            process_count: self.processes,
            host,
        }
    }
}

/// The state before the first open frame.
#[derive(Clone, Debug)]
pub(super) enum Base {
    /// In the database alone: of ten thousand hosts they add up, and few are asked for what needs it.
    Asleep,
    /// There is nothing before it.
    Nothing,
    /// The compressed bytes of a keyframe.
    Keyframe(Bytes),
}

/// The newest part of a host's history.
#[derive(Clone, Debug)]
pub(super) struct OpenHost {
    /// How far it is sealed, and where its agent has got to (with what is open).
    pub(super) mark: HostMark,
    /// Frames in their order, each later than the one before.
    pub(super) frames: Vec<OpenFrame>,
    /// Frames that came late, in the order they came. Keyframes.
    pub(super) late: Vec<OpenFrame>,
    /// What the first open frame goes on from.
    pub(super) base: Base,
    /// The state after the newest frame. `None` while the host sleeps (nothing asked for it since the start, or it went
    /// silent) and while a batch changes it: who needs it then builds it from what is durable.
    pub(super) state: Option<Arc<HostState>>,
    /// Whether the state was made from the base alone, which does not have what ended, was brief or was lost in its last
    /// frame: that is in a block.
    pub(super) from_base: bool,
    /// What the sealing watched last.
    pub(super) watch: Watch,
}

/// What tells how old an open run is and how long a host has been silent, by the clock of who seals.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    /// The oldest open frame was first seen then.
    pub(super) opened: Option<Timestamp>,
    /// The newest frame, and when it was first seen.
    pub(super) newest: Option<(u32, Timestamp)>,
}

impl OpenHost {
    /// A host of which nothing is open.
    pub(super) fn sleeping(mark: HostMark) -> Self {
        Self {
            mark,
            frames: Vec::new(),
            late: Vec::new(),
            base: Base::Asleep,
            state: None,
            from_base: false,
            watch: Watch::default(),
        }
    }

    /// A host that is new.
    pub(super) fn new(host: HostNumber) -> Self {
        Self { base: Base::Nothing, ..Self::sleeping(HostMark::new(host)) }
    }

    /// The sequence of the newest frame by time; 0 if there is none.
    pub(super) fn newest_sequence(&self) -> u32 {
        self.frames.last().map_or(self.mark.sealed, |frame| frame.sequence)
    }

    /// The row of the journal that has the oldest open frame.
    pub(super) fn oldest_row(&self) -> Option<u64> {
        let first = |frames: &[OpenFrame]| frames.first().map(|frame| frame.row);
        first(&self.frames).into_iter().chain(first(&self.late)).min()
    }

    /// The time of the newest frame, where that is known without waking the host.
    pub(super) fn newest_time(&self) -> Option<Timestamp> {
        let open = self.frames.last().map(|frame| frame.time);
        open.or_else(|| self.state.as_ref().filter(|state| !state.is_empty()).map(|state| state.time()))
    }

    /// Makes room for so many frames more, and few beyond: of ten thousand hosts the room to spare adds up.
    pub(super) fn make_room(&mut self, frames: usize) {
        if self.frames.capacity() - self.frames.len() < frames {
            self.frames.reserve_exact(frames.max(FRAMES_STEP));
        }
    }

    /// The open frame of exactly this time.
    pub(super) fn sequence_at(&self, time: Timestamp) -> Option<u32> {
        let found = self.frames.binary_search_by_key(&time, |frame| frame.time).ok().map(|index| &self.frames[index]);
        found.or_else(|| self.late.iter().find(|frame| frame.time == time)).map(|frame| frame.sequence)
    }
}

/// All hosts that have any history.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    hosts: RwLock<HashMap<HostNumber, Arc<HostCell>>>,
}

/// A host behind its lock. Held for moments, but for the waking of a sleeping host.
#[derive(Debug)]
pub(super) struct HostCell {
    host: Mutex<OpenHost>,
}

impl HostCell {
    /// The host.
    pub(super) fn lock(&self) -> MutexGuard<'_, OpenHost> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hosts {
    /// Of sleeping hosts.
    pub(super) fn of(hosts: impl Iterator<Item = OpenHost>) -> Self {
        let cells = hosts.map(|host| (host.mark.host, Arc::new(HostCell { host: Mutex::new(host) }))).collect();
        Self { hosts: RwLock::new(cells) }
    }

    /// A host, if it has any history.
    pub(super) fn get(&self, host: HostNumber) -> Option<Arc<HostCell>> {
        self.hosts.read().unwrap_or_else(PoisonError::into_inner).get(&host).cloned()
    }

    /// A host, made if it is new.
    pub(super) fn get_or_add(&self, host: HostNumber) -> Arc<HostCell> {
        if let Some(found) = self.get(host) {
            return found;
        }
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hosts.entry(host).or_insert_with(|| Arc::new(HostCell { host: Mutex::new(OpenHost::new(host)) })))
    }

    /// All hosts by their numbers.
    pub(super) fn all(&self) -> Vec<(HostNumber, Arc<HostCell>)> {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = hosts.iter().map(|(number, cell)| (*number, Arc::clone(cell))).collect();
        all.sort_unstable_by_key(|(number, _)| *number);
        all
    }
}
