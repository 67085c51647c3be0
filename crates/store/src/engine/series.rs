//! The newest snapshots of a host as points. What is older and longer is in `analysis::host`.

use super::Engine;
use super::open_host::{FrameTotals, OpenFrame};
use super::open_run;
use super::segments::Segments;
use super::view::{HostView, Part};
use crate::{HostNumber, HostPoint, Range, StoreError};

/// Most points of one answer.
pub const POINTS_MAX: usize = 100_000;

impl<S: Segments> Engine<S> {
    pub(super) fn newest_points(
        &self,
        host: HostNumber,
        range: Range,
        limit: usize,
    ) -> Result<Vec<HostPoint>, StoreError> {
        let limit = limit.min(POINTS_MAX);
        let newest = self.list(Some(host), range, None, limit)?;
        let (Some(first), Some(view)) = (newest.first(), self.view(host)?) else {
            return Ok(Vec::new());
        };
        let mut points = view.points(Range { start: Some(first.time), ..range })?;
        Ok(points.split_off(points.len().saturating_sub(limit)))
    }
}

impl<S: Segments> HostView<'_, S> {
    /// Every snapshot of a range as a point, oldest first.
    fn points(&self, range: Range) -> Result<Vec<HostPoint>, StoreError> {
        let mut points = Vec::new();
        for part in self.parts(range)? {
            match part.open_frames() {
                Some(frames) => self.add_open(frames, range, &mut points)?,
                None => self.add_sealed(&part, range, &mut points)?,
            }
        }
        points.sort_by_key(|point: &HostPoint| (point.time, point.id));
        Ok(points)
    }

    fn add_open(&self, frames: &[OpenFrame], range: Range, points: &mut Vec<HostPoint>) -> Result<(), StoreError> {
        for open in frames.iter().filter(|open| range.contains(open.time)) {
            let host = open_run::decode(&open.bytes)?.host;
            points.push(open.totals.point(self.id(open.sequence)?, open.time, host));
        }
        Ok(())
    }

    fn add_sealed(&self, part: &Part<'_, S>, range: Range, points: &mut Vec<HostPoint>) -> Result<(), StoreError> {
        let Some((timeline, series)) = part.with_head(|head| Ok((head.timeline()?, head.series()?)))? else {
            return Ok(());
        };
        for (index, (time, sequence)) in timeline.times.iter().zip(&timeline.sequences).enumerate() {
            if range.contains(*time) {
                let totals = FrameTotals {
                    cpu: series.cpu_sums[index],
                    memory: series.memory_sums[index],
                    processes: series.process_counts[index],
                };
                points.push(totals.point(self.id(*sequence)?, *time, series.hosts[index]));
            }
        }
        Ok(())
    }
}
