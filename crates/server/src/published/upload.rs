//! `POST /api/process-snapshots/`

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use procession_model::SnapshotId;
use procession_store::Appended;
use serde_json::json;

use crate::access::Uploader;
use crate::app::App;
use crate::error::{ApiError, json_response};
use crate::openapi::{ReadBodyErrors, UploadBody, UploadErrors, Uploaded};
use crate::upload::{self, Dialect, Upload, UploadError};
use crate::{body, time_text};

/// Bodies above this are parsed where they hold nobody else up.
const PARSED_IN_PLACE_MAX: usize = 256 * 1_024;

/// Upload a snapshot.
///
/// Kept durably before the answer. The same host and time again is answered 200 with the first one's number.
#[utoipa::path(
    post,
    path = "/api/process-snapshots/",
    tag = "Process Monitor Application",
    request_body = UploadBody,
    security(("upload_key" = [])),
    responses(
        (status = 201, description = "Stored", body = Uploaded),
        (status = 200, description = "This host and time was there already; nothing was stored", body = Uploaded),
        UploadErrors,
        ReadBodyErrors,
    ),
)]
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    uploader: Uploader,
    request: Request,
) -> Result<Response, ApiError> {
    let body = body::read_json(&app, request).await?;
    let upload = parse(&app, body.bytes.clone(), Dialect::Monitor).await?;
    if !uploader.scope.covers(&upload.hostname) {
        return Err(ApiError::forbidden("This key is not for that host."));
    }
    let host = app.hosts.number_or_new(&upload.hostname).await?;
    let snapshot = Arc::new(upload.snapshot);
    match app.ingest.snapshot(host, Arc::clone(&snapshot)).await? {
        Appended::Stored(id) => {
            app.uploads.keep(upload.hostname, snapshot, body.bytes.len());
            Ok(stored(id))
        }
        Appended::Duplicate(id) => Ok(answer(StatusCode::OK, "Snapshot was uploaded before.", id)),
        Appended::Refused(text) => Err(ApiError::bad_request(text)),
        Appended::KeyframeNeeded => Err(ApiError::internal(&"a keyframe was asked for a snapshot")),
    }
}

/// Reads an upload of either client; where the body has no time, now is meant.
pub(crate) async fn parse(app: &Arc<App>, body: Bytes, dialect: Dialect) -> Result<Upload, ApiError> {
    let received = (dialect == Dialect::System).then(time_text::now);
    let parsed = if body.len() <= PARSED_IN_PLACE_MAX {
        upload::read(&body, dialect, received, &app.uploads)
    } else {
        let app = Arc::clone(app);
        let task = tokio::task::spawn_blocking(move || upload::read(&body, dialect, received, &app.uploads));
        task.await.map_err(|error| ApiError::internal(&error))?
    };
    parsed.map_err(|error| match error {
        UploadError::Json(_) => ApiError::bad_request(error.to_string()),
        UploadError::Fields(fields) => ApiError::fields(fields),
    })
}

fn stored(id: SnapshotId) -> Response {
    answer(StatusCode::CREATED, "Snapshot uploaded successfully.", Some(id))
}

fn answer(status: StatusCode, message: &str, id: Option<SnapshotId>) -> Response {
    json_response(status, json!({ "message": message, "snapshot_id": id.map(SnapshotId::number) }).to_string())
}
