//! What changed between two moments, and what is found now, against plain loops over the two snapshots.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use procession_model::{Identity, Metric, Process, Snapshot, Timestamp};
use procession_store::analysis::{Analysis, Changes, Moment, Search};

use crate::made::{Random, Recipe};
use crate::world::World;

fn recipe(seed: u64, has_starts: bool) -> Recipe {
    Recipe { seed, snapshots: 90, interval_ms: 5_000, is_measured: true, has_starts, late_one_in: 11 }
}

fn memory(process: &Process) -> u64 {
    process.sample.get(Metric::Memory).unwrap_or(0)
}

/// The same process; without a start, the same pid under the same name.
fn is_same(a: &Process, b: &Process) -> bool {
    let (one, other) = (&a.description, &b.description);
    one.identity == other.identity && (one.identity.start.is_some() || one.name == other.name)
}

fn without<'a>(these: &'a Snapshot, those: &Snapshot) -> Vec<&'a Process> {
    let is_gone = |process: &&Process| !those.processes.iter().any(|other| is_same(process, other));
    these.processes.iter().filter(is_gone).collect()
}

fn key(process: &Process) -> (Identity, String, u64) {
    (process.description.identity, process.description.name.to_string(), memory(process))
}

fn keys<'a>(processes: impl IntoIterator<Item = &'a Process>) -> BTreeSet<(Identity, String, u64)> {
    processes.into_iter().map(key).collect()
}

fn check(found: &Changes, before: &Snapshot, after: &Snapshot) {
    let listed = |list: &[procession_store::analysis::ProcessAt]| -> Vec<Process> {
        list.iter().map(|at| Process { description: at.description.clone(), sample: at.sample }).collect()
    };
    for (list, count, expected) in [
        (&found.began, found.began_count, without(after, before)),
        (&found.ended, found.ended_count, without(before, after)),
    ] {
        let list = listed(list);
        assert_eq!(count, expected.len() as u64);
        assert_eq!(keys(&list), keys(expected));
        assert!(list.is_sorted_by_key(|process| Reverse(memory(process))));
    }
    let mut changed = Vec::new();
    for new in &after.processes {
        let Some(old) = before.processes.iter().find(|old| is_same(old, new)) else { continue };
        let moved = old.description.parent_pid != new.description.parent_pid;
        if old.sample != new.sample || old.description != new.description {
            changed.push((key(old), key(new), moved));
        }
    }
    let as_process =
        |at: &procession_store::analysis::ProcessAt| Process { description: at.description.clone(), sample: at.sample };
    let found_changed: BTreeSet<_> = found
        .changed
        .iter()
        .map(|change| (key(&as_process(&change.before)), key(&as_process(&change.after)), change.moved))
        .collect();
    assert_eq!(found.changed_count, changed.len() as u64);
    assert_eq!(found_changed, changed.into_iter().collect());
}

#[tokio::test]
async fn changes_between_any_two_moments() {
    for (seed, has_starts) in [(40, true), (41, false)] {
        let world = World::new(recipe(seed, has_starts), 17).await;
        let mut random = Random::new(seed);
        let mut some = || usize::try_from(random.below(world.snapshots.len() as u64)).unwrap();
        for _ in 0..40 {
            let (from, to) = (&world.snapshots[some()].snapshot, &world.snapshots[some()].snapshot);
            let moment = |time: Timestamp| Moment { host: world.host, time };
            // Between two snapshots the one before counts.
            let answer = world.store.changes(moment(from.time.plus_ms(1)), moment(to.time), 10_000).await.unwrap();
            let answer = answer.unwrap();
            assert_eq!((answer.from.time, answer.to.time), (from.time, to.time));
            check(&answer, from, to);
            let few = world.store.changes(moment(from.time), moment(to.time), 2).await.unwrap().unwrap();
            assert_eq!(few.began, answer.began[..answer.began.len().min(2)]);
            assert_eq!((few.ended_count, few.changed_count), (answer.ended_count, answer.changed_count));
        }
        let before_all = Moment { host: world.host, time: world.snapshots[0].snapshot.time.plus_ms(-1) };
        assert_eq!(world.store.changes(before_all, before_all, 10).await.unwrap(), None);
    }
}

fn has(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}

fn is_found(process: &Process, search: &Search) -> bool {
    let (description, sample) = (&process.description, &process.sample);
    let over = |metric, least: Option<u64>| least.is_none_or(|least| sample.get(metric).is_some_and(|it| it > least));
    let user = description.user.as_deref();
    let word = |word: &String| {
        has(&description.name, word)
            || user.is_some_and(|user| has(user, word))
            || description.command_line.as_deref().is_some_and(|line| has(line, word))
            || description.identity.pid.to_string() == *word
    };
    search.words.iter().all(word)
        && search.name.as_ref().is_none_or(|name| has(&description.name, name))
        && search.user.as_ref().is_none_or(|wanted| user.is_some_and(|user| has(user, wanted)))
        && search.pid.is_none_or(|pid| pid == description.identity.pid)
        && over(Metric::Cpu, search.cpu_over)
        && over(Metric::Memory, search.memory_over)
}

#[tokio::test]
async fn searches_find_what_a_loop_finds() {
    let world = World::new(recipe(42, true), 1_000).await;
    let newest = &world.snapshots.last().unwrap().snapshot;
    let pid = newest.processes[0].description.identity.pid;
    let one = |word: &str| Search { words: vec![word.to_owned()], ..Search::default() };
    let searches = [
        Search::default(),
        one("SH"),
        one("run"),
        one(&pid.to_string()),
        one("no such"),
        Search { words: vec!["n".to_owned(), "ROOT".to_owned()], ..Search::default() },
        Search { name: Some("gin".to_owned()), user: Some("w".to_owned()), ..Search::default() },
        Search { pid: Some(pid), ..Search::default() },
        Search { cpu_over: Some(1_000), ..Search::default() },
        Search { memory_over: Some(1 << 20), cpu_over: Some(0), ..Search::default() },
        Search { hosts: Some(vec![world.host + 1]), ..Search::default() },
        Search { hosts: Some(vec![world.host]), ..one("e") },
    ];
    for search in searches {
        let is_here = search.hosts.as_ref().is_none_or(|hosts| hosts.contains(&world.host));
        let expected: Vec<&Process> =
            newest.processes.iter().filter(|process| is_here && is_found(process, &search)).collect();
        let answer = world.store.search(&search, 10_000).await.unwrap();
        assert_eq!(
            (answer.count, answer.hosts),
            (expected.len() as u64, u64::from(!expected.is_empty())),
            "{search:?}"
        );
        let found: BTreeSet<u32> = answer.found.iter().map(|found| found.process.description.identity.pid).collect();
        assert_eq!(found, expected.iter().map(|process| process.description.identity.pid).collect(), "{search:?}");
        let cpu = |found: &procession_store::analysis::FoundProcess| found.process.sample.get(Metric::Cpu).unwrap_or(0);
        assert!(answer.found.is_sorted_by_key(|found| Reverse(cpu(found))));
        let few = world.store.search(&search, 2).await.unwrap();
        assert_eq!((few.count, &few.found[..]), (answer.count, &answer.found[..answer.found.len().min(2)]));
    }
}
