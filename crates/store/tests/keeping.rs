//! Retention, backup and looking at a store that a server has open.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use procession_model::{Description, Metric, Process, Sample, Snapshot, Timestamp};
use procession_store::{
    Append, Appended, Catalog, History, Nearest, OpenOptions, Range, Retention, Retired, SealPolicy, SqliteCatalog,
    SqliteStore, StoreError, backup,
};
use support::open_when_free;

const MINUTE_MS: i64 = 60_000;
const FOR_EVER: Retention = Retention { keep_ms: [None; 3], bytes_max: None };

async fn open(directory: &Path) -> SqliteStore {
    let mut options = OpenOptions::new(directory);
    options.seal = SealPolicy { frames_max: 10, ..SealPolicy::default() };
    open_when_free(&options).await
}

fn snapshot(minute: i64) -> Arc<Snapshot> {
    let process = |pid: u32| Process {
        description: Arc::new(Description::new(pid, format!("program {pid} of {minute}"))),
        sample: Sample::ABSENT.with(Metric::Cpu, minute.unsigned_abs() + u64::from(pid)),
    };
    let time = Timestamp::from_ms(minute * MINUTE_MS);
    Arc::new(Snapshot { time, processes: (1..20).map(process).collect(), ..Snapshot::default() })
}

async fn append(store: &SqliteStore, host: u32, minutes: std::ops::Range<i64>) {
    for minute in minutes {
        let batch = vec![Append::Snapshot { host, snapshot: snapshot(minute) }];
        let applied = store.append(batch).await.unwrap();
        assert!(matches!(applied.outcomes[..], [Appended::Stored(_)]));
    }
}

async fn seal(store: &SqliteStore) {
    store.seal(Timestamp::from_ms(0)).await.unwrap();
    store.seal(Timestamp::from_ms(86_400_000)).await.unwrap();
}

async fn times(store: &SqliteStore) -> Vec<i64> {
    let list = store.list(None, Range::default(), None, 100_000).await.unwrap();
    list.iter().map(|entry| entry.time.as_ms() / MINUTE_MS).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_goes_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    append(&store, 0, 0..100).await;
    seal(&store).await;
    append(&store, 0, 100..105).await;
    let now = Timestamp::from_ms(105 * MINUTE_MS);
    let retention = Retention { keep_ms: [Some(50 * MINUTE_MS), None, None], bytes_max: None };
    assert_eq!(store.retire(now, FOR_EVER).await.unwrap(), Retired::default());
    let before = store.stats().await.unwrap();
    let retired = store.retire(now, retention).await.unwrap();
    // Blocks of at most 10 go when all of a block is older than the 55th minute.
    let left = times(&store).await;
    let first = left[0];
    assert!((46..=55).contains(&first) && retired.blocks >= 5, "{first}, {retired:?}");
    assert_eq!(left, (first..105).collect::<Vec<_>>());
    assert_eq!(store.retire(now, retention).await.unwrap(), Retired::default());
    let stats = store.stats().await.unwrap();
    assert_eq!((before.snapshots, stats.snapshots), (105, left.len() as u64));
    assert_eq!(before.levels[0].bytes - stats.levels[0].bytes, retired.bytes);
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
    // Late snapshots and new ones find their place as before.
    append(&store, 0, 105..106).await;
    assert_eq!(times(&store).await, (first..106).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_of_bytes_removes_the_oldest_first() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    append(&store, 0, 0..60).await;
    append(&store, 1, 60..120).await;
    seal(&store).await;
    let stats = store.stats().await.unwrap();
    let bytes_max =
        stats.block_bytes + stats.dictionary_bytes + stats.rollup_bytes + stats.name_bytes + stats.journal_bytes
            - stats.levels[0].bytes / 4;
    let retention = Retention { bytes_max: Some(bytes_max), ..FOR_EVER };
    let retired = store.retire(Timestamp::from_ms(0), retention).await.unwrap();
    assert!(retired.bytes > 0 && retired.blocks < 6, "{retired:?}");
    let left = times(&store).await;
    assert_eq!(left, (120 - i64::try_from(left.len()).unwrap()..120).collect::<Vec<_>>());
    let stats = store.stats().await.unwrap();
    let bytes =
        stats.block_bytes + stats.dictionary_bytes + stats.rollup_bytes + stats.name_bytes + stats.journal_bytes;
    assert!(bytes <= bytes_max, "{bytes} > {bytes_max}");
}

/// A question about an old block reads no more strings than that has; a sealing needs all.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_an_old_block_does_not_mislead_the_next_sealing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    append(&store, 0, 0..40).await;
    seal(&store).await;
    store.close().await.unwrap();
    drop(store);
    let store = open(directory.path()).await;
    for (asked, minutes) in [(3, 40..60), (25, 60..80)] {
        assert!(is_there(&store, asked).await);
        append(&store, 0, minutes).await;
        seal(&store).await;
    }
    for minute in (0..80).rev().chain(0..80) {
        assert!(is_there(&store, minute).await, "{minute}");
    }
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
}

