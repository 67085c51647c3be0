//! Single snapshots and lists of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use procession_codec::{Frame, HostState};
use procession_model::{HostFacts, SnapshotId, Timestamp};

use super::Engine;
use super::cursor::Cursor;
use super::sealed::Run;
use super::segments::Segments;
use super::view::HostView;
use crate::{HostNumber, KeptSnapshot, Nearest, Range, SnapshotEntry, StoreError, StreamPosition};

/// Most entries of one list: bounds its memory.
pub const LIST_MAX: usize = 100_000;

impl<S: Segments> Engine<S> {
    pub(super) fn latest(&self, host: HostNumber) -> Result<Option<KeptSnapshot>, StoreError> {
        let newest = self.newest(host)?;
        Ok(newest.map(|(id, state)| KeptSnapshot { id, snapshot: Arc::new(state.snapshot()) }))
    }

    pub(super) fn live_frame(&self, host: HostNumber) -> Result<Option<(SnapshotId, Arc<Frame>)>, StoreError> {
        Ok(self.newest(host)?.map(|(id, state)| (id, Arc::new(state.keyframe()))))
    }

    pub(super) fn facts(&self, host: HostNumber) -> Result<Option<Arc<HostFacts>>, StoreError> {
        Ok(self.newest(host)?.map(|(_, state)| Arc::clone(state.facts())))
    }

    pub(super) fn stream_position(&self, host: HostNumber) -> Result<Option<StreamPosition>, StoreError> {
        let Some(cell) = self.hosts.get(host) else {
            return Ok(None);
        };
        let mut open = cell.lock();
        // Waking may find that what the stream goes on from is lost.
        self.awake_state(&mut open)?;
        Ok(open.mark.stream)
    }

    /// The state after a snapshot.
    pub(super) fn state_of(&self, id: SnapshotId) -> Result<Option<HostState>, StoreError> {
        match self.view(id.host())? {
            Some(view) => view.state_after(id.sequence()),
            None => Ok(None),
        }
    }

    fn newest(&self, host: HostNumber) -> Result<Option<(SnapshotId, Arc<HostState>)>, StoreError> {
        let Some(cell) = self.hosts.get(host) else {
            return Ok(None);
        };
        let mut open = cell.lock();
        let state = self.awake_state(&mut open)?;
        let id = SnapshotId::new(host, open.newest_sequence()).ok();
        Ok(id.filter(|_| !state.is_empty()).map(|id| (id, state)))
    }

    pub(super) fn snapshot(&self, id: SnapshotId) -> Result<Option<KeptSnapshot>, StoreError> {
        match self.view(id.host())? {
            Some(view) => view.snapshot(id.sequence()),
            None => Ok(None),
        }
    }

    pub(super) fn snapshot_at(
        &self,
        host: HostNumber,
        time: Timestamp,
        nearest: Nearest,
    ) -> Result<Option<KeptSnapshot>, StoreError> {
        let Some(view) = self.view(host)? else {
            return Ok(None);
        };
        match view.nearest(time, nearest)? {
            Some(entry) => view.snapshot(entry.id.sequence()),
            None => Ok(None),
        }
    }

    pub(super) fn list(
        &self,
        host: Option<HostNumber>,
        range: Range,
        before: Option<SnapshotId>,
        limit: usize,
    ) -> Result<Vec<SnapshotEntry>, StoreError> {
        let limit = limit.min(LIST_MAX);
        let before = match before {
            Some(id) => match self.time_of(id)? {
                Some(time) => Some((time, id)),
                None => return Ok(Vec::new()),
            },
            None => None,
        };
        let hosts: Vec<HostNumber> = match host {
            Some(host) => vec![host],
            None => self.hosts.all().into_iter().map(|(host, _)| host).collect(),
        };
        let mut newest = Newest { kept: BTreeSet::new(), limit, before };
        for host in hosts {
            if let Some(view) = self.view(host)? {
                view.add_to(&mut newest, range)?;
            }
        }
        Ok(newest.kept.into_iter().map(|(time, id)| SnapshotEntry { id, time }).collect())
    }

    fn time_of(&self, id: SnapshotId) -> Result<Option<Timestamp>, StoreError> {
        let Some(view) = self.view(id.host())? else {
            return Ok(None);
        };
        view.time_of(id.sequence())
    }
}

/// The newest entries of what is offered.
struct Newest {
    kept: BTreeSet<(Timestamp, SnapshotId)>,
    limit: usize,
    before: Option<(Timestamp, SnapshotId)>,
}

impl Newest {
    fn offer(&mut self, time: Timestamp, id: SnapshotId) {
        if self.before.is_some_and(|before| (time, id) >= before) {
            return;
        }
        self.kept.insert((time, id));
        if self.kept.len() > self.limit {
            self.kept.pop_first();
        }
    }

