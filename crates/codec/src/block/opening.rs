//! A block while it is opened: its rows are there, its metrics are read one by one, by several threads where there are some.

use procession_model::{HostMetric, Identity, Metric};

use super::column::ColumnBytes;
use super::dictionary::Dictionary;
use super::fields::KnownStrings;
use super::happenings::Happenings;
use super::head::{HAPPENINGS, Head, METRICS, ROWS, Series, Timeline};
use super::metrics::MetricTable;
use super::open::Block;
use super::row::{Phase, read_rows};
use crate::DecodeError;

/// What of a block is wanted. The opened block has nothing else.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// All.
    All,
    /// The processes that this says yes to, brief ones too, and of the host the length of the intervals. Columns are read
    /// no further than to the last one.
    Processes(&'a dyn Fn(Identity) -> bool),
    /// What makes the snapshot of this sequence: a fraction of what all frames take.
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
        let part = Part::of(wanted, &timeline);
        let series = part.series(&head)?;
        let mut strings = KnownStrings::new(dictionary, summary.strings_before);
        let (rows, phases) = read_rows(
            head.body_section(body, ROWS)?,
            &summary,
            &timeline,
            &mut strings,
            |phases, has_end, identity| part.has_process(phases, has_end, identity),
        )?;
        let happenings = read_happenings(head.body_section(body, HAPPENINGS)?, &timeline, &mut strings, &part)?;
        let frame = part.frame();
        let block = Block::without_metrics(summary, timeline, series, rows, happenings);
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

/// What is wanted, by index.
enum Part<'a> {
    All,
    Processes(&'a dyn Fn(Identity) -> bool),
    Frame(u32),
}

impl<'a> Part<'a> {
    fn of(wanted: Wanted<'a>, timeline: &Timeline) -> Self {
        match wanted {
            Wanted::All => Self::All,
            Wanted::Processes(are_wanted) => Self::Processes(are_wanted),
            Wanted::Frame(sequence) => Self::Frame(timeline.index_of(sequence).unwrap_or(u32::MAX)),
        }
    }

    const fn frame(&self) -> Option<u32> {
        match self {
            Self::All | Self::Processes(_) => None,
            Self::Frame(frame) => Some(*frame),
        }
    }

    fn series(&self, head: &Head<'_>) -> Result<Series, DecodeError> {
        let hosts = match self {
            Self::All => return head.series(),
            Self::Processes(_) => head.hosts(&[HostMetric::IntervalMs], usize::MAX)?,
            Self::Frame(frame) => head.hosts(&HostMetric::ALL, (*frame as usize).saturating_add(1))?,
        };
        Ok(Series { hosts, ..Series::default() })
    }

    fn has_process(&self, phases: &[Phase], has_end: bool, identity: Identity) -> bool {
        match self {
            Self::All => true,
            Self::Processes(are_wanted) => are_wanted(identity),
            Self::Frame(frame) => {
                let (first, after) = (phases.first().map_or(0, |one| one.first), phases.last().map_or(0, Phase::after));
                // One that ended in the frame is not in it any more, but told by it.
                first <= *frame && (*frame < after || (*frame == after && has_end))
            }
        }
    }

    fn has_brief(&self, frame: u32, identity: Identity) -> bool {
        match self {
            Self::All => true,
            Self::Processes(are_wanted) => are_wanted(identity),
            Self::Frame(wanted) => *wanted == frame,
        }
    }
}

fn read_happenings(
    section: &[u8],
    timeline: &Timeline,
    strings: &mut KnownStrings<'_>,
    part: &Part<'_>,
) -> Result<Happenings, DecodeError> {
    let bytes = ColumnBytes::new(section)?;
    let mut columns = bytes.reader();
    let is_wanted = |frame: u32, identity: Identity| part.has_brief(frame, identity);
    let happenings = Happenings::get(&mut columns, strings, &timeline.times, &is_wanted)?;
    columns.end()?;
    Ok(happenings)
}
