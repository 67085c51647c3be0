//! A full disk, as SQLite sees it.

use std::sync::Arc;

use procession_model::{Description, Process, Sample, Snapshot, Timestamp};

use super::{OpenOptions, SqliteStore};
use crate::{Append, Appended, History, Range, StoreError};

fn snapshot(second: i64) -> Arc<Snapshot> {
    let process = |pid: u32| Process {
        description: Arc::new(Description::new(pid, noise(u64::from(pid) << 32 | second.unsigned_abs()))),
        sample: Sample::ABSENT,
    };
    let time = Timestamp::from_ms(second * 1_000);
    Arc::new(Snapshot { time, processes: (1..50).map(process).collect(), ..Snapshot::default() })
}

/// Text that does not compress well.
fn noise(seed: u64) -> String {
    (1..30_u64).map(|step| format!("{:x}", (seed ^ step).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31))).collect()
}

fn set_pages_max(store: &SqliteStore, pages: u32) {
    let database = &store.segments().database;
    database.writer().pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
}

/// Row 6, short: SQLite may not let its file grow. `cargo xtask soak --only disk` fills a real file system.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_so_loses_nothing_and_is_over_once_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
    let pages = |store: &SqliteStore| -> u32 {
        let database = &store.segments().database;
        database.writer().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
    };
    set_pages_max(&store, pages(&store) + 20);
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for second in 1..100 {
        match store.append(vec![Append::Snapshot { host: 0, snapshot: snapshot(second) }]).await {
            Ok(applied) => acknowledged.extend(applied.outcomes.into_iter().zip([second])),
            Err(StoreError::DiskFull) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0 && !acknowledged.is_empty());
    let sealed = store.seal(Timestamp::from_ms(0)).await.and(store.seal(Timestamp::from_ms(1 << 40)).await);
    assert!(matches!(sealed, Ok(()) | Err(StoreError::DiskFull)));
    set_pages_max(&store, 100_000);
    let applied = store.append(vec![Append::Snapshot { host: 0, snapshot: snapshot(1_000) }]).await.unwrap();
    acknowledged.push((applied.outcomes[0].clone(), 1_000));
    store.seal(Timestamp::from_ms(2 << 40)).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
    assert_eq!(store.list(None, Range::default(), None, 1_000).await.unwrap().len(), acknowledged.len());
    for (outcome, second) in acknowledged {
        let Appended::Stored(id) = outcome else { panic!("{outcome:?}") };
        assert_eq!(store.snapshot(id).await.unwrap().unwrap().snapshot.processes, snapshot(second).processes);
    }
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
}
