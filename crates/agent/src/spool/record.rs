//! A segment's bytes.
//!
//! `PSPOOL1\n`, then records: `[length of payload: u32][CRC-32 of what follows: u32][kind: u8][sequence: u64][time in ms:
//! i64][payload]`, numbers little-endian. The first record is an anchor (kind 1): the state before the first frame as a
//! keyframe, or nothing where a keyframe is the first frame. Frames follow (kind 2), their sequences ascending by one.

use bytes::Bytes;
use procession_codec::frame::decode;
use procession_codec::mend::mended;
use procession_model::Timestamp;
use procession_protocol::MESSAGE_BYTES_MAX;

use super::Contents;

pub(super) const MAGIC: &[u8; 8] = b"PSPOOL1\n";
pub(super) const HEADER_BYTES: usize = 25;
const ANCHOR: u8 = 1;
const FRAME: u8 = 2;
/// An anchor may be as large as the largest keyframe.
const PAYLOAD_BYTES_MAX: usize = 4 * MESSAGE_BYTES_MAX;

/// What could be read of a segment.
#[derive(Debug, PartialEq)]
pub(super) struct Recovered {
    pub(super) first_sequence: u64,
    pub(super) contents: Contents,
    /// How many bytes of the file are whole.
    pub(super) good_bytes: usize,
    /// Whether there was more, which could not be read.
    pub(super) damaged: bool,
    /// Records in which one wrong bit was put right.
    pub(super) mended: usize,
}

/// The beginning of a segment.
pub(super) fn begin(first_sequence: u64, anchor: Option<&Bytes>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    append(ANCHOR, first_sequence, Timestamp::default(), anchor.map_or(&[], |anchor| &anchor[..]), &mut bytes);
    bytes
}

/// One frame.
pub(super) fn frame(sequence: u64, time: Timestamp, frame: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + frame.len());
    append(FRAME, sequence, time, frame, &mut bytes);
    bytes
}

