//! A host over time.

use procession_model::{HostMetric, HostSample};

use super::Engine;
use super::open_host::{FrameTotals, OpenFrame};
use super::open_run;
use super::segments::Segments;
use super::view::{HostView, Part};
use crate::{HostNumber, HostPoint, HostSeries, Range, StoreError};

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

    pub(super) fn host_series(&self, host: HostNumber, range: Range, points: usize) -> Result<HostSeries, StoreError> {
        let Some(view) = self.view(host)? else {
            return Ok(HostSeries::default());
        };
        let all = view.points(range)?;
        Ok(in_steps(all, points.clamp(1, POINTS_MAX)))
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

/// At most `most` points: as they are, or summed up over steps of one length that start at multiples of it.
fn in_steps(points: Vec<HostPoint>, most: usize) -> HostSeries {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return HostSeries::default();
    };
    if most <= 1 && points.len() > 1 {
        let step_ms = last.time.since_ms(first.time).unsigned_abs().saturating_add(1);
        return HostSeries { points: vec![summed_up(&points)], step_ms };
    }
    if points.len() <= most {
        return HostSeries { points, step_ms: 0 };
    }
    let span = last.time.since_ms(first.time).unsigned_abs();
    // One more step than `span / step` may be touched.
    let step_ms = (span / (most - 1) as u64).saturating_add(1);
    let step_of = |point: &HostPoint| point.time.as_ms().div_euclid(i64::try_from(step_ms).unwrap_or(i64::MAX));
    let steps = points.chunk_by(|a, b| step_of(a) == step_of(b)).map(summed_up).collect();
    HostSeries { points: steps, step_ms }
}

/// One point for several. `points` is not empty.
fn summed_up(points: &[HostPoint]) -> HostPoint {
    let last = points[points.len() - 1];
    HostPoint {
        cpu: mean(points.iter().map(|point| point.cpu)),
        cpu_max: points.iter().map(|point| point.cpu_max).max().unwrap_or(last.cpu_max),
        memory_bytes: mean(points.iter().map(|point| point.memory_bytes)),
        memory_bytes_max: points.iter().map(|point| point.memory_bytes_max).max().unwrap_or(last.memory_bytes_max),
        process_count: points.iter().map(|point| point.process_count).max().unwrap_or(last.process_count),
        host: mean_cpu(points, last.host),
        ..last
    }
}

fn mean_cpu(points: &[HostPoint], last: HostSample) -> HostSample {
    let known = || points.iter().filter_map(|point| point.host.get(HostMetric::Cpu));
    if known().next().is_some() { last.with(HostMetric::Cpu, mean(known())) } else { last }
}

fn mean(values: impl Iterator<Item = u64>) -> u64 {
    let (sum, count) = values.fold((0_u128, 0_u128), |(sum, count), value| (sum + u128::from(value), count + 1));
    u64::try_from(sum / count.max(1)).unwrap_or(u64::MAX)
}
