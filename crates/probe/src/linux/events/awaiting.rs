//! Which lives await what is told of them later, in the order in which they ended.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;

/// By pid.
pub(super) type ByPid<T> = HashMap<u32, T, RandomState>;

/// Places in a list of lives by pid. A pid has one nearly always, so the others are chained: a flood of lives makes this
/// large, and memory that was not in use costs more than looking.
#[derive(Debug, Default)]
pub(super) struct Awaiting {
    /// The first and the last place of a pid.
    ends: ByPid<(u32, u32)>,
    /// By place: the next one of the same pid.
    next: Vec<u32>,
}

impl Awaiting {
    pub(super) fn add(&mut self, pid: u32, place: usize) {
        // Lives have a limit far below this.
        let Ok(number) = u32::try_from(place) else { return };
        match self.ends.entry(pid) {
            Entry::Vacant(vacant) => drop(vacant.insert((number, number))),
            Entry::Occupied(mut occupied) => {
                let (_, last) = occupied.get_mut();
                let before = *last as usize;
                if self.next.len() <= before {
                    self.next.resize(before + 1, 0);
                }
                self.next[before] = number;
                *last = number;
            }
        }
    }

    /// The first place of this pid that was not taken before.
    pub(super) fn take(&mut self, pid: u32) -> Option<usize> {
        let Entry::Occupied(mut occupied) = self.ends.entry(pid) else { return None };
        let (first, last) = *occupied.get();
        if first == last {
            occupied.remove();
        } else {
            occupied.get_mut().0 = *self.next.get(first as usize)?;
        }
        Some(first as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_pid_come_in_their_order() {
        let mut awaiting = Awaiting::default();
        for (place, pid) in [7, 8, 7, 9, 7].into_iter().enumerate() {
            awaiting.add(pid, place);
        }
        let taken: Vec<_> = [7, 7, 8, 8, 7, 7, 9].map(|pid| awaiting.take(pid)).into();
        assert_eq!(taken, [Some(0), Some(2), Some(1), None, Some(4), None, Some(3)]);
        awaiting.add(7, 5);
        assert_eq!(awaiting.take(7), Some(5));
    }
}
