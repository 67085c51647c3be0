//! What rollups cost beside the blocks they are made of: made hosts and recordings in a store on disk, a table on stdout.
//!
//! `cargo run --release -p procession-store --example rollup_size`: recordings (one upload body a line) may be named in
//! `PROCESSION_RECORDINGS`, separated by `:`. All figures are of `store stats`: bytes a process sample of raw blocks with their
//! dictionaries and of the hours that are kept beside them, what these are of the raw ones; then, after retention took all
//! blocks, of the minutes, and after it took these, of the quarters of an hour.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::expect_used, reason = "a bench ends where something is not as it should be")]
#![expect(clippy::cast_precision_loss, reason = "for people")]

#[path = "../../codec/benches/support/made.rs"]
mod made;
#[path = "../../codec/benches/support/recording.rs"]
mod recording;

use std::path::Path;
use std::sync::Arc;

use procession_model::{Snapshot, Timestamp};
use procession_store::{Append, Catalog, History, OpenOptions, Retention, SqliteStore};

/// How many snapshots are appended and looked at for sealing at once.
const BATCH: usize = 60;
/// A host that was silent for so long is sealed.
const SILENCE_MS: i64 = 86_400_000;

#[tokio::main]
async fn main() {
    println!(
        "| input | snapshots | samples | raw B/sample | hours and names | / raw | minutes instead | / raw | quarters instead | / raw |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let plan = |seed, processes, snapshots, interval_ms, busy_per_mille, compilers| {
        made::snapshots(&made::Plan { seed, processes, snapshots, interval_ms, busy_per_mille, compilers })
    };
    measure("made: compiler, 10 min at 5 s", plan(1, 376, 120, 5_000, 20, 4)).await;
    measure("made: compiler, 10 min at 1 s", plan(2, 376, 600, 1_000, 10, 4)).await;
    measure("made: idle server, 1 h at 5 s", plan(3, 200, 720, 5_000, 5, 0)).await;
    measure("made: idle server, 12 h at 5 s", plan(3, 200, 8_640, 5_000, 5, 0)).await;
    measure("made: compiler, 12 h at 5 s", plan(1, 376, 8_640, 5_000, 20, 1)).await;
    let recordings = std::env::var("PROCESSION_RECORDINGS").unwrap_or_default();
    for path in recordings.split(':').filter(|path| !path.is_empty()) {
        measure(path, recording::read(Path::new(path))).await;
    }
}

async fn measure(name: &str, snapshots: Vec<Snapshot>) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(&OpenOptions::new(directory.path())).expect("a store");
    let first = snapshots.first().map_or(Timestamp::default(), |snapshot| snapshot.time);
    let host = store.host_named("measured", first).await.expect("a host").number;
    let count = snapshots.len();
    let mut now = first;
    let mut rest = snapshots.into_iter().map(Arc::new).peekable();
    while rest.peek().is_some() {
        let batch: Vec<_> = rest.by_ref().take(BATCH).collect();
        now = batch.last().map_or(now, |snapshot| snapshot.time);
        let append = |snapshot| Append::Snapshot { host, snapshot };
        store.append(batch.into_iter().map(append).collect()).await.expect("kept");
        store.seal(now).await.expect("sealed");
    }
    // Once to see that the host is silent, once to seal it.
    for round in 0..2 {
        store.seal(now.plus_ms(SILENCE_MS * round)).await.expect("sealed");
    }
    let stats = store.stats().await.expect("stats");
    let samples = stats.process_samples as f64;
    let raw = (stats.block_bytes + stats.dictionary_bytes) as f64;
    print!("| {name} | {count} | {samples} | {:.4}", raw / samples);
    let column = |bytes: u64| print!(" | {:.4} | {:.3}", bytes as f64 / samples, bytes as f64 / raw);
    // The index of names is kept beside blocks as hours are.
    column(stats.rollup_bytes + stats.name_bytes);
    let mut keep_ms = [None; 3];
    for level in 1..3 {
        keep_ms[level - 1] = Some(0);
        let retention = Retention { keep_ms, bytes_max: None };
        while store.retire(now.plus_ms(1), retention).await.expect("retired").blocks > 0 {}
        column(store.stats().await.expect("stats").levels[level].bytes);
    }
    println!(" |");
}
