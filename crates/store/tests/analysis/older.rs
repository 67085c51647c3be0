//! A store as an older version left it is opened, answers, and gets what it has not.

use std::path::Path;
use std::sync::Arc;

use procession_model::{Snapshot, Timestamp};
use procession_store::analysis::{Analysis, HostWith};
use procession_store::{Append, History, OpenOptions, Range, SealPolicy, SqliteStore};

use crate::made::{self, Recipe};

/// Before there was an index of names: two hosts, blocks of 50 snapshots, hours of one, the last snapshots not sealed.
const SCHEMA_2: &[u8] = include_bytes!("../golden/schema_2.db.zst");
const DATABASE_BYTES: usize = 1 << 20;

/// What was appended to it.
fn recipes() -> [Recipe; 2] {
    let recipe =
        Recipe { seed: 90, snapshots: 620, interval_ms: 20_000, is_measured: true, has_starts: true, late_one_in: 20 };
    [recipe, Recipe { seed: 91, snapshots: 90, interval_ms: 5_000, late_one_in: 0, ..recipe }]
}

fn open(directory: &Path) -> SqliteStore {
    let mut options = OpenOptions::new(directory);
    options.seal = SealPolicy { frames_max: 50, ..SealPolicy::default() };
    SqliteStore::open(&options).unwrap()
}

async fn check(store: &SqliteStore, hosts: &[Vec<Arc<Snapshot>>]) {
    for name in ["postgres", "sh", "cc1", "ld", "nginx", "worker", "systemd", "nobody"] {
        let with = |(host, snapshots): (u32, &Vec<Arc<Snapshot>>)| {
            let named = |snapshot: &Snapshot| {
                snapshot.processes.iter().filter(|process| *process.description.name == *name).count()
            };
            let was_brief = |snapshot: &Snapshot| snapshot.brief.iter().any(|brief| *brief.description.name == *name);
            let told = || snapshots.iter().filter(|snapshot| named(snapshot) > 0 || was_brief(snapshot));
            let first = told().map(|snapshot| snapshot.time).min()?;
            let last = told().map(|snapshot| snapshot.time).max()?;
            let newest = snapshots.iter().max_by_key(|snapshot| snapshot.time)?;
            Some(HostWith { host, first, last, running: u32::try_from(named(newest)).unwrap() })
        };
        let expected: Vec<HostWith> = (0..).zip(hosts).filter_map(with).collect();
        assert_eq!(store.hosts_with(name, Range::default(), 10).await.unwrap().hosts, expected, "{name}");
    }
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_store_without_an_index_of_names_gets_one() {
    let directory = tempfile::tempdir().unwrap();
    let database = zstd::bulk::decompress(SCHEMA_2, DATABASE_BYTES).unwrap();
    std::fs::write(directory.path().join("procession.db"), database).unwrap();
    let mut hosts: Vec<Vec<Arc<Snapshot>>> = recipes().into_iter().map(made::snapshots).collect();
    let store = open(directory.path());
    let list = store.list(None, Range::default(), None, 10_000).await.unwrap();
    assert_eq!(list.len(), hosts.iter().map(Vec::len).sum::<usize>());
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.name_bytes, stats.levels[3].blocks > 0, stats.journal_bytes > 0), (0, true, true));
    // Each host is asked itself as long as the index does not have it, and while it is sealed.
    check(&store, &hosts).await;
    for round in 0..3 {
        let newest = hosts[1].last().unwrap();
        let snapshot = Arc::new(Snapshot { time: newest.time.plus_ms(5_000), ..Snapshot::clone(newest) });
        hosts[1].push(Arc::clone(&snapshot));
        store.append(vec![Append::Snapshot { host: 1, snapshot }]).await.unwrap();
        store.seal(Timestamp::from_ms(round * 86_400_000)).await.unwrap();
        check(&store, &hosts).await;
    }
    assert!(store.stats().await.unwrap().name_bytes > 0);
    store.close().await.unwrap();
    drop(store);
    check(&open(directory.path()), &hosts).await;
}
