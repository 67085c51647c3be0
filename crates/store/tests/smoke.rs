//! The whole way once: append, read, seal, restart, read.

use std::sync::Arc;

use procession_model::{Description, Metric, Process, Sample, Snapshot, Timestamp};
use procession_store::{Append, Appended, Catalog, History, Nearest, OpenOptions, Range, SampleFilter, SqliteStore};

fn snapshot(second: i64) -> Arc<Snapshot> {
    let processes = (0..5)
        .map(|index| Process {
            description: Arc::new(Description::new(100 + index, format!("program{index}"))),
            sample: Sample::ABSENT
                .with(Metric::Cpu, u64::from(index) * 10 + second.unsigned_abs() % 7)
                .with(Metric::Memory, 4_096 * (u64::from(index) + 1)),
        })
        .collect();
    Arc::new(Snapshot { time: Timestamp::from_ms(second * 1_000), processes, ..Snapshot::default() })
}

async fn check(store: &SqliteStore, host: u32, count: i64) {
    let latest = store.latest(host).await.unwrap().unwrap();
    assert_eq!(latest.snapshot, snapshot(count));
    let list = store.list(Some(host), Range::default(), None, 1_000).await.unwrap();
    assert_eq!(list.len(), usize::try_from(count).unwrap());
    for (entry, second) in list.iter().zip(1..) {
        assert_eq!(entry.time, Timestamp::from_ms(second * 1_000));
        assert_eq!(store.snapshot(entry.id).await.unwrap().unwrap().snapshot, snapshot(second));
    }
    let at = store.snapshot_at(host, Timestamp::from_ms(3_500), Nearest::AtOrAfter).await.unwrap().unwrap();
    assert_eq!(at.snapshot, snapshot(4));
    let filter = SampleFilter { name: Some("program3".to_owned()), ..SampleFilter::default() };
    let page = store.samples(&filter, 4, 3).await.unwrap();
    assert_eq!((page.count, page.items.len()), (count.unsigned_abs(), 3));
    assert_eq!(page.items[0].time, Timestamp::from_ms(5_000));
    let runs = store.runs(host, "program1", Range::default()).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert!(runs[0].running);
    assert_eq!(store.stats().await.unwrap().process_samples, 5 * count.unsigned_abs());
    assert!(store.verify().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way() {
    let directory = tempfile::tempdir().unwrap();
    let options = OpenOptions::new(directory.path());
    let store = SqliteStore::open(&options).unwrap();
    let host = store.host_named("alpha", Timestamp::from_ms(0)).await.unwrap().number;
    for second in 1..=10 {
        let applied = store.append(vec![Append::Snapshot { host, snapshot: snapshot(second) }]).await.unwrap();
        assert!(matches!(applied.outcomes[..], [Appended::Stored(id)] if i64::from(id.sequence()) == second));
    }
    check(&store, host, 10).await;
    store.seal(Timestamp::from_ms(0)).await.unwrap();
    store.seal(Timestamp::from_ms(10_000_000)).await.unwrap();
    assert_eq!(store.stats().await.unwrap().journal_bytes, 0);
    check(&store, host, 10).await;
    let applied = store.append(vec![Append::Snapshot { host, snapshot: snapshot(11) }]).await.unwrap();
    assert_eq!(applied.outcomes.len(), 1);
    check(&store, host, 11).await;
    assert!(SqliteStore::open(&options).is_err());
    store.close().await.unwrap();
    drop(store);
    check(&SqliteStore::open(&options).unwrap(), host, 11).await;
}
