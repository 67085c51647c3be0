//! A start: the marks of the hosts and what the journal has beyond them.

use std::collections::HashMap;

use super::ingest::position_after;
use super::journal::{Record, read_row};
use super::journal_rows::JournalRows;
use super::open_host::{FrameTotals, OpenFrame, OpenHost};
use super::segments::{HostMark, JournalRow, Segments};
use crate::{HostNumber, StoreError};

/// What a store had open when it was last closed, or when it fell.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub(super) hosts: HashMap<HostNumber, OpenHost>,
    pub(super) rows: JournalRows,
    pub(super) open_bytes: usize,
    /// What is damaged, in words.
    pub(super) damages: Vec<String>,
}

/// Reads marks and journal. Nothing is decoded yet: that is done when a host is first asked for.
pub(super) fn replay(segments: &impl Segments) -> Result<Replayed, StoreError> {
    let mut replayed = Replayed::default();
    for mark in segments.marks()? {
        replayed.hosts.insert(mark.host, OpenHost::sleeping(mark));
    }
    segments.each_journal_row(&mut |row| replayed.add_row(&row))?;
    Ok(replayed)
}

impl Replayed {
    fn add_row(&mut self, row: &JournalRow) {
        let contents = read_row(&row.bytes);
        if contents.damages > 0 {
            self.damages.push(format!("row {} of the journal is damaged in {} places", row.id, contents.damages));
        }
        let mut open = 0;
        for record in contents.records {
            open += u32::from(self.add_record(row.id, record));
        }
        self.rows.add(row.id, open);
    }

    /// Whether the record is still needed.
    fn add_record(&mut self, row: u64, record: Record) -> bool {
        let host = self.hosts.entry(record.host);
        let host = host.or_insert_with(|| OpenHost::sleeping(HostMark::new(record.host)));
        let sealed = if record.late { host.mark.sealed_late } else { host.mark.sealed };
        if record.sequence <= sealed {
            return false;
        }
        host.mark.last_sequence = host.mark.last_sequence.max(record.sequence);
        host.mark.stream = position_after(host.mark.stream, record.origin, record.late);
        self.open_bytes += record.frame.len();
        let frames = if record.late { &mut host.late } else { &mut host.frames };
        // A number that comes again: the commit before failed, or seemed to, and what it had was never acknowledged.
        let kept = frames.partition_point(|open| open.sequence < record.sequence);
        self.rows.release(frames.drain(kept..).map(|open| open.row));
        frames.push(OpenFrame {
            sequence: record.sequence,
            previous: record.previous,
            time: record.time,
            row,
            // Copied: a slice would keep the whole row.
            bytes: bytes::Bytes::copy_from_slice(&record.frame),
            totals: FrameTotals::default(),
            begun: None,
        });
        true
    }
}
