//! Frames one after the other: each is applied wholly or not at all. Each frame of the input has two bytes of length before
//! it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use procession_codec::HostState;
use procession_codec::frame::decode;
use procession_model::Metric;

fuzz_target!(|bytes: &[u8]| {
    let mut state = HostState::new();
    let mut rest = bytes;
    while let Some(([low, high], after)) = rest.split_first_chunk().map(|(len, after)| (*len, after)) {
        let len = usize::from(u16::from_le_bytes([low, high])).min(after.len());
        let (frame, after) = after.split_at(len);
        rest = after;
        let Ok(frame) = decode(frame) else { continue };
        let before = state.clone();
        match state.apply(&frame) {
            Ok(()) => assert_eq!(state.cpu_sum(), cpu_sum(&state)),
            Err(_) => assert_eq!(state, before),
        }
    }
});

fn cpu_sum(state: &HostState) -> u64 {
    let values = state.occupied().filter_map(|(_, _, sample)| sample.get(Metric::Cpu));
    u64::try_from(values.map(u128::from).sum::<u128>()).unwrap_or(u64::MAX)
}
