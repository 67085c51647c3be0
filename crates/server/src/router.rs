//! Which path is served by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{delete, get, post};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate, SizeAbove};

use crate::access::{HostScope, Reader};
use crate::app::App;
use crate::error::{ApiError, json_response};
use crate::{agent_socket, assets, history, middleware, openapi, page, published, system};

/// Answers from here on are compressed: below, setting up a compressor costs more than it saves, above all for the
/// answers to uploads.
const COMPRESSED_FROM_BYTES: u64 = 1_024;

/// The whole server as one service.
pub(crate) type Service = BoxCloneSyncService<Request, Response, std::convert::Infallible>;

/// The whole server as one service.
pub(crate) fn service(app: Arc<App>) -> Service {
    let routes = Router::new().merge(published_api()).merge(page_api()).merge(history_api()).merge(operations());
    let compression = CompressionLayer::new().gzip(true).zstd(true).quality(CompressionLevel::Fastest);
    let compression = compression.compress_when(DefaultPredicate::new().and(SizeAbove::new(COMPRESSED_FROM_BYTES)));
    let routes = routes
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(assets::page)
        .layer(compression)
        .layer(from_fn_with_state(Arc::clone(&app), middleware::add_security_headers))
        .layer(from_fn_with_state(Arc::clone(&app), middleware::guard))
        .with_state(app);
    // The slash has to be there before the routes are looked at.
    BoxCloneSyncService::new(routes.map_request(middleware::with_slash))
}

fn published_api() -> Router<Arc<App>> {
    let filter = || get(system::filter::filter);
    Router::new()
        .route("/api/process-snapshots/", post(published::upload::upload))
        .route("/api/hosts/", get(published::hosts::hosts))
        .route("/api/process-snapshots/latest/", get(published::latest::latest))
        .route("/api/process-snapshots/list/", get(published::list::list))
        .route("/api/process-snapshots/series/", get(published::series::series))
        .route("/api/process-snapshots/{snapshot_id}/", get(published::detail::detail))
        .route("/ws/process-snapshots/", get(published::stream::stream))
        .route("/api/process-data/", post(system::data::data))
        .route("/api/process-filter/", filter())
        .route("/api/filter-processes/", filter())
        .route("/api/process-duration/", get(system::duration::duration))
}

fn page_api() -> Router<Arc<App>> {
    Router::new()
        .route("/api/process-snapshots/columns/", get(page::columns::columns))
        .route("/api/charts/host/", get(page::charts::host_chart))
        .route("/api/charts/processes/", get(page::recent::recent))
        .route("/api/session/", get(page::session::session).delete(page::session::sign_out))
        .route("/api/keys/", get(page::keys::list).post(page::keys::create))
        .route("/api/keys/{prefix}/", delete(page::keys::revoke))
        .route("/ws/live/", get(page::live_socket::live))
        .route("/sign-in", get(page::session::sign_in_link))
        .route("/page/{*file}", get(assets::file))
}

fn history_api() -> Router<Arc<App>> {
    Router::new()
        .route("/api/history/process-series/", get(history::series::process_series))
        .route("/api/history/program-series/", get(history::series::program_series))
        .route("/api/history/user-series/", get(history::series::user_series))
        .route("/api/history/top/", get(history::top::top))
        .route("/api/history/changes/", get(history::changes::changes))
        .route("/api/history/runs/", get(history::runs::runs))
        .route("/api/history/hosts-with/", get(history::hosts_with::hosts_with))
        .route("/api/history/samples/", get(history::export::samples))
        .route("/api/search/", get(history::search::search))
}

fn operations() -> Router<Arc<App>> {
    let document = || async { json_response(StatusCode::OK, openapi::document_json()) };
    let style = || async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], openapi::STYLE) };
    Router::new()
        .route(procession_protocol::PATH, get(agent_socket::agent))
        .route("/api/openapi.json", get(document))
        .route("/api/docs/", get(|| async { Html(openapi::html()) }))
        .route("/api/docs/style.css", get(style))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Ready as long as the store answers and the server is not ending.
async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    if app.shutdown.is_cancelled() {
        return Err(ApiError::overloaded());
    }
    app.catalog.setting("ready").await.map_err(|error| ApiError::unavailable(error.to_string()))?;
    Ok("ready\n")
}

async fn metrics(State(app): State<Arc<App>>, reader: Reader) -> Result<Response, ApiError> {
    if reader.scope != HostScope::All {
        return Err(ApiError::forbidden("This key is for some hosts only."));
    }
    let text = app.metrics.text().map_err(|error| ApiError::internal(&error))?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

async fn method_not_allowed(method: Method) -> ApiError {
    ApiError::method_not_allowed(method.as_str())
}
