//! zstd in one shot, bounded, with contexts that are kept: setting one up costs more than compressing a frame.

use std::cell::RefCell;

use zstd::zstd_safe::{CCtx, CParameter, DCtx, DParameter};

use crate::DecodeError;

/// The window that a prefix needs: 2^23 bytes.
const WINDOW_LOG_MAX: u32 = 23;

thread_local! {
    static COMPRESSOR: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

/// The bytes, compressed; `None` if that failed, which leaves the bytes as they are.
pub(crate) fn compress(bytes: &[u8], level: i32) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|context| {
        if context.is_none() {
            *context = CCtx::try_create();
        }
        let context = context.as_mut()?;
        context.set_parameter(CParameter::CompressionLevel(level)).ok()?;
        context.set_parameter(CParameter::ContentSizeFlag(false)).ok()?;
        run_compress(context, bytes)
    })
}

/// The bytes, compressed as if `history`, a few kilobytes, stood before them. For bytes that come often: the context is kept.
pub(crate) fn compress_after_history(history: &[u8], bytes: &[u8], level: i32) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|context| {
        if context.is_none() {
            *context = CCtx::try_create();
        }
        let mut compressed = Vec::with_capacity(zstd::zstd_safe::compress_bound(bytes.len()));
        context.as_mut()?.compress_using_dict(&mut compressed, bytes, history, level).ok()?;
        Some(compressed)
    })
}

fn run_compress(context: &mut CCtx<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut compressed = Vec::with_capacity(zstd::zstd_safe::compress_bound(bytes.len()));
    context.compress2(&mut compressed, bytes).ok()?;
    Some(compressed)
}

/// Decompresses to exactly `len` bytes, which the caller has checked against a limit.
pub(crate) fn decompress(bytes: &[u8], len: usize) -> Result<Vec<u8>, DecodeError> {
    DECOMPRESSOR.with_borrow_mut(|context| {
        if context.is_none() {
            *context = DCtx::try_create();
        }
        let context = context.as_mut().ok_or(DecodeError::Invalid("the decompressor"))?;
        run_decompress(context, bytes, len)
    })
}

/// Decompresses what was compressed as if `prefix` stood before it, to exactly `len` bytes.
pub(crate) fn decompress_after(prefix: &[u8], bytes: &[u8], len: usize) -> Result<Vec<u8>, DecodeError> {
    const FAILED: DecodeError = DecodeError::Invalid("the decompressor");
    let mut context = DCtx::try_create().ok_or(FAILED)?;
    context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(|_| FAILED)?;
    context.ref_prefix(prefix).map_err(|_| FAILED)?;
    run_decompress(&mut context, bytes, len)
}

/// Decompresses what [`compress_after_history`] made, if that is not more than `bytes_max`.
pub(crate) fn decompress_after_history(history: &[u8], bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    DECOMPRESSOR.with_borrow_mut(|context| {
        if context.is_none() {
            *context = DCtx::try_create();
        }
        let context = context.as_mut().ok_or(DecodeError::Invalid("the decompressor"))?;
        let mut plain = Vec::with_capacity(bytes_max);
        let done = context.decompress_using_dict(&mut plain, bytes, history);
        done.map_err(|_| DecodeError::Invalid("compressed bytes"))?;
        // It may wait long in a queue.
        plain.shrink_to_fit();
        Ok(plain)
    })
}

fn run_decompress(context: &mut DCtx<'_>, bytes: &[u8], len: usize) -> Result<Vec<u8>, DecodeError> {
    let mut plain = Vec::with_capacity(len);
    context.decompress(&mut plain, bytes).map_err(|_| DecodeError::Invalid("compressed bytes"))?;
    if plain.len() == len { Ok(plain) } else { Err(DecodeError::Invalid("the length of compressed bytes")) }
}
