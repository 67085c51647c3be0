//! A batch on its way: checked against the live states, made durable in one row of the journal, then made visible.
//!
//! A batch takes each host's state away and changes it in place, which copies nothing. A reader that comes meanwhile builds
//! the durable state from the open run, and so does whoever comes after a failed commit: there is nothing to undo.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use procession_codec::{ApplyError, Frame, FrameKind, HostState, frame};
use procession_model::{HostFacts, HostSample, Snapshot, SnapshotId, Timestamp};

use super::Engine;
use super::journal::{Record, RowBuilder};
use super::open_host::{FrameTotals, HostCell, OpenFrame};
use super::open_names::begun_names;
use super::segments::Segments;
use crate::{Append, Appended, Applied, FrameOrigin, HostNumber, Published, StoreError, StreamPosition};

/// Most items of one batch: bounds the memory of a commit. The ingest takes what has gathered, which is far less.
pub const BATCH_ITEMS_MAX: usize = 65_536;

/// A batch as far as it was looked at.
struct Batch<'engine, S: Segments> {
    engine: &'engine Engine<S>,
    hosts: HashMap<HostNumber, HostWork>,
    row: RowBuilder,
    frames: u32,
    published: Vec<Arc<Published>>,
}

/// What a batch makes of a host.
struct HostWork {
    cell: Arc<HostCell>,
    /// Copied by the first change only if a reader still holds it.
    state: Arc<HostState>,
    newest_sequence: u32,
    last_sequence: u32,
    stream: Option<StreamPosition>,
    frames: Vec<OpenFrame>,
    late: Vec<OpenFrame>,
}

/// A frame that is good to be kept.
struct Accepted {
    frame: Frame,
    bytes: Bytes,
    late: bool,
    origin: Option<FrameOrigin>,
    after: After,
}

/// What is told of the state after a frame.
struct After {
    totals: FrameTotals,
    host: HostSample,
    facts: Arc<HostFacts>,
}

impl After {
    fn of(state: &HostState) -> Self {
        Self { totals: FrameTotals::of(state), host: *state.host(), facts: Arc::clone(state.facts()) }
    }
}

impl<S: Segments> Engine<S> {
    /// See [`crate::History::append`].
    pub(super) fn append(&self, batch: Vec<Append>) -> Result<Applied, StoreError> {
        if batch.len() > BATCH_ITEMS_MAX {
            return Err(StoreError::Limit(format!("a batch has at most {BATCH_ITEMS_MAX} items")));
        }
        let mut work =
            Batch { engine: self, hosts: HashMap::new(), row: RowBuilder::new(), frames: 0, published: Vec::new() };
        let outcomes = batch.into_iter().map(|item| work.add(item)).collect::<Result<_, _>>()?;
        work.commit()?;
        Ok(Applied { outcomes })
    }
}

