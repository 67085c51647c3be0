//! Samples of processes, filtered, page by page.
//!
//! The order is time, host, pid over all hosts, and the count is exact, so everything that fits is counted, but only by
//! stretches of time: memory does not follow the length of the range. The stretch that the page begins in is then looked at
//! more closely, and only the page's own snapshots are read for their samples.

use std::collections::BTreeMap;
use std::sync::Arc;

use procession_codec::block::Block;
use procession_model::{Description, HostFacts, Metric, Sample, SnapshotId, Timestamp};

use super::Engine;
use super::histogram::Histogram;
use super::segments::Segments;
use super::view::Part;
use crate::{HostNumber, Page, Range, SampleFilter, SampleRow, StoreError};

/// Most rows of one page.
pub const SAMPLES_MAX: usize = 10_000;
/// Most snapshots that are looked at one by one.
const SNAPSHOTS_MAX: u64 = 200_000;

impl<S: Segments> Engine<S> {
    pub(super) fn samples(
        &self,
        filter: &SampleFilter,
        offset: u64,
        limit: usize,
    ) -> Result<Page<SampleRow>, StoreError> {
        let limit = limit.min(SAMPLES_MAX);
        let hosts = filter.host.map_or_else(|| self.host_numbers(), |host| vec![host]);
        let Some(span) = self.span(&hosts, filter.range)? else {
            return Ok(Page { count: 0, items: Vec::new() });
        };
        let mut histogram = self.histogram(&hosts, filter, span)?;
        let count = histogram.rows();
        let mut offset = offset;
        let mut window = histogram.window(offset, limit as u64);
        while histogram.snapshots_in(&window) > SNAPSHOTS_MAX && histogram.step_ms() > 1 {
            offset = offset.saturating_sub(histogram.rows_before(&window));
            let span = histogram.span_of(&window);
            histogram = self.histogram(&hosts, filter, span)?;
            window = histogram.window(offset, limit as u64);
        }
        offset = offset.saturating_sub(histogram.rows_before(&window));
        let (first, last) = histogram.span_of(&window);
        let wanted = self.wanted(&hosts, filter, (first, last), offset, limit)?;
        Ok(Page { count, items: self.rows_of(&wanted, filter, limit)? })
    }

    /// Times of the first and the last snapshot that are in the range.
    fn span(&self, hosts: &[HostNumber], range: Range) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        let mut span: Option<(Timestamp, Timestamp)> = None;
        for host in hosts {
            let Some(view) = self.view(*host)? else {
                continue;
            };
            for part in view.parts(range)? {
                let (first, last) = span.unwrap_or((part.first_time, part.last_time));
                span = Some((first.min(part.first_time), last.max(part.last_time)));
            }
        }
        let clip = |(first, last): (Timestamp, Timestamp)| {
            let last = range.end.map_or(last, |end| last.min(end.plus_ms(-1)));
            (range.start.map_or(first, |start| first.max(start)), last)
        };
        Ok(span.map(clip).filter(|(first, last)| first <= last))
    }

    fn histogram(
        &self,
        hosts: &[HostNumber],
        filter: &SampleFilter,
        span: (Timestamp, Timestamp),
    ) -> Result<Histogram, StoreError> {
        let mut histogram = Histogram::over(span);
        self.each_count(hosts, filter, span, |count| histogram.add(count.time, count.rows))?;
        Ok(histogram)
    }

    /// Shows how many rows each snapshot has that has any.
    fn each_count(
        &self,
        hosts: &[HostNumber],
        filter: &SampleFilter,
        (first, last): (Timestamp, Timestamp),
        mut see: impl FnMut(Count),
    ) -> Result<(), StoreError> {
        let range = Range { start: Some(first), end: Some(last.plus_ms(1)) };
        for host in hosts {
            let Some(view) = self.view(*host)? else {
                continue;
            };
            for part in view.parts(range)? {
                if !part.may_have(filter.name.as_deref(), filter.user.as_deref())? {
                    continue;
                }
                let timeline = part.timeline()?;
                let counts = counts(&part, filter)?;
                for ((time, sequence), rows) in timeline.times.iter().zip(&timeline.sequences).zip(counts) {
                    if rows > 0 && range.contains(*time) {
                        see(Count { time: *time, id: view.id(*sequence)?, rows: rows.into(), skip: 0 });
                    }
                }
            }
        }
        Ok(())
    }

    /// The snapshots that a page is made of, with how many of their rows come before it.
    fn wanted(
        &self,
        hosts: &[HostNumber],
        filter: &SampleFilter,
        span: (Timestamp, Timestamp),
        offset: u64,
        limit: usize,
    ) -> Result<Vec<Count>, StoreError> {
        let mut counts = Vec::new();
        self.each_count(hosts, filter, span, |count| counts.push(count))?;
        counts.sort_unstable_by_key(|count| (count.time, count.id));
        let mut before = 0_u64;
        let mut wanted = Vec::new();
        for count in counts {
            let after = before + count.rows;
            if after > offset && before < offset.saturating_add(limit as u64) {
                wanted.push(Count { skip: offset.saturating_sub(before), ..count });
            }
            before = after;
        }
        Ok(wanted)
    }

    /// The rows of these snapshots, host by host, so that no block is opened twice; then in order.
    fn rows_of(&self, wanted: &[Count], filter: &SampleFilter, limit: usize) -> Result<Vec<SampleRow>, StoreError> {
        let mut by_host: BTreeMap<HostNumber, Vec<&Count>> = BTreeMap::new();
        for count in wanted {
            by_host.entry(count.id.host()).or_default().push(count);
        }
        let mut rows = Vec::new();
        for (host, counts) in by_host {
            let (Some(first), Some(last), Some(view)) = (counts.first(), counts.last(), self.view(host)?) else {
                continue;
            };
            for part in view.parts(Range { start: Some(first.time), end: Some(last.time.plus_ms(1)) })? {
                if !part.may_have(filter.name.as_deref(), filter.user.as_deref())? {
                    continue;
                }
                let Some(block) = part.block()? else {
                    continue;
                };
                for count in &counts {
                    add_rows(&block, count, filter, &mut rows);
                }
            }
        }
        rows.sort_by_key(|row: &SampleRow| (row.time, row.host, row.id, row.description.identity.pid));
        rows.truncate(limit);
        Ok(rows)
    }
}

