//! How often the kernel's events are taken between snapshots.

use std::time::Duration;

/// Every snapshot drains too. Longer would save a wake-up or two between snapshots, and lose the beginning of a flood.
const LONGEST: Duration = Duration::from_secs(2);
const SHORTEST: Duration = Duration::from_millis(25);
/// Above this share of the kernel's buffer we come twice as often, far below it half as often.
const FULL: f64 = 0.25;

/// Often enough that the kernel's buffer does not run over, and no more often: every wake-up costs, events in a batch
/// hardly do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DrainPace {
    period: Duration,
}

impl DrainPace {
    pub(crate) const fn new() -> Self {
        Self { period: LONGEST }
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
            self.period = (self.period * 2).min(LONGEST);
        }
        self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_load() {
        let mut pace = DrainPace::new();
        assert_eq!(pace.next(0.0), LONGEST);
        assert_eq!(pace.next(0.5), LONGEST / 2);
        assert_eq!(pace.next(0.2), LONGEST / 2);
        let shortest = (0..20).map(|_| pace.next(1.0)).last();
        assert_eq!(shortest, Some(SHORTEST));
        let longest = (0..20).map(|_| pace.next(0.0)).last();
        assert_eq!(longest, Some(LONGEST));
    }
}
