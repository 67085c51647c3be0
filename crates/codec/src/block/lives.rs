//! From frames to lives: one row for each process under one description, and for each metric where it changed.
//!
//! The work follows what changed, not how many processes there are at how many times: that is what makes sealing quick.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use procession_model::{Brief, Description, End, FieldError, HostFacts, HostSample, Loss, Metric, Sample, Timestamp};

use super::{BLOCK_BRIEF_MAX, BLOCK_FRAMES_MAX, BLOCK_LOSSES_MAX, BLOCK_SAMPLES_MAX, SealError};
use crate::{Frame, FrameKind, HostState};

const NOBODY: u32 = u32::MAX;

/// A process under one description. One that goes on under another has a row for each, one after the other.
pub(super) struct Life {
    pub(super) description: Arc<Description>,
    pub(super) first: u32,
    pub(super) frames: u32,
    pub(super) end: Option<End>,
    /// The row of the process's first description: its own, or an earlier one.
    pub(super) head: u32,
    /// Its sample in its first frame; of no meaning where it is not the head.
    pub(super) initial: Sample,
}

/// A metric of a process took another value.
#[derive(Clone, Copy)]
pub(super) struct Change {
    /// The head of the process.
    pub(super) row: u32,
    pub(super) frame: u32,
    pub(super) value: u64,
}

/// Things that came with a frame.
pub(super) struct At<T> {
    pub(super) frame: u32,
    pub(super) what: T,
}

/// A run of frames, turned on its side. Rows stand by the first frame, start and pid of their process; those of the same
/// process follow each other.
#[derive(Default)]
pub(super) struct Lives {
    pub(super) rows: Vec<Life>,
    /// By row and then frame.
    pub(super) changes: [Vec<Change>; Metric::COUNT],
    pub(super) times: Vec<Timestamp>,
    pub(super) sequences: Vec<u32>,
    pub(super) cpu_sums: Vec<u64>,
    pub(super) memory_sums: Vec<u64>,
    pub(super) process_counts: Vec<u64>,
    pub(super) hosts: Vec<HostSample>,
    pub(super) facts: Vec<At<Arc<HostFacts>>>,
    pub(super) field_errors: Vec<At<Vec<FieldError>>>,
    pub(super) brief: Vec<At<Brief>>,
    pub(super) losses: Vec<At<Loss>>,
    pub(super) process_samples: u64,
}

/// The lives of a run, and the state after it.
pub(super) fn replay(base: &HostState, frames: &[(u32, Arc<Frame>)]) -> Result<(Lives, HostState), SealError> {
    if frames.is_empty() {
        return Err(SealError::Empty);
    }
    if frames.len() > BLOCK_FRAMES_MAX {
        return Err(SealError::OverLimit("frames"));
    }
    if frames.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(SealError::Disordered);
    }
    let mut replay = Replay { state: base.clone(), row_of_slot: Vec::new(), lives: Lives::default() };
    for (index, (sequence, frame)) in (0..).zip(frames) {
        replay.step(index, *sequence, frame)?;
    }
    let Replay { mut lives, state, .. } = replay;
    if lives.brief.len() > BLOCK_BRIEF_MAX || lives.losses.len() > BLOCK_LOSSES_MAX {
        return Err(SealError::OverLimit("brief processes or losses"));
    }
    lives.close_all(u32::try_from(frames.len()).unwrap_or(u32::MAX));
    lives.sort();
    Ok((lives, state))
}

struct Replay {
    state: HostState,
    row_of_slot: Vec<u32>,
    lives: Lives,
}

