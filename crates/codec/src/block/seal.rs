//! Frames to a block.

use std::sync::Arc;

use procession_model::Metric;

use super::column::ColumnWriter;
use super::dictionary::{Dictionary, NewStrings};
use super::happenings::put_happenings;
use super::head::{HAPPENINGS, HEAD_SECTIONS, METRICS, ROWS, SECTIONS, Summary, head_sections, put_head};
use super::lives::{Lives, replay};
use super::metrics::metric_section;
use super::row::put_rows;
use crate::lzma::Trial;
use crate::{ApplyError, Frame, HostState};

/// How hard to try to make a block small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// For ingest that is behind, and for tests.
    Fast,
    /// Where many hosts are sealed at once: most of what [`Self::Small`] wins, for a fraction of its time.
    Even,
    /// For blocks that will be kept for weeks.
    #[default]
    Small,
}

/// So many hosts to be sealed at once are sealed with [`Effort::Even`].
const MANY_HOSTS: usize = 64;

impl Effort {
    /// For so many hosts that are to be sealed at once. Those who are behind take [`Self::Fast`] whatever this says.
    pub const fn for_hosts(waiting: usize) -> Self {
        if waiting < MANY_HOSTS { Self::Small } else { Self::Even }
    }

    /// The level of zstd for columns: what it is good at are few of them, and higher levels take most of the sealing.
    pub(super) const fn column_level(self) -> i32 {
        match self {
            Self::Fast | Self::Even => 3,
            Self::Small => 6,
        }
    }

    /// How hard to try with strings, which are most of what is kept.
    pub(super) const fn string_trial(self) -> Trial {
        match self {
            Self::Fast | Self::Even => Trial::Quick,
            Self::Small => Trial::Thorough,
        }
    }

    /// Longer columns do not go through the range coder, which is slow.
    pub(super) const fn adaptive_numbers_max(self) -> usize {
        match self {
            Self::Fast => 64,
            Self::Even => 256,
            Self::Small => 1 << 9,
        }
    }

    /// Shorter columns of large numbers are not tried through Pcodec and zstd, which take their time to begin.
    pub(super) const fn wide_numbers_min(self) -> usize {
        match self {
            Self::Fast => usize::MAX,
            Self::Even => 1 << 12,
            Self::Small => 1 << 10,
        }
    }
}

/// Why frames cannot be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There are none.
    #[error("a block needs a frame")]
    Empty,
    /// Sequences do not ascend.
    #[error("the sequences of frames do not ascend")]
    Disordered,
    /// A frame does not fit the state before it.
    #[error("a frame does not follow from the one before it: {0}")]
    Apply(#[from] ApplyError),
    /// More than a block may have: seal earlier.
    #[error("{0} are too many for one block")]
    OverLimit(&'static str),
    /// The compressor failed, for lack of memory.
    #[error("the strings could not be compressed")]
    Compression,
}

/// A sealed run of frames. Keep all of it in one step.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// What [`super::Head::open`] reads.
    pub head: Vec<u8>,
    /// What [`super::Block::open`] reads.
    pub body: Vec<u8>,
    /// Strings that are new: what [`Dictionary::push`] takes, before the block can be opened.
    pub segment: Option<Vec<u8>>,
    /// What the block covers.
    pub summary: Summary,
    /// The state after its last frame.
    pub end: HostState,
}

/// Seals a run: `base` is the state before its first frame, and frames come with their sequences, ascending.
pub fn seal(
    base: &HostState,
    frames: &[(u32, Arc<Frame>)],
    dictionary: &Dictionary,
    effort: Effort,
) -> Result<Sealed, SealError> {
    let (lives, end) = replay(base, frames)?;
    let mut strings = NewStrings::new(dictionary);
    let strings_before = strings.next();
    let mut sections: [Vec<u8>; SECTIONS] = Default::default();
    for (section, bytes) in sections.iter_mut().zip(head_sections(&lives, effort)) {
        *section = bytes;
    }
    sections[ROWS] = rows_section(&lives, &mut strings, effort);
    sections[HAPPENINGS] = happenings_section(&lives, &mut strings, effort);
    for metric in Metric::ALL {
        sections[METRICS + metric.index()] = metric_section(&lives, &mut strings, metric, effort);
    }
    let segment = strings.segment(effort)?;
    let summary = summary_of(&lives, dictionary.epoch(), strings_before);
    Ok(Sealed { head: put_head(&summary, &sections), body: sections[HEAD_SECTIONS..].concat(), segment, summary, end })
}

fn summary_of(lives: &Lives, epoch: u32, strings_before: u32) -> Summary {
    let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    Summary {
        time_min: lives.times.iter().min().copied().unwrap_or_default(),
        time_max: lives.times.iter().max().copied().unwrap_or_default(),
        first_sequence: lives.sequences.first().copied().unwrap_or_default(),
        last_sequence: lives.sequences.last().copied().unwrap_or_default(),
        frames: count(lives.times.len()),
        processes: count(lives.rows.iter().enumerate().filter(|(index, row)| row.head as usize == *index).count()),
        rows: count(lives.rows.len()),
        process_samples: lives.process_samples,
        epoch,
        strings_before,
    }
}

fn rows_section(lives: &Lives, strings: &mut NewStrings<'_>, effort: Effort) -> Vec<u8> {
    let mut columns = ColumnWriter::new(effort);
    put_rows(&mut columns, strings, lives);
    columns.finish()
}

fn happenings_section(lives: &Lives, strings: &mut NewStrings<'_>, effort: Effort) -> Vec<u8> {
    let mut columns = ColumnWriter::new(effort);
    put_happenings(&mut columns, strings, lives);
    columns.finish()
}
