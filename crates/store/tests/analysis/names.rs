//! The index of names says what whoever goes through all that is kept would say, however it is kept.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use procession_model::{Description, Process, Sample, Snapshot, Timestamp};
use procession_store::analysis::{Analysis, HostWith};
use procession_store::{
    Append, Appended, Catalog, History, HostNumber, OpenOptions, Range, Retention, SealPolicy, SqliteStore, StoreError,
    forget_names,
};
use rusqlite::Connection;

use crate::made::{self, Random, Recipe};
use crate::support::open_when_free;

const NAMES: [&str; 9] = ["postgres", "sh", "cc1", "ld", "nginx", "worker", "systemd", "once", "nobody"];
const FOR_EVER: Retention = Retention { keep_ms: [None; 3], bytes_max: None };

async fn open(directory: &Path) -> SqliteStore {
    let mut options = OpenOptions::new(directory);
    options.seal = SealPolicy { frames_max: 9, ..SealPolicy::default() };
    open_when_free(&options).await
}

async fn open_again(store: SqliteStore, directory: &Path) -> SqliteStore {
    store.close().await.unwrap();
    store.seal(Timestamp::from_ms(0)).await.unwrap();
    drop(store);
    open(directory).await
}

async fn append(store: &SqliteStore, host: HostNumber, snapshots: &[Arc<Snapshot>]) {
    let batch = snapshots.iter().map(|snapshot| Append::Snapshot { host, snapshot: Arc::clone(snapshot) }).collect();
    let applied = store.append(batch).await.unwrap();
    assert!(applied.outcomes.iter().all(|outcome| matches!(outcome, Appended::Stored(_))));
}

/// All that is there, as anyone would find it who reads every snapshot.
async fn kept(store: &SqliteStore, host: HostNumber) -> Vec<Arc<Snapshot>> {
    let mut snapshots = Vec::new();
    for entry in store.list(Some(host), Range::default(), None, 100_000).await.unwrap() {
        snapshots.push(store.snapshot(entry.id).await.unwrap().unwrap().snapshot);
    }
    // The newest one outlives its block.
    let newest = store.latest(host).await.unwrap().map(|kept| kept.snapshot);
    snapshots.extend(newest.filter(|newest| snapshots.iter().all(|other| other.time != newest.time)));
    snapshots
}

fn expected(hosts: &[(HostNumber, Vec<Arc<Snapshot>>)], name: &str, range: Range) -> Vec<HostWith> {
    let with = |(host, snapshots): &(HostNumber, Vec<Arc<Snapshot>>)| {
        let named = |snapshot: &Snapshot| {
            snapshot.processes.iter().filter(|process| *process.description.name == *name).count()
        };
        let was_brief = |snapshot: &Snapshot| snapshot.brief.iter().any(|brief| *brief.description.name == *name);
        let told = snapshots.iter().filter(|snapshot| named(snapshot) > 0 || was_brief(snapshot));
        let times: BTreeSet<Timestamp> =
            told.map(|snapshot| snapshot.time).filter(|time| range.contains(*time)).collect();
        let newest = snapshots.iter().max_by_key(|snapshot| snapshot.time)?;
        let running = u32::try_from(named(newest)).unwrap();
        Some(HostWith { host: *host, first: *times.first()?, last: *times.last()?, running })
    };
    hosts.iter().filter_map(with).collect()
}

async fn check(store: &SqliteStore, hosts: &[(HostNumber, Vec<Arc<Snapshot>>)], random: &mut Random) {
    let times: Vec<Timestamp> = hosts.iter().flat_map(|host| &host.1).map(|snapshot| snapshot.time).collect();
    let mut ranges = vec![Range::default()];
    for _ in 0..6 {
        let mut some = || {
            let time = times[usize::try_from(random.below(times.len() as u64)).unwrap()];
            (!random.one_in(3)).then(|| time.plus_ms(i64::try_from(random.below(3)).unwrap() - 1))
        };
        ranges.push(Range { start: some(), end: some() });
    }
    for range in ranges {
        for name in NAMES {
            let answer = store.hosts_with(name, range, 100).await.unwrap();
            let expected = expected(hosts, name, range);
            assert_eq!((answer.count, answer.hosts), (expected.len() as u64, expected), "{name} in {range:?}");
        }
    }
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
}

