//! Frames that are not sealed, as a run: decoded one by one, or turned into a block for those who read by column.

use std::sync::Arc;

use bytes::Bytes;
use procession_codec::block::{Block, Dictionary, Effort, SealError, Sealed, seal};
use procession_codec::mend::mended;
use procession_codec::{Frame, HostState, frame};

use super::open_host::{Base, OpenFrame};
use crate::StoreError;

/// A keyframe is at most that long unpacked.
const BASE_BYTES_MAX: usize = procession_codec::limits::FRAME_BODY_BYTES_MAX;
const BASE_LEVEL: i32 = 1;

/// What open frames go on from, as bytes.
pub(super) fn pack_base(state: &HostState) -> Result<Bytes, StoreError> {
    let mut keyframe = state.keyframe();
    // These belong to the frame before, which is in a block.
    keyframe.brief = Vec::new();
    keyframe.losses = Vec::new();
    let mut plain = Vec::new();
    frame::encode(&keyframe, &mut plain);
    let packed = zstd::bulk::compress(&plain, BASE_LEVEL).map_err(|error| StoreError::Failed(Box::new(error)))?;
    Ok(Bytes::from([&crc32fast::hash(&packed).to_le_bytes(), &packed[..]].concat()))
}

/// The state that a base stands for.
pub(super) fn base_state(base: &Base) -> Result<HostState, StoreError> {
    let mut state = HostState::new();
    if let Base::Keyframe(base) = base {
        let damaged = || StoreError::Damaged("the state that open frames go on from".to_owned());
        let (crc, packed) = base.split_first_chunk().ok_or_else(damaged)?;
        // All open frames need it, so one wrong bit is put right.
        let packed = mended(packed, u32::from_le_bytes(*crc)).ok_or_else(damaged)?;
        let plain = zstd::bulk::decompress(&packed, BASE_BYTES_MAX).map_err(|_| damaged())?;
        apply(&mut state, &decode(&plain)?)?;
    }
    Ok(state)
}

/// Whether a base is as it was written.
pub(super) fn is_base_whole(base: &[u8]) -> bool {
    base.split_first_chunk().is_some_and(|(crc, packed)| u32::from_le_bytes(*crc) == crc32fast::hash(packed))
}

/// Decodes a frame that was decoded before: only damage makes it fail.
pub(super) fn decode(bytes: &[u8]) -> Result<Frame, StoreError> {
    frame::decode(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// Applies a frame that was applied before: only damage makes it fail.
pub(super) fn apply(state: &mut HostState, frame: &Frame) -> Result<(), StoreError> {
    state.apply(frame).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// The state after one of the frames; `None` if it is not among them.
pub(super) fn state_after(base: &Base, frames: &[OpenFrame], sequence: u32) -> Result<Option<HostState>, StoreError> {
    let Some(index) = frames.iter().position(|open| open.sequence == sequence) else {
        return Ok(None);
    };
    let mut state = base_state(base)?;
    for open in &frames[..=index] {
        apply(&mut state, &decode(&open.bytes)?)?;
    }
    Ok(Some(state))
}

/// The state after one late frame: each stands for itself.
pub(super) fn late_state(frames: &[OpenFrame], sequence: u32) -> Result<Option<HostState>, StoreError> {
    let Some(open) = frames.iter().find(|open| open.sequence == sequence) else {
        return Ok(None);
    };
    let mut state = HostState::new();
    apply(&mut state, &decode(&open.bytes)?)?;
    Ok(Some(state))
}

/// Frames with their sequences, as they are sealed.
pub(super) fn decoded(frames: &[OpenFrame]) -> Result<Vec<(u32, Arc<Frame>)>, StoreError> {
    frames.iter().map(|open| Ok((open.sequence, Arc::new(decode(&open.bytes)?)))).collect()
}

/// A run, sealed.
pub(super) fn seal_run(
    base: &HostState,
    frames: &[(u32, Arc<Frame>)],
    dictionary: &Dictionary,
    effort: Effort,
) -> Result<Sealed, StoreError> {
    seal(base, frames, dictionary, effort).map_err(|error| match error {
        SealError::Apply(_) | SealError::Empty | SealError::Disordered => StoreError::Damaged(error.to_string()),
        SealError::OverLimit(_) | SealError::Compression => StoreError::Failed(Box::new(error)),
    })
}

/// Open frames as a block that nobody keeps.
pub(super) fn as_block(base: &Base, frames: &[OpenFrame]) -> Result<Block, StoreError> {
    let mut dictionary = Dictionary::new(0);
    let sealed = seal_run(&base_state(base)?, &decoded(frames)?, &dictionary, Effort::Fast)?;
    let damaged = |error: procession_codec::DecodeError| StoreError::Damaged(error.to_string());
    if let Some(segment) = &sealed.segment {
        dictionary.push(segment).map_err(damaged)?;
    }
    Block::open(&sealed.head, &sealed.body, &dictionary).map_err(damaged)
}
