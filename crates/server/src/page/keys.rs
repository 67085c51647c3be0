//! Keys, for people who are signed in.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use procession_store::{Key, KeyPurpose};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::keys::{self, KeyError, KeyRequest};
use crate::access::{Credential, MutatingSession, Session};
use crate::app::App;
use crate::error::{ApiError, json_response};
use crate::openapi::{MutationErrors, NotFoundError, QueryErrors, ReadBodyErrors, ReaderErrors};
use crate::{body, time_text};

/// What a key is for.
#[derive(Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Purpose {
    /// Agents and uploads.
    Upload,
    /// Reading.
    Read,
}

/// A key to be made.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct KeyBody {
    /// What for.
    purpose: Purpose,
    /// Host names it is good for: a name, or a pattern with `*`; all if absent.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255)]
    host: Option<String>,
    /// For people.
    #[serde(default)]
    #[schema(max_length = 255)]
    label: Option<String>,
    /// Until when; for ever if absent. In the future.
    #[serde(default)]
    #[schema(format = DateTime)]
    expires: Option<String>,
}

/// A key in a list. The secret is not kept.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct KeyEntry {
    /// The public part, which is the beginning of the key.
    prefix: String,
    /// What for.
    purpose: Purpose,
    /// Host names it is good for; all if null.
    host: Option<String>,
    /// For people.
    label: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created: String,
    /// Until when.
    #[schema(format = DateTime)]
    expires: Option<String>,
    /// When it was revoked.
    #[schema(format = DateTime)]
    revoked: Option<String>,
    /// When it was last used, to the minute.
    #[schema(format = DateTime)]
    last_used: Option<String>,
}

/// A key just made.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CreatedKeyEntry {
    /// The key itself, shown this once.
    key: String,
    #[serde(flatten)]
    entry: KeyEntry,
}

/// All keys.
#[utoipa::path(
    get,
    path = "/api/keys/",
    tag = "Page",
    security(("session" = [])),
    responses((status = 200, description = "All keys, revoked ones too", body = [KeyEntry]), ReaderErrors),
)]
pub(crate) async fn list(State(app): State<Arc<App>>, _: Session) -> Result<Response, ApiError> {
    let entries: Vec<KeyEntry> = app.catalog.keys().await?.into_iter().map(entry).collect();
    Ok(json_response(StatusCode::OK, json!(entries).to_string()))
}

/// Make a key.
///
/// Needs the header `X-Procession: 1`. The key is shown this once.
#[utoipa::path(
    post,
    path = "/api/keys/",
    tag = "Page",
    security(("session" = [])),
    request_body = KeyBody,
    responses(
        (status = 201, description = "The key", body = CreatedKeyEntry),
        QueryErrors,
        MutationErrors,
        ReadBodyErrors,
    ),
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    _: MutatingSession,
    request: Request,
) -> Result<Response, ApiError> {
    let body = body::read_json(&app, request).await?;
    let request = request_of(&body.bytes)?;
    let created = keys::create(&*app.catalog, request, time_text::now()).await.map_err(|error| match error {
        KeyError::Pattern => ApiError::field("host", error.to_string()),
        KeyError::Label => ApiError::field("label", error.to_string()),
        KeyError::Expired => ApiError::field("expires", error.to_string()),
        KeyError::Store(error) => error.into(),
    })?;
    tracing::info!(prefix = created.key.key.prefix, "key made");
    let entry = CreatedKeyEntry { key: created.plain, entry: entry(created.key) };
    Ok(json_response(StatusCode::CREATED, json!(entry).to_string()))
}

/// Revoke a key.
///
/// Needs the header `X-Procession: 1`. Connections that use the key end.
#[utoipa::path(
    delete,
    path = "/api/keys/{prefix}/",
    tag = "Page",
    security(("session" = [])),
    params(("prefix" = String, Path, description = "The public part of the key")),
    responses((status = 204, description = "Revoked"), NotFoundError, MutationErrors),
)]
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    _: MutatingSession,
    Path(prefix): Path<String>,
) -> Result<Response, ApiError> {
    let revoked = keys::revoke(&*app.catalog, &prefix, time_text::now()).await.map_err(|error| match error {
        KeyError::Store(error) => ApiError::from(error),
        other => ApiError::internal(&other),
    })?;
    if !revoked {
        return Err(ApiError::not_found());
    }
    app.access.end_watch(&Credential::Key(prefix.as_str().into()));
    tracing::info!(prefix, "key revoked");
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn request_of(bytes: &[u8]) -> Result<KeyRequest, ApiError> {
    let body: KeyBody = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => ApiError::field("non_field_errors", error.to_string()),
        _ => ApiError::bad_request(format!("JSON parse error - {error}")),
    })?;
    let not_a_time = || ApiError::field("expires", "A time as in RFC 3339 is required.");
    let expires = body.expires.map(|text| time_text::parse(&text).ok_or_else(not_a_time)).transpose()?;
    let purpose = match body.purpose {
        Purpose::Upload => KeyPurpose::Upload,
        Purpose::Read => KeyPurpose::Read,
    };
    Ok(KeyRequest { purpose, host_pattern: body.host, label: body.label, expires })
}

fn entry(kept: Key) -> KeyEntry {
    let key = kept.key;
    KeyEntry {
        prefix: key.prefix,
        purpose: if key.purpose == KeyPurpose::Upload { Purpose::Upload } else { Purpose::Read },
        host: key.host_pattern,
        label: key.label,
        created: time_text::format(key.created),
        expires: key.expires.map(time_text::format),
        revoked: kept.revoked.map(time_text::format),
        last_used: kept.last_used.map(time_text::format),
    }
}
