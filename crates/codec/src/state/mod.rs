//! What frames add up to: the processes of a host, by slot.
//!
//! The state of ten thousand hosts is in memory at once and takes a frame a second each, so a frame costs what changed,
//! never what lives, and a process costs its description, its sample and two words.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use procession_model::{
    Brief, Description, Ended, FieldError, HostFacts, HostSample, Loss, Metric, Process, Sample, Snapshot, Timestamp,
};

use crate::{Began, Frame, FrameKind, MetricChanges};

mod advance;
mod apply;
mod check;
mod intern;

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
    /// Slots that do not ascend, or lists that belong together and differ in length.
    #[error("{0} are not in order")]
    Disordered(&'static str),
    /// More than [`crate::limits`] allows.
    #[error("{0} over the limit")]
    OverLimit(&'static str),
}

/// The processes of a host after some frame.
///
/// Two states are equal when their snapshots are and every process has the same slot.
#[derive(Clone, Debug, Default)]
pub struct HostState {
    has_frame: bool,
    time: Timestamp,
    facts: Arc<HostFacts>,
    host: HostSample,
    field_errors: Vec<FieldError>,
    ended: Vec<Ended>,
    brief: Vec<Brief>,
    losses: Vec<Loss>,
    slots: Vec<Slot>,
    slot_of_pid: HashMap<u32, u32, RandomState>,
    /// Whether descriptions are kept as they come.
    is_alone: bool,
    /// The slots in the order of the last snapshot's processes, where descriptions are kept as they come.
    rows: Vec<u32>,
    strings_bytes: usize,
    // Wide, because anyone may send values near 2^64 and a sum that goes up and down again has to come back exactly.
    cpu_sum: u128,
    memory_sum: u128,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Slot {
    description: Option<Arc<Description>>,
    sample: Sample,
}

impl PartialEq for HostState {
    fn eq(&self, other: &Self) -> bool {
        self.has_frame == other.has_frame
            && self.time == other.time
            && self.facts == other.facts
            && self.host == other.host
            && self.field_errors == other.field_errors
            && self.ended == other.ended
            && self.brief == other.brief
            && self.losses == other.losses
            && self.slots == other.slots
    }
}

impl HostState {
    /// The state before any frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, for who has the descriptions anyway, as an agent has those of its machine. They are kept as they come,
    /// without looking for other processes' equal strings; so those of the next snapshot are the very same, and it costs
    /// nothing to see that they are.
    pub fn of_this_machine() -> Self {
        Self { is_alone: true, ..Self::default() }
    }

    /// Whether any frame was applied.
    pub const fn is_empty(&self) -> bool {
        !self.has_frame
    }

    /// The frame that makes this state from nothing. It has the last frame's `brief` and `losses`, but a keyframe has no
    /// room for `ended`.
    pub fn keyframe(&self) -> Frame {
        let mut frame = Frame::new(FrameKind::Key, self.time);
        frame.facts = Some(Arc::clone(&self.facts));
        frame.host = self.host;
        frame.brief.clone_from(&self.brief);
        frame.losses.clone_from(&self.losses);
        frame.field_errors = Some(self.field_errors.clone());
        for (slot, description, sample) in self.occupied() {
            frame.began.push(Began { slot, description: Arc::clone(description) });
            push_changes(&mut frame.changes, slot, &Sample::ABSENT, sample);
        }
        frame
    }

    /// The snapshot of the last frame, with what ended, was brief or was lost in that frame. Processes in the order of
    /// their slots.
    pub fn snapshot(&self) -> Snapshot {
        let process = |(_, description, sample): (u32, &Arc<Description>, &Sample)| Process {
            description: Arc::clone(description),
            sample: *sample,
        };
        Snapshot {
            time: self.time,
            facts: Arc::clone(&self.facts),
            host: self.host,
            processes: self.occupied().map(process).collect(),
            ended: self.ended.clone(),
            brief: self.brief.clone(),
            losses: self.losses.clone(),
            field_errors: self.field_errors.clone(),
        }
    }

    /// The time of the last frame.
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// What rarely changes of the host.
    pub const fn facts(&self) -> &Arc<HostFacts> {
        &self.facts
    }

    /// The host's own counters in the last frame.
    pub const fn host(&self) -> &HostSample {
        &self.host
    }

    /// The processes that the last frame ended, by their slots.
    pub fn ended(&self) -> &[Ended] {
        &self.ended
    }

    /// The processes that began and ended before the last frame.
    pub fn brief(&self) -> &[Brief] {
        &self.brief
    }

    /// What was lost before the last frame.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// What could not be read.
    pub fn field_errors(&self) -> &[FieldError] {
        &self.field_errors
    }

    /// How many processes live.
    pub fn process_count(&self) -> usize {
        self.slot_of_pid.len()
    }

    /// The process in a slot.
    pub fn process(&self, slot: u32) -> Option<(&Arc<Description>, &Sample)> {
        let slot = self.slots.get(slot as usize)?;
        Some((slot.description.as_ref()?, &slot.sample))
    }

    /// The slot of the process that has this pid.
    pub fn slot_of_pid(&self, pid: u32) -> Option<u32> {
        self.slot_of_pid.get(&pid).copied()
    }

    /// All processes with their slots, ascending.
    pub fn processes(&self) -> impl Iterator<Item = (u32, Process)> + '_ {
        self.occupied().map(|(slot, description, sample)| {
            (slot, Process { description: Arc::clone(description), sample: *sample })
        })
    }

    /// All processes with their slots, ascending, without taking part in them.
    pub fn occupied(&self) -> impl Iterator<Item = (u32, &Arc<Description>, &Sample)> + '_ {
        (0..).zip(&self.slots).filter_map(|(number, slot)| Some((number, slot.description.as_ref()?, &slot.sample)))
    }

    /// Sum over the processes of CPU in hundredths of a percent of one core, kept up to date by `apply`.
    pub fn cpu_sum(&self) -> u64 {
        u64::try_from(self.cpu_sum).unwrap_or(u64::MAX)
    }

    /// Sum over the processes of resident memory in bytes, kept up to date by `apply`.
    pub fn memory_sum(&self) -> u64 {
        u64::try_from(self.memory_sum).unwrap_or(u64::MAX)
    }
}

fn push_changes(changes: &mut [MetricChanges; Metric::COUNT], slot: u32, before: &Sample, after: &Sample) {
    for ((changes, before), after) in changes.iter_mut().zip(before.raw()).zip(after.raw()) {
        if before != after {
            changes.slots.push(slot);
            changes.values.push(*after);
        }
    }
}

/// How long a description's strings are together.
fn strings_bytes(description: &Description) -> usize {
    let Description { name, command_line, user, executable, cgroup, .. } = description;
    let optional = [command_line, user, executable, cgroup].into_iter().flatten().map(|string| string.len());
    name.len() + optional.sum::<usize>()
}
