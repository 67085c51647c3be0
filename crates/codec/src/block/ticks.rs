//! CPU as ticks of the kernel's clock.
//!
//! Linux counts CPU in hundredths of a second, and an agent divides by an interval that is never twice the same: one tick in a
//! second is 99.97 or 100.02 hundredths of a percent. So what looks like noise is a small number times a unit of the
//! frame. The unit is sought near the one that the times of the frames give; what it does not give back exactly is kept beside it.

use procession_model::Timestamp;

use super::column::{ColumnReader, ColumnWriter};
use super::scale::cost;
use crate::DecodeError;
use crate::numbers::{add_difference, difference};

/// Units are kept in this many parts of a hundredth of a percent.
const PARTS: u64 = 1 << PARTS_LOG;
const PARTS_LOG: u32 = 10;
/// One tick in one millisecond, in parts: 100 ticks a second are 10,000 hundredths of a percent.
const PARTS_MS: u64 = PARTS * 100_000;
/// Longer intervals than this make units too small to be told apart.
const INTERVAL_MS_MAX: u64 = 20_000;
/// How far from the times' own unit one is sought: a fiftieth.
const SLACK: u64 = 50;

/// The unit of each frame, in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Units(Vec<u64>);

/// The units that the times give.
fn nominal(times: &[Timestamp]) -> Vec<u64> {
    let unit = |interval_ms: i64| match u64::try_from(interval_ms) {
        Ok(interval_ms) if (1..=INTERVAL_MS_MAX).contains(&interval_ms) => PARTS_MS / interval_ms,
        _ => PARTS,
    };
    let mut units: Vec<u64> = times.windows(2).map(|pair| unit(pair[1].since_ms(pair[0]))).collect();
    units.insert(0, units.first().copied().unwrap_or(PARTS));
    units
}

impl Units {
    /// The units that fit values best, each value with its frame; `None` where numbers of ticks are no shorter than the
    /// values are when divided by `divisor`.
    pub(super) fn fit(times: &[Timestamp], values: &[(u32, u64)], divisor: u64) -> Option<Self> {
        let nominal = nominal(times);
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let mut units = nominal.clone();
        for of_frame in sorted.chunk_by(|one, other| one.0 == other.0) {
            let unit = units.get_mut(of_frame[0].0 as usize)?;
            *unit = fit_frame(*unit, of_frame.iter().map(|(_, value)| *value));
        }
        let units = Self(units);
        let (ticks, rests): (Vec<u64>, Vec<u64>) =
            values.iter().map(|(frame, value)| units.split(*frame, *value)).unzip();
        let plain: Vec<u64> = values.iter().map(|(_, value)| value / divisor).collect();
        let ticked = cost(&ticks) + cost(&rests) + cost(&units.differences(&nominal));
        (ticked < cost(&plain)).then_some(units)
    }

    /// A value as ticks and what is left, which may be negative.
    pub(super) fn split(&self, frame: u32, value: u64) -> (u64, u64) {
        let unit = self.0[frame as usize];
        let ticks = nearest_ticks(value, unit);
        (ticks, difference(in_hundredths(ticks, unit), value))
    }

    /// The other way.
    pub(super) fn join(&self, frame: u32, ticks: u64, rest: u64) -> Result<u64, DecodeError> {
        let unit = self.0.get(frame as usize).ok_or(DecodeError::Invalid("the frame of a change"))?;
        Ok(add_difference(in_hundredths(ticks, *unit), rest))
    }

    fn differences(&self, nominal: &[u64]) -> Vec<u64> {
        nominal.iter().zip(&self.0).map(|(nominal, unit)| difference(*nominal, *unit)).collect()
    }

    pub(super) fn put(&self, columns: &mut ColumnWriter, times: &[Timestamp]) {
        columns.put(&self.differences(&nominal(times)));
    }

    pub(super) fn get(columns: &mut ColumnReader<'_>, times: &[Timestamp]) -> Result<Self, DecodeError> {
        let differences = columns.get(times.len())?;
        Ok(Self(
            nominal(times).into_iter().zip(differences).map(|(nominal, step)| add_difference(nominal, step)).collect(),
        ))
    }
}

fn nearest_ticks(value: u64, unit: u64) -> u64 {
    if unit == 0 {
        return 0;
    }
    let parts = u128::from(value) * u128::from(PARTS) + u128::from(unit / 2);
    u64::try_from(parts / u128::from(unit)).unwrap_or(0)
}

const fn in_hundredths(ticks: u64, unit: u64) -> u64 {
    ticks.wrapping_mul(unit).wrapping_add(PARTS / 2) >> PARTS_LOG
}

/// The unit nearest to the nominal one that gives back as many values as can be; values ascend, and small ones, whose ticks
/// are certain, narrow it down for the larger ones.
fn fit_frame(nominal: u64, values: impl Iterator<Item = u64>) -> u64 {
    let (mut low, mut high) = (nominal - nominal / SLACK, nominal + nominal / SLACK);
    for value in values.filter(|value| *value > 0 && *value < 1 << 40) {
        let ticks = nearest_ticks(value, low.midpoint(high));
        if ticks > 0 {
            let (from, to) = ((value * PARTS - PARTS / 2).div_ceil(ticks), (value * PARTS + PARTS / 2 - 1) / ticks);
            if from.max(low) <= to.min(high) {
                (low, high) = (from.max(low), to.min(high));
            }
        }
    }
    nominal.clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_come_back_whatever_they_are(
            times in prop::collection::vec(prop_oneof![0_i64..9_000, any::<i64>()], 4),
            values in prop::collection::vec((0_u32..4, prop_oneof![0_u64..20_000, any::<u64>()]), 0..40),
        ) {
            let times: Vec<_> = times.into_iter().map(Timestamp::from_ms).collect();
            let mut units = Units(nominal(&times));
            if let Some(fitted) = Units::fit(&times, &values, 1) {
                units = fitted;
            }
            for (frame, value) in values {
                let (ticks, rest) = units.split(frame, value);
                prop_assert_eq!(units.join(frame, ticks, rest), Ok(value));
            }
        }
    }

    #[test]
    fn jitter_of_the_interval_goes_into_the_unit() {
        let intervals = [1_000.3, 999.1, 1_004.9, 1_000.0];
        let times: Vec<_> = (0..5).map(|second| Timestamp::from_ms(second * 1_000)).collect();
        let mut values = Vec::new();
        for (frame, interval) in (1..).zip(intervals) {
            for ticks in [1_u32, 2, 7, 31, 88, 100, 790] {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
                values.push((frame, (f64::from(ticks) * 100_000.0 / interval).round() as u64));
            }
        }
        let units = Units::fit(&times, &values, 1).unwrap();
        let splits: Vec<_> = values.iter().map(|(frame, value)| units.split(*frame, *value)).collect();
        assert!(splits.iter().all(|(_, rest)| *rest == 0));
        assert_eq!(splits.iter().take(7).map(|(ticks, _)| *ticks).collect::<Vec<_>>(), [1, 2, 7, 31, 88, 100, 790]);
    }
}
