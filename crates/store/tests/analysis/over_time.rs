//! Series, runs, and who ever ran what, against the oracle.

use std::collections::BTreeMap;

use procession_model::Timestamp;
use procession_store::Range;
use procession_store::analysis::{Analysis, Of, SeriesPoint};

use crate::made::Recipe;
use crate::oracle::{self, Ran, SampleOf, Weighed};
use crate::world::{World, after_begin, minutes};

fn recipe(seed: u64, snapshots: usize, interval_ms: i64) -> Recipe {
    Recipe { seed, snapshots, interval_ms, is_measured: true, has_starts: true, late_one_in: 0 }
}

/// The same history with and without snapshots that come late.
fn recipes(seed: u64) -> [Recipe; 2] {
    [0, 9].map(|late_one_in| Recipe { late_one_in, ..recipe(seed, 160, 5_000) })
}

/// What a program did in each step.
fn expected(snapshots: &[Weighed], all: &[Ran], name: &str, step_ms: i64) -> Vec<SeriesPoint> {
    let key = |time: Timestamp| if step_ms == 0 { time.as_ms() } else { time.as_ms().div_euclid(step_ms) };
    let mut points: BTreeMap<i64, SeriesPoint> = BTreeMap::new();
    let samples: Vec<&SampleOf> =
        all.iter().flat_map(|ran| &ran.samples).filter(|sample| *sample.name == *name).collect();
    for step in snapshots.chunk_by(|a, b| key(a.snapshot.time) == key(b.snapshot.time)) {
        let times: Vec<Timestamp> = step.iter().map(|one| one.snapshot.time).collect();
        let here = || samples.iter().filter(|sample| times.contains(&sample.time));
        let at_once = |value: fn(&SampleOf) -> Option<u64>| {
            let sum = |time: &Timestamp| {
                let known: Vec<u64> =
                    here().filter(|sample| sample.time == *time).filter_map(|sample| value(sample)).collect();
                (!known.is_empty()).then(|| known.iter().sum::<u64>())
            };
            times.iter().filter_map(sum).max()
        };
        let sum = |value: fn(&SampleOf) -> Option<u64>| {
            let known: Vec<u64> = here().filter_map(|sample| value(sample)).collect();
            (!known.is_empty()).then(|| known.iter().sum::<u64>())
        };
        let tenths: u64 = here().map(|sample| sample.cpu_tenths()).sum();
        let weight: u64 = step.iter().map(|one| one.weight_ms).sum();
        // What an end tells of a process that had other names too is nobody's in particular.
        let always = |ran: &&Ran| *ran.name == *name && ran.samples.iter().all(|sample| *sample.name == *name);
        let ends = all.iter().filter(always).filter_map(|ran| ran.extra);
        let extra: u64 = ends.filter(|(_, told)| times.contains(told)).map(|(extra, _)| extra).sum();
        points.insert(
            key(times[0]),
            SeriesPoint {
                time: times[times.len() - 1],
                snapshots: times.len() as u64,
                samples: here().count() as u64,
                cpu: sum(|sample| sample.cpu).and_then(|_| tenths.checked_div(weight)),
                cpu_max: at_once(|sample| sample.cpu),
                cpu_time_us: (tenths + extra) / 10,
                memory_bytes: sum(|sample| sample.memory).map(|sum| sum / times.len() as u64),
                memory_bytes_max: at_once(|sample| sample.memory),
                read_bytes: sum(|sample| sample.read),
                write_bytes: sum(|sample| sample.write),
            },
        );
    }
    points.into_values().collect()
}

#[tokio::test]
async fn a_program_over_time() {
    for recipe in recipes(30) {
        let world = World::new(recipe, 37).await;
        let range = after_begin(60_000, 700_000);
        let snapshots = world.within(range);
        let all = oracle::ran(&snapshots);
        let of = Of::Program("nginx".to_owned());
        for (points, is_every) in [(1_000, true), (40, false)] {
            let series = world.store.series(Some(world.host), &of, range, points).await.unwrap();
            assert_eq!((series.step_ms == 0, series.rollup_ms), (is_every, 0));
            assert!(series.points.len() <= points);
            assert_eq!(series.points, expected(&snapshots, &all, "nginx", i64::try_from(series.step_ms).unwrap()));
        }
    }
}