impl Replay {
    fn step(&mut self, index: u32, sequence: u32, frame: &Frame) -> Result<(), SealError> {
        match (index, frame.kind) {
            (0, _) => self.first(frame)?,
            (_, FrameKind::Delta) => self.delta(index, frame)?,
            (_, FrameKind::Key) => self.key(index, frame)?,
        }
        let (state, lives) = (&self.state, &mut self.lives);
        lives.process_samples += state.process_count() as u64;
        if lives.process_samples > BLOCK_SAMPLES_MAX {
            return Err(SealError::OverLimit("process samples"));
        }
        lives.times.push(frame.time);
        lives.sequences.push(sequence);
        lives.cpu_sums.push(state.cpu_sum());
        lives.memory_sums.push(state.memory_sum());
        lives.process_counts.push(state.process_count() as u64);
        lives.hosts.push(frame.host);
        lives.brief.extend(frame.brief.iter().map(|brief| At { frame: index, what: brief.clone() }));
        lives.losses.extend(frame.losses.iter().map(|loss| At { frame: index, what: *loss }));
        if lives.facts.last().is_none_or(|last| last.what != *state.facts()) {
            lives.facts.push(At { frame: index, what: Arc::clone(state.facts()) });
        }
        if lives.field_errors.last().is_none_or(|last| last.what != state.field_errors()) {
            lives.field_errors.push(At { frame: index, what: state.field_errors().to_vec() });
        }
        Ok(())
    }

    fn first(&mut self, frame: &Frame) -> Result<(), SealError> {
        self.state.apply(frame)?;
        for ended in self.state.ended() {
            let row = self.lives.begin(0, &ended.description, &Sample::ABSENT);
            self.lives.close(row, 0, Some(ended.end));
        }
        for (slot, description, sample) in self.state.occupied() {
            seat(&mut self.row_of_slot, slot, self.lives.begin(0, description, sample));
        }
        Ok(())
    }

