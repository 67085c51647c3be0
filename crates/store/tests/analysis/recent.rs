//! The last CPU values of all processes, whatever they are read from, against the snapshots themselves.

use std::collections::BTreeMap;

use procession_model::{Identity, Metric, Timestamp};
use procession_store::Range;
use procession_store::analysis::{Analysis, RECENT_MAX, RecentCpu};

use crate::made::Recipe;
use crate::world::World;

fn expected(world: &World, range: Range, snapshots: usize) -> Option<RecentCpu> {
    let all = world.within(range);
    let some = &all[all.len().saturating_sub(snapshots)..];
    let mut processes: BTreeMap<Identity, Vec<u64>> = BTreeMap::new();
    for (column, one) in some.iter().enumerate() {
        for process in &one.snapshot.processes {
            let values = processes.entry(process.description.identity).or_insert_with(|| vec![0; some.len()]);
            values[column] = process.sample.get(Metric::Cpu).unwrap_or(0);
        }
    }
    processes.retain(|_, values| values.iter().any(|value| *value > 0));
    let times = some.iter().map(|one| one.snapshot.time).collect();
    (!some.is_empty()).then_some(RecentCpu { times, processes: processes.into_iter().collect() })
}

#[tokio::test]
async fn cpu_of_the_last_snapshots_before_any_moment() {
    for (seed, frames_max, late_one_in, has_starts) in [(95, 13, 0, true), (96, 40, 9, true), (97, 10_000, 9, false)] {
        let recipe = Recipe { seed, snapshots: 160, interval_ms: 5_000, is_measured: true, has_starts, late_one_in };
        let world = World::new(recipe, frames_max).await;
        for (count, one) in (0..).zip(&world.snapshots).step_by(9) {
            let range = Range { start: None, end: Some(one.snapshot.time.plus_ms(1)) };
            let wanted = 1 + count % 25;
            let found = world.store.recent_cpu(world.host, range, wanted).await.unwrap();
            assert_eq!(found, expected(&world, range, wanted), "{wanted} up to snapshot {count}");
        }
        let found = world.store.recent_cpu(world.host, Range::default(), 100_000).await.unwrap().unwrap();
        assert_eq!(found.times.len(), RECENT_MAX);
        let before = Range { start: None, end: Some(Timestamp::from_ms(0)) };
        assert_eq!(world.store.recent_cpu(world.host, before, 20).await.unwrap(), None);
        assert_eq!(world.store.recent_cpu(world.host + 1, Range::default(), 20).await.unwrap(), None);
    }
}
