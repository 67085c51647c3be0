//! What a frame and a block cost in time: `cargo bench -p procession-codec --bench speed`.
//!
//! Hosts are made from a seed: 300 processes of which some thirty do something between two snapshots. Items are frames, or for
//! blocks process samples. An hour is a block of 720 frames, as a store seals them; the others have 120.

#![expect(clippy::expect_used, reason = "a bench ends where its input is wrong")]

#[path = "support/frames.rs"]
mod frames;
#[path = "support/made.rs"]
mod made;

use std::sync::{Arc, LazyLock};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use procession_codec::block::{Block, Dictionary, Effort, Head, Sealed, Wanted, seal};
use procession_codec::frame::{decode, encode};
use procession_codec::{Frame, HostState};
use procession_model::{Metric, Snapshot};

fn main() {
    divan::main();
}

type Frames = Vec<(u32, Arc<Frame>)>;

static HOST: LazyLock<Vec<Snapshot>> = LazyLock::new(|| {
    made::snapshots(&made::Plan {
        seed: 5,
        processes: 300,
        snapshots: 240,
        interval_ms: 5_000,
        busy_per_mille: 60,
        compilers: 0,
    })
});
static FRAMES: LazyLock<Frames> = LazyLock::new(|| frames::of(&HOST));
static DICTIONARY: LazyLock<Dictionary> = LazyLock::new(|| {
    let mut dictionary = Dictionary::new(0);
    let first = sealed(&dictionary, 0, Effort::Small);
    dictionary.push(&first.segment.expect("new strings")).expect("a segment");
    dictionary
});
static HOUR_FRAMES: LazyLock<Frames> = LazyLock::new(|| {
    let plan =
        made::Plan { seed: 6, processes: 300, snapshots: 720, interval_ms: 5_000, busy_per_mille: 60, compilers: 0 };
    frames::of(&made::snapshots(&plan))
});
static HOUR: LazyLock<(Sealed, Dictionary)> = LazyLock::new(|| {
    let mut dictionary = Dictionary::new(0);
    let sealed = seal(&HostState::new(), &HOUR_FRAMES, &dictionary, Effort::Small).expect("a run");
    dictionary.push(sealed.segment.as_ref().expect("new strings")).expect("a segment");
    (sealed, dictionary)
});
/// All segments of an epoch, of a host on which a compiler works.
static EPOCH: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let plan =
        made::Plan { seed: 7, processes: 300, snapshots: 1_280, interval_ms: 5_000, busy_per_mille: 60, compilers: 2 };
    let frames = frames::of(&made::snapshots(&plan));
    let (mut dictionary, mut state, mut segments) = (Dictionary::new(0), HostState::new(), Vec::new());
    for frames in frames.chunks(20) {
        let sealed = seal(&state, frames, &dictionary, Effort::Small).expect("a run");
        if let Some(segment) = sealed.segment {
            dictionary.push(&segment).expect("a segment");
            segments.push(segment);
        }
        state = sealed.end;
    }
    segments
});
static BLOCK: LazyLock<Sealed> = LazyLock::new(|| sealed(&DICTIONARY, 120, Effort::Small));

fn state_at(index: usize) -> HostState {
    let mut state = HostState::new();
    for (_, frame) in &FRAMES[..index] {
        state.apply(frame).expect("a frame");
    }
    state
}

fn sealed(dictionary: &Dictionary, from: usize, effort: Effort) -> Sealed {
    seal(&state_at(from), &FRAMES[from..from + 120], dictionary, effort).expect("a run")
}

fn bytes(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(frame, &mut bytes);
    bytes
}

#[divan::bench]
fn frame_encode(bencher: Bencher<'_, '_>) {
    let frame = &FRAMES[100].1;
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        out.clear();
        encode(black_box(frame), &mut out);
        out.len()
    });
}

#[divan::bench]
fn frame_decode(bencher: Bencher<'_, '_>) {
    let bytes = bytes(&FRAMES[100].1);
    bencher.counter(ItemsCount::new(1_usize)).bench(|| decode(black_box(&bytes)));
}

#[divan::bench]
fn frame_decode_and_apply(bencher: Bencher<'_, '_>) {
    let encoded: Vec<_> = FRAMES.iter().map(|(_, frame)| bytes(frame)).collect();
    bencher.counter(ItemsCount::new(encoded.len())).bench(|| {
        let mut state = HostState::new();
        for bytes in &encoded {
            state.apply(&decode(bytes).expect("a frame")).expect("a frame that fits");
        }
        state.cpu_sum()
    });
}

#[divan::bench]
fn snapshot_advance(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(HOST.len())).bench(|| {
        let mut state = HostState::new();
        for snapshot in HOST.iter() {
            black_box(state.advance(snapshot)).expect("a snapshot");
        }
        state.cpu_sum()
    });
}

#[divan::bench]
fn keyframe_decode(bencher: Bencher<'_, '_>) {
    let bytes = bytes(&FRAMES[0].1);
    bencher.counter(ItemsCount::new(1_usize)).bench(|| decode(black_box(&bytes)));
}

