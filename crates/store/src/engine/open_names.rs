//! Names in frames that are not sealed, without decoding them again.
//!
//! Each open frame keeps the hashes of the names that began in it: few, as most frames begin nothing. A thousand hosts are
//! then asked in moments.

use std::collections::HashSet;
use std::sync::Arc;

use procession_codec::{Frame, FrameKind};
use procession_model::Timestamp;

use super::Engine;
use super::open_host::OpenFrame;
use super::open_run::{base_state, decode};
use super::segments::Segments;
use super::view::{HostView, Part};
use crate::{HostNumber, Range, StoreError};

/// Hashes of names, sorted; `None` for none.
pub(super) type BegunNames = Option<Arc<[u64]>>;

/// What can be told in moments of a name in the newest part of a host's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenName {
    /// How many processes of it the newest snapshot has.
    pub(crate) running: u32,
    /// The first and the last open frame that came in its time.
    pub(crate) in_time: Option<(Timestamp, Timestamp)>,
    /// The first of them in which one began, or was there for a moment.
    pub(crate) begun: Option<Timestamp>,
    /// The first and the last of all open frames, with those that came late.
    pub(crate) all: Option<(Timestamp, Timestamp)>,
    /// The first and the last late frame that has it.
    pub(crate) late: Option<(Timestamp, Timestamp)>,
}

impl OpenName {
    /// Whether open frames may tell of it, unless it lived before them and ended.
    pub(crate) const fn may_have(&self) -> bool {
        self.running > 0 || self.begun.is_some() || self.late.is_some()
    }
}

/// The names that begin in a frame.
pub(super) fn begun_names(frame: &Frame) -> BegunNames {
    let began = frame.began.iter().map(|began| &began.description.name);
    let brief = frame.brief.iter().filter(|brief| brief.count > 0).map(|brief| &brief.description.name);
    let mut hashes: Vec<u64> = began.chain(brief).map(|name| hash(name)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    (!hashes.is_empty()).then(|| hashes.into())
}

/// FNV-1a. That two names of a host have the same does not happen by chance, and hosts are not compared by it.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl OpenFrame {
    fn begins(&self, hash: u64) -> bool {
        self.begun.as_ref().is_some_and(|names| names.binary_search(&hash).is_ok())
    }
}

impl<S: Segments> Engine<S> {
    /// What can be told in moments of a name in the newest part of a host's history.
    pub(crate) fn open_name(&self, host: HostNumber, name: &str) -> Result<OpenName, StoreError> {
        let Some(cell) = self.hosts.get(host) else { return Ok(OpenName::default()) };
        let mut open = cell.lock();
        let state = self.awake_state(&mut open)?;
        let hash = hash(name);
        let times = |frame: &OpenFrame| (frame.time, frame.time);
        let mut told = OpenName {
            in_time: open.frames.first().zip(open.frames.last()).map(|(first, last)| (first.time, last.time)),
            begun: open.frames.iter().find(|frame| frame.begins(hash)).map(|frame| frame.time),
            late: open.late.iter().filter(|frame| frame.begins(hash)).map(times).reduce(with),
            ..OpenName::default()
        };
        told.all = open.late.iter().map(times).chain(told.in_time).reduce(with);
        drop(open);
        let running = state.occupied().filter(|(_, description, _)| *description.name == *name).count();
        told.running = u32::try_from(running).unwrap_or(u32::MAX);
        Ok(told)
    }
}

impl<S: Segments> HostView<'_, S> {
    /// The first and the last open frame in a range that tell of a name: all of them are decoded.
    pub(crate) fn open_times(&self, name: &str, range: Range) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        let base = if self.frames.is_empty() { None } else { Some(base_state(&self.base)?) };
        let named = base.iter().flat_map(|base| base.occupied()).filter(|(_, known, _)| *known.name == *name);
        let mut slots: HashSet<u32> = named.map(|(slot, ..)| slot).collect();
        let mut found = None;
        for open in self.frames.iter().chain(&self.late) {
            let frame = decode(&open.bytes)?;
            if frame.kind == FrameKind::Key {
                slots.clear();
            }
            for (slot, _) in &frame.ended {
                slots.remove(slot);
            }
            for began in &frame.began {
                if *began.description.name == *name {
                    slots.insert(began.slot);
                } else {
                    slots.remove(&began.slot);
                }
            }
            let was_brief = frame.brief.iter().any(|brief| brief.count > 0 && *brief.description.name == *name);
            if (was_brief || !slots.is_empty()) && range.contains(open.time) {
                found = found.into_iter().chain([(open.time, open.time)]).reduce(with);
            }
        }
        Ok(found)
    }

    /// Whether a process of a name begins in an open frame, or is there for a moment.
    pub(crate) fn begins_open(&self, name: &str) -> bool {
        let hash = hash(name);
        self.frames.iter().chain(&self.late).any(|frame| frame.begins(hash))
    }

    /// How many processes of a name the newest snapshot has.
    pub(crate) fn running(&self, name: &str) -> u32 {
        let named = self.state.occupied().filter(|(_, description, _)| *description.name == *name);
        u32::try_from(named.count()).unwrap_or(u32::MAX)
    }
}

impl<S: Segments> Part<'_, S> {
    /// Whether a process of this name may have begun in these open frames; false for blocks. What lived before them is not
    /// looked at.
    pub(crate) fn may_begin_open(&self, name: &str) -> bool {
        let hash = hash(name);
        self.open_frames().is_some_and(|frames| frames.iter().any(|frame| frame.begins(hash)))
    }
}

fn with(one: (Timestamp, Timestamp), other: (Timestamp, Timestamp)) -> (Timestamp, Timestamp) {
    (one.0.min(other.0), one.1.max(other.1))
}
