//! A start: the marks of the hosts and what the journal has beyond them.
//!
//! All cores read the journal, each a stretch of it that follows the one before, and what they found is put together in the
//! order of the stretches. Nothing is decoded: that is done when a host is first asked for.

use std::collections::HashMap;

use bytes::Bytes;

use super::ingest::position_after;
use super::journal::{Record, read_row};
use super::journal_rows::JournalRows;
use super::open_host::{FrameTotals, OpenFrame, OpenHost, memory_bytes};
use super::segments::{HostMark, JournalRow, Segments};
use crate::{FrameOrigin, HostNumber, StoreError, StreamPosition, parallel};

/// Rows of a stretch, at least: fewer are read before another thread has begun.
const STRETCH_ROWS_MIN: usize = 16;
/// Stretches for each core, so that none waits long for the others.
const STRETCHES_EACH: usize = 2;

/// What a store had open when it was last closed, or when it fell.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub(super) hosts: HashMap<HostNumber, OpenHost>,
    pub(super) rows: JournalRows,
    pub(super) open_bytes: usize,
    /// What is damaged, in words.
    pub(super) damages: Vec<String>,
}

/// Reads marks and journal.
pub(super) fn replay(segments: &impl Segments) -> Result<Replayed, StoreError> {
    let marks: HashMap<HostNumber, HostMark> = segments.marks()?.into_iter().map(|mark| (mark.host, mark)).collect();
    let rows = segments.journal_rows()?;
    let stretch_rows = rows.len().div_ceil(*parallel::CORES * STRETCHES_EACH).max(STRETCH_ROWS_MIN);
    let stretches: Vec<&[u64]> = rows.chunks(stretch_rows).collect();
    let found = parallel::each(&stretches, 1, |stretch| {
        let mut found = Stretch::default();
        if let (Some(first), Some(last)) = (stretch.first(), stretch.last()) {
            segments.each_journal_row(*first..=*last, &mut |row| found.add_row(row, &marks))?;
        }
        Ok(found)
    });
    let hosts = marks.into_iter().map(|(number, mark)| (number, OpenHost::sleeping(mark)));
    let mut replayed = Replayed { hosts: hosts.collect(), ..Replayed::default() };
    for stretch in found {
        replayed.append(stretch?);
    }
    Ok(replayed)
}

/// What a stretch of the journal has.
#[derive(Default)]
struct Stretch {
    hosts: HashMap<HostNumber, Part>,
    rows: JournalRows,
    open_bytes: usize,
    damages: Vec<String>,
}

/// What it has of a host.
#[derive(Default)]
struct Part {
    frames: Vec<OpenFrame>,
    late: Vec<OpenFrame>,
    last_sequence: u32,
    stream: StreamSteps,
}

impl Stretch {
    fn add_row(&mut self, row: JournalRow, marks: &HashMap<HostNumber, HostMark>) {
        let contents = read_row(&row.bytes);
        let (damages, mended) = (contents.damages, contents.mended);
        if damages > 0 {
            self.report(format!("row {} of the journal is damaged in {damages} places", row.id));
        }
        if mended > 0 {
            self.report(format!("row {} of the journal had {mended} wrong bits, which were put right", row.id));
        }
        let is_open = |record: &Record| {
            let sealed = |mark: &HostMark| if record.late { mark.sealed_late } else { mark.sealed };
            record.sequence > marks.get(&record.host).map_or(0, sealed)
        };
        let keeping = Keeping::of(&contents.records, row.bytes.len(), is_open);
        let mut open = 0;
        for record in contents.records.into_iter().filter(is_open) {
            self.add_record(row.id, record, keeping);
            open += 1;
        }
        self.rows.add(row.id, open, row.bytes.len() as u64);
    }

    fn report(&mut self, damage: String) {
        self.damages.push(damage);
    }

