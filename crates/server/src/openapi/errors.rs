//! The errors that operations have in common. Every operation may also answer 421 and 500.

use utoipa::{IntoResponses, ToSchema};

/// What is wrong, in a sentence.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, in the document")]
pub(crate) struct Detail {
    /// The sentence.
    detail: String,
}

/// What is wrong: by field (nested by index where the request is), or as `detail`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, in the document")]
pub(crate) struct Problems(std::collections::BTreeMap<String, serde_json::Value>);

/// What is wrong, in the manner of the Process Monitoring API.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, in the document")]
pub(crate) struct SystemProblem {
    /// Always false.
    success: bool,
    /// The sentence.
    message: String,
}

/// For everything that needs to know who asks.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, in the document")]
pub(crate) enum ReaderErrors {
    /// No key or session, or not a good one.
    #[response(status = 401)]
    Unauthorized(Detail),
    /// The key is for something else or for other hosts.
    #[response(status = 403)]
    Forbidden(Detail),
    /// This server does not answer under that name.
    #[response(status = 421)]
    Misdirected(Detail),
    /// Too many failed attempts; `Retry-After` says when to come back.
    #[response(status = 429)]
    TooManyRequests(Detail),
    /// The server failed; its log has more under the id in the text.
    #[response(status = 500)]
    Internal(Detail),
    /// The server is busy; `Retry-After` says when to come back.
    #[response(status = 503)]
    Unavailable(Detail),
}

/// The same for uploads, which may also be wrong themselves.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, in the document")]
pub(crate) enum UploadErrors {
    /// Not JSON, or not an upload.
    #[response(status = 400)]
    BadRequest(Problems),
    /// No key, or not a good one.
    #[response(status = 401)]
    Unauthorized(Detail),
    /// The key is for something else or for other hosts.
    #[response(status = 403)]
    Forbidden(Detail),
    /// This server does not answer under that name.
    #[response(status = 421)]
    Misdirected(Detail),
    /// Too many failed attempts; `Retry-After` says when to come back.
    #[response(status = 429)]
    TooManyRequests(Detail),
    /// The server failed; its log has more under the id in the text.
    #[response(status = 500)]
    Internal(Detail),
    /// The server is busy or its disk full; `Retry-After` says when to come back.
    #[response(status = 503)]
    Unavailable(Detail),
}

/// For bodies.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, in the document")]
pub(crate) enum ReadBodyErrors {
    /// The body did not arrive in time.
    #[response(status = 408)]
    TooSlow(Detail),
    /// The body is too large, before or after decompression.
    #[response(status = 413)]
    TooLarge(Detail),
    /// Not JSON by its type, or encoded with something else than gzip or zstd.
    #[response(status = 415)]
    UnsupportedMediaType(Detail),
}

/// For what changes something in the name of a person.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, in the document")]
pub(crate) enum MutationErrors {
    /// Not signed in.
    #[response(status = 401)]
    Unauthorized(Detail),
    /// The header `X-Procession` is missing, or a key was sent in place of a session.
    #[response(status = 403)]
    Forbidden(Detail),
    /// This server does not answer under that name.
    #[response(status = 421)]
    Misdirected(Detail),
    /// The server failed; its log has more under the id in the text.
    #[response(status = 500)]
    Internal(Detail),
    /// The server is busy; `Retry-After` says when to come back.
    #[response(status = 503)]
    Unavailable(Detail),
}

/// For parameters.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, in the document")]
pub(crate) enum QueryErrors {
    /// Something sent is wrong.
    #[response(status = 400)]
    BadRequest(Problems),
}

/// For what may not be there.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its shape is used, in the document")]
pub(crate) enum NotFoundError {
    /// There is no such thing.
    #[response(status = 404)]
    NotFound(Detail),
}
