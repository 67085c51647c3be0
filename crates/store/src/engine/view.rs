//! One moment of a host's history for a query: what was open then, and the blocks that were sealed then.
//!
//! Sealing moves frames from the open part to blocks while queries run. A view takes the open part first, with the marks
//! of how far the host is sealed, and then reads only blocks up to those marks: every frame is seen exactly once.

use std::cmp::Reverse;
use std::sync::Arc;

use procession_codec::HostState;
use procession_model::{SnapshotId, Timestamp};

use super::Engine;
use super::cursor::{Cursor, Step};
use super::level::Level;
use super::open_host::{Base, OpenFrame};
use super::sealed::{self, Body, Run, RunFrame};
use super::segments::{BlockEntry, BlockFilter, HostMark, Segments};
use crate::{HostNumber, Range, StoreError};

/// One moment of a host's history.
pub(super) struct HostView<'engine, S: Segments> {
    engine: &'engine Engine<S>,
    pub(super) mark: HostMark,
    base: Base,
    /// The state after the newest frame.
    pub(super) state: Arc<HostState>,
    /// The newest frame by time.
    pub(super) newest: Option<SnapshotId>,
    /// Open frames, oldest first.
    pub(super) frames: Vec<OpenFrame>,
    /// Open late frames, oldest first.
    pub(super) late: Vec<OpenFrame>,
}

/// A snapshot as [`HostView::each`] shows it.
pub(super) struct Seen<'a> {
    pub(super) id: SnapshotId,
    pub(super) time: Timestamp,
    pub(super) state: &'a HostState,
}

impl<S: Segments> Engine<S> {
    /// A view of a host; `None` if it has no history.
    pub(super) fn view(&self, host: HostNumber) -> Result<Option<HostView<'_, S>>, StoreError> {
        let Some(cell) = self.hosts.get(host) else {
            return Ok(None);
        };
        let mut open = cell.lock();
        let state = self.awake_state(&mut open)?;
        let newest = SnapshotId::new(host, open.newest_sequence()).ok();
        let mut view = HostView {
            engine: self,
            mark: open.mark,
            base: open.base.clone(),
            state,
            newest,
            frames: open.frames.clone(),
            late: open.late.clone(),
        };
        drop(open);
        view.late.sort_by_key(|frame| frame.time);
        Ok((view.newest.is_some() || !view.late.is_empty()).then_some(view))
    }
}