async fn is_there(store: &SqliteStore, minute: i64) -> bool {
    let expected = snapshot(minute);
    let found = store.snapshot_at(0, expected.time, Nearest::AtOrBefore).await.unwrap();
    found.is_some_and(|found| found.snapshot.processes == expected.processes)
}

/// Row 20, for the store alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_in_mid_ingest_opens_and_has_a_whole_prefix() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(open(directory.path()).await);
    store.host_named("alpha", Timestamp::from_ms(0)).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let ingest = tokio::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move {
            let mut minute = 0;
            while !stop.load(Ordering::Relaxed) {
                append(&store, 0, minute..minute + 1).await;
                store.seal(Timestamp::from_ms(0)).await.unwrap();
                minute += 1;
            }
        }
    });
    let mut follow = store.follow();
    for _ in 0..10 {
        let acknowledged = follow.recv().await.unwrap().id.sequence();
        let target = tempfile::tempdir().unwrap();
        let options = OpenOptions::new(directory.path());
        let path = target.path().to_owned();
        tokio::task::spawn_blocking(move || backup(&options, &path)).await.unwrap().unwrap();
        let copy = open(target.path()).await;
        let kept = times(&copy).await;
        assert!(kept.len() >= acknowledged as usize, "what was there before the backup is in it");
        assert_eq!(kept, (0..i64::try_from(kept.len()).unwrap()).collect::<Vec<_>>());
        assert_eq!(copy.verify().await.unwrap(), Vec::<String>::new());
        assert_eq!(copy.hosts().await.unwrap().len(), 1);
        follow = store.follow();
    }
    stop.store(true, Ordering::Relaxed);
    ingest.await.unwrap();
    assert!(backup(&OpenOptions::new(directory.path()), directory.path()).is_err(), "never over a store");
}

/// Row 16, for the store alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_store_is_refused_and_looking_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let options = OpenOptions::new(directory.path());
    assert!(SqliteStore::open_to_read(&options).is_err(), "there is nothing to look at");
    let store = open(directory.path()).await;
    append(&store, 0, 0..15).await;
    let error = SqliteStore::open(&options).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)), "{error}");
    let reader = SqliteStore::open_to_read(&options).unwrap();
    seal(&store).await;
    append(&store, 0, 15..20).await;
    // It sees the moment at which it was opened, whatever is sealed meanwhile.
    assert_eq!(times(&reader).await, (0..15).collect::<Vec<_>>());
    assert_eq!(reader.verify().await.unwrap(), Vec::<String>::new());
    assert_eq!(reader.stats().await.unwrap().snapshots, 15);
    let refused = reader.append(vec![Append::Snapshot { host: 0, snapshot: snapshot(99) }]).await;
    assert!(matches!(refused, Err(StoreError::InUse(_))));
    let catalog = SqliteCatalog::open(&options).unwrap();
    assert_eq!(catalog.host_named("beta", Timestamp::from_ms(0)).await.unwrap().number, 0);
    assert_eq!(store.hosts().await.unwrap().len(), 1, "the catalog is written beside a server");
}
