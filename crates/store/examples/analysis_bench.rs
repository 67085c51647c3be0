//! How long questions over time take, and what rollups cost: made hosts in a store on disk, JSON lines on stdout.
//!
//! `cargo run --release -p procession-store --example analysis_bench -- [HOURS] [PROCESSES] [HOSTS]`: the first host has that
//! many hours at 5 s (default 24) with so many processes (default 300), of which a tenth do something at each snapshot; the
//! other hosts (default 20) have ten minutes. Each question is asked 15 times; the first time with nothing read yet.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::expect_used, reason = "a bench ends where something is not as it should be")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use procession_model::{Description, HostMetric, HostSample, Identity, Metric, Process, Sample, Snapshot, Timestamp};
use procession_store::analysis::{Analysis, Group, Measure, Of, Search, TopRequest};
use procession_store::{Append, Catalog, History, OpenOptions, Range, SqliteStore};

const INTERVAL_MS: i64 = 5_000;
const BEGIN_MS: i64 = 1_700_000_000_000;
const BATCH: usize = 64;
const ASKED: usize = 15;

/// A host whose processes do a little, and where some come and go.
struct Machine {
    live: Vec<Process>,
    next_pid: u32,
    random: u64,
}

impl Machine {
    fn new(processes: u32) -> Self {
        let mut machine = Self { live: Vec::new(), next_pid: 1, random: 7 };
        for _ in 0..processes {
            let process = machine.process(BEGIN_MS - 60_000);
            machine.live.push(process);
        }
        machine
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % limit
    }

    fn process(&mut self, start: i64) -> Process {
        let pid = self.next_pid;
        self.next_pid += 1;
        let mut description = Description::new(pid, format!("program{}", pid % 60));
        description.identity = Identity { pid, start: Some(Timestamp::from_ms(start)) };
        description.parent_pid = (pid > 1).then_some(pid / 8 + 1);
        description.user = Some(Arc::from(format!("user{}", pid % 5)));
        description.command_line = Some(Arc::from(format!("/usr/bin/program{} --instance {pid}", pid % 60)));
        let memory = self.below(50_000) * 4_096;
        Process {
            description: Arc::new(description),
            sample: Sample::ABSENT.with(Metric::Cpu, 0).with(Metric::Memory, memory),
        }
    }

    fn snapshot(&mut self, time: i64) -> Arc<Snapshot> {
        for _ in 0..2 {
            let place = usize::try_from(self.below(self.live.len() as u64)).unwrap_or(0);
            if place > 50 {
                self.live[place] = self.process(time - 2_000);
            }
        }
        for index in 0..self.live.len() {
            let cpu = if self.below(10) == 0 { self.below(2_000) } else { 0 };
            let sample = self.live[index].sample.with(Metric::Cpu, cpu);
            let memory =
                if self.below(20) == 0 { Some(self.below(50_000) * 4_096) } else { sample.get(Metric::Memory) };
            self.live[index].sample = sample.with(Metric::Memory, memory);
        }
        let host = HostSample::ABSENT
            .with(HostMetric::IntervalMs, INTERVAL_MS.unsigned_abs())
            .with(HostMetric::Cpu, 40_000 + self.below(9_000))
            .with(HostMetric::MemoryUsed, 8 << 30);
        let processes = self.live.clone();
        Arc::new(Snapshot { time: Timestamp::from_ms(time), host, processes, ..Snapshot::default() })
    }
}

async fn fill(store: &SqliteStore, name: &str, processes: u32, snapshots: i64) -> u32 {
    let host = store.host_named(name, Timestamp::from_ms(BEGIN_MS)).await.expect("a host").number;
    let mut machine = Machine::new(processes);
    let mut batch = Vec::new();
    for count in 1..=snapshots {
        batch.push(Append::Snapshot { host, snapshot: machine.snapshot(BEGIN_MS + count * INTERVAL_MS) });
        if batch.len() == BATCH || count == snapshots {
            store.append(std::mem::take(&mut batch)).await.expect("kept");
            store.seal(Timestamp::from_ms(BEGIN_MS + count * INTERVAL_MS)).await.expect("sealed");
        }
    }
    host
}

fn report(question: &str, mut times: Vec<Duration>) {
    let first = times[0];
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!("{{\"question\":\"{question}\",\"first_us\":{},\"median_us\":{}}}", first.as_micros(), median.as_micros());
}

macro_rules! ask {
    ($question:expr, $answer:expr) => {
        let mut times = Vec::new();
        for _ in 0..ASKED {
            let begin = Instant::now();
            drop($answer.await.expect("an answer"));
            times.push(begin.elapsed());
        }
        report($question, times);
    };
}

#[tokio::main]
async fn main() {
    let arguments: Vec<i64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let argument = |index: usize, default: i64| arguments.get(index).copied().unwrap_or(default);
    let (hours, processes) = (argument(0, 24), u32::try_from(argument(1, 300)).unwrap_or(300));
    let directory = tempfile::tempdir().expect("a directory");
    let options = OpenOptions::new(directory.path());
    let store = SqliteStore::open(&options).expect("a store");
    let snapshots = hours * 3_600_000 / INTERVAL_MS;
    let host = fill(&store, "first", processes, snapshots).await;
    for other in 1..argument(2, 20) {
        fill(&store, &format!("host{other}"), processes, 120).await;
    }
    let stats = store.stats().await.expect("stats");
    let raw = stats.block_bytes + stats.dictionary_bytes;
    println!(
        "{{\"process_samples\":{},\"raw_bytes\":{raw},\"rollup_bytes\":{}}}",
        stats.process_samples, stats.rollup_bytes
    );
    let at = |part: i64| Timestamp::from_ms(BEGIN_MS + snapshots * INTERVAL_MS * part / 100);
    let all = Range::default();
    let hour = Range { start: Some(at(50)), end: Some(at(50).plus_ms(3_600_000)) };
    let identity = Identity { pid: 7, start: Some(Timestamp::from_ms(BEGIN_MS - 60_000)) };
    ask!("one process, every snapshot", store.process_series(host, identity, all, 20_000));
    ask!("one process, 1,000 points", store.process_series(host, identity, all, 1_000));
    ask!("host series, 1,000 points", store.host_series(host, all, 1_000));
    let top = TopRequest { host, range: hour, by: Measure::CpuTime, group: Group::Subtree, limit: 20 };
    ask!("top 20 subtrees of an hour", store.top(&top));
    ask!("top 20 subtrees of all", store.top(&TopRequest { range: all, ..top }));
    ask!("runs of a program", store.program_runs(Some(host), "program7", all, 0, 1_000));
    ask!(
        "series of a program, 1,000 points",
        store.series(Some(host), &Of::Program("program7".to_owned()), all, 1_000)
    );
    ask!("hosts that ever ran a name", store.hosts_with("program7", all, 1_000));
    ask!("hosts that never ran a name", store.hosts_with("absent", all, 1_000));
    let search = Search { words: vec!["instance".to_owned()], ..Search::default() };
    ask!("search of all live processes", store.search(&search, 100));
}
