//! Rankings against the oracle.

use std::collections::BTreeMap;
use std::sync::Arc;

use procession_model::{HostMetric, Timestamp};
use procession_store::Range;
use procession_store::analysis::{Analysis, Group, Measure, Top, TopRequest};

use crate::made::Recipe;
use crate::oracle::{self, Ran, Weighed};
use crate::world::{World, after_begin, minutes};

const MEASURES: [Measure; 7] = [
    Measure::CpuTime,
    Measure::MemoryPeak,
    Measure::MemoryMean,
    Measure::MemoryGrowth,
    Measure::Io,
    Measure::Read,
    Measure::Write,
];

/// What makes a row: for a process pid and start; for brief ones name, user and parent.
type Key = (String, Option<String>, Option<u32>, Option<i64>);

async fn ask(world: &World, range: Range, by: Measure, group: Group) -> Top {
    let request = TopRequest { host: world.host, range, by, group, limit: 10_000 };
    world.store.top(&request).await.unwrap()
}

fn brief_key(name: &str, user: Option<&str>, parent: Option<u32>) -> Key {
    (format!("brief {name}"), user.map(str::to_owned), parent, None)
}

fn process_key(pid: u32, start: Option<Timestamp>, first: Option<Timestamp>) -> Key {
    ("process".to_owned(), None, Some(pid), start.or(first).map(Timestamp::as_ms))
}

fn rows(top: &Top, with_brief: bool) -> BTreeMap<Key, i64> {
    let mut rows = BTreeMap::new();
    for row in &top.rows {
        let description = row.description.as_ref().unwrap();
        let identity = description.identity;
        let key = match (row.brief, with_brief) {
            (true, false) => continue,
            (true, true) => brief_key(&description.name, description.user.as_deref(), description.parent_pid),
            (false, _) => process_key(identity.pid, identity.start, None),
        };
        assert_eq!(rows.insert(key, row.value), None);
    }
    rows
}

fn nonzero<K: Ord>(rows: BTreeMap<K, i64>) -> BTreeMap<K, i64> {
    rows.into_iter().filter(|(_, value)| *value != 0).collect()
}

fn expected_processes(all: &[Ran], snapshots: &[Weighed], by: Measure) -> BTreeMap<Key, i64> {
    let mut groups: BTreeMap<Key, Vec<&Ran>> = BTreeMap::new();
    for ran in all {
        let key = if ran.is_brief {
            brief_key(&ran.name, ran.user.as_deref(), ran.parent_pid)
        } else {
            process_key(ran.identity.pid, ran.identity.start, None)
        };
        groups.entry(key).or_default().push(ran);
    }
    let value = |group: &Vec<&Ran>| oracle::measure(group, snapshots, by, &|_| true, &|_| true);
    nonzero(groups.into_iter().map(|(key, group)| (key, value(&group))).collect())
}

fn expected_groups(all: &[Ran], snapshots: &[Weighed], by: Measure, is_user: bool) -> BTreeMap<Option<Arc<str>>, i64> {
    let label = |name: &Arc<str>, user: &Option<Arc<str>>| if is_user { user.clone() } else { Some(Arc::clone(name)) };
    let all: Vec<&Ran> = all.iter().collect();
    let mut labels: Vec<Option<Arc<str>>> = all.iter().map(|ran| label(&ran.name, &ran.user)).collect();
    labels.extend(all.iter().flat_map(|ran| &ran.samples).map(|sample| label(&sample.name, &sample.user)));
    labels.sort();
    labels.dedup();
    let value = |wanted: &Option<Arc<str>>| {
        let of = |name: &Arc<str>, user: &Option<Arc<str>>| label(name, user) == *wanted;
        oracle::measure(&all, snapshots, by, &|sample| of(&sample.name, &sample.user), &|ran| of(&ran.name, &ran.user))
    };
    nonzero(labels.into_iter().map(|label| (label.clone(), value(&label))).collect())
}

/// The subtrees of processes; `None` if clocks make someone their own ancestor.
fn expected_subtrees(all: &[Ran], snapshots: &[Weighed], by: Measure) -> Option<BTreeMap<Key, i64>> {
    let parents = oracle::parents(all);
    let mut below: Vec<Vec<&Ran>> = vec![Vec::new(); all.len()];
    for (index, ran) in all.iter().enumerate() {
        let mut at = Some(index);
        for depth in 0.. {
            let Some(node) = at else { break };
            if depth > all.len() {
                return None;
            }
            below[node].push(ran);
            at = parents[node];
        }
    }
    let processes = all.iter().zip(&below).filter(|(ran, _)| !ran.is_brief);
    let rows = processes.map(|(ran, below)| {
        let key = process_key(ran.identity.pid, ran.identity.start, None);
        (key, oracle::measure(below, snapshots, by, &|_| true, &|_| true))
    });
    Some(nonzero(rows.collect()))
}

fn labels(top: &Top) -> BTreeMap<Option<Arc<str>>, i64> {
    top.rows.iter().map(|row| (row.label.clone(), row.value)).collect()
}

fn host_total(snapshots: &[Weighed], by: Measure) -> Option<i64> {
    let known = |metric| snapshots.iter().filter_map(move |one| Some((one.snapshot.host.get(metric)?, one.weight_ms)));
    let memory = || known(HostMetric::MemoryUsed).map(|(memory, _)| memory);
    let total = match by {
        Measure::CpuTime => {
            known(HostMetric::Cpu).next()?;
            known(HostMetric::Cpu).map(|(cpu, weight)| cpu * weight).sum::<u64>() / 10
        }
        Measure::MemoryMean => memory().sum::<u64>().checked_div(memory().count() as u64)?,
        Measure::MemoryPeak => memory().max()?,
        Measure::MemoryGrowth => {
            let at = |one: Option<&Weighed>| i64::try_from(one?.snapshot.host.get(HostMetric::MemoryUsed)?).ok();
            return Some(at(snapshots.last())? - at(snapshots.first())?);
        }
        _ => return None,
    };
    Some(i64::try_from(total).unwrap())
}

