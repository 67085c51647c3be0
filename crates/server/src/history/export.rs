//! `GET /api/history/samples/`: every process at every snapshot of a range, as CSV or JSON, written while it is sent.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use procession_model::{Metric, Process};
use procession_store::{HostNumber, KeptSnapshot, Range, SnapshotEntry, StoreError};
use utoipa::ToSchema;

use crate::access::Reader;
use crate::app::App;
use crate::error::ApiError;
use crate::json_stream::{self, Chunk};
use crate::json_text::{field, value};
use crate::openapi::{NotFoundError, QueryErrors, ReaderErrors};
use crate::params::Params;
use crate::published::required_host;
use crate::sample_csv::{COLUMNS, write_rows};
use crate::{time_text, upload};

/// Snapshots that are read at a time: each block is decoded once for many of them.
const PAGE: usize = 64;

#[derive(Clone, Copy)]
enum Format {
    Csv,
    Json,
}

/// One process at one snapshot, as JSON. Fields that were not given are absent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, in the document")]
pub(crate) struct SampleEntry {
    /// When.
    #[schema(format = DateTime)]
    timestamp: String,
    /// In which snapshot.
    snapshot_id: i64,
    /// On which host.
    hostname: String,
    /// Process id.
    pid: i64,
    /// Name.
    name: String,
    /// CPU in percent of one core.
    cpu: Option<f64>,
    /// Resident memory in bytes.
    memory_bytes: Option<i64>,
}

/// Every process at every snapshot of a range.
///
/// Oldest first. `format=csv` gives a table whose texts no spreadsheet takes for formulas.
#[utoipa::path(
    get,
    path = "/api/history/samples/",
    tag = "History",
    security(("read_key" = []), ("session" = [])),
    params(
        ("hostname" = String, Query, min_length = 1, description = "On which host"),
        ("start" = Option<String>, Query, format = DateTime, description = "From this time on: RFC 3339, or milliseconds since the epoch"),
        ("end" = Option<String>, Query, format = DateTime, description = "Before this time"),
        ("format" = Option<String>, Query, pattern = "^(csv|json)$", description = "`json` by default"),
    ),
    responses(
        (status = 200, description = "The samples", content((Vec<SampleEntry> = "application/json"), (String = "text/csv"))),
        NotFoundError,
        QueryErrors,
        ReaderErrors,
    ),
)]
pub(crate) async fn samples(
    State(app): State<Arc<App>>,
    reader: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let range = params.range();
    let format = params.choice("format", &[("csv", Format::Csv), ("json", Format::Json)]).unwrap_or(Format::Json);
    let (host, hostname) = required_host(&app, &reader, &mut params)?;
    let snapshots = Snapshots { app, host, hostname, range };
    Ok(match format {
        Format::Json => json(snapshots),
        Format::Csv => csv(snapshots),
    })
}

/// The snapshots of a range, one after the other.
#[derive(Clone)]
struct Snapshots {
    app: Arc<App>,
    host: HostNumber,
    hostname: Arc<str>,
    range: Range,
}

impl Snapshots {
    /// The snapshots after one, and the place after them; no place once there are no more.
    async fn after(
        &self,
        last: Option<SnapshotEntry>,
    ) -> Result<(Vec<KeptSnapshot>, Option<SnapshotEntry>), StoreError> {
        let page = self.app.history.scan(self.host, self.range, last, PAGE).await?;
        let last = page.last().map(KeptSnapshot::entry);
        Ok((page, last))
    }
}

fn json(snapshots: Snapshots) -> Response {
    json_stream::array(Some(None), move |last| {
        let snapshots = snapshots.clone();
        async move {
            let mut chunk = Chunk::default();
            let (page, last) = snapshots.after(last).await?;
            for kept in &page {
                for process in &kept.snapshot.processes {
                    append_json(&snapshots.hostname, kept, process, chunk.next_item());
                }
            }
            Ok((chunk, last.map(Some)))
        }
    })
}

fn append_json(hostname: &str, kept: &KeptSnapshot, process: &Process, out: &mut Vec<u8>) {
    let (description, sample) = (&process.description, &process.sample);
    out.extend_from_slice(b"{\"timestamp\":");
    value(out, &time_text::format(kept.snapshot.time));
    field(out, "snapshot_id", &kept.id.number());
    field(out, "hostname", hostname);
    field(out, "pid", &description.identity.pid);
    field(out, "name", &*description.name);
    field(out, "cpu", &sample.cpu_percent());
    field(out, "memory_bytes", &sample.get(Metric::Memory));
    field(out, "parent_pid", &description.parent_pid);
    upload::append_process_fields(description, sample, out);
    out.push(b'}');
}

fn csv(snapshots: Snapshots) -> Response {
    let rows = stream::unfold(Some(None), move |last| {
        let snapshots = snapshots.clone();
        async move {
            match snapshots.after(last?).await {
                Ok((page, Some(last))) => Some((rows_of(&snapshots.hostname, &page), Some(Some(last)))),
                Ok((_, None)) => None,
                Err(error) => {
                    tracing::error!(cause = ?error.to_string(), "an export was cut off");
                    Some((Err(std::io::Error::other("the store failed")), None))
                }
            }
        }
    });
    let body = Body::from_stream(stream::once(async { head() }).chain(rows).fuse());
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"procession-samples.csv\""),
    ];
    (headers, body).into_response()
}

fn head() -> std::io::Result<Bytes> {
    let mut writer = writer();
    writer.write_record(COLUMNS)?;
    bytes_of(writer)
}

fn rows_of(hostname: &str, page: &[KeptSnapshot]) -> std::io::Result<Bytes> {
    let mut writer = writer();
    for kept in page {
        write_rows(&mut writer, hostname, kept)?;
    }
    bytes_of(writer)
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new())
}

fn bytes_of(writer: csv::Writer<Vec<u8>>) -> std::io::Result<Bytes> {
    writer.into_inner().map(Bytes::from).map_err(|error| error.into_error())
}
