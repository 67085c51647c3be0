//! Every query against the model.

use procession_model::{Snapshot, SnapshotId, Timestamp};
use procession_store::analysis::{Analysis, HostWith, HostsWith};
use procession_store::{History, Nearest, Range, SampleFilter};

use crate::model::{Model, canonical, cpu_integral, run_key};
use crate::random::Random;

/// Everything that a query can answer.
pub(crate) async fn everything<S: History + Analysis>(store: &S, model: &Model, random: &mut Random) {
    for (host, kept) in &model.hosts {
        let newest = kept.newest().unwrap();
        let latest = store.latest(*host).await.unwrap().unwrap();
        assert_eq!((latest.id, &canonical((*latest.snapshot).clone())), (newest.0, &newest.1));
        let (id, keyframe) = store.live_frame(*host).await.unwrap().unwrap();
        assert_eq!((id, keyframe.time), (newest.0, newest.1.time));
        assert_eq!(store.facts(*host).await.unwrap().unwrap(), newest.1.facts);
        for (id, snapshot) in kept.snapshots.values() {
            let found = store.snapshot(*id).await.unwrap().unwrap();
            assert_eq!((found.id, &canonical((*found.snapshot).clone())), (*id, snapshot));
        }
    }
    for _ in 0..3 {
        let range = some_range(model, random);
        lists(store, model, range, random).await;
        scans(store, model, range, random).await;
        series(store, model, range, random).await;
        samples(store, model, range, random).await;
        runs(store, model, range).await;
        hosts_with(store, model, range).await;
        hosts_with(store, model, Range::default()).await;
        nearest(store, model, random).await;
    }
    nothing_there(store).await;
    totals(store, model).await;
}

fn some_range(model: &Model, random: &mut Random) -> Range {
    let all = model.list(None, Range::default());
    let mut some = || (!random.one_in(3)).then(|| all[random.below(all.len() as u64) as usize].time);
    let (start, end) = (some(), some().map(|end| end.plus_ms(1)));
    Range { start, end }
}

async fn lists(store: &dyn History, model: &Model, range: Range, random: &mut Random) {
    for host in model.hosts.keys().copied().map(Some).chain([None]) {
        let expected = model.list(host, range);
        assert_eq!(store.list(host, range, None, 100_000).await.unwrap(), expected);
        let limit = 1 + random.below(5) as usize;
        let last = &expected[expected.len().saturating_sub(limit)..];
        assert_eq!(store.list(host, range, None, limit).await.unwrap(), last);
        if !expected.is_empty() {
            let before = random.below(expected.len() as u64) as usize;
            let page = &expected[before.saturating_sub(limit)..before];
            assert_eq!(store.list(host, range, Some(expected[before].id), limit).await.unwrap(), page);
        }
    }
}

/// All snapshots of a range, some at a time.
async fn scans(store: &dyn History, model: &Model, range: Range, random: &mut Random) {
    for (host, kept) in &model.hosts {
        let mut found: Vec<(SnapshotId, Snapshot)> = Vec::new();
        let mut after = None;
        loop {
            let limit = 1 + random.below(9) as usize;
            let page = store.scan(*host, range, after, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.entry());
            found.extend(page.into_iter().map(|kept| (kept.id, canonical((*kept.snapshot).clone()))));
        }
        let expected: Vec<_> = kept.in_range(range).cloned().collect();
        assert_eq!(found, expected, "host {host} in {range:?}");
    }
}

async fn series(store: &dyn History, model: &Model, range: Range, random: &mut Random) {
    for (host, kept) in &model.hosts {
        let expected = kept.points(range);
        let limit = 1 + random.below(8) as usize;
        let newest = &expected[expected.len().saturating_sub(limit)..];
        assert_eq!(store.newest_points(*host, range, limit).await.unwrap(), newest);
        let all = store.host_series(*host, range, 100_000).await.unwrap();
        assert_eq!((all.step_ms, &all.points), (0, &expected));
        let few = store.host_series(*host, range, limit).await.unwrap();
        assert!(few.points.len() <= limit);
        assert_eq!(few.points.last().map(|point| point.id), expected.last().map(|point| point.id));
        let highest = |points: &[procession_store::HostPoint]| points.iter().map(|point| point.cpu_max).max();
        assert_eq!(highest(&few.points), highest(&expected));
        assert!(cpu_integral(&few.points) <= cpu_integral(&expected));
    }
}