async fn check(world: &World, range: Range, has_subtrees: bool) {
    let snapshots = world.within(range);
    let all = oracle::ran(&snapshots);
    let every: Vec<&Ran> = all.iter().collect();
    for by in MEASURES {
        let top = ask(world, range, by, Group::Process).await;
        assert_eq!((top.rollup_ms, by), (0, by));
        assert_eq!(rows(&top, true), expected_processes(&all, &snapshots, by), "{by:?} {range:?}");
        let attributed = oracle::measure(&every, &snapshots, by, &|_| true, &|_| true);
        assert_eq!((top.attributed, top.total), (attributed, host_total(&snapshots, by)), "{by:?}");
        assert_eq!(top.unattributed, top.total.map(|total| (total - attributed).max(0)));
        for (group, is_user) in [(Group::Program, false), (Group::User, true)] {
            let top = ask(world, range, by, group).await;
            assert_eq!(labels(&top), expected_groups(&all, &snapshots, by, is_user), "{by:?} {group:?} {range:?}");
        }
        // Between two moments, parents are those of the two moments.
        if has_subtrees
            && by != Measure::MemoryGrowth
            && let Some(expected) = expected_subtrees(&all, &snapshots, by)
        {
            let top = ask(world, range, by, Group::Subtree).await;
            assert_eq!(rows(&top, false), expected, "{by:?} {range:?}");
            for (index, row) in top.rows.iter().enumerate() {
                assert!(row.parent.is_none_or(|parent| parent < index && top.rows[parent].value >= row.value));
            }
        }
    }
}

#[tokio::test]
async fn equal_to_going_through_all_snapshots() {
    for seed in 0..6 {
        let recipe = Recipe {
            seed,
            snapshots: 160,
            interval_ms: 5_000,
            is_measured: seed % 2 == 0,
            has_starts: true,
            late_one_in: if seed % 3 == 0 { 0 } else { 9 },
        };
        let world = World::new(recipe, 37).await;
        for range in [after_begin(-1, 3_600_000), after_begin(120_000, 500_000), after_begin(300_000, 301_000)] {
            check(&world, range, true).await;
        }
    }
}

#[tokio::test]
async fn without_starts_a_pid_that_was_away_is_another_process() {
    for seed in 10..13 {
        let recipe =
            Recipe { seed, snapshots: 120, interval_ms: 5_000, is_measured: false, has_starts: false, late_one_in: 0 };
        let world = World::new(recipe, 37).await;
        let range = after_begin(60_000, 500_000);
        let snapshots = world.within(range);
        let all = oracle::ran(&snapshots);
        let processes = all.iter().filter(|ran| !ran.is_brief);
        let value = |ran: &Ran| oracle::measure(&[ran], &snapshots, Measure::CpuTime, &|_| true, &|_| true);
        let mut expected: Vec<(u32, i64)> = processes.map(|ran| (ran.identity.pid, value(ran))).collect();
        expected.retain(|(_, value)| *value != 0);
        expected.sort_unstable();
        let top = ask(&world, range, Measure::CpuTime, Group::Process).await;
        let rows = top.rows.iter().filter(|row| !row.brief);
        let mut found: Vec<(u32, i64)> =
            rows.map(|row| (row.description.as_ref().unwrap().identity.pid, row.value)).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn rollups_answer_alike() {
    for seed in 20..23 {
        let recipe = Recipe {
            seed,
            snapshots: 1_500,
            interval_ms: 20_000,
            is_measured: true,
            has_starts: true,
            late_one_in: if seed == 21 { 20 } else { 0 },
        };
        let world = World::new(recipe, 41).await;
        let range = minutes(0, 480);
        let snapshots = world.within(range);
        let all = oracle::ran(&snapshots);
        for by in [Measure::CpuTime, Measure::MemoryMean, Measure::Io, Measure::Read, Measure::Write] {
            // What a late snapshot has of a folded process is not known to its end, which then tells of more than was left.
            if recipe.late_one_in > 0 && by == Measure::CpuTime {
                continue;
            }
            for (group, is_user) in [(Group::Program, false), (Group::User, true)] {
                let top = ask(&world, range, by, group).await;
                assert_eq!(top.rollup_ms, 3_600_000);
                assert_eq!(top.snapshots, snapshots.len() as u64);
                assert_eq!(labels(&top), expected_groups(&all, &snapshots, by, is_user), "{by:?} {group:?}");
                assert_eq!(top.total, host_total(&snapshots, by));
            }
            // Late snapshots have rollups of their own, in which a process may be folded.
            if recipe.late_one_in > 0 {
                continue;
            }
            let top = ask(&world, range, by, Group::Process).await;
            let expected = expected_processes(&all, &snapshots, by);
            let kept = rows(&top, false);
            assert!(kept.len() > 50);
            for (key, value) in &kept {
                assert_eq!(expected.get(key), Some(value), "{by:?} {key:?}");
            }
            if let Some(expected) = expected_subtrees(&all, &snapshots, by) {
                let top = ask(&world, range, by, Group::Subtree).await;
                for (key, value) in rows(&top, false) {
                    assert_eq!(expected.get(&key), Some(&value), "{by:?} {key:?}");
                }
            }
        }
        let peaks = ask(&world, range, Measure::MemoryPeak, Group::Program).await;
        for label in expected_groups(&all, &snapshots, Measure::MemoryPeak, false).keys() {
            assert!(labels(&peaks).contains_key(label), "{label:?}");
        }
    }
}
