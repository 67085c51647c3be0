//! When frames have a name: what the index of names is made of when they are sealed.
//!
//! The work follows what began and ended. A name that lives on through all of a run, as most do, is not told at all: the
//! index has it as still there.

use std::collections::HashMap;
use std::sync::Arc;

use procession_codec::{Frame, FrameKind, HostState};
use procession_model::Timestamp;

use super::segments::NameLast;

/// When a run of frames has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameSpan {
    /// The first frame in which it is there and was not in the frame before; `None` if it left and did not come back.
    pub(super) first: Option<Timestamp>,
    /// The last frame that has it.
    pub(super) last: NameLast,
}

/// The names of a run of frames that came in their time, one frame after the other.
pub(super) struct NameSpans {
    /// The name in each slot.
    slots: Vec<Option<Arc<str>>>,
    names: HashMap<Arc<str>, Tracked>,
    /// The last frame, and how many there were.
    time: Timestamp,
    frames: u32,
    begins: Begins,
}

/// What is known of names that lived before a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// They are told of already.
    Known,
    /// Nothing, so their first frame in the run is told.
    Anew,
}

#[derive(Default)]
struct Tracked {
    living: u32,
    /// Since when there was always one; `None` for longer than the run.
    since: Option<Timestamp>,
    first: Option<Timestamp>,
    /// The last frame that had it; of no meaning while one lives.
    last: Timestamp,
    /// The number of the frame in which the last one left.
    left_in: u32,
}

impl NameSpans {
    /// Of a run that goes on from a state.
    pub(super) fn after(base: &HostState, begins: Begins) -> Self {
        let (slots, names) = (Vec::new(), HashMap::new());
        let mut spans = Self { slots, names, time: base.time(), frames: 0, begins };
        for (slot, description, _) in base.occupied() {
            spans.seat(slot, &description.name);
            spans.names.entry(Arc::clone(&description.name)).or_default().living += 1;
        }
        spans
    }

    /// The last frame.
    pub(super) const fn time(&self) -> Timestamp {
        self.time
    }

    /// The next frame.
    pub(super) fn add(&mut self, frame: &Frame) {
        self.frames += 1;
        if frame.kind == FrameKind::Key {
            for name in std::mem::take(&mut self.slots).into_iter().flatten() {
                self.leave(&name);
            }
        }
        for (slot, _) in &frame.ended {
            if let Some(name) = self.slots.get_mut(*slot as usize).and_then(Option::take) {
                self.leave(&name);
            }
        }
        for began in &frame.began {
            let name = &began.description.name;
            if let Some(old) = self.seat(began.slot, name) {
                self.leave(&old);
            }
            self.enter(name, frame.time);
        }
        for brief in frame.brief.iter().filter(|brief| brief.count > 0) {
            let tracked = self.names.entry(Arc::clone(&brief.description.name)).or_default();
            if tracked.living == 0 {
                tracked.first.get_or_insert(frame.time);
                tracked.last = frame.time;
            }
        }
        self.time = frame.time;
        if self.frames == 1 && self.begins == Begins::Anew {
            self.begin_anew();
        }
    }

    /// Each name of which something is to be told.
    pub(super) fn told(&self) -> impl Iterator<Item = (&Arc<str>, NameSpan)> {
        self.names.iter().filter_map(|(name, tracked)| {
            let last = match (tracked.living, tracked.since) {
                (0, _) => NameLast::At(tracked.last),
                (_, Some(since)) => NameLast::Still { since },
                (_, None) => return None,
            };
            Some((name, NameSpan { first: tracked.first, last }))
        })
    }

    /// Whether a process of this name lives in the last frame.
    pub(super) fn lives(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|tracked| tracked.living > 0)
    }

    fn seat(&mut self, slot: u32, name: &Arc<str>) -> Option<Arc<str>> {
        let slot = slot as usize;
        if slot >= self.slots.len() {
            self.slots.resize_with(slot + 1, || None);
        }
        self.slots[slot].replace(Arc::clone(name))
    }

    fn enter(&mut self, name: &Arc<str>, time: Timestamp) {
        let tracked = self.names.entry(Arc::clone(name)).or_default();
        // Another one took its place in the same frame: the name was there all the time.
        let goes_on = tracked.left_in == self.frames;
        if tracked.living == 0 && !goes_on {
            tracked.since = Some(time);
            tracked.first.get_or_insert(time);
        }
        tracked.living += 1;
    }

    fn leave(&mut self, name: &Arc<str>) {
        let Some(tracked) = self.names.get_mut(name) else { return };
        tracked.living = tracked.living.saturating_sub(1);
        if tracked.living == 0 {
            tracked.last = self.time;
            tracked.left_in = self.frames;
        }
    }

    fn begin_anew(&mut self) {
        self.names.retain(|_, tracked| tracked.living > 0 || tracked.first.is_some());
        for tracked in self.names.values_mut().filter(|tracked| tracked.living > 0) {
            tracked.since = Some(self.time);
            tracked.first = Some(self.time);
        }
    }
}

/// When late frames, each of which stands for itself, have which names.
#[derive(Default)]
pub(super) struct LateNames(HashMap<Arc<str>, (Timestamp, Timestamp)>);

