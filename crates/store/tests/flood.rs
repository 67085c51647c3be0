//! More comes than open runs may hold: what they hold stays bounded, and nothing is lost.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::path::Path;
use std::sync::Arc;

use procession_model::{Description, Metric, Process, Sample, Snapshot, Timestamp};
use procession_store::{Append, Appended, History, OpenOptions, Range, SealPolicy, SqliteStore};

const PROCESSES: u32 = 40;

/// Each has other values than the one before, so that frames are long.
fn snapshot(host: u32, number: u32) -> Arc<Snapshot> {
    let process = |pid: u32| Process {
        description: Arc::new(Description::new(pid, format!("program{}", pid % 3))),
        sample: Sample::ABSENT.with(Metric::Memory, u64::from(number * 2_654_435 + pid * 40_503 + host)),
    };
    let processes = (1..=PROCESSES).map(process).collect();
    Arc::new(Snapshot { time: Timestamp::from_ms(i64::from(number) * 1_000), processes, ..Snapshot::default() })
}

fn opened(directory: &Path, seal: SealPolicy) -> SqliteStore {
    let mut options = OpenOptions::new(directory);
    options.seal = seal;
    SqliteStore::open(&options).unwrap()
}

async fn append(store: &SqliteStore, batch: Vec<Append>) {
    let applied = store.append(batch).await.unwrap();
    assert!(applied.outcomes.iter().all(|outcome| matches!(outcome, Appended::Stored(_))), "{applied:?}");
}

async fn all_are_there(store: &SqliteStore, host: u32, numbers: impl Iterator<Item = u32>) {
    let list = store.list(Some(host), Range::default(), None, 10_000).await.unwrap();
    let mut times: Vec<Timestamp> = list.iter().map(|entry| entry.time).collect();
    times.sort_unstable();
    assert_eq!(times, numbers.map(|number| Timestamp::from_ms(i64::from(number) * 1_000)).collect::<Vec<_>>());
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_append_wait_for_room_and_what_is_open_stays_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let max = 16 << 10;
    let policy = SealPolicy { frames_max: 100_000, open_bytes_max: max, ..SealPolicy::default() };
    let store = opened(directory.path(), policy);
    let mut longest = 0;
    for number in 1..=600 {
        append(&store, (0..4).map(|host| Append::Snapshot { host, snapshot: snapshot(host, number) }).collect()).await;
        longest = longest.max(store.stats().await.unwrap().journal_bytes);
    }
    // Twice what may be open, the batch that went over it, and rows that are not wholly sealed.
    assert!(longest < 4 * max as u64, "{longest}");
    for host in 0..4 {
        all_are_there(&store, host, 1..=600).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_says_little_does_not_keep_the_journal_long() {
    let directory = tempfile::tempdir().unwrap();
    let max = 64 << 10;
    let policy = SealPolicy { frames_max: 10, journal_bytes_max: max, ..SealPolicy::default() };
    let store = opened(directory.path(), policy);
    append(&store, vec![Append::Snapshot { host: 1, snapshot: snapshot(1, 1) }]).await;
    let mut longest = 0;
    for number in 1..=700 {
        // In the row of each fifth batch is a frame of a host whose run is never long.
        let hosts = if number % 5 == 0 { 0..2 } else { 0..1 };
        let batch = hosts.map(|host| {
            let number = if host == 1 { 1 + number / 5 } else { number };
            Append::Snapshot { host, snapshot: if host == 1 { quiet(number) } else { snapshot(host, number) } }
        });
        append(&store, batch.collect()).await;
        longest = longest.max(store.stats().await.unwrap().journal_bytes);
    }
    assert!(longest < 3 * max, "{longest}");
    all_are_there(&store, 0, 1..=700).await;
    all_are_there(&store, 1, 1..=141).await;
}

fn quiet(number: u32) -> Arc<Snapshot> {
    let time = Timestamp::from_ms(i64::from(number) * 1_000);
    Arc::new(Snapshot { time, ..Snapshot::clone(&snapshot(1, 1)) })
}