    fn add_record(&mut self, row: u64, record: Record, keeping: Keeping) {
        let host = self.hosts.entry(record.host).or_default();
        host.last_sequence = host.last_sequence.max(record.sequence);
        host.stream.step(record.origin, record.late);
        self.open_bytes += memory_bytes(&record.frame);
        let frames = if record.late { &mut host.late } else { &mut host.frames };
        replace_from(frames, record.sequence, &mut self.rows);
        frames.push(OpenFrame {
            sequence: record.sequence,
            previous: record.previous,
            time: record.time,
            row,
            bytes: keeping.keep(record.frame),
            totals: FrameTotals::default(),
            begun: None,
        });
    }
}

impl Replayed {
    /// Puts what follows after what is here.
    fn append(&mut self, next: Stretch) {
        self.rows.append(next.rows);
        self.open_bytes += next.open_bytes;
        self.damages.extend(next.damages);
        for (number, mut part) in next.hosts {
            let host = self.hosts.entry(number).or_insert_with(|| OpenHost::sleeping(HostMark::new(number)));
            host.mark.last_sequence = host.mark.last_sequence.max(part.last_sequence);
            host.mark.stream = part.stream.after(host.mark.stream);
            for (frames, later) in [(&mut host.frames, &mut part.frames), (&mut host.late, &mut part.late)] {
                if let Some(first) = later.first() {
                    replace_from(frames, first.sequence, &mut self.rows);
                }
                frames.append(later);
            }
        }
    }
}

/// What frames do to the position of a host's agent, wherever it was before: see [`position_after`].
#[derive(Clone, Copy, Debug, Default)]
struct StreamSteps {
    /// Where it is after a frame of an agent.
    position: Option<StreamPosition>,
    /// Whether it could not be gone on from before such a frame came.
    broken: bool,
}

impl StreamSteps {
    fn step(&mut self, origin: Option<FrameOrigin>, late: bool) {
        self.broken |= self.position.is_none() && origin.is_none() && !late;
        self.position = position_after(self.position, origin, late);
    }

    fn after(self, before: Option<StreamPosition>) -> Option<StreamPosition> {
        let moved = || before.map(|before| StreamPosition { resumable: before.resumable && !self.broken, ..before });
        self.position.or_else(moved)
    }
}

/// A number that comes again: the commit before failed, or seemed to, and what it had was never acknowledged.
fn replace_from(frames: &mut Vec<OpenFrame>, sequence: u32, rows: &mut JournalRows) {
    if frames.last().is_some_and(|last| last.sequence >= sequence) {
        let kept = frames.partition_point(|open| open.sequence < sequence);
        rows.release(frames.drain(kept..).map(|open| open.row));
    }
}

/// What becomes of a frame's bytes, which are a part of its row's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    /// They stay there: the row stays in memory until its last frame is sealed, as it does on disk.
    InRow,
    /// They are copied, because most of the row is not needed any more.
    Copied,
}

impl Keeping {
    fn of(records: &[Record], row_bytes: usize, is_open: impl Fn(&Record) -> bool) -> Self {
        let open: usize = records.iter().filter(|record| is_open(record)).map(|record| record.frame.len()).sum();
        if open >= row_bytes / 2 { Self::InRow } else { Self::Copied }
    }

    fn keep(self, frame: Bytes) -> Bytes {
        match self {
            Self::InRow => frame,
            Self::Copied => Bytes::copy_from_slice(&frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_is_the_same_wherever_the_journal_is_parted() {
        let origin = |sequence| Some(FrameOrigin { stream: [1; 16], sequence });
        let steps =
            [(origin(1), false), (None, true), (origin(2), true), (None, false), (origin(3), false), (None, true)];
        // All orders of four of them.
        for number in 0..6_usize.pow(4) {
            let chosen: Vec<_> = (0..4).map(|place| steps[number / 6_usize.pow(place) % 6]).collect();
            let one_by_one = chosen.iter().fold(None, |at, (origin, late)| position_after(at, *origin, *late));
            for parted in 0..=4 {
                let mut at = None;
                for part in [&chosen[..parted], &chosen[parted..]] {
                    let mut stream = StreamSteps::default();
                    part.iter().for_each(|(origin, late)| stream.step(*origin, *late));
                    at = stream.after(at);
                }
                assert_eq!(at, one_by_one, "{chosen:?} parted at {parted}");
            }
        }
    }
}
