//! From counters to values of an interval.

use std::time::Duration;

/// CPU time in an interval as hundredths of a percent of one core, rounded to the nearest; absent for an empty interval.
///
/// One second of CPU time in one second is 10,000.
pub(crate) fn cpu_hundredths(cpu_time_us: u64, interval: Duration) -> Option<u64> {
    let interval_us = interval.as_micros();
    if interval_us == 0 {
        return None;
    }
    let hundredths = (u128::from(cpu_time_us) * 10_000 + interval_us / 2) / interval_us;
    u64::try_from(hundredths).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_hundredths_of_a_percent_of_one_core() {
        assert_eq!(cpu_hundredths(1_000_000, Duration::from_secs(1)), Some(10_000));
        assert_eq!(cpu_hundredths(125_000, Duration::from_secs(5)), Some(250));
        assert_eq!(cpu_hundredths(64_000_000, Duration::from_secs(1)), Some(640_000));
        assert_eq!(cpu_hundredths(1, Duration::ZERO), None);
        assert_eq!(cpu_hundredths(u64::MAX, Duration::from_micros(1)), None);
    }
}
