//! How often the kernel's events are taken between snapshots.

use std::time::Duration;

/// Every snapshot drains too. Longer would lose the beginning of a flood.
const LONGEST: Duration = Duration::from_secs(2);
/// Where the kernel keeps so many lives, a flood is not lost either if nobody comes between two ordinary snapshots.
const MUCH_ROOM: usize = 40_000;
const LONGEST_WITH_MUCH_ROOM: Duration = Duration::from_secs(5);
const SHORTEST: Duration = Duration::from_millis(25);
/// Above this share of the kernel's buffer we come twice as often, far below it half as often.
const FULL: f64 = 0.25;

/// Often enough that the kernel's buffer does not run over, and no more often: every wake-up costs, events in a batch
/// hardly do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DrainPace {
    period: Duration,
    longest: Duration,
}

impl DrainPace {
    /// For a kernel that keeps so many short lives.
    pub(crate) fn new(room: Option<usize>) -> Self {
        let much = room.is_some_and(|lives| lives >= MUCH_ROOM);
        let longest = if much { LONGEST_WITH_MUCH_ROOM } else { LONGEST };
        Self { period: longest, longest }
    }

    /// When to come again, after a snapshot, which drained as well.
    pub(crate) const fn after_snapshot(&self) -> Duration {
        self.period
    }

    /// When to come again, after a drain that found the buffer this full.
    pub(crate) fn next(&mut self, full: f64) -> Duration {
        if full > FULL {
            self.period = (self.period / 2).max(SHORTEST);
        } else if full < FULL / 8.0 {
            self.period = (self.period * 2).min(self.longest);
        }
        self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_load() {
        assert_eq!(DrainPace::new(Some(MUCH_ROOM)).after_snapshot(), LONGEST_WITH_MUCH_ROOM);
        let mut pace = DrainPace::new(None);
        assert_eq!(pace.next(0.0), LONGEST);
        assert_eq!(pace.next(0.5), LONGEST / 2);
        assert_eq!(pace.next(0.2), LONGEST / 2);
        let shortest = (0..20).map(|_| pace.next(1.0)).last();
        assert_eq!(shortest, Some(SHORTEST));
        let longest = (0..20).map(|_| pace.next(0.0)).last();
        assert_eq!(longest, Some(LONGEST));
    }
}
