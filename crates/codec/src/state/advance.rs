//! From one snapshot to the next: which processes go on, which are new, which are gone.
//!
//! Thousands of uploads a second go through here, most of whose processes did nothing: one look-up by pid and one comparison for
//! each process, and allocations only for what changed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use procession_model::{Brief, Description, End, Identity, Process, Sample, Snapshot};

use super::{ApplyError, HostState, push_changes};
use crate::limits::PROCESSES_MAX;
use crate::{Began, Frame, FrameKind};

/// No process of the snapshot.
const NOBODY: u32 = u32::MAX;
/// Where more processes than that are gone, one after the other, the rest is found by pid.
const ROWS_AHEAD: usize = 64;

impl HostState {
    /// Goes on to `snapshot` and returns the frame that leads there: a keyframe from an empty state, changes otherwise.
    ///
    /// A process goes on where pid and start are the same; where neither side knows the start, where pid and name are.
    /// New processes take the lowest free slots, in the order of the snapshot.
    ///
    /// `snapshot.ended` tells how processes that are gone ended; the others that are gone ended at a time unknown. What
    /// it tells of processes that were never seen becomes an entry in `brief`.
    pub fn advance(&mut self, snapshot: &Snapshot) -> Result<Frame, ApplyError> {
        let frame = self.frame_to(snapshot)?;
        self.check(&frame)?;
        self.commit(&frame);
        if self.is_alone {
            self.note_rows(snapshot);
        }
        Ok(frame)
    }

    /// So that the next snapshot's processes, which are mostly the same in the same order, are found without a look at
    /// them: between two of an agent's ticks other programs take all of the processor's caches.
    fn note_rows(&mut self, snapshot: &Snapshot) {
        let Self { rows, slots, slot_of_pid, .. } = self;
        let is_at = |slot: u32, process: &Process| {
            let description = slots.get(slot as usize).and_then(|slot| slot.description.as_ref());
            description.is_some_and(|description| Arc::ptr_eq(description, &process.description))
        };
        let same = rows.iter().zip(&snapshot.processes).take_while(|(slot, process)| is_at(**slot, process)).count();
        rows.truncate(same);
        let rest = snapshot.processes.get(same..).unwrap_or_default();
        rows.extend(rest.iter().filter_map(|process| slot_of_pid.get(&process.description.identity.pid)));
    }

    fn frame_to(&self, snapshot: &Snapshot) -> Result<Frame, ApplyError> {
        if snapshot.processes.len() > PROCESSES_MAX {
            return Err(ApplyError::OverLimit("the number of processes is"));
        }
        let kind = if self.is_empty() { FrameKind::Key } else { FrameKind::Delta };
        let mut frame = Frame::new(kind, snapshot.time);
        frame.host = snapshot.host;
        if kind == FrameKind::Key || self.facts != snapshot.facts {
            frame.facts = Some(Arc::clone(&snapshot.facts));
        }
        if kind == FrameKind::Key || self.field_errors != snapshot.field_errors {
            frame.field_errors = Some(snapshot.field_errors.clone());
        }
        frame.losses.clone_from(&snapshot.losses);
        frame.brief.clone_from(&snapshot.brief);
        self.diff_processes(snapshot, &mut frame)?;
        Ok(frame)
    }

    fn diff_processes(&self, snapshot: &Snapshot, frame: &mut Frame) -> Result<(), ApplyError> {
        let seating = self.seat(snapshot)?;
        let mut ends = Ends::new(snapshot);
        for (slot, (seat, goes_on)) in (0..).zip(&seating) {
            let before = self.process(slot);
            if !goes_on && let Some((gone, _)) = before {
                frame.ended.push((slot, ends.take(gone.identity)));
            }
            let Some(process) = snapshot.processes.get(*seat as usize) else { continue };
            let before = before.filter(|_| *goes_on);
            let is_described = before.is_some_and(|(known, _)| is_same(known, &process.description));
            if !is_described {
                frame.began.push(Began { slot, description: Arc::clone(&process.description) });
            }
            push_changes(
                &mut frame.changes,
                slot,
                before.map_or(&Sample::ABSENT, |(_, sample)| sample),
                &process.sample,
            );
        }
        ends.rest(snapshot, &mut frame.brief);
        Ok(())
    }

