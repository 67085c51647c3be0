//! Which pids may be new since the look before, so that the whole folder need not be listed: listing it makes the kernel
//! go through all processes and costs a third of reading them.
//!
//! The kernel counts forks and says which pid it gave last. Where it gave exactly as many pids in a row as there were
//! forks, whoever is new has one of them. Where the two differ (threads of other pid namespaces, a pid chosen by hand, a
//! fork that failed or is under way just now, the end of the range of pids), everything is listed; and also now and then,
//! because two such things at once may hide each other.

use std::ops::RangeInclusive;

/// From one listing to the next.
const LOOKS: u32 = 12;
/// Looking for more costs as much as a listing.
const NEWCOMERS_MAX: u32 = 150;

/// What the kernel says of forks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forks {
    /// Since boot, threads too.
    pub(super) count: u64,
    /// Of the last one.
    pub(super) last_pid: u32,
}

/// Says what to look for.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    /// At the look before.
    before: Option<Forks>,
    /// The last pid of the look before that: a fork that was under way at the look before may have been missed.
    last_pid_before_that: Option<u32>,
    /// Since everything was listed.
    looks: u32,
}

impl Newcomers {
    /// The pids that whoever is new has; nothing where everything has to be listed.
    pub(super) fn since_the_look_before(&mut self, now: Option<Forks>) -> Option<RangeInclusive<u32>> {
        let newcomers = self.newcomers(now);
        self.looks = if newcomers.is_some() { self.looks + 1 } else { 0 };
        // Whatever was under way before a listing is in that listing or in the next look's pids.
        self.last_pid_before_that = self.before.map(|before| before.last_pid);
        self.before = now;
        newcomers
    }

    fn newcomers(&self, now: Option<Forks>) -> Option<RangeInclusive<u32>> {
        let (now, before, first) = (now?, self.before?, self.last_pid_before_that?);
        let given = now.last_pid.checked_sub(before.last_pid)?;
        let is_told = now.count.checked_sub(before.count) == Some(given.into());
        let few = now.last_pid.checked_sub(first).is_some_and(|pids| pids <= NEWCOMERS_MAX);
        (is_told && few && self.looks < LOOKS).then(|| first + 1..=now.last_pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forks(count: u64, last_pid: u32) -> Option<Forks> {
        Some(Forks { count, last_pid })
    }

    fn after(looks: &[Option<Forks>]) -> Option<RangeInclusive<u32>> {
        let mut newcomers = Newcomers::default();
        looks.iter().map(|forks| newcomers.since_the_look_before(*forks)).last().flatten()
    }

    #[test]
    fn whoever_is_new_has_one_of_the_pids_given_since() {
        assert_eq!(after(&[forks(10, 100)]), None, "the first look");
        assert_eq!(after(&[forks(10, 100), forks(12, 102)]), None, "the second");
        assert_eq!(after(&[forks(10, 100), forks(12, 102), forks(15, 105)]), Some(101..=105), "those before that too");
        assert_eq!(after(&[forks(10, 100), forks(10, 100), forks(10, 100)]).map(|pids| pids.count()), Some(0));
    }

    #[test]
    fn where_pids_and_forks_differ_everything_is_listed() {
        for strange in [forks(15, 104), forks(14, 105), forks(15, 3), forks(11, 105), None, forks(400, 490)] {
            assert_eq!(after(&[forks(10, 100), forks(12, 102), strange]), None, "{strange:?}");
        }
        let missed = [forks(10, 100), forks(12, 103), forks(14, 105)];
        assert_eq!(after(&missed), Some(101..=105), "what was under way is looked for");
    }

    #[test]
    fn everything_is_listed_now_and_then() {
        let mut newcomers = Newcomers::default();
        let listed = (0..100).filter(|_| newcomers.since_the_look_before(forks(10, 100)).is_none()).count();
        assert!((2 + 100 / 14..=2 + 100 / 12).contains(&listed), "{listed}");
    }
}
