//! `POST /api/process-data/`

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{StatusCode, request::Parts};
use axum::response::Response;
use procession_model::Snapshot;
use procession_store::{Appended, HostNumber};
use serde_json::Value;

use super::error::SystemError;
use crate::access::{HostScope, Uploader};
use crate::app::App;
use crate::body;
use crate::error::{ApiError, json_response};
use crate::openapi::{ReadBodyErrors, SystemBody, SystemProblem, SystemReceived, UploadErrors};
use crate::published::upload::parse;
use crate::upload::{Dialect, Upload};

/// How many snapshots of one system may come within one millisecond.
const SAME_MOMENT_MAX: u32 = 100;
const REQUIRED: &str = "System name and processes are required.";

/// Which systems may be written: by a key, or by anyone where the server is set so.
pub(crate) struct SystemUploader(HostScope);

impl FromRequestParts<Arc<App>> for SystemUploader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let has_key = parts.headers.contains_key(axum::http::header::AUTHORIZATION);
        if app.config.anonymous_process_data && !has_key {
            return Ok(Self(HostScope::All));
        }
        Uploader::from_request_parts(parts, app).await.map(|uploader| Self(uploader.scope))
    }
}

/// Submit the processes of a system.
///
/// Kept as a snapshot of the host `system_name` at the time of receipt.
#[utoipa::path(
    post,
    path = "/api/process-data/",
    tag = "Process Monitoring API",
    request_body = SystemBody,
    security(("upload_key" = []), ()),
    responses(
        (status = 201, description = "Stored", body = SystemReceived),
        (status = 400, description = "Not such a body", body = SystemProblem),
        UploadErrors,
        ReadBodyErrors,
    ),
)]
pub(crate) async fn data(
    State(app): State<Arc<App>>,
    SystemUploader(scope): SystemUploader,
    request: Request,
) -> Result<Response, SystemError> {
    let body = body::read_json(&app, request).await?;
    let upload = match parse(&app, body.bytes.clone(), Dialect::System).await {
        Err(error) if is_about_presence(&error) => return Err(SystemError::bad_request(REQUIRED)),
        other => other?,
    };
    if !scope.covers(&upload.hostname) {
        return Err(ApiError::forbidden("This key is not for that host.").into());
    }
    let Upload { hostname, snapshot } = upload;
    let host = app.hosts.number_or_new(&hostname).await?;
    store(&app, host, snapshot).await?;
    Ok(json_response(StatusCode::CREATED, r#"{"success":true,"message":"Data received successfully."}"#))
}

fn is_about_presence(error: &ApiError) -> bool {
    ["system_name", "processes"].iter().any(|field| error.field_problem(field).is_some_and(Value::is_array))
}

/// Keeps the snapshot at the time of receipt, or just after another one that came in the same millisecond.
async fn store(app: &App, host: HostNumber, mut snapshot: Snapshot) -> Result<(), SystemError> {
    for _ in 0..SAME_MOMENT_MAX {
        match app.ingest.snapshot(host, Arc::new(snapshot.clone())).await? {
            Appended::Stored(_) => return Ok(()),
            Appended::Duplicate(_) => snapshot.time = snapshot.time.plus_ms(1),
            Appended::Refused(text) => return Err(SystemError::bad_request(text)),
            Appended::KeyframeNeeded => return Err(ApiError::internal(&"a keyframe was asked for a snapshot").into()),
        }
    }
    Err(ApiError::overloaded().into())
}
