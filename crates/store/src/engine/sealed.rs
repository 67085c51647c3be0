//! A sealed run: what a block holds, as the engine sees it.

use bytes::{Buf, BufMut, Bytes};
use procession_codec::{Frame, HostState, frame};
use procession_model::Timestamp;

use crate::StoreError;

/// Frames of one host in their order, and the state before the first.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// A keyframe; it is no snapshot of this run.
    pub(super) base: Option<Frame>,
    /// The frames with their sequences.
    pub(super) frames: Vec<RunFrame>,
}

/// A frame of a run.
#[derive(Clone, Debug)]
pub(super) struct RunFrame {
    pub(super) sequence: u32,
    pub(super) time: Timestamp,
    pub(super) body: Body,
}

/// A frame, decoded when it is needed.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// As it came.
    Bytes(Bytes),
}

impl RunFrame {
    /// The frame.
    pub(super) fn decode(&self) -> Result<Frame, StoreError> {
        match &self.body {
            Body::Bytes(bytes) => frame::decode(bytes).map_err(damaged),
        }
    }
}

/// Most bytes that a block may have when it is not compressed. Sealing stays far below.
const PLAIN_BYTES_MAX: usize = 1 << 30;
const COMPRESSION_LEVEL: i32 = 3;
const BASE_LEVEL: i32 = 1;

/// The bytes of a block.
pub(super) fn encode(run: &Run) -> Result<Vec<u8>, StoreError> {
    let mut base = Vec::new();
    if let Some(keyframe) = &run.base {
        frame::encode(keyframe, &mut base);
    }
    let mut plain = Vec::new();
    plain.put_u32_le(length(base.len())?);
    plain.put_slice(&base);
    plain.put_u32_le(length(run.frames.len())?);
    for frame in &run.frames {
        let Body::Bytes(bytes) = &frame.body;
        plain.put_u32_le(frame.sequence);
        plain.put_i64_le(frame.time.as_ms());
        plain.put_u32_le(length(bytes.len())?);
        plain.put_slice(bytes);
    }
    let packed = zstd::bulk::compress(&plain, COMPRESSION_LEVEL).map_err(io)?;
    let mut out = Vec::with_capacity(packed.len() + 4);
    out.put_u32_le(crc32fast::hash(&packed));
    out.extend_from_slice(&packed);
    Ok(out)
}

/// What a block holds.
pub(super) fn decode(mut block: Bytes) -> Result<Run, StoreError> {
    let broken = || StoreError::Damaged("a block".to_owned());
    if block.len() < 4 || block.get_u32_le() != crc32fast::hash(&block) {
        return Err(broken());
    }
    let mut plain = Bytes::from(zstd::bulk::decompress(&block, PLAIN_BYTES_MAX).map_err(|_| broken())?);
    let take = |plain: &mut Bytes, fixed: usize| {
        if plain.remaining() < fixed { Err(broken()) } else { Ok(()) }
    };
    let part = |plain: &mut Bytes| {
        take(plain, 4)?;
        let length = plain.get_u32_le() as usize;
        take(plain, length)?;
        Ok::<_, StoreError>(plain.split_to(length))
    };
    let base = part(&mut plain)?;
    let base = if base.is_empty() { None } else { Some(frame::decode(&base).map_err(damaged)?) };
    take(&mut plain, 4)?;
    let count = plain.get_u32_le();
    let mut frames = Vec::new();
    for _ in 0..count {
        take(&mut plain, 12)?;
        let (sequence, time) = (plain.get_u32_le(), Timestamp::from_ms(plain.get_i64_le()));
        frames.push(RunFrame { sequence, time, body: Body::Bytes(part(&mut plain)?) });
    }
    Ok(Run { base, frames })
}

/// The keyframe that an open run goes on from, small.
pub(super) fn pack_base(keyframe: &Frame) -> Result<Bytes, StoreError> {
    let mut plain = Vec::new();
    frame::encode(keyframe, &mut plain);
    zstd::bulk::compress(&plain, BASE_LEVEL).map(Bytes::from).map_err(io)
}

/// The state that a base stands for; of `None` the empty one.
pub(super) fn base_state(packed: Option<&Bytes>) -> Result<HostState, StoreError> {
    let mut state = HostState::new();
    if let Some(packed) = packed {
        let plain = zstd::bulk::decompress(packed, PLAIN_BYTES_MAX).map_err(io)?;
        apply(&mut state, &frame::decode(&plain).map_err(damaged)?)?;
    }
    Ok(state)
}

/// Applies a frame that was applied before: only damage makes it fail.
pub(super) fn apply(state: &mut HostState, frame: &Frame) -> Result<(), StoreError> {
    state.apply(frame).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn length(length: usize) -> Result<u32, StoreError> {
    u32::try_from(length).map_err(|_| StoreError::Limit("a block is longer than 4 GiB".to_owned()))
}

fn io(error: std::io::Error) -> StoreError {
    StoreError::Failed(Box::new(error))
}

/// Bytes that were checked when they came do not decode now.
pub(super) fn damaged(error: procession_codec::DecodeError) -> StoreError {
    StoreError::Damaged(error.to_string())
}
