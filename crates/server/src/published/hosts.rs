//! `GET /api/hosts/`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::access::Reader;
use crate::app::App;
use crate::json_stream::{self, Chunk};
use crate::json_text;
use crate::live::HostEntry;
use crate::openapi::ReaderErrors;

/// How many hosts are written at a time.
const HOSTS_A_CHUNK: usize = 256;

/// All hosts.
///
/// Every host that has ever sent anything, with its newest sums.
#[utoipa::path(
    get,
    path = "/api/hosts/",
    tag = "Process Monitor Application",
    security(("read_key" = []), ("session" = [])),
    responses((status = 200, description = "All hosts", body = [HostEntry]), ReaderErrors),
)]
pub(crate) async fn hosts(State(app): State<Arc<App>>, reader: Reader) -> Response {
    json_stream::array(Some(0), move |from: usize| {
        let (app, reader) = (Arc::clone(&app), reader.clone());
        async move {
            let (entries, next) = app.hub.fleet.entries(from, HOSTS_A_CHUNK);
            let mut chunk = Chunk::default();
            for entry in entries.iter().filter(|entry| reader.scope.covers(&entry.hostname)) {
                json_text::value(chunk.next_item(), entry);
            }
            Ok((chunk, next))
        }
    })
}
