//! What a run costs as blocks, all of it.

use std::sync::Arc;

use procession_codec::block::{Block, Dictionary, Effort, Head, seal};
use procession_codec::{Frame, HostState};

/// What a run costs, in bytes.
pub(crate) struct Cost {
    pub(crate) strings: usize,
    pub(crate) sections: Vec<(&'static str, usize)>,
    pub(crate) total: usize,
}

/// Seals a run in blocks of so many frames, one dictionary for all, and opens each.
pub(crate) fn cost(frames: &[(u32, Arc<Frame>)], frames_each: usize, effort: Effort) -> Cost {
    let mut state = HostState::new();
    let mut dictionary = Dictionary::new(0);
    let mut cost = Cost { strings: 0, sections: Vec::new(), total: 0 };
    for run in frames.chunks(frames_each) {
        let sealed = seal(&state, run, &dictionary, effort).expect("frames that can be sealed");
        let segment = sealed.segment.unwrap_or_default();
        if !segment.is_empty() {
            dictionary.push(&segment).expect("a segment");
        }
        Block::open(&sealed.head, &sealed.body, &dictionary).expect("a block");
        cost.strings += segment.len();
        cost.total += segment.len() + sealed.head.len() + sealed.body.len();
        let head = Head::open(&sealed.head).expect("a head");
        for (index, (name, len)) in head.section_lens().enumerate() {
            match cost.sections.get_mut(index) {
                Some((_, sum)) => *sum += len,
                None => cost.sections.push((name, len)),
            }
        }
        for (_, frame) in run {
            state.apply(frame).expect("a frame");
        }
    }
    cost
}
