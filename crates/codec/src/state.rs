//! What frames add up to: the processes of a host, by slot.

use std::sync::Arc;

use procession_model::{Description, Process, Sample, Snapshot, Timestamp};

use crate::Frame;

/// Why a frame does not fit a state. The state is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The first frame of a host has to be a keyframe.
    #[error("a keyframe is needed before the first change")]
    KeyframeNeeded,
    /// A slot that no process has.
    #[error("slot {0} has no process")]
    EmptySlot(u32),
    /// A new process in a slot that another one still has.
    #[error("slot {0} is taken")]
    TakenSlot(u32),
    /// The same pid twice in one snapshot.
    #[error("pid {0} occurs twice")]
    PidTwice(u32),
}

/// The processes of a host after some frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostState {}

impl HostState {
    /// The state before any frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether any frame was applied.
    pub fn is_empty(&self) -> bool {
        unimplemented!()
    }

    /// Applies a frame, wholly or not at all.
    pub fn apply(&mut self, _frame: &Frame) -> Result<(), ApplyError> {
        unimplemented!()
    }

    /// Goes on to `snapshot` and returns the frame that leads there: a keyframe from an empty state, changes otherwise.
    ///
    /// A process goes on where pid and start are the same; where neither side knows the start, where pid and name are.
    pub fn advance(&mut self, _snapshot: &Snapshot) -> Result<Frame, ApplyError> {
        unimplemented!()
    }

    /// The frame that makes this state from nothing.
    pub fn keyframe(&self) -> Frame {
        unimplemented!()
    }

    /// The snapshot of the last frame, with what ended, was brief or was lost in that frame. Processes in the order of
    /// their slots.
    pub fn snapshot(&self) -> Snapshot {
        unimplemented!()
    }

    /// The time of the last frame.
    pub fn time(&self) -> Timestamp {
        unimplemented!()
    }

    /// How many processes live.
    pub fn process_count(&self) -> usize {
        unimplemented!()
    }

    /// The process in a slot.
    pub fn process(&self, _slot: u32) -> Option<(&Arc<Description>, &Sample)> {
        unimplemented!()
    }

    /// All processes with their slots, ascending.
    pub fn processes(&self) -> impl Iterator<Item = (u32, Process)> + '_ {
        std::iter::empty()
    }

    /// Sum over the processes of CPU in hundredths of a percent of one core, kept up to date by `apply`.
    pub fn cpu_sum(&self) -> u64 {
        unimplemented!()
    }

    /// Sum over the processes of resident memory in bytes, kept up to date by `apply`.
    pub fn memory_sum(&self) -> u64 {
        unimplemented!()
    }
}
