//! Any bytes are segments of a dictionary, or errors. Checksums are not looked at here. The input has the epoch as a byte, and
//! two bytes of length before each segment.

#![no_main]

use libfuzzer_sys::fuzz_target;
use procession_codec::block::Dictionary;

fuzz_target!(|bytes: &[u8]| {
    let Some((epoch, mut rest)) = bytes.split_first() else { return };
    let mut dictionary = Dictionary::new(u32::from(*epoch));
    while let Some((len, after)) = rest.split_first_chunk() {
        let (segment, after) = after.split_at(usize::from(u16::from_le_bytes(*len)).min(after.len()));
        rest = after;
        let before = dictionary.len();
        match dictionary.push(segment) {
            Ok(()) => assert!(dictionary.len() >= before),
            Err(_) => assert_eq!(dictionary.len(), 0),
        }
        for number in 0..dictionary.len().min(64) {
            assert!(dictionary.get(number as u32).is_some());
        }
        assert!(dictionary.get(dictionary.len() as u32).is_none());
    }
});
