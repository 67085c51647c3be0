//! Work on many blocks at once: a question about a month is answered by all cores, not by one.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many cores there are. Asked once: it takes the reading of several files.
pub(crate) static CORES: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));

/// Most threads of one question: others want to be answered too.
const THREADS_MAX: usize = 4;

/// What `work` makes of each item, in their order. A thread is worth its cost for so many items each.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], items_each: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = CORES.min(THREADS_MAX).min(items.len() / items_each.max(1));
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        while let Some((index, item)) = at(items, next.fetch_add(1, Ordering::Relaxed)) {
            done.push((index, work(item)));
        }
        done
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let threads: Vec<_> = (1..threads).map(|_| scope.spawn(some)).collect();
        let mut done = some();
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, made)| made).collect()
}

fn at<T>(items: &[T], index: usize) -> Option<(usize, &T)> {
    items.get(index).map(|item| (index, item))
}

#[cfg(test)]
mod tests {
    #[test]
    fn everything_is_done_once_and_stays_in_order() {
        for count in [0_usize, 1, 2, 3, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let made = super::each(&items, 2, |item| item * 2);
            assert_eq!(made, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
