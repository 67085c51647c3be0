//! Frames as one connection carries them: each compressed after those before it, so that a name or command line which came
//! lately is not written again. Short-lived processes are mostly that.
//!
//! What is kept for it are some kilobytes a connection, no matter how many processes a host has: a server has thousands of
//! connections. Frames that are kept, in spool and journal, are not touched by it. `docs/FORMAT.md` has the bytes.

use crate::DecodeError;
use crate::compress::{compress_after_history, decompress_after_history};

/// The version of what [`Packer`] writes.
pub const VERSION: u8 = 1;
/// The longest frame that is packed; longer ones are compressed already, and rare.
pub const FRAME_BYTES_MAX: usize = 2 << 10;
/// What both sides keep of the frames before.
pub const HISTORY_BYTES_MAX: usize = 4 << 10;

/// More finds hardly more in so few bytes.
const LEVEL: i32 = 3;
/// Every zstd frame begins with these; they are left out.
const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();
/// A history that begins so is no dictionary of another kind for zstd, whatever follows.
const HISTORY_BEGIN: [u8; 4] = [0; 4];

/// Packs the frames of one connection, in their order.
#[derive(Debug, Default)]
pub struct Packer {
    history: History,
}

/// Unpacks what a [`Packer`] has packed, all of it and in its order.
#[derive(Debug, Default)]
pub struct Unpacker {
    history: History,
}

impl Packer {
    /// Appends the packed frame; says whether it did. A frame that it does not take goes as it is, and is not unpacked.
    pub fn pack(&mut self, frame: &[u8], out: &mut Vec<u8>) -> bool {
        if frame.len() > FRAME_BYTES_MAX {
            return false;
        }
        let Some(packed) = compress_after_history(self.history.bytes(), frame, LEVEL) else { return false };
        let Some(packed) = packed.strip_prefix(&MAGIC) else { return false };
        out.extend(packed);
        self.history.push(frame);
        true
    }
}

impl Unpacker {
    /// The frame that was packed, of [`FRAME_BYTES_MAX`] at most. After an error the connection is of no use.
    pub fn unpack(&mut self, packed: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let packed = [&MAGIC, packed].concat();
        let frame = decompress_after_history(self.history.bytes(), &packed, FRAME_BYTES_MAX)?;
        self.history.push(&frame);
        Ok(frame)
    }
}

/// The end of all frames so far.
#[derive(Debug, Default)]
struct History(Vec<u8>);

impl History {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn push(&mut self, frame: &[u8]) {
        if self.0.is_empty() {
            self.0.reserve_exact(HISTORY_BYTES_MAX);
            self.0.extend(HISTORY_BEGIN);
        }
        let beyond = (self.0.len() + frame.len()).saturating_sub(HISTORY_BYTES_MAX);
        self.0.drain(HISTORY_BEGIN.len()..HISTORY_BEGIN.len() + beyond);
        self.0.extend_from_slice(frame);
    }
}

const _: () = assert!(FRAME_BYTES_MAX + HISTORY_BEGIN.len() <= HISTORY_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: usize) -> Vec<u8> {
        let mut bytes =
            format!("{number} /usr/bin/health-check --socket /run/service.sock system.slice/timer").into_bytes();
        bytes.extend((0..number % 300).map(|index| (index * 31 + number * 7).to_le_bytes()[0]));
        bytes
    }

    fn pack(packer: &mut Packer, frame: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        assert!(packer.pack(frame, &mut packed));
        packed
    }

    #[test]
    fn what_came_before_is_not_written_again() {
        let (mut packer, mut unpacker) = (Packer::default(), Unpacker::default());
        for number in 0..500 {
            let packed = pack(&mut packer, &frame(number));
            if number > 0 {
                assert!(packed.len() + 50 < frame(number).len() + 10, "{number}: {}", packed.len());
            }
            assert_eq!(unpacker.unpack(&packed).unwrap(), frame(number));
            assert!(unpacker.history.0.capacity() <= HISTORY_BYTES_MAX);
        }
    }

    #[test]
    fn long_frames_go_as_they_are_and_leave_nothing() {
        let (mut packer, mut unpacker) = (Packer::default(), Unpacker::default());
        let longest: Vec<u8> = (0..FRAME_BYTES_MAX).map(|_| fastrand::u8(..)).collect();
        for round in 0..5 {
            assert_eq!(unpacker.unpack(&pack(&mut packer, &longest)).unwrap(), longest, "{round}");
            assert!(!packer.pack(&vec![7; FRAME_BYTES_MAX + 1], &mut Vec::new()));
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let packed = zstd::bulk::compress(&vec![0; 1 << 26], 3).unwrap();
        assert!(packed.len() < 10_000);
        assert!(Unpacker::default().unpack(&packed[MAGIC.len()..]).is_err());
    }

    #[test]
    fn hostile_bytes_are_errors() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut packer, mut before) = (Packer::default(), Vec::new());
        for number in 0..300 {
            before.push(pack(&mut packer, &frame(number)));
        }
        for _ in 0..2_000 {
            let mut unpacker = Unpacker::default();
            let known = random.usize(..20);
            before.iter().take(known).for_each(|packed| drop(unpacker.unpack(packed).unwrap()));
            let mut packed = before[known].clone();
            let at = random.usize(..packed.len());
            packed[at] = random.u8(..);
            packed.truncate(random.usize(..=packed.len()));
            // It may still be something: what matters is that it is no panic, and not long.
            if let Ok(frame) = unpacker.unpack(&packed) {
                assert!(frame.len() <= FRAME_BYTES_MAX);
            }
        }
        assert!(Unpacker::default().unpack(&[]).is_err());
    }

    /// zstd takes bytes that begin so for a dictionary with tables.
    #[test]
    fn no_history_is_a_dictionary() {
        let (mut packer, mut unpacker) = (Packer::default(), Unpacker::default());
        let tables = [&0xec30_a437_u32.to_le_bytes()[..], &[3; 1_200]].concat();
        for _ in 0..9 {
            assert_eq!(unpacker.unpack(&pack(&mut packer, &tables)).unwrap(), tables);
        }
    }
}
