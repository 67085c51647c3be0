//! A block while it is opened: its rows are there, its metrics are read one by one, by several threads where there are some.

use procession_model::{Identity, Metric};

use super::column::ColumnBytes;
use super::dictionary::Dictionary;
use super::fields::KnownStrings;
use super::happenings::Happenings;
use super::head::{HAPPENINGS, Head, METRICS, ROWS, Timeline};
use super::metrics::MetricTable;
use super::open::Block;
use super::row::{Phase, Row, read_rows};
use crate::DecodeError;

/// Of which processes metrics are wanted. The others have their rows, but no metric.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// Of all.
    All,
    /// Of those that this says yes to. Columns are read no further than to the last one.
    Processes(&'a dyn Fn(Identity) -> bool),
    /// Of those in the frame of this sequence, at that frame: a fraction of what all frames take.
    Frame(u32),
}

/// A block that is being opened.
pub struct Opening<'a> {
    head: Head<'a>,
    body: &'a [u8],
    dictionary: &'a Dictionary,
    phases: Vec<Phase>,
    frame: Option<u32>,
    block: Block,
}

/// What one metric of all processes was.
pub struct Metrics {
    metric: Metric,
    table: MetricTable,
}

impl<'a> Opening<'a> {
    /// Reads all but the metrics. The dictionary must be of the block's epoch and have at least the block's own segment.
    pub fn begin(
        head: &'a [u8],
        body: &'a [u8],
        dictionary: &'a Dictionary,
        wanted: Wanted<'_>,
    ) -> Result<Self, DecodeError> {
        let head = Head::open(head)?;
        let summary = *head.summary();
        if body.len() != head.body_len() {
            return Err(DecodeError::Invalid("the length of a block's body"));
        }
        if dictionary.epoch() != summary.epoch {
            return Err(DecodeError::Invalid("the epoch of a dictionary"));
        }
        let timeline = head.timeline()?;
        let series = head.series()?;
        let mut strings = KnownStrings::new(dictionary, summary.strings_before);
        let rows = read_rows(head.body_section(body, ROWS)?, &summary, &timeline, &mut strings)?;
        let happenings = read_happenings(head.body_section(body, HAPPENINGS)?, &timeline, &mut strings)?;
        let block = Block::without_metrics(summary, timeline, series, rows, happenings);
        let frame = match wanted {
            Wanted::Frame(sequence) => Some(block.index_of(sequence).unwrap_or(u32::MAX)),
            Wanted::All | Wanted::Processes(_) => None,
        };
        let phases = phases(block.rows(), wanted, frame);
        Ok(Self { head, body, dictionary, phases, frame, block })
    }

    /// How many bytes a metric takes: about how long it takes to read.
    pub fn bytes(&self, metric: Metric) -> usize {
        self.head.body_section_len(METRICS + metric.index())
    }

    /// Reads a metric.
    pub fn metrics(&self, metric: Metric) -> Result<Metrics, DecodeError> {
        let section = self.head.body_section(self.body, METRICS + metric.index())?;
        let times = &self.block.timeline().times;
        let table = MetricTable::read(section, metric, &self.phases, self.frame, times, self.dictionary)?;
        Ok(Metrics { metric, table })
    }

    /// The block with the metrics that were read. Of the others nothing is known.
    pub fn finish(self, metrics: impl IntoIterator<Item = Metrics>) -> Block {
        let mut block = self.block;
        for Metrics { metric, table } in metrics {
            block.take_metric(metric, table);
        }
        block
    }
}

fn phases(rows: &[Row], wanted: Wanted<'_>, frame: Option<u32>) -> Vec<Phase> {
    let mut phases = Vec::with_capacity(rows.len());
    for process in rows.chunk_by(|_, next| next.goes_on) {
        let is_wanted = match wanted {
            Wanted::All => true,
            Wanted::Processes(are_wanted) => process.iter().any(|row| are_wanted(row.description.identity)),
            Wanted::Frame(_) => frame.is_some_and(|frame| process.iter().any(|row| row.is_in(frame))),
        };
        let phase = |row: &Row| Phase { first: row.first, frames: row.frames, goes_on: row.goes_on, is_wanted };
        phases.extend(process.iter().map(phase));
    }
    phases
}

fn read_happenings(
    section: &[u8],
    timeline: &Timeline,
    strings: &mut KnownStrings<'_>,
) -> Result<Happenings, DecodeError> {
    let bytes = ColumnBytes::new(section)?;
    let mut columns = bytes.reader();
    let happenings = Happenings::get(&mut columns, strings, &timeline.times)?;
    columns.end()?;
    Ok(happenings)
}
