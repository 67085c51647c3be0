//! A host over time, in points: of snapshots that are few, else of rollups, without reading any process.
//!
//! Sums, counts and maxima of steps are exact in every level, so a point is the same whatever it was read from.

use std::collections::BTreeMap;

use procession_model::{HostMetric, HostSample, SnapshotId};

use super::extent::{Extent, extent};
use super::piece::Piece;
use super::plan::{self, Filter, Reads};
use super::service::{Fineness, covering};
use crate::engine::{Engine, Level, POINTS_MAX, Segments};
use crate::rollup::{Rollup, Step, step_of};
use crate::{HostNumber, HostPoint, HostSeries, Range, StoreError};

/// So many snapshots are read one by one: some heads of blocks.
const SNAPSHOTS_MAX: u64 = 4_000;

impl<S: Segments> Engine<S> {
    /// A host over a range in at most so many points.
    pub(crate) fn host_series(&self, host: HostNumber, range: Range, points: usize) -> Result<HostSeries, StoreError> {
        let points = points.clamp(1, POINTS_MAX);
        let Some(extent) = extent(self, host, range)? else {
            return Ok(HostSeries::default());
        };
        let fine = Fineness::of(extent, points, 0, Level::QuarterHour);
        // The host's own steps of a quarter of an hour are in rollups of hours.
        let level = match fine.level {
            _ if extent.frames <= SNAPSHOTS_MAX => Level::Raw,
            Level::QuarterHour => Level::Hour,
            level => level,
        };
        let filter = Filter { reads: Reads::Host, ..Filter::default() };
        let Some(gathered) = plan::gather(self, host, range, level, filter)? else {
            return Ok(HostSeries::default());
        };
        let steps: Vec<Step> = gathered.pieces.iter().flat_map(steps_of).collect();
        let rollup_ms = gathered.rollup_ms();
        let step_ms = if level == Level::Raw { step_for(&steps, points) } else { fine.step_ms };
        // Where retention has left less than was asked for, points are whole steps of what there is.
        let step_ms = if rollup_ms > 0 { step_ms.max(1).next_multiple_of(rollup_ms) } else { step_ms };
        let mut sums: BTreeMap<i64, Step> = BTreeMap::new();
        for step in steps {
            let key = if step_ms == 0 { step.last.as_ms() } else { Rollup::number_of(step_ms, step.last) };
            sums.entry(key).and_modify(|sum| sum.then(&step)).or_insert(step);
        }
        let points = sums.into_values().map(|step| point(host, &step)).collect::<Result<_, _>>()?;
        Ok(HostSeries { points, step_ms, rollup_ms })
    }
}

/// Its snapshots or steps.
fn steps_of(piece: &Piece) -> Vec<Step> {
    match piece {
        Piece::Raw(raw) => raw.window.clone().map(|frame| step_of(raw, frame, 0)).collect(),
        Piece::Rolled(rolled) => rolled.rollup.steps[rolled.window.clone()].to_vec(),
    }
}

/// How long steps have to be for so many points at most; 0 if all of them are points.
fn step_for(steps: &[Step], points: usize) -> u64 {
    let (first, last) = (steps.iter().map(|step| step.first).min(), steps.iter().map(|step| step.last).max());
    let (Some(first), Some(last)) = (first, last) else { return 0 };
    if steps.len() <= points {
        return 0;
    }
    if points == 1 {
        return covering(Extent { first, last, frames: 0, reads: 0 });
    }
    // One more step than `span / step` may be touched.
    (last.since_ms(first).unsigned_abs() / (points - 1) as u64).saturating_add(1)
}

fn point(host: HostNumber, step: &Step) -> Result<HostPoint, StoreError> {
    let id = SnapshotId::new(host, step.last_sequence).map_err(|error| StoreError::Damaged(error.to_string()))?;
    let snapshots = u128::from(step.snapshots.max(1));
    Ok(HostPoint {
        id,
        time: step.last,
        cpu: mean(step.cpu_sum, snapshots),
        cpu_max: step.cpu_max,
        memory_bytes: mean(step.memory_sum, snapshots),
        memory_bytes_max: step.memory_max,
        process_count: step.processes_max,
        host: host_of(step),
    })
}

/// The host's own counters at the last snapshot, but CPU as mean.
fn host_of(step: &Step) -> HostSample {
    if step.host_cpu_snapshots == 0 {
        return step.host;
    }
    step.host.with(HostMetric::Cpu, mean(step.host_cpu_sum, step.host_cpu_snapshots.into()))
}

fn mean(sum: u128, count: u128) -> u64 {
    u64::try_from(sum / count).unwrap_or(u64::MAX)
}
