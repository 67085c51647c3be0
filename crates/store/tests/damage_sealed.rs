//! Wrong bits in a sealed store, one at a time: at most one block is lost, and what is lost is told. Two hundred of them;
//! `PROCESSION_FLIPS` says how many else.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::path::Path;
use std::sync::Arc;

use procession_model::{Description, Metric, Process, Sample, Snapshot, SnapshotId, Timestamp};
use procession_store::analysis::{Analysis, Group, Measure, TopRequest};
use procession_store::{Append, History, OpenOptions, Range, SealPolicy, SqliteStore, StoreError};
use rusqlite::{Connection, params};

const HOSTS: u32 = 2;
/// Snapshots of a host.
const SNAPSHOTS: u32 = 28;
const FRAMES_OF_BLOCK: usize = 4;
const FLIPS: u32 = 200;
const TABLES: [&str; 4] = ["block_head", "block_body", "dictionary", "host_base"];

fn snapshot(host: u32, number: u32) -> Arc<Snapshot> {
    let process = |pid: u32| Process {
        description: Arc::new(Description::new(pid, format!("program {pid} of host {host}"))),
        sample: Sample::ABSENT
            .with(Metric::Cpu, u64::from(number) * 7 + u64::from(pid) + u64::from(host) * 1_000)
            .with(Metric::Memory, u64::from(pid) * 4_096),
    };
    let processes = (number..number + 5).map(process).collect();
    // Hours between blocks: questions about all of it are answered by rollups.
    let time = Timestamp::from_ms(i64::from(number - 1) / 4 * 7_200_000 + i64::from(number) * 1_000);
    Arc::new(Snapshot { time, processes, ..Snapshot::default() })
}

fn open(directory: &Path) -> Result<SqliteStore, StoreError> {
    let mut options = OpenOptions::new(directory);
    options.seal = SealPolicy { frames_max: FRAMES_OF_BLOCK, ..SealPolicy::default() };
    SqliteStore::open(&options)
}

/// Blocks, dictionaries, hours, and the state that the next frame goes on from.
async fn filled(directory: &Path) {
    let store = open(directory).unwrap();
    for number in 1..=SNAPSHOTS {
        let batch = (0..HOSTS).map(|host| Append::Snapshot { host, snapshot: snapshot(host, number) }).collect();
        store.append(batch).await.unwrap();
        store.seal(Timestamp::from_ms(0)).await.unwrap();
    }
    assert!(store.stats().await.unwrap().levels[3].blocks > 0);
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
    store.close().await.unwrap();
}

/// How many snapshots cannot be read; all others are as they were sent.
async fn lost(store: &SqliteStore, flip: &str) -> usize {
    let mut lost = 0;
    for (host, number) in (0..HOSTS).flat_map(|host| (1..=SNAPSHOTS).map(move |number| (host, number))) {
        match store.snapshot(SnapshotId::new(host, number).unwrap()).await {
            Ok(Some(kept)) => {
                let mut processes = kept.snapshot.processes.clone();
                processes.sort_by_key(|process| process.description.identity);
                assert_eq!(processes, snapshot(host, number).processes, "{flip}");
            }
            Ok(None) | Err(StoreError::Damaged(_)) => lost += 1,
            Err(other) => panic!("{flip}: {other}"),
        }
    }
    lost
}

/// Questions that go through everything: answered, or refused for the damage, unless all of it can be read elsewhere.
async fn ask(store: &SqliteStore, flip: &str, is_rollup: bool) {
    for host in 0..HOSTS {
        let request =
            TopRequest { host, range: Range::default(), by: Measure::CpuTime, group: Group::Subtree, limit: 10 };
        let answers = [
            store.top(&request).await.map(drop),
            store.host_series(host, Range::default(), 10).await.map(drop),
            store.hosts_with("program 9 of host 0", Range::default(), 10).await.map(drop),
        ];
        for answer in answers {
            assert!(matches!(answer, Ok(()) | Err(StoreError::Damaged(_))), "{flip}: {answer:?}");
            assert!(answer.is_ok() || !is_rollup, "{flip}: {answer:?}");
        }
    }
}

/// What tells the rows of a table apart.
fn key(table: &str) -> &'static str {
    if table == "dictionary" { "host * 1000000 + epoch * 1000 + segment" } else { "rowid" }
}

/// Row 8, for what is sealed.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_bits_cost_a_block_each_at_most_and_are_told() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let database = || Connection::open(directory.path().join("procession.db")).unwrap();
    let mut rows: Vec<(&str, i64, Vec<u8>)> = Vec::new();
    for table in TABLES {
        let read = format!("SELECT {}, bytes FROM {table}", key(table));
        let database = database();
        let mut select = database.prepare(&read).unwrap();
        let found = select.query_map([], |row| Ok((table, row.get(0)?, row.get(1)?))).unwrap();
        rows.extend(found.map(Result::unwrap));
    }
    assert!(TABLES.iter().all(|table| rows.iter().any(|row| row.0 == *table)));
    let hours: Vec<i64> = {
        let database = database();
        let mut select = database.prepare("SELECT id FROM block WHERE level = 3").unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(hours.len(), HOSTS as usize);
    let mut random = fastrand::Rng::with_seed(8);
    let mut most_lost = 0;
    let flips = std::env::var("PROCESSION_FLIPS").map_or(FLIPS, |flips| flips.parse().unwrap());
    for _ in 0..flips {
        let (table, id, whole) = &rows[random.usize(..rows.len())];
        let bit = random.usize(..whole.len() * 8);
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let write = format!("UPDATE {table} SET bytes = ?2 WHERE {} = ?1", key(table));
        assert_eq!(database().execute(&write, params![id, flipped]).unwrap(), 1);
        let flip = format!("{table}, bit {bit} of {}", whole.len() * 8);
        let store = open(directory.path()).unwrap();
        assert!(!store.verify().await.unwrap().is_empty(), "{flip}: nothing told");
        let lost = lost(&store, &flip).await;
        assert!(lost <= FRAMES_OF_BLOCK, "{flip}: {lost} snapshots lost");
        most_lost = lost.max(most_lost);
        ask(&store, &flip, table.starts_with("block") && hours.contains(id)).await;
        store.close().await.unwrap();
        drop(store);
        database().execute(&write, params![id, whole]).unwrap();
    }
    assert_eq!(most_lost, FRAMES_OF_BLOCK, "no block was ever hit");
    let store = open(directory.path()).unwrap();
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
}