/// How many rows of a snapshot fit the filter.
#[derive(Clone, Copy, Debug)]
struct Count {
    time: Timestamp,
    id: SnapshotId,
    rows: u64,
    /// How many of them are before the page.
    skip: u64,
}

/// For each frame of a part how many of its rows fit.
fn counts<S: Segments>(part: &Part<'_, S>, filter: &SampleFilter) -> Result<Vec<u32>, StoreError> {
    let described = filter.name.is_some() || filter.user.is_some();
    let measured = filter.cpu_min.is_some() || filter.memory_percent_min.is_some();
    if !described && !measured {
        if let Some(open) = part.open_frames() {
            return Ok(open.iter().map(|open| open.totals.processes).collect());
        }
        return Ok(part.with_head(|head| head.process_counts())?.unwrap_or_default());
    }
    let metrics: &[Metric] = if measured { &[Metric::Cpu, Metric::Memory, Metric::MemoryPercent] } else { &[] };
    let Some(block) = part.block_with(metrics, None)? else {
        return Ok(Vec::new());
    };
    let mut counts = vec![0; block.timeline().times.len()];
    for (index, row) in block.rows().iter().enumerate().filter(|(_, row)| is_described(&row.description, filter)) {
        if measured {
            for (frame, sample) in block.samples(index) {
                counts[frame as usize] += u32::from(is_measured(&sample, || block.facts(frame), filter));
            }
        } else {
            for count in &mut counts[row.first as usize..row.after() as usize] {
                *count += 1;
            }
        }
    }
    Ok(counts)
}

/// Adds the rows of a snapshot if the block has it.
fn add_rows(block: &Block, count: &Count, filter: &SampleFilter, rows: &mut Vec<SampleRow>) {
    let Some(frame) = block.index_of(count.id.sequence()) else {
        return;
    };
    let facts = block.facts(frame);
    let fits =
        block.rows_in(frame).filter(|(_, row)| is_described(&row.description, filter)).filter_map(|(index, row)| {
            let sample = block.sample(index, frame);
            is_measured(&sample, || Arc::clone(&facts), filter).then_some((row, sample))
        });
    rows.extend(fits.skip(usize::try_from(count.skip).unwrap_or(usize::MAX)).map(|(row, sample)| SampleRow {
        host: count.id.host(),
        id: count.id,
        time: count.time,
        description: Arc::clone(&row.description),
        sample,
        memory_percent: memory_percent(&facts, &sample),
    }));
}

fn is_described(description: &Description, filter: &SampleFilter) -> bool {
    filter.name.as_ref().is_none_or(|name| **name == *description.name)
        && filter.user.as_ref().is_none_or(|user| description.user.as_deref() == Some(user))
}

fn is_measured(sample: &Sample, facts: impl FnOnce() -> Arc<HostFacts>, filter: &SampleFilter) -> bool {
    filter.cpu_min.is_none_or(|least| sample.get(Metric::Cpu).is_some_and(|cpu| cpu >= least))
        && filter
            .memory_percent_min
            .is_none_or(|least| memory_percent(&facts(), sample).is_some_and(|percent| percent >= least))
}

/// The share of the host's memory: as it was sent, else computed where the host's memory is known.
#[expect(clippy::cast_precision_loss, reason = "a share in percent needs no more than an f64 has")]
fn memory_percent(facts: &HostFacts, sample: &Sample) -> Option<f64> {
    sample.memory_percent().or_else(|| {
        let total = facts.memory_total_bytes.filter(|total| *total > 0)?;
        Some(sample.get(Metric::Memory)? as f64 * 100.0 / total as f64)
    })
}
