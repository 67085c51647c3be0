//! A damaged store opens, keeps what is whole and says what is not.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::path::Path;
use std::sync::Arc;

use procession_model::{Description, Metric, Process, Sample, Snapshot, SnapshotId, Timestamp};
use procession_store::{Append, History, OpenOptions, Range, SqliteStore};
use rusqlite::{Connection, params};

const HOSTS: u32 = 2;
const ROWS: u32 = 12;

fn snapshot(host: u32, number: u32) -> Arc<Snapshot> {
    let process = |pid: u32| Process {
        description: Arc::new(Description::new(pid, format!("program{}", pid % 3))),
        sample: Sample::ABSENT.with(Metric::Cpu, u64::from(number) * 7 + u64::from(host)),
    };
    let processes = (number..number + 5).map(process).collect();
    Arc::new(Snapshot { time: Timestamp::from_ms(i64::from(number) * 1_000), processes, ..Snapshot::default() })
}

async fn filled(directory: &Path) {
    let store = SqliteStore::open(&OpenOptions::new(directory)).unwrap();
    for number in 1..=ROWS {
        let batch = (0..HOSTS).map(|host| Append::Snapshot { host, snapshot: snapshot(host, number) }).collect();
        store.append(batch).await.unwrap();
    }
    store.close().await.unwrap();
}

fn database(directory: &Path) -> Connection {
    Connection::open(directory.join("procession.db")).unwrap()
}

fn journal_row(connection: &Connection, id: u32) -> Vec<u8> {
    connection.query_row("SELECT bytes FROM journal WHERE id = ?1", [id], |row| row.get(0)).unwrap()
}

fn set_journal_row(connection: &Connection, id: u32, bytes: &[u8]) {
    assert_eq!(connection.execute("UPDATE journal SET bytes = ?2 WHERE id = ?1", params![id, bytes]).unwrap(), 1);
}

/// How many snapshots a host has; all of them are as they were sent.
async fn whole_prefix(store: &SqliteStore, host: u32) -> u32 {
    let list = store.list(Some(host), Range::default(), None, 1_000).await.unwrap();
    for (entry, number) in list.iter().zip(1..) {
        assert_eq!(entry.id, SnapshotId::new(host, number).unwrap());
        let mut kept = store.snapshot(entry.id).await.unwrap().unwrap().snapshot.processes.clone();
        kept.sort_by_key(|process| process.description.identity);
        assert_eq!(kept, snapshot(host, number).processes);
    }
    u32::try_from(list.len()).unwrap()
}

/// Row 7: a journal cut at every byte opens and keeps what comes before the cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_cut_anywhere_keeps_its_prefix() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let whole = journal_row(&database(directory.path()), ROWS);
    for cut in (0..whole.len()).rev() {
        set_journal_row(&database(directory.path()), ROWS, &whole[..cut]);
        let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
        let kept = [whole_prefix(&store, 0).await, whole_prefix(&store, 1).await];
        assert!(kept.iter().all(|kept| *kept >= ROWS - 1), "cut at {cut}: {kept:?}");
        let lost = kept.iter().any(|kept| *kept < ROWS);
        let at_a_record = store.verify().await.unwrap().is_empty();
        assert!(lost, "cut at {cut}");
        // A cut between two records looks like a row that ends there; no other cut does.
        assert!(!at_a_record || cut <= 1 || kept[0] == ROWS, "cut at {cut}: nothing reported");
        store.close().await.unwrap();
    }
}

/// How many bits of a journal are flipped; `PROCESSION_TEST_FLIPS` says otherwise.
const FLIPS: usize = 1_000;

/// Row 8, for the journal: random bits, each in another row, and no record is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_flipped_bits_in_the_journal_cost_nothing_and_are_reported() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let flips = std::env::var("PROCESSION_TEST_FLIPS").ok().and_then(|flips| flips.parse().ok()).unwrap_or(FLIPS);
    let whole: Vec<Vec<u8>> = (1..=ROWS).map(|row| journal_row(&database(directory.path()), row)).collect();
    let mut random = fastrand::Rng::with_seed(8);
    for round in 0..flips.div_ceil(whole.len()) {
        let mut connection = database(directory.path());
        let transaction = connection.transaction().unwrap();
        for (row, whole) in (1..).zip(&whole) {
            let mut flipped = whole.clone();
            let bit = random.usize(..whole.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            set_journal_row(&transaction, row, &flipped);
        }
        transaction.commit().unwrap();
        drop(connection);
        let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
        assert_eq!(store.verify().await.unwrap().len(), whole.len(), "round {round}: not all was reported");
        for host in 0..HOSTS {
            assert_eq!(whole_prefix(&store, host).await, ROWS, "round {round}: host {host} lost something");
        }
        store.close().await.unwrap();
    }
}

