//! A row of the journal: the durable frames of one batch. `docs/FORMAT.md`, "Journal", is the description.
//!
//! Each record has its own length and checksum, and a marker to find the next one by: damage costs the records it hits, and a
//! single bit not even those.

use bytes::Bytes;
use procession_model::Timestamp;

use super::journal_mend::mended_at;
use crate::{FrameOrigin, HostNumber};

const VERSION: u8 = 1;
pub(super) const MARKER: [u8; 2] = [0xA7, 0x5C];
pub(super) const HEADER_BYTES: usize = 10;
const FIXED_BYTES: usize = 21;
const ORIGIN_BYTES: usize = 24;
const FLAG_LATE: u8 = 1;
const FLAG_ORIGIN: u8 = 2;
const FLAGS_KNOWN: u8 = FLAG_LATE | FLAG_ORIGIN;

/// A frame in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Of which host.
    pub(crate) host: HostNumber,
    /// Its sequence.
    pub(crate) sequence: u32,
    /// The sequence of the host's frame that it goes on from, 0 for none. Tells when one between is lost.
    pub(crate) previous: u32,
    /// When.
    pub(crate) time: Timestamp,
    /// Whether it is older than what the host had: a keyframe that stands for itself.
    pub(crate) late: bool,
    /// Where it came from.
    pub(crate) origin: Option<FrameOrigin>,
    /// The frame.
    pub(crate) frame: Bytes,
}

/// Builds a row.
#[derive(Debug)]
pub(crate) struct RowBuilder {
    bytes: Vec<u8>,
}

impl RowBuilder {
    /// An empty row.
    pub(crate) fn new() -> Self {
        Self { bytes: vec![VERSION] }
    }

    /// Whether no record was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == 1
    }

    /// The row.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds a record. A frame is far below 4 GiB, see the limits of `procession_codec`.
    pub(crate) fn push(&mut self, record: &Record) {
        let out = &mut self.bytes;
        out.extend_from_slice(&MARKER);
        let header = out.len();
        out.extend_from_slice(&[0; 8]);
        let payload = out.len();
        out.extend_from_slice(&record.host.to_le_bytes());
        out.extend_from_slice(&record.sequence.to_le_bytes());
        out.extend_from_slice(&record.previous.to_le_bytes());
        out.extend_from_slice(&record.time.as_ms().to_le_bytes());
        let late = if record.late { FLAG_LATE } else { 0 };
        out.push(late | if record.origin.is_some() { FLAG_ORIGIN } else { 0 });
        if let Some(origin) = &record.origin {
            out.extend_from_slice(&origin.stream);
            out.extend_from_slice(&origin.sequence.to_le_bytes());
        }
        out.extend_from_slice(&record.frame);
        let length = u32::try_from(out.len() - payload).unwrap_or(u32::MAX).to_le_bytes();
        out[header..header + 4].copy_from_slice(&length);
        let sum = checksum(length, &out[payload..]);
        out[header + 4..payload].copy_from_slice(&sum.to_le_bytes());
    }
}

/// What a row holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RowContents {
    /// The records that are whole.
    pub(crate) records: Vec<Record>,
    /// Stretches of bytes that are not.
    pub(crate) damages: u32,
    /// Records that were put right.
    pub(crate) mended: u32,
}

/// Reads a row: all that is whole of it.
pub(crate) fn read_row(row: &Bytes) -> RowContents {
    let mut contents = RowContents::default();
    let mut at = 1;
    if row.first() != Some(&VERSION) {
        contents.damages += 1;
    }
    let mut skipping = false;
    while at < row.len() {
        match record_at(row, at) {
            Some((record, next)) => {
                contents.records.push(record);
                at = next;
                skipping = false;
            }
            // Where a record has to begin: what a single bit may have done.
            None if !skipping && let Some((record, next)) = mended_record_at(row, at) => {
                contents.records.push(record);
                contents.mended += 1;
                at = next;
            }
            None => {
                contents.damages += u32::from(!skipping);
                skipping = true;
                at += 1;
            }
        }
    }
    contents
}

fn mended_record_at(row: &Bytes, at: usize) -> Option<(Record, usize)> {
    let (payload, next) = mended_at(row, at)?;
    Some((payload_record(&payload)?, next))
}

/// Whether what is whole of a row is the same after it was written and read again.
pub(crate) fn comes_back(row: &Bytes) -> bool {
    let records = read_row(row).records;
    let mut again = RowBuilder::new();
    for record in &records {
        again.push(record);
    }
    read_row(&Bytes::copy_from_slice(again.bytes())) == RowContents { records, damages: 0, mended: 0 }
}

