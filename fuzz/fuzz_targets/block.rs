//! Any bytes are a block all of which can be read, or an error. Checksums are not looked at here, see
//! `procession_codec`'s `checksum_fits`. The input has two bytes of length before the head and before the dictionary segment.

#![no_main]

use libfuzzer_sys::fuzz_target;
use procession_codec::block::{Block, Dictionary, Head};
use procession_model::Metric;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, rest)) = part(bytes) else { return };
    let Some((segment, body)) = part(rest) else { return };
    let epoch = Head::open(head).map_or(0, |head| head.summary().epoch);
    let mut dictionary = Dictionary::new(epoch);
    if dictionary.push(segment).is_err() {
        dictionary = Dictionary::new(epoch);
    }
    if let Ok(head) = Head::open(head) {
        drop((head.timeline(), head.series(), head.skip()));
    }
    let Ok(block) = Block::open(head, body, &dictionary) else { return };
    let frames = block.summary().frames;
    for frame in 0..frames.min(16) {
        let snapshot = block.snapshot(frame).expect("every frame has a snapshot");
        assert_eq!(snapshot.processes.len(), block.rows_in(frame).count());
    }
    for (index, row) in block.rows().iter().enumerate().take(64) {
        assert!(row.after() <= frames);
        let mut samples = block.samples(index);
        assert_eq!(samples.len(), row.frames as usize);
        if let Some((frame, sample)) = samples.next() {
            assert_eq!(Metric::ALL.map(|metric| block.row_series(index, metric).at(frame)), *sample.raw());
        }
    }
});

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))
}
