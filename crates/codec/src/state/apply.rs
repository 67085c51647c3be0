//! Taking a frame in.

use std::sync::Arc;

use procession_model::{Description, Ended, Metric, Sample};

use super::{ApplyError, HostState, Slot, intern, strings_bytes};
use crate::{Began, Frame, FrameKind, MetricChanges};

impl HostState {
    /// Applies a frame, wholly or not at all.
    pub fn apply(&mut self, frame: &Frame) -> Result<(), ApplyError> {
        self.check(frame)?;
        self.commit(frame);
        Ok(())
    }

    /// Applies a frame that [`HostState::check`] has let through.
    pub(super) fn commit(&mut self, frame: &Frame) {
        if frame.kind == FrameKind::Key {
            self.forget();
        }
        self.has_frame = true;
        self.time = frame.time;
        self.host = frame.host;
        if let Some(facts) = &frame.facts {
            self.facts = Arc::clone(facts);
        }
        if let Some(field_errors) = &frame.field_errors {
            self.field_errors.clone_from(field_errors);
        }
        self.brief.clone_from(&frame.brief);
        self.losses.clone_from(&frame.losses);
        self.ended.clear();
        for (slot, end) in &frame.ended {
            if let Some(description) = self.release(*slot) {
                self.ended.push(Ended { description, end: *end });
            }
        }
        if frame.kind == FrameKind::Key {
            self.make_room(frame);
        }
        for began in &frame.began {
            self.begin(began);
        }
        for (metric, changes) in Metric::ALL.into_iter().zip(&frame.changes) {
            self.change(metric, changes);
        }
        self.give_back();
    }

    fn forget(&mut self) {
        self.facts = Arc::default();
        self.field_errors.clear();
        self.slots.clear();
        self.slot_of_pid.clear();
        self.strings_bytes = 0;
        self.cpu_sum = 0;
        self.memory_sum = 0;
    }

    /// Exactly what a keyframe takes: most hosts never have many more processes.
    fn make_room(&mut self, key: &Frame) {
        let slots = key.began.last().map_or(0, |last| last.slot as usize + 1);
        self.slots.reserve_exact(slots);
        self.slot_of_pid.reserve(key.began.len());
    }

    fn release(&mut self, slot: u32) -> Option<Arc<Description>> {
        let slot = self.slots.get_mut(slot as usize)?;
        let Slot { description, sample } = std::mem::take(slot);
        let description = description?;
        self.cpu_sum -= summand(&sample, Metric::Cpu);
        self.memory_sum -= summand(&sample, Metric::Memory);
        self.strings_bytes -= strings_bytes(&description);
        self.slot_of_pid.remove(&description.identity.pid);
        Some(description)
    }

    fn begin(&mut self, began: &Began) {
        let index = began.slot as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, Slot::default);
        }
        let description =
            if self.is_alone { Arc::clone(&began.description) } else { intern::shared(&began.description) };
        self.strings_bytes += strings_bytes(&description);
        let pid = description.identity.pid;
        match self.slots[index].description.replace(description) {
            Some(old) => self.strings_bytes -= strings_bytes(&old),
            None => {
                self.slot_of_pid.insert(pid, began.slot);
            }
        }
    }

    fn change(&mut self, metric: Metric, changes: &MetricChanges) {
        let sum = match metric {
            Metric::Cpu => Some(&mut self.cpu_sum),
            Metric::Memory => Some(&mut self.memory_sum),
            _ => None,
        };
        if let Some(sum) = sum {
            for (slot, value) in changes.slots.iter().zip(&changes.values) {
                *sum += known(*value);
                *sum -= summand(&self.slots[*slot as usize].sample, metric);
            }
        }
        for (slot, value) in changes.slots.iter().zip(&changes.values) {
            self.slots[*slot as usize].sample.raw_mut()[metric.index()] = *value;
        }
    }

    /// Gives memory back after a crowd has gone.
    fn give_back(&mut self) {
        const KEEP_MIN: usize = 64;
        while self.slots.last().is_some_and(|slot| slot.description.is_none()) {
            self.slots.pop();
        }
        if self.slots.capacity() > KEEP_MIN.max(4 * self.slots.len()) {
            self.slots.shrink_to(2 * self.slots.len());
            self.slot_of_pid.shrink_to(2 * self.slots.len());
        }
    }
}

fn summand(sample: &Sample, metric: Metric) -> u128 {
    known(sample.raw()[metric.index()])
}

fn known(value: u64) -> u128 {
    if value == Metric::ABSENT { 0 } else { u128::from(value) }
}
