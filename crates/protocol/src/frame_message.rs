//! A frame on its way: `[1] [sequence: u64 little-endian] [frame as docs/FORMAT.md says]`.

use bytes::{BufMut, Bytes, BytesMut};

const KIND_FRAME: u8 = 1;
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
#[error("not a frame message of protocol version 1")]
pub struct FrameMessageError;

impl FrameMessage {
    /// The bytes of the binary message.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + self.frame.len());
        bytes.put_u8(KIND_FRAME);
        bytes.put_u64_le(self.sequence);
        bytes.put_slice(&self.frame);
        bytes.freeze()
    }

    /// From the bytes of a binary message; the frame shares them.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, FrameMessageError> {
        if bytes.len() <= HEADER_BYTES || bytes[0] != KIND_FRAME {
            return Err(FrameMessageError);
        }
        let mut sequence = [0; 8];
        sequence.copy_from_slice(&bytes[1..HEADER_BYTES]);
        Ok(Self { sequence: u64::from_le_bytes(sequence), frame: bytes.slice(HEADER_BYTES..) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back() {
        let message = FrameMessage { sequence: u64::MAX - 1, frame: Bytes::from_static(b"frame") };
        assert_eq!(FrameMessage::from_bytes(message.to_bytes()), Ok(message));
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [&b""[..], &[1, 0, 0, 0, 0, 0, 0, 0, 0], &[2, 1, 0, 0, 0, 0, 0, 0, 0, 7]] {
            assert_eq!(FrameMessage::from_bytes(Bytes::copy_from_slice(bytes)), Err(FrameMessageError));
        }
    }
}
