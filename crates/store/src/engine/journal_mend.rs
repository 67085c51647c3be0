//! A record of the journal in which one bit is not as it was written, put right.
//!
//! Frames go on from one another, so a record that is lost takes those after it with it: worth some arithmetic. Random damage
//! looks like one wrong bit with a probability of one in 2^32 for each bit of the record, at most 1/2,000 for the longest that
//! is tried; it then has to be a frame that fits its host as well.

use bytes::Bytes;

use super::journal::{HEADER_BYTES, MARKER, checksum};

/// Longer records are not tried: the longer one is, the more random damage looks like a single bit.
const BYTES_MAX: usize = 256 << 10;

/// The payload of the record that begins here, were it not for one bit, and where it ends.
pub(super) fn mended_at(row: &Bytes, at: usize) -> Option<(Bytes, usize)> {
    let header: [u8; HEADER_BYTES] = row.get(at..at + HEADER_BYTES)?.try_into().ok()?;
    let [m0, m1, l0, l1, l2, l3, c0, c1, c2, c3] = header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let sum = u32::from_le_bytes([c0, c1, c2, c3]);
    let payload_of = |length: u32| {
        let start = at + HEADER_BYTES;
        let end = start.checked_add(length as usize)?;
        (end <= row.len()).then(|| (row.slice(start..end), end))
    };
    let fits = |length: u32| payload_of(length).filter(|(payload, _)| checksum(length.to_le_bytes(), payload) == sum);
    match (u16::from_le_bytes([m0, m1]) ^ u16::from_le_bytes(MARKER)).count_ones() {
        0 => {
            let in_payload = payload_of(length).and_then(|(payload, end)| Some((mended(length, &payload, sum)?, end)));
            in_payload.or_else(|| (0..u32::BITS).find_map(|bit| fits(length ^ 1 << bit)))
        }
        1 => fits(length),
        _ => None,
    }
}

/// The payload with the one bit turned that makes the checksum fit.
fn mended(length: u32, payload: &Bytes, sum: u32) -> Option<Bytes> {
    if payload.len() > BYTES_MAX {
        return None;
    }
    let counted = [&length.to_le_bytes(), &payload[..]].concat();
    let mended = Bytes::from(procession_codec::mend::mended(&counted, sum)?);
    // A bit of the length would be another payload.
    mended.starts_with(&length.to_le_bytes()).then(|| mended.slice(size_of::<u32>()..))
}
