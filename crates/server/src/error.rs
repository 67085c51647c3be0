//! The one error of the HTTP side, and how it is answered.
//!
//! Bodies are `{"detail": …}`, or for validation `{"field": ["what is wrong"]}` nested by index and field. The cause of
//! an internal error goes to the log alone; the answer and the log share an id by which it can be found.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use procession_store::StoreError;
use serde_json::{Value, json};

/// How long a client is told to wait after an overload.
const OVERLOAD_RETRY_SECONDS: u32 = 1;
/// How long a client is told to wait while the disk is full.
const DISK_FULL_RETRY_SECONDS: u32 = 10;

/// Why a request is not served.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    body: Value,
    retry_after_s: Option<u32>,
}

impl ApiError {
    fn detail(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, body: json!({ "detail": detail.into() }), retry_after_s: None }
    }

    /// 400 with what is wrong by field.
    pub(crate) const fn fields(fields: Value) -> Self {
        Self { status: StatusCode::BAD_REQUEST, body: fields, retry_after_s: None }
    }

    /// 400 for one field.
    pub(crate) fn field(field: &str, problem: impl Into<String>) -> Self {
        Self::fields(json!({ field: [problem.into()] }))
    }

    /// 400 with a text.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::detail(StatusCode::BAD_REQUEST, detail)
    }

    /// 401.
    pub(crate) fn unauthorized(detail: &str) -> Self {
        Self::detail(StatusCode::UNAUTHORIZED, detail)
    }

    /// 403.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::detail(StatusCode::FORBIDDEN, detail)
    }

    /// 404.
    pub(crate) fn not_found() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "Not found.")
    }

    /// 405.
    pub(crate) fn method_not_allowed(method: &str) -> Self {
        Self::detail(StatusCode::METHOD_NOT_ALLOWED, format!("Method \"{method}\" not allowed."))
    }

    /// 408.
    pub(crate) fn body_too_slow() -> Self {
        Self::detail(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time.")
    }

    /// 413.
    pub(crate) fn body_too_large(limit: usize) -> Self {
        Self::detail(StatusCode::PAYLOAD_TOO_LARGE, format!("The body is larger than {limit} bytes."))
    }

    /// 415.
    pub(crate) fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 421.
    pub(crate) fn misdirected() -> Self {
        Self::detail(
            StatusCode::MISDIRECTED_REQUEST,
            "This server does not answer under that name. Its operator can add the name to the allowed hosts.",
        )
    }

    /// 429.
    pub(crate) fn too_many_requests(retry_after_s: u32) -> Self {
        let error = Self::detail(StatusCode::TOO_MANY_REQUESTS, "Too many failed attempts. Try again later.");
        Self { retry_after_s: Some(retry_after_s), ..error }
    }

    /// 503: too much at once.
    pub(crate) fn overloaded() -> Self {
        let error = Self::detail(StatusCode::SERVICE_UNAVAILABLE, "The server is busy. Try again.");
        Self { retry_after_s: Some(OVERLOAD_RETRY_SECONDS), ..error }
    }

    /// 503 with a text.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        let error = Self::detail(StatusCode::SERVICE_UNAVAILABLE, detail);
        Self { retry_after_s: Some(DISK_FULL_RETRY_SECONDS), ..error }
    }

    /// 500 with an id; the cause is logged under it.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        let id = crate::access::random_text::<12>();
        tracing::error!(error_id = id, cause = ?cause.to_string(), "internal error");
        let text = format!("Internal error. The server's log has more under {id}.");
        Self::detail(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// The status.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The same with another body.
    pub(crate) fn with_body(self, body: Value) -> Self {
        Self { body, ..self }
    }

    /// What is wrong with a field.
    pub(crate) fn field_problem(&self, field: &str) -> Option<&Value> {
        self.body.get(field)
    }

    /// What is wrong, as one line of text.
    pub(crate) fn text(&self) -> String {
        match self.body.get("detail").and_then(Value::as_str) {
            Some(detail) => detail.to_owned(),
            None => first_problem(&self.body),
        }
    }
}

/// The first problem with the way to it, such as `processes.3.pid: A valid integer is required.`
fn first_problem(problems: &Value) -> String {
    let mut way = String::new();
    let mut at = problems;
    loop {
        at = match at {
            Value::Object(fields) => match fields.iter().next() {
                Some((name, inner)) => {
                    way = if way.is_empty() { name.clone() } else { format!("{way}.{name}") };
                    inner
                }
                None => return way,
            },
            Value::Array(texts) if !texts.is_empty() => &texts[0],
            Value::String(text) => return format!("{way}: {text}"),
            _ => return way,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull | StoreError::InUse(_) => Self::unavailable(error.to_string()),
            StoreError::Limit(text) => Self::bad_request(text),
            other => Self::internal(&other),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json_response(self.status, self.body.to_string());
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Api-Key"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// 200 with a value as JSON.
pub(crate) fn json_answer<T: serde::Serialize>(value: &T) -> Response {
    let mut out = Vec::new();
    crate::json_text::value(&mut out, value);
    json_response(StatusCode::OK, out)
}

/// An answer whose body is JSON.
pub(crate) fn json_response(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
