//! Opening a block, or as much of it as is wanted.

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

/// Opens a block. The dictionary must be of its epoch and have at least the block's own segment.
pub(super) fn open(
    head: &[u8],
    body: &[u8],
    dictionary: &Dictionary,
    metrics: &[Metric],
    wanted: Wanted<'_>,
) -> Result<Block, DecodeError> {
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
    let is_wanted = |phases: &[Phase], has_end: bool, identity: Identity| part.has_process(phases, has_end, identity);
    let (rows, phases) = read_rows(head.body_section(body, ROWS)?, &summary, &timeline, &mut strings, is_wanted)?;
    let happenings = read_happenings(head.body_section(body, HAPPENINGS)?, &timeline, &mut strings, &part)?;
    let mut block = Block::without_metrics(summary, timeline, series, rows, happenings);
    for metric in metrics {
        let section = head.body_section(body, METRICS + metric.index())?;
        let times = &block.timeline().times;
        let table = MetricTable::read(section, *metric, &phases, part.frame(), times, dictionary)?;
        block.take_metric(*metric, table);
    }
    Ok(block)
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
