//! What is known to be lost, whatever it is read from, against a loop over all snapshots.

use procession_model::{Loss, Timestamp};
use procession_store::{History, Range, Retention};

use crate::made::{BEGIN, Recipe};
use crate::world::{World, after_begin};

const SPAN_MS: i64 = 4_000_000;

async fn world(frames_max: usize) -> World {
    let recipe =
        Recipe { seed: 90, snapshots: 300, interval_ms: 5_000, is_measured: true, has_starts: true, late_one_in: 0 };
    World::new(recipe, frames_max).await
}

fn expected(world: &World, range: Range) -> Vec<Loss> {
    let all = world.snapshots.iter().flat_map(|one| one.snapshot.losses.iter().copied());
    let mut losses: Vec<Loss> = all.filter(|loss| range.touches(loss.from, loss.until)).collect();
    losses.sort_by_key(|loss| (loss.from, loss.until, loss.kind));
    losses
}

#[tokio::test]
async fn losses_of_any_range_are_found_and_no_others() {
    for frames_max in [7, 60, 10_000] {
        let world = world(frames_max).await;
        assert!(expected(&world, Range::default()).len() > 4);
        let inside = expected(&world, Range::default())[4];
        let in_a_gap = Range { start: Some(inside.from.plus_ms(1)), end: Some(inside.from.plus_ms(2)) };
        assert_eq!(expected(&world, in_a_gap).len(), 2, "told by a snapshot after the range");
        let some = (0..40).map(|step| after_begin(step * 90_000, step * 90_000 + 200_000));
        for range in
            some.chain([Range::default(), in_a_gap, after_begin(-SPAN_MS, 1), after_begin(SPAN_MS, 2 * SPAN_MS)])
        {
            // Asked twice: the second answer comes from what is kept in memory.
            for _ in 0..2 {
                let losses = world.store.losses(world.host, range, 10_000).await.unwrap();
                assert_eq!(losses, expected(&world, range), "{range:?}");
            }
        }
    }
}

#[tokio::test]
async fn of_many_losses_the_last_are_told_and_retention_takes_them_with_their_snapshots() {
    let world = world(20).await;
    let all = expected(&world, Range::default());
    let few = world.store.losses(world.host, Range::default(), 3).await.unwrap();
    assert_eq!(few, all[all.len() - 3..]);
    assert_eq!(world.store.losses(world.host + 1, Range::default(), 3).await.unwrap(), []);
    let keep_ms = [Some(600_000), None, None];
    let now = world.snapshots.last().unwrap().snapshot.time;
    while world.store.retire(now, Retention { keep_ms, bytes_max: None }).await.unwrap().blocks > 0 {}
    let left = world.store.losses(world.host, Range::default(), 10_000).await.unwrap();
    assert!(!left.is_empty() && left.len() < all.len());
    assert_eq!(left, all[all.len() - left.len()..]);
    assert!(left[0].from > Timestamp::from_ms(BEGIN));
}
