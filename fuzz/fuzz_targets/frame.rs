//! Any bytes are a frame that has one meaning, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use procession_codec::HostState;
use procession_codec::frame::{decode, encode};

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = decode(bytes) else { return };
    let mut again = Vec::new();
    encode(&frame, &mut again);
    assert_eq!(decode(&again).as_ref(), Ok(&frame));
    let mut state = HostState::new();
    if state.apply(&frame).is_ok() {
        assert_eq!(state.snapshot().processes.len(), state.process_count());
        let mut copy = HostState::new();
        copy.apply(&state.keyframe()).expect("a state's own keyframe fits");
        assert_eq!(copy, state);
    }
});
