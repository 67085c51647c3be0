//! Signing in by the one-time link, and out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use crate::access::{MutatingSession, Reader, begin_session, clear_cookie, session_cookie, sign_in};
use crate::app::App;
use crate::error::{ApiError, json_response};
use crate::openapi::{MutationErrors, ReaderErrors, SessionState};
use crate::params::Params;
use crate::time_text;

const LINK_NOT_GOOD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sign in</title>\
    <h1>This sign-in link is not good any more</h1>\
    <p>Links are good once and for an hour. Make a new one where the server runs: <code>procession sign-in</code></p>";

/// Uses a one-time link up: a cookie, and on to the page.
pub(crate) async fn sign_in_link(
    State(app): State<Arc<App>>,
    method: Method,
    params: Params,
) -> Result<Response, ApiError> {
    // Programs that only look at links must not use them up.
    if method == Method::HEAD {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let now = time_text::now();
    if !sign_in::use_token(&*app.catalog, params.text("token").unwrap_or_default(), now).await? {
        let failed = app.access.failed("This sign-in link is not good any more.");
        if failed.status() == StatusCode::TOO_MANY_REQUESTS {
            return Err(failed);
        }
        return Ok((StatusCode::FORBIDDEN, Html(LINK_NOT_GOOD)).into_response());
    }
    let lasts_ms = app.config.limits.session_ms;
    let token = begin_session(&*app.catalog, now, lasts_ms).await?;
    tracing::info!("signed in by a one-time link");
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, "/")]).into_response();
    set_cookie(&mut response, &session_cookie(&token, app.config.is_secure(), lasts_ms))?;
    Ok(response)
}

/// Whether one is signed in.
#[utoipa::path(
    get,
    path = "/api/session/",
    tag = "Page",
    security(("read_key" = []), ("session" = [])),
    responses((status = 200, description = "Signed in", body = SessionState), ReaderErrors),
)]
pub(crate) async fn session(State(app): State<Arc<App>>, _: Reader, headers: HeaderMap) -> Result<Response, ApiError> {
    let expires = match app.access.session(&headers).await? {
        Some(hash) => app.catalog.session(&hash, time_text::now()).await?.map(|session| session.expires),
        None => None,
    };
    let body = json!({ "signed_in": true, "expires": expires.map(time_text::format) });
    Ok(json_response(StatusCode::OK, body.to_string()))
}

/// Sign out.
///
/// Needs the header `X-Procession: 1`. WebSockets of the session end.
#[utoipa::path(
    delete,
    path = "/api/session/",
    tag = "Page",
    security(("session" = [])),
    responses((status = 204, description = "Signed out"), MutationErrors),
)]
pub(crate) async fn sign_out(State(app): State<Arc<App>>, session: MutatingSession) -> Result<Response, ApiError> {
    app.catalog.delete_session(&session.0).await?;
    app.access.end_watch(&session.credential());
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, &clear_cookie(app.config.is_secure()))?;
    Ok(response)
}

fn set_cookie(response: &mut Response, cookie: &str) -> Result<(), ApiError> {
    let cookie = HeaderValue::from_str(cookie).map_err(|error| ApiError::internal(&error))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(())
}
