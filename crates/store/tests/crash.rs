//! A store that is killed in mid-ingest has everything that it acknowledged, once.
//!
//! The test starts itself again as a child that appends as fast as it can and writes each acknowledged number to its
//! output; the parent kills it at a random moment and looks at what is there.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use procession_model::{Description, Metric, Process, Sample, Snapshot, SnapshotId, Timestamp};
use procession_store::{Append, Appended, History, OpenOptions, Range, SealPolicy, SqliteStore};

const DIRECTORY: &str = "PROCESSION_TEST_CRASH_DIRECTORY";
const HOSTS: u32 = 5;
const KILLS: u64 = 20;

fn open(directory: &str) -> SqliteStore {
    let mut options = OpenOptions::new(directory);
    // Small, so that the kills hit sealings too.
    options.seal = SealPolicy { frames_max: 7, ..SealPolicy::default() };
    SqliteStore::open(&options).unwrap()
}

fn snapshot(host: u32, number: u32) -> Arc<Snapshot> {
    let process = |pid: u32| Process {
        description: Arc::new(Description::new(pid, format!("program{}", pid % 3))),
        sample: Sample::ABSENT.with(Metric::Cpu, u64::from(number) * 7 + u64::from(host)),
    };
    let processes = (number..number + 10).map(process).collect();
    Arc::new(Snapshot { time: Timestamp::from_ms(i64::from(number) * 1_000), processes, ..Snapshot::default() })
}

/// Not a test of its own: what the child does until it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let store = open(&directory);
    let mut newest = store.list(Some(0), Range::default(), None, 1).await.unwrap();
    let first = newest.pop().map_or(1, |entry| entry.id.sequence() + 1);
    for number in first.. {
        let batch = (0..HOSTS).map(|host| Append::Snapshot { host, snapshot: snapshot(host, number) }).collect();
        let outcomes = store.append(batch).await.unwrap().outcomes;
        let mut out = std::io::stdout().lock();
        for outcome in outcomes {
            if let Appended::Stored(id) = outcome {
                writeln!(out, "stored {}", id.number()).unwrap();
            }
        }
        drop(out);
        store.seal(Timestamp::from_ms(0)).await.unwrap();
    }
}

/// The numbers that the child acknowledged before it was killed after about so many lines.
fn run_and_kill(directory: &str, lines: usize) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let stored = |line: std::io::Result<String>| line.unwrap().strip_prefix("stored ").map(|id| id.parse().unwrap());
    let mut acknowledged: Vec<u64> = output.by_ref().filter_map(stored).take(lines).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    // What it wrote before the kill arrived was acknowledged too; a line cut by the kill was not.
    let rest: Vec<String> = output.map_while(Result::ok).collect();
    let whole = rest.len().saturating_sub(1);
    acknowledged.extend(rest.into_iter().take(whole).filter_map(|line| stored(Ok(line))));
    acknowledged
}

/// Row 1, for the store alone, with sealing all the time.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let mut acknowledged = BTreeSet::new();
    for kill in 0..KILLS {
        let before = acknowledged.len();
        acknowledged.extend(run_and_kill(path, usize::try_from(kill * 13 % 60 + 1).unwrap()));
        assert!(acknowledged.len() > before, "the child got nowhere");
        let store = open(path);
        check(&store, &acknowledged).await;
        store.close().await.unwrap();
    }
}

async fn check(store: &SqliteStore, acknowledged: &BTreeSet<u64>) {
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
    let list = store.list(None, Range::default(), None, 100_000).await.unwrap();
    let there: BTreeSet<u64> = list.iter().map(|entry| entry.id.number()).collect();
    assert_eq!(there.len(), list.len(), "a number twice");
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let times: BTreeSet<_> = list.iter().map(|entry| (entry.id.host(), entry.time)).collect();
    assert_eq!(times.len(), list.len(), "a time twice");
    for number in acknowledged.iter().rev().take(30) {
        let id = SnapshotId::from_number(*number).unwrap();
        let kept = store.snapshot(id).await.unwrap().unwrap();
        let mut processes = kept.snapshot.processes.clone();
        processes.sort_by_key(|process| process.description.identity);
        assert_eq!(processes, snapshot(id.host(), id.sequence()).processes);
    }
}
