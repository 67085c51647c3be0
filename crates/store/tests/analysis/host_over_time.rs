//! A host over time, whatever it is read from: snapshots, minutes, quarters of an hour.

use procession_model::{HostMetric, Metric};
use procession_store::{History, HostPoint, Range};

use crate::made::Recipe;
use crate::oracle::Weighed;
use crate::world::{World, after_begin};

fn recipe(seed: u64, snapshots: usize, interval_ms: i64, late_one_in: u64) -> Recipe {
    Recipe { seed, snapshots, interval_ms, is_measured: true, has_starts: true, late_one_in }
}

fn mean(values: &[u64]) -> u64 {
    values.iter().sum::<u64>() / (values.len() as u64).max(1)
}

/// The point of one step.
fn expected(step: &[&Weighed], found: &HostPoint) -> HostPoint {
    let sum = |one: &Weighed, metric| {
        one.snapshot.processes.iter().filter_map(|process| process.sample.get(metric)).sum::<u64>()
    };
    let sums = |metric| step.iter().map(|one| sum(one, metric)).collect::<Vec<_>>();
    let (cpu, memory) = (sums(Metric::Cpu), sums(Metric::Memory));
    let last = &step[step.len() - 1].snapshot;
    let host_cpu: Vec<u64> = step.iter().filter_map(|one| one.snapshot.host.get(HostMetric::Cpu)).collect();
    let host_cpu = if host_cpu.is_empty() { last.host.get(HostMetric::Cpu) } else { Some(mean(&host_cpu)) };
    HostPoint {
        id: found.id,
        time: last.time,
        cpu: mean(&cpu),
        cpu_max: cpu.iter().copied().max().unwrap(),
        memory_bytes: mean(&memory),
        memory_bytes_max: memory.iter().copied().max().unwrap(),
        process_count: step.iter().map(|one| u32::try_from(one.snapshot.processes.len()).unwrap()).max().unwrap(),
        host: last.host.with(HostMetric::Cpu, host_cpu),
    }
}

async fn check(world: &World, range: Range, points: usize) -> u64 {
    let series = world.store.host_series(world.host, range, points).await.unwrap();
    let snapshots = world.within(range);
    assert!(series.points.len() <= points && !series.points.is_empty());
    let step_ms = i64::try_from(series.step_ms).unwrap();
    let key = |one: &Weighed| match step_ms {
        0 => one.snapshot.time.as_ms(),
        step_ms => one.snapshot.time.as_ms().div_euclid(step_ms),
    };
    let all: Vec<&Weighed> = snapshots.iter().collect();
    let steps: Vec<&[&Weighed]> = all.chunk_by(|a, b| key(a) == key(b)).collect();
    assert_eq!(series.points.len(), steps.len(), "{range:?} in {points} points");
    for (found, step) in series.points.iter().zip(steps) {
        assert_eq!(*found, expected(step, found), "{range:?} in {points} points");
        let newest = world.store.snapshot(found.id).await.unwrap().unwrap();
        assert_eq!(newest.snapshot.time, found.time);
    }
    series.rollup_ms
}

#[tokio::test]
async fn equal_to_going_through_all_snapshots() {
    for late_one_in in [0, 9] {
        let world = World::new(recipe(50 + late_one_in, 400, 20_000, late_one_in), 41).await;
        for range in [Range::default(), after_begin(100_000, 3_000_000), after_begin(7_000_000, 80_000_000)] {
            for points in [1, 2, 7, 60, 100_000] {
                assert_eq!(check(&world, range, points).await, 0);
            }
        }
    }
}

/// Long enough that rollups answer.
#[tokio::test]
async fn rollups_answer_alike() {
    for (late_one_in, seed) in [(0, 60), (50, 61)] {
        let world = World::new(recipe(seed, 4_400, 20_000, late_one_in), 400).await;
        for (range, points, rollup_ms) in [
            (Range::default(), 40, 900_000),
            (after_begin(-1, 400_000_000), 1_500, 0),
            (after_begin(3_333, 98_000_000), 30, 900_000),
        ] {
            assert_eq!(check(&world, range, points).await, rollup_ms);
        }
    }
}
