//! Whether a frame fits a state, before anything is changed. Frames come from agents, which may be broken or hostile.
//!
//! All lists of a frame ascend by slot, so each is checked by walking along the others: the cost follows the frame.

use std::collections::HashSet;
use std::iter::Peekable;

use foldhash::fast::RandomState;
use procession_model::{Brief, End};

use super::{ApplyError, HostState, strings_bytes};
use crate::limits::{
    BRIEF_MAX, FIELD_ERRORS_MAX, LOSSES_MAX, PROCESSES_MAX, SLOTS_MAX, STRING_BYTES_MAX, STRINGS_BYTES_MAX,
};
use crate::{Began, Frame, FrameKind};

impl HostState {
    /// Whether `frame` may be applied.
    pub(super) fn check(&self, frame: &Frame) -> Result<(), ApplyError> {
        let ended = match frame.kind {
            FrameKind::Delta if self.is_empty() => return Err(ApplyError::KeyframeNeeded),
            FrameKind::Key if !frame.ended.is_empty() => return Err(ApplyError::Disordered("the ended processes")),
            FrameKind::Key | FrameKind::Delta => &frame.ended,
        };
        ascend(ended.iter().map(|(slot, _)| *slot), "the slots of ended processes")?;
        ascend(frame.began.iter().map(|began| began.slot), "the slots of new processes")?;
        if let Some((slot, _)) = ended.iter().find(|(slot, _)| self.process(*slot).is_none()) {
            return Err(ApplyError::EmptySlot(*slot));
        }
        self.check_began(frame)?;
        self.check_changes(frame)?;
        check_limits(frame)
    }

    fn check_began(&self, frame: &Frame) -> Result<(), ApplyError> {
        let mut new_pids: HashSet<u32, RandomState> = HashSet::default();
        let mut lives = self.process_count_before(frame) - frame.ended.len();
        let mut bytes = self.strings_bytes_before(frame);
        for Began { slot, description } in &frame.began {
            bytes += strings_bytes(description);
            let identity = description.identity;
            match self.survivor(frame, *slot) {
                Some(old) if old.identity == identity => {}
                Some(_) => return Err(ApplyError::TakenSlot(*slot)),
                None => {
                    lives += 1;
                    let taken = self.slot_of_pid(identity.pid).filter(|slot| self.survivor(frame, *slot).is_some());
                    if taken.is_some() || !new_pids.insert(identity.pid) {
                        return Err(ApplyError::PidTwice(identity.pid));
                    }
                }
            }
        }
        if lives > PROCESSES_MAX {
            return Err(ApplyError::OverLimit("the number of processes is"));
        }
        if bytes > STRINGS_BYTES_MAX {
            return Err(ApplyError::OverLimit("the strings of all processes together are"));
        }
        Ok(())
    }

    fn process_count_before(&self, frame: &Frame) -> usize {
        if frame.kind == FrameKind::Key { 0 } else { self.process_count() }
    }

    fn strings_bytes_before(&self, frame: &Frame) -> usize {
        if frame.kind == FrameKind::Key { 0 } else { self.strings_bytes }
    }

    /// The process of the slot, if it outlives what the frame ends.
    fn survivor(&self, frame: &Frame, slot: u32) -> Option<&procession_model::Description> {
        if frame.kind == FrameKind::Key || has_ended(&frame.ended, slot) {
            return None;
        }
        self.process(slot).map(|(description, _)| &**description)
    }

    fn check_changes(&self, frame: &Frame) -> Result<(), ApplyError> {
        for changes in &frame.changes {
            if changes.slots.len() != changes.values.len() {
                return Err(ApplyError::Disordered("the changes of a metric"));
            }
            ascend(changes.slots.iter().copied(), "the slots of changes")?;
            let mut began = frame.began.iter().map(|began| began.slot).peekable();
            for slot in &changes.slots {
                if !is_next(&mut began, *slot) && self.survivor(frame, *slot).is_none() {
                    return Err(ApplyError::EmptySlot(*slot));
                }
            }
        }
        Ok(())
    }
}

fn has_ended(ended: &[(u32, End)], slot: u32) -> bool {
    !ended.is_empty() && ended.binary_search_by_key(&slot, |(slot, _)| *slot).is_ok()
}

/// Whether an ascending walk has this number, moving it up to there.
fn is_next(numbers: &mut Peekable<impl Iterator<Item = u32>>, number: u32) -> bool {
    while numbers.next_if(|next| *next < number).is_some() {}
    numbers.peek() == Some(&number)
}

fn ascend(slots: impl Iterator<Item = u32>, what: &'static str) -> Result<(), ApplyError> {
    let mut next = 0;
    for slot in slots {
        if slot < next {
            return Err(ApplyError::Disordered(what));
        }
        if slot >= SLOTS_MAX {
            return Err(ApplyError::OverLimit("the number of processes is"));
        }
        next = slot + 1;
    }
    Ok(())
}

/// What does not depend on the state.
fn check_limits(frame: &Frame) -> Result<(), ApplyError> {
    let over = |is_over: bool, what| if is_over { Err(ApplyError::OverLimit(what)) } else { Ok(()) };
    over(frame.brief.len() > BRIEF_MAX, "the number of brief processes is")?;
    over(frame.losses.len() > LOSSES_MAX, "the number of losses is")?;
    over(frame.field_errors.as_ref().is_some_and(|errors| errors.len() > FIELD_ERRORS_MAX), "the field errors are")?;
    let brief_bytes: usize = frame.brief.iter().map(|brief| strings_bytes(&brief.description)).sum();
    over(brief_bytes > STRINGS_BYTES_MAX / 3, "the strings of brief processes are")?;
    let began = frame.began.iter().map(|began| &began.description);
    let mut descriptions = began.chain(frame.brief.iter().map(|Brief { description, .. }| description));
    let too_long = |string: &str| string.len() > STRING_BYTES_MAX;
    let has_too_long = descriptions.any(|description| {
        let optional = [&description.command_line, &description.user, &description.executable, &description.cgroup];
        too_long(&description.name) || optional.into_iter().flatten().any(|string| too_long(string))
    });
    over(has_too_long, "a string of a process is")?;
    let facts = frame.facts.as_deref();
    let facts =
        facts.map(|facts| [&facts.boot_id, &facts.os, &facts.architecture, &facts.agent_version, &facts.collector]);
    let field_errors = frame.field_errors.iter().flatten().map(|error| &error.field);
    let has_too_long = facts.into_iter().flatten().flatten().chain(field_errors).any(|string| too_long(string));
    over(has_too_long, "a string of the host is")
}
