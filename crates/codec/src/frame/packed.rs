//! Changes of metrics as bits: slots and values in columns.

use procession_model::{Metric, ProcessState};

use super::bits::{BitReader, BitWriter};
use super::{FIRST_NAMED_STATE, Frame, FrameKind, MetricChanges};
use crate::DecodeError;
use crate::limits::{PROCESSES_MAX, SLOTS_MAX};
use crate::numbers::greatest_divisor;

/// Of the number of changes, of the halvings of a unit and of what is left of it.
const COUNT_WIDTH: u32 = 3;
const SHIFT_WIDTH: u32 = 3;
const FACTOR_WIDTH: u32 = 0;

/// Whether changes of a metric are written as bits. In a keyframe bytes are as short once they are compressed, and are
/// with its many strings; a fraction's bits are as good as random; and states by name are strings.
pub(super) fn is_packed(frame: &Frame, metric: Metric) -> bool {
    frame.kind == FrameKind::Delta
        && match metric {
            Metric::MemoryPercent => false,
            Metric::State => frame.changes[metric.index()].values.iter().all(|value| !is_named(*value)),
            _ => true,
        }
}

fn is_named(state: u64) -> bool {
    state >= FIRST_NAMED_STATE && state != Metric::ABSENT
}

/// Writes changes of one metric; there may be none.
pub(super) fn write_changes(changes: &MetricChanges, writer: &mut BitWriter<'_>) {
    writer.number(changes.slots.len() as u64, COUNT_WIDTH);
    if changes.slots.is_empty() {
        return;
    }
    let mut next = 0;
    let gaps = changes.slots.iter().map(|slot| {
        let gap = slot.wrapping_sub(next);
        next = slot + 1;
        u64::from(gap)
    });
    writer.column(&gaps.collect::<Vec<_>>());
    let known = || changes.values.iter().copied().filter(|value| *value != Metric::ABSENT);
    let unit = write_unit(known(), writer);
    let number = |value: &u64| if *value == Metric::ABSENT { 0 } else { value / unit + 1 };
    writer.column(&changes.values.iter().map(number).collect::<Vec<_>>());
}

/// Reads what [`write_changes`] wrote.
pub(super) fn read_changes(metric: Metric, reader: &mut BitReader<'_>) -> Result<MetricChanges, DecodeError> {
    let count = reader.count(PROCESSES_MAX, COUNT_WIDTH, "changes")?;
    if count == 0 {
        return Ok(MetricChanges::default());
    }
    let mut changes = MetricChanges { slots: Vec::with_capacity(count), values: Vec::with_capacity(count) };
    let mut next = 0_u64;
    reader.column(count, |gap| {
        let slot = gap.saturating_add(next);
        let slot = u32::try_from(slot).ok().filter(|slot| *slot < SLOTS_MAX);
        changes.slots.push(slot.ok_or(DecodeError::OverLimit("a slot"))?);
        next = next + gap + 1;
        Ok(())
    })?;
    let unit = read_unit(reader)?;
    reader.column(count, |number| {
        changes.values.push(match number.checked_sub(1) {
            None => Metric::ABSENT,
            Some(units) => units.checked_mul(unit).filter(|value| is_known(metric, *value)).ok_or(INVALID)?,
        });
        Ok(())
    })?;
    Ok(changes)
}

const INVALID: DecodeError = DecodeError::Invalid("a value");

fn is_known(metric: Metric, value: u64) -> bool {
    let is_state = metric != Metric::State || value < u64::from(ProcessState::FIRST_OTHER);
    value != Metric::ABSENT && is_state
}

/// Writes what all values are multiples of, and gives it: memory comes in pages, CPU time in ticks.
pub(super) fn write_unit(values: impl Iterator<Item = u64>, writer: &mut BitWriter<'_>) -> u64 {
    let unit = greatest_divisor(values).max(1);
    let shift = unit.trailing_zeros();
    writer.number(u64::from(shift), SHIFT_WIDTH);
    writer.number(unit >> shift >> 1, FACTOR_WIDTH);
    unit
}

/// Reads what [`write_unit`] wrote.
pub(super) fn read_unit(reader: &mut BitReader<'_>) -> Result<u64, DecodeError> {
    let shift = reader.number(SHIFT_WIDTH)?;
    let half = reader.number(FACTOR_WIDTH)?;
    let factor = half.checked_mul(2).and_then(|double| double.checked_add(1));
    let power = u32::try_from(shift).ok().and_then(|shift| 1_u64.checked_shl(shift));
    factor.zip(power).and_then(|(factor, power)| factor.checked_mul(power)).ok_or(DecodeError::Invalid("a unit"))
}
