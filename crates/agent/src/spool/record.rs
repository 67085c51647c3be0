//! A segment's bytes.
//!
//! `PSPOOL1\n`, then records: `[length of payload: u32][CRC-32 of what follows: u32][kind: u8][sequence: u64][time in ms:
//! i64][payload]`, numbers little-endian. The first record is an anchor (kind 1): the state before the first frame as a
//! keyframe, or nothing where a keyframe is the first frame. Frames follow (kind 2), their sequences ascending by one.

use bytes::Bytes;
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
pub(super) fn recover(bytes: &Bytes) -> Option<Recovered> {
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let mut at = MAGIC.len();
    let (kind, first_sequence, _, anchor) = record(bytes, &mut at)?;
    if kind != ANCHOR || first_sequence == 0 {
        return None;
    }
    let anchor = (!anchor.is_empty()).then_some(anchor);
    let mut frames = Vec::new();
    let mut good_bytes = at;
    while let Some((FRAME, sequence, time, frame)) = record(bytes, &mut at) {
        if sequence != first_sequence + frames.len() as u64 {
            break;
        }
        frames.push((time, frame));
        good_bytes = at;
    }
    Some(Recovered {
        first_sequence,
        contents: Contents { anchor, frames },
        good_bytes,
        damaged: good_bytes < bytes.len(),
    })
}

fn record(bytes: &Bytes, at: &mut usize) -> Option<(u8, u64, Timestamp, Bytes)> {
    let header: &[u8; HEADER_BYTES] = bytes.get(*at..)?.first_chunk()?;
    let length = u32::from_le_bytes(*header.first_chunk()?) as usize;
    let crc = u32::from_le_bytes(*header[4..].first_chunk()?);
    let end = at.checked_add(HEADER_BYTES)?.checked_add(length)?;
    let checked = bytes.get(*at + 8..end)?;
    if length > PAYLOAD_BYTES_MAX || crc32fast::hash(checked) != crc {
        return None;
    }
    let sequence = u64::from_le_bytes(*header[9..].first_chunk()?);
    let time = Timestamp::from_ms(i64::from_le_bytes(*header[17..].first_chunk()?));
    let payload = bytes.slice(*at + HEADER_BYTES..end);
    *at = end;
    Some((header[8], sequence, time, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = begin(5, Some(&Bytes::from_static(b"anchor")));
        let mut ends = vec![bytes.len()];
        for sequence in 5..12_u64 {
            bytes.extend(frame(sequence, Timestamp::from_ms(1_000), &vec![b'x'; usize::try_from(sequence).unwrap()]));
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
                    assert_eq!((recovered.first_sequence, recovered.contents.anchor), (5, Some("anchor".into())));
                }
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (bytes, ends) = segment();
        let intact = recover(&Bytes::copy_from_slice(&bytes)).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let whole = ends.iter().filter(|end| **end <= bit / 8).count();
            match recover(&flipped.into()) {
                None => assert_eq!(whole, 0),
                Some(recovered) => {
                    assert!(recovered.damaged, "bit {bit}");
                    assert_eq!(recovered.contents.frames, intact.contents.frames[..whole - 1]);
                }
            }
        }
    }
}
