//! How long to wait before the next try to connect.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// Doubles with every failure up to half a minute. The real wait is drawn between half of it and all of it, so that a
/// thousand agents that lost the same server do not come back in the same moment.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// The wait before the next try; `at_least` where the server asked for more.
    pub(crate) fn wait(&mut self, at_least: Option<Duration>) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        let drawn = whole.mul_f64(0.5 + fastrand::f64() / 2.0);
        at_least.map_or(drawn, |at_least| at_least.mul_f64(1.0 + fastrand::f64() / 2.0).max(drawn))
    }

    /// After a connection that worked.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_half_a_minute_and_starts_anew() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..10).map(|_| backoff.wait(None)).collect();
        assert!((FIRST / 2..=FIRST).contains(&waits[0]));
        assert!(waits[9] >= LONGEST / 2 && waits.iter().all(|wait| *wait <= LONGEST));
        backoff.reset();
        assert!(backoff.wait(None) <= FIRST);
        assert!(backoff.wait(Some(Duration::from_secs(90))) >= Duration::from_secs(90));
    }
}
