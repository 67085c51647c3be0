//! Request bodies: bounded before and after decompression, few at a time, and not for ever on their way.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::SemaphorePermit;

use crate::app::App;
use crate::error::ApiError;

/// How long a body may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);
/// How long a request waits for its turn to be read.
const TURN_MAX: Duration = Duration::from_secs(5);
/// The largest window that a zstd frame may ask for, as a power of two: 8 MiB, what RFC 8878 asks decoders to have.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// A body in memory, which counts as one of those that may be there at once.
pub(crate) struct ReadBody<'a> {
    pub(crate) bytes: Bytes,
    _turn: SemaphorePermit<'a>,
}

/// Reads the JSON body of a request.
pub(crate) async fn read_json(app: &App, request: Request) -> Result<ReadBody<'_>, ApiError> {
    let (parts, body) = request.into_parts();
    require_json(&parts.headers)?;
    let encoding = encoding_of(&parts.headers)?;
    let limit = app.config.limits.body_bytes_max;
    refuse_announced(&parts.headers, limit)?;
    let turn = match tokio::time::timeout(TURN_MAX, app.bodies.acquire()).await {
        Ok(Ok(turn)) => turn,
        _ => return Err(ApiError::overloaded()),
    };
    let bytes = collect(body, limit).await?;
    let bytes = match encoding {
        Encoding::Identity => bytes,
        Encoding::Gzip => decompress(flate2::read::MultiGzDecoder::new(&*bytes), limit)?,
        Encoding::Zstd => decompress(zstd_decoder(&bytes)?, limit)?,
    };
    Ok(ReadBody { bytes, _turn: turn })
}

#[derive(Clone, Copy)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let shown = essence.escape_default().take(100).collect::<String>();
    Err(ApiError::unsupported_media_type(format!("Unsupported media type \"{shown}\": send application/json.")))
}

fn encoding_of(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    let encoding = headers.get(header::CONTENT_ENCODING).map_or(Ok("identity"), |value| value.to_str());
    match encoding.map(str::to_ascii_lowercase).as_deref() {
        Ok("identity" | "") => Ok(Encoding::Identity),
        Ok("gzip" | "x-gzip") => Ok(Encoding::Gzip),
        Ok("zstd") => Ok(Encoding::Zstd),
        _ => Err(ApiError::unsupported_media_type("A body may be encoded with gzip or zstd, once.")),
    }
}

/// A body that announces to be too large is not read at all.
fn refuse_announced(headers: &HeaderMap, limit: usize) -> Result<(), ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(length) if length > limit as u64 => Err(ApiError::body_too_large(limit)),
        _ => Ok(()),
    }
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(ARRIVAL_MAX, Limited::new(body, limit).collect()).await {
        Err(_) => Err(ApiError::body_too_slow()),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::body_too_large(limit)),
        Ok(Err(_)) => Err(ApiError::bad_request("The body ended early.")),
    }
}

fn zstd_decoder(bytes: &[u8]) -> Result<impl Read + '_, ApiError> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|error| ApiError::internal(&error))?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|error| ApiError::internal(&error))?;
    Ok(decoder)
}

fn decompress(decoder: impl Read, limit: usize) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    let read = decoder.take(limit as u64 + 1).read_to_end(&mut bytes);
    if bytes.len() > limit {
        return Err(ApiError::body_too_large(limit));
    }
    match read {
        Ok(_) => Ok(bytes.into()),
        Err(_) => Err(ApiError::bad_request("The body does not fit its Content-Encoding.")),
    }
}