fn record_at(row: &Bytes, at: usize) -> Option<(Record, usize)> {
    let header = row.get(at..at + HEADER_BYTES)?;
    if header[..2] != MARKER {
        return None;
    }
    let length: [u8; 4] = header[2..6].try_into().ok()?;
    let start = at + HEADER_BYTES;
    let end = start.checked_add(u32::from_le_bytes(length) as usize)?;
    let payload = row.get(start..end)?;
    if u32::from_le_bytes(header[6..].try_into().ok()?) != checksum(length, payload) {
        return None;
    }
    Some((payload_record(&row.slice(start..end))?, end))
}

fn payload_record(payload: &Bytes) -> Option<Record> {
    let fixed = payload.get(..FIXED_BYTES)?;
    let number = |at: usize| Some(u32::from_le_bytes(fixed[at..at + 4].try_into().ok()?));
    let flags = fixed[20];
    if flags & !FLAGS_KNOWN != 0 {
        return None;
    }
    let (origin, frame_at) = if flags & FLAG_ORIGIN == 0 {
        (None, FIXED_BYTES)
    } else {
        let bytes = payload.get(FIXED_BYTES..FIXED_BYTES + ORIGIN_BYTES)?;
        let stream = bytes[..16].try_into().ok()?;
        let sequence = u64::from_le_bytes(bytes[16..].try_into().ok()?);
        (Some(FrameOrigin { stream, sequence }), FIXED_BYTES + ORIGIN_BYTES)
    };
    Some(Record {
        host: number(0)?,
        sequence: number(4)?,
        previous: number(8)?,
        time: Timestamp::from_ms(i64::from_le_bytes(fixed[12..20].try_into().ok()?)),
        late: flags & FLAG_LATE != 0,
        origin,
        frame: payload.slice(frame_at..),
    })
}

pub(super) fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u32) -> Record {
        let origin = FrameOrigin { stream: [7; 16], sequence: u64::MAX - u64::from(number) };
        Record {
            host: number % 3,
            sequence: number,
            previous: number - 1,
            time: Timestamp::from_ms(-i64::from(number)),
            late: number.is_multiple_of(4),
            origin: number.is_multiple_of(2).then_some(origin),
            frame: Bytes::from(vec![0xA7; number as usize * 5]),
        }
    }

    fn row(records: &[Record]) -> Vec<u8> {
        let mut row = RowBuilder::new();
        assert!(row.is_empty());
        for record in records {
            row.push(record);
        }
        row.bytes().to_vec()
    }

    #[test]
    fn records_come_back() {
        let records: Vec<_> = (1..20).map(record).collect();
        let contents = read_row(&Bytes::from(row(&records)));
        assert_eq!(contents, RowContents { records, damages: 0, mended: 0 });
    }

    #[test]
    fn a_row_cut_anywhere_keeps_its_prefix() {
        let records: Vec<_> = (1..8).map(record).collect();
        let whole = row(&records);
        let ends: Vec<usize> = (0..=records.len()).map(|count| row(&records[..count]).len()).collect();
        for cut in 0..whole.len() {
            let contents = read_row(&Bytes::copy_from_slice(&whole[..cut]));
            let kept = ends.iter().rposition(|end| *end <= cut).unwrap_or(0);
            assert_eq!(contents.records, records[..kept], "cut at {cut}");
            assert_eq!(contents.damages > 0, !ends.contains(&cut), "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_costs_nothing_and_is_reported() {
        let records: Vec<_> = (1..8).map(record).collect();
        let whole = row(&records);
        for bit in 0..whole.len() * 8 {
            let contents = read_row(&Bytes::from(flipped(&whole, bit)));
            assert_eq!(contents.records, records, "bit {bit}");
            assert_eq!(contents.damages + contents.mended, 1, "bit {bit}");
        }
    }

    #[test]
    fn two_flipped_bits_cost_one_record_and_are_reported() {
        let records: Vec<_> = (1..8).map(record).collect();
        let whole = row(&records);
        let end_of_first = row(&records[..1]).len();
        for one in 8..end_of_first * 8 {
            for other in [8, one / 2 + 4, end_of_first * 8 - 1].into_iter().filter(|other| *other != one) {
                let contents = read_row(&Bytes::from(flipped(&flipped(&whole, one), other)));
                assert_eq!(contents.records, records[1..], "bits {one}, {other}");
                assert!(contents.damages > 0, "bits {one}, {other}");
            }
        }
    }

    fn flipped(whole: &[u8], bit: usize) -> Vec<u8> {
        let mut flipped = whole.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    }
}