impl LateNames {
    /// The next frame.
    pub(super) fn add(&mut self, frame: &Frame) {
        let began = frame.began.iter().map(|began| &began.description.name);
        let brief = frame.brief.iter().filter(|brief| brief.count > 0).map(|brief| &brief.description.name);
        for name in began.chain(brief) {
            let (first, last) = self.0.entry(Arc::clone(name)).or_insert((frame.time, frame.time));
            *first = frame.time.min(*first);
            *last = frame.time.max(*last);
        }
    }

    /// Each name with the first and the last frame that has it.
    pub(super) fn told(&self) -> impl Iterator<Item = (&Arc<str>, (Timestamp, Timestamp))> {
        self.0.iter().map(|(name, seen)| (name, *seen))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use procession_model::{Brief, Description, End, Identity, Process, Sample, Snapshot};
    use proptest::prelude::*;

    use super::*;

    /// The names of processes by pid, those that were brief, and whether the frame stands alone.
    type Step = (BTreeMap<u32, u8>, BTreeSet<u8>, bool);

    fn name(number: u8) -> Arc<str> {
        Arc::from(format!("name {number}"))
    }

    fn snapshot(time: i64, (living, brief, _): &Step) -> Snapshot {
        let describe = |pid: u32, number: u8, start: bool| {
            let mut description = Description::new(pid, name(number));
            // Those that have a start can go on under another name.
            description.identity = Identity { pid, start: start.then(|| Timestamp::from_ms(1)) };
            Arc::new(description)
        };
        let process = |(pid, number): (&u32, &u8)| Process {
            description: describe(*pid, *number, pid % 2 == 0),
            sample: Sample::ABSENT,
        };
        let brief = brief.iter().map(|number| Brief {
            description: describe(100 + u32::from(*number), *number, true),
            end: End::default(),
            count: 1,
        });
        Snapshot {
            time: Timestamp::from_ms(time),
            processes: living.iter().map(process).collect(),
            brief: brief.collect(),
            ..Snapshot::default()
        }
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let living = prop::collection::btree_map(1_u32..6, 0_u8..4, 0..5);
        let brief = prop::collection::btree_set(0_u8..4, 0..2);
        prop::collection::vec((living, brief, prop::bool::weighted(0.2)), 1..14)
    }

    /// For each name: when it is there, of the frames from one on.
    fn times(steps: &[Step], from: usize, number: u8) -> Vec<usize> {
        let has = |(living, brief, _): &Step| living.values().chain(brief).any(|other| *other == number);
        (from..steps.len()).filter(|index| has(&steps[*index])).collect()
    }

    fn lives(step: &Step, number: u8) -> bool {
        step.0.values().any(|other| *other == number)
    }

    proptest! {
        /// What is told of a run completes what was known before it, whichever names that had.
        #[test]
        fn runs_add_up(steps in steps(), from in 0_usize..6, anew in any::<bool>()) {
            let from = from.min(steps.len() - 1);
            let begins = if anew { Begins::Anew } else { Begins::Known };
            let mut state = HostState::new();
            let mut spans = None;
            for (index, step) in steps.iter().enumerate() {
                if index == from {
                    spans = Some(NameSpans::after(&state, begins));
                }
                let mut next = if step.2 { HostState::new() } else { state.clone() };
                let frame = next.advance(&snapshot(10 * index as i64, step)).unwrap();
                state = next;
                if let Some(spans) = &mut spans {
                    spans.add(&frame);
                }
            }
            let spans = spans.unwrap();
            let newest = steps.len() - 1;
            for number in 0..4 {
                let told: Option<NameSpan> = spans.told().find(|(told, _)| **told == name(number)).map(|(_, span)| span);
                let known = from > 0 && !anew && lives(&steps[from - 1], number);
                let there = times(&steps, from, number);
                let at = |index: usize| Timestamp::from_ms(10 * index as i64);
                prop_assert_eq!(spans.lives(&name(number)), lives(&steps[newest], number));
                let Some(span) = told else {
                    // Nothing to tell: it was there before and is in every frame, or it is in none.
                    let is_steady = known && (from..=newest).all(|index| lives(&steps[index], number));
                    prop_assert!(is_steady || (there.is_empty() && !known), "{number} of {steps:?} from {from}");
                    continue;
                };
                let last = there.last().copied().unwrap_or_else(|| from.saturating_sub(1));
                match span.last {
                    NameLast::At(time) => {
                        prop_assert!(!lives(&steps[newest], number));
                        prop_assert_eq!(time, at(last));
                    }
                    NameLast::Still { since } => {
                        prop_assert!(lives(&steps[newest], number));
                        let absent = (from..=newest).rev().find(|index| !lives(&steps[*index], number));
                        prop_assert_eq!(since, at(absent.map_or(from, |absent| absent + 1)));
                    }
                }
                let first = there.first().copied().map(at);
                let expected = if known { span.first.filter(|_| true) } else { first };
                prop_assert_eq!(span.first, expected);
                if known {
                    prop_assert!(span.first.is_none_or(|first| first >= at(from)));
                }
            }
        }
    }
}