fn append(kind: u8, sequence: u64, time: Timestamp, payload: &[u8], out: &mut Vec<u8>) {
    out.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    let crc_at = out.len();
    out.extend([0; 4]);
    out.push(kind);
    out.extend(sequence.to_le_bytes());
    out.extend(time.as_ms().to_le_bytes());
    out.extend(payload);
    let crc = crc32fast::hash(&out[crc_at + 4..]);
    out[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Reads a segment up to the first record that is not whole. `None` where not even its beginning is.
///
/// Frames build upon each other, so a lost one takes what follows in its segment with it. A single wrong bit is therefore
/// put right: the checksum tells which it is.
pub(super) fn recover(bytes: &Bytes) -> Option<Recovered> {
    let magic: &[u8; MAGIC.len()] = bytes.first_chunk()?;
    let wrong_bits = (u64::from_le_bytes(*magic) ^ u64::from_le_bytes(*MAGIC)).count_ones();
    if wrong_bits > 1 {
        return None;
    }
    let mut at = MAGIC.len();
    let begin = record(bytes, &mut at)?;
    if begin.kind != ANCHOR || begin.sequence == 0 {
        return None;
    }
    let anchor = (!begin.payload.is_empty()).then_some(begin.payload);
    let mut mended = usize::from(begin.mended);
    let mut frames = Vec::new();
    let mut good_bytes = at;
    while let Some(record) = record(bytes, &mut at) {
        if record.kind != FRAME || record.sequence != begin.sequence + frames.len() as u64 {
            break;
        }
        mended += usize::from(record.mended);
        frames.push((record.time, record.payload));
        good_bytes = at;
    }
    Some(Recovered {
        first_sequence: begin.sequence,
        contents: Contents { anchor, frames },
        good_bytes,
        damaged: good_bytes < bytes.len(),
        mended,
    })
}

struct Record {
    kind: u8,
    sequence: u64,
    time: Timestamp,
    payload: Bytes,
    mended: bool,
}

fn record(bytes: &Bytes, at: &mut usize) -> Option<Record> {
    let header: &[u8; HEADER_BYTES] = bytes.get(*at..)?.first_chunk()?;
    let length = u32::from_le_bytes(*header.first_chunk()?);
    let crc = u32::from_le_bytes(*header[4..].first_chunk()?);
    let checked = |length: u32| {
        let end = at.checked_add(HEADER_BYTES)?.checked_add(length as usize)?;
        let fits = length as usize <= PAYLOAD_BYTES_MAX && end <= bytes.len();
        fits.then(|| bytes.slice(*at + 8..end))
    };
    let whole = |length: u32| checked(length).filter(|checked| crc32fast::hash(checked) == crc);
    if let Some(checked) = whole(length) {
        *at += 8 + checked.len();
        return parse(&checked, false);
    }
    // A wrong bit is in what is checked, in the checksum, or in the length.
    let other_length = || (0..u32::BITS).find_map(|bit| whole(length ^ 1 << bit));
    let mended = checked(length).and_then(|checked| mended(&checked, crc)).map(Bytes::from).or_else(other_length)?;
    let record = parse(&mended, true)?;
    // Other damage may look like a single bit: then it makes no sense.
    if !record.payload.is_empty() || record.kind == FRAME {
        decode(&record.payload).ok()?;
    }
    *at += 8 + mended.len();
    Some(record)
}

/// What the checksum is about.
fn parse(checked: &Bytes, mended: bool) -> Option<Record> {
    let fields: &[u8; HEADER_BYTES - 8] = checked.first_chunk()?;
    Some(Record {
        kind: fields[0],
        sequence: u64::from_le_bytes(*fields[1..].first_chunk()?),
        time: Timestamp::from_ms(i64::from_le_bytes(*fields[9..].first_chunk()?)),
        payload: checked.slice(fields.len()..),
        mended,
    })
}

#[cfg(test)]
mod tests {
    use procession_codec::{Frame, FrameKind};
    use procession_model::{Loss, LossKind};

    use super::*;
    use crate::outbox::encode_to_bytes;

    fn encoded(number: u64) -> Bytes {
        let mut made = Frame::new(FrameKind::Key, Timestamp::from_ms(i64::try_from(number).unwrap()));
        made.losses = vec![Loss { kind: LossKind::Missed, from: made.time, until: made.time, count: Some(number) }];
        encode_to_bytes(&made)
    }

    fn segment() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = begin(5, Some(&encoded(4)));
        let mut ends = vec![bytes.len()];
        for sequence in 5..12_u64 {
            bytes.extend(frame(sequence, Timestamp::from_ms(1_000), &encoded(sequence)));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn cut_at_every_byte_it_keeps_what_was_whole() {
        let (bytes, ends) = segment();
        for length in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= length).count();
            match recover(&Bytes::copy_from_slice(&bytes[..length])) {
                None => assert_eq!(whole, 0),
                Some(recovered) => {
                    assert_eq!(recovered.contents.frames.len(), whole - 1);
                    assert_eq!(recovered.good_bytes, ends[whole - 1]);
                    assert_eq!(recovered.damaged, !ends.contains(&length));
                    assert_eq!((recovered.first_sequence, recovered.contents.anchor), (5, Some(encoded(4))));
                }
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_put_right() {
        let (bytes, _) = segment();
        let intact = recover(&Bytes::copy_from_slice(&bytes)).unwrap();
        assert_eq!((intact.mended, intact.damaged), (0, false));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let recovered = recover(&flipped.into()).unwrap();
            assert_eq!(recovered.contents, intact.contents, "bit {bit}");
            let mended = usize::from(bit / 8 >= MAGIC.len());
            assert_eq!((recovered.damaged, recovered.mended), (false, mended), "bit {bit}");
        }
    }

    #[test]
    fn two_flipped_bits_of_a_record_are_noticed() {
        let (bytes, ends) = segment();
        let intact = recover(&Bytes::copy_from_slice(&bytes)).unwrap();
        let record = ends[2]..ends[3];
        for bit in record.start * 8 + 1..record.end * 8 {
            let mut flipped = bytes.clone();
            flipped[record.start] ^= 1;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let recovered = recover(&flipped.into()).unwrap();
            assert!(recovered.damaged, "bit {bit}");
            assert_eq!(recovered.contents.frames, intact.contents.frames[..2]);
        }
    }
}
