//! `GET /api/search/`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use procession_store::analysis::FoundProcess;
use serde::Serialize;
use utoipa::ToSchema;

use super::search_language;
use super::wire::ProcessMoment;
use crate::access::Reader;
use crate::app::App;
use crate::error::{ApiError, json_answer};
use crate::live::public_number;
use crate::openapi::{QueryErrors, ReaderErrors};
use crate::params::Params;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: u64 = 1_000;

/// Live processes that were found. CPU in hundredths of a percent of one core, memory in bytes.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundProcesses {
    /// How many there are.
    #[schema(value_type = i64)]
    count: u64,
    /// On how many hosts.
    #[schema(value_type = i64)]
    hosts: u64,
    /// Highest CPU first.
    found: Vec<FoundEntry>,
}

/// A live process that was found.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundEntry {
    /// On which host.
    hostname: Arc<str>,
    /// In which snapshot.
    snapshot_id: i64,
    /// When, in milliseconds since the epoch.
    time_ms: i64,
    #[serde(flatten)]
    process: ProcessMoment,
}

/// Search the live processes of all hosts.
///
/// Words are looked for in name, user, command line and pid; conditions: `name:post*`, `user:www`, `pid:7`, `cpu>5`,
/// `mem>1GB`. All must hold.
#[utoipa::path(
    get,
    path = "/api/search/",
    tag = "History",
    security(("read_key" = []), ("session" = [])),
    params(
        ("q" = Option<String>, Query, description = "What to look for"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 1_000, description = "How many at most; 100 by default"),
    ),
    responses((status = 200, description = "What was found", body = FoundProcesses), QueryErrors, ReaderErrors),
)]
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let limit = params.count("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
    params.check()?;
    let mut search = search_language::parse(params.text("q").unwrap_or_default());
    if !reader.sees_all() {
        let hosts = app.hosts.all().into_iter().filter(|(_, name)| reader.scope.covers(name));
        search.hosts = Some(hosts.map(|(number, _)| number).collect());
    }
    let answer = app.analysis.search(&search, limit).await?;
    let found = answer.found.iter().map(|found| entry(&app, found)).collect();
    Ok(json_answer(&FoundProcesses { count: answer.count, hosts: answer.hosts, found }))
}

fn entry(app: &App, found: &FoundProcess) -> FoundEntry {
    FoundEntry {
        hostname: app.hosts.name(found.host).unwrap_or_default(),
        snapshot_id: public_number(found.id),
        time_ms: found.time.as_ms(),
        process: ProcessMoment::of(&found.process),
    }
}
