//! Whatever frames a state takes can be sealed, and the block has every snapshot. Each frame of the input has two bytes of
//! length before it.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use procession_codec::HostState;
use procession_codec::block::{Block, Dictionary, Effort, seal};
use procession_codec::frame::decode;

fuzz_target!(|bytes: &[u8]| {
    let mut state = HostState::new();
    let (mut frames, mut snapshots) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while let Some((len, after)) = rest.split_first_chunk() {
        let (frame, after) = after.split_at(usize::from(u16::from_le_bytes(*len)).min(after.len()));
        rest = after;
        let Ok(frame) = decode(frame) else { continue };
        if state.apply(&frame).is_ok() {
            let mut snapshot = state.snapshot();
            snapshot.processes.sort_by_key(|process| process.description.identity.pid);
            snapshot.ended.sort_by_key(|ended| ended.description.identity);
            snapshots.push(snapshot);
            frames.push((frames.len() as u32, Arc::new(frame)));
        }
    }
    let effort = if bytes.len() % 2 == 0 { Effort::Fast } else { Effort::Small };
    let Ok(sealed) = seal(&HostState::new(), &frames, &Dictionary::new(0), effort) else { return };
    assert_eq!(sealed.end, state);
    let mut dictionary = Dictionary::new(0);
    if let Some(segment) = &sealed.segment {
        dictionary.push(segment).expect("a segment just made");
    }
    let block = Block::open(&sealed.head, &sealed.body, &dictionary).expect("a block just made");
    for (frame, snapshot) in (0..).zip(&snapshots) {
        assert_eq!(block.snapshot(frame).as_ref(), Some(snapshot));
    }
});
