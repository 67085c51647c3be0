//! Whole snapshots one after the other, for those who write a history out: each block is decoded once, not once for each of
//! its snapshots.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use procession_codec::block::Block;
use procession_model::{SnapshotId, Timestamp};

use super::Engine;
use super::segments::Segments;
use super::view::{HostView, Part};
use crate::{HostNumber, KeptSnapshot, Range, SnapshotEntry, StoreError};

/// Most snapshots of one answer.
pub const SCAN_MAX: usize = 1_000;
/// Most processes in the snapshots of one answer together, unless the first one alone has more: bounds its memory.
pub const SCAN_SAMPLES_MAX: usize = 1 << 16;
/// How far is looked for what comes next before all of the history is.
const LOOK_AHEAD_MS: [i64; 3] = [3_600_000, 86_400_000, 30 * 86_400_000];

/// Where a snapshot is among all of a host.
type Place = (Timestamp, SnapshotId);

impl<S: Segments> Engine<S> {
    pub(super) fn scan(
        &self,
        host: HostNumber,
        range: Range,
        after: Option<SnapshotEntry>,
        limit: usize,
    ) -> Result<Vec<KeptSnapshot>, StoreError> {
        let Some(view) = self.view(host)? else {
            return Ok(Vec::new());
        };
        let after = after.map(|after| (after.time, after.id));
        let start = range.start.max(after.map(|(time, _)| time));
        let far = LOOK_AHEAD_MS.iter().filter_map(|far| Some(start?.plus_ms(*far)));
        for until in far.map(Some).chain([None]) {
            let end = until.map_or(range.end, |until| Some(range.end.map_or(until, |end| end.min(until))));
            let found = view.scan(Range { start, end }, after, limit.clamp(1, SCAN_MAX))?;
            if !found.is_empty() || end == range.end {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }
}

impl<S: Segments> HostView<'_, S> {
    fn scan(&self, range: Range, after: Option<Place>, limit: usize) -> Result<Vec<KeptSnapshot>, StoreError> {
        loop {
            let parts = self.parts(range)?;
            let places = self.next_places(&parts, range, after, limit)?;
            let is_end = places.is_empty();
            let found = snapshots_of(&parts, places)?;
            // Retention may have taken all of these blocks meanwhile; then they are not among the parts any more.
            if is_end || !found.is_empty() {
                return Ok(found);
            }
        }
    }

    /// The first places of a range after another one, with the part that each is in.
    fn next_places(
        &self,
        parts: &[Part<'_, S>],
        range: Range,
        after: Option<Place>,
        limit: usize,
    ) -> Result<BTreeMap<Place, usize>, StoreError> {
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|part| parts[*part].first_time);
        let mut next: BTreeMap<Place, usize> = BTreeMap::new();
        for part in order {
            let is_full = next.len() >= limit;
            if is_full && next.last_key_value().is_none_or(|((last, _), _)| parts[part].first_time > *last) {
                break;
            }
            let timeline = parts[part].timeline()?;
            for (time, sequence) in timeline.times.iter().zip(&timeline.sequences) {
                let place = (*time, self.id(*sequence)?);
                if range.contains(*time) && after.is_none_or(|after| place > after) {
                    next.insert(place, part);
                    if next.len() > limit {
                        next.pop_last();
                    }
                }
            }
        }
        Ok(next)
    }
}

/// As many of these snapshots as one answer may have.
fn snapshots_of<S: Segments>(
    parts: &[Part<'_, S>],
    places: BTreeMap<Place, usize>,
) -> Result<Vec<KeptSnapshot>, StoreError> {
    let mut opened: HashMap<usize, Option<Arc<Block>>> = HashMap::new();
    let (mut found, mut samples) = (Vec::new(), 0);
    for ((time, id), part) in places {
        if let Entry::Vacant(new) = opened.entry(part) {
            new.insert(parts[part].block()?);
        }
        let Some(block) = &opened[&part] else { continue };
        let Some(snapshot) = block.index_of(id.sequence()).and_then(|frame| block.snapshot(frame)) else {
            return Err(StoreError::Damaged(format!("host {}: no snapshot at {}", id.host(), time.as_ms())));
        };
        samples += snapshot.processes.len();
        if samples > SCAN_SAMPLES_MAX && !found.is_empty() {
            break;
        }
        found.push(KeptSnapshot { id, snapshot: Arc::new(snapshot) });
    }
    Ok(found)
}
