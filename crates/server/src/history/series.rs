//! `GET /api/history/process-series/`, `program-series/` and `user-series/`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use procession_model::Identity;
use procession_store::analysis::Of;
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::{Life, Lines};
use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_answer};
use crate::openapi::{NotFoundError, QueryErrors, ReaderErrors};
use crate::params::Params;
use crate::published::{optional_host, required_host};

const POINTS_DEFAULT: usize = 500;
const POINTS_MAX: u64 = 10_000;

/// One process over a range.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProcessChart {
    /// Of which host.
    hostname: Arc<str>,
    #[serde(flatten)]
    life: Life,
    #[serde(flatten)]
    lines: Lines,
}

/// One process over its life.
///
/// At most `points` points. A process whose start is not known is named by its pid alone.
#[utoipa::path(
    get,
    path = "/api/history/process-series/",
    tag = "History",
    security(("read_key" = []), ("session" = [])),
    params(
        ("hostname" = String, Query, min_length = 1, description = "On which host"),
        ("pid" = i64, Query, minimum = 0, maximum = 4_294_967_295_i64, description = "Which process"),
        ("start_time" = Option<String>, Query, format = DateTime, description = "When it started: RFC 3339, or milliseconds since the epoch"),
        ("start" = Option<String>, Query, format = DateTime, description = "From this time on"),
        ("end" = Option<String>, Query, format = DateTime, description = "Before this time"),
        ("points" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "How many at most; 500 by default"),
    ),
    responses((status = 200, description = "The lines", body = ProcessChart), NotFoundError, QueryErrors, ReaderErrors),
)]
pub(crate) async fn process_series(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let pid = params.integer("pid", 0..=u64::from(u32::MAX)).and_then(|pid| u32::try_from(pid).ok());
    if params.text("pid").is_none() {
        params.problem("pid", "This query parameter is required.");
    }
    let start = params.time("start_time");
    let range = params.range();
    let points = params.count("points", 1..=POINTS_MAX, POINTS_DEFAULT);
    let (host, hostname) = required_host(&app, &reader, &mut params)?;
    let identity = Identity { pid: pid.unwrap_or_default(), start };
    let found = app.analysis.process_series(host, identity, range, points).await?.ok_or_else(ApiError::not_found)?;
    let (life, lines) = (Life::of(&found.run), Lines::of(&found.series));
    Ok(json_answer(&ProcessChart { hostname, life, lines }))
}

/// All processes of a program over a range.
///
/// On one host, or on all.
#[utoipa::path(
    get,
    path = "/api/history/program-series/",
    tag = "History",
    security(("read_key" = []), ("session" = [])),
    params(
        ("name" = String, Query, min_length = 1, description = "Processes of exactly this name"),
        ("hostname" = Option<String>, Query, description = "Only on this host"),
        ("start" = Option<String>, Query, format = DateTime, description = "From this time on"),
        ("end" = Option<String>, Query, format = DateTime, description = "Before this time"),
        ("points" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "How many at most; 500 by default"),
    ),
    responses((status = 200, description = "The lines", body = Lines), NotFoundError, QueryErrors, ReaderErrors),
)]
pub(crate) async fn program_series(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let of = Of::Program(params.required("name"));
    sum_series(&app, &reader, params, of).await
}

/// All processes of a user over a range.
///
/// On one host, or on all.
#[utoipa::path(
    get,
    path = "/api/history/user-series/",
    tag = "History",
    security(("read_key" = []), ("session" = [])),
    params(
        ("user" = String, Query, min_length = 1, description = "Processes of exactly this user"),
        ("hostname" = Option<String>, Query, description = "Only on this host"),
        ("start" = Option<String>, Query, format = DateTime, description = "From this time on"),
        ("end" = Option<String>, Query, format = DateTime, description = "Before this time"),
        ("points" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "How many at most; 500 by default"),
    ),
    responses((status = 200, description = "The lines", body = Lines), NotFoundError, QueryErrors, ReaderErrors),
)]
pub(crate) async fn user_series(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let of = Of::User(params.required("user"));
    sum_series(&app, &reader, params, of).await
}

async fn sum_series(app: &App, reader: &Reader, mut params: Params, of: Of) -> Result<Response, ApiError> {
    let range = params.range();
    let points = params.count("points", 1..=POINTS_MAX, POINTS_DEFAULT);
    params.check()?;
    let host = optional_host(app, reader, &params, "hostname")?;
    let number = match host {
        Some(host) => Some(host.number.ok_or_else(ApiError::not_found)?),
        None => None,
    };
    let series = app.analysis.series(number, &of, range, points).await?;
    Ok(json_answer(&Lines::of(&series)))
}