/// Row 8, for the journal, where more than one bit of a record is wrong: it is lost, and of its host what goes on from it, up
/// to the next keyframe or block.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_of_the_journal_costs_a_prefix_of_one_host_and_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let middle = ROWS / 2;
    let whole = journal_row(&database(directory.path()), middle);
    // Both records are of one length.
    let first_ends = 1 + (whole.len() - 1) / 2;
    for bit in (8..(first_ends - 2) * 8).step_by(29) {
        let mut flipped = whole.clone();
        for bit in [bit, bit + 9] {
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
        set_journal_row(&database(directory.path()), middle, &flipped);
        let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
        assert!(!store.verify().await.unwrap().is_empty(), "bit {bit}: nothing reported");
        let kept = [whole_prefix(&store, 0).await, whole_prefix(&store, 1).await];
        assert_eq!(kept[1], ROWS, "bit {bit}: both hosts lost something: {kept:?}");
        assert!((middle - 1..ROWS).contains(&kept[0]), "bit {bit}: {kept:?}");
        // It goes on: the next snapshot is kept whatever was lost.
        let applied = store.append(vec![Append::Snapshot { host: 0, snapshot: snapshot(0, ROWS + 1) }]).await.unwrap();
        assert!(matches!(applied.outcomes[..], [procession_store::Appended::Stored(_)]));
        drop(store);
        database(directory.path()).execute("DELETE FROM journal WHERE id > ?1", [ROWS]).unwrap();
    }
}

/// Row 8, for blocks.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_block_is_an_error_or_a_report_and_never_a_wrong_answer() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
    store.seal(Timestamp::from_ms(0)).await.unwrap();
    store.seal(Timestamp::from_ms(86_400_000)).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    for table in ["block_head", "block_body", "dictionary", "host_base"] {
        flip_in(directory.path(), table).await;
    }
}

async fn flip_in(directory: &Path, table: &str) {
    let read = format!("SELECT bytes FROM {table} LIMIT 1");
    let write = format!("UPDATE {table} SET bytes = ?1 WHERE bytes = ?2");
    let whole: Vec<u8> = database(directory).query_row(&read, [], |row| row.get(0)).unwrap();
    for bit in (0..whole.len() * 8).step_by(17) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        database(directory).execute(&write, params![flipped, whole]).unwrap();
        let store = SqliteStore::open(&OpenOptions::new(directory)).unwrap();
        assert!(!store.verify().await.unwrap().is_empty(), "{table}, bit {bit}: nothing reported");
        for number in 1..=ROWS {
            let found = store.snapshot(SnapshotId::new(0, number).unwrap()).await;
            if let Ok(Some(kept)) = found {
                let mut processes = kept.snapshot.processes.clone();
                processes.sort_by_key(|process| process.description.identity);
                assert_eq!(processes, snapshot(0, number).processes, "{table}, bit {bit}");
            }
        }
        store.close().await.unwrap();
        drop(store);
        database(directory).execute(&write, params![whole, flipped]).unwrap();
    }
}

/// A table of which everything is wrong, in every byte.
fn spoil(directory: &Path, table: &str) {
    let database = database(directory);
    let mut select = database.prepare(&format!("SELECT host, bytes FROM {table}")).unwrap();
    let rows: Vec<(u32, Vec<u8>)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    assert!(!rows.is_empty());
    for (host, bytes) in rows {
        let wrong: Vec<u8> = bytes.iter().map(|byte| byte ^ 0x5a).collect();
        database.execute(&format!("UPDATE {table} SET bytes = ?2 WHERE host = ?1"), params![host, wrong]).unwrap();
    }
}

async fn append(store: &SqliteStore, numbers: std::ops::RangeInclusive<u32>) {
    for number in numbers {
        let batch = (0..HOSTS).map(|host| Append::Snapshot { host, snapshot: snapshot(host, number) }).collect();
        store.append(batch).await.unwrap();
    }
}

/// All that is open, as soon as it is old; more than once, as a server does.
async fn seal(store: &SqliteStore) {
    for now in 0..4 {
        store.seal(Timestamp::from_ms(now * 86_400_000)).await.unwrap();
    }
}

/// A host that is awake goes on after what its open frames go on from was lost: sealed, without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn what_open_frames_go_on_from_is_lost_and_the_host_goes_on() {
    for (table, lost) in [("host_base", 6..10), ("dictionary", 1..6)] {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
        append(&store, 1..=5).await;
        seal(&store).await;
        assert_eq!(store.stats().await.unwrap().journal_bytes, 0);
        // Opened again, so that nothing of it is in memory but the live state, which is needed for the next snapshot.
        store.close().await.unwrap();
        drop(store);
        let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
        append(&store, 6..=10).await;
        spoil(directory.path(), table);
        let mut follow = store.follow();
        seal(&store).await;
        append(&store, 11..=12).await;
        for host in 0..HOSTS {
            let latest = store.latest(host).await.unwrap().unwrap();
            assert_eq!((latest.id.sequence(), latest.snapshot.time), (12, Timestamp::from_ms(12_000)));
        }
        // Who follows goes on from what was there before.
        for _ in 0..2 * HOSTS {
            assert_eq!(follow.recv().await.unwrap().frame.kind, procession_codec::FrameKind::Delta);
        }
        seal(&store).await;
        assert_eq!(store.stats().await.unwrap().journal_bytes, 0, "{table}: not sealed");
        assert!(!store.verify().await.unwrap().is_empty(), "{table}: nothing told");
        store.close().await.unwrap();
        drop(store);
        let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
        for host in 0..HOSTS {
            for number in 1..=12 {
                let kept = store.snapshot(SnapshotId::new(host, number).unwrap()).await;
                if lost.contains(&number) {
                    assert!(!matches!(kept, Ok(Some(_))), "{table}: {number}");
                    continue;
                }
                let mut processes = kept.unwrap().unwrap().snapshot.processes.clone();
                processes.sort_by_key(|process| process.description.identity);
                assert_eq!(processes, snapshot(host, number).processes, "{table}: {number}");
            }
        }
        let told = store.verify().await.unwrap();
        assert_eq!(told.is_empty(), table == "host_base", "{table}: {told:?}");
    }
}
