//! `GET /api/process-snapshots/latest/`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use procession_store::{HostNumber, StoreError};

use super::named_host;
use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_response};
use crate::json_stream::{self, Chunk};
use crate::openapi::{LatestSnapshots, NotFoundError, ReaderErrors};
use crate::params::Params;
use crate::snapshot_json;

/// The newest snapshots.
///
/// One of each host; with `hostname` that host's one object.
#[utoipa::path(
    get,
    path = "/api/process-snapshots/latest/",
    tag = "Process Monitor Application",
    security(("read_key" = []), ("session" = [])),
    params(("hostname" = Option<String>, Query, description = "Only this host")),
    responses(
        (status = 200, description = "An array, or one object where a host was named", body = LatestSnapshots),
        NotFoundError,
        ReaderErrors,
    ),
)]
pub(crate) async fn latest(State(app): State<Arc<App>>, reader: Reader, params: Params) -> Result<Response, ApiError> {
    match params.text("hostname") {
        Some(name) => {
            let host = named_host(&app, &reader, name)?;
            one(&app, host.number.ok_or_else(ApiError::not_found)?, name).await
        }
        None => Ok(all(app, reader)),
    }
}

async fn one(app: &App, host: HostNumber, name: &str) -> Result<Response, ApiError> {
    let kept = app.history.latest(host).await?.ok_or_else(ApiError::not_found)?;
    let mut out = Vec::new();
    snapshot_json::append_upload_shape(name, kept.id, &kept.snapshot, &mut out);
    Ok(json_response(StatusCode::OK, out))
}

fn all(app: Arc<App>, reader: Reader) -> Response {
    let mut hosts = app.hosts.all();
    hosts.retain(|(_, name)| reader.scope.covers(name));
    let hosts = Arc::new(hosts);
    let start = (!hosts.is_empty()).then_some(0);
    let next = move |index: usize| {
        let (app, hosts) = (Arc::clone(&app), Arc::clone(&hosts));
        async move {
            let chunk = chunk_of(&app, hosts[index].0, &hosts[index].1).await?;
            Ok((chunk, (index + 1 < hosts.len()).then_some(index + 1)))
        }
    };
    json_stream::array(start, next).into_response()
}

async fn chunk_of(app: &App, host: HostNumber, name: &str) -> Result<Chunk, StoreError> {
    let mut chunk = Chunk::default();
    if let Some(kept) = app.history.latest(host).await? {
        snapshot_json::append_upload_shape(name, kept.id, &kept.snapshot, chunk.next_item());
    }
    Ok(chunk)
}
