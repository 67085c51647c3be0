//! `GET /api/process-snapshots/series/`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use procession_store::{HostPoint, StoreError};

use super::{list::LIMIT_MAX, named_host};
use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_response};
use crate::json_stream::{self, Chunk};
use crate::openapi::{QueryErrors, ReaderErrors, SeriesPoint};
use crate::params::Params;
use crate::{json_text, snapshot_json, time_text};

const LIMIT_DEFAULT: usize = 100;

/// A host's snapshots as points of a chart.
///
/// The newest `limit`, oldest first.
#[utoipa::path(
    get,
    path = "/api/process-snapshots/series/",
    tag = "Process Monitor Application",
    security(("read_key" = []), ("session" = [])),
    params(
        ("hostname" = String, Query, min_length = 1, description = "Of which host"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "How many at most; 100 by default"),
        ("limt" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "The same, as it was first published"),
        ("start" = Option<String>, Query, format = DateTime, description = "From this time on: RFC 3339, or milliseconds since the epoch"),
        ("end" = Option<String>, Query, format = DateTime, description = "Before this time"),
        ("include" = Option<String>, Query, pattern = "^processes$", description = "`processes` adds the trees"),
    ),
    responses((status = 200, description = "Points", body = [SeriesPoint]), QueryErrors, ReaderErrors),
)]
pub(crate) async fn series(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let hostname = params.required("hostname");
    let range = params.range();
    let published = params.count("limt", 1..=LIMIT_MAX, LIMIT_DEFAULT);
    let limit = params.count("limit", 1..=LIMIT_MAX, published);
    let with_processes = params.choice("include", &[("processes", true)]).unwrap_or(false);
    params.check()?;
    let Some(host) = named_host(&app, &reader, &hostname)?.number else {
        return Ok(json_response(StatusCode::OK, "[]"));
    };
    let points = app.history.newest_points(host, range, limit).await?;
    if with_processes {
        return Ok(streamed(app, points));
    }
    let mut out = vec![b'['];
    for (index, point) in points.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        append_point(point, &mut out);
        out.push(b'}');
    }
    out.push(b']');
    Ok(json_response(StatusCode::OK, out))
}

fn streamed(app: Arc<App>, points: Vec<HostPoint>) -> Response {
    let points = Arc::new(points);
    let start = (!points.is_empty()).then_some(0);
    json_stream::array(start, move |index: usize| {
        let (app, points) = (Arc::clone(&app), Arc::clone(&points));
        async move {
            let chunk = with_processes(&app, &points[index]).await?;
            Ok((chunk, (index + 1 < points.len()).then_some(index + 1)))
        }
    })
}

async fn with_processes(app: &App, point: &HostPoint) -> Result<Chunk, StoreError> {
    let mut chunk = Chunk::default();
    // A snapshot that the retention has just taken is left out.
    if let Some(kept) = app.history.snapshot(point.id).await? {
        let out = chunk.next_item();
        append_point(point, out);
        out.extend_from_slice(b",\"processes\":");
        snapshot_json::append_trees(&kept.snapshot.processes, out);
        out.push(b'}');
    }
    Ok(chunk)
}

/// Appends a point without its closing brace.
fn append_point(point: &HostPoint, out: &mut Vec<u8>) {
    #[expect(clippy::cast_precision_loss, reason = "hundredths of a percent are far below 2^53")]
    let cpu = point.cpu as f64 / 100.0;
    out.extend_from_slice(b"{\"snapshot_id\":");
    json_text::value(out, &point.id.number());
    json_text::field(out, "timestamp", &time_text::format(point.time));
    json_text::field(out, "cpu", &cpu);
    json_text::field(out, "memory_bytes", &point.memory_bytes);
    json_text::field(out, "process_count", &point.process_count);
}
