//! Snapshots of a block that are in a range, with the time that each stands for.
//!
//! A block of late frames may go back and forth in time, so it is cut where its time goes back: in each [`RawPiece`] time
//! goes on, and what is in a range is one window of it. A block that has nothing of what is asked is not read; its head
//! still says when its snapshots were, and how the host was.

use std::ops::Range as Span;
use std::sync::Arc;

use procession_codec::block::{Block, Series, Timeline};
use procession_model::{HostMetric, HostSample, Metric, Timestamp};

use super::INTERVAL_MS_MAX;
use crate::Range;
use crate::rollup::{Cell, each_stretch};

/// An interval that was measured is believed up to this: a day.
const MEASURED_MS_MAX: u64 = 86_400_000;

/// A block, or as much of it as a query needs.
#[derive(Clone)]
pub(crate) enum Source {
    /// All of it.
    Whole(Arc<Block>),
    /// One that has nothing of what is asked, or of which only the host is: what its head says.
    Skipped(Arc<(Timeline, Series)>),
}

impl Source {
    /// When its frames were taken.
    pub(crate) fn timeline(&self) -> &Timeline {
        match self {
            Self::Whole(block) => block.timeline(),
            Self::Skipped(head) => &head.0,
        }
    }

    /// The host at its frames.
    pub(crate) fn series(&self) -> &Series {
        match self {
            Self::Whole(block) => block.series(),
            Self::Skipped(head) => &head.1,
        }
    }
}

/// Frames of a block that follow one another, all in a range.
#[derive(Clone)]
pub(crate) struct RawPiece {
    pub(crate) source: Source,
    /// Which frames of the block, by index; never empty.
    pub(crate) window: Span<u32>,
    /// The snapshot before each of the window's frames, whichever piece has it.
    previous: Vec<Option<Timestamp>>,
    /// How many milliseconds the window's frames before each of them stand for; one more than frames.
    weights_before: Vec<u64>,
}

impl RawPiece {
    /// The block, if it may have what is asked.
    pub(crate) fn block(&self) -> Option<&Block> {
        match &self.source {
            Source::Whole(block) => Some(block),
            Source::Skipped(_) => None,
        }
    }

    /// This, taken to follow a snapshot directly, whatever was between them.
    pub(crate) fn following(mut self, snapshot: Timestamp) -> Self {
        self.previous.fill(Some(snapshot));
        self
    }

    /// When a frame of the window was taken.
    pub(crate) fn time(&self, frame: u32) -> Timestamp {
        self.source.timeline().times.get(frame as usize).copied().unwrap_or_default()
    }

    /// The host's own counters at a frame.
    pub(crate) fn host(&self, frame: u32) -> HostSample {
        self.source.series().hosts.get(frame as usize).copied().unwrap_or_default()
    }

    /// The time of the first frame.
    pub(crate) fn first_time(&self) -> Timestamp {
        self.time(self.window.start)
    }

    /// The milliseconds that frames of the window stand for.
    pub(crate) fn weight(&self, frames: &Span<u32>) -> u64 {
        let before = |frame: u32| self.weights_before[(frame - self.window.start) as usize];
        before(frames.end) - before(frames.start)
    }

    /// The snapshot before a frame of the window.
    pub(crate) fn before(&self, frame: u32) -> Option<Timestamp> {
        self.previous[(frame - self.window.start) as usize]
    }

    /// The part of a row that is in the window; empty if none is.
    pub(crate) fn within(&self, row: usize) -> Span<u32> {
        let Some(row) = self.block().and_then(|block| block.rows().get(row)) else { return 0..0 };
        row.first.max(self.window.start)..row.after().min(self.window.end)
    }

    /// What a row did in frames of the window.
    pub(crate) fn cell(&self, row: usize, frames: &Span<u32>) -> Cell {
        let mut cell = Cell { samples: u64::from(frames.end.saturating_sub(frames.start)), ..Cell::default() };
        let Some(block) = self.block().filter(|_| cell.samples > 0) else {
            return cell;
        };
        let series = |metric| block.row_series(row, metric);
        each_stretch(series(Metric::Cpu), frames, |span, value| cell.add_cpu(value, self.weight(&span)));
        each_stretch(series(Metric::Memory), frames, |span, value| {
            cell.add_memory(value, u64::from(span.end - span.start));
        });
        let io = |metric| {
            let mut sum = None;
            each_stretch(series(metric), frames, |span, value| {
                let many = value.saturating_mul(u64::from(span.end - span.start));
                sum = crate::rollup::sum(sum, Some(many));
            });
            sum
        };
        cell.read = io(Metric::ReadBytes);
        cell.write = io(Metric::WriteBytes);
        cell
    }
}

/// The frames of these blocks that are in a range, by their first times. `before` is the last snapshot before the range.
pub(crate) fn pieces(sources: &[Source], range: Range, before: Option<Timestamp>) -> Vec<RawPiece> {
    let mut pieces = Vec::new();
    for source in sources {
        let times = &source.timeline().times;
        let mut start = 0;
        for end in 1..=times.len() {
            if end == times.len() || times[end] <= times[end - 1] {
                pieces.extend(piece(source, start..end, range));
                start = end;
            }
        }
    }
    weigh(&mut pieces, before);
    pieces.sort_by_key(RawPiece::first_time);
    pieces
}

fn piece(source: &Source, ascending: Span<usize>, range: Range) -> Option<RawPiece> {
    let times = &source.timeline().times[ascending.clone()];
    let from = times.partition_point(|time| range.start.is_some_and(|start| *time < start));
    let until = times.partition_point(|time| range.end.is_none_or(|end| *time < end));
    let window = u32::try_from(ascending.start + from).ok()?..u32::try_from(ascending.start + until).ok()?;
    (from < until).then(|| RawPiece {
        source: source.clone(),
        previous: vec![None; until - from],
        weights_before: vec![0; until - from + 1],
        window,
    })
}

/// Finds the snapshot before each frame, and so the time that it stands for.
fn weigh(pieces: &mut [RawPiece], before: Option<Timestamp>) {
    let mut order: Vec<(Timestamp, usize, u32)> = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        order.extend(piece.window.clone().map(|frame| (piece.time(frame), index, frame)));
    }
    order.sort_unstable();
    let mut previous = before;
    for (time, index, frame) in order {
        let piece = &mut pieces[index];
        let place = (frame - piece.window.start) as usize;
        let weight = interval_ms(&piece.host(frame), time, previous);
        piece.previous[place] = previous;
        piece.weights_before[place + 1] = piece.weights_before[place].saturating_add(weight);
        previous = Some(time);
    }
}

/// The milliseconds that a snapshot stands for: what was measured, or else the time since the one before it.
pub(crate) fn interval_ms(host: &HostSample, time: Timestamp, previous: Option<Timestamp>) -> u64 {
    match (host.get(HostMetric::IntervalMs), previous) {
        (Some(measured), _) => measured.min(MEASURED_MS_MAX),
        (None, Some(previous)) => u64::try_from(time.since_ms(previous)).unwrap_or(0).min(INTERVAL_MS_MAX),
        (None, None) => 0,
    }
}
