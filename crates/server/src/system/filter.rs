//! `GET /api/process-filter/`, also known as `GET /api/filter-processes/`

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use procession_model::Timestamp;
use procession_store::{Page, Range, SampleFilter, SampleRow};
use serde_json::Value;

use super::error::SystemError;
use crate::access::Reader;
use crate::app::App;
use crate::error::json_response;
use crate::json_text::{field, value};
use crate::openapi::{ReaderErrors, SystemPage, SystemProblem};
use crate::params::Params;
use crate::published::optional_host;
use crate::time_text;

const PAGE_SIZE_DEFAULT: usize = 1_000;
const PAGE_SIZE_MAX: u64 = 10_000;
const PAGE_MAX: u64 = 1_000_000_000;

/// Filter what processes did.
///
/// Process samples by time, system and pid, oldest first. Both ends of the range are in it. The same is served at
/// `/api/filter-processes/`.
#[utoipa::path(
    get,
    path = "/api/process-filter/",
    tag = "Process Monitoring API",
    security(("read_key" = []), ("session" = [])),
    params(
        ("start_time" = Option<String>, Query, description = "`HH:MM:SS` (today, UTC) or RFC 3339"),
        ("end_time" = Option<String>, Query, description = "`HH:MM:SS` (today, UTC) or RFC 3339"),
        ("system_name" = Option<String>, Query, description = "Only this system"),
        ("process_name" = Option<String>, Query, description = "Only processes of exactly this name"),
        ("user" = Option<String>, Query, description = "Only processes of exactly this user"),
        ("min_cpu" = Option<f64>, Query, minimum = 0, description = "At least this CPU in percent of one core"),
        ("min_memory" = Option<f64>, Query, minimum = 0, description = "At least this share of the memory in percent"),
        ("page" = Option<i64>, Query, minimum = 1, maximum = 1_000_000_000, description = "Which page; 1 by default"),
        ("page_size" = Option<i64>, Query, minimum = 1, maximum = 10_000, description = "Samples a page; 1,000 by default"),
    ),
    responses(
        (status = 200, description = "One page", body = SystemPage),
        (status = 400, description = "A parameter is wrong", body = SystemProblem),
        (status = 404, description = "No such page", body = SystemProblem),
        ReaderErrors,
    ),
)]
pub(crate) async fn filter(
    State(app): State<Arc<App>>,
    reader: Reader,
    uri: Uri,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, SystemError> {
    let mut wanted = wanted(&mut params)?;
    let page = params.integer("page", 1..=PAGE_MAX).unwrap_or(1);
    let size = params.count("page_size", 1..=PAGE_SIZE_MAX, PAGE_SIZE_DEFAULT);
    params.check()?;
    let host = optional_host(&app, &reader, &params, "system_name")?;
    let empty = Page { count: 0, items: Vec::new() };
    let samples = match host {
        Some(host) if host.number.is_none() => empty,
        host => {
            wanted.host = host.and_then(|host| host.number);
            app.history.samples(&wanted, (page - 1) * size as u64, size).await?
        }
    };
    if page > 1 && samples.items.is_empty() {
        return Err(SystemError::not_found("Invalid page."));
    }
    let address = Address { base: base_of(&app, &headers, &uri), params: &params };
    let more = (page * size as u64) < samples.count;
    let next = more.then(|| address.of_page(page + 1));
    let previous = (page > 1).then(|| address.of_page(page - 1));
    Ok(json_response(StatusCode::OK, body_of(&app, &samples, next, previous)))
}

fn wanted(params: &mut Params) -> Result<SampleFilter, SystemError> {
    let now = time_text::now();
    let range = Range {
        start: moment(params, "start_time", now)?,
        // Ranges of the history do not hold their end, this one does.
        end: moment(params, "end_time", now)?.map(|end| end.plus_ms(1)),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0, and saturates")]
    let cpu_min = params.number("min_cpu").map(|percent| (percent * 100.0).round() as u64);
    Ok(SampleFilter {
        host: None,
        range,
        name: params.text("process_name").map(str::to_owned),
        user: params.text("user").map(str::to_owned),
        cpu_min,
        memory_percent_min: params.number("min_memory"),
    })
}

fn moment(params: &Params, name: &str, now: Timestamp) -> Result<Option<Timestamp>, SystemError> {
    let Some(text) = params.text(name) else { return Ok(None) };
    match time_text::parse_clock(text, now).or_else(|| time_text::parse(text)) {
        Some(time) => Ok(Some(time)),
        None => Err(SystemError::bad_request(format!("Invalid {name}: use HH:MM:SS, or a time as in RFC 3339."))),
    }
}

/// Where a page is, for those who follow `next`.
struct Address<'a> {
    base: String,
    params: &'a Params,
}

impl Address<'_> {
    fn of_page(&self, page: u64) -> String {
        let query = self.params.query_without("page").append_pair("page", &page.to_string()).finish();
        format!("{}?{query}", self.base)
    }
}

fn base_of(app: &App, headers: &HeaderMap, uri: &Uri) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let scheme = if app.config.is_secure() { "https" } else { "http" };
    format!("{scheme}://{host}{}", uri.path())
}

fn body_of(app: &App, samples: &Page<SampleRow>, next: Option<String>, previous: Option<String>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + samples.items.len() * 192);
    out.extend_from_slice(b"{\"count\":");
    value(&mut out, &samples.count);
    field(&mut out, "next", &next);
    field(&mut out, "previous", &previous);
    out.extend_from_slice(b",\"results\":{\"success\":true,\"data\":[");
    for (index, row) in samples.items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        append_row(app, row, &mut out);
    }
    out.extend_from_slice(b"]}}");
    out
}

fn append_row(app: &App, row: &SampleRow, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    value(out, &sample_number(row));
    out.extend_from_slice(b",\"system\":{\"name\":");
    value(out, &*app.hosts.name(row.host).unwrap_or_default());
    out.push(b'}');
    field(out, "pid", &row.description.identity.pid);
    field(out, "name", &*row.description.name);
    field(out, "cpu_percent", &row.sample.cpu_percent().map_or(Value::Null, Value::from));
    field(out, "memory_percent", &row.memory_percent.map_or(Value::Null, Value::from));
    field(out, "timestamp", &time_text::format(row.time));
    out.push(b'}');
}

/// A number for a sample that is always the same and that JavaScript keeps exactly: 53 bits mixed (splitmix64) from the
/// numbers of its snapshot and process. Samples have no number of their own in the history.
fn sample_number(row: &SampleRow) -> u64 {
    let mut mixed = row.id.number() ^ (u64::from(row.description.identity.pid) << 20).rotate_left(32);
    mixed = mixed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) >> 11
}