async fn samples(store: &dyn History, model: &Model, range: Range, random: &mut Random) {
    let filters = [
        SampleFilter { range, ..SampleFilter::default() },
        SampleFilter { range, host: Some(1), name: Some("postgres".to_owned()), ..SampleFilter::default() },
        SampleFilter { range, user: Some("ann".to_owned()), cpu_min: Some(1 << 20), ..SampleFilter::default() },
        SampleFilter { range, memory_percent_min: Some(3.0), ..SampleFilter::default() },
    ];
    for filter in filters {
        let expected = model.samples(&filter);
        let offset = random.below(expected.len() as u64 + 2) as usize;
        let limit = 1 + random.below(50) as usize;
        let page = store.samples(&filter, offset as u64, limit).await.unwrap();
        assert_eq!(page.count, expected.len() as u64);
        let items: Vec<_> = expected.into_iter().skip(offset).take(limit).collect();
        assert_eq!(page.items, items);
    }
}

async fn runs(store: &dyn History, model: &Model, range: Range) {
    for (host, kept) in &model.hosts {
        for name in ["postgres", "bash", "true", "no such"] {
            let mut found = store.runs(*host, name, range).await.unwrap();
            found.sort_by_key(run_key);
            assert_eq!(found, kept.runs(name, range), "{name} on {host} in {range:?}");
        }
    }
}

/// Which hosts ever ran a name.
async fn hosts_with(store: &dyn Analysis, model: &Model, range: Range) {
    for name in ["postgres", "bash", "true", "no such"] {
        let expected: Vec<HostWith> =
            model.hosts.iter().filter_map(|(host, kept)| kept.with(*host, name, range)).collect();
        let expected = HostsWith { count: expected.len() as u64, hosts: expected };
        assert_eq!(store.hosts_with(name, range, 100).await.unwrap(), expected, "{name} in {range:?}");
        let none = store.hosts_with(name, range, 0).await.unwrap();
        assert_eq!((none.count, none.hosts.len()), (expected.count, 0));
    }
}

async fn nearest(store: &dyn History, model: &Model, random: &mut Random) {
    let all = model.list(None, Range::default());
    let near = all[random.below(all.len() as u64) as usize].time;
    for time in [near, near.plus_ms(-1), near.plus_ms(1), Timestamp::from_ms(0), Timestamp::from_ms(i64::MAX - 1)] {
        for (host, kept) in &model.hosts {
            for side in [Nearest::AtOrBefore, Nearest::AtOrAfter] {
                let found = store.snapshot_at(*host, time, side).await.unwrap().map(|found| found.id);
                assert_eq!(found, kept.nearest(time, side).map(|(id, _)| *id));
            }
        }
    }
}

async fn nothing_there(store: &dyn History) {
    assert!(store.latest(999).await.unwrap().is_none());
    assert!(store.snapshot(SnapshotId::new(999, 1).unwrap()).await.unwrap().is_none());
    assert!(store.snapshot(SnapshotId::new(0, 1_000_000).unwrap()).await.unwrap().is_none());
    assert!(store.list(Some(999), Range::default(), None, 10).await.unwrap().is_empty());
    assert!(store.host_series(999, Range::default(), 10).await.unwrap().points.is_empty());
}

async fn totals(store: &dyn History, model: &Model) {
    let stats = store.stats().await.unwrap();
    let all = model.list(None, Range::default());
    assert_eq!(stats.snapshots, all.len() as u64);
    assert_eq!(stats.hosts, model.hosts.len() as u64);
    assert_eq!(stats.process_samples, model.samples(&SampleFilter::default()).len() as u64);
    assert_eq!((stats.oldest, stats.newest), (all.first().map(|entry| entry.time), all.last().map(|entry| entry.time)));
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
}
