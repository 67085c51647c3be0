//! Bytes a process sample, against the plain format made in the same run.
//!
//! `cargo bench -p procession-codec --bench size` measures made hosts; recordings (one upload body a line) may be named in
//! `PROCESSION_RECORDINGS`, separated by `:`, each with `=` and the frames of a block behind it. `PROCESSION_SECTIONS=1` says what each
//! section costs.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and ends where its input is wrong")]
#![expect(clippy::cast_precision_loss, reason = "for people")]

#[path = "support/frames.rs"]
mod frames;
#[path = "support/made.rs"]
mod made;
#[path = "support/plain.rs"]
mod plain;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/sealed.rs"]
mod sealed;

use std::path::Path;

use procession_codec::block::Effort;
use procession_model::Snapshot;

fn main() {
    println!(
        "| input | snapshots | samples | frames a block | block B/sample | strings | with less effort | plain B/sample | ratio |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let made = |seed, processes, snapshots, interval_ms, busy_per_mille, compilers| {
        made::snapshots(&made::Plan { seed, processes, snapshots, interval_ms, busy_per_mille, compilers })
    };
    measure("made: compiler, 5 s", &made(1, 376, 120, 5_000, 20, 4), 120);
    measure("made: compiler, 1 s", &made(2, 376, 600, 1_000, 10, 4), 600);
    measure("made: idle server, 5 s", &made(3, 200, 720, 5_000, 5, 0), 720);
    let recordings = std::env::var("PROCESSION_RECORDINGS").unwrap_or_default();
    for named in recordings.split(':').filter(|named| !named.is_empty()) {
        let (path, frames) = named.split_once('=').unwrap_or((named, "120"));
        let frames_each = frames.parse().expect("frames of a block");
        measure(path, &recording::read(Path::new(path)), frames_each);
    }
}

fn measure(name: &str, snapshots: &[Snapshot], frames_each: usize) {
    let samples = snapshots.iter().map(|snapshot| snapshot.processes.len()).sum::<usize>();
    let frames = frames::of(snapshots);
    let plain: usize = snapshots.chunks(frames_each).map(plain::bytes).sum();
    let even = sealed::cost(&frames, frames_each, Effort::Even).total;
    let cost = sealed::cost(&frames, frames_each, Effort::Small);
    let each = |bytes: usize| bytes as f64 / samples as f64;
    println!(
        "| {name} | {} | {samples} | {frames_each} | {:.4} | {:.4} | {:.4} | {:.4} | {:.2} |",
        snapshots.len(),
        each(cost.total),
        each(cost.strings),
        each(even),
        each(plain),
        cost.total as f64 / plain as f64,
    );
    if std::env::var_os("PROCESSION_SECTIONS").is_some() {
        for (section, len) in cost.sections {
            println!("    {section}: {len} bytes, {:.4} a sample", each(len));
        }
    }
}
