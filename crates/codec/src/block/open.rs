//! A block, opened: any snapshot of it, any row, any metric.

use std::sync::Arc;

use procession_model::{
    Brief, Ended, FieldError, HostFacts, HostSample, Loss, Metric, Process, Sample, Snapshot, Timestamp,
};

use super::dictionary::Dictionary;
use super::happenings::Happenings;
use super::head::{Series, Summary, Timeline};
use super::metrics::MetricTable;
use super::opening::{self, Wanted};
use super::row::{Row, RowSamples, RowSeries};
use crate::DecodeError;

/// A block, opened.
pub struct Block {
    summary: Summary,
    timeline: Timeline,
    series: Series,
    rows: Vec<Row>,
    by_pid: Vec<u32>,
    happenings: Happenings,
    /// Those that were read; `None` for the others.
    metrics: [Option<MetricTable>; Metric::COUNT],
}

impl Block {
    /// Opens a block with the dictionary of its epoch, which must have at least the block's own segment.
    pub fn open(head: &[u8], body: &[u8], dictionary: &Dictionary) -> Result<Self, DecodeError> {
        Self::open_only(head, body, dictionary, &Metric::ALL)
    }

    /// Opens a block for those who ask for some metrics only; of the others nothing is known then. Metrics are more than half
    /// of what opening takes.
    pub fn open_only(
        head: &[u8],
        body: &[u8],
        dictionary: &Dictionary,
        metrics: &[Metric],
    ) -> Result<Self, DecodeError> {
        Self::open_for(head, body, dictionary, metrics, Wanted::All)
    }

    /// Opens a block for those who ask for some metrics of a part of it only.
    pub fn open_for(
        head: &[u8],
        body: &[u8],
        dictionary: &Dictionary,
        metrics: &[Metric],
        wanted: Wanted<'_>,
    ) -> Result<Self, DecodeError> {
        opening::open(head, body, dictionary, metrics, wanted)
    }

    pub(super) fn without_metrics(
        summary: Summary,
        timeline: Timeline,
        series: Series,
        rows: Vec<Row>,
        happenings: Happenings,
    ) -> Self {
        let mut by_pid: Vec<u32> = (0..).take(rows.len()).collect();
        by_pid.sort_by_key(|row| rows[*row as usize].description.identity);
        Self { summary, timeline, series, rows, by_pid, happenings, metrics: Default::default() }
    }

    pub(super) fn take_metric(&mut self, metric: Metric, table: MetricTable) {
        self.metrics[metric.index()] = Some(table);
    }

    /// Whether these metrics were read.
    pub fn has(&self, metrics: &[Metric]) -> bool {
        metrics.iter().all(|metric| self.metrics[metric.index()].is_some())
    }

    /// What the block covers.
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// When the frames were taken, and their sequences.
    pub const fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The host at every frame, of a block that was opened for all; of another one as much as [`Wanted`] says.
    pub const fn series(&self) -> &Series {
        &self.series
    }

    /// The frame of a sequence, by index.
    pub fn index_of(&self, sequence: u32) -> Option<u32> {
        self.timeline.index_of(sequence)
    }

    /// The rows of all processes that the block was opened for, those of the same process next to each other, processes in the
    /// order of their first frames.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows that a frame has, by pid, with their indices.
    pub fn rows_in(&self, frame: u32) -> impl Iterator<Item = (usize, &Row)> {
        let row = |row: &u32| (*row as usize, &self.rows[*row as usize]);
        self.by_pid.iter().map(row).filter(move |(_, row)| row.is_in(frame))
    }

    /// What one metric of one row was; empty if the metric was not read.
    pub fn row_series(&self, row: usize, metric: Metric) -> RowSeries<'_> {
        self.metrics[metric.index()].as_ref().map_or(RowSeries::default(), |table| table.row(row))
    }

    /// The sample of a row in a frame that has it.
    pub fn sample(&self, row: usize, frame: u32) -> Sample {
        let mut sample = Sample::ABSENT;
        for (metric, value) in Metric::ALL.into_iter().zip(sample.raw_mut()) {
            *value = self.row_series(row, metric).at(frame);
        }
        sample
    }

    /// All samples of a row, frame by frame.
    pub fn samples(&self, row: usize) -> RowSamples<'_> {
        let (first, after) = self.rows.get(row).map_or((0, 0), |row| (row.first, row.after()));
        let mut series = [RowSeries::default(); Metric::COUNT];
        for (metric, series) in Metric::ALL.into_iter().zip(&mut series) {
            *series = self.row_series(row, metric);
        }
        RowSamples::new(series, first, after)
    }

    /// What was known of the host at a frame.
    pub fn facts(&self, frame: u32) -> Arc<HostFacts> {
        Happenings::last(&self.happenings.facts, frame).cloned().unwrap_or_default()
    }

    /// What could not be read at a frame.
    pub fn field_errors(&self, frame: u32) -> &[FieldError] {
        Happenings::last(&self.happenings.field_errors, frame).map_or(&[], Vec::as_slice)
    }

    /// Processes that began and ended before a frame and after the one before it.
    pub fn brief(&self, frame: u32) -> impl Iterator<Item = &Brief> {
        Happenings::of(&self.happenings.brief, frame)
    }

    /// All brief processes with the frames that told of them.
    pub fn all_brief(&self) -> impl Iterator<Item = (u32, &Brief)> {
        self.happenings.brief.iter().map(|at| (at.frame, &at.what))
    }

    /// What was lost before a frame.
    pub fn losses(&self, frame: u32) -> impl Iterator<Item = &Loss> {
        Happenings::of(&self.happenings.losses, frame)
    }

    /// The processes that a frame ended, by pid.
    pub fn ended(&self, frame: u32) -> impl Iterator<Item = Ended> {
        let rows = self.by_pid.iter().map(|row| &self.rows[*row as usize]);
        rows.filter(move |row| row.after() == frame)
            .filter_map(|row| Some(Ended { description: Arc::clone(&row.description), end: row.end? }))
    }

    /// The snapshot of a frame; processes and what ended by pid. `None` beyond the last frame.
    pub fn snapshot(&self, frame: u32) -> Option<Snapshot> {
        let time: Timestamp = *self.timeline.times.get(frame as usize)?;
        let host: HostSample = *self.series.hosts.get(frame as usize)?;
        let process = |(index, row): (usize, &Row)| Process {
            description: Arc::clone(&row.description),
            sample: self.sample(index, frame),
        };
        Some(Snapshot {
            time,
            facts: self.facts(frame),
            host,
            processes: self.rows_in(frame).map(process).collect(),
            ended: self.ended(frame).collect(),
            brief: self.brief(frame).cloned().collect(),
            losses: self.losses(frame).copied().collect(),
            field_errors: self.field_errors(frame).to_vec(),
        })
    }
}
