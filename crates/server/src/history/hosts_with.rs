//! `GET /api/history/hosts-with/`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use procession_store::analysis::ROWS_MAX;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_answer};
use crate::openapi::{QueryErrors, ReaderErrors};
use crate::params::Params;

const LIMIT_DEFAULT: usize = 1_000;
const LIMIT_MAX: u64 = 10_000;

/// Hosts on which a program ran.
#[derive(Serialize, ToSchema)]
pub(crate) struct HostsOfProgram {
    /// How many there are, of all hosts.
    #[schema(value_type = i64)]
    count: u64,
    /// Those that one may read.
    hosts: Vec<HostWithProgram>,
}

/// A host on which a program ran.
#[derive(Serialize, ToSchema)]
pub(crate) struct HostWithProgram {
    /// Which host.
    hostname: Arc<str>,
    /// The first snapshot that knew of it, in milliseconds since the epoch.
    first_ms: i64,
    /// The last.
    last_ms: i64,
    /// How many processes of it the newest snapshot has.
    #[schema(value_type = i64)]
    running: u32,
}

/// Hosts that ever ran a program.
#[utoipa::path(
    get,
    path = "/api/history/hosts-with/",
    tag = "History",
    security(("read_key" = []), ("session" = [])),
    params(
        ("name" = String, Query, min_length = 1, description = "Processes of exactly this name"),
        ("start" = Option<String>, Query, format = DateTime, description = "From this time on: RFC 3339, or milliseconds since the epoch"),
        ("end" = Option<String>, Query, format = DateTime, description = "Before this time"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "How many at most; 1,000 by default"),
    ),
    responses((status = 200, description = "The hosts", body = HostsOfProgram), QueryErrors, ReaderErrors),
)]
pub(crate) async fn hosts_with(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let name = params.required("name");
    let range = params.range();
    let limit = params.count("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
    params.check()?;
    // A key for some hosts is answered from all, whose first ones may be others.
    let of_all = if reader.sees_all() { limit } else { ROWS_MAX };
    let found = app.analysis.hosts_with(&name, range, of_all).await?;
    let mut hosts = Vec::new();
    for host in &found.hosts {
        let hostname = app.hosts.name(host.host).unwrap_or_default();
        if hosts.len() < limit && reader.scope.covers(&hostname) {
            let (first_ms, last_ms) = (host.first.as_ms(), host.last.as_ms());
            hosts.push(HostWithProgram { hostname, first_ms, last_ms, running: host.running });
        }
    }
    // How many others there are is no business of a key for some hosts.
    let count = if reader.sees_all() { found.count } else { hosts.len() as u64 };
    Ok(json_answer(&HostsOfProgram { count, hosts }))
}