    fn delta(&mut self, index: u32, frame: &Frame) -> Result<(), SealError> {
        self.state.apply(frame)?;
        for (slot, end) in &frame.ended {
            self.lives.close(std::mem::replace(&mut self.row_of_slot[*slot as usize], NOBODY), index, Some(*end));
        }
        for began in &frame.began {
            self.begin(index, began.slot);
        }
        for (changes, into) in frame.changes.iter().zip(&mut self.lives.changes) {
            for (slot, value) in changes.slots.iter().zip(&changes.values) {
                let row = self.lives.rows[self.row_of_slot[*slot as usize] as usize].head;
                if self.lives.rows[row as usize].first != index {
                    into.push(Change { row, frame: index, value: *value });
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, index: u32, slot: u32) {
        let Some((description, sample)) = self.state.process(slot) else { return };
        let old = self.row_of_slot.get(slot as usize).copied().unwrap_or(NOBODY);
        if old != NOBODY {
            if self.lives.rows[old as usize].description == *description {
                return;
            }
            seat(&mut self.row_of_slot, slot, self.lives.go_on(old, index, description));
        } else {
            seat(&mut self.row_of_slot, slot, self.lives.begin(index, description, sample));
        }
    }

    /// A keyframe in the middle: who is there before and after it goes on, in whatever slot.
    fn key(&mut self, index: u32, frame: &Frame) -> Result<(), SealError> {
        let before: HashMap<u32, (u32, Sample), RandomState> = self
            .state
            .occupied()
            .map(|(slot, description, sample)| (description.identity.pid, (self.row_of_slot[slot as usize], *sample)))
            .collect();
        self.state.apply(frame)?;
        let old_rows = std::mem::take(&mut self.row_of_slot);
        for (slot, description, sample) in self.state.occupied() {
            let known = before.get(&description.identity.pid);
            let known = known.filter(|(row, _)| goes_on(&self.lives.rows[*row as usize].description, description));
            let row = match known {
                Some((row, before)) => self.lives.meet_again(*row, index, description, before, sample),
                None => self.lives.begin(index, description, sample),
            };
            seat(&mut self.row_of_slot, slot, row);
        }
        for row in old_rows.into_iter().filter(|row| *row != NOBODY) {
            let is_still_open = self.lives.rows[row as usize].frames == OPEN;
            if is_still_open && !self.lives_on(row) {
                self.lives.close(row, index, None);
            }
        }
        Ok(())
    }

    /// Whether the process of an open row is in the state.
    fn lives_on(&self, row: u32) -> bool {
        let pid = self.lives.rows[row as usize].description.identity.pid;
        let slot = self.state.slot_of_pid(pid);
        slot.and_then(|slot| self.row_of_slot.get(slot as usize)) == Some(&row)
    }
}

fn seat(row_of_slot: &mut Vec<u32>, slot: u32, row: u32) {
    let slot = slot as usize;
    if slot >= row_of_slot.len() {
        row_of_slot.resize(slot + 1, NOBODY);
    }
    row_of_slot[slot] = row;
}

/// The length of a life that has not been closed.
const OPEN: u32 = u32::MAX;

impl Lives {
    fn begin(&mut self, first: u32, description: &Arc<Description>, initial: &Sample) -> u32 {
        let row = u32::try_from(self.rows.len()).unwrap_or(NOBODY);
        let description = Arc::clone(description);
        self.rows.push(Life { description, first, frames: OPEN, end: None, head: row, initial: *initial });
        row
    }

    /// The process of a row goes on under another description.
    fn go_on(&mut self, old: u32, index: u32, description: &Arc<Description>) -> u32 {
        self.close(old, index, None);
        let row = self.begin(index, description, &Sample::ABSENT);
        self.rows[row as usize].head = self.rows[old as usize].head;
        row
    }

    /// A keyframe has a process that was there before it.
    fn meet_again(
        &mut self,
        old: u32,
        index: u32,
        description: &Arc<Description>,
        before: &Sample,
        after: &Sample,
    ) -> u32 {
        self.change(self.rows[old as usize].head, index, before, after);
        if self.rows[old as usize].description == *description { old } else { self.go_on(old, index, description) }
    }

    fn close(&mut self, row: u32, index: u32, end: Option<End>) {
        let life = &mut self.rows[row as usize];
        life.frames = index - life.first;
        life.end = end;
    }

    fn close_all(&mut self, frames: u32) {
        for life in self.rows.iter_mut().filter(|life| life.frames == OPEN) {
            life.frames = frames - life.first;
        }
    }

    fn change(&mut self, row: u32, frame: u32, before: &Sample, after: &Sample) {
        for ((changes, before), after) in self.changes.iter_mut().zip(before.raw()).zip(after.raw()) {
            if before != after {
                changes.push(Change { row, frame, value: *after });
            }
        }
    }

    /// Brings rows into the order of the block, and changes into that of their rows.
    fn sort(&mut self) {
        let mut order: Vec<u32> = (0..).take(self.rows.len()).collect();
        order.sort_by_key(|row| {
            let life = &self.rows[*row as usize];
            let head = &self.rows[life.head as usize];
            (head.first, head.description.identity.start, head.description.identity.pid, life.head, life.first)
        });
        let mut place = vec![0; order.len()];
        for (new, old) in (0..).zip(&order) {
            place[*old as usize] = new;
        }
        let mut rows: Vec<Option<Life>> = std::mem::take(&mut self.rows).into_iter().map(Some).collect();
        self.rows = order.iter().filter_map(|row| rows[*row as usize].take()).collect();
        for life in &mut self.rows {
            life.head = place[life.head as usize];
        }
        for changes in &mut self.changes {
            *changes = by_row(changes, &place);
        }
    }
}

/// Whether a keyframe's process is the one that was there: the rule of [`HostState::advance`].
fn goes_on(before: &Description, now: &Description) -> bool {
    before.identity == now.identity && (now.identity.start.is_some() || before.name == now.name)
}

/// Changes that stand by frame, in the order of their rows' new places.
fn by_row(changes: &[Change], place: &[u32]) -> Vec<Change> {
    let mut starts = vec![0_u32; place.len() + 1];
    for change in changes {
        starts[place[change.row as usize] as usize + 1] += 1;
    }
    for row in 1..starts.len() {
        starts[row] += starts[row - 1];
    }
    let mut sorted = vec![Change { row: 0, frame: 0, value: 0 }; changes.len()];
    for change in changes {
        let row = place[change.row as usize];
        let at = &mut starts[row as usize];
        sorted[*at as usize] = Change { row, ..*change };
        *at += 1;
    }
    sorted
}
