//! A frame on its way.
//!
//! - `[1] [sequence: u64 little-endian] [frame as docs/FORMAT.md says]`
//! - `[2] [packed frame]`: its sequence is one more than that of the message before it on the connection. Only where both
//!   sides know how to.

use bytes::{BufMut, Bytes, BytesMut};
use procession_codec::wire::{Packer, Unpacker};

const KIND_FRAME: u8 = 1;
const KIND_PACKED_FRAME: u8 = 2;
const HEADER_BYTES: usize = 9;

/// A numbered frame, not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameMessage {
    /// Number within the stream, from 1.
    pub sequence: u64,
    /// The frame's bytes.
    pub frame: Bytes,
}

/// Not a frame message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a frame message that is known here")]
pub struct FrameMessageError;

impl FrameMessage {
    /// The bytes of the binary message that says all by itself.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + self.frame.len());
        bytes.put_u8(KIND_FRAME);
        bytes.put_u64_le(self.sequence);
        bytes.put_slice(&self.frame);
        bytes.freeze()
    }

    /// From the bytes of such a message; the frame shares them.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, FrameMessageError> {
        if bytes.len() <= HEADER_BYTES || bytes[0] != KIND_FRAME {
            return Err(FrameMessageError);
        }
        let mut sequence = [0; 8];
        sequence.copy_from_slice(&bytes[1..HEADER_BYTES]);
        Ok(Self { sequence: u64::from_le_bytes(sequence), frame: bytes.slice(HEADER_BYTES..) })
    }
}

/// Writes the frames of one connection.
#[derive(Debug, Default)]
pub struct FrameWriter {
    /// Where the other side unpacks.
    packer: Option<Packer>,
    last_sequence: Option<u64>,
}

impl FrameWriter {
    /// The other side reads packed frames up to this version; 0 for none.
    pub fn pack_up_to(&mut self, version: u8) {
        self.packer = (version >= procession_codec::wire::VERSION).then(Packer::default);
    }

    /// The bytes of the next binary message.
    pub fn write(&mut self, message: &FrameMessage) -> Bytes {
        let follows = self.last_sequence.and_then(|last| last.checked_add(1)) == Some(message.sequence);
        self.last_sequence = Some(message.sequence);
        if let Some(packer) = self.packer.as_mut().filter(|_| follows) {
            let mut bytes = vec![KIND_PACKED_FRAME];
            if packer.pack(&message.frame, &mut bytes) {
                return bytes.into();
            }
        }
        message.to_bytes()
    }
}

/// Reads the frames of one connection.
#[derive(Debug, Default)]
pub struct FrameReader {
    unpacker: Unpacker,
    last_sequence: Option<u64>,
}

impl FrameReader {
    /// The frame of the next binary message. After an error the connection is of no use.
    pub fn read(&mut self, bytes: Bytes) -> Result<FrameMessage, FrameMessageError> {
        let message = match bytes.split_first() {
            Some((&KIND_PACKED_FRAME, packed)) => {
                let sequence = self.last_sequence.and_then(|last| last.checked_add(1)).ok_or(FrameMessageError)?;
                let frame = self.unpacker.unpack(packed).map_err(|_| FrameMessageError)?;
                FrameMessage { sequence, frame: frame.into() }
            }
            _ => FrameMessage::from_bytes(bytes)?,
        };
        self.last_sequence = Some(message.sequence);
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sequence: u64, frame: &'static [u8]) -> FrameMessage {
        FrameMessage { sequence, frame: Bytes::from_static(frame) }
    }

    #[test]
    fn messages_come_back() {
        let message = message(u64::MAX - 1, b"frame");
        assert_eq!(FrameMessage::from_bytes(message.to_bytes()), Ok(message));
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [&b""[..], &[1, 0, 0, 0, 0, 0, 0, 0, 0], &[3, 1, 0, 0, 0, 0, 0, 0, 0, 7], &[2], &[2, 1, 2, 3]] {
            assert_eq!(FrameMessage::from_bytes(Bytes::copy_from_slice(bytes)), Err(FrameMessageError));
            assert_eq!(FrameReader::default().read(Bytes::copy_from_slice(bytes)), Err(FrameMessageError));
        }
    }

    #[test]
    fn frames_that_follow_are_packed_and_come_back() {
        const FRAME: &[u8] = b"the same name and command line again and again";
        let (mut writer, mut reader) = (FrameWriter::default(), FrameReader::default());
        writer.pack_up_to(procession_codec::wire::VERSION);
        // It begins again where the server asked for that, and leaves out what it dropped.
        let sequences = [5, 6, 7, 6, 7, 8, 20, u64::MAX, 1, 2];
        let packed: Vec<bool> = sequences
            .into_iter()
            .map(|sequence| {
                let bytes = writer.write(&message(sequence, FRAME));
                assert_eq!(reader.read(bytes.clone()), Ok(message(sequence, FRAME)));
                bytes[0] == KIND_PACKED_FRAME
            })
            .collect();
        assert_eq!(packed, [false, true, true, false, true, true, false, false, false, true]);
        assert!(writer.write(&message(3, FRAME)).len() < 20);
    }

    #[test]
    fn nothing_is_packed_for_who_cannot_read_it() {
        let mut writer = FrameWriter::default();
        for sequence in 1..4 {
            assert_eq!(writer.write(&message(sequence, b"frame")), message(sequence, b"frame").to_bytes());
            writer.pack_up_to(0);
        }
    }

    #[test]
    fn a_packed_frame_follows_another() {
        let (mut writer, mut reader) = (FrameWriter::default(), FrameReader::default());
        writer.pack_up_to(procession_codec::wire::VERSION);
        writer.write(&message(u64::MAX - 1, b"frame"));
        let packed = writer.write(&message(u64::MAX, b"frame"));
        assert_eq!(reader.read(packed.clone()), Err(FrameMessageError), "nothing came before it");
        reader.read(message(u64::MAX, b"frame").to_bytes()).unwrap();
        assert_eq!(reader.read(packed), Err(FrameMessageError), "no number is left");
    }
}