    /// For each slot the index of the process that is to have it, or [`NOBODY`], and whether it goes on in it.
    fn seat(&self, snapshot: &Snapshot) -> Result<Vec<(u32, bool)>, ApplyError> {
        let mut seating = vec![(NOBODY, false); self.slots.len()];
        let mut new = Vec::new();
        let mut rows = self.rows.as_slice();
        for (index, process) in (0..).zip(&snapshot.processes) {
            let slot = self.slot_of(&process.description, &mut rows);
            match slot.and_then(|slot| seating.get_mut(slot as usize)) {
                Some((seat, goes_on)) if *seat == NOBODY => (*seat, *goes_on) = (index, true),
                Some(_) => return Err(ApplyError::PidTwice(process.description.identity.pid)),
                None => new.push(index),
            }
        }
        self.refuse_doubles(snapshot, &seating, &new)?;
        let mut free = 0;
        for index in new {
            while seating.get(free).is_some_and(|(seat, _)| *seat != NOBODY) {
                free += 1;
            }
            match seating.get_mut(free) {
                Some(seat) => *seat = (index, false),
                None => seating.push((index, false)),
            }
        }
        Ok(seating)
    }

    /// The slot in which a process goes on. `rows` are those slots of the snapshot before that were not come to yet.
    fn slot_of(&self, description: &Arc<Description>, rows: &mut &[u32]) -> Option<u32> {
        if let Some((slot, rest)) = rows.split_first()
            && self.process(*slot).is_some_and(|(known, _)| Arc::ptr_eq(known, description))
        {
            *rows = rest;
            return Some(*slot);
        }
        let slot = self.slot_of_pid(description.identity.pid)?;
        let (known, _) = self.process(slot)?;
        // Some of those between are gone.
        if let Some(place) = rows.iter().take(ROWS_AHEAD).position(|row| *row == slot) {
            *rows = &rows[place + 1..];
        }
        goes_on(known, description).then_some(slot)
    }

    fn refuse_doubles(&self, snapshot: &Snapshot, seating: &[(u32, bool)], new: &[u32]) -> Result<(), ApplyError> {
        let mut pids: HashSet<u32, RandomState> = HashSet::with_capacity_and_hasher(new.len(), RandomState::default());
        for index in new {
            let pid = snapshot.processes[*index as usize].description.identity.pid;
            let is_seated = self.slot_of_pid(pid).is_some_and(|slot| seating[slot as usize].1);
            if is_seated || !pids.insert(pid) {
                return Err(ApplyError::PidTwice(pid));
            }
        }
        Ok(())
    }
}

/// Whether `now` is the process that was `before`; the pid is the same.
fn goes_on(before: &Description, now: &Description) -> bool {
    match (before.identity.start, now.identity.start) {
        (None, None) => before.name == now.name,
        (before, now) => before == now,
    }
}

fn is_same(one: &Arc<Description>, other: &Arc<Description>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// How processes ended that a snapshot does not have any more.
struct Ends(HashMap<Identity, (usize, End), RandomState>);

impl Ends {
    fn new(snapshot: &Snapshot) -> Self {
        let ends = snapshot.ended.iter().enumerate();
        Self(ends.map(|(index, ended)| (ended.description.identity, (index, ended.end))).collect())
    }

    fn take(&mut self, gone: Identity) -> End {
        self.0.remove(&gone).map(|(_, end)| end).unwrap_or_default()
    }

    /// Ends of processes that nobody saw: they were brief.
    fn rest(mut self, snapshot: &Snapshot, brief: &mut Vec<Brief>) {
        for process in &snapshot.processes {
            if self.0.is_empty() {
                return;
            }
            self.0.remove(&process.description.identity);
        }
        let mut rest: Vec<_> = self.0.into_values().collect();
        rest.sort_unstable_by_key(|(index, _)| *index);
        brief.extend(rest.into_iter().map(|(index, end)| Brief {
            description: Arc::clone(&snapshot.ended[index].description),
            end,
            count: 1,
        }));
    }
}