fn recipe(seed: u64) -> Recipe {
    Recipe {
        seed,
        snapshots: 130,
        interval_ms: 20_000,
        is_measured: true,
        has_starts: true,
        late_one_in: 7 * (seed % 2),
    }
}

/// Appended, sealed, retired by their size and opened again in any order.
#[tokio::test]
async fn answers_are_those_of_what_is_kept() {
    for seed in 0..4 {
        let mut random = Random::new(seed);
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path()).await;
        let mut hosts = Vec::new();
        for number in 0..3 {
            let host = store.host_named(&format!("host {number}"), Timestamp::from_ms(0)).await.unwrap().number;
            hosts.push((
                host,
                made::snapshots(recipe(seed * 10 + number)).into_iter().collect::<std::collections::VecDeque<_>>(),
            ));
        }
        for step in 0..40 {
            for (host, left) in &mut hosts {
                let count = usize::try_from(random.below(8)).unwrap().min(left.len());
                append(&store, *host, &left.drain(..count).collect::<Vec<_>>()).await;
            }
            match random.below(6) {
                0 => {
                    store = open_again(store, directory.path()).await;
                }
                1 | 2 => store.seal(Timestamp::from_ms(step * 40_000_000)).await.unwrap(),
                3 => {
                    // By size, so that no rollups stand for what goes.
                    let stats = store.stats().await.unwrap();
                    let bytes = stats.block_bytes + stats.rollup_bytes + stats.dictionary_bytes + stats.journal_bytes;
                    let bytes_max = Some(bytes.saturating_sub(stats.block_bytes / 5));
                    store.retire(Timestamp::from_ms(0), Retention { bytes_max, ..FOR_EVER }).await.unwrap();
                }
                _ => {}
            }
            if step % 8 == 7 && store.stats().await.unwrap().levels[3].blocks == 0 {
                let mut there = Vec::new();
                for (host, _) in &hosts {
                    there.push((*host, kept(&store, *host).await));
                }
                check(&store, &there, &mut random).await;
            }
        }
        assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
    }
}

fn snapshot(second: i64, names: &[&str]) -> Arc<Snapshot> {
    let process = |(pid, name): (u32, &&str)| Process {
        description: Arc::new(Description::new(pid, *name)),
        sample: Sample::ABSENT,
    };
    let processes = (1..).zip(names).map(process).collect();
    Arc::new(Snapshot { time: Timestamp::from_ms(second * 1_000), processes, ..Snapshot::default() })
}

async fn seal_all(store: &SqliteStore) {
    for now in [0, i64::MAX / 2] {
        store.seal(Timestamp::from_ms(now)).await.unwrap();
    }
}

async fn seconds(store: &SqliteStore, name: &str) -> Option<(i64, i64)> {
    let answer = store.hosts_with(name, Range::default(), 10).await.unwrap();
    answer.hosts.first().map(|host| (host.first.as_ms() / 1_000, host.last.as_ms() / 1_000))
}

