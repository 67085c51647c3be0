//! Where retention has taken snapshots, rollups answer, and say at which step.

use procession_model::Timestamp;
use procession_store::analysis::{Analysis, Group, Measure, Of, TopRequest};
use procession_store::{History, Range, Retention};

use crate::made::Recipe;
use crate::oracle::{self, Ran};
use crate::world::{World, after_begin};

const STEPS: [u64; 2] = [60_000, 900_000];

async fn retire(world: &World, keep_ms: [Option<i64>; 3]) {
    let newest = world.snapshots.last().unwrap().snapshot.time;
    loop {
        let retention = Retention { keep_ms, bytes_max: None };
        if world.store.retire(newest.plus_ms(1), retention).await.unwrap().blocks == 0 {
            return;
        }
    }
}

async fn check(world: &World, all: &[Ran], rollup_ms: u64) {
    let (store, host, range) = (&world.store, world.host, Range::default());
    let samples = |name: &str| {
        let samples = all.iter().flat_map(|ran| &ran.samples);
        samples.filter(|sample| *sample.name == *name).count() as u64
    };
    let hosts_points = store.host_series(host, range, 100_000).await.unwrap();
    assert_eq!(hosts_points.rollup_ms, rollup_ms);
    assert!(hosts_points.step_ms > 0 && hosts_points.step_ms.is_multiple_of(rollup_ms));
    let series = store.series(Some(host), &Of::Program("worker".to_owned()), range, 20_000).await.unwrap();
    assert_eq!(series.rollup_ms, rollup_ms);
    assert_eq!(series.points.iter().map(|point| point.samples).sum::<u64>(), samples("worker"));
    assert_eq!(series.points.iter().map(|point| point.snapshots).sum::<u64>(), world.snapshots.len() as u64);
    let request = TopRequest { host, range, by: Measure::Io, group: Group::Program, limit: 1_000 };
    let top = store.top(&request).await.unwrap();
    assert_eq!((top.rollup_ms, top.snapshots), (rollup_ms, world.snapshots.len() as u64));
    let every: Vec<&Ran> = all.iter().collect();
    let io = oracle::measure(&every, &world.snapshots, Measure::Io, &|_| true, &|_| true);
    assert_eq!(top.attributed, io);
    let with = store.hosts_with("sh", range, 10).await.unwrap();
    let times = || all.iter().filter(|ran| ran.is_brief && *ran.name == *"sh").map(|ran| ran.first);
    let sampled = all.iter().flat_map(|ran| &ran.samples).filter(|sample| *sample.name == *"sh");
    let seen: Vec<Timestamp> = sampled.map(|sample| sample.time).chain(times()).collect();
    assert_eq!(Some(with.hosts[0].first), seen.iter().min().copied());
    assert_eq!(Some(with.hosts[0].last), seen.iter().max().copied());
    let long = all.iter().filter(|ran| !ran.is_brief).max_by_key(|ran| ran.last.since_ms(ran.first)).unwrap();
    let found = store.process_series(host, long.identity, range, 20_000).await.unwrap().unwrap();
    assert_eq!(found.series.rollup_ms, rollup_ms);
    assert_eq!(found.series.points.iter().map(|point| point.samples).sum::<u64>(), long.samples.len() as u64);
    let runs = store.program_runs(Some(host), "worker", range, 0, 10_000).await.unwrap();
    assert!(runs.hosts[0].runs > 0);
}

#[tokio::test]
async fn rollups_answer_for_what_is_gone() {
    let recipe =
        Recipe { seed: 70, snapshots: 700, interval_ms: 20_000, is_measured: true, has_starts: true, late_one_in: 0 };
    let world = World::new(recipe, 50).await;
    // What is not sealed would stay.
    for now in [0, 86_400_000] {
        world.store.seal(Timestamp::from_ms(now)).await.unwrap();
    }
    let all = oracle::ran(&world.snapshots);
    let mut keep_ms = [None; 3];
    for (level, rollup_ms) in STEPS.into_iter().enumerate() {
        keep_ms[level] = Some(0);
        retire(&world, keep_ms).await;
        let first = world.snapshots[0].snapshot.time;
        let of_first = Range { start: Some(first), end: Some(first.plus_ms(1)) };
        assert!(world.store.list(Some(world.host), of_first, None, 10).await.unwrap().is_empty());
        check(&world, &all, rollup_ms).await;
    }
}

/// Part of it in every level, and hours over all: each answer is put together from several.
#[tokio::test]
async fn all_levels_answer_together() {
    const HOUR_MS: i64 = 3_600_000;
    for late_one_in in [0, 20] {
        let recipe = Recipe {
            seed: 71,
            snapshots: 2_200,
            interval_ms: 20_000,
            is_measured: true,
            has_starts: true,
            late_one_in,
        };
        let world = World::new(recipe, 41).await;
        let all = oracle::ran(&world.snapshots);
        let every: Vec<&Ran> = all.iter().collect();
        let io = oracle::measure(&every, &world.snapshots, Measure::Io, &|_| true, &|_| true);
        let samples = |name: &str| {
            let samples = all.iter().flat_map(|ran| &ran.samples);
            samples.filter(|sample| *sample.name == *name).count() as u64
        };
        for keep_ms in
            [[None, None, None], [Some(5 * HOUR_MS), None, None], [Some(3 * HOUR_MS), Some(7 * HOUR_MS), None]]
        {
            retire(&world, keep_ms).await;
            let stats = world.store.stats().await.unwrap();
            let has = stats.levels.map(|level| level.blocks > 0);
            assert_eq!(has, [true, keep_ms[0].is_some(), keep_ms[1].is_some(), true]);
            let (store, host, count) = (&world.store, world.host, world.snapshots.len() as u64);
            for range in [Range::default(), after_begin(-1, 100 * HOUR_MS)] {
                let request = TopRequest { host, range, by: Measure::Io, group: Group::Program, limit: 1_000 };
                let top = store.top(&request).await.unwrap();
                assert_eq!((top.rollup_ms, top.snapshots, top.attributed), (3_600_000, count, io));
                for points in [20_000, 600, 40, 8, 1] {
                    let series =
                        store.series(Some(host), &Of::Program("worker".to_owned()), range, points).await.unwrap();
                    assert!(series.points.len() <= points);
                    assert_eq!(series.points.iter().map(|point| point.snapshots).sum::<u64>(), count, "{points}");
                    let found = series.points.iter().map(|point| point.samples).sum::<u64>();
                    assert_eq!(found, samples("worker"), "{points}");
                }
                for points in [100_000, 600, 40, 1] {
                    let series = store.host_series(host, range, points).await.unwrap();
                    assert!(series.points.len() <= points);
                    let most = series.points.iter().map(|point| point.process_count).max();
                    let expected = world.snapshots.iter().map(|one| one.snapshot.processes.len()).max();
                    assert_eq!(most.map(|most| most as usize), expected);
                }
            }
            assert_eq!(world.store.verify().await.unwrap(), Vec::<String>::new());
        }
    }
}