#[tokio::test]
async fn a_program_over_time_from_rollups() {
    let world = World::new(recipe(31, 2_100, 20_000), 41).await;
    let range = minutes(0, 600);
    let snapshots = world.within(range);
    let all = oracle::ran(&snapshots);
    for (points, rollup_ms) in [(450, 0), (48, 0), (13, 3_600_000)] {
        let of = Of::Program("worker".to_owned());
        let series = world.store.series(Some(world.host), &of, range, points).await.unwrap();
        assert_eq!(series.rollup_ms, rollup_ms);
        assert!(series.points.len() <= points && series.points.len() > 5);
        let expected = expected(&snapshots, &all, "worker", i64::try_from(series.step_ms).unwrap());
        assert_eq!(series.points.len(), expected.len());
        for (found, expected) in series.points.iter().zip(expected) {
            // The peak of a sum is an estimate there.
            assert_eq!(found.cpu_max.is_some(), expected.cpu_max.is_some());
            // Folded processes that had several names count for the newest one with what only their ends tell.
            assert!(found.cpu_time_us >= expected.cpu_time_us);
            let SeriesPoint { cpu_max, cpu_time_us, memory_bytes_max, .. } = expected;
            assert_eq!(SeriesPoint { cpu_max, cpu_time_us, memory_bytes_max, ..*found }, expected);
        }
    }
}

#[tokio::test]
async fn a_process_over_its_life() {
    for recipe in recipes(32) {
        check_lives(&World::new(recipe, 37).await).await;
    }
}

async fn check_lives(world: &World) {
    let all = oracle::ran(&world.snapshots);
    for ran in all.iter().filter(|ran| !ran.is_brief && ran.samples.len() > 3).take(20) {
        let series = world.store.process_series(world.host, ran.identity, Range::default(), 1_000).await.unwrap();
        let found = series.unwrap();
        assert_eq!((found.run.started, found.run.end), (ran.began(), ran.end));
        assert_eq!(found.series.points.iter().map(|point| point.samples).sum::<u64>(), ran.samples.len() as u64);
        for sample in &ran.samples {
            let point = found.series.points.iter().find(|point| point.time == sample.time).unwrap();
            assert_eq!((point.cpu, point.memory_bytes), (sample.cpu, sample.memory));
            assert_eq!((point.read_bytes, point.write_bytes), (sample.read, sample.write));
        }
    }
}

#[tokio::test]
async fn runs_of_a_program() {
    for recipe in recipes(33) {
        check_runs(&World::new(recipe, 37).await).await;
    }
}

async fn check_runs(world: &World) {
    let all = oracle::ran(&world.snapshots);
    let named = |ran: &&Ran| {
        if ran.is_brief { *ran.name == *"sh" } else { ran.samples.iter().any(|sample| *sample.name == *"sh") }
    };
    let answer = world.store.program_runs(Some(world.host), "sh", Range::default(), 0, 10_000).await.unwrap();
    assert_eq!(answer.count, all.iter().filter(named).count() as u64);
    assert_eq!(answer.hosts[0].runs, all.iter().filter(named).map(|ran| ran.count).sum::<u64>());
    assert_eq!(answer.hosts[0].restarts, answer.hosts[0].gaps.len() as u64);
    assert!(answer.runs.windows(2).all(|pair| pair[0].run.started <= pair[1].run.started));
    let page = world.store.program_runs(None, "sh", Range::default(), 5, 7).await.unwrap();
    assert_eq!((page.count, &page.runs[..]), (answer.count, &answer.runs[5..12]));
    let gaps: i64 = answer.hosts[0].gaps.iter().map(|gap| gap.until.since_ms(gap.from)).sum();
    let first = answer.runs.iter().map(|run| run.run.started).min().unwrap();
    let last = answer.runs.iter().map(|run| run.run.ended).max().unwrap();
    assert_eq!(answer.hosts[0].covered_ms + gaps.unsigned_abs(), last.since_ms(first).unsigned_abs());
    // What began before the range counts from there on.
    let range = after_begin(200_000, 400_000);
    let inside = &world.store.program_runs(Some(world.host), "sh", range, 0, 10_000).await.unwrap().hosts[0];
    let gaps: i64 = inside.gaps.iter().map(|gap| gap.until.since_ms(gap.from)).sum();
    assert!(inside.covered_ms + gaps.unsigned_abs() <= 200_000 && inside.covered_ms > 0, "{inside:?}");
    assert!(inside.process_ms >= inside.covered_ms && inside.process_ms <= 200_000 * inside.runs, "{inside:?}");
}

#[tokio::test]
async fn hosts_that_ever_ran_a_name() {
    for recipe in recipes(34).into_iter().chain([recipe(35, 700, 20_000)]) {
        check_hosts_with(&World::new(recipe, 37).await).await;
    }
}

async fn check_hosts_with(world: &World) {
    for name in ["ld", "sh", "nobody"] {
        let told = world.snapshots.iter().filter(|one| {
            let mut names = one.snapshot.processes.iter().map(|process| &process.description.name);
            names.any(|other| **other == *name)
                || one.snapshot.brief.iter().any(|brief| *brief.description.name == *name)
        });
        let times: Vec<Timestamp> = told.map(|one| one.snapshot.time).collect();
        let answer = world.store.hosts_with(name, Range::default(), 10).await.unwrap();
        assert_eq!(answer.count, u64::from(!times.is_empty()));
        let found = answer.hosts.first().map(|host| (host.first, host.last));
        assert_eq!(found, times.first().copied().zip(times.last().copied()), "{name}");
    }
}
