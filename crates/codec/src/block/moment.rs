//! One frame out of a metric of all processes: what a snapshot needs, without laying out what came before and after it.

use super::metrics::{MetricTable, Ticks};
use super::row::Phase;
use super::scale::{Scale, ZERO};
use crate::DecodeError;
use crate::numbers::add_difference;

/// A process at a frame.
pub(super) struct Moment<'a> {
    pub(super) scale: Scale,
    pub(super) frame: u32,
    /// The rows of the process.
    pub(super) phases: &'a [Phase],
}

impl Moment<'_> {
    /// Adds the rows of the process to a table: the one that the frame has with its value there, from its first frame on.
    pub(super) fn read(
        &self,
        table: &mut MetricTable,
        first_value: Option<u64>,
        entries: &mut impl ExactSizeIterator<Item = (u64, u64)>,
        ticks: &mut Option<Ticks>,
    ) -> Result<(), DecodeError> {
        let number = self.number(first_value, entries, ticks)?;
        // Those after the frame.
        if let Some(last) = entries.len().checked_sub(1) {
            ticks.iter_mut().for_each(|ticks| ticks.skip(last + 1));
            entries.nth(last);
        }
        for phase in self.phases {
            table.begin_row();
            if phase.first <= self.frame && self.frame < phase.after() {
                table.push(phase.first, self.scale.unscaled(number));
            }
        }
        Ok(())
    }

    /// The scaled number at the frame.
    fn number(
        &self,
        first_value: Option<u64>,
        entries: &mut impl ExactSizeIterator<Item = (u64, u64)>,
        ticks: &mut Option<Ticks>,
    ) -> Result<u64, DecodeError> {
        const INVALID: DecodeError = DecodeError::Invalid("the frame of a change");
        let after = self.phases.last().map_or(0, Phase::after);
        let mut next = self.phases.first().map_or(0, |phase| phase.first);
        let mut found = ZERO;
        let mut before = ZERO;
        if let Some(number) = first_value {
            (found, before, next) = (number, number, next + 1);
        }
        for (gap, number) in entries {
            let frame = gap.checked_add(u64::from(next)).and_then(|frame| u32::try_from(frame).ok());
            let frame = frame.filter(|frame| *frame < after).ok_or(INVALID)?;
            before = if self.scale.is_delta { add_difference(before, number) } else { number };
            if frame > self.frame {
                ticks.iter_mut().for_each(|ticks| ticks.skip(1));
                break;
            }
            let is_there = !self.scale.is_pulses || frame == self.frame;
            match ticks {
                Some(ticks) if is_there => found = ticks.number(frame, before)?,
                Some(ticks) => ticks.skip(1),
                None if is_there => found = before,
                None => {}
            }
            next = frame + 1;
        }
        Ok(found)
    }
}
