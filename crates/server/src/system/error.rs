//! Errors in the manner of this API: `{"success": false, "message": …}` for 400 and 404; others are as everywhere.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::ApiError;

/// Why a request of this API is not served.
pub(crate) struct SystemError(ApiError);

impl SystemError {
    /// 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self(ApiError::bad_request(message))
    }

    /// 404.
    pub(crate) fn not_found(message: &str) -> Self {
        Self(ApiError::not_found().with_body(json!({ "detail": message })))
    }
}

impl<E: Into<ApiError>> From<E> for SystemError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for SystemError {
    fn into_response(self) -> Response {
        let Self(error) = self;
        if matches!(error.status(), StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND) {
            let message = error.text();
            return error.with_body(json!({ "success": false, "message": message })).into_response();
        }
        error.into_response()
    }
}
