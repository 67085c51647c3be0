//! The outermost layer: refuses requests under foreign names, gives each an id, counts and logs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::error::ApiError;
use crate::metrics::RequestLabels;

/// The name of the request's id in every answer.
const ID_HEADER: &str = "x-request-id";

static LAST_ID: AtomicU64 = AtomicU64::new(0);

/// Lets a request through if it was sent to us.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = LAST_ID.fetch_add(1, Ordering::Relaxed) + 1;
    let started = Instant::now();
    let method = request.method().clone();
    let path = tracing::enabled!(tracing::Level::DEBUG).then(|| request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let mut response =
        if is_for_us(&app, &request) { next.run(request).await } else { ApiError::misdirected().into_response() };
    let status = response.status().as_u16();
    response.headers_mut().insert(ID_HEADER, HeaderValue::from(id));
    app.metrics.requests.get_or_create(&RequestLabels { route, status }).inc();
    let elapsed_us = started.elapsed().as_micros();
    if status >= 500 {
        tracing::warn!(request = id, %method, status, elapsed_us, "request not served");
    } else {
        tracing::debug!(request = id, %method, ?path, status, elapsed_us, "request");
    }
    response
}

fn is_for_us(app: &App, request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let named = match (request.uri().authority(), hosts.next(), hosts.next()) {
        (_, _, Some(_)) | (None, None, None) => return false,
        (Some(authority), _, _) => Some(authority.as_str()),
        (None, Some(host), None) => host.to_str().ok(),
    };
    named.is_some_and(|authority| app.allowed_hosts.allows(authority))
}