impl<S: Segments> HostView<'_, S> {
    /// Blocks that touch a range, by first time.
    pub(super) fn blocks(&self, range: Range) -> Result<Vec<BlockEntry>, StoreError> {
        let filter = BlockFilter { host: Some(self.mark.host), level: Level::Raw, range };
        let blocks = self.engine.segments.blocks(filter)?;
        Ok(blocks.into_iter().filter(|entry| self.has(entry)).collect())
    }

    /// Blocks that may have this sequence.
    pub(super) fn blocks_around(&self, sequence: u32) -> Result<Vec<BlockEntry>, StoreError> {
        let blocks = self.engine.segments.blocks_around(self.mark.host, sequence)?;
        Ok(blocks.into_iter().filter(|entry| self.has(entry)).collect())
    }

    /// Whether a block was sealed when this view was taken.
    fn has(&self, entry: &BlockEntry) -> bool {
        entry.last_sequence <= if entry.late { self.mark.sealed_late } else { self.mark.sealed }
    }

    /// The open frames as a run.
    pub(super) fn open_run(&self) -> Result<Run, StoreError> {
        let base = match &self.base {
            Base::Keyframe(packed) => Some(sealed::base_state(Some(packed))?.keyframe()),
            Base::Nothing | Base::Asleep => None,
        };
        Ok(Run { base, frames: self.frames.iter().map(run_frame).collect() })
    }

    /// The open late frames as a run.
    pub(super) fn late_run(&self) -> Run {
        Run { base: None, frames: self.late.iter().map(run_frame).collect() }
    }

    /// The run of a block; `None` once retention took it.
    pub(super) fn run_of(&self, entry: &BlockEntry) -> Result<Option<Run>, StoreError> {
        match self.engine.run_of(entry) {
            Ok(run) => Ok(Some(run)),
            Err(error) if self.engine.segments.block_bytes(entry.id)?.is_some() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// The snapshot of a number.
    pub(super) fn id(&self, sequence: u32) -> Result<SnapshotId, StoreError> {
        SnapshotId::new(self.mark.host, sequence).map_err(|error| StoreError::Damaged(error.to_string()))
    }

    /// Shows every snapshot in a range by time and number, oldest first.
    pub(super) fn each(
        &self,
        range: Range,
        mut see: impl FnMut(&Seen<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut waiting = self.pieces(range)?;
        waiting.sort_by_key(|piece| Reverse(piece.first_time));
        let mut active: Vec<Cursor> = Vec::new();
        loop {
            let next = active.iter().filter_map(Cursor::next_time).min();
            if let Some(piece) = waiting.pop_if(|piece| next.is_none_or(|next| piece.first_time <= next)) {
                if let Some(run) = piece.run(self)? {
                    active.push(Cursor::start(run)?);
                }
                continue;
            }
            active.retain(|cursor| cursor.next_time().is_some());
            let Some(cursor) = active.iter_mut().min_by_key(|cursor| cursor.next_time()) else {
                return Ok(());
            };
            if range.end.is_some_and(|end| cursor.next_time() >= Some(end)) {
                return Ok(());
            }
            if let Some(Step { sequence, time, .. }) = cursor.advance()?
                && range.contains(time)
            {
                see(&Seen { id: self.id(sequence)?, time, state: cursor.state() })?;
            }
        }
    }

    fn pieces(&self, range: Range) -> Result<Vec<Piece>, StoreError> {
        let touches = |frames: &[OpenFrame]| match (frames.first(), frames.last()) {
            (Some(first), Some(last)) if range.touches(first.time, last.time) => Some(first.time),
            _ => None,
        };
        let open = touches(&self.frames).map(|first_time| Piece { first_time, what: What::Open });
        let late = touches(&self.late).map(|first_time| Piece { first_time, what: What::Late });
        let blocks = self.blocks(range)?.into_iter();
        let blocks = blocks.map(|entry| Piece { first_time: entry.first_time, what: What::Block(entry) });
        Ok(blocks.chain(open).chain(late).collect())
    }
}

/// A run that is read when its time comes.
struct Piece {
    first_time: Timestamp,
    what: What,
}

enum What {
    Block(BlockEntry),
    Open,
    Late,
}

impl Piece {
    fn run<S: Segments>(&self, view: &HostView<'_, S>) -> Result<Option<Run>, StoreError> {
        match &self.what {
            What::Block(entry) => view.run_of(entry),
            What::Open => view.open_run().map(Some),
            What::Late => Ok(Some(view.late_run())),
        }
    }
}

impl<S: Segments> Engine<S> {
    /// What a block holds.
    pub(super) fn run_of(&self, entry: &BlockEntry) -> Result<Run, StoreError> {
        let gone = || StoreError::Damaged(format!("block {} has no bytes", entry.id));
        let bytes = self.segments.block_bytes(entry.id)?.ok_or_else(gone)?;
        sealed::decode(bytes)
    }

    /// The sealed snapshot of a host that has exactly this time.
    pub(super) fn sealed_sequence_at(&self, host: HostNumber, time: Timestamp) -> Result<Option<u32>, StoreError> {
        let range = Range { start: Some(time), end: Some(time.plus_ms(1)) };
        for entry in self.segments.blocks(BlockFilter { host: Some(host), level: Level::Raw, range })? {
            let run = self.run_of(&entry)?;
            if let Some(found) = run.frames.iter().find(|frame| frame.time == time) {
                return Ok(Some(found.sequence));
            }
        }
        Ok(None)
    }
}

/// An open frame as a frame of a run.
pub(super) fn run_frame(open: &OpenFrame) -> RunFrame {
    RunFrame { sequence: open.sequence, time: open.time, body: Body::Bytes(open.bytes.clone()) }
}
