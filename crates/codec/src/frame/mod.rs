//! A frame: a snapshot written against the one before it.
//!
//! The cost of a frame follows what changed. Processes have slots: a process takes a free slot when it begins, gives it
//! back when it ends, and frames in between name it by its slot alone. All values are absolute, so a frame decodes
//! without the state it applies to.

use std::sync::Arc;

use procession_model::{Brief, Description, End, FieldError, HostFacts, HostSample, Loss, Metric, Timestamp};

mod bits;
mod decode;
mod encode;
mod lives;
mod packed;

pub use crate::limits::SLOTS_MAX;
pub use decode::decode;
pub use encode::{encode, encode_version_1};

/// The version of the format that [`encode()`] writes.
pub const VERSION: u8 = 2;
/// The first one, which is read as ever, and written for who reads no other.
pub const FIRST_VERSION: u8 = 1;

const FLAG_KEY: u8 = 1;
const FLAG_COMPRESSED: u8 = 1 << 1;
const FLAG_FACTS: u8 = 1 << 2;
const FLAG_FIELD_ERRORS: u8 = 1 << 3;
const FLAGS_OF_FIRST_VERSION: u8 = FLAG_KEY | FLAG_COMPRESSED | FLAG_FACTS | FLAG_FIELD_ERRORS;
/// There is a list of losses.
const FLAG_LOSSES: u8 = 1 << 4;
/// Changes of some metrics are written as bytes.
const FLAG_PLAIN_CHANGES: u8 = 1 << 5;
/// There are brief processes.
const FLAG_BRIEF: u8 = 1 << 6;
const FLAGS: u8 = FLAGS_OF_FIRST_VERSION | FLAG_LOSSES | FLAG_PLAIN_CHANGES | FLAG_BRIEF;

/// In the first mask of a kind: its lives say how many processes they stand for.
const KIND_IS_COUNTED: u8 = 1 << 6;

/// States below this number are written as numbers, the others by name.
const FIRST_NAMED_STATE: u64 = procession_model::ProcessState::FIRST_OTHER as u64;

/// Whether a frame stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Everything: forgets all slots before it is applied. What it holds in `began` is what lives; `ended` is empty.
    Key,
    /// Changes since the frame before.
    Delta,
}

/// A snapshot written against the one before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Whether it stands alone.
    pub kind: FrameKind,
    /// When the snapshot was taken.
    pub time: Timestamp,
    /// What rarely changes of the host: in keyframes, and where it changed.
    pub facts: Option<Arc<HostFacts>>,
    /// The host's own counters, all of them.
    pub host: HostSample,
    /// Processes of the frame before that are gone, slots ascending. They are free before `began` is applied.
    pub ended: Vec<(u32, End)>,
    /// Processes that are new, or go on under a changed description (same identity, same slot not in `ended`). Slots
    /// ascend. A new process starts with every metric absent; `changes` has its first values.
    pub began: Vec<Began>,
    /// For each metric the slots whose value is another than in the frame before.
    pub changes: [MetricChanges; Metric::COUNT],
    /// Processes that began and ended since the frame before.
    pub brief: Vec<Brief>,
    /// What was lost before this frame.
    pub losses: Vec<Loss>,
    /// What could not be read: in keyframes, and where it changed.
    pub field_errors: Option<Vec<FieldError>>,
}

impl Frame {
    /// A frame in which nothing happened.
    pub fn new(kind: FrameKind, time: Timestamp) -> Self {
        Self {
            kind,
            time,
            facts: None,
            host: HostSample::ABSENT,
            ended: Vec::new(),
            began: Vec::new(),
            changes: Default::default(),
            brief: Vec::new(),
            losses: Vec::new(),
            field_errors: None,
        }
    }
}

/// A process that takes a slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Began {
    /// The slot, below [`SLOTS_MAX`].
    pub slot: u32,
    /// What stays fixed of the process.
    pub description: Arc<Description>,
}

/// The slots at which one metric changed, and to what. Both have the same length; slots ascend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricChanges {
    /// Slots, ascending.
    pub slots: Vec<u32>,
    /// New values, [`Metric::ABSENT`] for "not known any more".
    pub values: Vec<u64>,
}