/// A name goes with the last that tells of it; a host that was silent for longer than anything is kept comes back.
#[tokio::test]
async fn names_go_with_what_told_of_them_and_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path()).await;
    let host = store.host_named("made", Timestamp::from_ms(0)).await.unwrap().number;
    let early: Vec<_> =
        (0..45).map(|second| snapshot(second, if second == 3 { &["init", "once"] } else { &["init"] })).collect();
    append(&store, host, &early).await;
    seal_all(&store).await;
    assert_eq!((seconds(&store, "init").await, seconds(&store, "once").await), (Some((0, 44)), Some((3, 3))));
    // Blocks of nine: the first goes by its size, and has no hours.
    let stats = store.stats().await.unwrap();
    let all = stats.block_bytes + stats.rollup_bytes + stats.dictionary_bytes + stats.journal_bytes + stats.name_bytes;
    let bytes_max = Some(all - 1);
    assert_eq!(store.retire(Timestamp::from_ms(0), Retention { bytes_max, ..FOR_EVER }).await.unwrap().blocks, 1);
    assert_eq!((seconds(&store, "init").await, seconds(&store, "once").await), (Some((9, 44)), None));
    let nothing = Retention { keep_ms: [Some(0); 3], bytes_max: None };
    for is_opened_again in [false, true] {
        // By age, all levels.
        while store.retire(Timestamp::from_ms(i64::MAX / 2), nothing).await.unwrap().blocks > 0 {}
        assert_eq!(store.stats().await.unwrap().levels.map(|level| level.blocks), [0; 4]);
        // The newest snapshot outlives its block.
        let newest = if is_opened_again { 1_007 } else { 44 };
        assert_eq!((seconds(&store, "init").await, seconds(&store, "other").await), (Some((newest, newest)), None));
        assert!(store.stats().await.unwrap().name_bytes < 20);
        assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
        if is_opened_again {
            store = open_again(store, directory.path()).await;
        }
        // It goes on with the same processes: none begins.
        let begin = if is_opened_again { 2_000 } else { 1_000 };
        append(&store, host, &(begin..begin + 5).map(|second| snapshot(second, &["init"])).collect::<Vec<_>>()).await;
        assert_eq!(seconds(&store, "init").await, Some((begin, begin + 4)));
        seal_all(&store).await;
        assert_eq!(seconds(&store, "init").await, Some((begin, begin + 4)));
        append(&store, host, &[snapshot(begin + 5, &["init"]), snapshot(begin + 6, &["other"])]).await;
        assert_eq!(seconds(&store, "init").await, Some((begin, begin + 5)));
        seal_all(&store).await;
        assert_eq!(seconds(&store, "init").await, Some((begin, begin + 5)));
        append(&store, host, &[snapshot(begin + 7, &["init"])]).await;
        seal_all(&store).await;
        assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
    }
}

/// What is wrong in the index is told by `verify`, and made anew by the next sealing.
#[tokio::test]
async fn a_wrong_index_is_told_and_made_anew() {
    let wrongs = [
        "UPDATE name_seen SET first = first - 1000 WHERE name = CAST('init' AS BLOB)",
        "UPDATE name_seen SET last = 7000 WHERE name = CAST('init' AS BLOB)",
        "UPDATE name_seen SET name = CAST('other' AS BLOB) WHERE name = CAST('once' AS BLOB)",
        "DELETE FROM name_seen WHERE name = CAST('once' AS BLOB)",
        "INSERT INTO name_seen VALUES (0, CAST('more' AS BLOB), 5, 5, NULL)",
        "UPDATE name_host SET until = until + 1000",
        "DELETE FROM name_host",
        "UPDATE name_seen SET first = 'text'",
        "UPDATE name_seen SET name = x'ff' WHERE name = CAST('once' AS BLOB)",
    ];
    for wrong in wrongs {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).await;
        let host = store.host_named("made", Timestamp::from_ms(0)).await.unwrap().number;
        let names = |second| if second == 3 { &["init", "once"][..] } else { &["init"] };
        append(&store, host, &(1..30).map(|second| snapshot(second, names(second))).collect::<Vec<_>>()).await;
        seal_all(&store).await;
        append(&store, host, &[snapshot(30, &["init"])]).await;
        store.close().await.unwrap();
        drop(store);
        let database = Connection::open(directory.path().join("procession.db")).unwrap();
        assert!(database.execute(wrong, []).unwrap() > 0);
        drop(database);
        let store = open(directory.path()).await;
        let told = store.verify().await.unwrap();
        // A host that the index does not have is asked itself.
        assert_eq!(told.is_empty(), wrong.ends_with("name_host"), "{wrong}: {told:?}");
        for _ in 0..2 {
            assert_eq!(seconds(&store, "init").await, Some((1, 30)), "{wrong}");
            assert_eq!(seconds(&store, "once").await, Some((3, 3)), "{wrong}");
            assert_eq!((seconds(&store, "other").await, seconds(&store, "more").await), (None, None), "{wrong}");
            store.seal(Timestamp::from_ms(0)).await.unwrap();
        }
        let store = open_again(store, directory.path()).await;
        assert_eq!(store.verify().await.unwrap(), Vec::<String>::new(), "{wrong}");
        assert_eq!((seconds(&store, "init").await, seconds(&store, "once").await), (Some((1, 30)), Some((3, 3))));
    }
}

