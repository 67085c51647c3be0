//! `GET /api/process-snapshots/{snapshot_id}/`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use procession_model::SnapshotId;

use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_response};
use crate::openapi::{NotFoundError, ReaderErrors, SnapshotDetail};
use crate::snapshot_json;

/// One snapshot.
///
/// Its processes as trees. A process whose parent is absent, is itself, or closes a cycle is a root.
#[utoipa::path(
    get,
    path = "/api/process-snapshots/{snapshot_id}/",
    tag = "Process Monitor Application",
    security(("read_key" = []), ("session" = [])),
    params(("snapshot_id" = i64, Path, minimum = 1, maximum = 4_503_599_627_370_495_i64, description = "Its number")),
    responses((status = 200, description = "The snapshot", body = SnapshotDetail), NotFoundError, ReaderErrors),
)]
pub(crate) async fn detail(
    State(app): State<Arc<App>>,
    reader: Reader,
    Path(number): Path<String>,
) -> Result<Response, ApiError> {
    let id = number.parse().ok().and_then(|number| SnapshotId::from_number(number).ok());
    let id = id.ok_or_else(ApiError::not_found)?;
    let hostname = app.hosts.name(id.host()).ok_or_else(ApiError::not_found)?;
    reader.may_read(&hostname)?;
    let kept = app.history.snapshot(id).await?.ok_or_else(ApiError::not_found)?;
    let mut out = Vec::new();
    snapshot_json::append_detail(&hostname, kept.id, &kept.snapshot, &mut out);
    Ok(json_response(StatusCode::OK, out))
}