impl<S: Segments> Batch<'_, S> {
    fn add(&mut self, item: Append) -> Result<Appended, StoreError> {
        let (Append::Snapshot { host, .. } | Append::Frame { host, .. }) = &item;
        let host = *host;
        let Ok(id) = self.next_id(host)? else {
            return Ok(Appended::Refused("the host's snapshots have used up their numbers".to_owned()));
        };
        let accepted = match item {
            Append::Snapshot { snapshot, .. } => self.snapshot(host, &snapshot)?,
            Append::Frame { origin, frame, .. } => self.frame(host, origin, &frame)?,
        };
        match accepted {
            Ok(accepted) => {
                self.keep(host, id, accepted);
                Ok(Appended::Stored(id))
            }
            Err(outcome) => Ok(outcome),
        }
    }

    /// The number that the next snapshot of a host gets, or that there is none.
    fn next_id(&mut self, host: HostNumber) -> Result<Result<SnapshotId, ()>, StoreError> {
        if host >= SnapshotId::HOSTS_MAX {
            return Ok(Err(()));
        }
        let last = self.host(host)?.last_sequence;
        Ok(last.checked_add(1).and_then(|sequence| SnapshotId::new(host, sequence).ok()).ok_or(()))
    }

    fn host(&mut self, host: HostNumber) -> Result<&mut HostWork, StoreError> {
        match self.hosts.entry(host) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(place) => {
                let cell = self.engine.hosts.get_or_add(host);
                let mut open = cell.lock();
                let state = self.engine.awake_state(&mut open)?;
                open.state = None;
                let (newest_sequence, last_sequence) = (open.newest_sequence(), open.mark.last_sequence);
                let stream = open.mark.stream;
                drop(open);
                let (frames, late) = (Vec::new(), Vec::new());
                Ok(place.insert(HostWork { cell, state, newest_sequence, last_sequence, stream, frames, late }))
            }
        }
    }

    fn snapshot(&mut self, host: HostNumber, snapshot: &Snapshot) -> Result<Result<Accepted, Appended>, StoreError> {
        if let Some(first) = self.sequence_at(host, snapshot.time)? {
            return Ok(Err(Appended::Duplicate(SnapshotId::new(host, first).ok())));
        }
        let work = self.host(host)?;
        let late = work.is_late(snapshot.time);
        let made = if late {
            work.late_frame(snapshot)
        } else {
            let state = Arc::make_mut(&mut work.state);
            state.advance(snapshot).map(|frame| (frame, After::of(state)))
        };
        Ok(made.map_err(refused).map(|(frame, after)| Accepted {
            bytes: encoded(&frame),
            frame,
            late,
            origin: None,
            after,
        }))
    }

    fn frame(
        &mut self,
        host: HostNumber,
        origin: FrameOrigin,
        bytes: &Bytes,
    ) -> Result<Result<Accepted, Appended>, StoreError> {
        let work = self.host(host)?;
        let position = work.stream.filter(|position| position.origin.stream == origin.stream);
        if position.is_some_and(|position| origin.sequence <= position.origin.sequence) {
            return Ok(Err(Appended::Duplicate(None)));
        }
        let frame = match frame::decode(bytes) {
            Ok(frame) => frame,
            Err(error) => return Ok(Err(Appended::Refused(error.to_string()))),
        };
        let goes_on = position.is_some_and(|position| {
            position.resumable && position.origin.sequence.checked_add(1) == Some(origin.sequence)
        });
        if frame.kind == FrameKind::Delta && !goes_on {
            return Ok(Err(Appended::KeyframeNeeded));
        }
        if let Some(first) = self.sequence_at(host, frame.time)? {
            return Ok(Err(Appended::Duplicate(SnapshotId::new(host, first).ok())));
        }
        let work = self.host(host)?;
        Ok(if work.is_late(frame.time) {
            work.accept_late(frame, bytes, origin)
        } else {
            work.accept(frame, bytes, origin)
        })
    }

    /// The snapshot of a host that has exactly this time already.
    fn sequence_at(&mut self, host: HostNumber, time: Timestamp) -> Result<Option<u32>, StoreError> {
        let engine = self.engine;
        let work = self.host(host)?;
        if work.state.is_empty() && work.last_sequence == 0 {
            return Ok(None);
        }
        if !work.state.is_empty() {
            if time > work.state.time() {
                return Ok(None);
            }
            if time == work.state.time() {
                return Ok(Some(work.newest_sequence));
            }
        }
        let pending = work.frames.iter().chain(&work.late).find(|frame| frame.time == time);
        if let Some(found) = pending.map(|frame| frame.sequence).or_else(|| work.cell.lock().sequence_at(time)) {
            return Ok(Some(found));
        }
        engine.sealed_sequence_at(host, time)
    }

    fn keep(&mut self, host: HostNumber, id: SnapshotId, accepted: Accepted) {
        let Some(work) = self.hosts.get_mut(&host) else {
            return;
        };
        let time = accepted.frame.time;
        let previous = if accepted.late { 0 } else { work.newest_sequence };
        self.row.push(&Record {
            host,
            sequence: id.sequence(),
            previous,
            time,
            late: accepted.late,
            origin: accepted.origin,
            frame: accepted.bytes.clone(),
        });
        self.frames += 1;
        work.last_sequence = id.sequence();
        let open = OpenFrame {
            sequence: id.sequence(),
            previous,
            time,
            row: 0,
            bytes: accepted.bytes,
            totals: accepted.after.totals,
            begun: begun_names(&accepted.frame),
        };
        work.stream = position_after(work.stream, accepted.origin, accepted.late);
        if accepted.late {
            work.late.push(open);
        } else {
            work.newest_sequence = id.sequence();
            work.frames.push(open);
        }
        self.published.push(Arc::new(Published {
            host,
            id,
            frame: Arc::new(accepted.frame),
            late: accepted.late,
            point: accepted.after.totals.point(id, time, accepted.after.host),
            facts: accepted.after.facts,
        }));
    }

    /// Durable first, visible then.
    fn commit(self) -> Result<(), StoreError> {
        let row = if self.row.is_empty() {
            0
        } else {
            let row = self.engine.segments.append_journal(self.row.bytes())?;
            self.engine.rows().add(row, self.frames, self.row.bytes().len() as u64);
            row
        };
        for work in self.hosts.into_values() {
            self.engine.show(work, row);
        }
        for published in self.published {
            // Nobody may be following.
            drop(self.engine.published.send(published));
        }
        Ok(())
    }
}

