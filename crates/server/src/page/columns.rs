//! `GET /api/process-snapshots/columns/`

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use procession_model::{Process, SnapshotId};
use procession_store::{HostNumber, KeptSnapshot, Nearest, Range, StoreError};

use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_response};
use crate::live::{KeyContext, key_message};
use crate::openapi::{NotFoundError, QueryErrors, ReaderErrors, SnapshotColumns};
use crate::params::Params;
use crate::published::required_host;

/// A snapshot as columns.
///
/// One array a metric, which a browser reads several times quicker than one object a process. Without `at` and
/// `snapshot_id` it is the newest, whose slots are those of the live changes. CPU is in hundredths of a percent of one
/// core, memory in bytes.
#[utoipa::path(
    get,
    path = "/api/process-snapshots/columns/",
    tag = "Page",
    security(("read_key" = []), ("session" = [])),
    params(
        ("hostname" = String, Query, min_length = 1, description = "Of which host"),
        ("at" = Option<String>, Query, format = DateTime, description = "At this time: RFC 3339, or milliseconds since the epoch"),
        ("snapshot_id" = Option<i64>, Query, minimum = 1, maximum = 4_503_599_627_370_495_i64, description = "This one"),
        ("nearest" = Option<String>, Query, pattern = "^(before|after)$", description = "Which one, if `at` lies between two; `before` by default"),
    ),
    responses((status = 200, description = "The snapshot", body = SnapshotColumns), NotFoundError, QueryErrors, ReaderErrors),
)]
pub(crate) async fn columns(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let (at, id) = (params.time("at"), params.snapshot_id("snapshot_id"));
    let nearest = params.choice("nearest", &[("before", Nearest::AtOrBefore), ("after", Nearest::AtOrAfter)]);
    let (host, hostname) = required_host(&app, &reader, &mut params)?;
    let kept = match (id, at) {
        (Some(id), _) if id.host() == host => app.history.snapshot(id).await?,
        (Some(_), _) => None,
        (None, Some(at)) => app.history.snapshot_at(host, at, nearest.unwrap_or(Nearest::AtOrBefore)).await?,
        (None, None) => {
            let key = app.hub.key(host).await?.ok_or_else(ApiError::not_found)?;
            return Ok(json_response(StatusCode::OK, Bytes::from(key)));
        }
    };
    let kept = kept.ok_or_else(ApiError::not_found)?;
    let (previous, next) = neighbours(&app, host, &kept).await?;
    Ok(json_response(StatusCode::OK, message_of(&hostname, &kept, previous, next)))
}

async fn neighbours(
    app: &App,
    host: HostNumber,
    kept: &KeptSnapshot,
) -> Result<(Option<SnapshotId>, Option<SnapshotId>), StoreError> {
    let time = kept.snapshot.time;
    let earlier = Range { start: None, end: Some(time) };
    let previous = app.history.list(Some(host), earlier, None, 1).await?.pop();
    let next = app.history.snapshot_at(host, time.plus_ms(1), Nearest::AtOrAfter).await?;
    Ok((previous.map(|entry| entry.id), next.map(|kept| kept.id)))
}

fn message_of(
    hostname: &str,
    kept: &KeptSnapshot,
    previous_id: Option<SnapshotId>,
    next_id: Option<SnapshotId>,
) -> Vec<u8> {
    let snapshot = &kept.snapshot;
    let context = KeyContext {
        id: kept.id,
        hostname,
        time: snapshot.time,
        facts: &snapshot.facts,
        host: &snapshot.host,
        ended: &snapshot.ended,
        brief: &snapshot.brief,
        losses: &snapshot.losses,
        field_errors: &snapshot.field_errors,
        previous_id,
        next_id,
    };
    let slotted: Vec<(u32, Process)> = (0..).zip(snapshot.processes.iter().cloned()).collect();
    key_message(&context, &slotted)
}
