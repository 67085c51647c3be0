//! When a snapshot is taken, by two clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use procession_model::Timestamp;

/// A moment by the wall clock, which may be set back and forth, and by a monotonic one, which measures intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// For people and for the history.
    pub wall: Timestamp,
    /// Since any fixed time; only differences count.
    pub monotonic: Duration,
}

impl Moment {
    /// Now, the monotonic clock counted from `origin`.
    pub fn now(origin: Instant) -> Self {
        Self { wall: wall_clock(), monotonic: origin.elapsed() }
    }
}

fn wall_clock() -> Timestamp {
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_ms(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => ms(since),
        Err(before) => -ms(before.duration()),
    })
}
