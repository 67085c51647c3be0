//! How fast the store takes frames and snapshots in, durably, and how much memory that takes.
//!
//! `cargo run --release -p procession-store --example ingest_bench -- [HOSTS] [PROCESSES] [ROUNDS]` makes every host send one
//! frame a round, as many rounds as fast as they are taken, then the same as snapshots of 100 hosts, and prints a line of
//! JSON for each. It writes to a new directory below the temporary one.

#![expect(clippy::unwrap_used, reason = "a bench ends where something is not as it should be")]
#![expect(clippy::print_stdout, reason = "its answer")]
#![expect(clippy::cast_precision_loss, reason = "rates")]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use procession_codec::{HostState, frame};
use procession_model::{Description, HostFacts, Identity, Metric, Process, Sample, Snapshot, Timestamp};
use procession_store::{Append, Appended, FrameOrigin, History, Nearest, OpenOptions, SqliteStore};

const SEAL_EACH_ROUNDS: usize = 5;

/// Processes of which one in ten changes a round.
struct Machine {
    processes: Vec<Process>,
    round: u64,
}

impl Machine {
    fn new(processes: u32) -> Self {
        let process = |pid: u32| Process {
            description: Arc::new(Description {
                identity: Identity { pid, start: Some(Timestamp::from_ms(i64::from(pid) * 10)) },
                command_line: Some(format!("/usr/lib/service{} --instance {pid} --verbose", pid % 40).into()),
                user: Some(format!("user{}", pid % 7).into()),
                ..Description::new(pid, format!("service{}", pid % 40))
            }),
            sample: Sample::ABSENT.with(Metric::Cpu, 0).with(Metric::Memory, u64::from(pid) << 14),
        };
        Self { processes: (1..=processes).map(process).collect(), round: 0 }
    }

    fn next(&mut self) -> Snapshot {
        self.round += 1;
        let step = 10;
        for (index, process) in self.processes.iter_mut().enumerate().skip(self.round as usize % step).step_by(step) {
            let busy = self.round * 7_919 + index as u64 * 104_729;
            process.sample = process.sample.with(Metric::Cpu, busy % 3_000).with(Metric::Memory, (busy % 65_536) << 12);
        }
        Snapshot {
            time: Timestamp::from_ms(1_700_000_000_000 + i64::try_from(self.round).unwrap() * 1_000),
            facts: Arc::new(HostFacts { cpu_count: Some(8), ..HostFacts::default() }),
            processes: self.processes.clone(),
            ..Snapshot::default()
        }
    }
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

/// Appends the batches as fast as they are taken; returns how long each took in milliseconds.
async fn rounds(store: &SqliteStore, count: usize, mut batch: impl FnMut() -> Vec<Append>) -> Vec<f64> {
    let mut took = Vec::new();
    for round in 0..count {
        let batch = batch();
        let start = Instant::now();
        let applied = store.append(batch).await.unwrap();
        took.push(start.elapsed().as_secs_f64() * 1e3);
        assert!(applied.outcomes.iter().all(|outcome| matches!(outcome, Appended::Stored(_))));
        if round % SEAL_EACH_ROUNDS == 0 {
            store.seal(Timestamp::from_ms(round as i64 * 1_000)).await.unwrap();
        }
    }
    took
}

async fn report(what: &str, store: &SqliteStore, items: usize, wall: f64, mut took: Vec<f64>) {
    took.sort_by(f64::total_cmp);
    let stats = store.stats().await.unwrap();
    println!(
        "{{\"what\":\"{what}\",\"per_second\":{:.0},\"batch_p50_ms\":{:.1},\"batch_p99_ms\":{:.1},\"peak_mb\":{},\"journal_mb\":{},\"block_mb\":{},\"bytes_per_sample\":{:.3}}}",
        items as f64 / wall,
        took[took.len() / 2],
        took[took.len() * 99 / 100],
        resident_mb(),
        stats.journal_bytes >> 20,
        (stats.block_bytes + stats.dictionary_bytes) >> 20,
        (stats.block_bytes + stats.dictionary_bytes + stats.journal_bytes) as f64 / stats.process_samples as f64,
    );
}

#[tokio::main]
async fn main() {
    let argument =
        |index: usize, default: u32| std::env::args().nth(index).map_or(default, |text| text.parse().unwrap());
    let (hosts, processes, count) = (argument(1, 10_000), argument(2, 300), argument(3, 60) as usize);
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
    frames(&store, hosts, processes, count).await;
    snapshots(&store, hosts, processes, count).await;
    store.close().await.unwrap();
    drop(store);
    let start = Instant::now();
    let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
    let took = start.elapsed().as_secs_f64();
    let journal_mb = store.stats().await.unwrap().journal_bytes >> 20;
    println!("{{\"what\":\"start\",\"journal_mb\":{journal_mb},\"ms\":{:.0}}}", took * 1e3);
    sealed(&store).await;
}

/// Seals all there is, then reads snapshots from blocks that nobody had open.
async fn sealed(store: &SqliteStore) {
    let before = store.stats().await.unwrap();
    let start = Instant::now();
    store.seal(Timestamp::from_ms(0)).await.unwrap();
    store.seal(Timestamp::from_ms(1 << 40)).await.unwrap();
    let took = start.elapsed().as_secs_f64();
    let samples = before.process_samples as f64;
    report(&format!("sealed, {:.1} M process samples/s", samples / took / 1e6), store, 0, 1.0, vec![0.0]).await;
    let mut reads = Vec::new();
    for host in 0..200 {
        let start = Instant::now();
        let at = Timestamp::from_ms(1_700_000_000_000 + i64::from(host % 7) * 5_000);
        if store.snapshot_at(host, at, Nearest::AtOrAfter).await.unwrap().is_some() {
            reads.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    report("snapshot from a cold block", store, reads.len(), 1.0, reads).await;
}

async fn frames(store: &SqliteStore, hosts: u32, processes: u32, count: usize) {
    let mut machine = Machine::new(processes);
    let mut state = HostState::new();
    let mut sequence = 0;
    let next = || {
        let mut bytes = Vec::new();
        frame::encode(&state.advance(&machine.next()).unwrap(), &mut bytes);
        let frame = Bytes::from(bytes);
        sequence += 1;
        let origin = FrameOrigin { stream: [1; 16], sequence };
        (0..hosts).map(|host| Append::Frame { host, origin, frame: frame.clone() }).collect()
    };
    let start = Instant::now();
    let took = rounds(store, count, next).await;
    report("frames", store, hosts as usize * count, start.elapsed().as_secs_f64(), took).await;
}

async fn snapshots(store: &SqliteStore, hosts: u32, processes: u32, count: usize) {
    let mut machine = Machine::new(processes);
    let next = || {
        let snapshot = Arc::new(machine.next());
        (hosts..hosts + 100).map(|host| Append::Snapshot { host, snapshot: Arc::clone(&snapshot) }).collect()
    };
    let start = Instant::now();
    let took = rounds(store, count, next).await;
    report("snapshots", store, 100 * count, start.elapsed().as_secs_f64(), took).await;
}