impl<S: Segments> Engine<S> {
    fn show(&self, work: HostWork, row: u64) {
        let in_row = |mut frame: OpenFrame| {
            frame.row = row;
            self.open_bytes.add(frame.memory_bytes());
            frame
        };
        let mut host = work.cell.lock();
        host.mark.last_sequence = work.last_sequence;
        host.mark.stream = work.stream;
        host.from_base &= work.frames.is_empty();
        host.make_room(work.frames.len());
        host.frames.extend(work.frames.into_iter().map(in_row));
        host.late.extend(work.late.into_iter().map(in_row));
        host.state = Some(work.state);
        if host.frames.len().max(host.late.len()) >= self.policy.frames_max.saturating_mul(2) {
            self.has_long_run.store(true, Ordering::Relaxed);
        }
    }
}

impl HostWork {
    fn is_late(&self, time: Timestamp) -> bool {
        !self.state.is_empty() && time < self.state.time()
    }

    /// A snapshot that does not go on from anything.
    fn late_frame(&self, snapshot: &Snapshot) -> Result<(Frame, After), ApplyError> {
        let mut alone = HostState::new();
        let frame = alone.advance(snapshot)?;
        Ok((frame, After::of(&alone)))
    }

    fn accept(&mut self, frame: Frame, bytes: &Bytes, origin: FrameOrigin) -> Result<Accepted, Appended> {
        let state = Arc::make_mut(&mut self.state);
        state.apply(&frame).map_err(|error| not_applied(frame.kind, error))?;
        let after = After::of(state);
        // Copied: what came may share a far bigger buffer.
        let bytes = Bytes::copy_from_slice(bytes);
        Ok(Accepted { frame, bytes, late: false, origin: Some(origin), after })
    }

    fn accept_late(&mut self, frame: Frame, bytes: &Bytes, origin: FrameOrigin) -> Result<Accepted, Appended> {
        let kind = frame.kind;
        let mut at = if kind == FrameKind::Key { HostState::new() } else { HostState::clone(&self.state) };
        at.apply(&frame).map_err(|error| not_applied(kind, error))?;
        let (frame, bytes, after) = if kind == FrameKind::Key {
            (frame, Bytes::copy_from_slice(bytes), After::of(&at))
        } else {
            let (frame, after) = self.late_frame(&at.snapshot()).map_err(refused)?;
            let bytes = encoded(&frame);
            (frame, bytes, after)
        };
        Ok(Accepted { frame, bytes, late: true, origin: Some(origin), after })
    }
}

/// Where a host's agent has got to after a frame. What did not become the live state cannot be gone on from.
pub(super) fn position_after(
    before: Option<StreamPosition>,
    origin: Option<FrameOrigin>,
    late: bool,
) -> Option<StreamPosition> {
    match origin {
        Some(origin) => Some(StreamPosition { origin, resumable: !late }),
        // A late upload changes nothing of the live state.
        None => before.map(|position| StreamPosition { resumable: position.resumable && late, ..position }),
    }
}

fn encoded(frame: &Frame) -> Bytes {
    let mut bytes = Vec::new();
    frame::encode(frame, &mut bytes);
    Bytes::from(bytes)
}

fn refused(error: ApplyError) -> Appended {
    Appended::Refused(error.to_string())
}

fn not_applied(kind: FrameKind, error: ApplyError) -> Appended {
    match kind {
        FrameKind::Delta => Appended::KeyframeNeeded,
        FrameKind::Key => refused(error),
    }
}
