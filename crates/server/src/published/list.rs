//! `GET /api/process-snapshots/list/`

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use procession_model::SnapshotId;
use procession_store::SnapshotEntry;

use super::optional_host;
use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_response};
use crate::openapi::{QueryErrors, ReaderErrors, SnapshotListEntry};
use crate::params::Params;
use crate::{json_text, time_text};

const LIMIT_DEFAULT: usize = 1_000;
/// The most entries in one answer.
pub(crate) const LIMIT_MAX: u64 = 10_000;

/// Snapshots with their times.
///
/// Oldest first. Of those in the range (before `before`, where it is given) the last `limit`; where there may be older
/// ones, the `Link` header has the address of the part before.
#[utoipa::path(
    get,
    path = "/api/process-snapshots/list/",
    tag = "Process Monitor Application",
    security(("read_key" = []), ("session" = [])),
    params(
        ("hostname" = Option<String>, Query, description = "Only this host"),
        ("start" = Option<String>, Query, format = DateTime, description = "From this time on: RFC 3339, or milliseconds since the epoch"),
        ("end" = Option<String>, Query, format = DateTime, description = "Before this time"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "How many at most; 1,000 by default"),
        ("before" = Option<i64>, Query, minimum = 1, maximum = 4_503_599_627_370_495_i64, description = "Only snapshots before this one"),
    ),
    responses((status = 200, description = "Snapshots", body = [SnapshotListEntry]), QueryErrors, ReaderErrors),
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let range = params.range();
    let limit = params.count("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
    let before = params.snapshot_id("before");
    params.check()?;
    let entries = match optional_host(&app, &reader, &params, "hostname")? {
        Some(host) if host.number.is_none() => Vec::new(),
        host => app.history.list(host.and_then(|host| host.number), range, before, limit).await?,
    };
    let mut response = json_response(StatusCode::OK, body_of(&app, &entries));
    if entries.len() == limit
        && let Some(link) = entries.first().and_then(|oldest| link_before(&params, oldest.id))
    {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

fn body_of(app: &App, entries: &[SnapshotEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + entries.len() * 96);
    out.push(b'[');
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"snapshot_id\":");
        json_text::value(&mut out, &entry.id.number());
        json_text::field(&mut out, "hostname", &*app.hosts.name(entry.id.host()).unwrap_or_default());
        json_text::field(&mut out, "timestamp", &time_text::format(entry.time));
        out.push(b'}');
    }
    out.push(b']');
    out
}

fn link_before(params: &Params, oldest: SnapshotId) -> Option<HeaderValue> {
    let query = params.query_without("before").append_pair("before", &oldest.number().to_string()).finish();
    HeaderValue::try_from(format!("</api/process-snapshots/list/?{query}>; rel=\"prev\"")).ok()
}
