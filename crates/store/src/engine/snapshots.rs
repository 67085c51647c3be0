//! Single snapshots and lists of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use procession_codec::{Frame, HostState};
use procession_model::{HostFacts, Snapshot, SnapshotId, Timestamp};

use super::Engine;
use super::segments::Segments;
use super::view::HostView;
use crate::{HostNumber, KeptSnapshot, Nearest, Range, SnapshotEntry, StoreError, StreamPosition};

/// How far is looked for what is near to a moment before all of a history is.
const LOOK_BACK_MS: [i64; 3] = [3_600_000, 86_400_000, 30 * 86_400_000];

/// Most entries of one list: bounds its memory.
pub const LIST_MAX: usize = 100_000;

impl<S: Segments> Engine<S> {
    pub(super) fn latest(&self, host: HostNumber) -> Result<Option<KeptSnapshot>, StoreError> {
        let Some((id, state)) = self.newest(host)? else {
            return Ok(None);
        };
        if self.hosts.get(host).is_some_and(|cell| cell.lock().from_base)
            && let Some(sealed) = self.snapshot(id)?
        {
            return Ok(Some(sealed));
        }
        Ok(Some(KeptSnapshot { id, snapshot: Arc::new(state.snapshot()) }))
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

    pub(crate) fn newest(&self, host: HostNumber) -> Result<Option<(SnapshotId, Arc<HostState>)>, StoreError> {
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

    pub(crate) fn snapshot_at(
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
        let latest = before.map_or(Timestamp::from_ms(i64::MAX), |(time, _)| time.plus_ms(1));
        let end = range.end.map_or(latest, |end| end.min(latest));
        let mut newest = Newest { kept: BTreeSet::new(), limit, before };
        for start in self.starts_before(&hosts, end) {
            let start = range.start.max(start);
            newest.kept.clear();
            for host in &hosts {
                if let Some(view) = self.view(*host)? {
                    view.add_to(&mut newest, Range { start, end: range.end })?;
                }
            }
            if newest.kept.len() >= limit || start == range.start {
                break;
            }
        }
        Ok(newest.kept.into_iter().map(|(time, id)| SnapshotEntry { id, time }).collect())
    }

    /// From when on to look for what is near to an end, further back each time; `None` for all there is. Few entries are
    /// wanted of a history that may be long.
    fn starts_before(&self, hosts: &[HostNumber], end: Timestamp) -> Vec<Option<Timestamp>> {
        let cells = hosts.iter().filter_map(|host| self.hosts.get(*host));
        let newest = cells.filter_map(|cell| cell.lock().newest_time()).max();
        let Some(newest) = newest else {
            return vec![None];
        };
        LOOK_BACK_MS.iter().map(|back| Some(end.min(newest).plus_ms(-back))).chain([None]).collect()
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
        let kept = |snapshot: Snapshot| KeptSnapshot { id, snapshot: Arc::new(snapshot) };
        if self.newest == Some(id) && !self.from_base {
            return Ok(Some(kept(self.state.snapshot())));
        }
        if let Some(state) = self.open_state(sequence)? {
            return Ok(Some(kept(state.snapshot())));
        }
        for part in self.blocks_around(sequence)? {
            if let Some(block) = part.block_at(sequence)?
                && let Some(snapshot) = block.index_of(sequence).and_then(|index| block.snapshot(index))
            {
                return Ok(Some(kept(snapshot)));
            }
        }
        Ok(None)
    }

    fn time_of(&self, sequence: u32) -> Result<Option<Timestamp>, StoreError> {
        if let Some(open) = self.frames.iter().chain(&self.late).find(|frame| frame.sequence == sequence) {
            return Ok(Some(open.time));
        }
        for part in self.blocks_around(sequence)? {
            let timeline = part.timeline()?;
            if let Ok(index) = timeline.sequences.binary_search(&sequence) {
                return Ok(timeline.times.get(index).copied());
            }
        }
        Ok(None)
    }

    fn nearest(&self, time: Timestamp, nearest: Nearest) -> Result<Option<SnapshotEntry>, StoreError> {
        for far in LOOK_BACK_MS.into_iter().map(Some).chain([None]) {
            let range = match nearest {
                Nearest::AtOrBefore => Range { start: far.map(|far| time.plus_ms(-far)), end: Some(time.plus_ms(1)) },
                Nearest::AtOrAfter => Range { start: Some(time), end: far.map(|far| time.plus_ms(far)) },
            };
            let found = self.nearest_in(range, time, nearest)?.filter(|found| range.contains(found.time));
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn nearest_in(&self, range: Range, time: Timestamp, nearest: Nearest) -> Result<Option<SnapshotEntry>, StoreError> {
        let mut parts = self.parts(range)?;
        match nearest {
            Nearest::AtOrBefore => parts.sort_by_key(|part| std::cmp::Reverse(part.last_time)),
            Nearest::AtOrAfter => parts.sort_by_key(|part| part.first_time),
        }
        let mut best = Best { time, nearest, found: None };
        for part in parts {
            if best.wants(part.first_time, part.last_time) {
                let timeline = part.timeline()?;
                for (sequence, time) in timeline.sequences.iter().zip(&timeline.times) {
                    best.offer(self.id(*sequence)?, *time);
                }
            }
        }
        Ok(best.found)
    }

    fn add_to(&self, newest: &mut Newest, range: Range) -> Result<(), StoreError> {
        let mut parts = self.parts(range)?;
        parts.sort_by_key(|part| std::cmp::Reverse(part.last_time));
        for part in parts {
            let is_before = newest.before.is_none_or(|(time, _)| part.first_time <= time);
            if is_before && newest.wants(part.last_time) {
                let timeline = part.timeline()?;
                for (sequence, time) in timeline.sequences.iter().zip(&timeline.times) {
                    if range.contains(*time) {
                        newest.offer(*time, self.id(*sequence)?);
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
