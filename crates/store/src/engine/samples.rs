//! Samples of processes, filtered, page by page.
//!
//! The order is time, host, pid over all hosts, so hosts are merged: each host asked for is a sorted stream. One snapshot of
//! each is in memory at a time, never a range.

use procession_codec::HostState;
use procession_model::{Description, Metric, Sample, Timestamp};

use super::Engine;
use super::segments::Segments;
use crate::{HostNumber, Page, SampleFilter, SampleRow, StoreError};

/// Most rows of one page.
pub const SAMPLES_MAX: usize = 10_000;

impl<S: Segments> Engine<S> {
    pub(super) fn samples(
        &self,
        filter: &SampleFilter,
        offset: u64,
        limit: usize,
    ) -> Result<Page<SampleRow>, StoreError> {
        let limit = limit.min(SAMPLES_MAX);
        let hosts: Vec<HostNumber> = match filter.host {
            Some(host) => vec![host],
            None => self.hosts.all().into_iter().map(|(host, _)| host).collect(),
        };
        let counts = self.counts(&hosts, filter)?;
        let count = counts.iter().map(|count| u64::from(count.rows)).sum();
        let items = self.page(&counts, filter, offset, limit)?;
        Ok(Page { count, items })
    }

    /// How many rows each snapshot has, by time, host and number.
    fn counts(&self, hosts: &[HostNumber], filter: &SampleFilter) -> Result<Vec<Count>, StoreError> {
        let mut counts = Vec::new();
        for host in hosts {
            let Some(view) = self.view(*host)? else {
                continue;
            };
            view.each(filter.range, |seen| {
                let rows = matching(seen.state, filter).count();
                if rows > 0 {
                    let rows = u32::try_from(rows).unwrap_or(u32::MAX);
                    counts.push(Count { time: seen.time, id: seen.id, rows });
                }
                Ok(())
            })?;
        }
        counts.sort_unstable();
        Ok(counts)
    }

    fn page(
        &self,
        counts: &[Count],
        filter: &SampleFilter,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<SampleRow>, StoreError> {
        let mut skip = offset;
        let mut items = Vec::new();
        for count in counts {
            if skip >= u64::from(count.rows) {
                skip -= u64::from(count.rows);
                continue;
            }
            if items.len() >= limit {
                break;
            }
            if let Some(state) = self.state_of(count.id)? {
                let mut rows: Vec<_> = matching(&state, filter).map(|found| row(count, &state, found)).collect();
                rows.sort_by_key(|row| row.description.identity.pid);
                let left = limit - items.len();
                items.extend(rows.into_iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)).take(left));
            }
            skip = 0;
        }
        Ok(items)
    }
}

/// How many rows of a snapshot fit the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Count {
    time: Timestamp,
    id: procession_model::SnapshotId,
    rows: u32,
}

type Found<'a> = (&'a std::sync::Arc<Description>, &'a Sample);

fn matching<'a>(state: &'a HostState, filter: &'a SampleFilter) -> impl Iterator<Item = Found<'a>> {
    state.occupied().map(|(_, description, sample)| (description, sample)).filter(|(description, sample)| {
        filter.name.as_ref().is_none_or(|name| **name == *description.name)
            && filter.user.as_ref().is_none_or(|user| description.user.as_deref() == Some(user))
            && filter.cpu_min.is_none_or(|least| sample.get(Metric::Cpu).is_some_and(|cpu| cpu >= least))
            && filter
                .memory_percent_min
                .is_none_or(|least| memory_percent(state, sample).is_some_and(|percent| percent >= least))
    })
}

fn row(count: &Count, state: &HostState, (description, sample): Found<'_>) -> SampleRow {
    SampleRow {
        host: count.id.host(),
        id: count.id,
        time: count.time,
        description: description.clone(),
        sample: *sample,
        memory_percent: memory_percent(state, sample),
    }
}

/// The share of the host's memory: as it was sent, else computed where the host's memory is known.
#[expect(clippy::cast_precision_loss, reason = "a share in percent needs no more than an f64 has")]
fn memory_percent(state: &HostState, sample: &Sample) -> Option<f64> {
    sample.memory_percent().or_else(|| {
        let total = state.facts().memory_total_bytes.filter(|total| *total > 0)?;
        Some(sample.get(Metric::Memory)? as f64 * 100.0 / total as f64)
    })
}