    /// Whether something that old could still be among them.
    fn wants(&self, time: Timestamp) -> bool {
        self.kept.len() < self.limit || self.kept.first().is_some_and(|(oldest, _)| time >= *oldest)
    }
}

impl<S: Segments> HostView<'_, S> {
    fn snapshot(&self, sequence: u32) -> Result<Option<KeptSnapshot>, StoreError> {
        let id = self.id(sequence)?;
        let kept = |state: &HostState| KeptSnapshot { id, snapshot: Arc::new(state.snapshot()) };
        if self.newest == Some(id) {
            return Ok(Some(kept(&self.state)));
        }
        Ok(self.state_after(sequence)?.as_ref().map(kept))
    }

    fn state_after(&self, sequence: u32) -> Result<Option<HostState>, StoreError> {
        if self.frames.iter().any(|frame| frame.sequence == sequence) {
            return state_in(self.open_run()?, sequence);
        }
        if self.late.iter().any(|frame| frame.sequence == sequence) {
            return state_in(self.late_run(), sequence);
        }
        for entry in self.blocks_around(sequence)? {
            if let Some(run) = self.run_of(&entry)?
                && let Some(state) = state_in(run, sequence)?
            {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    fn time_of(&self, sequence: u32) -> Result<Option<Timestamp>, StoreError> {
        if let Some(open) = self.frames.iter().chain(&self.late).find(|frame| frame.sequence == sequence) {
            return Ok(Some(open.time));
        }
        for entry in self.blocks_around(sequence)? {
            let run = self.run_of(&entry)?.unwrap_or_default();
            if let Some(frame) = run.frames.iter().find(|frame| frame.sequence == sequence) {
                return Ok(Some(frame.time));
            }
        }
        Ok(None)
    }

    fn nearest(&self, time: Timestamp, nearest: Nearest) -> Result<Option<SnapshotEntry>, StoreError> {
        let mut best = Best { time, nearest, found: None };
        for open in self.frames.iter().chain(&self.late) {
            best.offer(self.id(open.sequence)?, open.time);
        }
        let range = match nearest {
            Nearest::AtOrBefore => Range { start: None, end: Some(time.plus_ms(1)) },
            Nearest::AtOrAfter => Range { start: Some(time), end: None },
        };
        let mut blocks = self.blocks(range)?;
        match nearest {
            Nearest::AtOrBefore => blocks.sort_by_key(|entry| std::cmp::Reverse(entry.last_time)),
            Nearest::AtOrAfter => blocks.sort_by_key(|entry| entry.first_time),
        }
        for entry in blocks {
            if best.wants(entry.first_time, entry.last_time) {
                for frame in self.run_of(&entry)?.unwrap_or_default().frames {
                    best.offer(self.id(frame.sequence)?, frame.time);
                }
            }
        }
        Ok(best.found)
    }

    fn add_to(&self, newest: &mut Newest, range: Range) -> Result<(), StoreError> {
        for open in self.frames.iter().chain(&self.late).filter(|open| range.contains(open.time)) {
            newest.offer(open.time, self.id(open.sequence)?);
        }
        let mut blocks = self.blocks(range)?;
        blocks.sort_by_key(|entry| std::cmp::Reverse(entry.last_time));
        for entry in blocks {
            let is_before = newest.before.is_none_or(|(time, _)| entry.first_time <= time);
            if is_before && newest.wants(entry.last_time) {
                for frame in self.run_of(&entry)?.unwrap_or_default().frames {
                    if range.contains(frame.time) {
                        newest.offer(frame.time, self.id(frame.sequence)?);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The nearest of what is offered.
struct Best {
    time: Timestamp,
    nearest: Nearest,
    found: Option<SnapshotEntry>,
}

impl Best {
    fn offer(&mut self, id: SnapshotId, time: Timestamp) {
        let (fits, better) = match self.nearest {
            Nearest::AtOrBefore => (time <= self.time, self.found.is_none_or(|found| time > found.time)),
            Nearest::AtOrAfter => (time >= self.time, self.found.is_none_or(|found| time < found.time)),
        };
        if fits && better {
            self.found = Some(SnapshotEntry { id, time });
        }
    }

    /// Whether something between these times could be nearer.
    fn wants(&self, first: Timestamp, last: Timestamp) -> bool {
        match (self.nearest, self.found) {
            (Nearest::AtOrBefore, Some(found)) => last > found.time,
            (Nearest::AtOrAfter, Some(found)) => first < found.time,
            (_, None) => true,
        }
    }
}

fn state_in(run: Run, sequence: u32) -> Result<Option<HostState>, StoreError> {
    let mut cursor = Cursor::start(run)?;
    Ok(cursor.seek(sequence)?.then(|| cursor.into_state()))
}