#[divan::bench(args = [Effort::Fast, Effort::Even, Effort::Small])]
fn seal_next_block(bencher: Bencher<'_, '_>, effort: Effort) {
    let state = state_at(120);
    let samples = BLOCK.summary.process_samples;
    bencher.counter(ItemsCount::new(samples)).bench(|| seal(&state, black_box(&FRAMES[120..240]), &DICTIONARY, effort));
}

#[divan::bench(args = [Effort::Fast, Effort::Even, Effort::Small])]
fn seal_first_block(bencher: Bencher<'_, '_>, effort: Effort) {
    let dictionary = Dictionary::new(0);
    let samples = BLOCK.summary.process_samples;
    bencher
        .counter(ItemsCount::new(samples))
        .bench(|| seal(&HostState::new(), black_box(&FRAMES[..120]), &dictionary, effort));
}

#[divan::bench]
fn block_open(bencher: Bencher<'_, '_>) {
    let block = &*BLOCK;
    bencher
        .counter(ItemsCount::new(block.summary.process_samples))
        .bench(|| Block::open(black_box(&block.head), &block.body, &DICTIONARY).map(|block| block.rows().len()));
}

#[divan::bench(args = [Effort::Fast, Effort::Even, Effort::Small])]
fn seal_first_hour(bencher: Bencher<'_, '_>, effort: Effort) {
    let dictionary = Dictionary::new(0);
    bencher
        .counter(ItemsCount::new(HOUR.0.summary.process_samples))
        .bench(|| seal(&HostState::new(), black_box(&HOUR_FRAMES), &dictionary, effort));
}

#[divan::bench]
fn hour_open(bencher: Bencher<'_, '_>) {
    let (block, dictionary) = &*HOUR;
    bencher
        .counter(ItemsCount::new(block.summary.process_samples))
        .bench(|| Block::open(black_box(&block.head), &block.body, dictionary).map(|block| block.rows().len()));
}

#[divan::bench]
fn hour_open_for_cpu(bencher: Bencher<'_, '_>) {
    let (block, dictionary) = &*HOUR;
    bencher.counter(ItemsCount::new(block.summary.process_samples)).bench(|| {
        Block::open_only(black_box(&block.head), &block.body, dictionary, &[Metric::Cpu])
            .map(|block| block.rows().len())
    });
}

#[divan::bench]
fn hour_open_without_metrics(bencher: Bencher<'_, '_>) {
    let (block, dictionary) = &*HOUR;
    bencher.counter(ItemsCount::new(block.summary.process_samples)).bench(|| {
        Block::open_only(black_box(&block.head), &block.body, dictionary, &[]).map(|block| block.rows().len())
    });
}

/// For the process in the middle, of all that were there at first.
#[divan::bench]
fn hour_open_for_a_process(bencher: Bencher<'_, '_>) {
    let (block, dictionary) = &*HOUR;
    let opened = Block::open(&block.head, &block.body, dictionary).expect("a block");
    let identities: Vec<_> = opened.rows_in(0).map(|(_, row)| row.description.identity).collect();
    let wanted = identities[identities.len() / 2];
    let is_wanted = |identity| identity == wanted;
    let metrics = [Metric::Cpu, Metric::Memory, Metric::ReadBytes, Metric::WriteBytes];
    bencher.counter(ItemsCount::new(1_usize)).bench(|| {
        let wanted = Wanted::Processes(&is_wanted);
        Block::open_for(black_box(&block.head), &block.body, dictionary, &metrics, wanted)
            .map(|block| block.rows().len())
    });
}

#[divan::bench]
fn dictionary_of_a_whole_epoch(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(EPOCH.len())).bench(|| {
        let mut dictionary = Dictionary::new(0);
        for segment in black_box(&*EPOCH) {
            dictionary.push(segment).expect("a segment");
        }
        dictionary
    });
}

#[divan::bench(args = [false, true])]
fn snapshot_of_a_cold_hour(bencher: Bencher<'_, '_>, only_its_frame: bool) {
    let (block, _) = &*HOUR;
    let segment = block.segment.as_ref().expect("new strings");
    bencher.counter(ItemsCount::new(1_usize)).bench(|| {
        let mut dictionary = Dictionary::new(0);
        dictionary.push(black_box(segment)).expect("a segment");
        let wanted = if only_its_frame { Wanted::Frame(HOUR_FRAMES[360].0) } else { Wanted::All };
        let block = Block::open_for(&block.head, &block.body, &dictionary, &Metric::ALL, wanted).expect("a block");
        block.snapshot(360)
    });
}

#[divan::bench]
fn snapshot_of_a_cold_block(bencher: Bencher<'_, '_>) {
    let first = sealed(&Dictionary::new(0), 0, Effort::Small);
    let segment = first.segment.expect("new strings");
    let block = &*BLOCK;
    bencher.counter(ItemsCount::new(1_usize)).bench(|| {
        let mut dictionary = Dictionary::new(0);
        dictionary.push(black_box(&segment)).expect("a segment");
        let block = Block::open(&block.head, &block.body, &dictionary).expect("a block");
        block.snapshot(60)
    });
}

#[divan::bench]
fn series_of_a_head(bencher: Bencher<'_, '_>) {
    let head = &BLOCK.head;
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench(|| Head::open(black_box(head)).and_then(|head| head.series().map(|series| series.cpu_sums.len())));
}