/// A name that was there all the time is there at both ends of any range.
#[tokio::test]
async fn what_lives_on_is_there_at_the_ends_of_a_range() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let host = store.host_named("made", Timestamp::from_ms(0)).await.unwrap().number;
    let names = |second| if second < 11 { &["late"][..] } else { &["late", "init"] };
    let all: Vec<_> = (0..60).filter(|second| second % 20 != 7).map(|second| snapshot(second, names(second))).collect();
    append(&store, host, &all[..50]).await;
    seal_all(&store).await;
    append(&store, host, &all[50..]).await;
    for is_late in [false, true] {
        let mut there = all.clone();
        if is_late {
            // It does not have what all others have.
            there.push(snapshot(27, &["late"]));
            there.push(snapshot(47, &["init"]));
            append(&store, host, &there[all.len()..]).await;
            seal_all(&store).await;
        }
        let there = [(host, there)];
        for (start, end) in (0..62).flat_map(|start| (start..64).step_by(5).map(move |end| (start, end))) {
            let time = |second: i64| Some(Timestamp::from_ms(second * 1_000));
            for range in [Range { start: time(start), end: time(end) }, Range { start: time(start), end: None }] {
                for name in ["init", "late"] {
                    let answer = store.hosts_with(name, range, 10).await.unwrap();
                    assert_eq!(answer.hosts, expected(&there, name, range), "{name} in {range:?}");
                }
            }
        }
    }
}

/// A store that nobody has open can be told to make its index anew.
#[tokio::test]
async fn an_index_that_was_emptied_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let options = OpenOptions::new(directory.path());
    assert!(forget_names(&options).is_err(), "there is no store");
    let store = open(directory.path()).await;
    let host = store.host_named("made", Timestamp::from_ms(0)).await.unwrap().number;
    append(&store, host, &(0..30).map(|second| snapshot(second, &["init"])).collect::<Vec<_>>()).await;
    seal_all(&store).await;
    assert!(matches!(forget_names(&options), Err(StoreError::InUse(_))));
    assert!(store.stats().await.unwrap().name_bytes > 0);
    drop(open_again(store, directory.path()).await);
    forget_names(&options).unwrap();
    let store = open(directory.path()).await;
    assert_eq!((store.stats().await.unwrap().name_bytes, seconds(&store, "init").await), (0, Some((0, 29))));
    store.seal(Timestamp::from_ms(0)).await.unwrap();
    assert!(store.stats().await.unwrap().name_bytes > 0);
    assert_eq!((seconds(&store, "init").await, store.verify().await.unwrap()), (Some((0, 29)), Vec::new()));
}

/// A host that makes names up without end is asked itself, and does not fill the index.
#[tokio::test]
async fn a_host_with_too_many_names_leaves_the_index() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let host = store.host_named("made", Timestamp::from_ms(0)).await.unwrap().number;
    for second in 0..5 {
        let names: Vec<String> = (0..15_000).map(|number| format!("{second} {number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        append(&store, host, &[snapshot(second, &names)]).await;
        seal_all(&store).await;
        let is_in = store.stats().await.unwrap().name_bytes > 0;
        assert_eq!(is_in, second < 4, "{second}");
        let told = [seconds(&store, "0 7").await, seconds(&store, "4 14999").await, seconds(&store, "9 9").await];
        assert_eq!(told, [Some((0, 0)), (second == 4).then_some((4, 4)), None]);
    }
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
}
